"""Learns the prompts that ship with the small CLIP: ``python -m grisaille.flows.make_anomalyclip OUT``.

On lesions in marrow, muscle and fat of synthetic patients whom the CLIP never saw; the promise is measured on other
healthy ones, and says that they are no patients.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from grisaille import phantom
from grisaille.core.calibration import CalibrationSource
from grisaille.core.labels import Labels
from grisaille.core.run import Progress, Run
from grisaille.core.study import Case
from grisaille.flows.load import find_weights, save_method
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, ClipName
from grisaille.methods.anomalyclip.demo.captions import HOSTS
from grisaille.methods.anomalyclip.demo.pictures import BRIGHT_SUV, TOKEN_MM
from grisaille.methods.anomalyclip.demo.teaching import ALONE
from grisaille.methods.anomalyclip.method import AnomalyCLIP
from grisaille.methods.anomalyclip.state import METHOD
from grisaille.weights.store import sha256_of

SHOWN, LESIONS, HEALTHY, SEED = 24, 6, 8, 20265
SCAN = phantom.Scan(arms=phantom.Arms.RANDOM, ct_spacing_mm=4.0)
CONFIG = AnomalyClipConfig(
    backbone=ClipName.DEMO,
    token_mm=TOKEN_MM,
    ct_windows=(),
    pet_windows=(0.0, BRIGHT_SUV),
    tile=64,
    alone=ALONE,
    epochs=40,
    lesson=16,
    learning_rate=2e-3,
)
"""PET alone: on CT the small CLIP finds too little, and lesions that cannot be seen there teach prompts nothing.
A slice is seen in one piece, since it goes by places."""


def make_anomalyclip(out: Path, *, shown: int = SHOWN, healthy: int = HEALTHY, work: Path | None, run: Run) -> None:
    """Learn, measure the promise on ``healthy`` other patients, and write the model.

    Parameters
    ----------
    work
        Keeps what was done, so that what was broken off goes on; forgotten if None.
    """
    sick = [_shown(int(np.random.SeedSequence([run.seed, number]).generate_state(1)[0])) for number in range(shown)]
    method = AnomalyCLIP.create(CONFIG, find_weights(METHOD, CONFIG))
    with TemporaryDirectory(prefix="grisaille-") as folder:
        # Their healthy slices are enough to learn from; none of the healthy patients is.
        learned = method.fit_in(work or Path(folder), sick, run)
    well = phantom.cohort(healthy, run.seed + 1, lesions=False, scan=SCAN)
    save_method(learned.calibrate(well, run).calibrated_on(CalibrationSource.SYNTHETIC), out)


def _shown(seed: int) -> Case:
    """A patient with many lesions, of which those that PET shows are marked."""
    made = phantom.patient(seed, lesions=LESIONS, scan=SCAN, hosts=HOSTS)
    seen = [lesion.id for lesion in made.lesion_list if not lesion.is_ct_only]
    truth = made.lesions
    marked = Labels(np.where(np.isin(truth.voxels, seen), truth.voxels, 0), truth.grid, truth.names)
    return Case(lambda: made.study, f"phantom-{seed}", marked, healthy=False)


def _tell(step: Progress) -> None:
    if step.done == step.total or (step.done and step.done % 50 == 0):
        sys.stderr.write(f"{step.what}: {step.done} of {step.total}\n")


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m grisaille.flows.make_anomalyclip", description=__doc__)
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--work", type=Path, default=None, help="folder in which a broken-off learning goes on")
    given = parser.parse_args(arguments)
    run = Run(device="cpu", threads=given.threads, seed=given.seed, on_progress=_tell, on_note=_say)
    make_anomalyclip(given.out, work=given.work, run=run)
    sys.stderr.write(f"{given.out}: {given.out.stat().st_size} bytes, sha256 {sha256_of(given.out)}\n")


if __name__ == "__main__":
    main()
