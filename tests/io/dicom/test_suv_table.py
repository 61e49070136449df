"""MEDICAL.md 2.2: every way in which a PET series may say what its numbers are, as DICOM files, read whole.

Each row is a series of two slices whose SUV is known by hand, or a refusal. The stored values are
those of ``dicom_builder.stored``; the patient weighs 70 kg, 368.08 MBq of F-18 were given at 10:00
and the scan began at 11:00.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, Sequence

from dicom_builder import DOSE_BQ, HALF_LIFE_S, SUV_FACTOR, WEIGHT_KG, put, stored, tracer, write_series
from grisaille.core.errors import SuvRefused, UnknownUnit
from grisaille.core.volume import Unit, Volume
from grisaille.imaging.suv import SuvOverrides
from grisaille.io.dicom.series import read_series, scan
from grisaille.io.study import read_study
from image_builder import save_nifti

RATE = math.log(2) / HALF_LIFE_S
PER_DOSE = WEIGHT_KG * 1000 / DOSE_BQ
MEAN_S = math.log(RATE * 300 / (1 - math.exp(-RATE * 300))) / RATE
"""How long after its start a frame of 300 s of F-18 has its mean activity."""
SURFACE_CM2 = 71.84 * 175**0.725 * 70**0.425
JAMES_KG = (1.10 * 70 - 128 * (70 / 175) ** 2 + 1.07 * 70 - 148 * (70 / 175) ** 2) / 2
IDEAL_KG = (48 + 1.06 * 23 + 45.5 + 0.91 * 23) / 2


@dataclass(frozen=True)
class Row:
    """A series, and what it has to give.

    Parameters
    ----------
    name
        Of the row.
    tags
        Elements of all images.
    tracer
        Elements of the tracer.
    change
        To each image by its number.
    factor
        From stored values to SUVbw, for all slices or for each; None where SUV is refused.
    told
        Words of the warnings, in their order.
    refused
        Words of the refusal.
    """

    name: str
    tags: dict[str, Any] = field(default_factory=dict)
    tracer: dict[str, Any] = field(default_factory=dict)
    change: Callable[[Dataset, int], None] | None = None
    factor: float | tuple[float, float] | None = SUV_FACTOR
    told: tuple[str, ...] = ()
    refused: str = ""

    def write(self, folder: Path) -> None:
        def change(image: Dataset, k: int) -> None:
            tracer(image, **self.tracer)
            if self.change is not None:
                self.change(image, k)

        write_series(folder, "PT", count=2, change=change, **self.tags)

    def read(self, folder: Path, **given: Any) -> Volume:
        self.write(folder)
        (series,) = scan(folder).series
        return read_series(series, **given)


def philips(suv: float | None = None, activity: float | None = None) -> Callable[[Dataset, int], None]:
    def change(image: Dataset, k: int) -> None:
        image.add_new(0x70530010, "LO", "Philips PET Private Group")
        if suv is not None:
            image.add_new(0x70531000, "DS", f"{suv:.10g}")
        if activity is not None:
            image.add_new(0x70531009, "DS", f"{activity:.10g}")

    return change


def private(group: int, creator: str, element: int, vr: str, value: str) -> Callable[[Dataset, int], None]:
    def change(image: Dataset, k: int) -> None:
        image.add_new((group << 16) + 0x10, "LO", creator)
        image.add_new((group << 16) + 0x1000 + element, vr, value)

    return change


def slopes(image: Dataset, k: int) -> None:
    image.RescaleSlope = 0.5 + k


def beds(image: Dataset, k: int) -> None:
    """Two beds of 300 s, 400 s apart; mean activity as the standard means FrameReferenceTime."""
    put(image, AcquisitionTime="110000" if k == 0 else "110640", ActualFrameDuration=300_000)
    image.FrameReferenceTime = f"{1000 * (MEAN_S + 400 * k):.6f}"


def blanked(image: Dataset, k: int) -> None:
    put(image, SeriesTime="", AcquisitionTime="", SeriesDate="19000101", AcquisitionDate="19000101")


def second_tracer(image: Dataset, k: int) -> None:
    image.RadiopharmaceuticalInformationSequence.append(Dataset())


CODELESS = {"RadionuclideHalfLife": None, "RadionuclideCodeSequence": Sequence([])}
NO_START = {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": None}
OVERNIGHT = {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "233000"}
HALF_PAST_MIDNIGHT = {"SeriesTime": "003000", "AcquisitionTime": "003000"}


def gallium(**tags: Any) -> dict[str, Any]:
    code = Dataset()
    put(code, CodeValue="C-131A3", CodingSchemeDesignator="SRT", CodeMeaning="^68^Gallium")
    return {"RadionuclideCodeSequence": Sequence([code]), **tags}


def left(uptake_s: float, half_life_s: float = HALF_LIFE_S) -> float:
    return PER_DOSE / 0.5 ** (uptake_s / half_life_s)


ROWS = (
    Row("plain"),
    Row("per-slice slopes", change=slopes, factor=(0.5 * SUV_FACTOR, 1.5 * SUV_FACTOR)),
    Row("GML without SUVType", {"Units": "GML"}, factor=1.0),
    Row("GML, LBMJAMES128", {"Units": "GML", "SUVType": "LBMJAMES128"}, factor=70 / JAMES_KG, told=("mean of both",)),
    Row("GML, IBW and sex O", {"Units": "GML", "SUVType": "IBW"}, factor=70 / IDEAL_KG, told=("mean of both",)),
    Row("CM2ML", {"Units": "CM2ML"}, factor=70_000 / SURFACE_CM2),
    Row("CNTS, SUV factor only", {"Units": "CNTS"}, change=philips(0.25), factor=0.25),
    Row("CNTS, activity factor only", {"Units": "CNTS"}, change=philips(None, 2.0), factor=2 * SUV_FACTOR),
    Row("CNTS, both agree", {"Units": "CNTS"}, change=philips(2 * SUV_FACTOR, 2.0), factor=2 * SUV_FACTOR),
    Row(
        "CNTS, both differ", {"Units": "CNTS"}, change=philips(0.25, 2.0), factor=0.25, told=("apart; the SUV factor",)
    ),
    Row("CNTS, neither", {"Units": "CNTS"}, factor=None, refused=r"\(7053,1000\) nor .*\(7053,1009\)"),
    Row("CNTS, both 0", {"Units": "CNTS"}, change=philips(0.0, 0.0), factor=None, refused=r"\(7053,1000\) nor"),
    Row("BQML from Philips", change=philips(0.25, 2.0)),
    Row("dose in MBq", tracer={"RadionuclideTotalDose": 368.08}, told=("368.08 was taken as MBq",)),
    Row("ADMIN", {"DecayCorrection": "ADMIN"}, factor=PER_DOSE),
    Row(
        "NONE, two beds",
        {"DecayCorrection": "NONE"},
        change=beds,
        factor=(left(3600 + MEAN_S), left(4000 + MEAN_S)),
    ),
    Row("series time after acquisition", {"SeriesTime": "123000"}, change=beds),
    Row("series time after acquisition by microseconds", {"AcquisitionTime": "105959.999995"}),
    Row(
        "series time after acquisition, no frame reference time",
        {"SeriesTime": "123000"},
        told=("earliest acquisition time was taken",),
    ),
    Row(
        "frame reference time contradicts series time",
        {"AcquisitionTime": "113000", "ActualFrameDuration": 300_000, "FrameReferenceTime": 150_000},
        told=("would differ by up to 21%",),
    ),
    Row(
        "GE's private time",
        {"SeriesTime": "123000"},
        change=private(0x0009, "GEMS_PETD_01", 0x0D, "DT", "20250101110000.00"),
    ),
    Row(
        "GE in the manufacturer's name only",
        {"SeriesTime": "123000", "Manufacturer": "INTEGRITY MEDICAL IMAGE IMPORTER"},
        change=private(0x0009, "SOMEBODY", 0x0D, "DT", "20250101093000.00"),
        told=("earliest acquisition time was taken",),
    ),
    Row("start date and time only", tracer={"RadiopharmaceuticalStartTime": None}),
    Row("start time only", tracer={"RadiopharmaceuticalStartDateTime": None}),
    Row("both starts, apart", tracer={"RadiopharmaceuticalStartTime": "095700"}, told=("a minute apart",)),
    Row("neither start, START", tracer=NO_START, factor=None, refused=r"\(0018,1078\) and .*\(0018,1072\) are missing"),
    Row(
        "neither start, NONE",
        {"DecayCorrection": "NONE"},
        tracer=NO_START,
        change=beds,
        factor=None,
        refused=r"\(0018,1078\) and .*\(0018,1072\) are missing",
    ),
    Row("neither start, ADMIN", {"DecayCorrection": "ADMIN"}, tracer=NO_START, factor=PER_DOSE),
    Row("over midnight", HALF_PAST_MIDNIGHT, OVERNIGHT, told=("day before",)),
    Row(
        "uptake over 12 h",
        tracer={"RadiopharmaceuticalStartDateTime": "20241231225900"},
        factor=None,
        refused="721 min after the injection",
    ),
    Row(
        "uptake below 0",
        tracer={"RadiopharmaceuticalStartDateTime": "20250101110100"},
        factor=None,
        refused="-1 min after the injection",
    ),
    Row(
        "uptake of 20 min",
        tracer={"RadiopharmaceuticalStartDateTime": "20250101104000", "RadiopharmaceuticalStartTime": None},
        factor=left(1200),
        told=("20 min after the injection",),
    ),
    Row(
        "uptake of 200 min",
        tracer={"RadiopharmaceuticalStartDateTime": "20250101074000", "RadiopharmaceuticalStartTime": None},
        factor=left(12000),
        told=("200 min after the injection",),
    ),
    Row("Ga-68", tracer=gallium(RadionuclideHalfLife=4062.6), factor=left(3600, 4062.6)),
    Row(
        "Ga-68 without half-life",
        tracer=gallium(RadionuclideHalfLife=None),
        factor=left(3600, 4069.8),
        told=("RadionuclideHalfLife is missing; 4069.8 s of Ga-68",),
    ),
    Row("no half-life and no code", tracer=CODELESS, factor=None, refused=r"\(0018,1075\) .*\(0054,0300\)"),
    Row("no weight", {"PatientWeight": None}, factor=None, refused=r"PatientWeight \(0010,1030\)"),
    Row("weight 0", {"PatientWeight": 0}, factor=None, refused=r"PatientWeight \(0010,1030\)"),
    Row("weight in g", {"PatientWeight": 70_000}, told=("taken as grams",)),
    Row("weight 1.5 kg", {"PatientWeight": 1.5}, factor=SUV_FACTOR * 1.5 / 70, told=("out of the ordinary",)),
    Row("weight 450 kg", {"PatientWeight": 450}, factor=SUV_FACTOR * 450 / 70, told=("out of the ordinary",)),
    Row("height in cm", {"PatientSize": 175, "Units": "CM2ML"}, factor=70_000 / SURFACE_CM2, told=("centimetres",)),
    Row("height 0", {"PatientSize": 0}),
    Row(
        "height 0 and SUV by surface",
        {"PatientSize": 0, "Units": "CM2ML"},
        factor=None,
        refused=r"PatientSize \(0010,1020\)",
    ),
    Row("no DECY", {"CorrectedImage": ["ATTN"]}, factor=None, refused=r"\(0028,0051\) lacks DECY"),
    Row("no ATTN", {"CorrectedImage": ["DECY"]}, factor=None, refused=r"\(0028,0051\) lacks ATTN"),
    Row("DECAY for DECY", {"CorrectedImage": ["ATTN", "DECAY"]}, factor=None, refused="lacks DECY"),
    Row("two tracers", change=second_tracer, told=("2 items; the first was used",)),
    Row("Siemens' private time", change=private(0x0071, "SIEMENS MED PT", 0x22, "DT", "20250101090000.00")),
    Row("times blanked", change=blanked, factor=None, refused=r"\(0008,0022\) or AcquisitionTime \(0008,0032\)"),
    Row(
        "dates shifted apart",
        {"SeriesDate": "20250401", "AcquisitionDate": "20250401"},
        factor=None,
        refused="de-identification may have shifted",
    ),
    Row("counts without a way", {"Units": "PROPCPS"}, factor=None, refused=r"Units \(0054,1001\) is PROPCPS"),
)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_row_is_as_expected(tmp_path: Path, row: Row) -> None:
    volume = row.read(tmp_path)
    told = volume.provenance.warnings
    if row.factor is None:
        assert volume.unit in (Unit.BQML, Unit.NONE)
        (warning,) = told
        assert re.search(row.refused, warning)
        with pytest.raises(SuvRefused, match=row.refused):
            row.read(tmp_path, unit=Unit.SUVBW)
        return
    assert volume.unit is Unit.SUVBW
    values = np.stack([stored(k) for k in range(2)]) * np.reshape(np.broadcast_to(row.factor, 2), (2, 1, 1))
    np.testing.assert_allclose(volume.voxels, values, rtol=2e-6)
    assert len(told) == len(row.told), told
    for warning, words in zip(told, row.told, strict=True):
        assert words in warning


def test_an_intercept_is_applied_and_told(tmp_path: Path) -> None:
    volume = Row("", {"RescaleIntercept": 3}).read(tmp_path)
    np.testing.assert_allclose(volume.voxels[1], (stored(1) + 3.0) * SUV_FACTOR, rtol=2e-6)
    (warning,) = volume.provenance.warnings
    assert "RescaleIntercept is up to 3" in warning


def test_uncorrected_activity_is_shown_as_activity(tmp_path: Path) -> None:
    volume = Row("", {"CorrectedImage": ["ATTN"]}).read(tmp_path)
    assert volume.unit is Unit.BQML
    np.testing.assert_array_equal(volume.voxels[1], stored(1))


def test_a_weight_entered_gives_suv_and_is_recorded(tmp_path: Path) -> None:
    row = Row("", {"PatientWeight": None})
    volume = row.read(tmp_path)
    assert volume.unit is Unit.BQML
    assert volume.provenance.suv is not None
    assert volume.provenance.suv.missing == ("weight_kg",)
    mended = row.read(tmp_path, overrides=SuvOverrides(weight_kg=70))
    np.testing.assert_allclose(mended.voxels[1], stored(1) * SUV_FACTOR, rtol=2e-6)
    assert mended.provenance.suv is not None
    assert dict(mended.provenance.suv.overrides) == {"weight_kg": 70.0}
    assert mended.provenance.suv.missing == ()


def test_a_pet_as_nifti_says_no_unit_and_is_refused(tmp_path: Path) -> None:
    save_nifti(tmp_path / "PET.nii.gz", np.ones((3, 4, 5), np.float32))
    with pytest.raises(UnknownUnit, match="does not say its unit"):
        read_study(tmp_path)
