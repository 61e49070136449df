"""Teaching the network to paint healthy patients; a training that was killed goes on where it stood."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grisaille.core.config import knobs
from grisaille.core.errors import OutOfMemory, UnsuitableVolume
from grisaille.core.run import Precision, Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.lessons import Framed, Lesson, Lessons, collated
from grisaille.nn.device import describe, is_out_of_memory, resolve_device
from grisaille.nn.engine import load_engine
from grisaille.nn.threads import threads

if TYPE_CHECKING:
    import torch
    from torch.utils.data import DataLoader

    from grisaille.methods.autopaint.inpainter import Arrays
    from grisaille.methods.autopaint.pupil import CurvePoint, Pupil

CHECKPOINT = "training.ckpt"
CURVE = "training.csv"
STRETCH = 50
"""Steps between two checkpoints; at most so many are done again after a kill."""

_PRECISION = {
    Precision.FLOAT32: "32-true",
    Precision.BFLOAT16: "bf16-mixed",
    Precision.FLOAT16: "16-mixed",
}


def train(
    frames: Sequence[Framed],
    config: AutoPaintConfig,
    run: Run,
    *,
    folder: Path,
    minutes: float | None = None,
    stretch: int = STRETCH,
) -> tuple[Arrays, tuple[CurvePoint, ...]]:
    """The averaged weights after ``config.steps`` steps, and the curve of the loss.

    A training of the same settings, seed and number of frames that ``folder`` holds is gone on with, to
    the same weights as if it had not been broken off; one that is complete is given back as it is.

    Parameters
    ----------
    frames
        Of healthy patients, ``frame_cache.FrameCache`` say; read as often as there are lessons.
    folder
        Made where missing; gets the checkpoint and ``training.csv``.
    minutes
        Of training, breaks not counted, after which it ends even if steps are left; the learning
        rate then falls by the clock.
    stretch
        Steps between two checkpoints and points of the curve.

    Raises
    ------
    UnsuitableVolume
        If there is no frame.
    ConfigError
        If the training diverged.
    OutOfMemory
        If not even one slab fits.
    Cancelled
        After the step in hand; the last checkpoint stays.
    """
    if not frames:
        raise UnsuitableVolume("there is no study to train on; give studies of at least two healthy patients")
    load_engine("torch", "monai", "lightning")
    from grisaille.methods.autopaint.inpainter import arrays

    folder.mkdir(parents=True, exist_ok=True)
    device = resolve_device(run)
    batch = config.batch
    while True:
        pupil = _pupil(frames, config, run, minutes)
        steps_done = _steps_done(folder / CHECKPOINT, pupil, run)
        try:
            if pupil.budget.share(steps_done) < 1:
                with threads(run), _quiet():
                    teaching = _Teaching(Lessons(frames, config, run.seed), folder, device, batch, stretch)
                    teaching.teach(pupil, run, resume=steps_done > 0)
                run.ran_on(str(device))
            return arrays(pupil.average), tuple(pupil.curve)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        batch = _smaller(batch, config.batch, device, run)


@dataclass(frozen=True, eq=False)
class _Teaching:
    """How a pupil is taught: ``batch`` lessons at a time, as many a step as the settings say."""

    lessons: Lessons
    folder: Path
    device: torch.device
    batch: int
    stretch: int

    def teach(self, pupil: Pupil, run: Run, *, resume: bool) -> None:
        from lightning.pytorch import Trainer

        from grisaille.methods.autopaint.pupil import Keeper, Teller

        config, checkpoint, device = self.lessons.config, self.folder / CHECKPOINT, self.device
        trainer = Trainer(
            accelerator="gpu" if device.type == "cuda" else device.type,
            devices=[device.index or 0] if device.type == "cuda" else 1,
            precision=_PRECISION[run.precision],  # type: ignore[arg-type] # one of Lightning's literals
            max_epochs=-(-config.steps // self.stretch),  # with max_steps, a resumed Trainer cuts a stretch short
            accumulate_grad_batches=config.batch // self.batch,
            gradient_clip_val=1.0,
            callbacks=[Teller(run, pupil.budget), Keeper(checkpoint, self.folder / CURVE)],
            default_root_dir=self.folder,
            logger=False,
            enable_checkpointing=True,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(pupil, self._loader(), ckpt_path=checkpoint if resume else None, weights_only=True)

    def _loader(self) -> DataLoader[Lesson]:
        import torch
        from torch.utils.data import DataLoader

        from grisaille.methods.autopaint.pupil import Stretches

        on_gpu = self.device.type == "cuda"  # which is faster than one process can make lessons
        workers = min(8, (os.cpu_count() or 2) - 1) if on_gpu else 0
        return DataLoader(
            self.lessons,  # type: ignore[arg-type] # endless, so of no length
            batch_size=self.batch,
            generator=torch.Generator(),  # else it draws from the global one
            sampler=Stretches(self.stretch * self.lessons.config.batch),
            collate_fn=_tensors,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=on_gpu,
        )


def _tensors(lessons: list[Lesson]) -> tuple[torch.Tensor, ...]:
    import torch

    return tuple(torch.from_numpy(array) for array in collated(lessons))


def _pupil(frames: Sequence[Framed], config: AutoPaintConfig, run: Run, minutes: float | None) -> Pupil:
    from grisaille.methods.autopaint.pupil import Budget, Pupil

    learnt = {one.name for one in knobs(AutoPaintConfig) if not one.after_fit}
    settings: dict[str, Any] = {name: value for name, value in config.to_mapping().items() if name in learnt}
    told = json.dumps([settings, run.seed, run.precision.value, len(frames)], sort_keys=True)
    return Pupil(config, run.seed, Budget(config.steps, minutes), hashlib.sha256(told.encode()).hexdigest())


def _steps_done(path: Path, pupil: Pupil, run: Run) -> int:
    """By the checkpoint that was broken off, which the pupil takes up; 0 without one of this training."""
    import torch

    if not path.exists():
        return 0
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if pupil.take_up(checkpoint):
            return int(checkpoint["global_step"])
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError):
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
