"""RTSTRUCT that grisaille writes: masks that rt-utils makes of it, and dciodvfy's errors.

    make oracles
    python benchmarks/oracles/check_rtstruct.py .venv-oracles/bin/python

Asked: Dice 1.0 for each ROI, by grisaille's own reader and by rt-utils, and 0 errors from dciodvfy
(dicom3tools), identified and de-identified. The last rows are a real RTSTRUCT of MIM's, read by both: rt-utils
rounds its contours to whole pixels before it fills them, so that it differs there.
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

import numpy as np
import numpy.typing as npt
from scipy import ndimage

import grisaille as gr
from grisaille.flows import samples
from grisaille.flows.make_dicom import Visit, write_series
from grisaille.io.export.rtstruct import write_rtstruct
from grisaille.io.export.sources import read_sources
from grisaille.io.export.whose import Identity

sys.path.insert(0, str(Path(__file__).parents[1]))
from reporting.tables import markdown

HERE = Path(__file__).parent
DATA = Path(os.environ.get("GRISAILLE_REAL_DATA", HERE.parents[2] / "shared" / "data"))


@dataclass(frozen=True, eq=False)
class Job:
    """An RTSTRUCT, the folder of its series, and the mask that grisaille has for each ROI."""

    name: str
    series: Path
    rtstruct: Path
    masks: dict[str, npt.NDArray[np.bool_]]
    own_dice: float | None
    errors: int | None


def main(interpreter: Path) -> int:
    """Print the table; the number of rows that are worse than asked."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        jobs = list(_jobs(folder, interpreter.parent / "dciodvfy"))
        (folder / "jobs.json").write_text(
            json.dumps([{"name": job.name, "series": str(job.series), "rtstruct": str(job.rtstruct)} for job in jobs])
        )
        subprocess.run([interpreter, HERE / "rt_utils_masks.py", folder], check=True)
        rows = [row for job in jobs for row in _rows(job, folder)]
    print(markdown(rows))
    bad = [row for row in rows if row["dciodvfy errors"] is not None and not _is_good(row)]
    print(f"{len(bad)} rows are worse than asked")
    return len(bad)


def _is_good(row: dict[str, object]) -> bool:
    return row["dciodvfy errors"] == 0 and row["own Dice"] == 1.0 and row["rt-utils Dice"] == 1.0


def _jobs(folder: Path, verifier: Path) -> Iterator[Job]:
    volume = _square(folder / "ct")
    yield _written("synthetic CT", _shapes(volume), volume, folder / "synthetic.dcm", verifier)
    patient = DATA / "sarcoma" / "STS_001"
    if not patient.is_dir():
        print(f"no real data in {DATA.name}: set GRISAILLE_REAL_DATA")
        return
    pet = gr.read_volume(patient / "wholebody_pet_dicom")
    real = patient / "wholebody_rtstruct.dcm"
    yield _written("STS_001, written again", gr.read_labels(real, like=pet), pet, folder / "again.dcm", verifier)
    rois = {name: gr.read_labels(real, like=pet, rois=[name]) for name in ("GTV_Mass", "GTV_Edema")}
    masks = {name: labels.voxels > 0 for name, labels in rois.items()}
    yield Job("STS_001, as MIM wrote it", pet.source.files[0].parent, real, masks, None, None)


def _written(name: str, labels: gr.Labels, volume: gr.Volume, file: Path, verifier: Path) -> Job:
    """Both ways of it are verified; rt-utils gets the one that refers to the images at hand."""
    errors, dice = 0, 1.0
    for identity in (Identity.DEIDENTIFIED, Identity.IDENTIFIED):
        write_rtstruct(labels, read_sources(volume, identity, gr.Run()), file)
        errors += _errors(verifier, file)
        dice = min(dice, _dice(labels, gr.read_labels(file, like=volume.grid)))
    masks = {labels.names[one]: labels.voxels == one for one in labels.ids}
    return Job(name, volume.source.files[0].parent, file, masks, dice, errors)


def _square(folder: Path) -> gr.Volume:
    """The CT of a sample, square: rt-utils 1.2.7 confuses rows and columns."""
    ct = samples.study("dicom_station").ct
    assert ct is not None
    side = min(ct.grid.shape[1:])
    grid = ct.grid.cropped((0, 0, 0), (ct.grid.shape[0], side, side))
    write_series(ct.with_voxels(ct.voxels[:, :side, :side], grid), Visit("oracle"), folder)
    return gr.read_volume(folder)


def _shapes(volume: gr.Volume) -> gr.Labels:
    """Blobs with holes, a shell, noise that touches at corners, and a single voxel."""
    random = np.random.default_rng(4)
    shape = volume.grid.shape
    voxels = np.zeros(shape, np.uint16)
    blobs = ndimage.gaussian_filter(random.standard_normal(shape), 3)
    voxels[blobs > np.quantile(blobs, 0.9)] = 1
    radius = np.linalg.norm(np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) / 2, axis=0)
    voxels[(radius < 14) & (radius > 8)] = 2
    voxels[5:8, 10:30, 10:30] = np.where(random.random((3, 20, 20)) < 0.5, 3, 0)
    voxels[radius < 0.9] = 4
    return gr.Labels(voxels, volume.grid, {1: "blobs", 2: "shell", 3: "noise", 4: "single voxel"}, volume.source)


def _rows(job: Job, folder: Path) -> Iterator[dict[str, object]]:
    theirs = np.load(folder / f"{job.name}.npz")
    for name, mask in job.masks.items():
        other = np.moveaxis(theirs[name], 2, 0)  # (slice, row, column), as grisaille has axial slices
        both = 2.0 * float((other & mask).sum()) / float(other.sum() + mask.sum())
        yield {
            "file": job.name,
            "ROI": name,
            "voxels": int(mask.sum()),
            "rt-utils' voxels": int(other.sum()),
            "rt-utils Dice": both,
            "own Dice": job.own_dice,
            "dciodvfy errors": job.errors,
        }


def _dice(labels: gr.Labels, other: gr.Labels) -> float:
    """1.0 only if every voxel has its number."""
    same = (labels.voxels == other.voxels) & (labels.voxels > 0)
    return 2.0 * float(same.sum()) / float((labels.voxels > 0).sum() + (other.voxels > 0).sum())


def _errors(verifier: Path, file: Path) -> int:
    told = subprocess.run([verifier, file], capture_output=True, text=True, check=False)
    return sum(line.startswith("Error") for line in (told.stdout + told.stderr).splitlines())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
