"""A fit from studies with masks: what is learned from, what is left out, and what a kill leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grisaille.core.calibration import CalibrationSource
from grisaille.core.errors import UnsuitableVolume
from grisaille.core.run import Run
from grisaille.methods.anomalyclip import token_cache
from grisaille.methods.anomalyclip.config import AnomalyClipConfig
from grisaille.methods.anomalyclip.marked import marked_slices
from grisaille.methods.anomalyclip.method import AnomalyCLIP
from grisaille.methods.anomalyclip.prompts import Prompts
from grisaille.methods.anomalyclip.state import State
from methods.anomalyclip.small_clip import small_clip
from phantoms import small_cohort

RUN = Run(device="cpu", threads=1)
CONFIG = AnomalyClipConfig(token_mm=32.0, step_mm=20.0, ct_windows=(-160.0, 240.0), epochs=2, context=4, deep=2)


def unfitted(config: AnomalyClipConfig = CONFIG) -> AnomalyCLIP:
    return AnomalyCLIP(small_clip(), State(config, Prompts.untuned(128)))


def test_masks_lie_on_the_slices_where_the_lesions_are() -> None:
    (case,) = small_cohort(1, 5, lesions=2)
    for one in marked_slices([case], replace(CONFIG, step_mm=8.0), 16):
        pictures, masks = one.load()
        images = pictures.images(np.arange(len(pictures)))
        assert images.shape[0] == len(masks)
        assert images.shape[2:] == masks.shape[1:]
        assert masks.any()
        assert not masks.any(axis=(1, 2)).all()  # healthy slices beside them
    # The last sheet is the PET's: what is marked is brighter than the rest of the body.
    grey = images[:, 0]
    assert grey[masks].mean() > 1.5 * grey[(grey > 0.02) & ~masks].mean()


def test_a_fit_learns_prompts_and_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = (*small_cohort(2, 5, lesions=2), *small_cohort(2, 11))
    notes: list[str] = []
    run = replace(RUN, on_note=notes.append)
    fitted = unfitted().fit_in(tmp_path, cases, run)
    assert fitted.known.prompts.context.shape == (2, 4, 128)
    assert fitted.known.prompts.deep.shape == (2, 4, 128)
    assert "marked" in fitted.known.learned_from
    assert set(fitted.known.calibrations) == {"ct", "pet", "ct+pet"}
    assert fitted.known.calibrations["pet"].source is CalibrationSource.PATIENTS
    assert fitted.known.calibrations["pet"].patients == 1
    assert any("patients left out" in note for note in notes)

    def refuse(*_: object) -> None:
        raise AssertionError("a slice was looked at again")

    monkeypatch.setattr(token_cache, "see", refuse)
    monkeypatch.setattr(AnomalyCLIP, "calibrate", lambda self, cases, run: self)
    again = unfitted().fit_in(tmp_path, cases, RUN)
    np.testing.assert_array_equal(again.known.prompts.context, fitted.known.prompts.context)


def test_nothing_marked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableVolume, match="marked"):
        unfitted().fit_in(tmp_path, small_cohort(2, 11), RUN)
