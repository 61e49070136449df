"""Volumes, studies, labels, maps: frozen, of one shape, with a meaning."""

import numpy as np
import pytest

from grisaille.core.anomaly import BODY, AnomalyMap, SliceScores
from grisaille.core.arrays import frozen
from grisaille.core.calibration import Calibration
from grisaille.core.errors import ConfigError, InputError, ShapeError
from grisaille.core.finding import FINDING_COLUMNS, FURTHER_COLUMNS
from grisaille.core.grid import Axis, Grid
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Source, SourceFormat, Unit, Volume

GRID = Grid.from_spacing((2, 3, 4), 1)
OTHER = Grid.from_spacing((3, 3, 4), 1)


def volume(modality: Modality = Modality.CT, grid: Grid = GRID, **more: object) -> Volume:
    return Volume(np.arange(grid.size, dtype=np.float32).reshape(grid.shape), grid, modality, **more)


def test_voxels_are_shared_and_cannot_be_written_to() -> None:
    array = np.zeros((2, 3, 4), dtype=np.float32)
    made = Volume(array, GRID)
    assert np.shares_memory(made.voxels, array)
    with pytest.raises(ValueError, match="read-only"):
        made.voxels[0, 0, 0] = 1
    array[0, 0, 0] = 1


def test_a_transposed_array_is_made_contiguous() -> None:
    assert frozen(np.zeros((4, 3, 2)).T).flags.c_contiguous


def test_a_volume_of_another_shape_is_refused_by_name() -> None:
    with pytest.raises(ShapeError, match="'PET' has shape"):
        Volume(np.zeros((2, 3, 5)), GRID, name="PET")


def test_plain_words_become_modality_and_unit() -> None:
    made = Volume(np.zeros((2, 3, 4)), GRID, "PT", "SUVbw")
    assert made.modality is Modality.PET
    assert made.unit is Unit.SUVBW


def test_other_numbers_on_another_grid_forget_the_file_order() -> None:
    source = Source(SourceFormat.NIFTI, (0, 1, 2), affine=np.eye(4), name="CT.nii.gz")
    made = volume(source=source)
    assert made.with_voxels(made.voxels + 1).source is source
    moved = made.with_voxels(np.zeros((3, 3, 4)), OTHER)
    assert moved.source.format is SourceFormat.MEMORY
    assert moved.source.name == "CT.nii.gz"


def test_warnings_add_up() -> None:
    assert volume().warned("one").warned("two").provenance.warnings == ("one", "two")


def test_results_lie_on_the_pet_where_there_is_one() -> None:
    ct, pet = volume(), volume(Modality.PET, OTHER).warned("no weight")
    both = Study.of(ct, pet, patient="p1")
    assert both.reference is OTHER
    assert both.ct is ct
    assert both.pet is pet
    assert both.warnings == ("no weight",)
    assert Study.of(ct).reference is GRID
    assert Study.of(ct).pet is None
    assert Study.of(volume(Modality.MR)).main.modality is Modality.MR


def test_a_study_has_one_volume_of_a_modality_under_its_key() -> None:
    with pytest.raises(InputError, match="two CT"):
        Study.of(volume(), volume())
    with pytest.raises(InputError, match="at least one"):
        Study({})
    with pytest.raises(InputError, match="expected under 'ct'"):
        Study({"pet": volume()})
    with pytest.raises(TypeError):
        Study.of(volume()).volumes["pet"] = volume()  # type: ignore[index]


def test_labels_are_whole_numbers_of_sixteen_bits() -> None:
    made = Labels(np.array([[[0, 5], [2, 5]]], dtype=np.int64), Grid.from_spacing((1, 2, 2), 1), {5: "spleen"})
    assert made.voxels.dtype == np.uint16
    assert made.ids == (2, 5)
    assert Labels(np.zeros((1, 2, 2)), made.grid).ids == ()


@pytest.mark.parametrize("value", [-1, 65536, 0.5, np.nan])
def test_what_is_no_label_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="whole numbers"):
        Labels(np.full((2, 3, 4), value), GRID)


def anomaly(scores: np.ndarray, slices: int = 2, **more: object) -> AnomalyMap:
    return AnomalyMap(scores, SliceScores(Axis.AXIAL, np.zeros(slices)), GRID, Calibration.none(), **more)


def test_a_share_of_the_judged_voxels_lies_at_or_above_its_cut() -> None:
    scores = np.arange(24.0).reshape(2, 3, 4)
    body = scores >= 4
    one = anomaly(scores, extras={BODY: Volume(body, GRID)})
    assert np.count_nonzero(scores[body] >= one.cut_of_share(0.25)) == 5
    assert one.cut_of_share(1.0) == 4.0
    assert anomaly(scores, extras={BODY: Volume(np.zeros_like(body), GRID)}).cut_of_share(0.5) == np.inf
    for share in (0.0, 1.5, -1.0):
        with pytest.raises(ConfigError, match="share of the body"):
            one.cut_of_share(share)


def test_an_anomaly_map_is_finite_and_has_a_score_for_each_slice() -> None:
    assert anomaly(np.zeros((2, 3, 4))).scores.dtype == np.float32
    with pytest.raises(InputError, match="NaN"):
        anomaly(np.full((2, 3, 4), np.nan))
    with pytest.raises(ShapeError, match="3 slice scores for 2 slices"):
        anomaly(np.zeros((2, 3, 4)), slices=3)
    with pytest.raises(ShapeError):
        anomaly(np.zeros((3, 3, 4)))


def test_the_whole_volume_was_judged_where_no_mask_was_kept() -> None:
    assert anomaly(np.zeros((2, 3, 4))).body.all()
    mask = np.zeros((2, 3, 4), dtype=np.uint8)
    mask[0] = 1
    assert anomaly(np.zeros((2, 3, 4)), extras={BODY: Volume(mask, GRID)}).body.sum() == 12


def test_the_columns_of_findings_csv_are_those_of_the_interface() -> None:
    assert ", ".join(FINDING_COLUMNS) == (
        "id, tracking_uid, volume_ml, suv_max, suv_mean, suv_peak, tlg, hu_mean, long_axis_mm, short_axis_mm, "
        "centroid_l_mm, centroid_p_mm, centroid_s_mm, slice_first, slice_last, score, edited"
    )
    assert ", ".join(FURTHER_COLUMNS) == (
        "suv_min, suv_sd, suv_peak_at_max, suv_max_l_mm, suv_max_p_mm, suv_max_s_mm, hu_sd, hu_median, feret_mm, "
        "connectivity, cautions"
    )
