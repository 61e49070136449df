"""Volumes and labels as layers, and back on their true grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from napari.layers import Labels as LabelsLayer

from grisaille.core.anomaly import AnomalyMap, SliceScores
from grisaille.core.calibration import Calibration, CalibrationSource, Per
from grisaille.core.errors import GridMismatch, InputError
from grisaille.core.finding import Finding
from grisaille.core.grid import Axis, Grid
from grisaille.core.labels import Labels
from grisaille.core.result import Asked, Provenance, Result
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Source, SourceFormat, Unit, Volume
from grisaille.desktop import layers
from volumes import ball, ct_on, oblique_grid, pet_on

CT_GRID = Grid.from_spacing((12, 10, 8), (3.0, 2.0, 2.0), (-60.0, -10.0, -8.0))
PET_GRID = Grid.from_spacing((9, 6, 5), (4.0, 4.0, 4.0), (-61.0, -11.0, -9.0))
OBLIQUE = oblique_grid((14, 12, 10), (3.0, 2.0, 2.0))


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def labels_on(grid: Grid) -> Labels:
    centre = grid.to_mm(np.asarray(grid.shape) / 2)
    voxels = np.zeros(grid.shape, np.uint16)
    voxels[ball(grid, centre, 7.0)] = 3
    voxels[2, 2, 2] = 300
    return Labels(voxels, grid, {3: "liver lesion"}, Source(SourceFormat.NRRD, name="truth"))


NO_MEASURES = dict.fromkeys(("suv_max", "suv_mean", "suv_peak", "tlg", "hu_mean", "score"))


def finding(label: int, **measures: float) -> Finding:
    return Finding(
        id=label,
        label=label,
        tracking_uid="2.25.1",
        volume_ml=1.0,
        long_axis_mm=10.0,
        short_axis_mm=8.0,
        centroid_l_mm=0.0,
        centroid_p_mm=0.0,
        centroid_s_mm=0.0,
        slice_first=0,
        slice_last=1,
        **(NO_MEASURES | measures),
    )


def test_a_layer_holds_the_voxels_themselves_untouched(viewer: ViewerModel) -> None:
    volume = ct_on(CT_GRID)
    layer = layers.add_volume(viewer, volume)
    assert layer.data is volume.voxels
    assert layers.volume_from(layer) is volume
    assert layer.name == "CT"
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3


def test_ct_and_pet_of_one_place_meet_in_the_world(viewer: ViewerModel) -> None:
    ct, pet = layers.add_study(viewer, Study.of(pet_on(PET_GRID), ct_on(CT_GRID)))
    assert [layer.metadata[layers.THING].modality for layer in (ct, pet)] == [Modality.CT, Modality.PET]
    point = (-40.0, 2.0, 1.0)
    for layer, grid in ((ct, CT_GRID), (pet, PET_GRID)):
        np.testing.assert_allclose(layer.world_to_data(layers.world_from_lps(point)), grid.to_index(point))


def test_an_oblique_volume_is_drawn_resampled_says_so_and_stays_true(viewer: ViewerModel) -> None:
    lesion_mm = OBLIQUE.to_mm((7, 5, 5))
    volume = ct_on(OBLIQUE).with_voxels(np.where(ball(OBLIQUE, lesion_mm, 6.0), 1000, 0).astype(np.float32))
    layer = layers.add_volume(viewer, volume)
    assert layer.name == "CT (resampled for display)"
    assert layers.volume_from(layer) is volume
    drawn = layers.grid_of(layer)
    centre = drawn.to_mm(np.argwhere(layer.data > 500).mean(axis=0))
    np.testing.assert_allclose(centre, lesion_mm, atol=0.5)


def test_numbers_replaced_in_the_viewer_are_taken(viewer: ViewerModel) -> None:
    layer = layers.add_volume(viewer, ct_on(CT_GRID))
    layer.data = np.array(layer.data) + 1
    volume = layers.volume_from(layer)
    np.testing.assert_array_equal(volume.voxels, ct_on(CT_GRID).voxels + 1)
    assert volume.grid == CT_GRID
    assert volume.unit is Unit.HU


def test_a_layer_of_another_plugin_is_refused() -> None:
    with pytest.raises(InputError, match=r"'cells' was not opened with grisaille.*open its file again"):
        layers.volume_from(Image(np.zeros((3, 4, 5)), name="cells", contrast_limits=(0, 1)))


@pytest.mark.parametrize("change", [{"translate": (0, 0, 5)}, {"scale": (3, 2, 2)}])
def test_a_layer_moved_in_the_viewer_is_refused(viewer: ViewerModel, change: dict[str, Any]) -> None:
    layer = layers.add_volume(viewer, ct_on(CT_GRID))
    for name, value in change.items():
        setattr(layer, name, value)
    with pytest.raises(GridMismatch, match="'CT' was moved, scaled"):
        layers.volume_from(layer)


def test_a_layer_whose_data_were_transposed_in_the_viewer_is_refused(viewer: ViewerModel) -> None:
    for layer, back in (
        (layers.add_volume(viewer, ct_on(CT_GRID)), layers.volume_from),
        (layers.add_labels(viewer, labels_on(CT_GRID)), layers.labels_from),
    ):
        layer.data = np.array(layer.data.transpose(2, 1, 0))
        with pytest.raises(GridMismatch, match="given data of another shape"):
            back(layer)


@pytest.mark.parametrize("grid", [CT_GRID, OBLIQUE])
def test_labels_nobody_touched_come_back_bit_for_bit(viewer: ViewerModel, grid: Grid) -> None:
    labels = labels_on(grid)
    back = layers.labels_from(layers.add_labels(viewer, labels))
    np.testing.assert_array_equal(back.voxels, labels.voxels)
    assert back.grid == grid
    assert back.names == labels.names
    assert back.source is labels.source


def test_paint_on_a_straight_grid_is_the_label(viewer: ViewerModel) -> None:
    layer = layers.add_labels(viewer, labels_on(CT_GRID))
    layer.data[1, 1, 1] = 9
    assert layers.labels_from(layer).voxels[1, 1, 1] == 9


def test_paint_on_an_oblique_study_goes_to_its_true_place(viewer: ViewerModel) -> None:
    labels = labels_on(OBLIQUE)
    layer = layers.add_labels(viewer, labels)
    assert layer.name.endswith("(resampled for display)")
    point = OBLIQUE.to_mm((10, 8, 7))
    drawn = layers.grid_of(layer)
    layer.data[ball(drawn, point, 4.0)] = 9
    back = layers.labels_from(layer)
    painted = back.voxels == 9
    np.testing.assert_allclose(OBLIQUE.to_mm(np.argwhere(painted).mean(axis=0)), point, atol=1.0)
    volume_mm3 = painted.sum() * OBLIQUE.voxel_ml * 1000
    assert volume_mm3 == pytest.approx(4 / 3 * np.pi * 4.0**3, rel=0.25)
    np.testing.assert_array_equal(back.voxels[~painted], labels.voxels[~painted])


def test_erasing_on_an_oblique_study_reaches_the_true_grid(viewer: ViewerModel) -> None:
    layer = layers.add_labels(viewer, labels_on(OBLIQUE))
    layer.data[layer.data == 3] = 0
    assert layers.labels_from(layer).ids == (300,)


@pytest.mark.parametrize("grid", [CT_GRID, OBLIQUE])
def test_new_labels_lie_on_the_volume_in_its_file_order(viewer: ViewerModel, grid: Grid) -> None:
    volume = ct_on(grid)
    layer = layers.new_labels(viewer, volume)
    labels = layers.labels_from(layer)
    assert labels.grid == grid
    assert labels.source is volume.source
    assert labels.ids == ()


def plain_on(viewer: ViewerModel, layer: Image) -> LabelsLayer:
    """What napari's button under the layer list makes on a selected layer."""
    plain = LabelsLayer(np.zeros(layer.data.shape, np.uint8), scale=layer.scale, translate=layer.translate)
    viewer.add_layer(plain)
    return plain


@pytest.mark.parametrize("grid", [CT_GRID, OBLIQUE])
def test_plain_labels_get_the_grid_of_the_volume_below(viewer: ViewerModel, grid: Grid) -> None:
    volume = ct_on(grid)
    plain = plain_on(viewer, layers.add_volume(viewer, volume))
    point = grid.to_mm((6, 5, 4))
    plain.data[ball(layers.grid_of(plain), point, 6.0)] = 1
    labels = layers.labels_from(plain, (pet_on(PET_GRID), volume))
    assert labels.grid == grid
    assert labels.source is volume.source
    np.testing.assert_allclose(grid.to_mm(np.argwhere(labels.voxels).mean(axis=0)), point, atol=1.0)


def test_plain_labels_over_several_volumes_get_the_finest_that_holds_them(viewer: ViewerModel) -> None:
    painted = np.zeros((20, 20, 20), np.uint8)
    plain = LabelsLayer(painted, scale=(2, 2, 2), translate=(30, -11, -9))
    point = np.array((-40.0, 1.0, 1.0))
    painted[ball(layers.grid_of(plain), point, 5.0)] = 2
    plain.data = painted
    labels = layers.labels_from(plain, (pet_on(PET_GRID), ct_on(CT_GRID)))
    assert labels.grid == CT_GRID
    np.testing.assert_allclose(CT_GRID.to_mm(np.argwhere(labels.voxels == 2).mean(axis=0)), point, atol=1.0)


def test_plain_labels_on_no_volume_get_a_sentence() -> None:
    painted = np.ones((4, 4, 4), np.uint8)
    with pytest.raises(InputError, match=r"'mine' was not painted on a volume that grisaille opened"):
        layers.labels_from(LabelsLayer(painted, name="mine"), (ct_on(CT_GRID),))


def test_labels_moved_in_the_viewer_are_refused(viewer: ViewerModel) -> None:
    layer = layers.add_labels(viewer, labels_on(CT_GRID))
    layer.translate = (0, 0, 0)
    with pytest.raises(GridMismatch, match="was moved"):
        layers.labels_from(layer)


def test_the_cursor_tells_a_finding_by_its_label(viewer: ViewerModel) -> None:
    labels = labels_on(CT_GRID)
    layer = layers.add_labels(viewer, labels, [finding(3, suv_max=9.126)])
    assert list(layer.features["index"]) == [3, 300]
    assert list(layer.features["name"]) == ["liver lesion", ""]
    assert layer.features["suv_max"][0] == 9.13
    assert np.isnan(layer.features["suv_max"][1])
    assert "hu_mean" not in layer.features


def result_of(study: Study, labels: Labels) -> Result:
    scores = np.linspace(0, 8, study.reference.size, dtype=np.float32).reshape(study.reference.shape)
    slices = SliceScores(Axis.AXIAL, np.zeros(study.reference.shape[0], np.float32))
    anomaly = AnomalyMap(scores, slices, study.reference, Calibration.none(), source=study.main.source)
    provenance = Provenance("0", "mvg", {}, (), "cpu", 0, {}, "", None, CalibrationSource.NONE, 0, Asked(1.0, Per.SCAN))
    return Result(anomaly, labels, (finding(3),), provenance)


@pytest.mark.parametrize("grid", [PET_GRID, OBLIQUE])
def test_a_result_is_shown_as_scores_and_findings_with_its_provenance(viewer: ViewerModel, grid: Grid) -> None:
    study = Study.of(ct_on(CT_GRID), pet_on(grid))
    result = result_of(study, labels_on(grid))
    shown = layers.show(viewer, result, study)
    assert list(viewer.layers) == [shown.anomaly, shown.labels]
    assert shown.anomaly.metadata[layers.PROVENANCE] is result.provenance
    assert shown.labels.metadata[layers.PROVENANCE] is result.provenance
    np.testing.assert_array_equal(layers.volume_from(shown.anomaly).voxels, result.anomaly.scores)
    np.testing.assert_array_equal(layers.labels_from(shown.labels).voxels, result.labels.voxels)


def test_a_result_without_findings_is_shown_too(viewer: ViewerModel) -> None:
    study = Study.of(pet_on(PET_GRID))
    nothing = Labels(np.zeros(PET_GRID.shape, np.uint16), PET_GRID)
    shown = layers.show(viewer, replace(result_of(study, nothing), findings=()), study)
    low, high = shown.anomaly.contrast_limits
    assert low == pytest.approx(4.0, abs=0.1)
    assert high == pytest.approx(8.0)


def test_contrast_follows_what_was_measured(viewer: ViewerModel) -> None:
    assert layers.add_volume(viewer, ct_on(CT_GRID)).contrast_limits == [-160, 240]
    assert layers.add_volume(viewer, pet_on(PET_GRID)).contrast_limits == [0, 7]
    activity = layers.add_volume(viewer, pet_on(PET_GRID, unit=Unit.BQML))
    assert activity.contrast_limits[1] == pytest.approx(50_000, rel=0.02)
    constant = Volume(np.full(PET_GRID.shape, 5, np.int16), PET_GRID, Modality.MR)
    assert layers.add_volume(viewer, constant).contrast_limits == [5, 6]
