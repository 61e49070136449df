"""Fits the model that ships with grisaille: ``python -m grisaille.flows.make_bundle OUT``.

MVG on healthy synthetic patients (torsos, and whole bodies from the head to the knees), CT and PET.
It shows that everything works and what a model looks like; it never saw a real patient.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from grisaille import phantom
from grisaille.core.calibration import CalibrationSource
from grisaille.core.run import Progress, Run
from grisaille.core.study import Case
from grisaille.flows.load import find_weights, save_method
from grisaille.methods.mvg.config import MvgConfig
from grisaille.methods.mvg.method import MVG
from grisaille.weights.store import sha256_of

TORSOS, WHOLE_BODIES, SEED = 10, 22, 20260


def healthy_patients(torsos: int, whole_bodies: int, seed: int) -> tuple[Case, ...]:
    """Different people: torsos with the arms up, then whole bodies with the arms up or down."""
    torso = phantom.Scan(station=phantom.Station.TORSO)
    whole = phantom.Scan(station=phantom.Station.WHOLE, arms=phantom.Arms.RANDOM)
    return phantom.cohort(torsos, seed, lesions=False, scan=torso) + phantom.cohort(
        whole_bodies, seed + 1, lesions=False, scan=whole
    )


def make_bundle(
    out: Path, *, torsos: int = TORSOS, whole_bodies: int = WHOLE_BODIES, seed: int = SEED, run: Run
) -> None:
    """Fit the default preset and write it; the promise is called synthetic."""
    config = MvgConfig()
    method = MVG.create(config, find_weights(MVG.name, config))
    fitted = method.fit(healthy_patients(torsos, whole_bodies, seed), run)
    save_method(fitted.calibrated_on(CalibrationSource.SYNTHETIC), out)


def _tell(step: Progress) -> None:
    if step.done == step.total:
        sys.stderr.write(f"{step.what}: {step.done} of {step.total}\n")


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m grisaille.flows.make_bundle", description=__doc__)
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--torsos", type=int, default=TORSOS)
    parser.add_argument("--whole-bodies", type=int, default=WHOLE_BODIES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=None)
    given = parser.parse_args(arguments)
    run = Run(device="cpu", threads=given.threads, on_progress=_tell)
    make_bundle(given.out, torsos=given.torsos, whole_bodies=given.whole_bodies, seed=given.seed, run=run)
    sys.stderr.write(f"{given.out}: {given.out.stat().st_size} bytes, sha256 {sha256_of(given.out)}\n")


if __name__ == "__main__":
    main()
