"""Which image files of a folder are taken up, by their names and sidecars alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grisaille.core.errors import AmbiguousSeries, NoImages
from grisaille.core.volume import Modality
from grisaille.io.image import SUFFIXES, suffix_of
from grisaille.io.volumes import is_mask_name, modality_of

_SHOWN = 5


@dataclass(frozen=True)
class Folder:
    """The image files of a folder by modality, and its other image files with the reason they are left."""

    images: Mapping[Modality, tuple[Path, ...]]
    skipped: tuple[tuple[Path, str], ...]

    def only(self, modality: Modality) -> Path | None:
        """The one file of a modality, or None.

        Raises
        ------
        AmbiguousSeries
            If there are several.
        """
        files = self.images.get(modality, ())
        if len(files) > 1:
            names = ", ".join(file.name for file in files)
            raise AmbiguousSeries(
                f"{len(files)} {modality.value} images where one is expected: {names}; name one with "
                f"{modality.key}= (--{modality.key} on the command line)"
            )
        return files[0] if files else None


def image_files(folder: Path) -> Folder:
    """Look at the NIfTI, NRRD and MetaImage files of a folder; masks and folders in it are not taken up."""
    images: dict[Modality, list[Path]] = {}
    skipped = []
    for file in sorted(folder.iterdir()):
        if not suffix_of(file) or file.name.startswith(".") or not file.is_file():
            continue
        modality = modality_of(file)
        if modality is not None:
            images.setdefault(modality, []).append(file)
        elif is_mask_name(file):
            skipped.append((file, "a mask by its name"))
        else:
            skipped.append((file, "neither its name nor a sidecar says what it is"))
    return Folder({modality: tuple(files) for modality, files in images.items()}, tuple(skipped))


def reasons(skipped: Iterable[tuple[Path, str]]) -> str:
    """How many files were passed over for which reason, most frequent first; that there was none, else."""
    counts = Counter(reason for _, reason in skipped)
    told = [f"{count} x {reason}" for reason, count in counts.most_common(_SHOWN)]
    total = sum(counts.values())
    return f"{total} file{'s' * (total > 1)} skipped: {'; '.join(told)}" if total else "there is no file in it"


def nothing_in(place: str, skipped: Iterable[tuple[Path, str]], what: str = "no images") -> NoImages:
    """The error that says what was found instead of images, and what would have been taken."""
    return NoImages(
        f"{what} in {place}: {reasons(skipped)}; expected DICOM CT or PET, or files called CT* and PET* "
        f"ending in {', '.join(SUFFIXES)}; a file of another name is given as --ct or --pet (ct=, pet= in Python)"
    )
