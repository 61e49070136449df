"""How healthy AutoPaint's twins are: against the phantom's true healthy twin, which has the very same noise.

    python benchmarks/autopaint_twin.py [--model FILE] [--patients 6] [--seed 7400]

Inside lesions and elsewhere in the body: mean absolute difference to the true twin of the patient as
scanned, of AutoPaint's twin, and of plain interpolation that is told where the lesions are (biharmonic).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

import numpy as np
from peers.biharmonic import fill
from reporting.tables import markdown, write
from scipy import ndimage

import grisaille as gr
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.imaging.body import body_mask
from grisaille.imaging.resample import resample
from grisaille.phantom import Phantom

LARGEST_HOLE = 12_000
"""Voxels of a lesion, beyond which plain interpolation takes minutes; it is left out there."""


def main() -> None:
    """Print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="autopaint/phantom")
    parser.add_argument("--patients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=7400)
    given = parser.parse_args()
    method, run = gr.load_method(given.model), Run(device="cpu", threads=1)
    scan = gr.phantom.Scan(ct_spacing_mm=4.0)
    rows, lesions = [], 0
    for seed in range(given.seed, given.seed + given.patients):
        patient = gr.phantom.patient(seed, lesions=True, scan=scan)
        started = time.process_time()
        twin = method.score(patient.study, run).healthy
        lesions += len(patient.lesion_list)
        rows += compared(patient, {"AutoPaint": twin, "as scanned": patient.study, "biharmonic": smoothed(patient)})
        print(seed, f"{time.process_time() - started:.0f} CPU-s", flush=True)
    table = summed(rows)
    print(markdown(table))
    print(write("autopaint_twin", {"seed": given.seed, "patients": given.patients, "lesions": lesions, "rows": table}))


def smoothed(patient: Phantom) -> Study:
    """The study with its lesions, known from the truth and 4 mm more, filled by plain interpolation."""
    volumes = {}
    for key, volume in patient.study.volumes.items():
        hole = ndimage.binary_dilation(resample(patient.lesions, volume.grid).voxels > 0)
        parts, count = ndimage.label(hole)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        hole &= sizes[parts] <= LARGEST_HOLE
        volumes[key] = volume.with_voxels(fill(volume.voxels.astype(np.float32), hole))
    return Study(volumes, patient.study.patient)


def compared(patient: Phantom, painted: Mapping[str, Study]) -> list[dict[str, object]]:
    """Mean absolute and signed differences to the true twin of each volume of each study."""
    rows = []
    for key, true in patient.twin.volumes.items():
        lesion = resample(patient.lesions, true.grid).voxels > 0
        body = body_mask(true) & ~ndimage.binary_dilation(lesion, iterations=3)
        for name, study in painted.items():
            off = study.volumes[key].voxels.astype(np.float64) - true.voxels
            for where, mask in (("in lesions", lesion), ("elsewhere in the body", body)):
                if mask.any():
                    rows.append(
                        {
                            "volume": f"{key.upper()} {true.unit.value}",
                            "twin": name,
                            "where": where,
                            "absolute": float(np.abs(off[mask]).mean()),
                            "signed": float(off[mask].mean()),
                        }
                    )
    return rows


def summed(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The mean over patients."""
    keys = list(dict.fromkeys((row["volume"], row["where"], row["twin"]) for row in rows))
    return [
        {
            "volume": volume,
            "where": where,
            "twin": twin,
            **{
                f"{measure} difference": float(
                    np.mean(
                        [
                            row[measure]
                            for row in rows
                            if (row["volume"], row["where"], row["twin"]) == (volume, where, twin)
                        ]
                    )
                )
                for measure in ("absolute", "signed")
            },
        }
        for volume, where, twin in sorted(keys)
    ]


if __name__ == "__main__":
    main()
