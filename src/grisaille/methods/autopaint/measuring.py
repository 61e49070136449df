"""What the loop makes of healthy patients: the norms of their scores and the promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.loop import FirstLook, first_look, judged, one_sided, repaint
from grisaille.methods.autopaint.norms import Norms, ends, spreads, tail
from grisaille.methods.autopaint.painting import CHANNELS, Floats, Painter
from grisaille.methods.autopaint.promise import calibration, count
from grisaille.methods.autopaint.twin import anomaly_map, residual_of
from grisaille.methods.scan_count import ScanCount

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


def usable(study: Study) -> Study:
    """The study without what AutoPaint does not paint."""
    return Study({key: volume for key, volume in study.volumes.items() if key in CHANNELS}, study.patient)


def measure(
    painter: Painter,
    config: AutoPaintConfig,
    cases: Sequence[Case],
    run: Run,
    known: Mapping[str, Norms] | None = None,
) -> Measured:
    """Norms and promise of healthy cases that the network was not trained on.

    Parameters
    ----------
    known
        Norms whose spreads and candidates stay as they are; those that it lacks are measured too.
    """
    having: dict[tuple[str, ...], list[Case]] = {}
    for case in cases:
        keys = sorted(key for key in case.load().volumes if key in CHANNELS)
        for part in {(key,) for key in keys} | {tuple(keys)}:
            having.setdefault(part, []).append(case)
    norms: dict[str, Norms] = {}
    calibrations: dict[str, Calibration] = {}
    for part, those in sorted(having.items()):
        key = named(part)
        with TemporaryDirectory(prefix="grisaille-") as folder:
            cohort = _Cohort(painter, config, part, tuple(those), Path(folder))
            basis = (known or {}).get(key) or cohort.norms(run)
            norms[key], calibrations[key] = cohort.promise(basis, run)
    return Measured(norms, calibrations)


@dataclass(frozen=True, eq=False)
class _Cohort:
    """The same modalities of several healthy patients; what is known of them lies on the disk."""

    painter: Painter
    config: AutoPaintConfig
    part: tuple[str, ...]
    cases: tuple[Case, ...]
    folder: Path

    def norms(self, run: Run) -> Norms:
        """How far healthy tissue is from what is painted, and how high its first scores reach."""
        looks = [partial(self._look, number, run) for number in range(min(NORMED, len(self.cases)))]
        width = spreads([scale[body] for scale in look.distances] for look, body in (one() for one in looks))
        reached = tail(one_sided(look.key, look.combined(width)[0])[body] for look, body in (one() for one in looks))
        return Norms(width, *ends(reached), reached)

    def promise(self, norms: Norms, run: Run) -> tuple[Norms, Calibration]:
        """The same norms with the tail of the final scores, and what each cut through those costs."""
        grids = [self._score(number, norms, run) for number in range(len(self.cases))]
        norms = replace(norms, tail=tail(scores[body] for scores, _, body in self._scored()))
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
        frame = Frame.of(self._study(number), self.config)
        look, body = first_look(self.painter, frame, self.config, run), judged(frame)[1]
        if number < NORMED:
            np.savez(file, key=look.key, distances=look.distances, means=look.means, body=body)
        return look, body

    def _score(self, number: int, norms: Norms, run: Run) -> Grid:
        """Keep what ``label`` needs of a patient; gives its grid."""
        study = self._study(number)
        frame = Frame.of(study, self.config)
        painting = repaint(self.painter, frame, self._look(number, run)[0], norms, self.config, run)
        anomaly = anomaly_map(study, frame, painting, self.config, Calibration.none())
        np.savez(self._file(number), scores=anomaly.scores, residual=residual_of(anomaly.extras), body=anomaly.body)
        return anomaly.grid

    def _file(self, number: int) -> Path:
        return self.folder / f"scored{number}.npz"

    def _scored(self) -> Iterator[tuple[Floats, Floats, Mask]]:
        """Scores, residual and body of each patient."""
        for number in range(len(self.cases)):
            with np.load(self._file(number)) as kept:
                yield kept["scores"], kept["residual"], kept["body"]

    def _count(self, case: Case, grid: Grid, scored: tuple[Floats, Floats, Mask], norms: Norms) -> ScanCount:
        scores, residual, body = scored

        def marked(high: float) -> npt.NDArray[np.uint16]:
            return mark(scores, residual, body, (high, norms.spreading(high)), Outline.of(self.config), grid)

        return count(scores, body, marked, case.patient)
