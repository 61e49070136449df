"""Series as folders hold them, regular and not, each with what reading it has to give.

``CASES`` are the rows of ``benchmarks/dicom_series.py`` and of ``tests/io/test_dicom_series.py``: how the files
are made, and, for each way of reading them, the volume that is right or the refusal that is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, Sequence

from dicom_builder import (
    BETWEEN_COLUMNS_MM,
    BETWEEN_ROWS_MM,
    BETWEEN_SLICES_MM,
    ORIGIN_MM,
    ROOT,
    ROWS,
    SUV_FACTOR,
    build_image,
    put,
    put_pixels,
    save,
    stored,
    write_series,
)
from grisaille.core.errors import AmbiguousSeries, GrisailleError, IrregularSeries, UnevenSlices, UnreadableFile
from grisaille.io.study import read_volume
from multi_frame_builder import write_multi_frame

COUNT = 12
SAME_INDEX = 0.02
"""How far, in voxels, a voxel may lie from where it should: jitter within measure moves it that much."""


@dataclass(frozen=True, eq=False)
class Truth:
    """(z, y, x) values, and (4, 4) from index to LPS millimetres, listed z, y, x."""

    voxels: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True)
class Reads:
    """The volume has to be ``truth``, and ``said`` (a pattern) stands in its verdict or its warnings."""

    truth: Truth
    said: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refuses:
    """There has to be this error, with a sentence that ``said`` matches."""

    error: type[GrisailleError]
    said: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A folder of files, and what each way of reading it has to give."""

    name: str
    build: Callable[[Path], object]
    expected: tuple[Reads | Refuses, ...]


@dataclass(frozen=True)
class Outcome:
    """What a reading did, in words, and whether that is right."""

    words: str
    is_right: bool


def outcome(expected: Reads | Refuses, folder: Path) -> Outcome:
    """Read the folder as ``expected`` says and compare."""
    asked = ", ".join(f"{name}={value!r}" for name, value in expected.options.items())
    begin = f"{asked}: " if asked else ""
    try:
        volume = read_volume(folder, **expected.options)
    except GrisailleError as error:
        sentence = f"{type(error).__name__}: {error}"
        fits = isinstance(expected, Refuses) and isinstance(error, expected.error)
        return Outcome(f"{begin}{sentence}", fits and re.search(expected.said, sentence) is not None)
    notes = "; ".join((volume.provenance.geometry, *volume.provenance.warnings))
    if isinstance(expected, Refuses):
        return Outcome(f"{begin}read, and should not be; {notes}", False)
    wrong = difference(volume.voxels, volume.grid.affine, expected.truth)
    return Outcome(
        f"{begin}{wrong or 'values and places right'}; {notes}",
        not wrong and re.search(expected.said, notes) is not None,
    )


def difference(voxels: np.ndarray, affine_zyx: np.ndarray, truth: Truth) -> str:
    """In what a volume differs from the truth, voxel by voxel at its place, whatever its axes; empty if in nothing."""
    shape, spacing = "x".join(map(str, voxels.shape)), np.linalg.norm(affine_zyx[:3, :3], axis=0)
    have = f"{shape} voxels of {' x '.join(f'{step:.4g}' for step in spacing)} mm"
    if voxels.size != truth.voxels.size:
        return f"{have}, not {'x'.join(map(str, truth.voxels.shape))}"
    indices = np.stack(np.indices(truth.voxels.shape), axis=-1)
    places = indices @ truth.affine[:3, :3].T + truth.affine[:3, 3]
    there = (places - affine_zyx[:3, 3]) @ np.linalg.inv(affine_zyx[:3, :3]).T
    nearest = np.rint(there).astype(int)
    if np.abs(there - nearest).max() > SAME_INDEX or (nearest < 0).any() or (nearest >= voxels.shape).any():
        worst = np.linalg.norm(
            (there - np.clip(nearest, 0, np.array(voxels.shape) - 1)) @ affine_zyx[:3, :3].T, axis=-1
        )
        return f"{have}, places wrong by up to {worst.max():.2f} mm"
    found = voxels[tuple(np.moveaxis(nearest, -1, 0))]
    apart = np.abs(found.astype(float) - truth.voxels)
    if (apart > 1e-6 * np.abs(truth.voxels) + 1e-9).any():
        return f"{have}, values wrong by up to {apart.max():.5g}"
    return ""


# -- truths ---------------------------------------------------------------------------


def ramp(count: int = COUNT) -> np.ndarray:
    """(slice, row, column) stored numbers, each of its own."""
    return np.stack([stored(k) for k in range(count)]).astype(float)


def axial(values: np.ndarray, step: float = BETWEEN_SLICES_MM, first: float = 0.0, lean: float = 0.0) -> Truth:
    """Slices ``step`` mm apart from ``first`` mm above the origin, each ``lean`` mm further to the back."""
    affine = np.diag([step, BETWEEN_ROWS_MM, BETWEEN_COLUMNS_MM, 1.0])
    affine[:3, 3] = np.add(ORIGIN_MM[::-1], (first, 0, 0))
    affine[1, 0] = lean
    return Truth(values, affine)


def between(values: np.ndarray, places: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Linear interpolation along slices."""
    flat = values.reshape(len(values), -1)
    columns = [np.interp(wanted, places, column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(len(wanted), *values.shape[1:])


CT = ramp() - 1024
BQML = {"unit": "bqml"}
RESAMPLE = {"on_irregular": "resample"}


# -- changes to one image -------------------------------------------------------------


def place(image: Dataset, along: float, back: float = 0.0) -> None:
    """Put an axial image somewhere."""
    x, y, z = ORIGIN_MM
    image.ImagePositionPatient = [x, y + back, z + along]


def at(places: np.ndarray) -> Callable[[Dataset, int], None]:
    return lambda image, k: place(image, float(places[k]))


def only(k: int, **tags: Any) -> Callable[[Dataset, int], None]:
    """Tags of one image."""
    return lambda image, index: put(image, **tags) if index == k else None


def slopes(values: np.ndarray) -> Callable[[Dataset, int], None]:
    return lambda image, k: put(image, RescaleSlope=float(values[k]))


def extra(folder: Path, name: str, k: int = 0, modality: str = "CT", **tags: Any) -> Path:
    """One more image, with a UID of its own."""
    return save(build_image(modality, k, **{"SOPInstanceUID": f"{ROOT}.70.{len(name)}.{k}", **tags}), folder / name)


def phases(folder: Path, modality: str, changes: Callable[[Dataset, int], None], count: int = 2) -> None:
    """``count`` images at each place; image ``k`` is of phase ``k // COUNT``, which adds 1000 to stored values."""

    def change(image: Dataset, k: int) -> None:
        phase, at_place = divmod(k, COUNT)
        place(image, BETWEEN_SLICES_MM * at_place)
        put_pixels(image, stored(at_place) + np.int16(1000 * phase))
        changes(image, phase)

    write_series(folder, modality, count=count * COUNT, change=change)


def missing(*absent: int) -> Callable[[Path], object]:
    def build(folder: Path) -> None:
        files = write_series(folder, count=COUNT)
        for k in absent:
            files[k].unlink()

    return build


def plain(**options: Any) -> Callable[[Path], object]:
    return lambda folder: write_series(folder, **{"count": COUNT, **options})


def with_scout(**tags: Any) -> Callable[[Path], object]:
    def build(folder: Path) -> None:
        write_series(folder, count=COUNT)
        coronal = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1], "ImagePositionPatient": [-20, 0, 40]}
        extra(folder, "a_scout.dcm", **coronal, **tags)

    return build


def two_frames_of_reference(folder: Path) -> None:
    def other(image: Dataset, k: int) -> None:
        if k >= COUNT // 2:
            put(image, FrameOfReferenceUID=f"{ROOT}.5")

    write_series(folder, count=COUNT, change=other)


def two_stacks(folder: Path) -> None:
    def turn(image: Dataset, k: int) -> None:
        if k >= COUNT // 2:
            x, y, z = ORIGIN_MM
            put(image, ImageOrientationPatient=[1, 0, 0, 0, 0, -1], ImagePositionPatient=[x, y + 3 * k, z])

    write_series(folder, count=COUNT, change=turn)


def same_file_twice(folder: Path) -> None:
    files = write_series(folder, count=COUNT)
    (folder / "copy.dcm").write_bytes(files[4].read_bytes())


def one_place_twice(folder: Path) -> None:
    write_series(folder, count=COUNT)
    extra(folder, "again.dcm", 4)


def truncated(folder: Path) -> None:
    file = write_series(folder, count=COUNT)[7]
    file.write_bytes(file.read_bytes()[:-10])


def mapped(image: Dataset, k: int) -> None:
    item = Dataset()
    item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, 4000
    item.RealWorldValueSlope, item.RealWorldValueIntercept = 0.01, 0.0
    item.LUTLabel, item.LUTExplanation = "X", "X"
    unit = Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "1", "UCUM", "no units"
    item.MeasurementUnitsCodeSequence = Sequence([unit])
    image.RealWorldValueMappingSequence = Sequence([item])


def mixed_sign(image: Dataset, k: int) -> None:
    """Odd slices are unsigned and say so, with an intercept that makes up for it."""
    if k % 2:
        put_pixels(image, (stored(k) + 500).astype(np.uint16))
        put(image, RescaleIntercept=-1524)


def padded(image: Dataset, k: int) -> None:
    pixels = stored(k)
    pixels[0, 0] = -2000
    put_pixels(image, pixels)
    put(image, PixelPaddingValue=-2000)


def without_preamble(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(COUNT):
        bare = Dataset()
        bare.update({element.tag: element for element in build_image("CT", k)})
        bare.save_as(folder / f"{k:03d}", implicit_vr=True, little_endian=True)


def with_junk(folder: Path) -> None:
    files = write_series(folder, count=COUNT)
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" * 200)
    (folder / "readme.txt").write_text("nothing to see here " * 20)
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "half.dcm").write_bytes(files[0].read_bytes()[:400])


def sagittal(image: Dataset, k: int) -> None:
    x, y, z = ORIGIN_MM
    put(image, ImageOrientationPatient=[0, 1, 0, 0, 0, -1], ImagePositionPatient=[x + 3.0 * k, y, z])


def oblique(image: Dataset, k: int) -> None:
    row, column = np.array([0.8, 0.6, 0]), np.array([-0.6, 0.8, 0])
    here = np.array(ORIGIN_MM) + 3.0 * k * np.cross(row, column)
    put(image, ImageOrientationPatient=[*row, *column], ImagePositionPatient=list(here))


def dynamic(image: Dataset, phase: int) -> None:
    """Frames 60 s apart; the whole is decayed to the start of the series."""
    put(image, FrameReferenceTime=30000.0 + 60000 * phase, AcquisitionTime=f"11{phase:02d}00", RescaleSlope=0.5 + phase)


# -- the places of irregular series ----------------------------------------------------

EVEN = BETWEEN_SLICES_MM * np.arange(COUNT)
MIXED = np.array([0, 3, 6, 9, 12, 15, 18, 23, 28, 33, 38, 43.0])
JITTER = EVEN + np.array([0, 0.02, -0.02, 0.01, -0.01, 0.02, 0, -0.02, 0.02, 0.01, -0.02, 0])
WIDE_JITTER = EVEN + np.array([0, 0.2, -0.2, 0, 0, 0.2, 0, -0.2, 0.2, 0, -0.2, 0])
TILT = float(np.tan(np.radians(15)))
WITHOUT_5 = np.delete(np.arange(COUNT), 5)


def regridded() -> Truth:
    """From gaps of 3 and 5 mm to 15 slices 43 / 14 mm apart; slices within measure stay as they are."""
    wanted = np.linspace(0, 43, 15)
    nearest = np.abs(MIXED[:, None] - wanted)
    snapped = np.where(nearest.min(axis=0) <= 0.02 * 43 / 14, MIXED[nearest.argmin(axis=0)], wanted)
    return axial(between(CT, MIXED, np.maximum(snapped, 0)), 43 / 14)


def evened() -> Truth:
    """Slices 0.2 mm out of place are interpolated where they should be, the others stay."""
    return axial(between(CT, WIDE_JITTER, EVEN))


def turned_sagittal() -> Truth:
    """(slice x, row -z, column y) to (z, y, x)."""
    affine = np.diag([BETWEEN_ROWS_MM, BETWEEN_COLUMNS_MM, 3.0, 1])
    x, y, z = ORIGIN_MM
    affine[:3, 3] = z - BETWEEN_ROWS_MM * (ROWS - 1), y, x
    return Truth(CT.transpose(1, 2, 0)[::-1], affine)


def turned_oblique() -> Truth:
    affine = np.eye(4)
    affine[:3, 0] = 3, 0, 0
    affine[:3, 1] = 0, 0.8 * BETWEEN_ROWS_MM, -0.6 * BETWEEN_ROWS_MM
    affine[:3, 2] = 0, 0.6 * BETWEEN_COLUMNS_MM, 0.8 * BETWEEN_COLUMNS_MM
    affine[:3, 3] = ORIGIN_MM[::-1]
    return Truth(CT, affine)


def with_air() -> np.ndarray:
    values = CT.copy()
    values[:, 0, 0] = -1024
    return values


def per_slice(factors: np.ndarray) -> np.ndarray:
    return ramp() * factors[:, None, None]


FRACTIONS = 0.5 + 0.125 * np.arange(COUNT)
ONE_FIRST = np.where(np.arange(COUNT) == 0, 1.0, 0.001 * (1 + np.arange(COUNT)))
INTERPOLATED_5 = between(CT[WITHOUT_5], EVEN[WITHOUT_5], EVEN)
MISSING = r"UnevenSlices: .*1 slice\(s\) missing: index 5 at z = -15\.0 mm \(between CT1_004\.dcm and CT1_006\.dcm\)"

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
        lambda folder: write_multi_frame(folder, "PT", FRACTIONS),
        (Reads(axial(per_slice(FRACTIONS)), options=BQML),),
    ),
    Case(
        "Enhanced CT in one file",
        lambda folder: write_multi_frame(folder, "CT", np.ones(COUNT), intercept=-1024),
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
        (Reads(axial(CT[:10]), r"2 instance number\(s\) between 1 and 12 are absent"),),
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
        (Reads(axial(CT), r"set apart from its slices: a_scout\.dcm \(another orientation\)"),),
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
    Case("padding of -2000", plain(change=padded), (Reads(axial(with_air()), "12 padding pixels were set to -1024"),)),
    Case("files without preamble", without_preamble, (Reads(axial(CT)),)),
    Case("junk in the folder", with_junk, (Reads(axial(CT), r"1 damaged DICOM file\(s\) were left out: half\.dcm"),)),
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
