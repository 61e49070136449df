"""Layers > Measure: labels that no run made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from fake_method import pet_with_spots
from grisaille.core.errors import GridMismatch, InputError
from grisaille.core.finding import Finding
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.desktop import commands, layers
from grisaille.desktop.editing import USERS, watch_of
from grisaille.desktop.review import docked_review, review_of
from grisaille.desktop.world import placement
from grisaille.imaging.findings import find_findings
from grisaille.imaging.resample import resample

pytestmark = pytest.mark.screen


def marked(volume: Volume) -> Labels:
    """The spots of ``pet_with_spots``, as another program would mark them."""
    return Labels((volume.voxels > 3).astype(np.uint16) * 5, volume.grid, {5: "tumour"}, volume.source)


def measured(viewer: Any, qtbot: Any) -> tuple[Finding, ...]:
    commands.measure_labels(viewer)
    table = review_of(viewer).table
    qtbot.waitUntil(lambda: len(table.findings) > 0)
    return tuple(table.findings)


def without_ids(findings: tuple[Finding, ...]) -> list[tuple[Any, ...]]:
    return [(one.label, one.volume_ml, one.suv_max, one.suv_mean, one.centroid_s_mm) for one in findings]


def test_labels_of_another_program_are_measured_and_followed(pet_viewer: Any, qtbot: Any) -> None:
    pet = layers.volumes_in(pet_viewer)[0]
    layer = layers.add_labels(pet_viewer, marked(pet), name="plan.dcm")
    findings = measured(pet_viewer, qtbot)
    assert without_ids(findings) == without_ids(find_findings(marked(pet), Study.of(pet)))
    model = review_of(pet_viewer).table.model()
    headers = [model.headerData(one, Qt.Orientation.Horizontal) for one in range(model.columnCount())]
    assert model.index(0, headers.index("Name")).data() == "tumour"
    assert review_of(pet_viewer).export.isEnabled()
    assert review_of(pet_viewer).threshold.isHidden()
    layer.data_setitem((np.array([1, 1, 2]), np.array([15, 16, 16]), np.array([15, 15, 15])), 9)
    qtbot.waitUntil(lambda: 9 in {one.label for one in review_of(pet_viewer).table.findings}, timeout=3000)


def test_naparis_own_labels_are_measured_on_the_volume_they_were_painted_on(pet_viewer: Any, qtbot: Any) -> None:
    pet = layers.volumes_in(pet_viewer)[0]
    empty = layers.new_labels(pet_viewer, pet)
    plain = pet_viewer.add_labels(np.array(empty.data), scale=empty.scale, translate=empty.translate)
    pet_viewer.layers.remove(empty)
    plain.data = (np.asarray(pet_viewer.layers[0].data) > 3).astype(np.uint8)
    pet_viewer.layers.selection = {plain}
    findings = measured(pet_viewer, qtbot)
    assert [one.volume_ml for one in findings] == [
        one.volume_ml for one in find_findings(Labels(pet.voxels > 3, pet.grid), Study.of(pet))
    ]
    assert layers.THING not in plain.metadata


def test_a_plain_layer_is_measured_on_the_grid_it_was_painted_on(pet_viewer: Any, qtbot: Any) -> None:
    pet = layers.volumes_in(pet_viewer)[0]
    grid = Grid.from_spacing((20, 30, 31), 5.0, np.asarray(pet.grid.origin_mm) + 7)
    voxels = np.zeros(grid.shape, np.uint8)
    voxels[8:10, 9:12, 9:13] = 3
    plain = pet_viewer.add_labels(voxels, **placement(grid))
    (one,) = measured(pet_viewer, qtbot)
    assert one.volume_ml == pytest.approx(24 * 0.125)
    plain.data_setitem((np.array([9]), np.array([9]), np.array([13])), 3)
    qtbot.waitUntil(lambda: any(one.volume_ml > 3.1 for one in review_of(pet_viewer).table.findings), timeout=3000)


def test_of_two_exams_the_labels_own_is_measured_and_said(make_napari_viewer: Any, recovery: Any, qtbot: Any) -> None:
    def exam(series: str, suv: float, frame: str) -> Volume:
        plain = pet_with_spots()
        named = replace(plain, voxels=plain.voxels * suv, name=series, source=replace(plain.source, series=series))
        return replace(named, provenance=replace(named.provenance, frame_of_reference=frame))

    viewer = make_napari_viewer()
    first, second = exam("first", 1.0, "a"), exam("second", 2.0, "b")
    for one in (first, second):
        layers.add_volume(viewer, one)
    moved = Grid(first.grid.shape, first.grid.affine + np.pad([[0.002]], ((0, 3), (3, 0))))
    layers.add_labels(viewer, Labels(marked(first).voxels, moved, source=first.source), name="plan.dcm")
    findings = measured(viewer, qtbot)
    assert max(one.suv_max for one in findings) == pytest.approx(first.voxels.max())
    assert "plan.dcm on first: " in review_of(viewer).title.text()
    viewer.layers.selection = {viewer.layers["plan.dcm"], viewer.layers["second"]}
    commands.measure_labels(viewer)
    table = review_of(viewer).table
    highest = pytest.approx(second.voxels.max())
    qtbot.waitUntil(lambda: max((one.suv_max for one in table.findings), default=0) == highest)
    viewer.layers["second"].translate = (9, 0, 0)
    with pytest.raises(GridMismatch):
        commands.measure_labels(viewer)


def test_what_is_opened_later_is_measured_at_the_next_asking(pet_viewer: Any, qtbot: Any) -> None:
    pet = layers.volumes_in(pet_viewer)[0]
    layer = layers.add_labels(pet_viewer, marked(pet), name="plan.dcm")
    layer.features = {"index": [5], "source": ["another program"]}
    assert measured(pet_viewer, qtbot)[0].hu_mean is None
    ct = Volume(np.full(pet.grid.shape, 40, np.int16), pet.grid, Modality.CT, Unit.HU, name="CT")
    layers.add_volume(pet_viewer, ct)
    pet_viewer.layers.selection = {layer}
    commands.measure_labels(pet_viewer)
    qtbot.waitUntil(lambda: {one.hu_mean for one in review_of(pet_viewer).table.findings} == {40})
    assert list(layer.features["source"]) == ["another program"]
    layer.translate = (40, 0, 0)
    with pytest.raises(GridMismatch):
        watch_of(layer).as_result()


def test_the_volume_on_the_labels_grid_is_measured_and_what_a_method_painted_is_not(
    painted: Any, pet_viewer: Any, qtbot: Any
) -> None:
    pet = next(one for one in layers.volumes_in(pet_viewer) if one.modality is Modality.PET)
    coarse = resample(pet.with_voxels(pet.voxels * 2), pet.grid.spaced(6.0))
    layers.add_volume(pet_viewer, coarse)
    assert any(layers.TWIN_OF in one.metadata for one in pet_viewer.layers)
    layer = layers.add_labels(pet_viewer, marked(pet), name="drawn")
    pet_viewer.layers.selection = {layer}
    commands.measure_labels(pet_viewer)
    table = review_of(pet_viewer).table
    qtbot.waitUntil(lambda: {one.label for one in table.findings} == {5})
    assert max(one.suv_max for one in table.findings if one.suv_max is not None) == pytest.approx(pet.voxels.max())
    assert all(one.hu_mean is not None for one in table.findings)


def test_the_labels_of_a_run_keep_their_own_table(ran: Any, pet_viewer: Any, qtbot: Any) -> None:
    review = review_of(pet_viewer)
    made, before = review.labels_layer, review.table.findings
    assert not review.threshold.isHidden()
    pet = layers.volumes_in(pet_viewer)[0]
    layer = layers.add_labels(pet_viewer, marked(pet))
    pet_viewer.layers.selection = {layer}
    commands.measure_labels(pet_viewer)
    qtbot.waitUntil(lambda: {one.label for one in review.table.findings} == {5})
    pet_viewer.layers.selection = {made}
    assert review.table.findings == before
    commands.measure_labels(pet_viewer)
    assert review.labels_layer is made
    assert not made.metadata.get(USERS, False)


def test_what_cannot_be_measured_is_refused(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    with pytest.raises(InputError, match="no labels layer is selected"):
        commands.measure_labels(viewer)
    layers.add_labels(viewer, marked(pet_with_spots()), name="plan.dcm")
    with pytest.raises(InputError, match=r"no CT or PET is open to measure 'plan\.dcm' on"):
        commands.measure_labels(viewer)
    layers.add_volume(viewer, pet_with_spots())
    loose = viewer.add_labels(np.ones((3, 4, 5), np.uint8), name="loose", translate=(900, 0, 0))
    viewer.layers.selection = {loose}
    with pytest.raises(InputError, match="'loose' was not painted on a volume"):
        commands.measure_labels(viewer)
    viewer.layers.selection = {loose, viewer.layers[0]}
    with pytest.raises(InputError, match="2 labels layers are selected"):
        commands.measure_labels(viewer)
    assert docked_review(viewer) is None
