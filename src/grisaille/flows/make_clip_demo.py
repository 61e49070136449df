"""Teaches the small CLIP that ships: ``grisaille train clip-demo --out FILE``.

On captioned slices of synthetic patients alone; it knows a few dozen words and has never seen a real patient, nor
a lesion in lung or liver. It is there so that AnomalyCLIP can be tried without a network.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from grisaille.core.run import Run
from grisaille.core.safe_write import require_place
from grisaille.methods.anomalyclip.demo.pictures import library
from grisaille.methods.anomalyclip.demo.training import Plan, teach
from grisaille.weights.bundle import write_bundle

PATIENTS, STEPS, SEED = 80, Plan.steps, 20264


def make_clip_demo(out: Path, patients: int, steps: int, *, work: Path | None = None, run: Run) -> tuple[float, ...]:
    """Make the slices, teach, and write the file; gives the loss of each step.

    Parameters
    ----------
    work
        Keeps slices and a checkpoint, so that what was broken off goes on; forgotten if None.
    """
    require_place(out.parent)
    with TemporaryDirectory(prefix="grisaille-") as folder:
        kept = work or Path(folder)
        pages = library(kept / "slices", patients, run.seed, run)
        taught = teach(pages, Plan(steps=steps), run, checkpoint=kept / "teaching.ckpt")
    write_bundle(taught.bundle(), out)
    return taught.losses
