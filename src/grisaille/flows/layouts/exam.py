"""One study to be evaluated, and the truth about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from grisaille.core.labels import Labels
from grisaille.core.study import Case, Study
from grisaille.io.pseudonym import pseudonym


class Layout(StrEnum):
    """How a data set lies on the disk."""

    AUTOPET = "autopet"
    HECKTOR = "hecktor"
    MSD = "msd"
    FOLDER = "folder"
    SYNTHETIC = "synthetic"
    PICTURES = "pictures"
    """Plain pictures in place of studies: they have a flow and a report of their own."""


@dataclass(frozen=True, eq=False)
class Opened:
    """A study with its truth.

    Parameters
    ----------
    lesions
        One number a lesion, named where its kind or region is known; on the study's reference grid.
    organs
        Named, on the same grid, where the data set has them.
    """

    study: Study
    lesions: Labels
    organs: Labels | None = None


@dataclass(frozen=True, eq=False)
class Exam:
    """One study of a data set, nothing of it read yet.

    Parameters
    ----------
    name
        Its place in the data set, for whoever holds the data; reports name its ``key``.
    patient
        Pseudonym by which exams are split.
    load, open
        Reads the study; reads it with its truth.
    look
        Whether the truth holds a lesion; reads no image.
    files
        By what they are: ct, pet, truth, organs, or several files of a DICOM folder numbered.
    recipe
        How the study comes about, where it has no file; equal for equal studies.
    """

    name: str
    patient: str
    load: Callable[[], Study]
    open: Callable[[], Opened]
    look: Callable[[], bool]
    files: Mapping[str, Path] = field(default_factory=dict)
    recipe: str = ""

    @property
    def key(self) -> str:
        """Pseudonym of the exam."""
        return pseudonym(self.name)

    def as_healthy(self) -> Case:
        """For a fit or a calibration."""
        return Case(self.load, self.patient, healthy=True)
