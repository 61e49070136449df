"""False positives on the very patients a model was made of, each judged as if never seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grisaille.core.run import Run
from grisaille.core.study import Case
from grisaille.core.volume import Modality
from grisaille.imaging.resample import resample_array
from grisaille.methods.mvg.fitting import Learned
from grisaille.methods.mvg.modality import Known
from grisaille.methods.mvg.observation import Observation
from grisaille.methods.mvg.promise import ScanCount, counting_grid
from grisaille.methods.mvg.scoremap import voxel_scores
from grisaille.methods.mvg.spool import Spool


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What a learned modality says of the cases it was made of.

    ``seen`` are the numbers of the cases that have the modality, and their observations.
    """

    learned: Learned
    seen: Sequence[tuple[int, Observation]]

    def has(self, case: int) -> bool:
        """Whether the case has the modality."""
        return any(number == case for number, _ in self.seen)

    def observation(self, case: int) -> Observation:
        """Of the case."""
        return self.seen[self._place(case)][1]

    def map(self, case: int) -> Known:
        """Of the case, by the model that never saw its patient."""
        return self.learned.left_out(self._place(case))

    def _place(self, case: int) -> int:
        return next(place for place, (number, _) in enumerate(self.seen) if number == case)


def left_out_counts(
    maps: Mapping[str, LeftOut], cases: Sequence[Case], spool: Spool, smallest_ml: float, *, run: Run
) -> dict[str, list[ScanCount]]:
    """For each set of modalities that a study may have, the counts of the cases that have them."""
    counts: dict[str, list[ScanCount]] = {}
    for number in run.track(range(len(cases)), "measuring false positives"):
        for part in subsets([key for key in maps if maps[key].has(number)]):
            reference = next((key for key in (Modality.PET.key, Modality.CT.key) if key in part), part[0])
            seen = maps[reference].observation(number)
            grid = counting_grid(seen.grid)
            body = resample_array(seen.body_mask(spool), seen.grid, grid, nearest=True)
            scores = voxel_scores((maps[key].map(number) for key in part), body, grid)
            count = ScanCount.of(scores, body, grid, smallest_ml, cases[number].patient)
            counts.setdefault("+".join(part), []).append(count)
    return counts


def subsets(keys: Sequence[str]) -> list[tuple[str, ...]]:
    """Each key alone, then all together."""
    ordered = sorted(keys)
    return [(key,) for key in ordered] + ([tuple(ordered)] if len(ordered) > 1 else [])
