"""Teaching the network to paint healthy patients; a training that was killed goes on where it stood."""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grisaille.core.config import knobs
from grisaille.core.errors import OutOfMemory, UnsuitableVolume
from grisaille.core.run import Precision, Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.lessons import Framed, Lessons
from grisaille.nn.device import describe, is_out_of_memory, resolve_device
from grisaille.nn.engine import load_engine
from grisaille.nn.threads import threads

if TYPE_CHECKING:
    import torch

    from grisaille.methods.autopaint.inpainter import Arrays
    from grisaille.methods.autopaint.pupil import CurvePoint, Pupil

CHECKPOINT, CURVE, BOARD = "training.ckpt", "training.csv", "tensorboard"
"""In the training's folder."""
STRETCH = 50
"""Steps between two checkpoints; at most so many are done again after a kill."""


def train(
    frames: Sequence[Framed],
    config: AutoPaintConfig,
    run: Run,
    *,
    folder: Path,
    watched: Sequence[Framed] = (),
    start: Arrays | None = None,
    minutes: float | None = None,
    until: float = 1.0,
    stretch: int = STRETCH,
) -> tuple[Arrays, tuple[CurvePoint, ...]]:
    """The averaged weights after ``config.steps`` steps, and the curve of the loss.

    A training of the same settings, seed, start and number of frames that ``folder`` holds is gone on
    with, to the same weights as if it had not been broken off; one that is complete is given back as it is.

    The device ``cuda`` means all GPUs that CUDA shows to this process, ``auto`` and ``cuda:N`` one. Each
    gets its part of every step, so that as many learn the same as one, up to rounding.

    Parameters
    ----------
    frames
        Of healthy patients, ``frame_cache.FrameCache`` say; read as often as there are lessons.
    folder
        Made where missing; gets the checkpoint, ``training.csv`` and, where TensorBoard is
        installed, its files in ``tensorboard``.
    watched
        Frames of patients kept out: the loss of the same few lessons on them is added to the
        curve every few stretches, and changes nothing of what is learned.
    start
        Weights to begin with, by name; those of ``run.seed`` if None.
    minutes
        Of training, breaks not counted, after which it ends even if steps are left; the learning
        rate then falls by the clock. ``config.minutes`` if None.
    until
        Share of the training after which it stops, at the end of a stretch; called again with
        more, it goes on as if it had not.
    stretch
        Steps between two checkpoints and points of the curve.

    Raises
    ------
    UnsuitableVolume
        If there is no frame.
    ConfigError
        If the training diverged, or several GPUs cannot be had from where it was called.
    OutputError
        If the checkpoint cannot be written; the one before stays.
    OutOfMemory
        If not even one slab fits.
    Cancelled
        After the step in hand; the last checkpoint stays.
    """
    if not frames:
        raise UnsuitableVolume("there is no study to train on; give studies of at least two healthy patients")
    load_engine("torch", "monai", "lightning")
    from grisaille.methods.autopaint.inpainter import arrays
    from grisaille.methods.autopaint.teaching import Teaching

    folder.mkdir(parents=True, exist_ok=True)
    devices = _devices(run, config.batch)
    run = _in_precision(run, config, devices[0])
    whole = config.batch // len(devices)
    batch = whole
    while True:
        pupil = _pupil(frames, config, run, minutes or config.minutes or None, start)
        steps_done = _steps_done(folder / CHECKPOINT, pupil, run)
        if not steps_done:
            shutil.rmtree(folder / BOARD, ignore_errors=True)  # of a training that is not gone on with
        try:
            if pupil.budget.share(steps_done) < until:
                with threads(run), _quiet():
                    lessons = Lessons(frames, config, run.seed)
                    teaching = Teaching(lessons, watched, folder, devices, batch, stretch, until)
                    teaching.teach(pupil, run, resume=steps_done > 0)
                for device in devices:
                    run.ran_on(str(device))
            return arrays(pupil.average), tuple(pupil.curve)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        batch = _smaller(batch, whole, devices[0], run)


def _in_precision(run: Run, config: AutoPaintConfig, device: torch.device) -> Run:
    """The run in the arithmetic that is asked for.

    The CPU stays with float32: bfloat16 is no faster there, and oneDNN's gave another curve each time, once in
    four a NaN (torch 2.14, avx512_bf16).
    """
    wanted = config.precision if run.precision is Precision.FLOAT32 else run.precision
    if device.type == "cpu" and wanted is not Precision.FLOAT32:
        run.note(f"on the CPU it trains in float32; {wanted.value} is for GPUs")
        wanted = Precision.FLOAT32
    return replace(run, precision=wanted)


def _devices(run: Run, batch: int) -> tuple[torch.device, ...]:
    """All GPUs that a step can be shared among evenly, if ``cuda`` is asked for; else the one device."""
    import torch

    first = resolve_device(run)
    if run.device != "cuda":
        return (first,)
    there = torch.cuda.device_count()
    used = next(count for count in range(there, 0, -1) if batch % count == 0)
    if used < there:
        run.note(
            f"{used} of {there} GPUs are used, for a step has {batch} slabs; choose a batch that {there} divides, "
            "and name one as cuda:N to leave the others free"
        )
    return tuple(torch.device("cuda", number) for number in range(used))


def _pupil(
    frames: Sequence[Framed], config: AutoPaintConfig, run: Run, minutes: float | None, start: Arrays | None
) -> Pupil:
    from grisaille.methods.autopaint.pupil import Budget, Pupil

    learnt = {one.name for one in knobs(AutoPaintConfig) if not one.after_fit} - {"minutes"}
    settings: dict[str, Any] = {name: value for name, value in config.to_mapping().items() if name in learnt}
    told = hashlib.sha256(json.dumps([settings, run.seed, run.precision.value, len(frames)], sort_keys=True).encode())
    for name in sorted(start or ()):
        told.update(name.encode() + np.ascontiguousarray(start[name]).tobytes())  # type: ignore[index] # not None
    return Pupil(config, run.seed, Budget(config.steps, minutes), told.hexdigest(), start)


def _steps_done(path: Path, pupil: Pupil, run: Run) -> int:
    """By the checkpoint that was broken off, which the pupil takes up; 0 without one of this training."""
    import torch

    if not path.exists():
        return 0
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if pupil.take_up(checkpoint):
            return int(checkpoint["global_step"])
    except (
        OSError,
        RuntimeError,
        EOFError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        pickle.UnpicklingError,
    ):
        pass
    run.note(f"{path.name} is damaged or of a training with other settings or studies; starting anew")
    return 0


def _smaller(batch: int, whole: int, device: torch.device, run: Run) -> int:
    """The next smaller batch that divides the ``whole``, whose gradients are then added up."""
    if batch == 1:
        raise OutOfMemory(
            f"{describe(device)} has too little memory to train on one slab; "
            "close other programs, or choose a smaller width, fewer slices a slab or a larger spacing_mm"
        )
    batch = next(size for size in range(batch - 1, 0, -1) if whole % size == 0)
    run.note(f"{describe(device)} ran out of memory; going on with {batch} slabs at a time, {whole} a step as before")
    return batch


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's advice on loaders, devices and products is not for our users."""
    voice = logging.getLogger("lightning.pytorch")
    before = voice.level
    voice.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        voice.setLevel(before)
