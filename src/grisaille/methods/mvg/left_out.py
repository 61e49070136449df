"""False positives on the very patients a model was made of, each judged as if never seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grisaille.core.run import Run
from grisaille.core.volume import Modality
from grisaille.methods.mvg.fitting import Learned
from grisaille.methods.mvg.observation import SeenCase
from grisaille.methods.mvg.promise import count_scan
from grisaille.methods.mvg.scoremap import voxel_scores
from grisaille.methods.mvg.spool import Spool
from grisaille.methods.scan_count import ScanCount, counting_grid, subsets


def left_out_counts(
    learned: Mapping[str, Learned], cases: Sequence[SeenCase], spool: Spool, smallest_ml: float, *, run: Run
) -> dict[str, list[ScanCount]]:
    """For each set of modalities that a study may have, the counts of the cases that have them.

    ``learned`` is by modality key, from the cases that have the modality, in their order.
    """
    places = {
        key: {number: place for place, number in enumerate(n for n, case in enumerate(cases) if key in case.scans)}
        for key in learned
    }
    counts: dict[str, list[ScanCount]] = {}
    for number in run.track(range(len(cases)), "measuring false positives"):
        case = cases[number]
        for part in subsets(list(case.scans)):
            reference = next((key for key in (Modality.PET.key, Modality.CT.key) if key in part), part[0])
            seen = case.scans[reference]
            grid, body = counting_grid(seen.grid), seen.body_mask(spool)
            scores = voxel_scores((learned[key].left_out(places[key][number]) for key in part), body, grid)
            count = count_scan(scores, body, grid, smallest_ml, case.patient)
            counts.setdefault("+".join(part), []).append(count)
    return counts
