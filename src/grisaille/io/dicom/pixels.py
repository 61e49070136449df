"""From stored pixels to values: decoded, rescaled slice by slice, padding filled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.counted import counted
from grisaille.core.errors import UnreadableFile
from grisaille.core.run import Run
from grisaille.core.volume import Modality
from grisaille.io.axes import laid_out
from grisaille.io.dicom.decoder import stored_pixels
from grisaille.io.dicom.guard import require_memory, require_sane
from grisaille.io.dicom.header import SliceHeader
from grisaille.io.dicom.scan import SeriesInfo
from grisaille.io.dicom.stored import Stored, padding_in
from grisaille.io.dicom.tags import quiet
from grisaille.io.dicom.voxel_cache import Kept, VoxelCache, key_of

LARGEST_IN_MEMORY = 2**31
"""Bytes in float32; a larger series is kept in a file that is mapped into memory."""
_FILLING = {Modality.CT: -1024.0}
_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True, eq=False)
class Decoded:
    """(slice, row, column) float32, or int16 where CT needs no more, and sentences on the way."""

    values: npt.NDArray[Any]
    warnings: tuple[str, ...]


class _Beyond16Bits(Exception):
    """A CT of whole numbers has some that int16 does not hold."""


def decode(
    series: SeriesInfo,
    order: Sequence[int],
    factors: npt.NDArray[np.float64] | None = None,
    *,
    affine: npt.NDArray[np.float64] | None = None,
    run: Run | None = None,
) -> Decoded:
    """The values of the slices in ``order``: stored value times slope plus intercept, times the slice's factor.

    Pixels that the file calls padding become air (-1024 HU) in CT and 0 elsewhere. The polarity of
    MONOCHROME1 concerns the screen, not the values.

    Parameters
    ----------
    affine
        (4, 4) from index (column, row, slice) to LPS millimetres. With it the array lies in memory as
        ``axes.canonical`` will want it, which then needs no copy.

    Raises
    ------
    UnreadableFile
        If a file is truncated, damaged, compressed in an unknown way or lies about its size.
    UnsuitableVolume
        If the images are no measurements (colour).
    OutOfMemory
        If the volume does not fit into memory, or one over ``LARGEST_IN_MEMORY`` not onto the disk.
    """
    run = run or Run()
    slices = tuple(series.slices[index] for index in order)
    with quiet():
        require_sane(series.label, slices)
    rescales = tuple(_rescale(series, header) for header in slices)
    scales = np.ones(len(slices)) if factors is None else factors
    plan = _Plan(series, slices, rescales, scales, affine)
    kinds: list[np.dtype[Any]] = [np.dtype(np.float32)]
    if series.modality is Modality.CT and all(float(part).is_integer() for pair in rescales for part in pair):
        kinds.insert(0, np.dtype(np.int16))
    for dtype in kinds:
        try:
            values, padded = plan.values(dtype, run)
        except _Beyond16Bits:
            continue
        return Decoded(values, _warnings(series, slices, padded))
    raise AssertionError("float32 holds every value")


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is to be read, and how it becomes values."""

    series: SeriesInfo
    slices: tuple[SliceHeader, ...]
    rescales: tuple[tuple[float, float], ...]
    scales: npt.NDArray[np.float64]
    affine: npt.NDArray[np.float64] | None

    def values(self, dtype: np.dtype[Any], run: Run) -> tuple[npt.NDArray[Any], int]:
        """(slice, row, column), and how many of them are padding."""
        shape = self.slices[0].columns, self.slices[0].rows, len(self.slices)
        size = int(np.prod(shape, dtype=np.int64))
        if 4 * size <= LARGEST_IN_MEMORY:
            require_memory(self.series.label, size * dtype.itemsize)
            values = self._laid_out(shape, lambda laid: np.empty(laid, dtype))
            return values, self._fill(values, run)
        kept: list[Kept] = []

        def mapped(laid: tuple[int, ...]) -> npt.NDArray[Any]:
            def fill(empty: npt.NDArray[Any]) -> dict[str, int]:
                return {"padded": self._fill(self._laid_out(shape, lambda _: empty), run)}

            cache = VoxelCache.of(run)
            kept.append(cache.voxels(self._key(laid, dtype), laid, dtype, fill, label=self.series.label, run=run))
            return kept[0].voxels

        return self._laid_out(shape, mapped), kept[0].notes["padded"]

    def _laid_out(self, shape: tuple[int, int, int], allocate: Callable[..., npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """(slice, row, column) view of memory that lies in the patient's order."""
        affine = np.eye(4) if self.affine is None else self.affine
        return laid_out(shape, affine, allocate).transpose(2, 1, 0)

    def _key(self, laid: tuple[int, ...], dtype: np.dtype[Any]) -> str:
        parts: list[object] = [laid, dtype.str, self.rescales, self.scales.tolist()]
        parts.append(None if self.affine is None else np.sign(self.affine[:3, :3]).tolist())
        for header in self.slices:
            stat = header.file.stat()
            # The path too: copies with lesions put in or taken out may keep ids, size and time.
            parts.append(
                (
                    str(header.file.resolve()),
                    header.sop_uid,
                    header.frame,
                    stat.st_size,
                    stat.st_mtime_ns,
                    header.pixels.padding,
                )
            )
        return key_of(parts)

    def _fill(self, values: npt.NDArray[Any], run: Run) -> int:
        padded = 0
        label = self.series.label
        with closing(stored_pixels(label, self.slices, run)) as pixels:
            for index, stored in enumerate(run.track(pixels, f"reading {label}", total=len(self.slices))):
                slope, intercept = self.rescales[index]
                is_padding = padding_in(stored, self.slices[index].pixels)
                _write(stored, slope, intercept, float(self.scales[index]), is_padding, values[index])
                if is_padding is not None:
                    values[index][is_padding] = _FILLING.get(self.series.modality, 0.0)
                    padded += int(is_padding.sum())
        return padded


def _write(
    stored: Stored,
    slope: float,
    intercept: float,
    scale: float,
    is_padding: npt.NDArray[np.bool_] | None,
    values: npt.NDArray[Any],
) -> None:
    """Rescale one slice into ``values``, rounded once."""
    if values.dtype == np.int16:
        if _is_within(stored, slope, intercept):
            if slope == 1 and stored.dtype.itemsize == 2 and _INT16.min <= intercept <= _INT16.max:
                # Modulo 2**16 an unsigned pixel and a negative intercept add up as they should.
                np.add(stored.view(np.int16), np.int16(intercept), out=values)
                return
        elif is_padding is None or not _is_within(stored[~is_padding], slope, intercept):
            raise _Beyond16Bits
    rescaled = np.multiply(stored, slope, dtype=np.float64)
    rescaled += intercept
    if scale != 1:
        rescaled *= scale
    np.copyto(values, rescaled, casting="unsafe")


def _is_within(stored: Stored, slope: float, intercept: float) -> bool:
    """Whether int16 holds all the values."""
    if stored.dtype.kind == "f" or not stored.size:
        return not stored.size
    ends = int(stored.min()) * slope + intercept, int(stored.max()) * slope + intercept
    return _INT16.min <= min(ends) and max(ends) <= _INT16.max


def _warnings(series: SeriesInfo, slices: Sequence[SliceHeader], padded: int) -> tuple[str, ...]:
    warnings = []
    if padded:
        filling = _FILLING.get(series.modality, 0.0)
        warnings.append(f"{series.label}: set {counted(padded, 'padding pixel')} to {filling:g}")
    unscaled = sum(header.slope is None for header in slices)
    if unscaled:
        warnings.append(f"{series.label}: {counted(unscaled, 'file')} without RescaleSlope; 1 was taken")
    return tuple(warnings)


def _rescale(series: SeriesInfo, header: SliceHeader) -> tuple[float, float]:
    """Slope and intercept; only CT needs both, since without them its values are not HU."""
    slope, intercept = header.slope, header.intercept
    if series.modality is Modality.CT and (slope is None or intercept is None):
        raise UnreadableFile(
            f"{series.label}: {header.name} has no RescaleSlope (0028,1053) or RescaleIntercept (0028,1052), "
            "so its values are not HU; export the series again"
        )
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise UnreadableFile(
            f"{series.label}: {header.name} has RescaleSlope (0028,1053) 0 or an unreadable rescale, expected "
            "two numbers; export the series again"
        )
    return slope, intercept
