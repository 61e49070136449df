"""What it costs to keep patients in an MVG model, and how exactly two sites merge.

python benchmarks/mvg_kept.py [PATIENTS]

Healthy phantom torsos (64 cm) with CT and PET, half of PATIENTS (default 4) at each of two sites; for each
preset as it ships: megabytes kept of a scan, seconds of the fit of all images and of the merge,
and the largest difference between both on the scores of one more patient (asked: 1e-9, relative
to the highest score).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

import numpy as np
from reporting.tables import markdown, write

from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.flows.load import find_weights
from grisaille.methods.mvg.config import MvgConfig, Preset
from grisaille.methods.mvg.method import MVG
from grisaille.phantom import Scan, Station, cohort

RUN = Run(device="cpu", threads=1)


def main(patients: int) -> None:
    """The table of all presets."""
    *cases, unseen = cohort(patients + 1, 77, scan=Scan(Station.TORSO))
    rows = [row(preset, cases, unseen.load()) for preset in Preset]
    print(markdown(rows))
    write("mvg_kept", {"patients": patients, "rows": rows})


def row(preset: Preset, cases: list[Case], unseen: Study) -> Mapping[str, str | float]:
    """One preset."""
    config = MvgConfig(preset=preset, keep_patients=True)
    unfitted = MVG.create(config, find_weights("mvg", config))
    half = len(cases) // 2
    started = time.process_time()
    pooled = unfitted.fit(cases, RUN)
    fitted = time.process_time()
    ours, theirs = unfitted.fit(cases[:half], RUN), unfitted.fit(cases[half:], RUN)
    before = time.process_time()
    merged = ours.merge(theirs, RUN)
    after = time.process_time()
    expected, found = (one.score(unseen, RUN).scores.astype(np.float64) for one in (pooled, merged))
    promises = [
        np.array_equal(merged.calibrations[key].findings, one.findings) for key, one in pooled.calibrations.items()
    ]
    return {
        "preset": preset.value,
        **{f"MB a {key.upper()}": round(megabytes(pooled, key), 1) for key in ("ct", "pet")},
        "fit s": round(fitted - started, 1),
        "merge s": round(after - before, 1),
        "difference": float(np.abs(found - expected).max() / expected.max()),
        "same promise": str(all(promises)),
    }


def megabytes(method: MVG, key: str) -> float:
    """Mean size of what is kept of a scan."""
    sizes = [sum(array.nbytes for array in case.scans[key].arrays().values()) for case in method.kept]
    return float(np.mean(sizes)) / 1e6


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
