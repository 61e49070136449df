"""The shipped samples: there, whole, left where left is, and DICOM equal to NIfTI."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy import ndimage

import grisaille as gr
from grisaille.core.errors import InputError
from grisaille.core.grid import Grid
from grisaille.core.study import Study
from grisaille.core.volume import Modality, SourceFormat, Unit, Volume
from grisaille.flows import make_samples, samples
from grisaille.flows.make_dicom import Visit, write_series
from grisaille.io.study import read_study

HOME = Path(__file__).parents[2] / "sample_volumes"
LARGEST_BYTES = 20_000_000


@pytest.fixture(scope="module")
def studies() -> dict[str, Study]:
    return {name: gr.samples.study(name) for name in gr.samples.names()}


def test_the_files_of_the_checkout_are_those_of_the_list() -> None:
    lines = (HOME / make_samples.SUMS).read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = {
        file.relative_to(HOME).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in HOME.glob("*/**/*")
        if file.is_file()
    }
    assert found == listed
    assert make_samples.hashes(HOME) == listed
    assert {entry.name for entry in HOME.iterdir() if entry.is_dir()} == set(samples.names())


def test_all_samples_together_are_small_and_free() -> None:
    assert sum(file.stat().st_size for file in HOME.rglob("*") if file.is_file()) <= LARGEST_BYTES
    readme = (HOME / "README.md").read_text()
    assert "CC0 1.0" in readme
    assert all(name in readme for name in samples.names())


def test_each_sample_has_ct_in_hu_and_pet_in_suv_on_grids_of_their_own(studies: dict[str, Study]) -> None:
    for name, study in studies.items():
        assert study.ct is not None, name
        assert study.pet is not None, name
        assert (study.ct.unit, study.pet.unit) == (Unit.HU, Unit.SUVBW)
        assert study.ct.grid.spacing_mm == pytest.approx((3, 3, 3), abs=1e-4)
        assert study.pet.grid.spacing_mm == pytest.approx((4, 4, 4), abs=1e-4)
        assert study.warnings == ()
        truth, organs = samples.truth(name), samples.organs(name)
        assert truth.grid == study.reference == study.pet.grid
        assert organs.grid == study.ct.grid
        assert organs.names[1] == "fat"
        assert set(truth.ids) == set(truth.names)


def test_the_lesions_of_the_first_sample_are_on_the_left_and_one_is_in_the_thigh() -> None:
    truth = samples.truth("petct_lesions_1")
    assert len(truth.ids) == 4
    points = truth.grid.to_mm(np.argwhere(truth.voxels))
    assert points[:, 2].min() > 0
    thigh = truth.grid.to_mm(np.argwhere(truth.voxels == 2))
    assert len(thigh) * truth.grid.voxel_ml > 100
    bladder = samples.organs("petct_lesions_1")
    bladder_number = next(number for number, name in bladder.names.items() if name == "bladder")
    lowest = bladder.grid.to_mm(np.argwhere(bladder.voxels == bladder_number))[:, 0].min()
    assert thigh[:, 0].max() < lowest


def test_the_twin_is_the_first_sample_but_for_its_lesions(studies: dict[str, Study]) -> None:
    ill, healthy = studies["petct_lesions_1"], studies["petct_healthy_1"]
    assert samples.truth("petct_healthy_1").ids == ()
    assert ill.main.grid == healthy.main.grid
    truth = samples.truth("petct_lesions_1").voxels
    distance_mm = ndimage.distance_transform_edt(truth == 0, sampling=4.0)
    changed = ill.main.voxels != healthy.main.voxels
    assert changed[truth > 0].mean() > 0.9
    assert distance_mm[changed].max() < 40


def test_the_dicom_station_equals_the_first_sample_within_half_a_stored_unit(studies: dict[str, Study]) -> None:
    dicom, nifti = studies["dicom_station"], studies["petct_lesions_1"]
    for key in ("ct", "pet"):
        whole, part = nifti.volumes[key], dicom.volumes[key]
        assert part.source.format is SourceFormat.DICOM
        assert part.grid.is_close(make_samples.stretch(whole.grid), tolerance_mm=2e-3)
        first = round(float(whole.grid.to_index(part.grid.origin_mm)[0]))
        same = whole.voxels[first : first + part.grid.shape[0]]
        if key == "ct":
            np.testing.assert_array_equal(part.voxels, same)
        else:
            half_unit = same.max(axis=(1, 2), keepdims=True) / 32767 / 2
            assert (np.abs(part.voxels - same) <= half_unit * 1.001 + 1e-6).all()
    assert samples.truth("dicom_station").ids == (4,)


def test_the_oblique_sample_is_tilted_and_holds_its_lesion(studies: dict[str, Study]) -> None:
    study = studies["oblique"]
    assert not study.reference.is_axis_aligned
    truth = samples.truth("oblique")
    assert truth.ids == (1,)
    assert study.main.voxels[truth.voxels == 1].mean() > 1.3 * np.median(study.main.voxels[study.main.voxels > 0.2])


def test_names_are_those_of_the_public_face_and_others_are_refused() -> None:
    assert gr.samples.names() == tuple(make_samples.MAKERS)
    assert gr.samples.path("oblique") == HOME / "oblique"
    with pytest.raises(InputError, match="no sample 'lung'; there are petct_lesions_1"):
        samples.path("lung")


def test_samples_that_are_not_installed_are_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(samples, "_home", lambda: tmp_path)
    with pytest.raises(InputError, match="not installed"):
        samples.path("oblique")


def test_away_from_a_checkout_the_samples_beside_the_package_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = tmp_path / "grisaille_data" / "sample_volumes" / "oblique"
    installed.mkdir(parents=True)
    monkeypatch.setattr(samples, "__file__", str(tmp_path / "grisaille" / "flows" / "samples.py"))
    assert samples.path("oblique") == installed


def test_made_again_a_sample_is_the_same_to_a_step_of_rounding(tmp_path: Path, studies: dict[str, Study]) -> None:
    make_samples.make_oblique(tmp_path / "oblique")
    again = read_study(tmp_path / "oblique")
    for key, step in (("ct", 1), ("pet", make_samples.PET_STEP_SUV)):
        shipped, made = studies["oblique"].volumes[key], again.volumes[key]
        assert made.grid == shipped.grid
        difference = np.abs(made.voxels.astype(np.float64) - shipped.voxels)
        assert difference.max() <= step
        assert (difference > 0).mean() < 1e-3


def test_making_everything_lists_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "file").write_bytes(b"grisaille")

    monkeypatch.setattr(make_samples, "MAKERS", {"one": make, "two": make})
    make_samples.make_samples(tmp_path)
    digest = hashlib.sha256(b"grisaille").hexdigest()
    assert (tmp_path / make_samples.SUMS).read_text() == f"{digest}  one/file\n{digest}  two/file\n"


@pytest.fixture
def made_up() -> Study:
    rng = np.random.default_rng(5)
    ct = rng.integers(-1024, 3072, (4, 5, 6)).astype(np.int16)
    pet = (rng.random((3, 4, 5)) * np.array([0.5, 4.0, 25.0])[:, None, None]).astype(np.float32)
    return Study.of(
        Volume(ct, Grid.from_spacing(ct.shape, (3, 2, 1.5), (10, -20, 30)), Modality.CT, Unit.HU, name="CT"),
        Volume(pet, Grid.from_spacing(pet.shape, (4, 3, 2), (11, -21, 31)), Modality.PET, Unit.SUVBW, name="PET"),
    )


def test_written_dicom_reads_back_the_values_and_places(made_up: Study, tmp_path: Path) -> None:
    visit = Visit("test")
    for key, volume in made_up.volumes.items():
        write_series(volume, visit, tmp_path / key)
    read = read_study(tmp_path)
    for key, volume in made_up.volumes.items():
        assert read.volumes[key].grid.is_close(volume.grid)
        half_unit = 0 if key == "ct" else volume.voxels.max(axis=(1, 2), keepdims=True) / 32767 / 2 * 1.001
        assert (np.abs(read.volumes[key].voxels - volume.voxels) <= half_unit + 1e-6).all()


def test_each_pet_slice_has_its_own_slope_and_all_that_suv_needs(made_up: Study, tmp_path: Path) -> None:
    assert made_up.pet is not None
    write_series(made_up.pet, Visit("test"), tmp_path / "pet")
    images = [pydicom.dcmread(file) for file in sorted((tmp_path / "pet").iterdir())]
    assert len({float(image.RescaleSlope) for image in images}) == 3
    assert all(image.RescaleIntercept == 0 and image.Units == "BQML" for image in images)
    heights = [float(image.ImagePositionPatient[2]) for image in images]
    assert heights == sorted(heights, reverse=True)
    for image in images:
        tracer = image.RadiopharmaceuticalInformationSequence[0]
        uptake_s = 62 * 60
        factor = (
            float(image.PatientWeight)
            * 1000
            / (float(tracer.RadionuclideTotalDose) * 2 ** (-uptake_s / float(tracer.RadionuclideHalfLife)))
        )
        assert factor == pytest.approx(Visit("test").suv_factor, rel=1e-9)
        assert {"ATTN", "DECY"} <= set(image.CorrectedImage)
        assert image.DecayCorrection == "START"
        assert image.SeriesTime == image.AcquisitionTime == "100200"
        assert tracer.RadiopharmaceuticalStartDateTime == "20260115090000"


def test_writing_twice_gives_the_same_bytes(made_up: Study, tmp_path: Path) -> None:
    assert made_up.ct is not None
    for name in ("first", "second"):
        write_series(made_up.ct, Visit("test"), tmp_path / name)
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()
