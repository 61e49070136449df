"""What a scan finds in a folder, and what it passes over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydicom import Dataset, Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, EnhancedCTImageStorage, RTStructureSetStorage

from dicom_builder import PATIENT, ROOT, build_image, put, save, write_series
from grisaille.core.errors import AmbiguousSeries, Cancelled, NoImages, UnreadableFile
from grisaille.core.run import Progress, Run
from grisaille.core.volume import Modality
from grisaille.io.dicom.series import choose, scan
from grisaille.io.pseudonym import pseudonym
from series_files import two_stacks


def reasons(path: Path) -> dict[str, str]:
    return {one.file.name: one.reason for one in scan(path).skipped}


def test_series_are_grouped_by_their_uid_over_all_subfolders(tmp_path: Path) -> None:
    write_series(tmp_path / "CT" / "a", count=3)
    write_series(tmp_path / "PT", "PT", count=4, series=7)
    found = scan(tmp_path)
    assert [(one.modality, one.number, len(one.files)) for one in found.series] == [
        (Modality.CT, 1, 3),
        (Modality.PET, 7, 4),
    ]
    assert found.skipped == ()


def test_a_series_shows_pseudonyms_only(tmp_path: Path) -> None:
    write_series(tmp_path, "PT")
    (series,) = scan(tmp_path).series
    assert series.uid == pseudonym(f"{ROOT}.1.2")
    assert series.true_uid == f"{ROOT}.1.2"
    assert series.patient == pseudonym("ID-4711")
    assert series.frame_of_reference == pseudonym(f"{ROOT}.8")
    assert series.label == f"PT series 1 ({series.uid})"
    for secret in (PATIENT, "4711", ROOT, "1950"):
        assert secret not in repr(series)
        assert secret not in repr([header.patient for header in series.slices])


def test_a_patient_without_id_is_told_by_name_and_one_without_both_is_nobody(tmp_path: Path) -> None:
    write_series(tmp_path / "a", PatientID="")
    write_series(tmp_path / "b", PatientID="", PatientName="")
    assert scan(tmp_path / "a").series[0].patient == pseudonym(PATIENT)
    assert scan(tmp_path / "b").series[0].patient == ""


def test_a_file_stands_for_its_series_in_its_own_folder(tmp_path: Path) -> None:
    files = write_series(tmp_path, "PT")
    write_series(tmp_path, "CT")
    write_series(tmp_path / "deeper", "PT", series=1, count=9)
    (series,) = scan(files[2]).series
    assert series.files == tuple(files)


def test_a_link_to_a_file_stands_for_the_series_where_the_file_lies(tmp_path: Path) -> None:
    files = write_series(tmp_path / "there", "PT")
    link = tmp_path / "link.dcm"
    link.symlink_to(files[0])
    assert len(scan(link).series[0].files) == len(files)


def test_files_that_are_no_images_are_listed_with_their_reason(tmp_path: Path) -> None:
    write_series(tmp_path, count=1)
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "short.dcm").write_bytes(b"\0" * 131)
    (tmp_path / "notes.txt").write_text("a text that is longer than a preamble. " * 10)
    (tmp_path / "renamed.dcm").write_text("the same, renamed. " * 20)
    structures = build_image(SOPInstanceUID=f"{ROOT}.77", SOPClassUID=RTStructureSetStorage)
    save(structures, tmp_path / "rt.dcm")
    save(build_image(SOPInstanceUID=f"{ROOT}.78", SOPClassUID="1.2.3.SMITH"), tmp_path / "odd.dcm")
    save(build_image(SOPInstanceUID=f"{ROOT}.79", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), tmp_path / "sc.dcm")
    assert len(scan(tmp_path).series) == 1
    assert reasons(tmp_path) == {
        "empty.dcm": "empty file",
        "short.dcm": "not a DICOM file",
        "notes.txt": "not a DICOM file",
        "renamed.dcm": "not a DICOM file",
        "rt.dcm": "RT Structure Set Storage is no image but labels; open it in the viewer on its images, "
        "or give it to read_labels or 'grisaille export'",
        "odd.dcm": "an unknown kind of DICOM object is not an image that grisaille reads",
        "sc.dcm": "a localizer (scout), not a slice",
    }


def test_an_unreadable_file_is_listed(tmp_path: Path) -> None:
    (tmp_path / "gone.dcm").symlink_to(tmp_path / "nowhere")
    assert reasons(tmp_path) == {"gone.dcm": "cannot be opened (FileNotFoundError)"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes among its files")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write_series(tmp_path, count=1)
    os.mkfifo(tmp_path / "CT.nii.gz")
    assert reasons(tmp_path) == {"CT.nii.gz": "a pipe or a device"}
    with pytest.raises(UnreadableFile, match="is a pipe or a device, expected a file or a folder"):
        scan(tmp_path / "CT.nii.gz")


def test_a_damaged_header_is_listed_and_noted_on_the_series(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    files[-1].write_bytes(files[-1].read_bytes()[:400])
    save(build_image(SOPInstanceUID=f"{ROOT}.77", Rows=0), tmp_path / "flat.dcm")
    (series,) = scan(tmp_path).series
    assert reasons(tmp_path)["flat.dcm"] == "damaged DICOM header (no Rows or Columns)"
    assert reasons(tmp_path)[files[-1].name].startswith("damaged DICOM header")
    assert series.notes == (f"left out 2 damaged DICOM files: {files[-1].name}, flat.dcm",)


def test_every_mutation_of_a_header_is_read_or_listed(tmp_path: Path) -> None:
    """No damage may come through as an exception of pydicom's."""
    import random

    whole = write_series(tmp_path / "good", "PT", count=1)[0].read_bytes()
    chance = random.Random(2)
    for number in range(150):
        bytes_ = bytearray(whole)
        for _ in range(chance.choice((1, 3, 10))):
            bytes_[chance.randrange(132, len(bytes_) - 24)] = chance.randrange(256)
        (tmp_path / f"{number:03d}.dcm").write_bytes(bytes_)
    found = scan(tmp_path)
    assert sum(len(one.files) for one in found.series) + len(found.skipped) == 151


def test_a_deeply_nested_header_does_not_hang(tmp_path: Path) -> None:
    nest = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000
    (tmp_path / "nest.dcm").write_bytes(b"\0" * 128 + b"DICM" + nest)
    assert len(reasons(tmp_path)) == 1


def test_the_same_image_twice_is_taken_once(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    (tmp_path / "z_copy.dcm").write_bytes(files[2].read_bytes())
    assert len(scan(tmp_path).series[0].files) == len(files)
    assert reasons(tmp_path) == {"z_copy.dcm": f"the same image as {files[2].name}"}


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    outside = write_series(tmp_path / "outside", count=1)[0]
    inside = write_series(tmp_path / "inside", "PT", count=1)[0]
    (tmp_path / "inside" / "out.dcm").symlink_to(outside)
    (tmp_path / "inside" / "loop").symlink_to(tmp_path / "inside", target_is_directory=True)
    (tmp_path / "inside" / "within.dcm").symlink_to(inside)
    assert reasons(tmp_path / "inside") == {
        "out.dcm": "a link to outside of the folder",
        "within.dcm": f"the same image as {inside.name}",
    }


def test_a_deflated_file_is_not_inflated_beyond_a_header(tmp_path: Path) -> None:
    image = build_image()
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    image.add_new(0x00090010, "LO", "SOMEBODY")
    image.add_new(0x00091001, "OB", bytes(2**22))
    save(image, tmp_path / "bomb.dcm")
    assert reasons(tmp_path)["bomb.dcm"].startswith("its header is longer than any real one")


@pytest.mark.parametrize("is_implicit", [True, False])
def test_a_file_without_preamble_is_read_if_it_looks_like_dicom(tmp_path: Path, is_implicit: bool) -> None:
    image = build_image()
    bare = Dataset()
    bare.update({element.tag: element for element in image})
    bare.save_as(tmp_path / "bare", implicit_vr=is_implicit, little_endian=True)
    (series,) = scan(tmp_path).series
    assert series.slices[0].rows == image.Rows


def test_images_without_series_uid_are_taken_together_by_folder(tmp_path: Path) -> None:
    write_series(tmp_path / "a", SeriesInstanceUID="", SeriesNumber=None)
    write_series(tmp_path / "b", series=2, SeriesInstanceUID=None, SeriesNumber="")
    found = scan(tmp_path)
    assert [len(one.files) for one in found.series] == [5, 5]
    assert len({one.uid for one in found.series}) == 2
    assert all("no SeriesInstanceUID" in one.notes[0] for one in found.series)
    assert found.series[0].label == f"CT series {found.series[0].uid}"


def test_the_sop_class_may_stand_in_the_file_meta_or_be_told_by_the_modality(tmp_path: Path) -> None:
    write_series(tmp_path, count=2, SOPClassUID=None)

    def strip(image: Dataset, _: int) -> None:
        image.file_meta.MediaStorageSOPClassUID = ""
        put(image, SOPClassUID=None)

    write_series(tmp_path, "PT", count=2, change=strip)
    assert [one.modality for one in scan(tmp_path).series] == [Modality.CT, Modality.PET]


def test_an_enhanced_image_is_a_series_of_its_modality(tmp_path: Path) -> None:
    save(build_image(SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=20), tmp_path / "enhanced.dcm")
    (series,) = scan(tmp_path).series
    assert series.modality is Modality.CT
    assert series.slices[0].is_multi_frame


class TestChoose:
    """One series of a modality."""

    def test_the_only_one_needs_no_name(self, tmp_path: Path) -> None:
        write_series(tmp_path, "PT")
        found = scan(tmp_path)
        assert choose(found, Modality.PET) == found.series[0]
        assert choose(found, Modality.CT) is None

    @pytest.mark.parametrize("by", ["number", "text", "pseudonym", "uid"])
    def test_one_of_several_is_named_by_number_or_uid(self, tmp_path: Path, by: str) -> None:
        write_series(tmp_path, series=2)
        write_series(tmp_path, series=3, count=2)
        found = scan(tmp_path)
        wanted = found.series[1]
        name = {"number": 3, "text": "3", "pseudonym": wanted.uid, "uid": wanted.true_uid}[by]
        assert choose(found, Modality.CT, name) == wanted

    def test_several_are_listed_with_number_and_id(self, tmp_path: Path) -> None:
        write_series(tmp_path, series=2)
        write_series(tmp_path, series=3, SeriesNumber=None, count=2)
        found = scan(tmp_path)
        with pytest.raises(AmbiguousSeries) as error:
            choose(found, Modality.CT)
        assert str(error.value) == (
            f"2 CT series found where one is expected: number 2, id {found.series[0].uid}, 5 images; "
            f"without number, id {found.series[1].uid}, 2 images; "
            "name one by its number or id with ct_series (--ct-series)"
        )

    def test_a_number_that_two_series_bear_does_not_choose(self, tmp_path: Path) -> None:
        write_series(tmp_path, series=2)
        write_series(tmp_path, series=3, SeriesNumber=2)
        with pytest.raises(AmbiguousSeries, match="2 CT series found"):
            choose(scan(tmp_path), Modality.CT, 2)

    @pytest.mark.parametrize("wanted", ["4", "", "None"])
    def test_a_name_that_none_bears_is_refused(self, tmp_path: Path, wanted: str) -> None:
        write_series(tmp_path, SeriesNumber=None)
        with pytest.raises(NoImages, match="there are: without number, id"):
            choose(scan(tmp_path), Modality.CT, wanted)
        with pytest.raises(NoImages, match="there are: none"):
            choose(scan(tmp_path), Modality.PET, wanted)


class TestStacks:
    """What one series holds besides its slices."""

    def test_of_two_stacks_one_is_named_by_its_id_or_by_one_of_its_files(self, tmp_path: Path) -> None:
        two_stacks(tmp_path)
        found = scan(tmp_path)
        uid = pseudonym(f"{ROOT}.1.1")
        assert {one.uid for one in found.series} == {f"{uid}-1", f"{uid}-2"}
        for series in found.series:
            assert choose(found, Modality.CT, series.uid) == series
            assert scan(series.files[0]).series == (series,)
            assert series.label == f"CT series 1 ({series.uid})"
        for name in (1, uid, f"{ROOT}.1.1"):
            with pytest.raises(AmbiguousSeries, match="2 CT series found"):
                choose(found, Modality.CT, name)

    @pytest.mark.parametrize(
        ("main", "others", "is_asked"),
        [(12, 1, False), (9, 3, False), (8, 3, True), (2, 1, True), (40, 4, False), (39, 4, True), (6, 6, True)],
    )
    def test_few_odd_images_are_set_apart_and_many_are_asked_about(
        self, tmp_path: Path, main: int, others: int, is_asked: bool
    ) -> None:
        def change(image: Dataset, k: int) -> None:
            if k >= main:
                put(image, Rows=2)

        write_series(tmp_path, count=main + others, change=change)
        found = scan(tmp_path)
        assert [len(one.slices) for one in found.series] == ([main, others] if is_asked else [main])
        assert len(found.skipped) == (0 if is_asked else others)

    def test_what_is_set_apart_is_listed_with_its_reason(self, tmp_path: Path) -> None:
        write_series(tmp_path)
        odd = save(build_image(k=9, SOPInstanceUID=f"{ROOT}.55", Rows=2, PixelSpacing=[5, 5]), tmp_path / "odd.dcm")
        (series,) = scan(tmp_path).series
        assert reasons(tmp_path) == {
            "odd.dcm": f"set apart from {series.label}: another size (2 x 3 pixels), another pixel spacing"
        }
        assert scan(odd).series == (series,)

    def test_an_image_that_does_not_say_its_place_stays_with_the_slices_to_be_refused_by_name(
        self, tmp_path: Path
    ) -> None:
        write_series(tmp_path, change=lambda image, k: put(image, PixelSpacing=None) if k == 2 else None)
        assert len(scan(tmp_path).series[0].slices) == 5

    def test_orientations_that_differ_by_less_than_is_measured_are_one(self, tmp_path: Path) -> None:
        """Rounding would cut between 0.00004 and 0.00006."""

        def change(image: Dataset, k: int) -> None:
            put(image, ImageOrientationPatient=[1, 4e-5 + 1e-5 * (k % 3), 0, 0, 1, 0])

        write_series(tmp_path, change=change)
        assert len(scan(tmp_path).series[0].slices) == 5


def test_an_empty_folder_holds_no_series(tmp_path: Path) -> None:
    found = scan(tmp_path)
    assert found.series == ()
    assert found.skipped == ()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoImages, match="no file or folder nowhere"):
        scan(tmp_path / "nowhere")


def test_a_file_that_is_no_image_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("words " * 50)
    with pytest.raises(UnreadableFile, match=r"notes\.txt: not a DICOM file; expected a DICOM CT or PET image"):
        scan(file)


def test_a_scan_can_be_stopped(tmp_path: Path) -> None:
    write_series(tmp_path)
    told: list[Progress] = []
    with pytest.raises(Cancelled):
        scan(tmp_path, run=Run(on_progress=told.append, is_cancelled=lambda: len(told) > 1))
    assert [step.done for step in told] == [0, 1]


def test_radiopharmaceuticals_that_are_no_items_are_none(tmp_path: Path) -> None:
    write_series(tmp_path, "PT", count=1, RadiopharmaceuticalInformationSequence=Sequence([]))
    pet = scan(tmp_path).series[0].slices[0].pet
    assert pet is not None
    assert pet.tracers == 0


def test_images_that_only_share_a_uid_are_all_read(tmp_path: Path) -> None:
    def change(image: Dataset, k: int) -> None:
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.77"

    write_series(tmp_path, count=4, change=change)
    (series,) = scan(tmp_path).series
    assert len(series.slices) == 4
    assert any("3 files with another image under the SOPInstanceUID" in note for note in series.notes)


def test_an_image_that_is_there_twice_is_noted_with_its_series(tmp_path: Path) -> None:
    files = write_series(tmp_path, count=4)
    write_series(tmp_path, "PT", count=2)
    (tmp_path / "copy.dcm").write_bytes(files[2].read_bytes())
    ct, pet = scan(tmp_path).series
    assert len(ct.slices) == 4
    assert any("1 file with an image that another file holds too: " in note for note in ct.notes)
    assert pet.notes == ()
