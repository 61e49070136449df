"""Numbers with a place and a meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen, require_shape
from grisaille.core.grid import Grid


class Modality(StrEnum):
    """DICOM modality (0008,0060), as far as grisaille treats them apart."""

    CT = "CT"
    PET = "PT"
    MR = "MR"
    OTHER = "OT"

    @property
    def key(self) -> str:
        """The name under which a volume stands in a study: ``ct``, ``pet``, ``mr`` or ``ot``."""
        return self.name.lower() if self is not Modality.OTHER else "ot"


class Unit(StrEnum):
    """What one unit of a voxel's value is."""

    HU = "HU"
    SUVBW = "SUVbw"
    BQML = "Bq/ml"
    NONE = ""


class SourceFormat(StrEnum):
    """The kind of file that a thing was read from."""

    NIFTI = "nifti"
    NRRD = "nrrd"
    MHA = "mha"
    DICOM = "dicom"
    MEMORY = "memory"


class OnIrregular(StrEnum):
    """What to do with a series whose slices are missing or unevenly spaced."""

    REFUSE = "refuse"
    RESAMPLE = "resample"


@dataclass(frozen=True, eq=False)
class Source:
    """How the voxels lay in the file: what a writer needs to put them back there.

    Parameters
    ----------
    format
        Kind of file.
    order
        Index axis (z, y, x) number ``i`` here was axis ``order[i]`` of the file's array (i, j, k).
    flipped
        Whether index axis ``i`` here runs against the file's.
    affine
        (4, 4) of the file: index (i, j, k) to LPS millimetres (x, y, z); None if made in memory.
    name
        File or folder name without its directories; never the patient's.
    series
        Pseudonym of the series (a hash of its UID), or empty.
    orientation
        Where the file's axes run, such as ``LPS`` or ``RAS``; empty if made in memory.
    files
        Of a DICOM series: its images in the order of the file's third axis, for exports that refer to
        them; none where slices were interpolated between them. Never written down or shown.
    """

    format: SourceFormat = SourceFormat.MEMORY
    order: tuple[int, int, int] = (2, 1, 0)
    flipped: tuple[bool, bool, bool] = (False, False, False)
    affine: npt.NDArray[np.float64] | None = None
    name: str = ""
    series: str = ""
    orientation: str = ""
    files: tuple[Path, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class SuvRecord:
    """How SUV came about: enough to compute it again by hand.

    Parameters
    ----------
    path
        The branch taken, in words, such as ``BQML, decay START, series time``.
    factor_range
        Least and largest factor from stored activity to SUVbw over the slices, or None if refused.
    inputs
        The values used: weight_kg, dose_bq, half_life_s, uptake_s and so on; no patient data.
    overrides
        The values that a user entered in place of the file's.
    refused
        Why there is no SUV, or empty.
    """

    path: str
    factor_range: tuple[float, float] | None
    inputs: Mapping[str, float | str] = field(default_factory=dict)
    overrides: Mapping[str, float | str] = field(default_factory=dict)
    refused: str = ""


@dataclass(frozen=True)
class VolumeProvenance:
    """Where a volume came from and what was done to it on the way in.

    Parameters
    ----------
    geometry
        The verdict on the slices' places, in words; ``regular`` where nothing is to be said.
    suv
        For PET.
    warnings
        Sentences that a user should see.
    frame_of_reference
        Pseudonym of the DICOM frame of reference, or empty.
    """

    geometry: str = "regular"
    suv: SuvRecord | None = None
    warnings: tuple[str, ...] = ()
    frame_of_reference: str = ""


@dataclass(frozen=True, eq=False)
class Volume:
    """A three-dimensional image whose numbers carry their meaning.

    Parameters
    ----------
    voxels
        (z, y, x), any real dtype; made read-only.
    grid
        Their places.
    modality, unit
        What was measured, and in what.
    name
        For layers and messages; never the patient's.
    source, provenance
        Where it came from.

    Raises
    ------
    ShapeError
        If ``voxels`` is not of the grid's shape.
    """

    voxels: npt.NDArray[Any]
    grid: Grid
    modality: Modality = Modality.OTHER
    unit: Unit = Unit.NONE
    name: str = ""
    source: Source = field(default_factory=Source)
    provenance: VolumeProvenance = field(default_factory=VolumeProvenance)

    def __post_init__(self) -> None:
        voxels = frozen(self.voxels)
        require_shape(voxels, self.grid.shape, f"volume {self.name!r}" if self.name else "a volume")
        object.__setattr__(self, "voxels", voxels)
        object.__setattr__(self, "modality", Modality(self.modality))
        object.__setattr__(self, "unit", Unit(self.unit))

    def with_voxels(self, voxels: npt.NDArray[Any], grid: Grid | None = None) -> Volume:
        """The same meaning with other numbers, on ``grid`` or the same grid.

        On another grid the source no longer describes the voxels, so only its name is kept.
        """
        if grid is None or grid == self.grid:
            return replace(self, voxels=voxels)
        source = Source(name=self.source.name, series=self.source.series)
        return replace(self, voxels=voxels, grid=grid, source=source)

    def warned(self, *warnings: str) -> Volume:
        """The same volume with further warnings in its provenance."""
        provenance = replace(self.provenance, warnings=self.provenance.warnings + warnings)
        return replace(self, provenance=provenance)


def read_only(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """A copy of ``mapping`` that cannot be written to."""
    return MappingProxyType(dict(mapping))
