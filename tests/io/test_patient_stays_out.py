"""Nothing of a patient reaches a sentence, a log, a warning, a name, a record or a table.

A name, an identifier, a birth date and an accession number are planted in every element that may hold
them, in sound files and in broken ones, and looked for in everything that grisaille says.
"""

from __future__ import annotations

import json
import logging
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, Sequence
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from dicom_builder import put, put_pixels, write_index, write_series
from fake_method import FakeMethod
from grisaille.cli.main import main
from grisaille.core.errors import GrisailleError
from grisaille.desktop.layers import image_arguments
from grisaille.flows.detect import detect
from grisaille.io.dicom.series import scan
from grisaille.io.info import describe
from grisaille.io.labels import write_labels
from grisaille.io.results import write_result
from grisaille.io.study import read_study
from grisaille.io.volumes import write_volume

NAME, IDENTIFIER, BORN, ACCESSION = "QUIXOTE^ALONSO", "MANCHA-1605", "16050116", "ACC-99887766"
SECRETS = ("QUIXOTE", "ALONSO", "MANCHA", "1605", "99887766")

_PLACES = {
    NAME: (
        "PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ReferringPhysicianName",
        "OperatorsName", "PerformingPhysicianName", "ResponsiblePerson", "InstitutionName", "StationName",
        "StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "PatientComments",
        "AdditionalPatientHistory", "DeviceSerialNumber", "StudyID", "FilterType", "ConvolutionKernel",
        "ContrastBolusAgent", "DerivationDescription",
    ),
    IDENTIFIER: ("PatientID", "OtherPatientIDs", "IssuerOfPatientID", "AdmissionID", "PatientAddress"),
    BORN: ("PatientBirthDate", "PatientBirthTime"),
    ACCESSION: ("AccessionNumber", "RequestedProcedureID", "ScheduledProcedureStepID"),
}  # fmt: skip

_NOT_VALID = (
    "SeriesDate", "SeriesTime", "AcquisitionTime", "SeriesNumber", "InstanceNumber", "PatientWeight", "PatientSize",
    "RescaleSlope", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "Units",
    "DecayCorrection", "CorrectedImage", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID", "Modality",
    "PhotometricInterpretation", "PatientSex", "SUVType", "TimezoneOffsetFromUTC", "ImageType",
)  # fmt: skip
"""Elements that have no business to hold a name: with one in them, they are what a sentence is about."""


def plant(image: Dataset, _: int = 0) -> None:
    """The patient in every place made for it, in a sequence, in private elements and in the file's meta."""
    for secret, keywords in _PLACES.items():
        put(image, **dict.fromkeys(keywords, secret))
    item = Dataset()
    put(item, PatientName=NAME, PatientID=IDENTIFIER)
    image.OtherPatientIDsSequence = Sequence([item])
    image.private_block(0x0009, NAME, create=True).add_new(1, "LO", IDENTIFIER)
    put(image.file_meta, SourceApplicationEntityTitle="QUIXOTE")


def misplace(keyword: str) -> Callable[[Dataset, int], None]:
    """The patient's name as the value of ``keyword`` too."""

    def change(image: Dataset, k: int) -> None:
        plant(image)
        tag, written = Tag(keyword), f"{BORN}-{NAME}".encode()
        image[tag] = RawDataElement(tag, dictionary_VR(keyword), len(written), written, 0, False, True)

    return change


@contextmanager
def listening(told: list[str]) -> Iterator[None]:
    """Adds every warning and every log record of whoever to ``told``."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(self.format(record))

    handler, root = Collector(logging.DEBUG), logging.getLogger()
    root.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        told += [str(one.message) for one in caught]
    finally:
        root.removeHandler(handler)


def said_of(path: Path) -> list[str]:
    """All that reading and describing say: sentences, names, records, layers, logs and warnings."""
    told: list[str] = []
    with listening(told):
        for say in (lambda: json.dumps(describe([path])), lambda: everything_of(path)):
            try:
                told.append(say())
            except GrisailleError as error:
                told.append(str(error))
                told += [str(one) for one in (error.__cause__,) if isinstance(one, GrisailleError)]
    return told


def everything_of(path: Path) -> str:
    found = scan(path)
    study = read_study(path)
    layers = [repr({**image_arguments(volume)[1], "metadata": None}) for volume in study.volumes.values()]
    return " ".join([repr(found.series), *(one.reason for one in found.skipped), repr(study), *study.warnings, *layers])


def assert_silent(told: list[str]) -> None:
    leaks = [(secret, sentence[:300]) for secret in SECRETS for sentence in told if secret in sentence.upper()]
    assert not leaks


@pytest.mark.parametrize("modality", ["CT", "PT", "MR"])
def test_sound_files_say_nothing_of_their_patient(tmp_path: Path, modality: str) -> None:
    write_series(tmp_path, modality, change=plant)
    told = said_of(tmp_path)
    assert len(told) >= 2
    assert_silent(told)


@pytest.mark.parametrize("modality", ["CT", "PT"])
@pytest.mark.parametrize("keyword", _NOT_VALID)
def test_a_name_in_the_wrong_element_is_not_repeated(tmp_path: Path, modality: str, keyword: str) -> None:
    write_series(tmp_path, modality, count=3, change=misplace(keyword))
    assert_silent(said_of(tmp_path))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7, 0.97])
def test_files_cut_off_say_nothing_of_their_patient(tmp_path: Path, share: float) -> None:
    for file in write_series(tmp_path, "PT", count=3, change=plant):
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    assert_silent(said_of(tmp_path))


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.3", "1.2.3.QUIXOTE"])
def test_other_objects_say_nothing_of_their_patient(tmp_path: Path, uid: str) -> None:
    write_series(tmp_path, change=plant, count=1, SOPClassUID=uid)
    assert_silent(said_of(tmp_path))


def test_discs_and_archives_say_nothing_of_their_patient(tmp_path: Path) -> None:
    files = write_series(tmp_path / "QUIXOTE", "CT", change=plant)
    (tmp_path / "QUIXOTE" / "note.txt").write_text(f"of {NAME} " * 40)
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for file in sorted((tmp_path / "QUIXOTE").iterdir()):
            archive.write(file, f"QUIXOTE_ALONSO/{IDENTIFIER}_{file.name}")
        archive.writestr("QUIXOTE/cut.dcm", files[0].read_bytes()[:300])
    told = said_of(tmp_path / "study.zip")
    assert any("member_0007.dcm" in sentence for sentence in told), "the member cut off is told by its number"
    assert_silent(told)
    disc = tmp_path / "disc"
    write_series(disc / "IMAGES", "CT", change=plant)
    write_index(disc, [["IMAGES", "CT1_000.dcm"], ["QUIXOTE", "ABSENT"]])
    assert_silent(said_of(disc / "DICOMDIR"))


def test_what_is_written_says_nothing_of_the_patient(tmp_path: Path) -> None:
    """Volumes, labels and a whole result of a DICOM study: file names, headers, JSON and tables."""

    def larger(image: Dataset, k: int) -> None:
        plant(image)
        put_pixels(image, np.random.default_rng(k).integers(0, 30_000, (12, 12), np.int16))

    write_series(tmp_path / "in", "PT", count=12, change=larger)
    told: list[str] = []
    with listening(told):
        study = read_study(tmp_path / "in")
        result = detect(study, FakeMethod(), top=0.05)
    assert study.pet is not None
    out = tmp_path / "out"
    with listening(told):
        write_result(result, out)
        write_volume(study.pet, out / "volume.nii.gz")
        write_labels(result.labels, out / "more.nrrd")
    for file in out.iterdir():
        told.append(file.name)
        told.append(file.read_bytes().decode("latin-1") if file.suffix != ".gz" else unpacked(file))
    assert len(told) > 10
    assert_silent(told)


def unpacked(file: Path) -> str:
    import gzip

    return gzip.decompress(file.read_bytes())[:2000].decode("latin-1")


def test_info_prints_nothing_of_the_patient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_series(tmp_path, "PT", change=misplace("SeriesDate"))
    files = write_series(tmp_path / "broken", "PT", series=2, change=misplace("PatientWeight"))
    files[0].write_bytes(files[0].read_bytes()[:500])
    for words in ([], ["--json"]):
        main(["info", *words, str(tmp_path)])
        printed = capsys.readouterr()
        assert "PT" in printed.out
        assert_silent([printed.out, printed.err])
