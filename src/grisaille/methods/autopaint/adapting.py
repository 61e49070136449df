"""A model brought nearer to one patient or scanner, by learning from the study that it is to judge.

Most of a patient is healthy. What stands out is hidden as known lesions are; on the rest the network
learns a little further, and the spreads by which distances are judged are measured again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from grisaille.core.errors import ConfigError
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.methods.autopaint.candidates import Mask, dilated, hysteresis, without_small
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.inpainter import arrays, load
from grisaille.methods.autopaint.loop import FirstLook, first_look, judged, one_sided
from grisaille.methods.autopaint.norms import Norms, usual
from grisaille.methods.autopaint.painting import Floats, Painter
from grisaille.methods.autopaint.training import train
from grisaille.methods.autopaint.withheld import MARGIN_MM

if TYPE_CHECKING:
    from grisaille.methods.autopaint.method import AutoPaint

HELD_OUT = 0.02, 0.05
"""Shares of the tissue that is hidden, with a margin: what rises above the first, as far as it is above the second.
By shares, for the thresholds of the cohort mean little where its scanner is not this one. More than most
patients' lesions fill, and what is healthy of it is missed by no one."""

SLOWER = 0.1
"""Share of the training's learning rate."""


@dataclass(frozen=True, eq=False)
class Adapted:
    """The painter after ``steps`` on a study, what it sees there at first, and the norms to judge that by."""

    steps: int
    painter: Painter
    look: FirstLook | None
    norms: Norms


def adapt(
    method: AutoPaint, study: Study, run: Run, *, steps: int | None = None, minutes: float | None = None
) -> AutoPaint:
    """A method that learned a little further from this study, most of which is healthy.

    What stands out is hidden meanwhile. The promise stays the cohort's, and each score says that it no longer
    holds strictly. With ``adapt_steps`` in the settings, ``score`` does this for each study anew.

    Raises
    ------
    ConfigError
        If neither ``steps`` nor ``minutes`` is given.
    UnsuitableVolume
        As ``AutoPaint.score``.
    """
    if not steps and not minutes:
        raise ConfigError("adapting takes steps or minutes; give one of them")
    frame, key = method.frame_of(study)
    closer = adapted(method.painter(), frame, method.norms_of(key), run, steps=steps, minutes=minutes)
    return replace(
        method,
        network=closer.painter.network,
        norms={**method.norms, key: closer.norms},
        adapted=method.adapted + closer.steps,
    )


def adapted(
    painter: Painter,
    frame: Frame,
    norms: Norms,
    run: Run,
    *,
    steps: int | None = None,
    minutes: float | None = None,
) -> Adapted:
    """The same for the same seed, up to ``minutes``, which no clock repeats.

    Raises
    ------
    OutOfMemory, Cancelled
        As ``training.train``.
    """
    config = painter.config
    look = first_look(painter, frame, config, run)
    hidden = _standing_out(look, frame, norms, config)
    gentle = replace(
        config,
        steps=steps or 1_000_000,
        learning_rate=max(1e-6, SLOWER * config.learning_rate),
        ema=min(config.ema, 0.99),
        minutes=0.0,
    )
    with TemporaryDirectory(prefix="grisaille-") as folder:
        learned, curve = train(
            [frame.hiding(hidden)], gentle, run, folder=Path(folder), start=arrays(painter.network), minutes=minutes
        )
    rounded = {name: array.astype(np.float16) for name, array in learned.items()}
    closer = Painter(load(config, rounded), config)
    look = first_look(closer, frame, config, run)
    return Adapted(curve[-1].step, closer, look, respread(norms, look, judged(frame)[1]))


def respread(norms: Norms, look: FirstLook, body: Mask) -> Norms:
    """The norms with spreads as much wider as this patient's tissue scatters more than the cohort's.

    By what a fifth of the tissue exceeds, cold or hot: lesions are far less of it. As they were in a model
    that does not know that of its cohort.
    """
    if norms.usual.shape != norms.spreads.shape:
        return norms
    here = usual([[scale[body] for scale in look.distances]])
    return replace(norms, spreads=norms.spreads * here / np.maximum(norms.usual, 1e-6))


def _standing_out(look: FirstLook, frame: Frame, norms: Norms, config: AutoPaintConfig) -> Mask:
    """(z, y, x) the most anomalous of the tissue, specks of noise aside, with a margin."""
    body = judged(frame)[1]
    z: Floats = one_sided(look.key, look.combined(norms.spreads)[0])
    high, low = np.quantile(z[body], 1 - np.array(HELD_OUT))
    held = without_small(hysteresis(z, float(high), float(low), body), config.smallest_ml, config.spacing_mm**3 / 1000)
    return dilated(held, max(MARGIN_MM, config.grow_mm), frame.grid.spacing_mm)
