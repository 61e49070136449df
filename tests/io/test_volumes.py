"""What the numbers of a file mean is said or known, and never assumed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from grisaille.core import safe_write
from grisaille.core.errors import InputError, OutputError, UnknownUnit, UnreadableFile, UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.io.sidecar import Sidecar, read_sidecar, sidecar_path, write_names, write_volume_sidecar
from grisaille.io.study import read_volume
from grisaille.io.volumes import is_mask_name, modality_by_name, write_volume
from image_builder import numbers, oblique, save_nifti

CT, PET, MR, OTHER = Modality.CT, Modality.PET, Modality.MR, Modality.OTHER


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("CT.nii.gz", CT), ("ct.nrrd", CT), ("CT_res.mha", CT), ("CTres.nii", CT),
        ("PET.nii.gz", PET), ("PT.nii", PET), ("SUV.nii.gz", PET), ("suv_bw.mha", PET),
        ("chest_ct.nrrd", None), ("MR.nii", None),
        ("CT_gtv.nii.gz", None), ("PET-mask.nii", None), ("SEG.nii.gz", None), ("CT labels 2.nii", None),
        ("lesions.nii.gz", None), ("organs.nii.gz", None), ("CTV.nii", None), ("ct_series_labels.nii.gz", None),
    ],
)  # fmt: skip
def test_a_name_says_ct_or_pet_and_a_mask_says_nothing(name: str, modality: Modality | None) -> None:
    assert modality_by_name(Path(name)) is modality
    assert is_mask_name(Path(name)) is (modality is None and name not in ("chest_ct.nrrd", "MR.nii"))


def test_a_ct_is_in_hu_by_its_name(tmp_path: Path) -> None:
    volume = read_volume(save_nifti(tmp_path / "CT.nii.gz", numbers() - 1000))
    assert (volume.modality, volume.unit, volume.name, volume.source.name) == (CT, Unit.HU, "CT", "CT.nii.gz")
    assert volume.provenance.warnings == ()


@pytest.mark.parametrize("name", ["PET.nii.gz", "PT.nii", "SUV.nii.gz"])
def test_a_pet_without_unit_is_refused_with_the_flag_to_add(tmp_path: Path, name: str) -> None:
    path = save_nifti(tmp_path / name, numbers())
    with pytest.raises(UnknownUnit, match=rf"{name} is a PET .* pet_unit='suvbw' or 'bqml' \(--pet-unit"):
        read_volume(path)
    assert read_volume(path, unit="suvbw").unit is Unit.SUVBW


@pytest.mark.parametrize(
    ("said", "unit"), [("suvbw", Unit.SUVBW), ("SUVbw", Unit.SUVBW), ("bqml", Unit.BQML), ("Bq/ml", Unit.BQML)]
)
def test_units_are_understood_in_any_writing(tmp_path: Path, said: str, unit: Unit) -> None:
    assert read_volume(save_nifti(tmp_path / "x.nii", numbers()), modality="PET", unit=said).unit is unit


def test_what_is_not_known_is_refused_with_what_is(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "CT.nii", numbers())
    with pytest.raises(InputError, match=r"the unit 'suvlbm' is not known; give one of 'HU', 'SUVbw', 'SUL', "):
        read_volume(path, unit="suvlbm")
    with pytest.raises(InputError, match=r"the modality 'xray' is not known; give one of 'CT', 'PT', 'MR', 'OT'"):
        read_volume(path, modality="xray")


def test_a_name_that_says_nothing_needs_a_word(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "chest.nii", numbers())
    with pytest.raises(UnknownUnit, match=r"chest\.nii does not say what it is.*chest\.json"):
        read_volume(path)
    with pytest.raises(UnknownUnit, match=r"gtv\.nii looks like labels"):
        read_volume(save_nifti(tmp_path / "gtv.nii", numbers()))
    assert read_volume(path, modality="CT").unit is Unit.HU
    assert read_volume(path, modality=MR).unit is Unit.NONE
    assert read_volume(path, modality="ot").modality is OTHER


@pytest.mark.parametrize(
    ("modality", "unit"), [("CT", "suvbw"), ("CT", "bqml"), ("PT", "HU"), ("MR", "HU"), ("OT", "suvbw")]
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, modality: str, unit: str) -> None:
    with pytest.raises(InputError, match="do not go together"):
        read_volume(save_nifti(tmp_path / "a.nii", numbers()), modality=modality, unit=unit)


def test_the_argument_comes_before_the_sidecar_and_the_sidecar_before_the_name(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "CT.nii.gz", numbers())
    write_volume_sidecar(path, PET, Unit.BQML)
    by_sidecar = read_volume(path)
    assert (by_sidecar.modality, by_sidecar.unit) == (PET, Unit.BQML)
    assert read_volume(path, unit="suvbw").unit is Unit.SUVBW
    by_argument = read_volume(path, modality="CT")
    assert (by_argument.modality, by_argument.unit) == (CT, Unit.HU)


def test_the_sidecar_is_what_the_interface_says(tmp_path: Path) -> None:
    path = tmp_path / "scan.one.nii.gz"
    write_volume_sidecar(path, PET, Unit.SUVBW)
    assert sidecar_path(path).name == "scan.one.json"
    assert json.loads((tmp_path / "scan.one.json").read_text()) == {"modality": "PT", "unit": "SUVbw"}
    assert read_sidecar(path) == Sidecar(PET, Unit.SUVBW)
    write_names(path, {7: "liver", 2: "spleen"})
    assert read_sidecar(path).names == {2: "spleen", 7: "liver"}
    with pytest.raises(UnknownUnit, match="looks like labels"):
        read_volume(save_nifti(path, numbers()))


@pytest.mark.parametrize("content", ['{"Modality": "PT", "Units": "Bq/mL"}', "[1, 2]", "{}"])
def test_the_json_of_other_programs_is_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    assert read_sidecar(tmp_path / "a.nii") == Sidecar()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not sound JSON"),
        (b"\xff\xfe", "not sound JSON"),
        (b"[" * 100_000, "not sound JSON"),
        (b" " * (1 << 21), "not sound JSON"),
        (b'{"names": [1]}', "not sound JSON"),
        (b'{"names": {"liver": 1}}', "not sound JSON"),
        (b'{"unit": "SUVlbm"}', "gives the unit 'SUVlbm', expected one of 'HU', 'SUVbw'"),
        (b'{"modality": 3}', "gives the modality 3, expected one of 'CT', 'PT'"),
    ],
)
def test_a_sidecar_that_makes_no_sense_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UnreadableFile, match=rf"a\.json.*{said}"):
        read_sidecar(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(("modality", "unit", "instead"), [("CT", None, -1024), ("PT", "suvbw", 0), ("MR", None, 0)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_few_voxels_that_are_no_numbers_are_mended_and_counted(
    tmp_path: Path, modality: str, unit: str | None, instead: int, bad: float
) -> None:
    array = numbers((10, 10, 10), np.float32) / 500 - 1
    array[0, 0, :10] = bad
    volume = read_volume(save_nifti(tmp_path / "a.nii", array), modality=modality, unit=unit)
    assert np.count_nonzero(volume.voxels == instead) >= 10
    assert np.isfinite(volume.voxels).all()
    assert volume.voxels.dtype == np.float32
    assert volume.provenance.warnings[0] == (
        f"10 voxels of a.nii (1.00%) are NaN or infinite; they were set to {instead}"
    )


def test_more_than_one_in_a_hundred_is_refused(tmp_path: Path) -> None:
    array = numbers((10, 10, 10), np.float32)
    array[0, :2, :] = np.nan
    with pytest.raises(UnsuitableVolume, match=r"20 voxels of CT\.nii \(2\.00%\) are NaN or infinite, at most 1%"):
        read_volume(save_nifti(tmp_path / "CT.nii", array))


@pytest.mark.parametrize(
    ("modality", "unit", "low", "high", "doubt"),
    [
        ("CT", None, 0, 4095, "may not be in HU"),
        ("CT", None, -1024, 30000, None),
        ("PT", "suvbw", -1024, 1000, "may be a CT"),
        ("PT", "suvbw", 0, 20000, "may be in Bq/ml"),
        ("PT", "bqml", 0, 20, "may be SUV"),
        ("PT", "suvbw", 0, 40, None),
        ("PT", "bqml", -10, 40000, None),
        ("PT", "", 0, 9999, None),
        ("MR", None, 5, 5, "every voxel of a.nii is 5"),
    ],
)
def test_numbers_that_belie_their_unit_are_doubted(
    tmp_path: Path, modality: str, unit: str | None, low: int, high: int, doubt: str | None
) -> None:
    array = np.linspace(low, high, 60, dtype=np.float32).reshape(3, 4, 5)
    volume = read_volume(save_nifti(tmp_path / "a.nii", array), modality=modality, unit=unit)
    assert len(volume.provenance.warnings) == (doubt is not None)
    assert doubt is None or doubt in volume.provenance.warnings[0]


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_volume_comes_back_with_its_meaning(tmp_path: Path, suffix: str) -> None:
    given = read_volume(save_nifti(tmp_path / "a.nii", numbers(), oblique(5)), modality="PT", unit="bqml")
    write_volume(given, tmp_path / f"b{suffix}")
    back = read_volume(tmp_path / f"b{suffix}")
    assert (back.modality, back.unit) == (PET, Unit.BQML)
    assert back.source.orientation == given.source.orientation
    assert np.array_equal(back.voxels, given.voxels)
    assert back.grid.is_close(given.grid)


def test_a_full_disk_takes_no_sidecar_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    volume = Volume(numbers(), Grid.from_spacing((3, 4, 5), 1.0), CT, Unit.HU)
    monkeypatch.setattr(safe_write.os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_volume(volume, tmp_path / "CT.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_told_before_what_it_means(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="is not there"):
        read_volume(tmp_path / "chest.nii.gz")
    (tmp_path / "chest.nii.gz").touch()
    with pytest.raises(UnreadableFile, match="is empty"):
        read_volume(tmp_path / "chest.nii.gz")
