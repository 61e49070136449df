"""Which part of a person is scanned, and on which grids."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grisaille.core.errors import ConfigError
from grisaille.core.grid import Grid
from grisaille.core.volume import Modality
from grisaille.phantom.person import Arms, Person


class Station(StrEnum):
    """A stretch of the body."""

    WHOLE = "whole"
    TORSO = "torso"
    HEAD = "head"
    CHEST = "chest"
    ABDOMEN = "abdomen"
    PELVIS = "pelvis"
    THIGH = "thigh"
    RANDOM = "random"


_STRETCH_MM: dict[Station, tuple[float, float]] = {
    Station.WHOLE: (462, 1728),
    Station.TORSO: (840, 1480),
    Station.HEAD: (1420, 1728),
    Station.CHEST: (1190, 1480),
    Station.ABDOMEN: (960, 1270),
    Station.PELVIS: (800, 1070),
    Station.THIGH: (470, 850),
}
"""Heights in the reference body."""

_RANDOM_LENGTH_MM = (240.0, 560.0)
_DEPTH_MM = 360.0
_WIDTH_MM = 480.0
_WIDTH_WITH_ARMS_MM = 576.0
_PET_SHIFT_MM = (0.7, -1.1, 1.6)
"""PET and CT share no voxel centre, as on a real scanner."""


@dataclass(frozen=True)
class Scan:
    """What a scanner is set to.

    Parameters
    ----------
    station
        The stretch of the body. All but ``whole`` have one length in millimetres, so patients of
        one station share a shape.
    arms
        Up, down, or drawn for each patient.
    ct_spacing_mm, pet_spacing_mm
        Of cubic voxels.
    modalities
        ``ct``, ``pet`` or both.
    """

    station: Station = Station.TORSO
    arms: Arms = Arms.UP
    ct_spacing_mm: float = 3.0
    pet_spacing_mm: float = 4.0
    modalities: tuple[str, ...] = ("ct", "pet")

    def __post_init__(self) -> None:
        object.__setattr__(self, "station", Station(self.station))
        object.__setattr__(self, "arms", Arms(self.arms))
        object.__setattr__(self, "modalities", tuple(self.modalities))
        if not self.modalities or not set(self.modalities) <= {Modality.CT.key, Modality.PET.key}:
            raise ConfigError(
                f"a phantom has the modalities ct, pet or both, not {', '.join(self.modalities) or 'none'}"
            )
        for spacing in (self.ct_spacing_mm, self.pet_spacing_mm):
            if not 0.5 <= spacing <= 30:
                raise ConfigError(f"a phantom's voxels are 0.5 to 30 mm wide, not {spacing} mm")

    def person(self, seed: int) -> Person:
        """The patient of a seed, arms as this scan asks."""
        if self.arms is not Arms.RANDOM:
            return Person(seed, self.arms)
        return Person(seed, Arms.UP if Person(seed).rng("arms").random() < 0.5 else Arms.DOWN)

    def ct_grid(self, person: Person) -> Grid:
        """Where the CT samples this patient."""
        return self._grid(person, self.ct_spacing_mm, (0.0, 0.0, 0.0))

    def pet_grid(self, person: Person) -> Grid:
        """Where the PET samples this patient."""
        return self._grid(person, self.pet_spacing_mm, _PET_SHIFT_MM)

    def _grid(self, person: Person, spacing: float, shift: tuple[float, float, float]) -> Grid:
        low, high = self._stretch(person)
        has_arms = self.station in (Station.WHOLE, Station.HEAD, Station.RANDOM) or person.arms is Arms.DOWN
        extent = (high - low, _DEPTH_MM, _WIDTH_WITH_ARMS_MM if has_arms else _WIDTH_MM)
        shape = [max(1, round(length / spacing)) for length in extent]
        centre = ((low + high) / 2, 0.0, 0.0)
        origin = [
            middle + off - (size - 1) / 2 * spacing for middle, off, size in zip(centre, shift, shape, strict=True)
        ]
        return Grid.from_spacing(shape, spacing, origin)

    def _stretch(self, person: Person) -> tuple[float, float]:
        """Lower and upper end in the patient's millimetres."""
        tall = person.frame.scale[0]
        if self.station is Station.RANDOM:
            rng = person.rng("station")
            length = rng.uniform(*_RANDOM_LENGTH_MM)
            low, high = _STRETCH_MM[Station.WHOLE]
            middle = rng.uniform(low + length / 2, high - length / 2)
            return middle * tall - length / 2, middle * tall + length / 2
        low, high = _STRETCH_MM[self.station]
        half = (high - low) / 2 * (tall if self.station is Station.WHOLE else 1.0)
        middle = (low + high) / 2 * tall
        return middle - half, middle + half
