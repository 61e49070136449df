"""Kill -9 at random moments of each kind of export, and a disk that is full at a random byte of it.

    python benchmarks/export_faults.py [--tries 20] [--only csv nrrd ...] [--seed 0] [--limit]

Asked after each fault: the final name holds what was there before, or nothing, or the whole new thing; after
a full disk also that one of grisaille's errors was raised and no temporary is left. Every other try finds an
older file under the name. A process that is killed cannot clean up: its temporaries, which have hidden
names of their own, are counted.

The full disk is a tmpfs with room for the older file and a random part of the new one, which takes Linux
and root; elsewhere, or with --limit, a limit on the size of a file (RLIMIT_FSIZE) at a random byte.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
from pydicom import dcmread
from reporting.tables import markdown, write
from scipy import ndimage

import grisaille
from grisaille.core.anomaly import AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import GrisailleError
from grisaille.core.finding import Finding
from grisaille.core.grid import Axis
from grisaille.core.labels import Labels
from grisaille.core.result import Asked, Provenance, Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.flows import samples
from grisaille.imaging.findings import find_findings
from grisaille.io.export.parametric import Scale, write_parametric_map
from grisaille.io.export.report import write_sr
from grisaille.io.export.rtstruct import write_rtstruct
from grisaille.io.export.seg import write_seg
from grisaille.io.export.segments import segments_of
from grisaille.io.export.sources import read_sources
from grisaille.io.export.whose import Identity
from grisaille.io.image import suffix_of
from grisaille.io.labels import read_labels, write_labels
from grisaille.io.results import write_findings_csv, write_result

DONE, REFUSED, CRASHED = 0, 3, 4
"""Exit codes of a process that exports."""
ROWS = 4000
"""Of the table, so that its file is larger than a page of the disk."""
PAGE = 4096
PATIENCE = 5
"""Times as many tries as asked for, to have so many that the fault hit."""


@dataclass(frozen=True, eq=False)
class Material:
    """What is exported: a study, labels on its CT, what was found, and a result."""

    study: Study
    labels: Labels
    findings: tuple[Finding, ...]
    result: Result


@dataclass(frozen=True)
class Kind:
    """A kind of export: the name that it takes, and how it is written there."""

    file: str
    write: Callable[[Material, Path], object]


def _seg(material: Material, path: Path) -> None:
    segments = segments_of(material.labels, material.findings, None)
    sources = read_sources(_ct(material), Identity.IDENTIFIED, Run())
    write_seg(segments, sources, path, maker=None, version=grisaille.__version__)


def _sr(material: Material, path: Path) -> None:
    segments = segments_of(material.labels, material.findings, None)
    sources = read_sources(_ct(material), Identity.IDENTIFIED, Run())
    write_sr(segments, sources, path, maker=None, version=grisaille.__version__)


def _rtstruct(material: Material, path: Path) -> None:
    write_rtstruct(material.labels, read_sources(_ct(material), Identity.IDENTIFIED, Run()), path)


def _map(material: Material, path: Path) -> None:
    sources = read_sources(_ct(material), Identity.IDENTIFIED, Run())
    scores = material.result.anomaly.scores
    write_parametric_map(scores, sources, path, scale=Scale("score", "nothing"), version=grisaille.__version__)


KINDS: dict[str, Kind] = {
    "nifti": Kind("labels.nii.gz", lambda material, path: write_labels(material.labels, path)),
    "nrrd": Kind("labels.nrrd", lambda material, path: write_labels(material.labels, path)),
    "csv": Kind("findings.csv", lambda material, path: write_findings_csv(_many(material), path)),
    "result folder (json, csv, nifti)": Kind(
        "result", lambda material, path: write_result(material.result, path, overwrite=True)
    ),
    "rtstruct": Kind("labels.rtstruct.dcm", _rtstruct),
    "seg": Kind("labels.seg.dcm", _seg),
    "sr": Kind("labels.sr.dcm", _sr),
    "parametric map": Kind("scores.pm.dcm", _map),
}


def main() -> int:
    """Print one row a kind; the number of tries that left something they should not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", action="store_true", help="limit the size of files instead of mounting a small disk")
    asked = parser.parse_args()
    for package in ("highdicom", "nibabel", "SimpleITK", "skimage.measure"):
        import_module(package)  # here, so that it takes no time from the exports
    random = np.random.default_rng(asked.seed)
    new, old = material(1), material(2)
    on_disk = not asked.limit and _can_mount()
    rows, bad = [], 0
    for name in asked.only:
        with tempfile.TemporaryDirectory() as folder:
            trial = Trial(KINDS[name], new, old, Path(folder), random)
            killed, full = trial.kills(asked.tries), trial.full_disks(asked.tries, on_disk)
        bad += killed["BAD"] + full["BAD"]
        rows.append({"export": name, **_row("kill -9", killed), **_row("full disk", full), "seconds": trial.seconds})
    print(markdown(rows))
    print("full disk:", "a tmpfs of a random size" if on_disk else "RLIMIT_FSIZE at a random byte")
    print(f"{bad} tries left something that they should not")
    if asked.only == list(KINDS) and asked.tries >= 20:
        write("export_faults", {"tries": asked.tries, "rows": rows})
    return bad


class Trial:
    """One kind of export, its clean outcomes, and its faults."""

    def __init__(self, kind: Kind, new: Material, old: Material, folder: Path, random: np.random.Generator) -> None:
        self.kind, self.new, self.old, self.folder, self.random = kind, new, old, folder, random
        took = []
        for number, made in enumerate((old, new, new)):
            place = folder / str(number)
            place.mkdir()
            start = time.monotonic()
            if _wait(_started(kind, made, place / kind.file)) != DONE:
                raise SystemExit(f"{kind.file} cannot even be written undisturbed")
            took.append(time.monotonic() - start)
        self.seconds = min(took)
        self.is_old, self.is_new = (fingerprint(folder / str(number) / kind.file) for number in (0, 1))
        if self.is_old == self.is_new or self.is_new != fingerprint(folder / "2" / kind.file):
            raise SystemExit(f"{kind.file}: old and new cannot be told apart")

    def kills(self, tries: int) -> Counter[str]:
        """Killed in the middle, so many times; every second time with an older file under the name."""
        outcomes: Counter[str] = Counter()
        for attempt in range(PATIENCE * tries):
            if outcomes["hit"] == tries:
                break
            place = self._place(f"kill{attempt}", with_old=attempt % 2 == 0)
            pid = _started(self.kind, self.new, place / self.kind.file)
            time.sleep(self.random.uniform(0, 1.05 * self.seconds))
            os.kill(pid, signal.SIGKILL)
            if _wait(pid) == -signal.SIGKILL:
                self._judge(outcomes, place, with_old=attempt % 2 == 0, was_killed=True)
            shutil.rmtree(place)
        return outcomes

    def full_disks(self, tries: int, on_disk: bool) -> Counter[str]:
        """A disk that is full somewhere on the way, so many times."""
        outcomes: Counter[str] = Counter()
        needed = _pages(self.folder / "1")
        largest = max(file.stat().st_size for file in (self.folder / "1").rglob("*") if file.is_file())
        for attempt in range(PATIENCE * tries):
            if outcomes["hit"] == tries:
                break
            with_old = attempt % 2 == 0
            share = self.random.uniform(0, 0.98)
            if on_disk:
                room = PAGE * (int(share * needed) + (_pages(self.folder / "0") if with_old else 0) + 1)
                with _disk(self.folder / f"disk{attempt}", room) as place:
                    self._fill(place, with_old)
                    code = _wait(_started(self.kind, self.new, place / self.kind.file))
                    self._told(outcomes, code, place, with_old)
            else:
                place = self._place(f"limit{attempt}", with_old)
                code = _wait(_started(self.kind, self.new, place / self.kind.file, limit=int(share * largest)))
                self._told(outcomes, code, place, with_old)
                shutil.rmtree(place)
        return outcomes

    def _told(self, outcomes: Counter[str], code: int, place: Path, with_old: bool) -> None:
        if code == DONE:
            return  # it fitted
        if code != REFUSED:
            outcomes["BAD"] += 1
            print(f"{self.kind.file}: ended with {code}, expected one of grisaille's errors", file=sys.stderr)
        self._judge(outcomes, place, with_old, was_killed=False)

    def _judge(self, outcomes: Counter[str], place: Path, with_old: bool, was_killed: bool) -> None:
        outcomes["hit"] += 1
        target = place / self.kind.file
        before = self.is_old if with_old else None
        there = fingerprint(target) if target.exists() else None
        left = [one.name for one in place.iterdir() if one.name.startswith(".")]
        if there == before:
            outcomes["as before"] += 1
        elif there == self.is_new and was_killed:
            outcomes["whole new"] += 1
        else:
            outcomes["BAD"] += 1
            print(f"{self.kind.file}: {there} under the name, expected {before} or {self.is_new}", file=sys.stderr)
        outcomes["temporaries"] += len(left)
        if left and not was_killed:
            outcomes["BAD"] += 1
            print(f"{self.kind.file}: left {left}", file=sys.stderr)

    def _place(self, name: str, with_old: bool) -> Path:
        place = self.folder / name
        place.mkdir()
        self._fill(place, with_old)
        return place

    def _fill(self, place: Path, with_old: bool) -> None:
        if with_old:
            shutil.copytree(self.folder / "0", place, dirs_exist_ok=True)


def material(seed: int) -> Material:
    """The shipped DICOM study with a few random blobs labelled, and scores to match."""
    study = samples.study("dicom_station")
    ct = study.ct
    assert ct is not None
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.standard_normal(ct.grid.shape), 4).astype(np.float32)
    marked, count = ndimage.label(noise > np.quantile(noise, 0.97))
    sizes = np.bincount(marked.ravel(), minlength=count + 1)
    kept = np.argsort(-sizes[1:])[:8] + 1
    voxels = np.zeros(ct.grid.shape, np.uint16)
    for number, one in enumerate(kept, start=1):
        voxels[marked == one] = number
    labels = Labels(voxels, ct.grid, {1: f"first of {seed}"}, ct.source)
    only_ct = Study.of(ct)
    findings = find_findings(labels, only_ct)
    findings = tuple(replace(one, tracking_uid=f"2.25.{seed}{one.id:04}") for one in findings)
    scores = random.random(ct.grid.shape).astype(np.float32)
    slices = SliceScores(Axis.AXIAL, scores.max(axis=(1, 2)))
    anomaly = AnomalyMap(scores, slices, ct.grid, Calibration.none(), None, source=ct.source)
    provenance = Provenance(
        grisaille=grisaille.__version__, method="mvg", config={}, weights=(), device="cpu", seed=seed, series={},
        grid=str(ct.grid), suv={}, calibration_source=CalibrationSource.NONE, calibration_patients=0,
        asked=Asked(1.0, Per.SCAN), warnings=(), seconds={}, versions={},
    )  # fmt: skip
    return Material(study, labels, findings, Result(anomaly, labels, findings, provenance))


def fingerprint(path: Path) -> str:
    """What a file or folder says, without the ids and times that are new each time it is written."""
    if path.is_dir():
        parts = [f"{file.name} {fingerprint(file)}" for file in sorted(path.iterdir())]
    elif suffix_of(path) and path.name.startswith("anomaly"):
        parts = [hashlib.sha256(path.read_bytes()).hexdigest()]
    elif suffix_of(path):
        labels = read_labels(path)
        parts = [hashlib.sha256(labels.voxels.tobytes()).hexdigest(), str(labels.grid), str(dict(labels.names))]
    elif path.suffix == ".dcm":
        told = (f"{one.tag} {one.value!r}" for one in dcmread(path).iterall() if one.VR not in ("UI", "DA", "TM", "DT"))
        parts = [line for line in told if "Sequence" not in line]
    else:
        parts = [path.read_text(encoding="utf-8")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


# -- the faults -----------------------------------------------------------------------


def _started(kind: Kind, made: Material, path: Path, limit: int | None = None) -> int:
    """A process that exports; forked, so that none of its time goes into imports."""
    pid = os.fork()
    if pid:
        return pid
    code = CRASHED
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        kind.write(made, path)
        code = DONE
    except GrisailleError:
        code = REFUSED
    finally:
        os._exit(code)


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextlib.contextmanager
def _disk(folder: Path, room: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _can_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _disk(Path(folder) / "disk", PAGE):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def _pages(folder: Path) -> int:
    return sum(-(-file.stat().st_size // PAGE) for file in folder.rglob("*") if file.is_file())


def _ct(made: Material) -> grisaille.Volume:
    assert made.study.ct is not None
    return made.study.ct


def _many(made: Material) -> list[Finding]:
    return [replace(made.findings[number % len(made.findings)], id=number + 1) for number in range(ROWS)]


def _row(name: str, outcomes: Counter[str]) -> dict[str, object]:
    return {f"{name}: {what}": outcomes[what] for what in ("hit", "as before", "whole new", "BAD", "temporaries")}


if __name__ == "__main__":
    sys.exit(main())
