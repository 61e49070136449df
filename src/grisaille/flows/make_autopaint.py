"""Trains AutoPaint on synthetic patients: ``python -m grisaille.flows.make_autopaint OUT``.

Healthy whole bodies with the arms up or down, CT and PET, and torsos if asked. It shows that everything works
and what a model looks like; it never saw a real patient, and its promise is called synthetic. With ``--measure
MODEL`` nothing is trained: norms and promise of a model made so are measured anew, when the loop has changed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from grisaille import phantom
from grisaille.core.calibration import CalibrationSource
from grisaille.core.config import Config
from grisaille.core.errors import ConfigError
from grisaille.core.run import Progress, Run
from grisaille.core.study import Case
from grisaille.flows.load import load_method, save_method
from grisaille.methods.autopaint.cohort import split
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.method import AutoPaint
from grisaille.weights.store import sha256_of

PATIENTS, SEED = 48, 20261
STEPS, WIDTH = 6000, 16
"""As far as one core comes in three quarters of an hour."""
CT_SPACING_MM = 4.0
"""As fine as the network sees, so that a cohort is made in minutes."""


def healthy_patients(patients: int, seed: int, station: phantom.Station = phantom.Station.WHOLE) -> tuple[Case, ...]:
    """Different people, arms up or down."""
    scan = phantom.Scan(station=station, arms=phantom.Arms.RANDOM, ct_spacing_mm=CT_SPACING_MM)
    return phantom.cohort(patients, seed, lesions=False, scan=scan)


def make_autopaint(out: Path, cases: tuple[Case, ...], config: Config, *, work: Path | None = None, run: Run) -> None:
    """Train, measure the promise on the patients kept out, and write the model.

    Parameters
    ----------
    work
        Keeps frames and checkpoints, so that a training that was broken off goes on; forgotten if None.
    """
    method = AutoPaint.create(config, {})
    if work is not None:
        fitted = method.fit_in(work, cases, run)
    else:
        with TemporaryDirectory(prefix="grisaille-") as folder:
            fitted = method.fit_in(Path(folder), cases, run)
    save_method(fitted.calibrated_on(CalibrationSource.SYNTHETIC), out)


def measure_anew(model: str | Path, out: Path, whole: Sequence[Case], torsos: Sequence[Case], *, run: Run) -> None:
    """Write a model with other norms and another promise: of the whole bodies it never learned from, and torsos.

    Parameters
    ----------
    whole
        All whole bodies that it was trained with.
    torsos
        Healthy, and none of whom it was trained with.
    """
    method = load_method(model)
    if not isinstance(method, AutoPaint):
        raise ConfigError(f"{model} is a model of {method.name}, expected one of autopaint")
    # One by one, for the norms are measured on the first few.
    kept_out = split(whole, method.config.held_out, run.seed)[1]
    cases = [case for pair in zip_longest(kept_out, torsos) for case in pair if case is not None]
    measured = replace(method, norms={}, calibrations={}).calibrate(cases, run)
    save_method(measured.calibrated_on(CalibrationSource.SYNTHETIC), out)


def _tell(step: Progress) -> None:
    if step.done == step.total or (step.done and step.done % 100 == 0):
        sys.stderr.write(f"{step.what}: {step.done} of {step.total}\n")


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m grisaille.flows.make_autopaint", description=__doc__)
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--patients", type=int, default=PATIENTS, help="whole bodies")
    parser.add_argument("--torsos", type=int, default=0, help="as many more are scanned from neck to pelvis alone")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--measure", metavar="MODEL", help="trained with these patients and seed: only measure it anew")
    parser.add_argument("--work", type=Path, default=None, help="folder in which a broken-off training goes on")
    given = parser.parse_args(arguments)
    run = Run(device=given.device, threads=given.threads, seed=given.seed, on_progress=_tell)
    whole = healthy_patients(given.patients, given.seed)
    torsos = healthy_patients(given.torsos, given.seed + 1, phantom.Station.TORSO)
    if given.measure:
        measure_anew(given.measure, given.out, whole, torsos, run=run)
    else:
        config = AutoPaintConfig(steps=given.steps, width=given.width)
        make_autopaint(given.out, whole + torsos, config, work=given.work, run=run)
    sys.stderr.write(f"{given.out}: {given.out.stat().st_size} bytes, sha256 {sha256_of(given.out)}\n")


if __name__ == "__main__":
    main()
