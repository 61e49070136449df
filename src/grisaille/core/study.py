"""The volumes of one patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from grisaille.core.errors import InputError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.volume import Modality, Volume, read_only

TWO_FRAMES = "CT and PET have different frames of reference, so they may not lie on each other"
"""The warning of a study whose volumes were not placed together."""


@dataclass(frozen=True, eq=False)
class Study:
    """The volumes of one patient, each on its own grid.

    Parameters
    ----------
    volumes
        By modality key (``ct``, ``pet``, ``mr``, ``ot``), at least one.
    patient
        A pseudonym; equal for studies of one patient, so that a patient is never split.
    """

    volumes: Mapping[str, Volume]
    patient: str = ""

    def __post_init__(self) -> None:
        if not self.volumes:
            raise InputError("a study needs at least one volume")
        for key, volume in self.volumes.items():
            if key != volume.modality.key:
                raise InputError(
                    f"volume under {key!r} is {volume.modality.value}, expected under {volume.modality.key!r}"
                )
        object.__setattr__(self, "volumes", read_only(self.volumes))

    @classmethod
    def of(cls, *volumes: Volume, patient: str = "") -> Study:
        """A study of these volumes, one of a modality at most."""
        by_key: dict[str, Volume] = {}
        for volume in volumes:
            if volume.modality.key in by_key:
                raise InputError(f"two {volume.modality.value} volumes in one study; give one of each modality")
            by_key[volume.modality.key] = volume
        return cls(by_key, patient)

    @property
    def ct(self) -> Volume | None:
        """The CT, or None."""
        return self.volumes.get(Modality.CT.key)

    @property
    def pet(self) -> Volume | None:
        """The PET, or None."""
        return self.volumes.get(Modality.PET.key)

    @property
    def main(self) -> Volume:
        """The volume whose grid results lie on: PET where there is one, else CT, else the first."""
        return self.pet or self.ct or next(iter(self.volumes.values()))

    @property
    def reference(self) -> Grid:
        """The grid that results lie on."""
        return self.main.grid

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of all its volumes, and whether they may not lie on each other."""
        told = [warning for volume in self.volumes.values() for warning in volume.provenance.warnings]
        if self.has_two_frames and TWO_FRAMES not in told:
            told.append(TWO_FRAMES)
        return tuple(told)

    @property
    def has_two_frames(self) -> bool:
        """Whether CT and PET say that their places are counted from different origins."""
        frames = {volume.provenance.frame_of_reference for volume in (self.ct, self.pet) if volume is not None}
        return len(frames - {""}) > 1


@dataclass(frozen=True, eq=False)
class Case:
    """One study for training or evaluation, read only when it is asked for.

    Parameters
    ----------
    load
        Reads the study; called as often as a method likes.
    patient
        Pseudonym by which cases are split.
    truth
        Lesions, one label a lesion, where they are known.
    healthy
        Whether the patient is known to have no lesion; None if nobody said.
    """

    load: Callable[[], Study]
    patient: str
    truth: Labels | None = None
    healthy: bool | None = None
