"""MVG: a multivariate Gaussian over deep features of healthy slices.

Source: Rippel, Mertens and Merhof 2020, arXiv 2005.14140, made to know where in the body it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.config import Config
from grisaille.core.errors import ConfigError, UnsuitableVolume, WeightsMismatch
from grisaille.core.labels import Labels
from grisaille.core.result import WeightsUsed
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.core.volume import Modality, Volume
from grisaille.imaging.body import body_mask
from grisaille.imaging.resample import resample_array
from grisaille.imaging.slice_scores import slice_scores
from grisaille.methods.mvg.canary import Features, canary, require_same
from grisaille.methods.mvg.chi_square import published_thresholds, require_published, slice_distances
from grisaille.methods.mvg.cohort import learn_cohort
from grisaille.methods.mvg.config import MvgConfig
from grisaille.methods.mvg.gaussian import Array
from grisaille.methods.mvg.kept import KeptCase
from grisaille.methods.mvg.modality import Known, ModalityModel
from grisaille.methods.mvg.observation import Observation, observe, observe_case
from grisaille.methods.mvg.pooling import merged, without_patient
from grisaille.methods.mvg.promise import calibration, count_scan
from grisaille.methods.mvg.recipe import Recipe
from grisaille.methods.mvg.scoremap import voxel_scores
from grisaille.methods.mvg.spool import Spool
from grisaille.methods.mvg.state import read_recipe, read_state, require_same_layout, write_state
from grisaille.methods.scan_count import ScanCount, counting_grid, subsets
from grisaille.methods.thresholding import labelled
from grisaille.weights.bundle import Bundle
from grisaille.weights.store import WeightsFile

if TYPE_CHECKING:
    from grisaille.nn.backbone import Backbone

FEW_PATIENTS = 20


@dataclass(frozen=True, eq=False)
class MVG:
    """The method, before or after its fit.

    Parameters
    ----------
    backbone
        The network; its fingerprint is part of the state, its weights are not.
    models, canaries
        By modality key; empty before the fit.
    calibrations
        By the keys that a study has, joined by ``+``: a CT alone keeps another promise than PET/CT.
    patients
        Healthy people it was fitted on.
    kept
        What a merge or a removal needs of each case, where the config asks to keep it.
    """

    name: ClassVar[str] = "mvg"
    config_class: ClassVar[type[Config]] = MvgConfig
    learns_around_lesions: ClassVar[bool] = False

    config: MvgConfig
    backbone: Backbone
    weights: tuple[WeightsUsed, ...] = ()
    models: Mapping[str, ModalityModel] = field(default_factory=dict)
    canaries: Mapping[str, Features] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    patients: int = 0
    kept: tuple[KeptCase, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """Keys of what it was fitted on; before the fit, of all it could be."""
        return tuple(self.models) or tuple(modality.key for modality in Modality)

    @property
    def recipe(self) -> Recipe:
        """How volumes become features."""
        return Recipe(self.config)

    @classmethod
    def required_weights(cls, config: Config) -> tuple[str, ...]:
        """The backbone's card."""
        return _own(config).required_weights

    @classmethod
    def create(cls, config: Config, files: Mapping[str, WeightsFile]) -> Self:
        """Unfitted, with the backbone of ``files``."""
        from grisaille.nn.backbone import load_backbone

        config = _own(config)
        used = tuple(WeightsUsed(file.name, file.sha256) for file in files.values())
        return cls(config, load_backbone(config.backbone.value, files[config.backbone.value]), used)

    def fit(self, cases: Sequence[Case], run: Run) -> Self:
        """Learn healthy cases in one pass over the network, and measure the promise leaving patients out.

        Raises
        ------
        InputError
            If there are fewer than two patients.
        """
        with Spool() as spool:
            seen = [
                observe_case(case, self.recipe, self.backbone, spool, run=run, which=f"{number} of {len(cases)}")
                for number, case in enumerate(cases, 1)
            ]
            # Where a fitted model is fitted anew, places in the body stay those that other sites share.
            positions = {key: model.position for key, model in self.models.items()}
            fitted = learn_cohort(seen, self.recipe, spool, positions, run=run)
            kept = tuple(KeptCase.of(case, spool) for case in seen) if self.config.keep_patients else ()
        return replace(
            self,
            # Written out, so that a file keeps its meaning when a preset's own levels change.
            config=replace(self.config, levels=self.config.taps),
            models=fitted.models,
            canaries={key: canary(self.recipe, self.backbone, _modality(key), run) for key in fitted.models},
            calibrations=fitted.calibrations,
            patients=len({case.patient for case in cases}),
            kept=kept,
        )

    def merge(self, other: MVG, run: Run | None = None) -> MVG:
        """The fit of this model's patients and another site's together, from what both kept of them.

        It equals a first fit of the pooled images, these before those, with the same ``run.seed``:
        places in the body, usual distances and the promise are all measured anew. The promise is
        called synthetic where one site's is.

        Raises
        ------
        ConfigError
            If the patients were not kept, or settings differ.
        WeightsMismatch
            If the backbones differ.
        InputError
            If a pseudonym is in both.
        """
        return merged(self, other, run or Run())

    def without_patient(self, pseudonym: str, run: Run | None = None) -> MVG:
        """The fit as if a patient had never been seen, the promise included.

        It equals a first fit of the other patients with the same ``run.seed``.

        Raises
        ------
        ConfigError
            If the patients were not kept.
        InputError
            If there is no such patient, or fewer than two would be left.
        """
        return without_patient(self, pseudonym, run or Run())

    def chi_square_thresholds(self, sigma: float) -> Mapping[str, Mapping[int, float]]:
        """The published thresholds on the distance of a slice at each level, by modality key.

        For comparison with the paper only: their real false-positive rates are far from the
        nominal ones (see ``chi_square``), and ``label`` does not use them.

        Raises
        ------
        ConfigError
            If the preset is another than ``rippel2020``, or ``sigma`` is out of bounds.
        """
        return published_thresholds(self.config, self.models, sigma)

    def slice_distances(self, study: Study, run: Run | None = None) -> Mapping[str, Mapping[int, Array]]:
        """How far each slice is from healthy, to be held against ``chi_square_thresholds``.

        Source: Rippel, Mertens and Merhof 2020, arXiv 2005.14140: the Mahalanobis distance of a
        slice's mean features to the healthy ones of the same level.

        Returns
        -------
        By modality key and level, (slices,) float64 along the configured axis of the volume's own
        grid, in its order; NaN where a slice shows no body.

        Raises
        ------
        ConfigError
            If the preset is another than ``rippel2020``.
        UnsuitableVolume
            If the study has no modality that was learned, or no body.
        WeightsMismatch
            If network, settings or precision are not those of the fit.
        """
        require_published(self.config, "distances of whole slices belong")
        with Spool() as spool:
            return {
                key: slice_distances(self.config, self.models[key], seen, spool)
                for key, seen in self._observed(self._known(study), spool, run or Run())
            }

    def calibrate(self, cases: Sequence[Case], run: Run) -> Self:
        """The promise, measured on healthy cases that it was not fitted on."""
        counts: dict[str, list[ScanCount]] = {}
        for case in cases:
            study = case.load()
            keys = [key for key in study.volumes if key in self.models]
            for part in subsets(keys):
                one = Study({key: study.volumes[key] for key in part}, study.patient)
                with Spool() as spool:
                    maps = list(self._maps(one, spool, run))
                count = self._count(maps, body_mask(one.main), one.main, case.patient)
                counts.setdefault("+".join(part), []).append(count)
        return replace(
            self, calibrations={key: calibration(part, CalibrationSource.PATIENTS) for key, part in counts.items()}
        )

    def calibrated_on(self, source: CalibrationSource) -> Self:
        """The same promise, its source named: phantoms are no patients, and only the caller knows.

        What is kept of the patients remembers it for the promise of a merged model.
        """
        renamed = {key: replace(one, source=source) for key, one in self.calibrations.items()}
        return replace(self, calibrations=renamed, kept=tuple(replace(case, source=source) for case in self.kept))

    def score(self, study: Study, run: Run) -> AnomalyMap:
        """One score a voxel of the reference grid and one a slice along the configured axis.

        In the preset ``rippel2020`` a slice has one score, and all its body's voxels have it too.

        Raises
        ------
        UnsuitableVolume
            If the study has no modality that was learned, or no body.
        WeightsMismatch
            If network, settings or precision are not those of the fit.
        """
        used = self._known(study)
        if self.patients < FEW_PATIENTS:
            run.note(f"the model saw {self.patients} healthy patients only; scores are rough below {FEW_PATIENTS}")
        grid = study.reference
        body = body_mask(study.main)
        with Spool() as spool:
            scores = voxel_scores(self._maps(used, spool, run), body, grid)
        axis = self.config.axis
        return AnomalyMap(
            scores,
            SliceScores(axis, slice_scores(scores, grid, axis)),
            grid,
            self.calibrations.get("+".join(sorted(used.volumes)), Calibration.none()),
            extras={BODY: Volume(scores > 0, grid, name=BODY)},
            source=study.main.source,
        )

    def label(self, anomaly: AnomalyMap, false_positives: float, per: Per) -> Labels:
        """Components at or above the cut that keeps the promise; the highest score is label 1."""
        return labelled(anomaly, false_positives, per, self.config.smallest_ml)

    def state(self) -> Bundle:
        """Everything but the network."""
        return write_state(self)

    @classmethod
    def from_state(cls, bundle: Bundle, files: Mapping[str, WeightsFile]) -> Self:
        """The inverse of ``state``.

        Raises
        ------
        WeightsMismatch
            If ``files`` hold another network than the model was fitted with, or the bundle's layout is another.
        DamagedWeights
            If parts of the bundle are missing or do not fit each other.
        """
        config, fingerprint = read_recipe(bundle)
        method = cls.create(config, files)
        if method.backbone.fingerprint != fingerprint:
            raise WeightsMismatch(
                f"the model was fitted with other weights of {method.config.backbone.value} than those of "
                f"{files[method.config.backbone.value].path.name}; give the weights it was fitted with, or fit it anew"
            )
        fitted = replace(method, **read_state(bundle, method.recipe))
        require_same_layout(bundle, fitted.state())
        return fitted

    def _known(self, study: Study) -> Study:
        """The volumes of modalities that were learned."""
        used = {key: volume for key, volume in study.volumes.items() if key in self.models}
        if not used:
            raise UnsuitableVolume(
                f"the study holds {', '.join(study.volumes)}, the model knows "
                f"{', '.join(self.models) or 'nothing yet'}; "
                "give a study with one of these, or fit the model"
            )
        return Study(used, study.patient)

    def _observed(self, study: Study, spool: Spool, run: Run) -> Iterator[tuple[str, Observation]]:
        """Each modality of a study of learned ones, looked at by the network of the fit."""
        for key, volume in study.volumes.items():
            require_same(canary(self.recipe, self.backbone, volume.modality, run), self.canaries[key], key.upper())
            what = f"scoring {key.upper()} slices"
            yield key, observe(volume, self.recipe, self.backbone, spool, run=run, what=what)

    def _maps(self, study: Study, spool: Spool, run: Run) -> Iterator[Known]:
        """The map of each modality of a study of learned ones."""
        for key, observed in self._observed(study, spool, run):
            model = self.models[key]
            seen = model.placed(observed)
            unlike = model.share_outside(seen)
            if unlike > 0:
                run.note(
                    f"{unlike:.0%} of the {key.upper()} lies where no healthy patient was seen; "
                    "scores mean little there"
                )
            yield model.scores(seen, spool)

    def _count(self, maps: Sequence[Known], body: npt.NDArray[np.bool_], main: Volume, patient: str) -> ScanCount:
        grid = counting_grid(main.grid)
        coarse = resample_array(body, main.grid, grid, nearest=True)
        return count_scan(voxel_scores(maps, coarse, grid), coarse, grid, self.config.smallest_ml, patient)


def _modality(key: str) -> Modality:
    return next(modality for modality in Modality if modality.key == key)


def _own(config: Config) -> MvgConfig:
    if not isinstance(config, MvgConfig):
        raise ConfigError(f"mvg takes settings of MvgConfig, found {type(config).__name__}")
    return config
