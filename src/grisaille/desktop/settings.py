"""What the user set on grisaille's page of napari's preferences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PLUGIN = "napari-grisaille"


@dataclass(frozen=True)
class Preferences:
    """The values of the manifest's ``configurations``; empty folders are the usual places."""

    device: str = "auto"
    threads: int | None = None
    weights_folder: Path | None = None
    cache_folder: Path | None = None

    @property
    def features_folder(self) -> Path:
        """Where what networks saw of a volume is kept for the next run."""
        import platformdirs

        kept = self.cache_folder or platformdirs.user_cache_path("grisaille", appauthor=False)
        return kept / "features"


def preferences() -> Preferences:
    """The preferences as they stand; the defaults where the plugin is not installed."""
    from napari.settings import get_plugin_settings

    try:
        page = get_plugin_settings(PLUGIN).computing
    except (KeyError, AttributeError):
        return Preferences()
    return Preferences(
        device=str(page.device),
        threads=int(page.threads) or None,
        weights_folder=_folder(page.weights_folder),
        cache_folder=_folder(page.cache_folder),
    )


def _folder(text: str) -> Path | None:
    return Path(text).expanduser() if text.strip() else None
