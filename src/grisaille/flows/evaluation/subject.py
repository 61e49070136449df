"""What is evaluated, made ready for each part: trained, calibrated, or taken as it is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from grisaille.core.config import Config
from grisaille.core.errors import ConfigError
from grisaille.core.run import Run
from grisaille.core.study import Case
from grisaille.flows.calibrate import calibrate
from grisaille.flows.evaluation.plan import Plan
from grisaille.flows.evaluation.splits import Part
from grisaille.flows.evaluation.work import Work, hash_of, method_hash
from grisaille.flows.load import find_weights, load_method, save_method
from grisaille.flows.suitable import suitable_cases
from grisaille.methods import catalog
from grisaille.methods.base import Method
from grisaille.weights.store import WeightsFile


@runtime_checkable
class FitsInFolder(Protocol):
    """A method whose training, broken off, goes on in the folder where it was."""

    def fit_in(self, folder: Path, cases: Sequence[Case], run: Run) -> Method:
        """As ``Method.fit``."""
        ...


@dataclass(frozen=True, eq=False)
class Subject:
    """A method to be trained in each part, or a fitted one.

    Parameters
    ----------
    fitted
        None for one that is trained in each part.
    files
        What the training needs.
    identity
        Hash of all that decides what comes out.
    """

    name: str
    config: Config
    identity: str
    fitted: Method | None = None
    files: Mapping[str, WeightsFile] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Ready:
    """A method that is ready for the exams of a part.

    ``identity`` decides its scores and labels; seconds are those of training or calibration.
    """

    method: Method
    identity: str
    wall_seconds: float | None = None
    cpu_seconds: float | None = None


def subject_of(method: Method | str | Path, plan: Plan) -> Subject:
    """From what a caller named.

    A method's name means training in each part; in a quick evaluation the model shipped with it.

    Raises
    ------
    ConfigError
        If a setting is unknown or out of its bounds, or settings come with a method that has its own.
    WeightsError
        If a model or its backbone is not found.
    """
    if isinstance(method, str) and method in catalog.names() and not plan.is_quick:
        config = catalog.config_class(method).from_mapping(plan.settings)
        files = find_weights(method, config, weights=plan.weights, allow_download=plan.allow_download)
        hashes = sorted(file.sha256 for file in files.values())
        return Subject(method, config, hash_of([method, config.to_mapping(), hashes]), files=files)
    if isinstance(method, str | Path):
        fitted = _loaded(method, plan, plan.settings)
    elif plan.settings:
        raise ConfigError("settings were given with a method that has its own; give the method with these settings")
    else:
        fitted = method
    return Subject(fitted.name, fitted.config, method_hash(fitted), fitted)


def make_ready(subject: Subject, part: Part, plan: Plan, work: Work, run: Run) -> Ready:
    """The method for a part, taken from the work folder where it was finished before.

    Raises
    ------
    ConfigError
        If a method is to be trained and there is no healthy exam.
    """
    if subject.fitted is not None and not part.teaching:
        return Ready(subject.fitted, subject.identity)
    if not part.teaching:
        raise ConfigError(
            f"{subject.name} learns from healthy studies and this data set has none to learn from; add a folder of "
            "healthy ones (--healthy), or name a model that was trained (a file, or --quick for the shipped one)"
        )
    identity = hash_of([subject.identity, [work.exam_hash(exam) for exam in part.teaching], run.seed, run.precision])
    path = work.folder / f"model-{identity[:16]}.safetensors"
    took = work.record(f"{path.stem}.json")
    if not (path.is_file() and took):
        took = _made(subject, part, path, run)
        work.keep(f"{path.stem}.json", took)
    # Read from its file the first time too, so that numbers do not hang on where it came from.
    return Ready(_loaded(path, plan, {}), identity, took["wall_seconds"], took["cpu_seconds"])


def _made(subject: Subject, part: Part, path: Path, run: Run) -> dict[str, float]:
    """Train or calibrate, and save; gives the seconds it took."""
    path.parent.mkdir(parents=True, exist_ok=True)
    training = path.with_suffix("")
    wall, cpu = time.perf_counter(), time.process_time()
    cases = [exam.as_healthy() for exam in part.teaching]
    if subject.fitted is not None:
        method = calibrate(subject.fitted, cases, run=run)
    else:
        untrained = catalog.method_class(subject.name).create(subject.config, subject.files)
        checked = suitable_cases(cases)
        if isinstance(untrained, FitsInFolder):
            training.mkdir(exist_ok=True)
            method = untrained.fit_in(training, checked, run)
        else:
            method = untrained.fit(checked, run)
    took = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    save_method(method, path)
    shutil.rmtree(training, ignore_errors=True)
    return took


def _loaded(ref: str | Path, plan: Plan, settings: Mapping[str, object]) -> Method:
    return load_method(ref, weights=plan.weights, allow_download=plan.allow_download, settings=settings)
