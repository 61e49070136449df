"""How each kind of volume is dressed when it is first shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.intensity import CT_WINDOWS, PET_RANGES

ANOMALY_COLORS = ((0.0, 0.3, 0.9, 0.0), (0.0, 0.45, 1.0, 0.6), (0.0, 0.85, 1.0, 1.0))
"""From nothing over blue to cyan: seen on black and on white, and no colour of the PET's."""

SIGNED_COLORS = (
    (0.2, 0.75, 1.0, 1.0),
    (0.1, 0.4, 1.0, 0.7),
    (0.1, 0.4, 1.0, 0.0),
    (1.0, 0.3, 0.1, 0.0),
    (1.0, 0.3, 0.1, 0.7),
    (1.0, 0.8, 0.3, 1.0),
)
"""From below healthy, in blue, over nothing to above healthy, in orange: told apart by the colour-blind too."""

SIGNED_LIMIT = 8.0
"""Standard deviations at which the colours end; the same for all patients, so that pictures compare."""

_SIGNED_UNSEEN = 2.0
"""Standard deviations that healthy tissue strays by: not coloured."""

ALONE = "gray_r"
"""Colormap of a PET without a CT."""

_OPAQUE_FROM = 0.5
_SAMPLED = 500_000


@dataclass(frozen=True)
class Look:
    """The display settings of an Image layer.

    Grey volumes are added to what lies below them, so that a CT opened after a PET does not hide it.
    """

    colormap: Any
    contrast_limits: tuple[float, float]
    blending: str = "additive"
    opacity: float = 1.0
    interpolation2d: str = "linear"
    rendering: str = "mip"

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of an Image layer."""
        return asdict(self)


def look_of(volume: Volume, *, over_ct: bool = True) -> Look:
    """How a volume is first shown.

    CT is grey in the soft-tissue window. PET, from SUV 0 to 7, is black on white alone and in
    colour over a CT. Anything else is grey over the values seen.
    """
    if volume.modality is Modality.CT and volume.unit is Unit.HU:
        return Look("gray", CT_WINDOWS[0].limits)
    if volume.modality is Modality.PET:
        limits = PET_RANGES[1].limits if volume.unit is Unit.SUVBW else (0.0, _percentiles(volume, 99.9)[0])
        if over_ct:
            return Look(_pet_colors(), _apart(limits), blending="translucent_no_depth", opacity=0.85)
        return Look(ALONE, _apart(limits), blending="translucent_no_depth")
    low, high = _percentiles(volume, 0.5, 99.8)
    return Look("gray", _apart((low, high)))


def look_of_anomaly(scores: np.ndarray[Any, Any], floor: float) -> Look:
    """Blue from ``floor`` on, where scores start to be of interest, to the highest score."""
    from napari.utils import Colormap

    colormap = Colormap(np.asarray(ANOMALY_COLORS), name="anomaly", display_name="anomaly")
    return Look(colormap, _apart((floor, float(scores.max(initial=0.0)))), "translucent_no_depth", 0.7)


def look_of_signed() -> Look:
    """Signed standard deviations in diverging colours centred on 0, clear where tissue is as expected."""
    from napari.utils import Colormap

    clear = 0.5 * _SIGNED_UNSEEN / SIGNED_LIMIT
    ends = (0.0, 0.5 - 2 * clear, 0.5 - clear, 0.5 + clear, 0.5 + 2 * clear, 1.0)
    colormap = Colormap(np.asarray(SIGNED_COLORS), controls=ends, name="signed", display_name="signed")
    return Look(colormap, (-SIGNED_LIMIT, SIGNED_LIMIT), "translucent_no_depth", 0.8)


def look_of_organ_z() -> Look:
    """Standard deviations above an organ's own median: clear where it is as most of the organ, or less than that."""
    from napari.utils import Colormap

    clear, warm, hot = SIGNED_COLORS[3:]
    ends = (0.0, _SIGNED_UNSEEN / SIGNED_LIMIT, 2 * _SIGNED_UNSEEN / SIGNED_LIMIT, 1.0)
    colormap = Colormap(np.asarray((clear, clear, warm, hot)), controls=ends, name="organ z", display_name="organ z")
    return Look(colormap, (0.0, SIGNED_LIMIT), "translucent_no_depth", 0.8)


def _pet_colors() -> Any:
    """Inferno, which the colour-blind can read too, as transparent as uptake is low."""
    from napari.utils import Colormap
    from napari.utils.colormaps import ensure_colormap

    steps = np.linspace(0.0, 1.0, 256)
    colors = np.array(ensure_colormap("inferno").map(steps))
    colors[:, 3] = np.clip(steps / _OPAQUE_FROM, 0.0, 1.0)
    return Colormap(colors, name="pet", display_name="PET")


def _percentiles(volume: Volume, *percents: float) -> list[float]:
    """Of every n-th voxel, so that a whole body is not sorted."""
    values = volume.voxels.ravel()[:: max(1, volume.voxels.size // _SAMPLED)]
    return [float(value) for value in np.percentile(values, percents)]


def _apart(limits: tuple[float, float]) -> tuple[float, float]:
    """Limits that differ, which napari asks for, also where a volume is constant."""
    low, high = limits
    return (low, high) if high > low else (low, low + 1.0)
