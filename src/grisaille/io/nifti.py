"""NIfTI to types and back. The file's world is RAS; ours is LPS.

Source: the NIfTI-1.1 header, nifti1.h, sections METHOD 1 to 3 and DATA SCALING.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import replace
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from grisaille.core.errors import InputError, UnreadableFile
from grisaille.core.grid import Grid
from grisaille.core.safe_write import replacing
from grisaille.core.volume import Source, SourceFormat
from grisaille.io.axes import UNKNOWN, Affine, canonical, to_source
from grisaille.io.image import (
    FileImage,
    require_file,
    require_memory,
    require_plausible,
    require_three_axes,
    require_written,
    writable,
)

AFFINE_TOLERANCE = 1e-3
"""How far qform and sform may differ, in voxels. A quaternion in float32 near half a turn errs by 7e-4."""

_MM = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
_SLACK = 1 << 20
_BROKEN = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, KeyError, OverflowError, zlib.error)


class _WrongLength(EOFError):
    """The file holds fewer or more bytes than its header declares."""


def read_nifti(path: Path, *, frame: int | None = None) -> FileImage:
    """Read a NIfTI-1 or NIfTI-2 file, ``.nii`` or ``.nii.gz``.

    A file that does not say how it lies in the patient is read as the standard's METHOD 1 has it, first axis to the
    right, second to anterior, third to superior, with a warning that this is not known.

    Parameters
    ----------
    frame
        Which volume of a four-dimensional file, from 0.

    Raises
    ------
    UnreadableFile
        If the file is damaged, truncated, not NIfTI, or claims more than it can hold.
    InputError
        If it contradicts itself on where its voxels lie, or gives no place in millimetres.
    UnsuitableVolume
        If it holds several volumes and none was chosen.
    OutOfMemory
        If it needs more than is free.
    """
    require_file(path)
    try:
        image = nib.load(path)
        _require_nifti(image, path)
        affine, warnings = _affine(image.header, path.name)
        array = _voxels(image, path, frame)
        warnings += _scale_warnings(image, path)
    except _BROKEN as error:
        raise UnreadableFile(f"{path.name} is not a whole NIfTI file: {_reason(error)}; copy it again") from error
    voxels, grid, source = canonical(array, affine, format=SourceFormat.NIFTI, name=path.name)
    if not _says_orientation(image.header):
        source = replace(source, orientation=UNKNOWN)
    return FileImage(voxels, grid, source, warnings)


def _require_nifti(image: Any, path: Path) -> None:
    """nibabel reads ANALYZE 7.5 too, which has the same endings and does not say left from right."""
    if not isinstance(image, nib.Nifti1Pair):
        raise UnreadableFile(
            f"{path.name} is ANALYZE or another kin of NIfTI, which does not say left from right; convert it again "
            "from its DICOM"
        )
    voxels = Path(image.file_map["image"].filename)
    if not voxels.is_file():
        raise UnreadableFile(
            f"{path.name} keeps its voxels in {voxels.name}, which is not beside it; keep the two together"
        )


def write_nifti(
    array: npt.NDArray[Any], grid: Grid, source: Source, path: Path, beside: Mapping[Path, bytes] | None = None
) -> None:
    """Write (z, y, x) voxels in the order of their source; read back and compared before it takes its name.

    On the grid of a source that did not say its orientation the file does not say it either, so that every
    program lays the two upon each other.
    """
    ours = writable(array)
    array_ijk, affine = to_source(ours, grid, source)
    image = nib.Nifti1Image(array_ijk, _other_handed(affine), dtype=ours.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(_other_handed(affine), code=1)
    image.set_qform(_other_handed(affine), code=1, strip_shears=True)
    if source.orientation == UNKNOWN and np.array_equal(_method_1(image.header), _other_handed(affine)):
        image.set_sform(None, code=0)
        image.set_qform(None, code=0)
    # Some readers take the qform first, so it is left out where it cannot say the same: shear has no
    # quaternion, and near half a turn float32 is not enough for one.
    elif not _agree(image.header.get_sform(), image.header.get_qform(), tolerance=AFFINE_TOLERANCE / 10):
        image.set_qform(None, code=0)
    with replacing(path, beside=beside) as temporary:
        nib.save(image, temporary)
        require_written(read_nifti, temporary, ours, grid, path.name)


def _affine(header: Any, name: str) -> tuple[Affine, tuple[str, ...]]:
    """(4, 4) index to LPS millimetres (x, y, z), and what to warn of."""
    sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    warnings = []
    if sform is None and qform is None:
        qform = _method_1(header)
        warnings.append(
            f"orientation unknown: {name} does not say how it lies in the patient (its qform and sform codes are 0), "
            "so left and right, front and back may be swapped; convert it again from its DICOM"
        )
    if sform is not None and qform is not None and not _agree(sform, qform, tolerance=AFFINE_TOLERANCE):
        raise InputError(
            f"{name} contradicts itself: its qform and its sform put the voxels {_apart(sform, qform, header)}; remove "
            "the wrong one by setting its code to 0 (nibabel: image.set_qform(None, 0) or image.set_sform(None, 0)) "
            "and save it again"
        )
    # float32, as the file has it: a quaternion would give more digits than can be written back.
    chosen = np.asarray(qform if sform is None else sform, dtype=np.float32).astype(np.float64)
    unit = header.get_xyzt_units()[0]
    if _MM[unit] != 1.0:
        chosen[:3] *= _MM[unit]
        warnings.append(f"{name} gives places in {unit}; they were converted to millimetres")
    if not np.isfinite(chosen).all() or abs(np.linalg.det(chosen[:3, :3])) < 1e-12:
        raise InputError(f"the affine of {name} is singular or not finite; convert it again from its DICOM")
    columns = chosen[:3, :3] / np.linalg.norm(chosen[:3, :3], axis=0)
    if np.abs(columns.T @ columns - np.eye(3)).max() > AFFINE_TOLERANCE:
        warnings.append(f"the axes of {name} are not at right angles; other programs may refuse it")
    return _other_handed(chosen), tuple(warnings)


def _says_orientation(header: Any) -> bool:
    return int(header["qform_code"]) > 0 or int(header["sform_code"]) > 0


def _method_1(header: Any) -> Affine:
    """(4, 4) index to RAS, whatever its unit, of a header without orientation: voxel sizes, the first voxel at 0."""
    return np.diag([*header["pixdim"][1:4].astype(np.float64), 1.0])


def _apart(sform: Affine, qform: Affine, header: Any) -> str:
    """How far the two forms put a corner apart at the most."""
    ends = [(0, max(size - 1, 0)) for size in (*header.get_data_shape(), 1, 1, 1)[:3]]
    corners = np.stack([*np.meshgrid(*ends, indexing="ij"), np.ones((2, 2, 2))], axis=-1).reshape(8, 4)
    distance = np.linalg.norm(corners @ (sform - qform)[:3].T, axis=1).max() * _MM[header.get_xyzt_units()[0]]
    return f"up to {distance:.3g} mm apart" if np.isfinite(distance) else "at different places"


def _scale_warnings(image: Any, path: Path) -> tuple[str, ...]:
    """What to say of a slope that scales nothing; nibabel's own header forgets it when it is loaded."""
    with _opened(path) as file:
        slope = float(type(image.header).from_fileobj(file, check=False)["scl_slope"])
    if slope and math.isfinite(slope):
        return ()
    return (f"{path.name} gives {slope:g} as the slope of its values; they were taken as they are stored (slope 1)",)


def _agree(sform: Affine, qform: Affine, *, tolerance: float) -> bool:
    if not (np.isfinite(sform).all() and np.isfinite(qform).all()):
        return False
    steps = np.linalg.norm(sform[:3, :3], axis=0)
    in_voxels = np.abs(sform - qform)[:3] / np.append(steps, max(steps.min(), 1e-12))
    return bool(in_voxels.max() <= tolerance)


def _other_handed(affine: Affine) -> Affine:
    """RAS to LPS and back: x and y change sign."""
    turned = np.array(affine)
    turned[:2] *= -1
    return turned


def _voxels(image: Any, path: Path, frame: int | None) -> npt.NDArray[Any]:
    """(i, j, k) of one frame, rescaled where the header asks for it."""
    path = Path(image.file_map["image"].filename)  # of a pair the .img, beside its .hdr and named like it
    dtype = image.header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise UnreadableFile(f"{path.name} holds {dtype} voxels, expected whole or real numbers; convert it first")
    shape, frame = require_three_axes(path.name, image.header.get_data_shape(), frame)
    start, slope, intercept = image.dataobj.offset, image.dataobj.slope, image.dataobj.inter
    size = math.prod(shape) * dtype.itemsize
    compressed = _is_compressed(path)
    stored = path.stat().st_size - (0 if compressed else start)
    total = math.prod(image.header.get_data_shape()) * dtype.itemsize
    scaled = (slope, intercept) != (1.0, 0.0)
    require_plausible(path.name, total, stored, compressed=compressed)
    require_memory(path.name, size * (3 if scaled else 2))
    with _opened(path) as file:
        raw = _bytes(file, start + size * frame, size)
        if compressed:
            _require_end(file, total - size * (frame + 1) + _SLACK)
    array: npt.NDArray[Any] = np.frombuffer(raw, dtype).reshape(shape, order="F")
    if scaled:
        return _rescaled(array, slope, intercept)
    return array.astype(f"{dtype.kind}{dtype.itemsize}", copy=False)


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _opened(path: Path) -> BufferedIOBase:
    return gzip.open(path) if _is_compressed(path) else path.open("rb")


def _bytes(file: BufferedIOBase, start: int, size: int) -> bytearray:
    """``size`` bytes from ``start``."""
    file.seek(start)
    raw = bytearray(size)
    filled = 0
    while filled < size:
        got = file.readinto(memoryview(raw)[filled:])
        if not got:
            raise _WrongLength(f"{size - filled} of {size} bytes of voxels are missing")
        filled += got
    return raw


def _require_end(file: BufferedIOBase, most: int) -> None:
    """Read to the end, where the checksum is tested; more than ``most`` bytes are a bomb, or another file."""
    while chunk := file.read(min(most + 1, 1 << 20)):
        most -= len(chunk)
        if most < 0:
            raise _WrongLength("it holds more than its header declares")


def _rescaled(array: npt.NDArray[Any], slope: float, intercept: float) -> npt.NDArray[Any]:
    """Stored numbers times slope plus intercept; whole numbers stay whole where they fit into 16 bits."""
    if array.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer():
        ends = sorted(int(end) * int(slope) + int(intercept) for end in (array.min(), array.max()))
        if ends[0] >= -32768 and ends[1] <= 32767:
            return (array.astype(np.int32) * int(slope) + int(intercept)).astype(np.int16)
    scaled: npt.NDArray[np.floating[Any]] = array.astype(np.float32 if array.dtype.itemsize <= 2 else np.float64)
    scaled *= slope
    scaled += intercept
    return scaled.astype(np.float32, copy=False)


def _reason(error: BaseException) -> str:
    """The reason without the path that libraries put into it."""
    if isinstance(error, _WrongLength):
        return str(error)
    if isinstance(error, EOFError):
        return "it ends before its voxels do"
    if isinstance(error, (ImageFileError, gzip.BadGzipFile, zlib.error)):
        return "it is damaged, or a file of another kind under this name"
    return "its header makes no sense"
