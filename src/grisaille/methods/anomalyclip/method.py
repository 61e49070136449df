"""AnomalyCLIP: zero-shot anomaly maps from CLIP with object-agnostic prompts, made 3D.

Source: Zhou, Pang, Tian, He and Chen, ICLR 2024, arXiv 2310.18961.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.config import Config
from grisaille.core.errors import ConfigError, WeightsMismatch
from grisaille.core.labels import Labels
from grisaille.core.result import WeightsUsed
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Volume
from grisaille.imaging.resample import resample_array
from grisaille.imaging.slice_scores import slice_scores
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.fusing import SheetMap, fused
from grisaille.methods.anomalyclip.marked import marked_slices
from grisaille.methods.anomalyclip.pictures import KEYS, bodies, looked_at, sheets
from grisaille.methods.anomalyclip.prompts import Prompts
from grisaille.methods.anomalyclip.reader import Reader
from grisaille.methods.anomalyclip.square import SquareReader
from grisaille.methods.anomalyclip.state import State
from grisaille.methods.scan_count import ScanCount, calibration_of, count_scan, counting_grid, subsets
from grisaille.methods.thresholding import labelled
from grisaille.weights.bundle import Bundle
from grisaille.weights.store import WeightsFile

if TYPE_CHECKING:
    from grisaille.methods.anomalyclip.clip import Clip

Mask = npt.NDArray[np.bool_]

STRIDES = (4, 2, 1)
"""Every 4th slice first, then those between, then all."""

CUTS = 1 / (1 + np.exp(-np.linspace(-8.0, 8.0, 321)))
"""Scores at which healthy scans are counted, a twentieth apart in the logit; the same for all models."""

_SCORED_BY = (
    "planes",
    "step_mm",
    "token_mm",
    "fusion",
    "ct_windows",
    "pet_windows",
    "sigma_px",
    "tile",
    "eight_bit",
    "smallest_ml",
)
"""Settings after the fit that a promise depends on."""

_LEFT_OUT = 0.2
"""Share of the patients."""


@dataclass(frozen=True, eq=False)
class AnomalyCLIP:
    """The method; its prompts are words alone before they are learned or read.

    Parameters
    ----------
    clip
        The backbone; its fingerprint is part of the state, its weights are not.
    known
        Settings, prompts and what was promised with them.
    """

    name: ClassVar[str] = "anomalyclip"
    config_class: ClassVar[type[Config]] = AnomalyClipConfig
    learns_around_lesions: ClassVar[bool] = True

    clip: Clip
    known: State
    weights: tuple[WeightsUsed, ...] = ()

    @property
    def config(self) -> AnomalyClipConfig:
        """The settings it was made with."""
        return self.known.config

    @property
    def modalities(self) -> tuple[str, ...]:
        """Keys of what has a window."""
        return KEYS

    @classmethod
    def required_weights(cls, config: Config) -> tuple[str, ...]:
        """The backbone's card."""
        return _own(config).required_weights

    @classmethod
    def create(cls, config: Config, files: Mapping[str, WeightsFile]) -> Self:
        """With the words "object." and "damaged object." alone."""
        from grisaille.methods.anomalyclip.clip import load_clip

        config = _own(config)
        clip = load_clip(config.backbone, files[config.backbone.value])
        return cls(clip, State(config, Prompts.untuned(clip.text_width), clip.fingerprint), _used(files))

    def fit(self, cases: Sequence[Case], run: Run) -> Self:
        """Learn prompts on cases with masks, and healthy ones beside them."""
        with TemporaryDirectory(prefix="grisaille-") as folder:
            return self.fit_in(Path(folder), cases, run)

    def fit_in(self, folder: Path, cases: Sequence[Case], run: Run) -> Self:
        """As ``fit``; what CLIP saw and the epochs done stay in ``folder``, and are gone on with.

        A fifth of the patients is left out: they choose the best epoch, and the healthy ones among
        them are what the promise is measured on.

        Raises
        ------
        UnsuitableVolume
            If nothing is marked.
        """
        from grisaille.methods.anomalyclip.learning import learn
        from grisaille.methods.anomalyclip.token_cache import TokenCache

        cache = TokenCache(folder / "tokens", self.clip, self.reader.look)
        slices = marked_slices(cases, self.config, self.clip.patch)
        lessons, left_out = cache.keeping(slices, run, batch=self.config.batch).parted(_LEFT_OUT, run.seed)
        held_out = left_out if len(left_out) else None
        prompts, epochs = learn(self.clip, lessons, held_out, self.config, run, folder=folder / "learning")
        best = max(epochs, key=lambda one: -1.0 if one.pixel_ap is None else one.pixel_ap)
        if best.pixel_ap is not None and best.slice_auroc is not None:
            run.note(
                f"on the {len(left_out.patients)} patients left out: average precision of the pixels "
                f"{best.pixel_ap:.3f}, AUROC of the slices {best.slice_auroc:.3f} (epoch {best.epoch})"
            )
        told = f"{len(lessons)} slices of {len(lessons.patients)} patients, {lessons.marked} of them marked"
        known = replace(
            self.known, prompts=prompts, fingerprint=self.clip.fingerprint, learned_from=told, calibrations={}
        )
        return replace(self, known=known)._promised(cases, left_out.patients, run)

    def _promised(self, cases: Sequence[Case], left_out: Collection[str], run: Run) -> Self:
        healthy = [case for case in cases if case.patient in left_out and _is_healthy(case)]
        if healthy:
            return self.calibrate(healthy, run)
        run.note(
            "no healthy patient was left out, so false positives cannot be promised: add healthy studies to learn "
            "from, or calibrate the model on some"
        )
        return self

    def calibrate(self, cases: Sequence[Case], run: Run) -> Self:
        """The promise, measured on healthy cases."""
        counts: dict[str, list[ScanCount]] = {}
        for case in cases:
            study = case.load()
            there = bodies(study, run)
            maps = self.reader.maps(sheets(study, there, self.config, self.clip.patch, run), run)
            for part in subsets(looked_at(study, self.config)):
                one = Study({key: study.volumes[key] for key in part}, study.patient)
                grid = counting_grid(one.reference)
                body = resample_array(there[one.main.modality.key], one.reference, grid, nearest=True)
                scores = fused([other for other in maps if other.key in part], body, grid, self.config.fusion)
                count = count_scan(scores, body, grid, self.config.smallest_ml, case.patient, CUTS)
                counts.setdefault("+".join(part), []).append(count)
        promises = {key: calibration_of(part, CUTS, CalibrationSource.PATIENTS) for key, part in counts.items()}
        return replace(
            self, known=replace(self.known, calibrations=promises, measured_with=_measured_with(self.config))
        )

    def calibrated_on(self, source: CalibrationSource) -> Self:
        """The same promise, its source named: phantoms are no patients, and only the caller knows."""
        renamed = {key: replace(one, source=source) for key, one in self.known.calibrations.items()}
        return replace(self, known=replace(self.known, calibrations=renamed))

    def score(self, study: Study, run: Run) -> AnomalyMap:
        """One score a voxel of the reference grid, 0 to 1: nearer to which prompt, and no probability.

        Raises
        ------
        UnsuitableVolume
            If the study has neither CT nor PET, or no body.
        """
        there = bodies(study, run)
        seen = sheets(study, there, self.config, self.clip.patch, run)
        self._tell(study, run)
        return self._anomaly(study, there, self.reader.maps(seen, run), run)

    def refine(self, study: Study, run: Run) -> Iterator[AnomalyMap]:
        """Ever finer maps, the last one as ``score`` gives it."""
        there = bodies(study, run)
        seen = sheets(study, there, self.config, self.clip.patch, run)
        self._tell(study, run)
        for stride, maps in self.reader.refined(seen, run, STRIDES):
            anomaly = self._anomaly(study, there, maps, run)
            yield replace(anomaly, incomplete="" if stride == 1 else f"every {_ordinal(stride)} slice only")

    def label(self, anomaly: AnomalyMap, false_positives: float, per: Per) -> Labels:
        """Components at or above the cut that keeps the promise; the highest score is label 1."""
        return labelled(anomaly, false_positives, per, self.config.smallest_ml)

    def state(self) -> Bundle:
        """Everything but the network."""
        return self.known.bundle()

    @classmethod
    def from_state(cls, bundle: Bundle, files: Mapping[str, WeightsFile]) -> Self:
        """The inverse of ``state``.

        Raises
        ------
        WeightsMismatch
            If ``files`` hold another network than the prompts were learned with.
        """
        from grisaille.methods.anomalyclip.clip import load_clip

        known = State.of(bundle)
        file = files[known.config.backbone.value]
        clip = load_clip(known.config.backbone, file)
        if known.fingerprint and clip.fingerprint != known.fingerprint:
            raise WeightsMismatch(
                f"the prompts were learned with other weights of {clip.name} than those of {file.path.name}; "
                "give the weights they were learned with"
            )
        known.prompts.require_fits(clip)
        return cls(clip, known, _used(files))

    @property
    def reader(self) -> Reader:
        """The backbone with these prompts and settings."""
        return Reader(self.clip, self.config, self.known.prompts)

    @property
    def picture_reader(self) -> SquareReader:
        """The same for whole pictures, as published."""
        return SquareReader(self.reader)

    def _anomaly(self, study: Study, there: Mapping[str, Mask], maps: Sequence[SheetMap], run: Run) -> AnomalyMap:
        grid, config = study.reference, self.config
        scores = fused(maps, there[study.main.modality.key], grid, config.fusion, run)
        axis = config.planes[0]
        key = "+".join(sorted({one.key for one in maps}))
        return AnomalyMap(
            scores,
            SliceScores(axis, slice_scores(scores, grid, axis)),
            grid,
            self._promise(key, run),
            extras={BODY: Volume(scores > 0, grid, name=BODY)},
            source=study.main.source,
            by_odds=True,
        )

    def _promise(self, key: str, run: Run) -> Calibration:
        promise = self.known.calibrations.get(key, Calibration.none())
        if promise.source is CalibrationSource.NONE or self.known.measured_with == _measured_with(self.config):
            return promise
        run.note(
            "the promise was measured with other planes, windows or sizes, whose scores are others, and does not hold; "
            "take those settings, calibrate again, or ask for the most anomalous share of the body (top)"
        )
        return Calibration.none()

    def _tell(self, study: Study, run: Run) -> None:
        """What a reader of the map has to know."""
        for key in study.volumes:
            if key in KEYS and key not in looked_at(study, self.config):
                run.note(f"the {key.upper()} was not looked at: this model has no window for it")
        wide = self.config.token_mm
        run.note(f"one token covers {wide:g} x {wide:g} mm: much smaller lesions drown in what is around them")
        if not self.known.prompts.start.size:
            run.note("the prompts are plain words; nothing was learned for them")


def _is_healthy(case: Case) -> bool:
    """Whether nothing is marked on it, and nobody said that it is sick."""
    return case.healthy is not False and (case.truth is None or not case.truth.voxels.any())


def _measured_with(config: AnomalyClipConfig) -> dict[str, Any]:
    values = config.to_mapping()
    return {name: values[name] for name in _SCORED_BY}


def _ordinal(number: int) -> str:
    return {2: "2nd", 4: "4th"}[number]


def _used(files: Mapping[str, WeightsFile]) -> tuple[WeightsUsed, ...]:
    return tuple(WeightsUsed(file.name, file.sha256) for file in files.values())


def _own(config: Config) -> AnomalyClipConfig:
    if not isinstance(config, AnomalyClipConfig):
        raise ConfigError(f"anomalyclip takes settings of AnomalyClipConfig, found {type(config).__name__}")
    return config
