"""Reads spoilt files in child processes that may crash, hang or eat memory, and judges what came of each.

A volume is right if an independent reader (pydicom slice by slice, nibabel, SimpleITK) finds the same
numbers at the same places in the same spoilt file.
"""

from __future__ import annotations

import logging
import multiprocessing as mp
import os
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from header_mutations import SECRETS, Mutator, Spoilt

SECONDS = 5.0
ADDRESS_SPACE = 6 << 30
MOST_GROWTH_KB = 300 * 1024
"""How far the largest resident size may rise over a case; the seeds are a few kB."""


class Outcome(Enum):
    """What came of a spoilt file."""

    RIGHT = "right volume"
    UNJUDGED = "volume that the other reader refuses"
    OURS = "one of our errors"
    WRONG = "wrong volume"
    LEAK = "patient or path in a sentence"
    OTHER = "another exception"
    CRASH = "crash"
    HANG = "hang"
    MEMORY = "memory"


GOOD = (Outcome.RIGHT, Outcome.UNJUDGED, Outcome.OURS)


@dataclass
class Tally:
    """Counts by seed and outcome, and every case that did not end well."""

    counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    bad: list[tuple[int, Spoilt, Outcome, str]] = field(default_factory=list)
    slowest_s: float = 0.0
    largest_kb: int = 0

    def of(self, outcome: Outcome) -> int:
        return sum(count for (_, one), count in self.counts.items() if one is outcome)


def fuzz(seed: int, numbers: Iterable[int], seconds: float = SECONDS) -> Tally:
    """Spoil and read the cases of ``numbers``; one that takes longer than ``seconds`` hangs."""
    tally = Tally()
    workshop = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        mutator, child = Mutator(workshop / "seeds"), _Child(seconds)
        for number in numbers:
            folder = workshop / f"case_{number}"
            folder.mkdir()
            spoilt = mutator.spoil(seed, number, folder)
            outcome, words, took, largest = child.read(spoilt, describes=number % 4 == 0)
            tally.counts[spoilt.seed, outcome] += 1
            tally.slowest_s, tally.largest_kb = max(tally.slowest_s, took), max(tally.largest_kb, largest)
            if outcome not in GOOD:
                tally.bad.append((number, spoilt, outcome, words))
            shutil.rmtree(folder)
        child.end()
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return tally


class _Child:
    """One process that reads file after file, and another one after it has died."""

    def __init__(self, seconds: float) -> None:
        self._process: Any = None
        self._seconds = seconds

    def read(self, spoilt: Spoilt, *, describes: bool) -> tuple[Outcome, str, float, int]:
        if self._process is None:
            self._start()
        self._pipe.send((str(spoilt.path), describes))
        if not self._pipe.poll(4 * self._seconds):  # it may be described, read, and read by another library
            self.end(kill=True)
            return Outcome.HANG, f"no end in {4 * self._seconds:g} s", 4 * self._seconds, 0
        try:
            name, words, seconds, growth, largest = self._pipe.recv()
        except EOFError:
            self._process.join()
            code, self._process = self._process.exitcode, None
            return Outcome.CRASH, f"exit code {code}", 0.0, 0
        if growth > MOST_GROWTH_KB:
            self.end(kill=True)
            return Outcome.MEMORY, f"{growth / 1024:.0f} MB more", seconds, largest
        if seconds > self._seconds:
            return Outcome.HANG, f"{seconds:.1f} s", seconds, largest
        return Outcome[name], words, seconds, largest

    def end(self, *, kill: bool = False) -> None:
        if self._process is not None:
            if kill:
                self._process.kill()
            else:
                self._pipe.send(None)
            self._process.join()
            self._process = None

    def _start(self) -> None:
        context = mp.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, list(sys.path)), daemon=True)
        self._process.start()
        theirs.close()
        assert self._pipe.recv() == "ready"


def _serve(pipe: Any, path: list[str]) -> None:
    sys.path[:] = path
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)  # C++ libraries talk there
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _warm_up()
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        before = _most_kb()
        times: list[float] = []
        outcome, words = judge(Path(order[0]), describes=order[1], times=times)
        pipe.send((outcome.name, words, max(times), _most_kb() - before, _most_kb()))


def _most_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _warm_up() -> None:
    """Import what reading imports, so that no case pays for it."""
    import gdcm  # noqa: F401
    import highdicom  # noqa: F401
    import nibabel  # noqa: F401
    import SimpleITK  # noqa: F401

    import grisaille.io.dicom
    import grisaille.io.study  # noqa: F401


def judge(path: Path, *, describes: bool = True, times: list[float] | None = None) -> tuple[Outcome, str]:
    """Read a file or folder, and look whether what came is right and says nothing of the patient.

    ``times`` takes the seconds of describing, if that is asked for, and of reading.
    """
    from grisaille.core.errors import GrisailleError
    from grisaille.io.info import describe
    from grisaille.io.study import read_study

    told: list[str] = []
    volume = None
    with _listening(told):
        for read in (lambda: repr(describe([path])), lambda: read_study(path))[not describes :]:
            started = time.monotonic()
            try:
                found = read()
                outcome, words = Outcome.RIGHT, ""
                told.append(repr(found))
            except GrisailleError as error:
                told.append(str(error))
                outcome, words, found = Outcome.OURS, str(error), None
            except BaseException as error:  # noqa: BLE001 -- this is what is looked for
                return Outcome.OTHER, f"{type(error).__name__}: {error}"[:200]
            finally:
                if times is not None:
                    times.append(time.monotonic() - started)
        if found is not None:
            volume = found.main
            told += found.warnings
    leaks = [secret for secret in (*SECRETS, str(path.parent)) if any(secret in sentence for sentence in told)]
    if leaks:
        return Outcome.LEAK, f"{leaks} in {next(one for one in told if leaks[0] in one)[:200]}"
    return (outcome, words) if volume is None else _compared(path, volume)


class _listening:
    """Collects Python's warnings and everything that is logged."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def __enter__(self) -> None:
        told = self._told

        class Collector(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                told.append(record.getMessage())

        self._handler = Collector()
        logging.getLogger().addHandler(self._handler)
        self._warnings = warnings.catch_warnings(record=True)
        self._caught = self._warnings.__enter__()
        warnings.simplefilter("always")

    def __exit__(self, *_: object) -> None:
        self._told += [str(one.message) for one in self._caught or ()]
        self._warnings.__exit__(None, None, None)
        logging.getLogger().removeHandler(self._handler)


def _compared(path: Path, volume: Any) -> tuple[Outcome, str]:
    from grisaille.io.axes import to_source

    array, affine = to_source(volume.voxels, volume.grid, volume.source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pieces = list(_slices_by_pydicom(volume)) if volume.source.files else [_by_another_library(path)]
        except Exception as error:  # noqa: BLE001 -- the other reader may say what it likes
            return Outcome.UNJUDGED, f"{type(error).__name__}: {error}"[:200]
    for k, (values, place, may_be_filled) in enumerate(pieces):
        ours = array[:, :, k].T if volume.source.files else array
        where = affine[:3, 3] + affine[:3, 2] * k if volume.source.files else affine
        if values.shape != ours.shape:
            return Outcome.WRONG, f"slice {k}: shape {ours.shape}, expected {values.shape}"
        factor = _factor(volume, values, ours)
        off = ~np.isclose(ours, values * factor, rtol=1e-4, atol=1e-3 * max(abs(factor), 1e-30))
        off &= ~(may_be_filled & np.isin(ours, (-1024, 0)))
        if off.any():
            return (
                Outcome.WRONG,
                f"slice {k}: {int(off.sum())} values differ, such as {ours[off][0]} for {values[off][0]}",
            )
        if not np.allclose(where, place, rtol=1e-4, atol=0.06):
            return Outcome.WRONG, f"slice {k}: lies at {where}, expected {place}"
    return Outcome.RIGHT, ""


def _factor(volume: Any, values: np.ndarray, ours: np.ndarray) -> float:
    """From Bq/ml to SUV: one for a slice, within what the record says; 1 for everything else."""
    record = volume.provenance.suv
    if record is None or record.factor_range is None:
        return 1.0
    at = np.unravel_index(np.argmax(np.abs(values)), values.shape)
    low, high = record.factor_range
    found = float(ours[at] / values[at]) if values[at] else low
    return float(np.clip(found, low, high))


def _slices_by_pydicom(volume: Any) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Values, place in LPS mm, and which pixels may be padding."""
    from pydicom import dcmread
    from pydicom.uid import ImplicitVRLittleEndian

    for file in volume.source.files:
        image = dcmread(file, force=True)
        if "TransferSyntaxUID" not in image.file_meta:
            image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        if image.HighBit != image.BitsStored - 1 and not image.file_meta.TransferSyntaxUID.is_compressed:
            raise NotImplementedError("pydicom takes the lowest bits wherever HighBit is (DICOM PS3.5, 8.1.1)")
        pixels = np.asarray(image.pixel_array)
        may_be_padding = np.full(pixels.shape[-2:], image.get("PixelPaddingValue") is not None)
        if pixels.ndim == 2:
            slope, intercept = _first(image, "RescaleSlope", 1), _first(image, "RescaleIntercept", 0)
            yield pixels * slope + intercept, np.asarray(image.ImagePositionPatient, float), may_be_padding
            continue
        frames = []
        for frame, own in zip(pixels, image.PerFrameFunctionalGroupsSequence, strict=True):
            shared = image.SharedFunctionalGroupsSequence[0]
            scale = (own.get("PixelValueTransformationSequence") or shared.PixelValueTransformationSequence)[0]
            at = np.asarray(own.PlanePositionSequence[0].ImagePositionPatient, float)
            frames.append((frame * float(scale.RescaleSlope) + float(scale.RescaleIntercept), at, may_be_padding))
        yield from sorted(frames, key=lambda one: float(one[1] @ _normal_zyx(volume)[::-1]))


def _normal_zyx(volume: Any) -> np.ndarray:
    return np.asarray(volume.grid.affine[:3, 0])


def _first(image: Any, name: str, default: float) -> float:
    """The first of several values, as DICOM counts them where one is meant."""
    value = image.get(name)
    if value is None or value == "":
        return float(default)
    return float(value[0] if hasattr(value, "append") else value)


def _by_another_library(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(i, j, k) values and their affine to LPS."""
    if ".nii" in path.name:
        import nibabel as nib

        image = nib.load(path)
        world = np.array(image.affine)
        if not int(image.header["qform_code"]) and not int(image.header["sform_code"]):
            # No orientation is told: METHOD 1 of the standard. nibabel centres and mirrors such an image instead.
            world = np.diag([*image.header.get_zooms()[:3], 1.0])
        values, affine = np.asarray(image.dataobj), np.diag([-1.0, -1, 1, 1]) @ world
        scale = {"meter": 1000.0, "micron": 1e-3}.get(image.header.get_xyzt_units()[0], 1.0)
        affine[:3] *= scale
    else:
        import SimpleITK as sitk

        image = sitk.ReadImage(str(path))
        values = sitk.GetArrayFromImage(image).T
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        affine[:3, 3] = image.GetOrigin()
    values = np.squeeze(values)
    values = values.reshape(values.shape + (1,) * (3 - values.ndim))
    return values, affine, ~np.isfinite(values.astype(float))  # which are set to air or nothing
