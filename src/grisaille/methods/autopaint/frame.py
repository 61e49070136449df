"""The working frame: a study on one grid whose middle parts the patient into left and right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from grisaille.core.arrays import frozen, require_shape
from grisaille.core.errors import UnsuitableVolume
from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.core.volume import Modality, Unit, Volume, read_only
from grisaille.imaging.body import body_mask
from grisaille.imaging.intensity import windowed
from grisaille.imaging.resample import resample, resample_array
from grisaille.imaging.symmetry import SagittalPlane, mid_sagittal

if TYPE_CHECKING:
    from grisaille.methods.autopaint.config import AutoPaintConfig

MULTIPLE = 16
"""The network halves a slab four times."""

MARGIN_MM = 16.0
"""Air kept round the body."""

HOTTEST_SUV = 100.0
"""Bladders and injections above it tell nothing more."""

LEAST_OVERLAP = 0.5
"""Share of the body in the PET that the body in the CT covers, if both are of one patient in one bed."""

BLEND_HU = 40.0
"""Over how many HU at its ends a narrow window gives way to a wide one."""

Windows = Sequence[tuple[float, float]]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Frame:
    """A study in the working frame.

    Parameters
    ----------
    grid
        Axes near the patient's z, y, x, turned so that the mid-sagittal plane is the middle plane of
        x: flipping x mirrors the patient. Sizes are multiples of 16.
    images
        ``pet``: (1, z, y, x), log(1 + SUV), SUV clipped to 0..100; ``ct``: (2, z, y, x), two windows,
        each in 0..1. float32, or float16 on disk where the frame was kept in a cache.
    body
        (z, y, x); what the CT shows, and the PET where the CT does not reach.
    covered
        (z, y, x) by modality: inside its field of view, and not hidden for another reason. All of the
        frame where not given.
    suv_scale
        What the study's SUV were multiplied by.
    top
        Of a part of a frame, the slice at which the whole scan's body ends, which may lie beyond the part; else None.
    """

    grid: Grid
    images: Mapping[str, npt.NDArray[Any]]
    body: Mask
    covered: Mapping[str, Mask] = field(default_factory=dict)
    suv_scale: float = 1.0
    top: int | None = None

    def __post_init__(self) -> None:
        shape = self.grid.shape
        for key, image in self.images.items():
            require_shape(image[0], shape, f"each channel of a frame's {key}")
        require_shape(self.body, shape, "a frame's body")
        everywhere = np.broadcast_to(np.True_, shape)
        covered = {key: self.covered.get(key, everywhere) for key in self.images}
        object.__setattr__(self, "images", read_only({key: frozen(image) for key, image in self.images.items()}))
        object.__setattr__(self, "covered", read_only(covered))
        object.__setattr__(self, "body", frozen(self.body))

    @classmethod
    def of(cls, study: Study, config: AutoPaintConfig, run: Run | None = None) -> Self:
        """The PET, the CT or both of a study, brought into the working frame.

        Raises
        ------
        UnsuitableVolume
            If neither is there, PET is not in SUVbw, CT is not in HU, no body is found, or the CT
            covers less than half of the body that the PET shows.
        Cancelled
            Between two steps of some seconds each.
        """
        run = run or Run()
        volumes = {key: volume for key, volume in (("pet", study.pet), ("ct", study.ct)) if volume is not None}
        _require_usable(volumes)
        windows = config.windows
        scans = {}
        for key, volume in volumes.items():
            run.check_cancelled()
            scans[key] = _Scan.of(volume, config.spacing_mm)
        _require_overlap(scans)
        run.check_cancelled()
        plane = _plane(scans.get("ct") or scans["pet"], windows)
        grid = _frame_grid(plane, [scan.ends_mm for scan in scans.values()], config.spacing_mm)
        covered = {key: _covered(volume.grid, grid) for key, volume in volumes.items()}
        images = {}
        for key, volume in volumes.items():
            run.check_cancelled()
            values = resample(volume, grid).voxels
            images[key] = log_suv(values)[None] if key == "pet" else ct_channels(values, windows)
        return cls(grid, images, _body(scans, covered, grid), covered)

    def hiding(self, mask: Mask) -> Self:
        """The same with ``mask`` (z, y, x) as if no scanner had seen it: a hole in every pass, and never compared."""
        require_shape(mask, self.grid.shape, "what a frame hides")
        return replace(self, covered={key: covered & ~mask for key, covered in self.covered.items()})

    def scaled(self, factor: float) -> Self:
        """The same patient by a scanner that reads SUV ``factor`` times as high."""
        images = {**self.images, "pet": log_suv(suv(self.images["pet"]) * np.float32(factor))}
        return replace(self, images=images, suv_scale=self.suv_scale * factor)

    def only(self, key: str) -> Self:
        """One modality alone; the body stays."""
        return replace(self, images={key: self.images[key]}, covered={key: self.covered[key]})

    def to_volume(self, array: npt.NDArray[Any], like: Volume | Grid) -> Floats:
        """An array of this frame (z, y, x) at the voxels of ``like``, interpolated linearly; 0 beyond the frame."""
        grid = like.grid if isinstance(like, Volume) else like
        values: Floats = resample_array(np.asarray(array, dtype=np.float32), self.grid, grid)
        return values


def log_suv(suv_values: npt.NDArray[Any]) -> Floats:
    """log(1 + SUV), SUV clipped to 0..100."""
    logarithms: Floats = np.log1p(np.clip(suv_values, 0, HOTTEST_SUV, dtype=np.float32))
    return logarithms


def suv(log_values: npt.NDArray[Any]) -> Floats:
    """The inverse of ``log_suv``; not clipped, so that differences of any two values stay true."""
    values: Floats = np.expm1(np.asarray(log_values, dtype=np.float32))
    return values


def ct_channels(hu_values: npt.NDArray[Any], windows: Windows) -> Floats:
    """(windows, ...) each 0..1, of HU."""
    return np.stack([windowed(hu_values, low, high) for low, high in windows])


def hu(channels: npt.NDArray[Any], windows: Windows) -> Floats:
    """HU that (windows, ...) channels mean: each narrower window rules where it is neither black nor white.

    The inverse of ``ct_channels`` for HU inside the widest window. Channels that disagree, as
    painted ones do, are blended at the ends of the narrower window, so that no step is seen.
    """
    widest, *narrower = sorted(zip(windows, channels, strict=True), key=lambda pair: pair[0][0] - pair[0][1])
    values = _unwindowed(*widest)
    for (low, high), channel in narrower:
        share = np.clip(np.minimum(values - low, high - values) / np.float32(BLEND_HU), 0, 1)
        values += share * (_unwindowed((low, high), channel) - values)
    return values


def _unwindowed(window: tuple[float, float], channel: npt.NDArray[Any]) -> Floats:
    low, high = window
    return np.float32(low) + np.float32(high - low) * np.asarray(channel, dtype=np.float32)


def ct_change_to_hu(before: npt.NDArray[Any], after: npt.NDArray[Any], windows: Windows) -> Floats:
    """By how many HU (windows, ...) channels were changed; 0 where they were not."""
    return hu(after, windows) - hu(before, windows)


@dataclass(frozen=True, eq=False)
class _Scan:
    """A volume on voxels no finer than the working frame's, with its body there."""

    volume: Volume
    body: Mask

    @classmethod
    def of(cls, volume: Volume, spacing_mm: float) -> Self:
        coarse = resample(volume, volume.grid.spaced([max(step, spacing_mm) for step in volume.grid.spacing_mm]))
        return cls(coarse, body_mask(coarse))

    @property
    def grid(self) -> Grid:
        return self.volume.grid

    @property
    def ends_mm(self) -> npt.NDArray[np.float64]:
        """(n, 3) centres of the body's voxels at both ends of each row: the outermost are among them, whatever way."""
        ends = self.body.copy()
        ends[..., 1:-1] &= ~(self.body[..., :-2] & self.body[..., 2:])
        return self.grid.to_mm(np.argwhere(ends))


def _require_usable(volumes: Mapping[str, Volume]) -> None:
    if not volumes:
        raise UnsuitableVolume("the study holds neither PET nor CT; AutoPaint paints PET, CT or both")
    for volume in volumes.values():
        expected = Unit.SUVBW if volume.modality is Modality.PET else Unit.HU
        if volume.unit is not expected:
            kind = "PET" if volume.modality is Modality.PET else "CT"
            raise UnsuitableVolume(
                f"{kind} {volume.name!r} is in {volume.unit.value or 'no unit'}, expected {expected.value}; "
                "give its unit when reading it, or leave it out"
            )


def _require_overlap(scans: Mapping[str, _Scan]) -> None:
    if len(scans) < 2:
        return
    pet, ct = scans["pet"], scans["ct"]
    seen = resample_array(ct.body, ct.grid, pet.grid, nearest=True)
    share = np.count_nonzero(seen & pet.body) / np.count_nonzero(pet.body)
    if share < LEAST_OVERLAP:
        raise UnsuitableVolume(
            f"CT {ct.volume.name!r} covers {100 * share:.0f} % of the body in PET {pet.volume.name!r}, expected "
            f"at least {100 * LEAST_OVERLAP:.0f} %; give a CT of the same stretch and table position, or leave it out"
        )


def _plane(scan: _Scan, windows: Windows) -> SagittalPlane:
    """The mid-sagittal plane, from the CT's widest window or the logarithm of SUV."""
    voxels = scan.volume.voxels
    if scan.volume.unit is Unit.SUVBW:
        return mid_sagittal(log_suv(voxels), scan.grid, scan.body)
    widest = max(windows, key=lambda window: window[1] - window[0])
    return mid_sagittal(windowed(voxels, *widest), scan.grid, scan.body)


def _frame_grid(plane: SagittalPlane, ends: Sequence[npt.NDArray[np.float64]], spacing_mm: float) -> Grid:
    """A grid round all bodies with the plane in the middle of x."""
    left = np.asarray(plane.normal)
    up = np.array([1.0, 0.0, 0.0]) - left[0] * left
    up /= np.linalg.norm(up)
    directions = np.stack([up, np.cross(left, up), left], axis=1)
    offsets = np.concatenate([(points - plane.point_mm) @ directions for points in ends])
    low, high = offsets.min(axis=0) - MARGIN_MM, offsets.max(axis=0) + MARGIN_MM
    high[2] = max(high[2], -low[2])
    low[2] = -high[2]
    shape = (np.ceil(((high - low) / spacing_mm + 1) / MULTIPLE) * MULTIPLE).astype(int)
    first = (low + high) / 2 - (shape - 1) / 2 * spacing_mm
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing_mm
    affine[:3, 3] = plane.point_mm + directions @ first
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def _covered(volume: Grid, grid: Grid) -> Mask:
    """Where a volume's field of view reaches in the frame."""
    field_of_view = np.broadcast_to(np.uint8(1), volume.shape)
    return np.asarray(resample_array(field_of_view, volume, grid, nearest=True), dtype=bool)


def _body(scans: Mapping[str, _Scan], covered: Mapping[str, Mask], grid: Grid) -> Mask:
    """The CT's body, and the PET's where the CT does not reach."""
    parts = {key: resample_array(scan.body.astype(np.float32), scan.grid, grid) >= 0.5 for key, scan in scans.items()}
    if len(parts) < 2:
        return next(iter(parts.values()))
    return np.where(covered["ct"], parts["ct"], parts["pet"])
