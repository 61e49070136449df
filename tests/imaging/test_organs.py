"""Organs: laws, slow oracles, cases by hand, and lesions that lead their organ in a synthetic and in a real patient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import grisaille as gr
from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration
from grisaille.core.errors import ConfigError, InputError
from grisaille.core.grid import Axis, Grid
from grisaille.core.labels import Labels
from grisaille.core.organ_names import TOTALSEGMENTATOR
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.imaging.organs import find_organs
from grisaille.imaging.resample import resample
from grisaille.imaging.threshold_organs import Tissue, threshold_organs
from grisaille.imaging.top_component import top_component
from oracles import slow_organs as slow
from phantoms import small_phantom


def anomaly_of(scores, grid, body=None):
    extras = {} if body is None else {BODY: Volume(np.asarray(body, dtype=np.uint8), grid)}
    slices = SliceScores(Axis.AXIAL, np.zeros(grid.shape[0]))
    return AnomalyMap(scores, slices, grid, Calibration.none(), extras=extras)


def pet_of(voxels, grid):
    return Volume(np.asarray(voxels, dtype=np.float32), grid, Modality.PET, Unit.SUVBW)


def noisy(grid, seed=0):
    """A study without meaning and its scores, normal noise about 5."""
    scores = np.random.default_rng(seed).normal(5, 1, grid.shape)
    return Study.of(pet_of(np.ones(grid.shape), grid)), scores


def halves(grid, names=()):
    """Two organs side by side."""
    voxels = np.ones(grid.shape, np.uint16)
    voxels[..., grid.shape[2] // 2 :] = 2
    return Labels(voxels, grid, dict(names))


def place_of(row):
    return row.centroid_s_mm, row.centroid_p_mm, row.centroid_l_mm


def test_shares_are_told_apart_by_their_log_odds_and_rows_keep_the_shares():
    grid = Grid.from_spacing((6, 8, 8), 4.0)
    study, _ = noisy(grid)
    odds = np.random.default_rng(1).normal(-8, 2, grid.shape)
    odds[2:4, 2:4, 1:3] = 3
    shares = 1 / (1 + np.exp(-odds))
    labels = halves(grid)
    rows, z_map = find_organs(replace(anomaly_of(shares, grid), by_odds=True), labels, study)
    plain_rows, plain_map = find_organs(anomaly_of(odds, grid), labels, study)
    np.testing.assert_allclose(z_map.z, plain_map.z, atol=2e-3)
    assert [row.id for row in rows] == [row.id for row in plain_rows] == [1, 2]
    assert rows[0].z_top == pytest.approx(plain_rows[0].z_top, abs=2e-3)
    assert rows[0].z_max == pytest.approx(plain_rows[0].z_max, abs=2e-3)
    assert rows[0].score_max == pytest.approx(shares.max())
    assert rows[0].score_mean == pytest.approx(shares[..., :4].mean(), rel=1e-5)
    assert place_of(rows[0]) == pytest.approx(place_of(plain_rows[0]))


def test_shares_of_nothing_and_all_have_finite_log_odds():
    grid = Grid.from_spacing((4, 4, 4), 4.0)
    shares = np.zeros(grid.shape)
    shares[0, 0] = 1.0
    study, _ = noisy(grid)
    rows, z_map = find_organs(replace(anomaly_of(shares, grid), by_odds=True), halves(grid), study)
    assert np.isfinite(z_map.z).all()
    assert np.isfinite([row.z_top for row in rows]).all()


# --- against the oracle


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0.2, 1.0), st.sampled_from([3, 1000]))
def test_the_top_component_is_the_first_to_hang_together_as_the_cut_is_lowered(seed, voxels, share, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (4, 5, 6)).astype(np.float32)  # few levels: many equal scores
    inside = rng.random(scores.shape) < share
    inside[1, 2, 3] = True
    found = {tuple(int(i) for i in place) for place in np.argwhere(top_component(scores, inside, voxels))}
    assert found in [set(part) for part in slow.top_parts(scores, inside, voxels)]


@pytest.mark.parametrize("edge_mm", [0.0, 2.5])
def test_units_and_edges_are_those_of_the_slow_version(edge_mm):
    grid = Grid.from_spacing((5, 8, 14), (3.0, 2.0, 2.0))
    study, scores = noisy(grid)
    labels = halves(grid)
    rows, organs = find_organs(anomaly_of(scores, grid), labels, study, edge_mm=edge_mm)
    assert not any(row.borrowed for row in rows)
    scores = scores.astype(np.float32)
    for row in rows:
        mask = labels.voxels == row.id
        core = slow.deep(mask, grid.spacing_mm, edge_mm)
        middle, spread = slow.units(scores[core].tolist())
        np.testing.assert_allclose(organs.z[mask], (scores[mask] - middle) / spread, rtol=1e-4, atol=1e-5)
        assert row.score_mean == pytest.approx(scores[core].mean(), rel=1e-5)
        assert (row.score_p95, row.score_p99) == pytest.approx(tuple(np.percentile(scores[core], (95, 99))))
        assert row.score_max == scores[core].max()
        assert row.z_max == pytest.approx((scores[core].max() - middle) / spread, rel=1e-4)


# --- laws


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 20), st.floats(-50, 50))  # beyond a hundredfold an organ is quiet
def test_an_organ_on_another_scale_has_the_same_z_and_the_same_top(factor, shift):
    grid = Grid.from_spacing((6, 8, 10), 4.0)
    study, scores = noisy(grid)
    scaled = np.where(np.arange(10) >= 5, scores * factor + shift, scores)
    (rows, before), (again, after) = (
        find_organs(anomaly_of(one, grid), halves(grid), study) for one in (scores, scaled)
    )
    np.testing.assert_allclose(before.z, after.z, atol=2e-2)
    assert [row.id for row in rows] == [row.id for row in again]
    assert [place_of(row) for row in rows] == [place_of(row) for row in again]


def test_one_voxel_of_noise_does_not_rank_an_organ_first_but_a_small_lesion_does():
    grid = Grid.from_spacing((12, 16, 20), 4.0)
    study, scores = noisy(grid)
    scores[3, 3, 3] += 40  # a spike in organ 1
    scores[6:9, 6:9, 14:17] += 6  # 1.7 ml in organ 2
    rows, _ = find_organs(anomaly_of(scores, grid), halves(grid), study)
    assert [row.id for row in rows] == [2, 1]
    assert rows[1].z_max > rows[0].z_max
    assert place_of(rows[0]) == pytest.approx((28, 28, 60), abs=4)


def test_what_lacks_to_a_millilitre_counts_as_nothing():
    grid = Grid.from_spacing((6, 8, 40), 4.0)  # 16 voxels a millilitre
    study, scores = noisy(grid)
    voxels = np.ones(grid.shape, np.uint16)
    voxels[0, 0, ::4] = 2  # ten voxels, none beside another
    rows, _ = find_organs(anomaly_of(scores, grid), Labels(voxels, grid), study)
    alone = next(row for row in rows if row.id == 2)
    assert alone.top_ml == pytest.approx(grid.voxel_ml)
    assert alone.z_top == pytest.approx(alone.z_max / 16)


def test_neither_scores_nor_labels_are_changed_and_the_same_comes_out_again():
    grid = Grid.from_spacing((6, 8, 10), 4.0)
    study, scores = noisy(grid)
    anomaly, labels = anomaly_of(scores, grid), halves(grid)
    before = anomaly.scores.copy(), labels.voxels.copy()
    rows, organs = find_organs(anomaly, labels, study, edge_mm=4)
    again, organs_again = find_organs(anomaly, labels, study, edge_mm=4)
    assert rows == again
    np.testing.assert_array_equal(organs.z, organs_again.z)
    np.testing.assert_array_equal(anomaly.scores, before[0])
    np.testing.assert_array_equal(labels.voxels, before[1])


def test_only_what_was_judged_counts():
    grid = Grid.from_spacing((6, 8, 10), 4.0)
    study, scores = noisy(grid)
    body = np.ones(grid.shape)
    body[0] = 0
    scores[0] = 1000
    rows, organs = find_organs(anomaly_of(scores, grid, body), halves(grid), study)
    assert max(row.score_max for row in rows) < 20
    assert not organs.z[0].any()
    assert rows[0].volume_ml == pytest.approx(grid.size / 2 * grid.voxel_ml)  # the organ's, judged or not


# --- by hand


def test_a_three_by_three_organ_by_hand():
    grid = Grid.from_spacing((1, 12, 3), 10.0)  # a voxel is a millilitre
    scores = np.zeros(grid.shape)
    scores[0, :3] = [[1, 2, 3], [4, 5, 6], [7, 8, 99]]
    scores[0, 3:] = np.arange(27).reshape(9, 3)
    voxels = np.full(grid.shape, 2, np.uint16)
    voxels[0, :3] = 1
    labels = Labels(np.repeat(voxels, 4, axis=0), Grid.from_spacing((4, 12, 3), 10.0))
    anomaly = anomaly_of(np.repeat(scores, 4, axis=0), labels.grid)
    rows, organs = find_organs(anomaly, labels, Study.of(pet_of(anomaly.scores, labels.grid)))
    one = next(row for row in rows if row.id == 1)
    # 36 voxels: median 5; deviations 0 1 1 2 2 3 3 4 94, each four times: MAD 2.
    assert one.z_max == pytest.approx(94 / (2 * 1.4826))
    assert one.z_top == pytest.approx(one.z_max)
    assert (one.score_max, one.score_top) == (99, 99)
    assert one.top_ml == pytest.approx(4)  # four equal voxels in a column come in together
    assert place_of(one) == (15, 20, 20)
    assert one.volume_ml == pytest.approx(36)
    assert (one.suv_max, one.hu_mean) == (99, None)
    assert organs.z[0, 1, 1] == 0


def test_an_organ_with_even_scores_borrows_the_spread_of_all():
    grid = Grid.from_spacing((6, 8, 10), 4.0)
    study, scores = noisy(grid)
    scores[..., 5:] = 3
    scores[2, 2, 7] = 4  # a rounding error of an organ that is 3 everywhere
    rows, _ = find_organs(anomaly_of(scores, grid), halves(grid), study)
    even = next(row for row in rows if row.id == 2)
    assert even.borrowed
    assert rows[0].id == 1
    assert not rows[0].borrowed
    assert 0 < even.z_max < 1e3


def test_an_organ_of_few_voxels_borrows_and_does_not_lead_by_a_spike():
    grid = Grid.from_spacing((6, 8, 10), 4.0)
    study, scores = noisy(grid)
    voxels = np.ones(grid.shape, np.uint16)
    voxels[0, 0, :3] = 2
    scores[0, 0, :3] = [5, 5.001, 12]
    rows, _ = find_organs(anomaly_of(scores, grid), Labels(voxels, grid), study)
    assert [(row.id, row.borrowed) for row in rows] == [(1, False), (2, True)]


def test_scores_that_are_all_equal_have_z_nought():
    grid = Grid.from_spacing((3, 3, 3), 4.0)
    rows, organs = find_organs(anomaly_of(np.full(grid.shape, 7.0), grid), halves(grid), noisy(grid)[0])
    assert not organs.z.any()
    assert [row.z_top for row in rows] == [0, 0]


def test_mostly_empty_scores_are_ranked_by_their_lesion():
    grid = Grid.from_spacing((12, 16, 20), 4.0)
    scores = np.zeros(grid.shape)
    scores[6:9, 6:9, 14:17] = 6
    scores[2, 2, 2] = 9
    rows, _ = find_organs(anomaly_of(scores, grid), halves(grid), noisy(grid)[0])
    assert [row.id for row in rows] == [2, 1]
    assert all(row.borrowed for row in rows)


def test_an_organ_too_thin_for_the_edge_is_taken_whole():
    grid = Grid.from_spacing((6, 8, 10), 4.0)
    study, scores = noisy(grid)
    voxels = np.ones(grid.shape, np.uint16)
    voxels[:, :, 5] = 2
    rows, _ = find_organs(anomaly_of(scores, grid), Labels(voxels, grid), study, edge_mm=6)
    thin = next(row for row in rows if row.id == 2)
    assert thin.score_max == pytest.approx(scores[:, :, 5].max())


def test_edges_do_not_lead():
    grid = Grid.from_spacing((10, 12, 20), 4.0)
    study, scores = noisy(grid)
    scores[..., 9:11] += 8  # along the border of the two organs
    scores[4:7, 5:8, 14:17] += 5
    rows, _ = find_organs(anomaly_of(scores, grid), halves(grid), study, edge_mm=5)
    assert rows[0].id == 2
    assert place_of(rows[0]) == pytest.approx((20, 24, 60), abs=4)


@pytest.mark.parametrize("edge_mm", [-1.0, np.nan, np.inf])
def test_an_edge_that_makes_no_sense_is_refused(edge_mm):
    grid = Grid.from_spacing((3, 3, 3), 4.0)
    with pytest.raises(ConfigError, match="expected 0 or more"):
        find_organs(anomaly_of(np.zeros(grid.shape), grid), halves(grid), noisy(grid)[0], edge_mm=edge_mm)


# --- on other grids


def test_organs_on_the_ct_grid_are_read_at_the_same_place():
    grid = Grid.from_spacing((10, 12, 14), 4.0)
    fine = Grid.from_spacing((40, 48, 56), 1.0, origin_mm=(-1.5, -1.5, -1.5))
    study, scores = noisy(grid)
    scores[3:6, 3:6, 9:12] += 20
    hu = np.where(np.arange(56) >= 28, 60, 40) * np.ones(fine.shape)
    ct = Volume(hu.astype(np.int16), fine, Modality.CT, Unit.HU)
    rows, organs = find_organs(anomaly_of(scores, grid), halves(fine), Study.of(study.pet, ct))
    assert organs.labels.grid == grid
    assert rows[0].id == 2
    assert place_of(rows[0]) == pytest.approx((16, 16, 40), abs=2)
    assert {row.id: row.hu_mean for row in rows} == {1: 40, 2: 60}
    assert rows[0].volume_ml == pytest.approx(fine.size / 2 / 1000)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"voxels": np.zeros((6, 8, 10), np.uint16)}, "organs.nii.gz holds no organ"),
        ({"grid": Grid.from_spacing((6, 8, 10), 4.0, (900, 0, 0))}, r"organs.nii.gz lies on .* beside the study"),
    ],
)
def test_organs_that_are_none_or_elsewhere_are_refused_by_name(change, says):
    grid = Grid.from_spacing((6, 8, 10), 4.0)
    study, scores = noisy(grid)
    with pytest.raises(InputError, match=says):
        find_organs(anomaly_of(scores, grid), replace(halves(grid), **change), study, called="organs.nii.gz")


def test_organs_beside_the_body_are_refused_by_name():
    grid = Grid.from_spacing((6, 8, 10), 4.0)
    study, scores = noisy(grid)
    body = np.zeros(grid.shape)
    body[:, :, :3] = 1
    voxels = np.zeros(grid.shape, np.uint16)
    voxels[:, :, 6] = 4
    with pytest.raises(InputError, match=r"no organ of mine lies in the body"):
        find_organs(anomaly_of(scores, grid, body), Labels(voxels, grid), study, called="mine")


# --- organs by thresholds


def test_thresholds_tell_body_lung_bone_and_air_apart():
    phantom = small_phantom()
    organs = threshold_organs(phantom.study)
    assert organs.grid == phantom.study.reference
    assert dict(organs.names) == {1: "body", 2: "lung", 3: "bone"} | ({4: "air"} if 4 in organs.ids else {})
    truth = resample(phantom.organs, organs.grid)
    number = {name: key for key, name in phantom.organs.names.items()}

    def share(name, tissue):
        return float((organs.voxels[truth.voxels == number[name]] == tissue).mean())

    assert share("lung right", Tissue.LUNG) > 0.9
    assert share("lung left", Tissue.LUNG) > 0.9
    assert share("liver", Tissue.BODY) > 0.95
    assert share("cortical bone", Tissue.BONE) > 0.5
    assert (organs.voxels[truth.voxels == 0] == 0).mean() > 0.95


def test_a_pet_alone_gives_the_body_alone():
    pet = small_phantom().study.pet
    organs = threshold_organs(Study.of(pet))
    assert dict(organs.names) == {1: "body"}
    assert organs.ids == (1,)
    assert organs.source.affine is pet.source.affine


# --- patients


def blob(grid, centre_mm, height, sigma_mm):
    indices = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    squares = ((grid.to_mm(indices) - np.asarray(centre_mm)) ** 2).sum(axis=-1)
    return height * np.exp(-squares / (2 * sigma_mm**2))


def test_a_lesion_painted_into_the_scores_of_a_synthetic_patient_ranks_its_organ_first():
    phantom = small_phantom()
    grid = phantom.study.reference
    truth = resample(phantom.organs, grid)
    (liver,) = (key for key, name in phantom.organs.names.items() if name == "liver")
    inside = np.argwhere(truth.voxels == liver)
    centre = grid.to_mm(inside[np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()])
    scores = np.random.default_rng(1).normal(10, 1, grid.shape) + blob(grid, centre, 9, 12)
    rows, organs = find_organs(anomaly_of(scores, grid), phantom.organs, phantom.study)
    assert rows[0].name == "liver"
    assert np.abs(grid.to_index(place_of(rows[0])) - grid.to_index(centre)).max() <= 1
    assert organs.z[tuple(np.round(grid.to_index(centre)).astype(int))] > 4


@pytest.mark.real_data
@pytest.mark.parametrize("organ", ["liver", "spleen", "hip_left"])
def test_a_lesion_painted_into_the_scores_of_a_real_torso_ranks_its_organ_first(real_data, organ):
    ct = gr.read_volume(real_data / "torso_ct" / "ct.nii.gz", modality="CT", unit="HU")
    labels = replace(gr.read_labels(real_data / "torso_ct" / "labels.nii.gz", like=ct), names=TOTALSEGMENTATOR)
    (number,) = (key for key, name in TOTALSEGMENTATOR.items() if name == organ)
    mask = labels.voxels == number
    inside = np.argwhere(slow_depth(mask, ct.grid))
    centre = ct.grid.to_mm(inside[0])
    scores = np.random.default_rng(2).normal(0, 1, ct.grid.shape) + blob(ct.grid, centre, 12, 6)
    rows, _ = find_organs(anomaly_of(scores, ct.grid), labels, Study.of(ct))
    assert rows[0].name == organ
    assert np.abs(ct.grid.to_index(place_of(rows[0])) - inside[0]).max() <= 1
    assert rows[0].volume_ml == pytest.approx(mask.sum() * 0.027)


def slow_depth(mask, grid):
    """The deepest voxel of a mask."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(mask, sampling=grid.spacing_mm)
    return depth == depth.max()


def test_a_quiet_organ_has_no_unit_of_its_own_beside_louder_ones():
    grid = Grid.from_spacing((12, 16, 20), 4.0)
    study, scores = noisy(grid)
    quiet = np.where(np.arange(20) < 10, scores * 1e-5, scores)
    quiet[3:6, 3:6, 3:6] += 0.01  # nothing beside what the other organ does all the time
    rows, organ_map = find_organs(anomaly_of(quiet, grid), halves(grid), study)
    assert [row.id for row in rows] == [2, 1]
    assert abs(organ_map.z[..., :10]).max() < 1
