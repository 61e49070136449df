"""AutoPaint: what a network that only knows healthy patients would paint in place of each part of this one.

Source: Astaraki et al. 2023, arXiv 2305.12358, for the idea; see ``loop`` for what is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.config import Config
from grisaille.core.errors import ConfigError, InputError, UnsuitableVolume
from grisaille.core.labels import Labels
from grisaille.core.result import WeightsUsed
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.imaging.findings import label_above
from grisaille.methods.autopaint.again import LastFrame, repainted, require_repaintable
from grisaille.methods.autopaint.candidates import Mask, Outline, mark
from grisaille.methods.autopaint.config import AutoPaintConfig, Preset
from grisaille.methods.autopaint.figures import figures
from grisaille.methods.autopaint.frame_cache import FrameCache
from grisaille.methods.autopaint.loop import first_look, repaint
from grisaille.methods.autopaint.measuring import measure, named
from grisaille.methods.autopaint.norms import Norms
from grisaille.methods.autopaint.painting import CHANNELS, Painter
from grisaille.methods.autopaint.published import promise as published
from grisaille.methods.autopaint.state import read_state, write_state
from grisaille.methods.autopaint.twin import anomaly_map, residual_of
from grisaille.weights.bundle import Bundle
from grisaille.weights.store import WeightsFile

if TYPE_CHECKING:
    from grisaille.methods.autopaint.inpainter import Inpainter

FEWEST_PATIENTS = 2


@dataclass(frozen=True, eq=False)
class AutoPaint:
    """The method, before or after its fit.

    Parameters
    ----------
    network
        What paints; None before the fit. It is part of the state.
    weights
        The file that the model was read from.
    trained_on
        Keys of the modalities that the training saw.
    norms, calibrations
        By the keys that a study has, joined by ``+``: a CT alone is judged and promised on its own.
    patients
        Healthy people that the network was trained on.
    measured_with
        How findings were painted and drawn when the promise was measured; None before.
    """

    name: ClassVar[str] = "autopaint"
    config_class: ClassVar[type[Config]] = AutoPaintConfig

    config: AutoPaintConfig
    network: Inpainter | None = None
    weights: tuple[WeightsUsed, ...] = ()
    trained_on: tuple[str, ...] = ()
    norms: Mapping[str, Norms] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    patients: int = 0
    measured_with: Mapping[str, float] = field(default_factory=dict)
    _last: LastFrame = field(default_factory=LastFrame, init=False, repr=False)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Keys of what it was trained on; before the fit, of all it could be."""
        return self.trained_on or tuple(CHANNELS)

    @classmethod
    def required_weights(cls, config: Config) -> tuple[str, ...]:
        """None: it learns from nothing, and its network is part of the model."""
        _own(config)
        return ()

    @classmethod
    def create(cls, config: Config, files: Mapping[str, WeightsFile]) -> Self:
        """Untrained."""
        return cls(_own(config), weights=_used(files))

    def fit(self, cases: Sequence[Case], run: Run) -> Self:
        """Train on most patients, measure norms and promise on the others.

        Raises
        ------
        InputError
            If there are fewer than two patients.
        """
        with TemporaryDirectory(prefix="grisaille-") as folder:
            return self.fit_in(Path(folder), cases, run)

    def fit_in(self, folder: Path, cases: Sequence[Case], run: Run) -> Self:
        """As ``fit``; a training that was broken off goes on where ``folder`` was left."""
        from grisaille.methods.autopaint.inpainter import load
        from grisaille.methods.autopaint.training import train

        run.check_cancelled()
        taught, held_out = split(cases, self.config.held_out, run.seed)
        cache = FrameCache(folder / "frames", self.config).keeping(taught, run)
        arrays, _ = train(cache, self.config, run, folder=folder / "training")
        # Rounded as in a file, so that a model scores the same before it was saved and after.
        rounded = {name: array.astype(np.float16) for name, array in arrays.items()}
        seen = {key for frame in cache for key in frame.images}
        trained = replace(
            self,
            network=load(self.config, rounded),
            trained_on=tuple(key for key in CHANNELS if key in seen),
            patients=len(set(cache.patients)),
            norms={},
            calibrations={},
        )
        return trained.calibrate(held_out, run)

    def calibrate(self, cases: Sequence[Case], run: Run) -> Self:
        """The promise, measured on healthy cases that it was not trained on."""
        if self.config.preset is Preset.PUBLISHED:
            promises = published.promises(self._painter(), self.config, cases, run)
            return replace(self, calibrations=promises, measured_with=_drawing(self.config))
        found = measure(self._painter(), self.config, cases, run, self.norms)
        return replace(
            self,
            norms={**self.norms, **found.norms},
            calibrations=found.calibrations,
            measured_with=_drawing(self.config),
        )

    def calibrated_on(self, source: CalibrationSource) -> Self:
        """The same promise, its source named: phantoms are no patients, and only the caller knows."""
        return replace(self, calibrations={key: replace(one, source=source) for key, one in self.calibrations.items()})

    def score(self, study: Study, run: Run) -> AnomalyMap:
        """Scores on the reference grid, the healthy twin, and what ``label`` needs.

        Raises
        ------
        UnsuitableVolume
            If the study has no modality that was learned, or no body, or its CT is of elsewhere.
        """
        painter = self._painter()
        used = self._known(study)
        key = named(tuple(used.volumes))
        promise = self._promise(key, run)
        if self.config.preset is Preset.PUBLISHED:
            return published.scored(painter, used, self.config, promise, run)
        norms = self._norms(key)
        frame = self._last.of(used, self.config)
        look = first_look(painter, frame, self.config, run)
        painting = repaint(painter, frame, look, norms, self.config, run)
        anomaly = anomaly_map(used, frame, painting, self.config, promise)
        return replace(anomaly, measures=figures(anomaly, self.norms.get(key)))

    def repaint(self, study: Study, anomaly: AnomalyMap, region: Mask, run: Run) -> AnomalyMap:
        """A result with ``region``, and ``grow_mm`` around it, painted over once more, whether it was before or not.

        Twin, z, residual and scores change there; outside, every bit stays. What was painted over
        elsewhere stays hidden from the network, and only the slabs that meet the region are painted.

        Parameters
        ----------
        study, anomaly
            As ``score`` was given the one and gave the other.
        region
            (z, y, x) bool on the grid of ``anomaly``.

        Raises
        ------
        InputError
            If the result is not of this method, or the region holds nothing of the body.
        ShapeError
            If the region is of another shape.
        """
        used = self._known(study)
        require_repaintable(anomaly, used, region)
        frame = self._last.of(used, self.config)
        run.check_cancelled()
        return repainted(self._painter(), anomaly, used, frame, region, self._norms(named(tuple(used.volumes))), run)

    def label(self, anomaly: AnomalyMap, false_positives: float, per: Per) -> Labels:
        """Two thresholds and the outline on the residual; a share of the body is cut from the scores alone."""
        if self.config.preset is Preset.PUBLISHED:
            cut = anomaly.cut_of_share if per is Per.SHARE else partial(anomaly.calibration.cut, per=per)
            voxels = published.marked(anomaly, cut(false_positives), self.config.smallest_ml)
        elif per is Per.SHARE:
            voxels = label_above(
                anomaly.scores,
                anomaly.cut_of_share(false_positives),
                anomaly.body,
                smallest_ml=self.config.smallest_ml,
                voxel_ml=anomaly.grid.voxel_ml,
            )
        else:
            high = anomaly.calibration.cut(false_positives, per)
            norms = self.norms[named(tuple(anomaly.healthy.volumes if anomaly.healthy else ()))]
            voxels = mark(
                anomaly.scores,
                residual_of(anomaly.extras),
                anomaly.body,
                (high, norms.spreading(high)),
                Outline.of(self.config),
                anomaly.grid,
            )
        return Labels(voxels, anomaly.grid, source=anomaly.source)

    def state(self) -> Bundle:
        """Everything, the network in float16."""
        return write_state(self)

    @classmethod
    def from_state(cls, bundle: Bundle, files: Mapping[str, WeightsFile]) -> Self:
        """The inverse of ``state``.

        Raises
        ------
        WeightsMismatch
            If the network is of another shape.
        DamagedWeights
            If parts of the bundle are missing or do not fit each other.
        """
        return cls(**read_state(bundle), weights=_used(files))

    def _painter(self) -> Painter:
        if self.network is None:
            raise UnsuitableVolume("the model knows nothing yet; fit it on healthy patients first")
        return Painter(self.network, self.config)

    def _promise(self, key: str, run: Run) -> Calibration:
        """What was measured of these modalities; nothing if it was measured with the other preset."""
        measured, wanted = self.measured_with, _drawing(self.config)
        if measured and ("published" in measured) != ("published" in wanted):
            run.note(
                f"the promise was measured with another preset than {self.config.preset.value} and does not hold; "
                "calibrate the model with this preset, or ask for the most anomalous share of the body (top)"
            )
            return Calibration.none()
        if measured != wanted:
            run.note("the promise was measured with other settings of rounds, outline or smallest finding")
        return self.calibrations.get(key, Calibration.none())

    def _norms(self, key: str) -> Norms:
        return self.norms.get(key) or Norms.unmeasured(len(self.config.cells_mm))

    def _known(self, study: Study) -> Study:
        """The volumes of modalities that were learned."""
        used = {key: volume for key, volume in study.volumes.items() if key in self.modalities}
        if not used:
            raise UnsuitableVolume(
                f"the study holds {', '.join(study.volumes)}, the model knows {', '.join(self.modalities)}; "
                "give a study with one of these"
            )
        return Study(used, study.patient)


def _own(config: Config) -> AutoPaintConfig:
    if not isinstance(config, AutoPaintConfig):
        raise ConfigError(f"autopaint takes settings of AutoPaintConfig, found {type(config).__name__}")
    return config


def _used(files: Mapping[str, WeightsFile]) -> tuple[WeightsUsed, ...]:
    return tuple(WeightsUsed(file.name, file.sha256) for file in files.values())


def _drawing(config: AutoPaintConfig) -> dict[str, float]:
    """The settings after the fit that the promise depends on; the presets' have different keys."""
    if config.preset is Preset.PUBLISHED:
        return {"published": 1.0, "smallest_ml": config.smallest_ml}
    return {
        "rounds": float(config.rounds),
        "delineation": config.delineation,
        "grow_mm": config.grow_mm,
        "smallest_ml": config.smallest_ml,
    }


def split(cases: Sequence[Case], share: float, seed: int) -> tuple[list[Case], list[Case]]:
    """Cases to learn from and cases to measure on; those of one patient stay together."""
    names = sorted({case.patient for case in cases})
    if len(names) < FEWEST_PATIENTS:
        raise InputError(
            f"{len(names)} healthy patients were given, expected at least {FEWEST_PATIENTS}: one is kept out of the "
            "training to measure false positives on"
        )
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = {names[number] for number in np.random.default_rng(seed).permutation(len(names))[:count]}
    return [case for case in cases if case.patient not in chosen], [case for case in cases if case.patient in chosen]
