"""One scan through one method and through the plain rules beside it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.errors import InputError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Unit
from grisaille.flows.evaluation.figures import Figures, LesionFacts, Marked
from grisaille.flows.evaluation.pictures import picture
from grisaille.flows.layouts.exam import Opened
from grisaille.flows.suitable import require_suitable
from grisaille.imaging.findings import label_above
from grisaille.imaging.metrics import (
    average_precision,
    covered_shares,
    dice,
    false_findings,
    lesion_dices,
    unmatched_ml,
)
from grisaille.imaging.suv_rules import dice_curve, hottest_nearby, liver_threshold, share_of_maximum
from grisaille.methods.base import Method

ABOVE_2_5, ABOVE_4, SHARE, LIVER = "SUV > 2.5", "SUV > 4", "41 % of the maximum", "liver (PERCIST)"
LIVER_NAME = "liver"


@dataclass(frozen=True)
class Asked:
    """False positives a scan to mark at; those whose findings the picture shows; the smallest finding."""

    rates: tuple[float, ...]
    shown: float
    smallest_ml: float


def measure(opened: Opened, method: Method, asked: Asked, run: Run) -> tuple[Figures, bytes]:
    """Everything that is measured on a scan, and a PNG of it.

    Raises
    ------
    InputError
        If the method cannot work on the study.
    """
    study, lesions = opened.study, opened.lesions
    require_suitable(study, method.modalities)
    heard = _Heard()
    wall, cpu = time.perf_counter(), time.process_time()
    anomaly = method.score(study, replace(run, on_note=heard.notes.append, on_device=heard.devices.append))
    found = dict(_found(method, anomaly, asked.rates))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    truth = lesions.voxels > 0
    suv = _suv(study)
    rules, refused = _by_rules(opened, suv, asked.smallest_ml)
    figures = Figures(
        lesions=tuple(_facts(opened, suv)),
        promised={f"{rate:g}": marked(labels.voxels, lesions) for rate, labels in found.items()},
        rules=rules,
        refused=refused,
        precision=average_precision(anomaly.scores, truth, anomaly.body),
        suv_precision=None if suv is None else average_precision(suv, truth, anomaly.body),
        dice_curve=None if suv is None or not truth.any() else tuple(map(float, dice_curve(suv, truth))),
        wall_seconds=round(wall, 2),
        cpu_seconds=round(cpu, 2),
        source=anomaly.calibration.source.value,
        smallest=anomaly.calibration.smallest(Per.SCAN),
        devices=tuple(dict.fromkeys(heard.devices)),
        notes=tuple(dict.fromkeys(heard.notes)),
    )
    shown = found[asked.shown].voxels > 0 if found else np.zeros_like(truth)
    return figures, picture(study, truth, shown)


def marked(findings: npt.NDArray[np.uint16], lesions: Labels, threshold: float | None = None) -> Marked:
    """How findings, numbered, agree with lesions on the same grid."""
    mask, truth, voxel_ml = findings > 0, lesions.voxels > 0, lesions.grid.voxel_ml
    return Marked(
        dice(mask, truth),
        unmatched_ml(mask, truth, voxel_ml),
        unmatched_ml(truth, mask, voxel_ml),
        false_findings(findings, truth),
        tuple(map(float, covered_shares(mask, lesions.voxels))),
        tuple(map(float, lesion_dices(findings, lesions.voxels))),
        threshold,
    )


def marked_above(opened: Opened, threshold: float, smallest_ml: float) -> Marked:
    """How one SUV threshold agrees with the truth.

    Raises
    ------
    InputError
        If there is no PET in SUV.
    """
    suv = _suv(opened.study)
    if suv is None:
        raise InputError("there is no PET in SUV")
    return _above(suv, threshold, opened.lesions, smallest_ml)


@dataclass
class _Heard:
    notes: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)


def _found(method: Method, anomaly: AnomalyMap, rates: tuple[float, ...]) -> Iterator[tuple[float, Labels]]:
    """Labels at each rate; none of a method that promises nothing."""
    if anomaly.calibration.source is not CalibrationSource.NONE:
        for rate in rates:
            yield rate, method.label(anomaly, rate, Per.SCAN)


def _suv(study: Study) -> npt.NDArray[np.float32] | None:
    """The PET, which then lies on the reference grid."""
    pet = study.pet
    return None if pet is None or pet.unit is not Unit.SUVBW else np.asarray(pet.voxels, np.float32)


def _by_rules(
    opened: Opened, suv: npt.NDArray[np.float32] | None, smallest_ml: float
) -> tuple[dict[str, Marked], dict[str, str]]:
    names = (ABOVE_2_5, ABOVE_4, SHARE, LIVER)
    if suv is None:
        return {}, dict.fromkeys(names, "there is no PET in SUV")
    thresholds = {ABOVE_2_5: 2.5, ABOVE_4: 4.0, SHARE: share_of_maximum(suv)}
    refused = {}
    try:
        thresholds[LIVER] = liver_threshold(suv, _healthy_liver(opened), opened.study.reference)
    except InputError as error:
        refused[LIVER] = str(error)
    rules = {name: _above(suv, threshold, opened.lesions, smallest_ml) for name, threshold in thresholds.items()}
    return rules, refused


def _above(suv: npt.NDArray[np.float32], threshold: float, lesions: Labels, smallest_ml: float) -> Marked:
    everywhere = np.ones(suv.shape, dtype=bool)
    findings = label_above(suv, threshold, everywhere, smallest_ml=smallest_ml, voxel_ml=lesions.grid.voxel_ml)
    return marked(findings, lesions, threshold)


def _healthy_liver(opened: Opened) -> npt.NDArray[np.bool_]:
    organs = opened.organs
    if organs is None:
        raise InputError("the data set has no organ labels, so no liver to take the threshold from")
    numbers = [number for number, name in organs.names.items() if name.lower() == LIVER_NAME]
    return np.asarray(np.isin(organs.voxels, numbers) & (opened.lesions.voxels == 0))


def _facts(opened: Opened, suv: npt.NDArray[np.float32] | None) -> Iterator[LesionFacts]:
    lesions = opened.lesions
    everything = lesions.voxels > 0
    for number in lesions.ids:
        one = lesions.voxels == number
        highest, nearby = None, None
        if suv is not None:
            highest = float(suv[one].max())
            nearby = hottest_nearby(suv, one, everything, lesions.grid)
        yield LesionFacts(
            volume_ml=_volume(one, lesions.grid),
            suv_max=highest,
            region=_region(lesions.names.get(number, ""), one, opened.organs),
            is_outshone=None if highest is None else nearby is not None and nearby >= highest,
        )


def _volume(mask: npt.NDArray[np.bool_], grid: Grid) -> float:
    return float(np.count_nonzero(mask)) * grid.voxel_ml


def _region(name: str, lesion: npt.NDArray[np.bool_], organs: Labels | None) -> str:
    """What the truth calls the lesion's place (``lung lesion``: lung), else the organ that most of it lies in."""
    if name or organs is None:
        return name.removesuffix(" lesion")
    counted = Counter(int(number) for number in organs.voxels[lesion] if number)
    return organs.names.get(counted.most_common(1)[0][0], "") if counted else ""
