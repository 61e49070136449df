"""Teaches the small CLIP that ships: ``python -m grisaille.flows.make_clip_demo OUT``.

On captioned slices of synthetic patients alone; it knows a few dozen words and has never seen a real patient, nor
a lesion in lung, liver or node. It is there so that AnomalyCLIP can be tried without a network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from grisaille.core.run import Progress, Run
from grisaille.methods.anomalyclip.demo.pictures import library
from grisaille.methods.anomalyclip.demo.training import Plan, teach
from grisaille.weights.bundle import write_bundle
from grisaille.weights.store import sha256_of

PATIENTS, SEED = 48, 20262


def make_clip_demo(out: Path, patients: int, plan: Plan, *, work: Path | None = None, run: Run) -> tuple[float, ...]:
    """Make the slices, teach, and write the file; gives the loss of each step.

    Parameters
    ----------
    work
        Keeps slices and a checkpoint, so that what was broken off goes on; forgotten if None.
    """
    with TemporaryDirectory(prefix="grisaille-") as folder:
        kept = work or Path(folder)
        pages = library(kept / "slices", patients, run.seed, run)
        taught = teach(pages, plan, run, checkpoint=kept / "teaching.ckpt")
    write_bundle(taught.bundle(), out)
    return taught.losses


def _tell(step: Progress) -> None:
    if step.done == step.total or (step.done and step.done % 50 == 0):
        sys.stderr.write(f"{step.what}: {step.done} of {step.total}\n")


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m grisaille.flows.make_clip_demo", description=__doc__)
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--work", type=Path, default=None, help="folder in which a broken-off training goes on")
    given = parser.parse_args(arguments)
    run = Run(device="cpu", threads=given.threads, seed=given.seed, on_progress=_tell)
    losses = make_clip_demo(given.out, given.patients, Plan(steps=given.steps), work=given.work, run=run)
    sys.stderr.write(
        f"{given.out}: {given.out.stat().st_size} bytes, sha256 {sha256_of(given.out)}, "
        f"loss {losses[0]:.2f} to {sum(losses[-20:]) / len(losses[-20:]):.2f}\n"
    )


if __name__ == "__main__":
    main()
