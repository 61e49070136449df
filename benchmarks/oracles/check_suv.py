"""SUV beside MIRP's (a library of IBSI's authors), voxel by voxel, found by place.

    make oracles
    python benchmarks/oracles/check_suv.py .venv-oracles/bin/python

All reference objects, those of ``suv_objects.py`` and a real whole-body PET by body weight; the
whole-body PET and two objects by the other norms too; and three series on which readers are known to
differ. Fails where they disagree without a known reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from oracles.suv_objects import DISPUTED, write_disputed, write_missing  # noqa: E402
from reporting.tables import markdown, write  # noqa: E402

from grisaille.core.errors import GrisailleError  # noqa: E402
from grisaille.core.volume import Unit, Volume  # noqa: E402
from grisaille.io.study import read_volume  # noqa: E402

TOLERANCE = 1e-5
KINDS = {
    Unit.SUVBW: "body_weight",
    Unit.SUL: "lean_body_mass_bmi",
    Unit.SUL_JAMES: "lean_body_mass",
    Unit.SUVBSA: "body_surface_area",
    Unit.SUVIBW: "ideal_body_weight",
}
"""What MIRP calls each."""


@dataclass(frozen=True)
class Job:
    """A series to be read both ways."""

    folder: Path
    unit: Unit

    @property
    def name(self) -> str:
        """For files and table."""
        return f"{self.folder.name}-{self.unit.value}"


def jobs(data: Path, made: Path) -> Iterator[Job]:
    """Every comparison."""
    reference = data / "suv_reference"
    folders = sorted(one for one in reference.iterdir() if one.is_dir())
    folders += write_missing(reference / "DRO_0_0", made).values()
    whole_body = data / "sarcoma" / "STS_001" / "wholebody_pet_dicom"
    for folder in [*sorted(folders, key=lambda one: one.name), whole_body]:
        yield Job(folder, Unit.SUVBW)
    for folder in write_disputed(reference / "DRO_0_0", made).values():
        yield Job(folder, Unit.SUVBW)
    for folder in (reference / "DRO_0_0", reference / "DRO_2_1", whole_body):
        yield from (Job(folder, unit) for unit in KINDS if unit is not Unit.SUVBW)


def compare(job: Job, theirs: Path) -> dict[str, Any]:
    """One row: the largest relative difference, at voxels above a thousandth of the largest value."""
    row: dict[str, Any] = {"series": job.folder.name, "unit": job.unit.value, "ours max": None, "MIRP max": None}
    row |= {"voxels": None, "largest relative difference": None, "verdict": ""}
    dispute = DISPUTED.get(job.folder.name)
    place = json.loads((theirs / f"{job.name}.json").read_text())
    try:
        ours = read_volume(job.folder, unit=job.unit)
    except GrisailleError as error:
        return row | {"verdict": f"known: {dispute}" if dispute else f"DISAGREE: ours is refused, {error}"}
    if "error" in place:
        return row | {"verdict": f"DISAGREE: MIRP fails, {place['error']}"}
    values = np.load(theirs / f"{job.name}.npy")
    found = _at(ours, place, values.shape)
    counted = np.abs(values) > 1e-3 * np.abs(values).max()
    apart = float(np.abs(found[counted] / values[counted] - 1).max())
    verdict = "agree" if apart <= TOLERANCE else f"known: {dispute}" if dispute else "DISAGREE"
    row |= {"ours max": float(found.max()), "MIRP max": float(values.max()), "voxels": int(counted.sum())}
    return row | {"largest relative difference": apart, "verdict": verdict}


def _at(volume: Volume, place: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    """Our values where MIRP's voxels lie: its origin, spacing and directions are z, y, x in LPS millimetres."""
    steps = np.asarray(place["orientation"]) * np.asarray(place["spacing"])
    places = np.stack(np.indices(shape), axis=-1) @ steps.T + place["origin"]
    exact = volume.grid.to_index(places)
    index = np.rint(exact).astype(int)
    if np.abs(exact - index).max() > 0.1 or shape != volume.grid.shape:
        raise ValueError(f"MIRP's voxels lie {np.abs(exact - index).max():.2f} voxels off ours, shape {shape}")
    return np.asarray(volume.voxels, np.float64)[tuple(np.moveaxis(index, -1, 0))]


def main(interpreter: str) -> int:
    data = Path(os.environ.get("GRISAILLE_REAL_DATA", HERE.parents[2] / "shared" / "data"))
    if not (data / "suv_reference").is_dir():
        print(f"no reference objects in {data}; set GRISAILLE_REAL_DATA", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        asked = list(jobs(data, Path(temporary, "made")))
        theirs = Path(temporary, "theirs")
        theirs.mkdir()
        listed = [{"name": one.name, "folder": str(one.folder), "kind": KINDS[one.unit]} for one in asked]
        (theirs / "jobs.json").write_text(json.dumps(listed))
        subprocess.run([interpreter, str(HERE / "mirp_suv.py"), str(theirs)], check=True)
        rows = [compare(job, theirs) for job in asked]
    version = subprocess.run(
        [interpreter, "-c", "from importlib.metadata import version; print(version('mirp'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    print(markdown(rows))
    said = [row["verdict"].partition(":")[0] for row in rows]
    counts = {word: said.count(word) for word in ("agree", "known", "DISAGREE")}
    print(
        f"\nMIRP {version}: of {len(rows)} volumes {counts['agree']} agree to {TOLERANCE:g}, {counts['known']} differ "
        f"for a known reason, {counts['DISAGREE']} disagree"
    )
    write("oracle_suv", {"mirp": version, "tolerance": TOLERANCE, "verdicts": counts, "rows": rows})
    return counts["DISAGREE"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
