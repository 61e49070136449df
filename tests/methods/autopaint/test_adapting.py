"""A model that learned a little from the study it judges."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.errors import ConfigError
from grisaille.core.run import Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from phantoms import small_cohort, small_phantom

pytest.importorskip("torch")
pytest.importorskip("lightning")
pytestmark = pytest.mark.ai

from grisaille.methods.autopaint import adapting  # noqa: E402 - needs torch
from grisaille.methods.autopaint.frame import Frame  # noqa: E402
from grisaille.methods.autopaint.inpainter import arrays, build  # noqa: E402
from grisaille.methods.autopaint.loop import FirstLook, judged, one_sided  # noqa: E402
from grisaille.methods.autopaint.measuring import drawing  # noqa: E402
from grisaille.methods.autopaint.method import AutoPaint  # noqa: E402
from grisaille.methods.autopaint.norms import SHARES, Norms, spreads, usual  # noqa: E402

CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=32, width=4, cells_mm=(96.0,), rounds=0, steps=4, batch=1)
RUN = Run(device="cpu", threads=1)


@cache
def fitted() -> AutoPaint:
    """A network that learned nothing, with norms and a promise made up."""
    norms = Norms(np.ones(1), 3.0, 2.0, np.linspace(6.0, 0.9, SHARES.size), np.ones(1))
    promise = Calibration(CalibrationSource.SYNTHETIC, [1.0, 9.0], [[2.0, 0.0]], [[0.1, 0.0]], 1000, 1)
    keys = ("ct", "pet", "ct+pet")
    return AutoPaint(
        CONFIG,
        build(CONFIG, seed=1).eval(),
        trained_on=("pet", "ct"),
        norms=dict.fromkeys(keys, norms),
        calibrations=dict.fromkeys(keys, promise),
        measured_with=drawing(CONFIG),
        muscle={"pet": 0.7},
    )


def cohort(rng: np.random.Generator, scale: float = 1.0) -> tuple[FirstLook, np.ndarray]:
    """Distances with tails heavier than a normal distribution's, as a network's are."""
    body = np.ones((40, 40, 40), dtype=bool)
    distances = (rng.laplace(size=(2, *body.shape)) * scale).astype(np.float32)
    return FirstLook("pet", distances, np.zeros((2, 1, *body.shape), np.float32)), body


def norms_of(look: FirstLook) -> Norms:
    scan = [list(look.distances)]
    return Norms(spreads(scan), 3.0, 2.0, np.linspace(6.0, 0.9, SHARES.size), usual(scan))


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("sick", [0.0, 0.02])
def test_spreads_follow_the_patient_and_not_the_lesions(scale, sick) -> None:
    rng = np.random.default_rng(3)
    norms = norms_of(cohort(rng)[0])
    look, body = cohort(rng, scale)
    distances = np.array(look.distances)
    distances[:, rng.random(body.shape) < sick] = 30.0
    again = adapting.respread(norms, FirstLook("pet", distances, look.means), body)
    np.testing.assert_allclose(again.spreads / norms.spreads, scale, rtol=0.06 if sick else 0.03)
    np.testing.assert_array_equal(again.tail, norms.tail)


def test_a_model_that_does_not_know_how_its_cohort_scatters_keeps_its_spreads() -> None:
    look, body = cohort(np.random.default_rng(3))
    older = {name: array for name, array in norms_of(look).arrays().items() if name != "usual"}
    norms = Norms.from_arrays(older)
    assert adapting.respread(norms, look, body) is norms


def test_adapting_is_the_same_for_the_same_seed_and_changes_the_network_gently() -> None:
    study = small_phantom(5).study
    first, second = (adapting.adapt(fitted(), study, RUN, steps=3) for _ in range(2))
    other = adapting.adapt(fitted(), study, replace(RUN, seed=1), steps=3)
    one, two, three, base = (arrays(method.network) for method in (first, second, other, fitted()))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not all(np.array_equal(one[name], three[name]) for name in one)
    moved = max(np.abs(one[name] - base[name]).max() for name in one)
    assert 0 < moved < 0.01
    assert first.adapted == 3
    assert set(first.norms) == set(fitted().norms)
    np.testing.assert_array_equal(first.norms["pet"].spreads, fitted().norms["pet"].spreads)


def test_the_knob_does_what_adapt_does_and_each_says_what_the_promise_is_worth() -> None:
    study = small_phantom(5).study
    notes: list[str] = []
    run = replace(RUN, on_note=notes.append)
    by_knob = replace(fitted(), config=replace(CONFIG, adapt_steps=3)).score(study, run)
    assert sum("no longer holds strictly" in note for note in notes) == 1
    notes.clear()
    by_hand = adapting.adapt(fitted(), study, RUN, steps=3).score(study, run)
    assert sum("no longer holds strictly" in note for note in notes) == 1
    np.testing.assert_array_equal(by_knob.scores, by_hand.scores)
    assert by_knob.calibration.source is CalibrationSource.SYNTHETIC
    notes.clear()
    plain = fitted().score(study, run)
    assert not notes
    assert not np.array_equal(plain.scores, by_knob.scores)


def test_an_adapted_model_remembers_it_in_its_file() -> None:
    adapted = adapting.adapt(fitted(), small_phantom(5).study, RUN, steps=2)
    again = AutoPaint.from_state(adapted.state(), {})
    assert again.adapted == 2
    assert again.muscle == adapted.muscle
    old = adapted.state()
    header = {name: value for name, value in old.header.items() if name not in ("adapted", "muscle")}
    assert AutoPaint.from_state(replace(old, header=header), {}).adapted == 0


def test_what_stands_out_is_hidden_from_the_lessons() -> None:
    method, study = fitted(), small_phantom(5).study
    frame = Frame.of(study, CONFIG)
    body = judged(frame)[1]
    distances = np.random.default_rng(0).normal(size=(1, *frame.grid.shape)).astype(np.float32)
    hot = tuple(size // 2 for size in frame.grid.shape)
    distances[0][tuple(slice(at - 1, at + 2) for at in hot)] = 20.0
    look = FirstLook("pet", distances, np.zeros((1, 1, *frame.grid.shape), np.float32))
    hidden = adapting._standing_out(look, frame, method.norms["ct+pet"], CONFIG)
    assert body[hot]
    assert hidden[hot]
    assert one_sided("pet", distances[0])[~hidden].max() < 20.0
    assert hidden.mean() < 0.3


def test_neither_steps_nor_minutes_is_refused() -> None:
    with pytest.raises(ConfigError, match="steps or minutes"):
        adapting.adapt(fitted(), small_phantom(5).study, RUN)


def test_a_region_is_repainted_by_the_network_that_was_adapted() -> None:
    study = small_phantom(5).study
    method = replace(fitted(), config=replace(CONFIG, adapt_steps=2))
    anomaly = method.score(study, RUN)
    region = np.zeros(anomaly.grid.shape, dtype=bool)
    region[tuple(slice(size // 2 - 1, size // 2 + 2) for size in anomaly.grid.shape)] = True
    here = method.repaint(study, anomaly, region, RUN)
    afresh = replace(method).repaint(study, anomaly, region, RUN)  # which has forgotten, and adapts again
    plain = fitted().repaint(study, anomaly, region, RUN)
    np.testing.assert_array_equal(here.scores, afresh.scores)
    assert not np.array_equal(here.scores, plain.scores)


def test_calibrating_an_older_model_measures_what_it_lacks_and_changes_no_score() -> None:
    norms = {key: replace(one, usual=np.empty(0)) for key, one in fitted().norms.items()}
    older = replace(fitted(), norms=norms, muscle={})
    newer = older.calibrate(small_cohort(1, 11), RUN)
    assert set(newer.muscle) == {"pet", "ct+pet"}
    assert all(one.usual.shape == one.spreads.shape for one in newer.norms.values())
    study = small_phantom(5).study
    np.testing.assert_array_equal(newer.score(study, RUN).scores, older.score(study, RUN).scores)
