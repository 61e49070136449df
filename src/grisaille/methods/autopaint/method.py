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
from grisaille.core.errors import ConfigError, UnsuitableVolume
from grisaille.core.labels import Labels
from grisaille.core.result import WeightsUsed
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.imaging.findings import label_above
from grisaille.methods.autopaint.again import LastFrame, repainted, require_repaintable
from grisaille.methods.autopaint.candidates import Mask, Outline, mark
from grisaille.methods.autopaint.cohort import WATCHED, split, tell_of_lesions, usual_muscle
from grisaille.methods.autopaint.config import AutoPaintConfig, Preset
from grisaille.methods.autopaint.figures import figures
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.frame_cache import FrameCache
from grisaille.methods.autopaint.loop import FirstLook, first_look, repaint
from grisaille.methods.autopaint.measuring import UNCERTAIN, drawing, measure, named, promise_of
from grisaille.methods.autopaint.norms import Norms
from grisaille.methods.autopaint.painting import CHANNELS, Painter
from grisaille.methods.autopaint.published import promise as published
from grisaille.methods.autopaint.reference import as_in_cohort
from grisaille.methods.autopaint.state import read_state, write_state
from grisaille.methods.autopaint.trimming import learn
from grisaille.methods.autopaint.twin import anomaly_map, residual_of
from grisaille.weights.bundle import Bundle
from grisaille.weights.store import WeightsFile

if TYPE_CHECKING:
    from grisaille.methods.autopaint.inpainter import Inpainter


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
    muscle
        The cohort's median SUV of muscle, by the modalities that it was measured with.
    adapted
        Steps that the network learned from one study alone, after the fit.
    """

    name: ClassVar[str] = "autopaint"
    config_class: ClassVar[type[Config]] = AutoPaintConfig
    learns_around_lesions: ClassVar[bool] = True

    config: AutoPaintConfig
    network: Inpainter | None = None
    weights: tuple[WeightsUsed, ...] = ()
    trained_on: tuple[str, ...] = ()
    norms: Mapping[str, Norms] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    patients: int = 0
    measured_with: Mapping[str, float] = field(default_factory=dict)
    muscle: Mapping[str, float] = field(default_factory=dict)
    adapted: int = 0
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

    def fit_in(self, folder: Path, cases: Sequence[Case], run: Run, *, minutes: float | None = None) -> Self:
        """As ``fit``; a training that was broken off goes on where ``folder`` was left.

        ``minutes`` of training are in place of those of the settings.
        """
        from grisaille.methods.autopaint.inpainter import load

        run.check_cancelled()
        taught, held_out = split(cases, self.config.held_out, run.seed)
        tell_of_lesions(held_out, run)
        cache = FrameCache(folder / "frames", self.config)
        cache, watched = cache.keeping(taught, run), cache.keeping(held_out[:WATCHED], run)
        arrays = learn(cache, watched, self.config, run, folder=folder, minutes=minutes)
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
            muscle=usual_muscle(cache, self.config.windows),
            adapted=0,
        )
        return trained.calibrate(held_out, run)

    def calibrate(self, cases: Sequence[Case], run: Run) -> Self:
        """The promise, measured on healthy cases that it was not trained on."""
        if self.config.preset is Preset.PUBLISHED:
            promises = published.promises(self.painter(), self.config, cases, run)
            return replace(self, calibrations=promises, measured_with=drawing(self.config))
        muscle = self.muscle or usual_muscle(
            (Frame.of(case.load(), self.config) for case in cases), self.config.windows
        )
        known = replace(self, muscle=muscle)
        found = measure(self.painter(), self.config, cases, run, self.norms, known._frame)
        return replace(
            known,
            norms={**self.norms, **found.norms},
            calibrations=found.calibrations,
            measured_with=drawing(self.config),
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
        used = self._known(study)
        key = named(tuple(used.volumes))
        promise = promise_of(key, self.calibrations, self.measured_with, self.config, run)
        if self.config.preset is Preset.PUBLISHED:
            return published.scored(self.painter(), used, self.config, promise, run)
        if self.adapted or self.config.adapt_steps:
            run.note(UNCERTAIN)
        frame = self._last.of(used, partial(self._frame, run=run))
        self._last.closer = None  # for it depends on the run
        painter, norms, look = self._painted_by(frame, used, run)
        look = look or first_look(painter, frame, self.config, run)
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
        frame = self._last.of(used, partial(self._frame, run=run))
        run.check_cancelled()
        painter, norms, _ = self._painted_by(frame, used, run)
        return repainted(painter, anomaly, used, frame, region, norms, run)

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

    def painter(self) -> Painter:
        """Its network, ready to paint."""
        if self.network is None:
            raise UnsuitableVolume("the model knows nothing yet; fit it on healthy patients first")
        return Painter(self.network, self.config)

    def norms_of(self, key: str) -> Norms:
        """What healthy patients of these modalities scored; made up where none were seen."""
        return self.norms.get(key) or Norms.unmeasured(len(self.config.cells_mm))

    def _painted_by(self, frame: Frame, study: Study, run: Run) -> tuple[Painter, Norms, FirstLook | None]:
        """Painter and norms, and what it saw already if it was adapted to the frame just now."""
        painter, norms, steps = self.painter(), self.norms_of(named(tuple(study.volumes))), self.config.adapt_steps
        if not steps:
            return painter, norms, None
        from grisaille.methods.autopaint.adapting import adapted

        look = None
        if self._last.closer is None:
            closer = adapted(painter, frame, norms, run, steps=steps)
            self._last.closer, look = replace(closer, look=None), closer.look
        return self._last.closer.painter, self._last.closer.norms, look

    def frame_of(self, study: Study) -> tuple[Frame, str]:
        """The volumes of a study that were learned, in the working frame, and the key of their norms."""
        used = self._known(study)
        return self._frame(used), named(tuple(used.volumes))

    def _frame(self, study: Study, run: Run | None = None) -> Frame:
        return as_in_cohort(Frame.of(study, self.config, run), self.muscle, self.config)

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
