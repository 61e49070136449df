"""One study through one method: scores, labels, findings, and how they came about."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

import grisaille
from grisaille.core.anomaly import ORGANS, AnomalyMap
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import ConfigError, InputError
from grisaille.core.labels import Labels
from grisaille.core.result import SYNTHETIC_CAVEAT, Asked, Provenance, Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Volume
from grisaille.flows.suitable import doubts_about, require_suitable
from grisaille.flows.versions import imported_versions
from grisaille.imaging.burden import burden_of
from grisaille.imaging.findings import find_findings, label_marked, require_connectivity
from grisaille.imaging.organ_shares import top_shares
from grisaille.imaging.organs import misses, on_grid
from grisaille.methods.base import Method, Refining


def detect(
    study: Study,
    method: Method,
    *,
    false_positives: float = 1.0,
    per: Per | str = Per.SCAN,
    top: float | None = None,
    organs: Labels | None = None,
    connectivity: int = 26,
    run: Run | None = None,
    on_preview: Callable[[Result], None] | None = None,
) -> Result:
    """Score a study, mark what is above the threshold asked for, and measure it.

    Parameters
    ----------
    false_positives, per
        The threshold: findings on a healthy scan, or the share of healthy voxels marked.
    top
        Instead of that, the most anomalous share of this body (0 to 1) or, ``per`` organ, of each of its organs.
        That promises nothing; what lies in no organ is then not marked.
    organs
        On any grid in the study's frame, for a share of each. ``flows.organs.with_organs`` ranks them.
    connectivity
        6, 18 or 26: the neighbours by which marked voxels are one finding, as of ``find_findings``.
    on_preview
        Called with each coarser result that the method has before its last; a warning in it says what is missing.

    Returns
    -------
    Its labels lie on the study's reference grid. A method that was never calibrated makes none
    until ``top`` is given; a warning says so.

    Raises
    ------
    ConfigError
        If the threshold or the connectivity makes no sense, or is asked for each organ and there is none.
    InputError
        If the study holds nothing that the method can work on, or the organs lie elsewhere.
    """
    asked = asked_for(false_positives, per, top)
    if asked.per is Per.ORGAN and (top is None or organs is None):
        raise ConfigError(f"a threshold per organ lacks {_lacking(top, organs)}; give the share as top, and the organs")
    require_connectivity(connectivity)
    require_suitable(study, method.modalities)
    run = run or Run()
    extras = {} if organs is None else {ORGANS: _organs_on(study, organs)}
    heard, stages = _Heard(run), _Stages()
    heard_by = replace(run, on_note=heard.note, on_device=heard.ran_on)
    if on_preview is None or not isinstance(method, Refining):
        anomaly = _with_extras(method.score(study, heard_by), extras)
        return _result(study, method, anomaly, asked, connectivity, heard, stages)
    for coarse in method.refine(study, heard_by):
        anomaly = _with_extras(coarse, extras)
        result = _result(study, method, anomaly, asked, connectivity, heard, stages)
        if anomaly.incomplete:
            on_preview(result)
    return result


def _lacking(top: float | None, organs: Labels | None) -> str:
    lacking = {"a share": top is None, "organs": organs is None}
    return " and ".join(what for what, is_lacking in lacking.items() if is_lacking)


def _organs_on(study: Study, organs: Labels) -> Volume:
    there = on_grid(organs, study.reference)
    if not there.any():
        raise InputError(misses(organs, there, organs.source.name or "the organ labels"))
    return Volume(there, study.reference, name=ORGANS)


def _with_extras(anomaly: AnomalyMap, extras: Mapping[str, Volume]) -> AnomalyMap:
    return replace(anomaly, extras={**anomaly.extras, **extras}) if extras else anomaly


def _result(
    study: Study,
    method: Method,
    anomaly: AnomalyMap,
    asked: Asked,
    connectivity: int,
    heard: _Heard,
    stages: _Stages,
) -> Result:
    """What a map gives at a threshold, and how it came about."""
    stages.end("score")
    labels = _labels(method, anomaly, asked)
    stages.end("label")
    findings = find_findings(labels, study, anomaly, connectivity=connectivity)
    burden = burden_of(findings, labels, connectivity=connectivity)
    stages.end("measure")
    provenance = Provenance(
        grisaille=grisaille.__version__,
        method=method.name,
        config=method.config.to_mapping(),
        weights=method.weights,
        device=", ".join(heard.devices) or "cpu",
        seed=heard.run.seed,
        series={key: one.source.series or one.source.name or one.name for key, one in study.volumes.items()},
        grid=str(study.reference),
        suv=_suv(study),
        calibration_source=anomaly.calibration.source,
        calibration_patients=anomaly.calibration.patients,
        asked=asked,
        warnings=(
            *study.warnings,
            *doubts_about(study, method.modalities),
            *dict.fromkeys(heard.notes),
            *_incomplete(anomaly),
            *_promise_warnings(anomaly.calibration, asked),
        ),
        seconds=dict(stages.seconds),
        versions=imported_versions(),
        scored_with=method.config.scoring(),
    )
    return Result(anomaly, labels, findings, provenance, burden=burden)


def relabel(
    result: Result,
    study: Study,
    method: Method,
    false_positives: float,
    per: Per | str = Per.SCAN,
    *,
    measured: bool = True,
) -> Result:
    """The same scores at another threshold: no network, fast enough for a slider.

    With ``per`` a share of the body, or of each of the organs that were given to ``detect``, ``false_positives`` is it.

    Measuring takes a millisecond a finding; without ``measured`` that is left to do, and the
    result has no findings yet.
    """
    asked = asked_for(false_positives, per)
    labels = _labels(method, result.anomaly, asked)
    before = _promise_warnings(result.anomaly.calibration, result.provenance.asked)
    kept = tuple(warning for warning in result.provenance.warnings if warning not in before)
    provenance = replace(
        result.provenance, asked=asked, warnings=kept + _promise_warnings(result.anomaly.calibration, asked)
    )
    if not measured:
        return replace(result, labels=labels, findings=(), burden=None, provenance=provenance)
    connectivity = 26 if result.burden is None else result.burden.connectivity
    findings = find_findings(labels, study, result.anomaly, connectivity=connectivity)
    burden = burden_of(findings, labels, connectivity=connectivity)
    return replace(result, labels=labels, findings=findings, burden=burden, provenance=provenance)


def asked_for(false_positives: float, per: Per | str, top: float | None = None) -> Asked:
    """The threshold in one record; ``top`` wins over false positives, and is of the body unless ``per`` organ.

    Raises
    ------
    ConfigError
        If ``per`` is unknown, the amount is not above 0, or a share is above 1.
    """
    try:
        per = Per(per)
    except ValueError:
        raise ConfigError(f"per is {str(per)!r}, expected one of {', '.join(Per)}") from None
    if top is None:
        asked = Asked(float(false_positives), per)
    else:
        asked = Asked(float(top), per if per is Per.ORGAN else Per.SHARE)
    if not 0 < asked.amount < np.inf:
        raise ConfigError(f"the threshold asked for is {asked.amount} per {asked.per.value}, expected more than 0")
    if asked.per is not Per.SCAN and asked.amount > 1:
        raise ConfigError(f"{asked.amount} was asked for per {asked.per.value}, expected a share between 0 and 1")
    return asked


@dataclass
class _Heard:
    """What a method says while it scores, kept and passed on to whoever listens to ``run``."""

    run: Run
    notes: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)
        self.run.note(sentence)

    def ran_on(self, device: str) -> None:
        if device not in self.devices:
            self.devices.append(device)
        self.run.ran_on(device)


@dataclass
class _Stages:
    """Seconds of each stage, told at its end."""

    seconds: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.perf_counter)

    def end(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self.since, 3)
        self.since = now


def _labels(method: Method, anomaly: AnomalyMap, asked: Asked) -> Labels:
    if asked.per is Per.ORGAN:
        return _labels_by_organ(method, anomaly, asked.amount)
    if anomaly.calibration.source is CalibrationSource.NONE and not asked.per.is_share:
        return Labels(np.zeros(anomaly.grid.shape, dtype=np.uint16), anomaly.grid, source=anomaly.source)
    return replace(method.label(anomaly, asked.amount, asked.per), source=anomaly.source)


def _labels_by_organ(method: Method, anomaly: AnomalyMap, share: float) -> Labels:
    """From the scores alone, so that every method has it: components, the highest score first."""
    if anomaly.organs is None:
        raise ConfigError("a threshold per organ needs organs; give them to detect, or ask for a share of the body")
    voxels = label_marked(
        top_shares(anomaly.scores, anomaly.body, anomaly.organs, share),
        anomaly.scores,
        smallest_ml=float(method.config.to_mapping().get("smallest_ml", 0.0)),
        voxel_ml=anomaly.grid.voxel_ml,
    )
    return Labels(voxels, anomaly.grid, source=anomaly.source)


def _incomplete(anomaly: AnomalyMap) -> tuple[str, ...]:
    return (f"this map is incomplete ({anomaly.incomplete}): run again for the whole",) if anomaly.incomplete else ()


def _promise_warnings(calibration: Calibration, asked: Asked) -> tuple[str, ...]:
    """What a reader has to know of the threshold."""
    if asked.per.is_share:
        return ()
    if calibration.source is CalibrationSource.NONE:
        return (
            "this model was never calibrated on healthy scans, so no label was made; "
            "ask for the most anomalous share of the body instead (top), or calibrate it",
        )
    warnings = []
    smallest = calibration.smallest(asked.per)
    if asked.amount < smallest * (1 - 1e-9):
        warnings.append(
            f"asked for {asked.amount:g} false positives per {asked.per.value}, but {calibration.scans} healthy scans "
            f"promise {smallest:.2g} at the least; the highest cut was used"
        )
    if calibration.source is CalibrationSource.SYNTHETIC:
        warnings.append(SYNTHETIC_CAVEAT)
    return tuple(warnings)


def _suv(study: Study) -> Mapping[str, object] | None:
    record = study.pet.provenance.suv if study.pet is not None else None
    if record is None:
        return None
    return {"factor_range": record.factor_range, "path": record.path, "overrides": dict(record.overrides)}
