"""What the loop makes of healthy patients: the norms of their scores and the promise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.study import Case, Study
from grisaille.methods.autopaint.candidates import Mask, Outline, mark
from grisaille.methods.autopaint.config import AutoPaintConfig, Preset
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.loop import FirstLook, first_look, judged, one_sided, repaint
from grisaille.methods.autopaint.norms import Norms, ends, spreads, tail, usual
from grisaille.methods.autopaint.painting import CHANNELS, Floats, Painter
from grisaille.methods.autopaint.promise import calibration, count
from grisaille.methods.autopaint.twin import anomaly_map, residual_of
from grisaille.methods.autopaint.withheld import is_healthy, near_lesions
from grisaille.methods.scan_count import ScanCount

UNCERTAIN = "adapted to one study: the promise was measured before that, and no longer holds strictly"

LOOP = 2.0
"""Counted up when the same settings come to mean other scores."""

NORMED = 8
"""Patients whose first look is enough for the norms; the promise counts all."""


@dataclass(frozen=True, eq=False)
class Measured:
    """By the keys of the modalities joined by ``+``."""

    norms: Mapping[str, Norms]
    calibrations: Mapping[str, Calibration]


def named(keys: Sequence[str]) -> str:
    """The name of a combination of modalities: ``ct+pet``."""
    return "+".join(sorted(keys))


def drawing(config: AutoPaintConfig) -> dict[str, float]:
    """The settings after the fit that the promise depends on; the presets' have different keys."""
    if config.preset is Preset.PUBLISHED:
        return {"published": 1.0, "smallest_ml": config.smallest_ml}
    return {
        "loop": LOOP,
        "rounds": float(config.rounds),
        "delineation": config.delineation,
        "grow_mm": config.grow_mm,
        "smallest_ml": config.smallest_ml,
    } | _unusual(config)


def _unusual(config: AutoPaintConfig) -> dict[str, float]:
    """Settings that few choose; kept only where they are chosen, so that older models say the same as before."""
    usual, unusual = AutoPaintConfig(), {}
    if config.suv_reference is not usual.suv_reference:
        unusual["muscle"] = 1.0
    if config.passes != usual.passes:
        unusual["passes"] = float(config.passes)
    if config.ct_shown is not usual.ct_shown:
        unusual[f"ct_shown {config.ct_shown.value}"] = 1.0
    return unusual


def promise_of(
    key: str,
    calibrations: Mapping[str, Calibration],
    measured_with: Mapping[str, float],
    config: AutoPaintConfig,
    run: Run,
) -> Calibration:
    """What was measured of these modalities; nothing if it was measured with the other preset."""
    wanted = drawing(config)
    if measured_with and ("published" in measured_with) != ("published" in wanted):
        run.note(
            f"the promise was measured with another preset than {config.preset.value} and does not hold; "
            "calibrate the model with this preset, or ask for the most anomalous share of the body (top)"
        )
        return Calibration.none()
    if measured_with and measured_with.get("loop") != wanted.get("loop"):
        run.note(
            "the promise was measured by an older version, whose scores were others, and does not hold strictly; "
            "calibrate the model again"
        )
    elif measured_with != wanted:
        run.note("the promise was measured with other settings of rounds, outline, smallest finding or SUV reference")
    return calibrations.get(key, Calibration.none())


def usable(study: Study) -> Study:
    """The study without what AutoPaint does not paint."""
    return Study({key: volume for key, volume in study.volumes.items() if key in CHANNELS}, study.patient)


def measure(
    painter: Painter,
    config: AutoPaintConfig,
    cases: Sequence[Case],
    run: Run,
    known: Mapping[str, Norms] | None = None,
    framed: Callable[[Study], Frame] | None = None,
    only: Collection[str] | None = None,
) -> Measured:
    """Norms and promise of healthy tissue that the network was not trained on.

    What lies near the lesions of a case's truth is not counted as tissue, and findings that reach
    there are not counted as false positives.

    Parameters
    ----------
    known
        Norms whose spreads and candidates stay as they are; what it lacks is measured too.
    framed
        How a study is brought into the working frame; ``Frame.of`` by default.
    only
        The combinations that are measured, ``ct+pet`` say; all that the cases have, if None.
    """
    framed = framed or partial(Frame.of, config=config)
    having: dict[tuple[str, ...], list[Case]] = {}
    for case in cases:
        keys = sorted(key for key in case.load().volumes if key in CHANNELS)
        for part in {(key,) for key in keys} | {tuple(keys)}:
            having.setdefault(part, []).append(case)
    norms: dict[str, Norms] = {}
    calibrations: dict[str, Calibration] = {}
    for part, those in sorted(having.items()):
        key = named(part)
        if only is not None and key not in only:
            continue
        with TemporaryDirectory(prefix="grisaille-") as folder:
            cohort = _Cohort(painter, config, framed, part, tuple(those), Path(folder))
            basis = (known or {}).get(key) or cohort.norms(run)
            if not basis.usual.size:  # of a model written before it was measured
                basis = replace(basis, usual=cohort.norms(run).usual)
            norms[key], calibrations[key] = cohort.promise(basis, run)
    return Measured(norms, calibrations)


@dataclass(frozen=True, eq=False)
class _Cohort:
    """The same modalities of several healthy patients; what is known of them lies on the disk."""

    painter: Painter
    config: AutoPaintConfig
    framed: Callable[[Study], Frame]
    part: tuple[str, ...]
    cases: tuple[Case, ...]
    folder: Path

    def norms(self, run: Run) -> Norms:
        """How far healthy tissue is from what is painted, and how high its first scores reach."""
        looks = [partial(self._look, number, run) for number in range(min(NORMED, len(self.cases)))]
        width, often = (
            measured([scale[body] for scale in look.distances] for look, body in (one() for one in looks))
            for measured in (spreads, usual)
        )
        reached = tail(one_sided(look.key, look.combined(width)[0])[body] for look, body in (one() for one in looks))
        return Norms(width, *ends(reached), reached, often)

    def promise(self, norms: Norms, run: Run) -> tuple[Norms, Calibration]:
        """The same norms with the tail of the final scores, and what each cut through those costs."""
        grids = [self._score(number, norms, run) for number in range(len(self.cases))]
        norms = replace(norms, tail=tail(one.scores[one.healthy] for one in self._scored()))
        numbered = zip(self.cases, grids, self._scored(), strict=True)
        counts = [
            self._count(case, grid, scored, norms)
            for case, grid, scored in run.track(numbered, f"counting false positives of {self._title}", len(grids))
        ]
        return norms, calibration(counts, CalibrationSource.PATIENTS)

    @property
    def _title(self) -> str:
        return named(self.part).upper()

    def _study(self, number: int) -> Study:
        study = self.cases[number].load()
        return Study({key: study.volumes[key] for key in self.part}, study.patient)

    def _look(self, number: int, run: Run) -> tuple[FirstLook, Mask]:
        """The first look at a patient and the body judged in it, kept where the norms need it."""
        file = self.folder / f"look{number}.npz"
        if file.exists():
            with np.load(file) as kept:
                return FirstLook(str(kept["key"]), kept["distances"], kept["means"]), kept["body"]
        frame = self.framed(self._study(number))
        look, body = (
            first_look(self.painter, frame, self.config, run),
            self._healthy(number, judged(frame)[1], frame.grid),
        )
        if number < NORMED:
            np.savez(file, key=look.key, distances=look.distances, means=look.means, body=body)
        return look, body

    def _score(self, number: int, norms: Norms, run: Run) -> Grid:
        """Keep what ``label`` needs of a patient; gives its grid."""
        study = self._study(number)
        frame = self.framed(study)
        painting = repaint(self.painter, frame, self._look(number, run)[0], norms, self.config, run)
        anomaly = anomaly_map(study, frame, painting, self.config, Calibration.none())
        body = self._healthy(number, anomaly.body, anomaly.grid)
        kept = {"scores": anomaly.scores, "residual": residual_of(anomaly.extras), "body": body, "all": anomaly.body}
        np.savez(self._file(number), **kept)  # type: ignore[arg-type] # arrays by name
        return anomaly.grid

    def _healthy(self, number: int, body: Mask, grid: Grid) -> Mask:
        """The body less what lies near known lesions."""
        case = self.cases[number]
        return body if is_healthy(case) or case.truth is None else body & ~near_lesions(case.truth, grid)

    def _file(self, number: int) -> Path:
        return self.folder / f"scored{number}.npz"

    def _scored(self) -> Iterator[_Scored]:
        for number in range(len(self.cases)):
            with np.load(self._file(number)) as kept:
                yield _Scored(kept["scores"], kept["residual"], kept["body"], kept["all"])

    def _count(self, case: Case, grid: Grid, scored: _Scored, norms: Norms) -> ScanCount:
        sick = scored.body & ~scored.healthy

        def marked(high: float) -> npt.NDArray[np.uint16]:
            cuts = high, norms.spreading(high)
            labels = mark(scored.scores, scored.residual, scored.body, cuts, Outline.of(self.config), grid)
            return without_touching(labels, sick)

        return count(scored.scores, scored.healthy, marked, case.patient)


@dataclass(frozen=True, eq=False)
class _Scored:
    """What ``label`` needs of a patient, (z, y, x) each; ``healthy`` is the part of the body that is counted."""

    scores: Floats
    residual: Floats
    healthy: Mask
    body: Mask


def without_touching(labels: npt.NDArray[np.uint16], mask: Mask) -> npt.NDArray[np.uint16]:
    """Findings (z, y, x) numbered anew from 1 without those that have a voxel in ``mask``: they are no false ones."""
    touching = np.unique(labels[mask])
    if not touching.any():
        return labels
    numbers = np.arange(int(labels.max()) + 1)
    kept = ~np.isin(numbers, touching) & (numbers > 0)
    return np.where(kept, np.cumsum(kept), 0).astype(np.uint16)[labels]
