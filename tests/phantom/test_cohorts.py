"""Synthetic patients: the same each time, left is left, twins equal but for the lesions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from grisaille.core.errors import ConfigError
from grisaille.core.grid import Grid
from grisaille.imaging.body import body_mask
from grisaille.imaging.resample import resample
from grisaille.phantom import Arms, Host, Phantom, Scan, Side, Station, Tissue, cohort, patient
from grisaille.phantom.canvas import Canvas
from grisaille.phantom.lesions import Lesion, draw_lesions
from grisaille.phantom.person import Person
from grisaille.phantom.scanner import PET_STEP_SUV
from grisaille.phantom.tissues import FIGURES, Palette

COARSE = Scan(Station.WHOLE, ct_spacing_mm=6.0, pet_spacing_mm=6.0)
CHEST = Scan(Station.CHEST, ct_spacing_mm=8.0, pet_spacing_mm=8.0)


@pytest.fixture(scope="module")
def whole() -> Phantom:
    return patient(3, lesions=5, scan=COARSE)


@pytest.fixture(scope="module")
def fine() -> Phantom:
    return patient(8, lesions=False, scan=Scan(Station.ABDOMEN))


def places(made: Phantom, *tissues: Tissue) -> np.ndarray:
    """(n, 3) LPS millimetres z, y, x of the voxels of some tissues."""
    return made.organs.grid.to_mm(np.argwhere(np.isin(made.organs.voxels, tissues)))


def test_the_same_seed_gives_the_same_patient_bit_for_bit(whole: Phantom) -> None:
    again = patient(3, lesions=5, scan=COARSE)
    for key, volume in whole.study.volumes.items():
        np.testing.assert_array_equal(volume.voxels, again.study.volumes[key].voxels)
        np.testing.assert_array_equal(whole.twin.volumes[key].voxels, again.twin.volumes[key].voxels)
    np.testing.assert_array_equal(whole.lesions.voxels, again.lesions.voxels)
    assert whole.lesion_list == again.lesion_list


def test_another_seed_gives_another_patient() -> None:
    first, second = (patient(seed, lesions=False, scan=CHEST) for seed in (1, 2))
    assert (first.organs.voxels != second.organs.voxels).mean() > 0.1
    assert first.study.patient != second.study.patient


def test_every_grid_and_station_sees_the_same_body() -> None:
    coarse = patient(5, lesions=False, scan=Scan(Station.TORSO, ct_spacing_mm=6.0, modalities=("ct",))).organs
    chest = patient(5, lesions=False, scan=Scan(Station.CHEST, ct_spacing_mm=4.0, modalities=("ct",))).organs
    there = resample(coarse, chest.grid).voxels
    seen = there > 0
    assert (there[seen] == chest.voxels[seen]).mean() > 0.75
    for tissue in (Tissue.LUNG_LEFT, Tissue.LIVER, Tissue.MYOCARDIUM):
        np.testing.assert_allclose(
            coarse.grid.to_mm(np.argwhere(there == tissue)).size
            and chest.grid.to_mm(np.argwhere(there == tissue)).mean(0),
            chest.grid.to_mm(np.argwhere(chest.voxels == tissue)).mean(axis=0),
            atol=4.0,
        )


def test_organs_lie_on_their_side(whole: Phantom) -> None:
    for tissue in (Tissue.SPLEEN, Tissue.STOMACH, Tissue.MYOCARDIUM, Tissue.LUNG_LEFT, Tissue.KIDNEY_LEFT):
        assert places(whole, tissue)[:, 2].mean() > 15, tissue
    for tissue in (Tissue.LIVER, Tissue.GALLBLADDER, Tissue.LUNG_RIGHT, Tissue.KIDNEY_RIGHT):
        assert places(whole, tissue)[:, 2].mean() < -15, tissue


def test_the_head_is_up_and_the_spine_at_the_back(whole: Phantom) -> None:
    order = (Tissue.GREY_MATTER, Tissue.THYROID, Tissue.MYOCARDIUM, Tissue.LIVER, Tissue.BLADDER)
    heights = [places(whole, tissue)[:, 0].mean() for tissue in order]
    assert heights == sorted(heights, reverse=True)
    assert places(whole, Tissue.SPINAL_CORD)[:, 1].mean() > places(whole, Tissue.TRACHEA)[:, 1].mean() + 30
    assert places(whole, Tissue.EYE)[:, 1].mean() < places(whole, Tissue.GREY_MATTER)[:, 1].mean() - 50


def test_a_whole_body_reaches_from_the_vertex_to_the_knees(whole: Phantom) -> None:
    scale = np.ptp(places(whole, Tissue.GREY_MATTER, Tissue.CORTICAL_BONE)[:, 0])
    assert 1050 < scale < 1400
    assert set(Tissue) - {Tissue.PROSTATE, Tissue.UTERUS, Tissue.AIR} <= {Tissue(i) for i in whole.organs.ids}
    litres = body_mask(whole.twin.main).sum() * whole.study.reference.voxel_ml / 1000
    assert 35 < litres < 110


def test_organs_have_the_hu_and_suv_of_the_table(fine: Phantom) -> None:
    ct, pet = fine.study.ct, fine.study.pet
    assert ct is not None
    assert pet is not None
    suv = resample(pet, ct.grid).voxels
    for tissue in (Tissue.LIVER, Tissue.SPLEEN, Tissue.MUSCLE):
        inner = ndimage.binary_erosion(fine.organs.voxels == tissue, iterations=3)
        assert inner.sum() > 30
        assert ct.voxels[inner].mean() == pytest.approx(FIGURES[tissue].hu, abs=15)
        assert np.log(suv[inner].mean() / FIGURES[tissue].suv) == pytest.approx(0, abs=0.5)


def test_ct_noise_is_12_hu_in_the_body_and_none_in_the_air(fine: Phantom) -> None:
    ct = fine.study.ct
    assert ct is not None
    assert ct.voxels.dtype == np.int16
    liver = ndimage.binary_erosion(fine.organs.voxels == Tissue.LIVER, iterations=3)
    assert ct.voxels[liver].std() == pytest.approx(12, abs=2)
    air = ndimage.binary_erosion(fine.organs.voxels == Tissue.AIR, iterations=4)
    assert (ct.voxels[air] == -1000).all()


def test_pet_noise_in_the_liver_is_about_a_tenth_and_values_are_whole_steps(fine: Phantom) -> None:
    pet = fine.study.pet
    assert pet is not None
    assert pet.voxels.dtype == np.float32
    assert pet.voxels.min() == 0
    steps = pet.voxels / PET_STEP_SUV
    np.testing.assert_array_equal(steps, np.rint(steps))
    liver = ndimage.binary_erosion(resample(fine.organs, pet.grid).voxels == Tissue.LIVER, iterations=3)
    assert 0.05 < pet.voxels[liver].std() / pet.voxels[liver].mean() < 0.18


def test_ct_and_pet_share_no_voxel_centre(fine: Phantom) -> None:
    assert fine.study.ct is not None
    assert fine.organs.grid == fine.study.ct.grid
    assert fine.study.ct.grid.spacing_mm == pytest.approx((3, 3, 3))
    assert fine.study.reference.spacing_mm == pytest.approx((4, 4, 4))
    offset = fine.study.ct.grid.to_index(fine.study.reference.to_mm((0, 0, 0)))
    assert np.abs(offset - np.rint(offset)).max() > 0.1


def test_twins_differ_at_the_lesions_only(whole: Phantom) -> None:
    lesions = resample(whole.lesions, whole.organs.grid)
    distance_mm = ndimage.distance_transform_edt(lesions.voxels == 0, sampling=lesions.grid.spacing_mm)
    assert whole.study.ct is not None
    assert whole.twin.ct is not None
    changed = whole.study.ct.voxels != whole.twin.ct.voxels
    assert changed.any()
    assert distance_mm[changed].max() < 15
    distance_mm = ndimage.distance_transform_edt(whole.lesions.voxels == 0, sampling=whole.lesions.grid.spacing_mm)
    changed = whole.study.main.voxels != whole.twin.main.voxels
    assert changed.any()
    assert distance_mm[changed].max() < 40


def test_each_lesion_has_its_number_at_its_place(whole: Phantom) -> None:
    assert whole.lesions.grid == whole.study.reference
    assert whole.lesions.ids == tuple(lesion.id for lesion in whole.lesion_list) == (1, 2, 3, 4, 5)
    for lesion in whole.lesion_list:
        found = whole.lesions.grid.to_mm(np.argwhere(whole.lesions.voxels == lesion.id))
        assert np.linalg.norm(found.mean(axis=0) - lesion.centre_mm) < max(lesion.radius_mm, 8)
        assert whole.lesions.names[lesion.id].startswith(lesion.host.value)


def test_lesions_stay_on_the_side_asked_for() -> None:
    for side, sign in ((Side.LEFT, 1), (Side.RIGHT, -1)):
        made = patient(4, lesions=4, scan=COARSE, side=side)
        assert made.lesion_list
        assert (made.lesions.grid.to_mm(np.argwhere(made.lesions.voxels))[:, 2] * sign > 0).all()


def many_lesions() -> list[tuple[Phantom, Lesion]]:
    scan = Scan(Station.TORSO, ct_spacing_mm=9.0, pet_spacing_mm=9.0)
    made = [patient(seed, lesions=5, scan=scan) for seed in range(14)]
    return [(one, lesion) for one in made for lesion in one.lesion_list]


def test_lesions_are_of_every_host_some_cold_some_hot_some_dead_inside() -> None:
    found = many_lesions()
    lesions = [lesion for _, lesion in found]
    assert {lesion.host for lesion in lesions} == set(Host)
    assert any(lesion.is_ct_only for lesion in lesions)
    assert any(lesion.core_mm > 0 for lesion in lesions)
    assert any(lesion.suv > 7 for lesion in lesions)
    assert any(1.8 <= lesion.suv < 3.5 for lesion in lesions if not lesion.is_ct_only)
    assert all(4 <= lesion.radius_mm <= 45 and lesion.core_mm <= 30 for lesion in lesions)
    for made, lesion in found:
        here = made.lesions.voxels == lesion.id
        gain = (made.study.main.voxels - made.twin.main.voxels)[here]
        others = [other for other in made.lesion_list if other is not lesion and not other.is_ct_only]
        apart = min(
            (np.linalg.norm(np.subtract(lesion.centre_mm, o.centre_mm)) - o.radius_mm for o in others), default=99
        )
        if lesion.is_ct_only and apart > 60:
            assert np.abs(gain).max() == 0
        elif not lesion.is_ct_only:
            assert gain.max() > 0


def test_counts_are_kept_and_none_means_a_healthy_study() -> None:
    none = patient(1, lesions=False, scan=CHEST)
    assert none.study is none.twin
    assert none.lesions.ids == ()
    assert none.lesion_list == ()
    assert len(patient(1, lesions=3, scan=CHEST).lesion_list) == 3
    drawn = {len(patient(seed, scan=CHEST).lesion_list) for seed in range(6)}
    assert min(drawn) >= 1
    assert max(drawn) <= 6
    assert len(drawn) > 2


def test_no_lesion_is_lost_between_coarse_voxels() -> None:
    rough = Scan(Station.CHEST, ct_spacing_mm=5.0, pet_spacing_mm=16.0)
    for seed in range(4):
        made = patient(seed, lesions=5, scan=rough)
        assert made.lesions.ids == tuple(lesion.id for lesion in made.lesion_list)


def test_a_cohort_is_of_different_people_and_loads_the_same_study_again() -> None:
    cases = cohort(3, seed=7, lesions=2, scan=CHEST)
    assert len({case.patient for case in cases}) == 3
    first, again = cases[0].load(), cases[0].load()
    assert first.patient == cases[0].patient
    np.testing.assert_array_equal(first.main.voxels, again.main.voxels)
    assert cases[0].truth is not None
    assert cases[0].truth.grid == first.reference
    assert cases[0].truth.ids == (1, 2)
    assert cases[0].healthy is False


def test_a_cohort_starts_like_a_smaller_one_of_the_same_seed() -> None:
    small, large = (cohort(n, seed=7, lesions=False, scan=CHEST) for n in (2, 4))
    assert [case.patient for case in large[:2]] == [case.patient for case in small]
    assert [case.patient for case in small] != [case.patient for case in cohort(2, seed=8, lesions=False, scan=CHEST)]


def test_healthy_cases_say_so_and_have_an_empty_truth() -> None:
    (case,) = cohort(1, seed=9, lesions=False, scan=CHEST)
    assert case.healthy is True
    assert case.truth is not None
    assert case.truth.ids == ()
    assert case.truth.grid == case.load().reference


@pytest.mark.parametrize("station", [s for s in Station if s not in (Station.WHOLE, Station.RANDOM)])
def test_a_station_has_one_shape_for_all_patients(station: Station) -> None:
    scan = Scan(station, ct_spacing_mm=10.0, pet_spacing_mm=12.0)
    studies = [case.load() for case in cohort(3, seed=1, lesions=False, scan=scan)]
    assert len({study.reference.shape for study in studies}) == 1
    assert all(body_mask(study.main).any() for study in studies)


def test_random_stations_differ_and_lie_within_the_body() -> None:
    scan = Scan(Station.RANDOM, ct_spacing_mm=10.0, pet_spacing_mm=12.0)
    grids = [case.load().reference for case in cohort(5, seed=2, lesions=False, scan=scan)]
    assert len({grid.shape[0] for grid in grids}) > 2
    assert len({round(grid.origin_mm[0]) for grid in grids}) == 5


def test_one_modality_alone_is_a_study_with_truth_on_its_grid() -> None:
    for key in ("ct", "pet"):
        scan = Scan(Station.CHEST, ct_spacing_mm=8.0, pet_spacing_mm=10.0, modalities=(key,))
        (case,) = cohort(1, seed=3, lesions=1, scan=scan)
        study = case.load()
        assert set(study.volumes) == {key}
        assert case.truth is not None
        assert case.truth.grid == study.reference
    both, alone = (
        patient(3, lesions=False, scan=Scan(Station.CHEST, ct_spacing_mm=8.0, modalities=keys)).study.ct
        for keys in (("ct", "pet"), ("ct",))
    )
    assert both is not None
    assert alone is not None
    np.testing.assert_array_equal(both.voxels, alone.voxels)


def test_arms_lie_beside_the_body_or_above_it() -> None:
    def width_at_elbow(arms: Arms) -> float:
        made = patient(6, lesions=False, scan=Scan(Station.ABDOMEN, arms, ct_spacing_mm=8.0, modalities=("ct",)))
        middle = made.organs.voxels[made.organs.grid.shape[0] // 2] > 0
        return float(np.ptp(np.argwhere(middle)[:, 1]) * 8.0)

    assert width_at_elbow(Arms.DOWN) > width_at_elbow(Arms.UP) + 60
    drawn = {Scan(arms=Arms.RANDOM).person(seed).arms for seed in range(20)}
    assert drawn == {Arms.UP, Arms.DOWN}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"modalities": ()}, "ct, pet or both, not none"),
        ({"modalities": ("ct", "mr")}, "not ct, mr"),
        ({"ct_spacing_mm": 0.1}, "0.5 to 30 mm"),
        ({"pet_spacing_mm": 99.0}, "0.5 to 30 mm"),
    ],
)
def test_scans_that_cannot_be_are_refused(settings: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Scan(**settings)


def test_paired_organs_are_alike_and_patients_differ() -> None:
    palettes = [Palette.drawn(np.random.default_rng(seed)) for seed in range(40)]
    assert all(p.suv[Tissue.KIDNEY_LEFT] == p.suv[Tissue.KIDNEY_RIGHT] for p in palettes)
    heart = [p.suv[Tissue.MYOCARDIUM] for p in palettes]
    assert 1 <= min(heart) < 2
    assert 5 < max(heart) <= 8
    assert set(FIGURES) == set(Tissue)


def test_a_field_of_view_beside_the_body_has_no_lesions() -> None:
    person = Person(1)
    empty = Canvas(Grid.from_spacing((8, 8, 8), 8.0, (1000, 0, 0)), person.frame)
    assert draw_lesions(empty, person, 3, Side.BOTH) == ()


def test_lesions_grow_only_in_the_hosts_that_are_asked_for() -> None:
    for hosts in ((Host.MARROW, Host.FAT), (Host.LUNG,)):
        made = patient(4, lesions=4, scan=COARSE, hosts=hosts)
        assert len(made.lesion_list) == 4
        assert {lesion.host for lesion in made.lesion_list} <= set(hosts)
    case, _ = cohort(2, 9, lesions=2, scan=CHEST, hosts=("liver",))
    assert case.truth is not None
    assert set(case.truth.names.values()) == {"liver lesion"}


def test_all_hosts_together_are_the_same_patient_as_none_named() -> None:
    plain, named = patient(3, lesions=3, scan=CHEST), patient(3, lesions=3, scan=CHEST, hosts=tuple(Host))
    assert plain.lesion_list == named.lesion_list
    np.testing.assert_array_equal(plain.lesions.voxels, named.lesions.voxels)
