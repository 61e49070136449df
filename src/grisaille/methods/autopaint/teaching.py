"""A pupil and its lessons in Lightning's hands: one device, or several at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from torch.multiprocessing.spawn import ProcessRaisedException
from torch.utils.data import DataLoader

from grisaille.core.errors import ConfigError
from grisaille.core.run import Precision, Run
from grisaille.methods.autopaint.keeper import Keeper, Teller
from grisaille.methods.autopaint.lessons import Framed, Lesson, Lessons, collated
from grisaille.methods.autopaint.party_line import PartyLine
from grisaille.methods.autopaint.pupil import Pupil
from grisaille.methods.autopaint.stretches import Stretches
from grisaille.methods.autopaint.training import BOARD, CHECKPOINT, CURVE

WATCHED = 16
"""Lessons that validate, the same ones each time."""
EVERY = 4
"""Stretches between two validations: a hundredth of the time."""

TOGETHER = "ddp_spawn"
"""How several devices learn: processes that start afresh. A command that is started again in each of
them, Lightning's other way, would read and write everything as often; a fork loses CUDA."""

_PRECISION = {
    Precision.FLOAT32: "32-true",
    Precision.BFLOAT16: "bf16-mixed",
    Precision.FLOAT16: "16-mixed",
}


@dataclass(frozen=True, eq=False)
class Teaching:
    """How a pupil is taught.

    Parameters
    ----------
    watched
        Frames of patients kept out, whose loss is shown and never learned from.
    devices
        All of one kind; each gets its part of every step.
    batch
        Lessons that a device is given at a time; they add up to as many a step as the settings say.
    stretch
        Steps between two checkpoints.
    until
        Share of the training at which to stop.
    """

    lessons: Lessons
    watched: Sequence[Framed]
    folder: Path
    devices: Sequence[torch.device]
    batch: int
    stretch: int
    until: float = 1.0

    def teach(self, pupil: Pupil, run: Run, *, resume: bool) -> None:
        """From the start, or from the checkpoint in the folder."""
        if len(self.devices) == 1:
            self._fit(pupil, run, resume)
            return
        line = PartyLine()
        with _environment_kept("MASTER_PORT"):  # in which Lightning leaves where the processes met
            try:
                with line.listening(run):
                    self._fit(pupil, line.far_end(run), resume, line)
            except ProcessRaisedException as error:
                raise line.fault or error from error
            except MisconfigurationException as error:
                raise ConfigError(
                    "several GPUs learn in processes of their own, which cannot be started from a notebook; "
                    "name one GPU, as cuda:0, or train by the command line"
                ) from error
        pupil.take_up(torch.load(self.folder / CHECKPOINT, map_location="cpu", weights_only=True))

    def _fit(self, pupil: Pupil, run: Run, resume: bool, *callbacks: Callback) -> None:
        config, device, together = self.lessons.config, self.devices[0], len(self.devices)
        epochs = -(-config.steps // self.stretch)  # with max_steps, a resumed Trainer cuts a stretch short
        on_gpu = device.type == "cuda"
        keeper = Keeper(self.folder / CHECKPOINT, self.folder / CURVE, self.folder / BOARD)
        trainer = Trainer(
            accelerator="gpu" if on_gpu else device.type,
            devices=[one.index or 0 for one in self.devices] if on_gpu else together,
            strategy="auto" if together == 1 else TOGETHER,
            precision=_PRECISION[run.precision],  # type: ignore[arg-type] # one of Lightning's literals
            max_epochs=epochs,
            accumulate_grad_batches=config.batch // (self.batch * together),
            gradient_clip_val=1.0,
            check_val_every_n_epoch=min(EVERY, epochs),
            num_sanity_val_steps=0,
            callbacks=[Teller(run, self.until), keeper, *callbacks],
            default_root_dir=self.folder,
            logger=False,
            enable_checkpointing=True,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        lessons, watched = self._lessons(), self._watched() if self.watched else None
        trainer.fit(pupil, lessons, watched, ckpt_path=self.folder / CHECKPOINT if resume else None, weights_only=True)

    def _lessons(self) -> DataLoader[Lesson]:
        workers = self._workers(8)
        return DataLoader(
            self.lessons,  # type: ignore[arg-type] # endless, so of no length
            batch_size=self.batch,
            generator=self._generator(),
            sampler=Stretches(self.stretch, self.lessons.config.batch),
            collate_fn=_tensors,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.devices[0].type == "cuda",
        )

    def _watched(self) -> DataLoader[Lesson]:
        calm = replace(self.lessons.config, misalignment_mm=0.0, suv_jitter=0.0, hidden_share=0.0)
        return DataLoader(
            Lessons(self.watched, calm, self.lessons.seed, noise=0.0),  # type: ignore[arg-type] # of no length
            batch_size=self.batch,
            generator=self._generator(),
            sampler=range(WATCHED),
            collate_fn=_tensors,
            num_workers=self._workers(2),
        )

    def _generator(self) -> torch.Generator | None:
        """A loader without one draws from everybody's; in a process of its own, to which none can be sent, it may."""
        return torch.Generator() if len(self.devices) == 1 else None

    def _workers(self, most: int) -> int:
        """A GPU is faster than one process can make lessons."""
        cores = ((os.cpu_count() or 2) - 1) // len(self.devices)
        return min(most, cores) if self.devices[0].type == "cuda" else 0


def _tensors(lessons: list[Lesson]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array) for array in collated(lessons))


@contextmanager
def _environment_kept(name: str) -> Iterator[None]:
    before = os.environ.get(name)
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before
