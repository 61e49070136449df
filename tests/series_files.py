"""Series with the faults that folders have, and the volumes that they truly are."""

from __future__ import annotations

from collections.abc import Callable
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
    build_image,
    put,
    put_pixels,
    save,
    stored,
    write_series,
)
from series_checks import Truth

COUNT = 12

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


def with_padding() -> np.ndarray:
    values = CT.copy()
    values[:, 0, 0] = -3024
    return values


def per_slice(factors: np.ndarray) -> np.ndarray:
    return ramp() * factors[:, None, None]


# -- a ball under a tilted gantry ------------------------------------------------------

RADIUS_MM, STEP_MM, PIXEL_MM = 18.0, 2.0, 1.0
CENTRE_MM = np.array([3.1, -2.4, 40.7])  # x, y, z, on no voxel's centre


def write_sphere(folder: Path, degrees: float, orientation: str = "axial") -> None:
    """CT of a ball of 1000 HU in air, its slices tilted about x as a gantry is; the couch moves along z."""
    angle = np.radians(degrees)
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(angle), np.sin(angle)])
    if orientation == "sagittal":
        row, column = np.roll(row, 1), np.roll(column, 1)
    move = np.array([0, 0, STEP_MM]) if orientation == "axial" else np.array([STEP_MM, 0, 0])
    centre = CENTRE_MM if orientation == "axial" else np.roll(CENTRE_MM, 1)
    count = size = 50
    first = centre - move * (count // 2) - (row + column) * PIXEL_MM * size / 2

    def change(image: Dataset, k: int) -> None:
        corner = first + move * k
        rows, columns = np.mgrid[:size, :size]
        places = corner + rows[..., None] * column * PIXEL_MM + columns[..., None] * row * PIXEL_MM
        inside = np.linalg.norm(places - centre, axis=-1) <= RADIUS_MM
        put_pixels(image, np.where(inside, 2024, 24).astype(np.int16))
        put(
            image,
            ImagePositionPatient=[f"{part:.8f}" for part in corner],
            ImageOrientationPatient=[f"{part:.10f}" for part in (*row, *column)],
            PixelSpacing=[PIXEL_MM, PIXEL_MM],
        )

    write_series(folder, count=count, change=change)
