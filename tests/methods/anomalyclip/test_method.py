"""From tokens to voxels and back: places, planes, tiles, refinement, kept features."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from grisaille.core.calibration import CalibrationSource, Per
from grisaille.core.errors import Cancelled, UnsuitableVolume, WeightsMismatch
from grisaille.core.grid import Axis, Grid
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.slices import SliceStack
from grisaille.methods.anomalyclip import encoding
from grisaille.methods.anomalyclip.config import AnomalyClipConfig, Fusion
from grisaille.methods.anomalyclip.fusing import SheetMap, fused, sheet_map
from grisaille.methods.anomalyclip.method import AnomalyCLIP
from grisaille.methods.anomalyclip.pictures import Sheet, sheets, spans
from grisaille.methods.anomalyclip.reader import Reader
from grisaille.methods.anomalyclip.state import State
from grisaille.methods.anomalyclip.tokens import smooth_maps
from methods.anomalyclip.small_clip import small_clip, small_prompts
from phantoms import small_cohort, small_phantom

RUN = Run(device="cpu", threads=1)
COARSE = AnomalyClipConfig(token_mm=32.0, step_mm=40.0, ct_windows=(-160.0, 240.0), smallest_ml=0.0)


def method(config: AnomalyClipConfig = COARSE) -> AnomalyCLIP:
    """With the small CLIP, whose weights are a formula: its scores mean nothing, their places do."""
    return AnomalyCLIP(small_clip(), State(config, small_prompts(), small_clip().fingerprint))


class BrightReader(Reader):
    """A stand-in for the network whose score of a token is how bright it is."""

    def encoder(self, run: Run) -> _BrightEncoder:
        del run
        return _BrightEncoder()


class Bright(AnomalyCLIP):
    @property
    def reader(self) -> BrightReader:
        return BrightReader(self.clip, self.config, self.known.prompts)


class _BrightEncoder:
    class store:
        tidy = staticmethod(lambda: None)

    def scores(self, sheet, slices):
        side = sheet.patch
        for number in slices:
            tiles = []
            for tile in sheet.tiles(number):
                grey = sheet.picture(number, tile)[0]
                rows, columns = grey.shape[0] // side, grey.shape[1] // side
                tiles.append(grey.reshape(rows, side, columns, side).mean(axis=(1, 3)))
            yield number, encoding._joined(sheet, number, tiles)


def bright(config: AnomalyClipConfig) -> Bright:
    return Bright(small_clip(), State(config, small_prompts()))


def ball(centre_mm: tuple[float, float, float], affine: np.ndarray | None = None) -> Study:
    """A PET of a box at SUV 1 with a hot ball of 15 mm radius off its middle."""
    grid = Grid.from_spacing((40, 50, 60), 4.0, (-80.0, -100.0, -120.0))
    if affine is not None:
        grid = Grid(grid.shape, affine @ grid.affine)
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    voxels = np.zeros(grid.shape, np.float32)
    voxels[3:-3, 5:-5, 5:-5] = 1.0
    voxels[np.linalg.norm(points - centre_mm, axis=-1) <= 15] = 9.0
    return Study.of(Volume(voxels, grid, Modality.PET, Unit.SUVBW, name="ball"))


@pytest.mark.parametrize("axis", Axis)
@pytest.mark.parametrize("tile", [37, 5])
def test_what_is_bright_scores_at_its_place_in_every_plane(axis: Axis, tile: int) -> None:
    centre = (24.0, -30.0, 41.0)
    config = AnomalyClipConfig(token_mm=8.0, step_mm=4.0, planes=(axis,), tile=tile)
    anomaly = bright(config).score(ball(centre), RUN)
    there = anomaly.scores > 0.6
    assert there.any()
    found = anomaly.grid.to_mm(np.argwhere(there)).mean(axis=0)
    np.testing.assert_allclose(found, centre, atol=2.0)
    assert anomaly.slice_scores.axis is axis


def test_an_oblique_volume_keeps_its_place() -> None:
    angle = 0.3
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    centre = (24.0, -30.0, 41.0)
    anomaly = bright(AnomalyClipConfig(token_mm=8.0, planes=tuple(Axis))).score(ball(centre, turn), RUN)
    found = anomaly.grid.to_mm(np.argwhere(anomaly.scores > 0.6)).mean(axis=0)
    np.testing.assert_allclose(found, centre, atol=2.0)


def test_tiles_cover_everything_and_overlap() -> None:
    for count in (3, 4, 5, 8, 9, 30, 37, 38):
        pieces = spans(count, 4)
        seen = np.zeros(count, int)
        for piece in pieces:
            seen[piece] += 1
        assert seen.min() >= 1
        assert all(piece.stop - piece.start == min(4, count) for piece in pieces)
        assert all(one.stop > other.start for one, other in pairwise(pieces))


def test_scores_of_tiles_equal_those_of_whole_slices_where_a_token_stands_alone() -> None:
    study = ball((0.0, 0.0, 0.0))
    whole, tiled = (
        bright(AnomalyClipConfig(token_mm=8.0, tile=tile)).score(study, RUN).scores for tile in (37, 6)
    )  # fmt: skip
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    """But for the last bit, which a product of several threads does not keep."""
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_refinement_ends_at_the_score_and_says_before_what_is_missing() -> None:
    one = method(replace(COARSE, step_mm=20.0))
    study = small_phantom(5).study
    steps = list(one.refine(study, RUN))
    assert [step.incomplete for step in steps] == ["every 4th slice only", "every 2nd slice only", ""]
    same(steps[-1].scores, one.score(study, RUN).scores)
    assert all((step.scores > 0).sum() == (steps[-1].scores > 0).sum() for step in steps)


def test_kept_features_give_the_same_map_without_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = small_phantom(5).study
    run = replace(RUN, cache=tmp_path)
    first = method().score(study, run).scores
    same(method().score(study, RUN).scores, first)

    def refuse(*_: object) -> None:
        raise AssertionError("a slice was looked at again")

    monkeypatch.setattr(encoding, "see", refuse)
    same(method().score(study, run).scores, first)
    plain = replace(method(), known=replace(method().known, prompts=small_prompts().untuned(128)))
    assert np.abs(plain.score(study, run).scores - first).max() > 1e-3


def test_damaged_features_are_made_anew_and_said(tmp_path: Path) -> None:
    study, notes = small_phantom(5).study, []
    run = replace(RUN, cache=tmp_path, on_note=notes.append)
    first = method().score(study, run).scores
    kept = sorted(tmp_path.rglob("*.npz"))
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    notes.clear()
    same(method().score(study, run).scores, first)
    assert sum("damaged" in note for note in notes) == 1
    assert kept[0].stat().st_size > 1000


def test_a_full_disk_is_said_once_and_the_map_is_whole(tiny_disk: Path) -> None:
    notes: list[str] = []
    run = replace(RUN, cache=tiny_disk, on_note=notes.append)
    study = small_phantom(5).study
    same(method().score(study, run).scores, method().score(study, RUN).scores)
    assert sum("not kept" in note for note in notes) == 1


def test_cancelled_between_tiles() -> None:
    steps: list[int] = []
    run = replace(RUN, on_progress=lambda _: steps.append(1), is_cancelled=lambda: len(steps) > 3)
    with pytest.raises(Cancelled):
        method().score(small_phantom(5).study, run)
    assert len(steps) <= 5


def test_state_and_from_state_are_inverse_and_other_backbones_refused() -> None:
    calibrated = method().calibrate(small_cohort(2, 11), RUN).calibrated_on(CalibrationSource.SYNTHETIC)
    again = State.of(calibrated.state())
    assert again.config == COARSE
    np.testing.assert_array_equal(again.prompts.context, small_prompts().context)
    assert set(again.calibrations) == {"ct", "pet", "ct+pet"}
    assert again.calibrations["pet"].source is CalibrationSource.SYNTHETIC
    assert dict(again.bundle().header) == dict(calibrated.state().header)
    with pytest.raises(WeightsMismatch, match="wide"):
        small_prompts().untuned(64).require_fits(small_clip())
    with pytest.raises(WeightsMismatch, match="begin"):
        replace(small_prompts(), start=small_prompts().start + 0.01).require_fits(small_clip())


def test_a_promise_holds_only_for_the_settings_it_was_measured_with() -> None:
    study, notes = small_phantom(5).study, []
    calibrated = method().calibrate(small_cohort(2, 11), RUN)
    anomaly = calibrated.score(study, RUN)
    assert anomaly.calibration.scans == 2
    assert calibrated.label(anomaly, 1.0, Per.SCAN).voxels.shape == anomaly.grid.shape
    other = replace(calibrated, known=replace(calibrated.known, config=replace(COARSE, token_mm=30.0)))
    run = replace(RUN, on_note=notes.append)
    assert other.score(study, run).calibration.source is CalibrationSource.NONE
    assert any("does not hold" in note for note in notes)


def test_slices_between_are_interpolated_and_those_beyond_are_as_the_nearest() -> None:
    grid = Grid.from_spacing((6, 48, 32), 2.0)
    stack = SliceStack(np.zeros(grid.shape, np.float32), np.ones(grid.shape, bool), grid, ((0.0, 1.0),))
    tokens = np.random.default_rng(0).random((2, 3, 2)).astype(np.float32)
    found = sheet_map(Sheet("ct", Axis.AXIAL, stack, 16, 37), tokens, np.array([1, 4]), 4.0).scores
    first, last = smooth_maps(torch.from_numpy(tokens), (12, 8), 1.0).numpy()
    wanted = [first, first, (2 * first + last) / 3, (first + 2 * last) / 3, last, last]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_fusion_takes_windows_of_a_modality_together_first() -> None:
    grid = Grid.from_spacing((2, 2, 2), 4.0)
    body = np.ones(grid.shape, bool)
    maps = [SheetMap(key, np.full(grid.shape, value, np.float32), grid)
            for key, value in (("ct", 0.2), ("ct", 0.4), ("ct", 0.6), ("pet", 0.8))]  # fmt: skip
    assert fused(maps, body, grid, Fusion.MEAN)[0, 0, 0] == pytest.approx((0.4 + 0.8) / 2)
    assert fused(maps, body, grid, Fusion.HIGHEST)[0, 0, 0] == pytest.approx((0.6 + 0.8) / 2)
    geometric = ((0.2 * 0.4 * 0.6) ** (1 / 3) + 0.8) / 2
    assert fused(maps, body, grid, Fusion.GEOMETRIC)[0, 0, 0] == pytest.approx(geometric, rel=1e-5)


def test_a_modality_without_a_window_is_refused() -> None:
    other = replace(small_phantom(5).study.ct, modality=Modality.MR)
    with pytest.raises(UnsuitableVolume, match="CT and PET"):
        sheets(Study.of(other), {}, COARSE, 16)


def test_what_has_no_window_is_said_not_to_be_looked_at() -> None:
    notes: list[str] = []
    method(replace(COARSE, ct_windows=(), step_mm=40.0)).score(
        small_phantom(5).study, replace(RUN, on_note=notes.append)
    )
    assert "the CT was not looked at: this model has no window for it" in notes
    assert not any("PET was not" in note for note in notes)


def test_eight_bits_are_near_and_kept_apart(tmp_path: Path) -> None:
    study = small_phantom(5).study
    run = replace(RUN, cache=tmp_path)
    exact = method().score(study, run).scores
    rounded = method(replace(COARSE, eight_bit=True)).score(study, run).scores
    apart = np.abs(rounded - exact).max()
    assert 0 < apart < 0.1
    assert np.corrcoef(rounded[exact > 0], exact[exact > 0])[0, 1] > 0.98
