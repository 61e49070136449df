"""Series as folders hold them, regular and not, each with what reading it has to give.

``CASES`` are the rows of ``benchmarks/dicom_series.py`` and of ``tests/io/dicom/test_series.py``: how the files
are made, and, for each way of reading them, the volume that is right or the refusal that is.
"""

from __future__ import annotations

import numpy as np

from dicom_builder import SUV_FACTOR, put, write_series
from grisaille.core.errors import AmbiguousSeries, IrregularSeries, UnevenSlices, UnreadableFile
from multiframe_builder import set_rescale, write_enhanced
from series_checks import Case, Reads, Refuses
from series_files import (
    BQML,
    COUNT,
    CT,
    EVEN,
    JITTER,
    MIXED,
    RESAMPLE,
    TILT,
    WIDE_JITTER,
    WITHOUT_5,
    at,
    axial,
    between,
    dynamic,
    evened,
    extra,
    mapped,
    missing,
    mixed_sign,
    oblique,
    one_place_twice,
    only,
    padded,
    per_slice,
    phases,
    place,
    plain,
    ramp,
    regridded,
    sagittal,
    same_file_twice,
    slopes,
    truncated,
    turned_oblique,
    turned_sagittal,
    two_frames_of_reference,
    two_stacks,
    with_air,
    with_junk,
    with_padding,
    with_scout,
    without_preamble,
)

FRACTIONS = 0.5 + 0.125 * np.arange(COUNT)
ONE_FIRST = np.where(np.arange(COUNT) == 0, 1.0, 0.001 * (1 + np.arange(COUNT)))
INTERPOLATED_5 = between(CT[WITHOUT_5], EVEN[WITHOUT_5], EVEN)
MISSING = r"UnevenSlices: .*1 slice missing: index 5 at z = -15\.0 mm \(between CT1_004\.dcm and CT1_006\.dcm\)"

CASES = (
    Case("plain CT (control)", plain(), (Reads(axial(CT), "^regular$"),)),
    Case(
        "PET, slope of each slice, the first fractional",
        plain(modality="PT", change=slopes(FRACTIONS)),
        (Reads(axial(per_slice(FRACTIONS)), options=BQML),),
    ),
    Case(
        "PET, slope of each slice, the first 1",
        plain(modality="PT", change=slopes(ONE_FIRST)),
        (Reads(axial(per_slice(ONE_FIRST)), options=BQML),),
    ),
    Case(
        "Enhanced PET in one file, slope of each frame",
        lambda folder: write_enhanced(
            folder / "PT.dcm",
            "PT",
            count=COUNT,
            Units="BQML",
            change=lambda groups, k: set_rescale(groups, FRACTIONS[k], 0),
        ),
        (Reads(axial(per_slice(FRACTIONS)), options=BQML),),
    ),
    Case(
        "Enhanced CT in one file",
        lambda folder: write_enhanced(folder / "CT.dcm", count=COUNT),
        (Reads(axial(CT)),),
    ),
    Case(
        "missing slice",
        missing(5),
        (Refuses(UnevenSlices, MISSING), Reads(axial(INTERPOLATED_5), r"1 interpolated, at z = -15\.0 mm", RESAMPLE)),
    ),
    Case(
        "missing slices at an end, a number beyond them",
        lambda folder: write_series(folder, count=10, change=only(9, InstanceNumber=12)),
        (Reads(axial(CT[:10]), r"2 instance numbers missing between 1 and 12"),),
    ),
    Case(
        "spacing of 3 and 5 mm",
        plain(change=at(MIXED)),
        (
            Refuses(
                UnevenSlices, r"gaps of 3\.00 to 5\.00 mm, .* between CT1_006\.dcm and CT1_007\.dcm .*z = -12\.0 mm"
            ),
            Reads(regridded(), "15 slices 3.071 mm apart from 12 images", RESAMPLE),
        ),
    ),
    Case(
        "gantry tilt of 15 degrees",
        plain(change=lambda image, k: place(image, 3.0 * k, 3.0 * k * TILT)),
        (Reads(axial(CT, lean=3.0 * TILT), r"tilted by 15\.0 degrees.*nothing was resampled"),),
    ),
    Case("places 0.02 mm off", plain(change=at(JITTER)), (Reads(axial(CT), r"deviate by up to 0\.020 mm"),)),
    Case(
        "places 0.2 mm off",
        plain(change=at(WIDE_JITTER)),
        (Refuses(UnevenSlices, "uneven spacing"), Reads(evened(), "12 slices 3.000 mm apart", RESAMPLE)),
    ),
    Case("one file twice", same_file_twice, (Reads(axial(CT)),)),
    Case(
        "one place twice, of different UIDs",
        one_place_twice,
        (Refuses(IrregularSeries, r"CT1_004\.dcm and again\.dcm|again\.dcm and CT1_004\.dcm"),),
    ),
    Case(
        "two phases at the same places",
        lambda folder: phases(folder, "CT", lambda image, phase: put(image, AcquisitionNumber=phase + 1)),
        (
            Refuses(AmbiguousSeries, r"2 images at each of 12 places.*frame 0: acquisition 1; frame 1: acquisition 2"),
            Reads(axial(CT), r"", {"frame": 0}),
            Reads(axial(CT + 1000), r"", {"frame": 1}),
        ),
    ),
    Case(
        "dynamic PET of three frames, SUV of each",
        lambda folder: phases(folder, "PT", dynamic, 3),
        (
            Refuses(AmbiguousSeries, r"3 images at each of 12 places.*frame 2: frame reference time 150 s"),
            Reads(axial((ramp() + 2000) * 2.5 * SUV_FACTOR), "", {"frame": 2}),
        ),
    ),
    Case(
        "two phases that nothing tells apart",
        lambda folder: phases(folder, "CT", lambda image, phase: None),
        (Refuses(IrregularSeries, "none of TemporalPositionIdentifier, .* tells them apart"),),
    ),
    Case(
        "localizer among the slices, not called one",
        with_scout(),
        (Reads(axial(CT), r"set 1 image of the series apart from its slices: a_scout\.dcm \(another orientation\)"),),
    ),
    Case(
        "localizer among the slices, called one",
        with_scout(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        (Reads(axial(CT)),),
    ),
    Case(
        "two stacks of 6 in one series",
        two_stacks,
        (Refuses(AmbiguousSeries, r"2 CT series.*6 images \(axial, 4 x 3 pixels.*6 images \(coronal, 4 x 3 pixels"),),
    ),
    Case(
        "two frames of reference",
        two_frames_of_reference,
        (Refuses(AmbiguousSeries, r"2 CT series.*frame of reference [0-9a-f]{12}.*frame of reference [0-9a-f]{12}"),),
    ),
    Case(
        "one slice without position",
        plain(change=only(5, ImagePositionPatient=None)),
        (Refuses(IrregularSeries, r"CT1_005\.dcm has no ImagePositionPatient"),),
    ),
    Case(
        "no positions at all",
        plain(ImagePositionPatient=None),
        (Refuses(IrregularSeries, "none of its 12 images has ImagePositionPatient.*export the series again"),),
    ),
    Case("truncated pixels", truncated, (Refuses(UnreadableFile, r"CT1_007\.dcm"),)),
    Case("MONOCHROME1", plain(PhotometricInterpretation="MONOCHROME1"), (Reads(axial(CT)),)),
    Case(
        "real world value mapping",
        plain(change=mapped),
        (Reads(axial(CT), "RealWorldValueMappingSequence .*was not applied"),),
    ),
    Case("signed and unsigned, two intercepts", plain(change=mixed_sign), (Reads(axial(CT)),)),
    Case(
        "one slice of another size",
        lambda folder: (write_series(folder, count=COUNT), extra(folder, "odd.dcm", 3, Rows=2)),
        (Reads(axial(CT), r"odd\.dcm \(another size \(2 x 3 pixels\)\)"),),
    ),
    Case(
        "one slice of another pixel spacing",
        lambda folder: (write_series(folder, count=COUNT), extra(folder, "odd.dcm", 3, PixelSpacing=[5, 5])),
        (Reads(axial(CT), r"odd\.dcm \(another pixel spacing\)"),),
    ),
    Case(
        "padding of -2000",
        plain(change=padded),
        (Reads(axial(with_air()), "set 12 padding pixels to -1024"),),
        also=axial(with_padding()),
    ),
    Case("files without preamble", without_preamble, (Reads(axial(CT)),)),
    Case("junk in the folder", with_junk, (Reads(axial(CT), r"left out 1 damaged DICOM file: half\.dcm"),)),
    Case(
        "a single slice",
        plain(count=1),
        (Reads(axial(CT[:1], 5.0), "a single slice, as thick as SliceThickness.*5 mm was taken as the spacing"),),
    ),
    Case("sagittal", plain(change=sagittal), (Reads(turned_sagittal()),)),
    Case("oblique", plain(change=oblique), (Reads(turned_oblique()),)),
    Case(
        "from head to feet",
        plain(change=lambda image, k: place(image, -3.0 * k)),
        (Reads(axial(CT[::-1], first=-3.0 * (COUNT - 1))),),
    ),
    Case(
        "instance numbers reversed",
        plain(change=lambda image, k: put(image, InstanceNumber=COUNT - k)),
        (Reads(axial(CT)),),
    ),
    Case("directions 0.0005 too long", plain(ImageOrientationPatient=[1.0005, 0, 0, 0, 1, 0]), (Reads(axial(CT)),)),
    Case(
        "directions that are no unit vectors",
        plain(ImageOrientationPatient=[1.1, 0, 0, 0, 1, 0]),
        (Refuses(IrregularSeries, r"not two unit vectors at right angles \(lengths 1\.1000"),),
    ),
    Case(
        "two series in one folder",
        lambda folder: (write_series(folder, count=COUNT), write_series(folder, count=COUNT, series=2)),
        (
            Refuses(AmbiguousSeries, "2 CT series found .*number 1, .*number 2"),
            Reads(axial(CT), options={"series": 2}),
        ),
    ),
)
