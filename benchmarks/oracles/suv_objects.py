"""The six of IBSI's 17 SUV objects that are not among the data here, written anew from one that is.

DRO_0_0 holds activity corrected to 11:00. Each object here holds the same SUV, said in another way:
the stored values stay, the slope carries the factor that the other way asks for, worked out from
the formulas below and nowhere from grisaille.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

from pydicom import Dataset, Sequence, dcmread
from pydicom.uid import generate_uid

DOSE_BQ, WEIGHT_KG, HEIGHT_CM = 368.08e6, 70.0, 175.0
UPTAKE_S, FRAME_S, BED_S = 3600.0, 300.0, 400.0
F18_S, GA68_S = 6586.2, 4062.6
FIRST_OF_BED_2 = 10
PHILIPS_ACTIVITY = 2.5
RATE = math.log(2) / F18_S

Changes = dict[str, tuple[Callable[[Dataset, int], None], Callable[[int], float]]]
"""By name, what is done to an image of the first or second bed, and the factor on its slope."""

MISSING = {
    "DRO_2_2": "GML, SUVType IBW, sex O",
    "DRO_2_5": "CNTS, Philips' activity factor only",
    "DRO_3_2": "SeriesTime after AcquisitionTime, two beds",
    "DRO_3_4": "NONE, two beds",
    "DRO_4_2": "over midnight, StartTime only",
    "DRO_5_0": "Ga-68",
}


DISPUTED = {
    "both_philips_factors": "both of Philips' factors, 10 % apart: QIBA and we take the SUV factor and say so, "
    "MIRP takes the activity factor",
    "not_attenuation_corrected": "no attenuation correction: we refuse SUV, MIRP computes it",
    "uptake_of_13_h": "13 h between injection and scan: we refuse SUV, MIRP computes it",
}
"""Series on which readers differ, with the reason."""


def write_missing(reference: Path, into: Path) -> dict[str, Path]:
    """The folder of each object of ``MISSING``, written from that of DRO_0_0 with its mask."""
    return _write(reference, into, _CHANGES)


def write_disputed(reference: Path, into: Path) -> dict[str, Path]:
    """The same for ``DISPUTED``."""
    return _write(reference, into, _DISPUTES)


def _write(reference: Path, into: Path, changes: Changes) -> dict[str, Path]:
    made = {}
    for name, (change, factor) in changes.items():
        folder = into / name
        folder.mkdir(parents=True)
        for number, file in enumerate(sorted(reference.glob("*.dcm"))):
            image = dcmread(file)
            bed = int(number >= FIRST_OF_BED_2)
            image.SeriesInstanceUID = generate_uid(entropy_srcs=[name])
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid(
                entropy_srcs=[name, str(number)]
            )
            image.RescaleSlope = f"{float(image.RescaleSlope) * factor(bed):.10g}"
            change(image, bed)
            image.save_as(folder / file.name)
        shutil.copyfile(reference / "mask.nii.gz", folder / "mask.nii.gz")
        made[name] = folder
    return made


def _suv_per_activity(half_life_s: float = F18_S) -> float:
    """An hour after the injection."""
    return WEIGHT_KG * 1000 / (DOSE_BQ * 0.5 ** (UPTAKE_S / half_life_s))


def _ideal(image: Dataset, bed: int) -> None:
    image.Units, image.SUVType = "GML", "IBW"


def _ideal_factor(bed: int) -> float:
    """Of a patient of sex O: the mean of both formulas."""
    over = HEIGHT_CM - 152
    return _suv_per_activity() * ((48 + 1.06 * over + 45.5 + 0.91 * over) / 2) / WEIGHT_KG


def _counts(image: Dataset, bed: int) -> None:
    image.Units = "CNTS"
    image.add_new(0x70530010, "LO", "Philips PET Private Group")
    image.add_new(0x70531009, "DS", str(PHILIPS_ACTIVITY))


def _beds(image: Dataset, bed: int) -> None:
    image.AcquisitionTime = ("110000.000000", "110640.000000")[bed]
    image.ActualFrameDuration = int(FRAME_S * 1000)
    mean_s = math.log(RATE * FRAME_S / (1 - math.exp(-RATE * FRAME_S))) / RATE
    image.FrameReferenceTime = f"{1000 * (mean_s + bed * BED_S):.6f}"


def _reprocessed(image: Dataset, bed: int) -> None:
    _beds(image, bed)
    image.SeriesTime = "123000.000000"


def _undecayed(image: Dataset, bed: int) -> None:
    _beds(image, bed)
    image.DecayCorrection = "NONE"


def _undecayed_factor(bed: int) -> float:
    """The mean activity of a frame that begins ``bed`` beds after 11:00, over the activity at 11:00."""
    return math.exp(-RATE * bed * BED_S) * (1 - math.exp(-RATE * FRAME_S)) / (RATE * FRAME_S)


def _overnight(image: Dataset, bed: int) -> None:
    image.SeriesDate = image.AcquisitionDate = image.StudyDate = "20250102"
    image.SeriesTime = image.AcquisitionTime = image.StudyTime = "003000.000000"
    item = image.RadiopharmaceuticalInformationSequence[0]
    item.RadiopharmaceuticalStartTime = "233000.000000"
    del item.RadiopharmaceuticalStartDateTime


def _gallium(image: Dataset, bed: int) -> None:
    item = image.RadiopharmaceuticalInformationSequence[0]
    item.RadionuclideHalfLife = str(GA68_S)
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-131A3", "SRT", "^68^Gallium"
    item.RadionuclideCodeSequence = Sequence([code])


def _as_it_is(bed: int) -> float:
    return 1.0


def _both(image: Dataset, bed: int) -> None:
    """The SUV factor is right, the activity factor 10 % high."""
    _counts(image, bed)
    image.add_new(0x70531000, "DS", f"{PHILIPS_ACTIVITY * _suv_per_activity():.10g}")
    image[0x70531009].value = str(PHILIPS_ACTIVITY * 1.1)


def _uncorrected(image: Dataset, bed: int) -> None:
    image.CorrectedImage = ["NORM", "DTIM", "DECY"]


def _long_ago(image: Dataset, bed: int) -> None:
    item = image.RadiopharmaceuticalInformationSequence[0]
    item.RadiopharmaceuticalStartDateTime, item.RadiopharmaceuticalStartTime = "20241231220000", "220000"


_DISPUTES: Changes = {
    "both_philips_factors": (_both, lambda bed: 1 / PHILIPS_ACTIVITY),
    "not_attenuation_corrected": (_uncorrected, _as_it_is),
    "uptake_of_13_h": (_long_ago, _as_it_is),
}

_CHANGES: Changes = {
    "DRO_2_2": (_ideal, _ideal_factor),
    "DRO_2_5": (_counts, lambda bed: 1 / PHILIPS_ACTIVITY),
    "DRO_3_2": (_reprocessed, _as_it_is),
    "DRO_3_4": (_undecayed, _undecayed_factor),
    "DRO_4_2": (_overnight, _as_it_is),
    "DRO_5_0": (_gallium, lambda bed: _suv_per_activity() / _suv_per_activity(GA68_S)),
}
