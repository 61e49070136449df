"""A DICOMDIR names the images of its disc, and nothing outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from dicom_builder import write_index, write_series
from grisaille.core.errors import GrisailleError, UnreadableFile
from grisaille.io.dicom.series import scan
from grisaille.io.info import describe
from grisaille.io.study import read_study


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A disc with a CT that is in its index and a PET that is not."""
    folder = tmp_path / "disc"
    for file in write_series(folder / "IMAGES", "CT"):
        file.rename(file.with_name(file.name[:-4].upper()))
    write_series(folder / "OTHER", "PT")
    write_index(folder, [["IMAGES", file.name] for file in sorted((folder / "IMAGES").iterdir())])
    return folder


def test_an_index_stands_for_the_files_that_it_names(disc: Path) -> None:
    study = read_study(disc / "DICOMDIR")
    assert set(study.volumes) == {"ct"}
    assert study.main.voxels.shape[0] == 5
    assert [one["modality"] for one in describe([disc / "DICOMDIR"])["series"]] == ["CT"]


def test_its_folder_stands_for_all_that_lies_in_it(disc: Path) -> None:
    assert set(read_study(disc).volumes) == {"ct", "pet"}
    assert [one.file.name for one in scan(disc).skipped] == ["DICOMDIR"]


def test_names_are_found_in_small_letters_too(disc: Path) -> None:
    for file in (disc / "IMAGES").iterdir():
        file.rename(file.with_name(file.name.lower()))
    (disc / "IMAGES").rename(disc / "images")
    assert read_study(disc / "DICOMDIR").main.voxels.shape[0] == 5


def test_files_that_are_not_there_are_counted(disc: Path) -> None:
    (disc / "IMAGES" / "CT1_004").unlink()
    (disc / "IMAGES" / "CT1_003").unlink()
    (skipped,) = scan(disc / "DICOMDIR").skipped
    assert (skipped.file.name, skipped.reason) == ("DICOMDIR", "2 of the files that it names are not there")


@pytest.mark.parametrize(
    "parts", [["..", "outside"], ["IMAGES", "..", "..", "outside"], ["/etc/passwd"], ["C:", "outside"], ["../outside"]]
)
def test_an_index_that_leads_out_of_its_folder_is_refused(disc: Path, parts: list[str]) -> None:
    (disc.parent / "outside").write_bytes(next((disc / "IMAGES").iterdir()).read_bytes())
    write_index(disc, [["IMAGES", "CT1_000"], parts])
    with pytest.raises(UnreadableFile, match="DICOMDIR names a file outside of its own folder"):
        read_study(disc / "DICOMDIR")


def test_a_link_that_leads_out_of_its_folder_is_refused(disc: Path) -> None:
    outside = write_series(disc.parent / "outside", count=1)[0]
    (disc / "IMAGES" / "LINK").symlink_to(outside)
    write_index(disc, [["IMAGES", "LINK"]])
    with pytest.raises(UnreadableFile, match="outside of its own folder"):
        read_study(disc / "DICOMDIR")


def test_a_deflated_index_is_not_inflated(disc: Path) -> None:
    write_index(disc, [["IMAGES", "CT1_000"]])
    content = (disc / "DICOMDIR").read_bytes()
    plain, deflated = f"{ExplicitVRLittleEndian}\0".encode(), DeflatedExplicitVRLittleEndian.encode()
    assert content.count(plain) == 1
    longer = b"UI" + len(deflated).to_bytes(2, "little") + deflated
    (disc / "DICOMDIR").write_bytes(content.replace(b"UI" + len(plain).to_bytes(2, "little") + plain, longer))
    with pytest.raises(UnreadableFile, match=r"DICOMDIR is damaged \("):
        read_study(disc / "DICOMDIR")


@pytest.mark.parametrize("length", [0, 100, 140, 400, -40])
def test_a_damaged_index_is_a_sentence_that_says_what_to_do(disc: Path, length: int) -> None:
    (disc / "DICOMDIR").write_bytes((disc / "DICOMDIR").read_bytes()[:length])
    with pytest.raises(GrisailleError, match="DICOMDIR"):
        read_study(disc / "DICOMDIR")
