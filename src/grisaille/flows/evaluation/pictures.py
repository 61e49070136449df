"""One scan as a picture: the truth and what was found, beside each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.study import Study
from grisaille.core.volume import Modality, Volume
from grisaille.imaging.intensity import windowed
from grisaille.imaging.resample import resample

PIXEL_MM = 2.0
GAP = 6
TRUTH, FOUND = (40, 160, 60), (220, 40, 30)
"""Colours of the contours, red, green, blue."""

_SUV_RANGE = (0.0, 7.0)
_HU_RANGE = (-160.0, 240.0)

Picture = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.bool_]


def picture(study: Study, truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> bytes:
    """A PNG: from the front, then the axial slice with most lesion; each with the truth, then with what was found.

    The front view of a PET is the largest value along each ray, of other volumes the coronal slice
    with most lesion. A PET/CT shows the slice of its CT too, with the truth. The patient's left is
    on the right, his head up.

    Parameters
    ----------
    truth, found
        (z, y, x) on the study's reference grid.
    """
    import imageio.v3 as imageio  # comes with scikit-image

    volume = study.main
    grey = _grey(volume)
    z, y = _busiest(truth, found, 0), _busiest(truth, found, 1)
    is_pet = volume.modality is Modality.PET
    # Head up: z ascends to superior. x ascends to the left and y to posterior, as they are shown.
    front = (grey.max(axis=1) if is_pet else grey[:, y])[::-1]
    fronts = [np.asarray(mask.any(axis=1) if is_pet else mask[:, y])[::-1] for mask in (truth, found)]
    step = volume.grid.spacing_mm
    panels = [_panel(front, mask, (step[0], step[2]), colour, is_pet) for mask, colour in _both(*fronts)]
    panels += [_panel(grey[z], mask, (step[1], step[2]), colour, is_pet) for mask, colour in _both(truth[z], found[z])]
    if is_pet and study.ct is not None:
        slice_grid = volume.grid.cropped((z, 0, 0), (1, *volume.grid.shape[1:]))
        panels.append(_panel(_grey(resample(study.ct, slice_grid))[0], truth[z], (step[1], step[2]), TRUTH, False))
    return bytes(imageio.imwrite("<bytes>", _beside(panels), extension=".png"))


def _both(truth: Plane, found: Plane) -> list[tuple[Plane, tuple[int, int, int]]]:
    return [(truth, TRUTH), (found, FOUND)]


def _grey(volume: Volume) -> npt.NDArray[np.float32]:
    """0 to 1."""
    values = np.asarray(volume.voxels, np.float32)
    ranges = {Modality.PET: _SUV_RANGE, Modality.CT: _HU_RANGE}
    low, high = ranges.get(volume.modality) or (float(values.min()), float(values.max()) + 1e-6)
    return windowed(values, low, high)


def _busiest(truth: Plane, found: Plane, axis: int) -> int:
    """The slice with most truth, else most found, else the middle one."""
    others = tuple(one for one in range(3) if one != axis)
    for mask in (truth, found):
        counts = mask.sum(axis=others)
        if counts.any():
            return int(counts.argmax())
    return int(truth.shape[axis]) // 2


def _panel(
    grey: npt.NDArray[np.float32],
    mask: Plane,
    step_mm: tuple[float, float],
    colour: tuple[int, int, int],
    is_inverted: bool,
) -> Picture:
    """A plane on square pixels with the mask's outline."""
    zoom = [step / PIXEL_MM for step in step_mm]
    shown = ndimage.zoom(1 - grey if is_inverted else grey, zoom, order=1, grid_mode=True, mode="nearest")
    drawn = ndimage.zoom(mask.astype(np.uint8), zoom, order=0, grid_mode=True, mode="nearest").astype(bool)
    pixels = np.repeat((255 * shown.clip(0, 1)).astype(np.uint8)[..., None], 3, axis=-1)
    # The line lies outside, so that what it encloses is seen.
    pixels[ndimage.binary_dilation(drawn) & ~drawn] = colour
    return pixels


def _beside(panels: list[Picture]) -> Picture:
    high = max(len(panel) for panel in panels)
    parts = []
    for panel in panels:
        above = (high - len(panel)) // 2
        parts.append(np.pad(panel, ((above, high - len(panel) - above), (0, GAP), (0, 0)), constant_values=255))
    return np.concatenate(parts, axis=1)
