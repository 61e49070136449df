"""The anomaly scores as a DICOM parametric map, in the numbers that the method gave."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import InputError
from grisaille.io.dicom.tags import quiet
from grisaille.io.export.codes import NO_UNITS, SCORE
from grisaille.io.export.identity import finish
from grisaille.io.export.objects import MANUFACTURER, MODEL, SERIAL, SERIES, code, save_whole
from grisaille.io.export.sources import Sources


@dataclass(frozen=True)
class Scale:
    """What the numbers of a map mean: a word for the label (at most 16 letters) and a sentence (at most 64)."""

    label: str
    sentence: str


def write_parametric_map(
    scores: npt.NDArray[np.float32],
    sources: Sources,
    path: str | os.PathLike[str],
    *,
    scale: Scale,
    version: str,
    body: npt.NDArray[np.bool_] | None = None,
) -> Any:
    """Write scores as float32, frame for frame on the images; read back and compared before it takes its name.

    Parameters
    ----------
    scores
        (z, y, x) on the grid of the sources' volume.
    scale
        What the numbers mean.
    version
        Of grisaille.
    body
        (z, y, x) what was judged: only the box round it is written. The whole grid is if None.

    Raises
    ------
    InputError
        If the source is multi-frame, which a cut-out map cannot follow frame by frame, or nothing was judged.
    OutputError
        If it cannot be written whole.
    """
    import highdicom as hd

    if sources.is_multi_frame:
        raise InputError(
            f"{sources.volume.name or 'the series'} is one multi-frame image, on which no parametric map is written; "
            "write the scores as NIfTI"
        )
    box = _box(sources, body)
    places = _positions(hd, sources, box)
    frames = np.ascontiguousarray(sources.laid_out(np.asarray(scores, dtype=np.float32))[box])
    low, high = float(frames.min()), float(frames.max())
    with quiet():
        made = hd.pm.ParametricMap(
            source_images=list(sources.images[box[0]]),
            pixel_array=frames,
            series_instance_uid=hd.UID(),
            series_number=SERIES["pm"],
            sop_instance_uid=hd.UID(),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL,
            software_versions=version,
            device_serial_number=SERIAL,
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[
                hd.pm.RealWorldValueMapping(
                    lut_label=scale.label[:16],
                    lut_explanation=scale.sentence[:64],
                    unit=code(NO_UNITS),
                    value_range=(low, high),
                    slope=1.0,
                    intercept=0.0,
                    quantity_definition=code(SCORE),
                )
            ],
            window_center=(low + high) / 2,
            window_width=max(high - low, 1e-6),
            content_label="ANOMALY",
            content_description="Research use only; not for diagnosis",
            series_description=f"{scale.label} anomaly score (research)",
            pixel_measures=_measures(hd, sources),
            plane_orientation=_orientation(hd, sources),
            plane_positions=places,
        )
    made.Laterality = ""  # type 2C: asked for where the body part is not said, and may be empty
    finish(made, sources.identity)
    save_whole(made, path, lambda written: _holds(written, frames, places))
    return made


Box = tuple[slice, slice, slice]


def _box(sources: Sources, body: npt.NDArray[np.bool_] | None) -> Box:
    """Frames, rows and columns that hold the body."""
    if body is None:
        return slice(0, sources.frame_count), slice(0, None), slice(0, None)
    laid = sources.laid_out(body)
    sides = []
    for axis in range(3):
        there = np.flatnonzero(laid.any(axis=tuple(other for other in range(3) if other != axis)))
        if not there.size:
            raise InputError("nothing to export: no voxel was judged; write the whole grid instead")
        sides.append(slice(int(there[0]), int(there[-1]) + 1))
    return sides[0], sides[1], sides[2]


def _measures(hd: Any, sources: Sources) -> Any:
    first = sources.images[0]
    step = float(np.linalg.norm(np.asarray(sources.volume.source.affine)[:3, 2]))
    return hd.PixelMeasuresSequence(
        pixel_spacing=[float(one) for one in first.PixelSpacing], slice_thickness=first.get("SliceThickness") or step
    )


def _orientation(hd: Any, sources: Sources) -> Any:
    along = [float(one) for one in sources.images[0].ImageOrientationPatient]
    return hd.PlaneOrientationSequence(coordinate_system="PATIENT", image_orientation=along)


def _positions(hd: Any, sources: Sources, box: Box) -> list[Any]:
    """Of the first pixel kept of each frame."""
    found = []
    for image in sources.images[box[0]]:
        along = np.array([float(one) for one in image.ImageOrientationPatient])
        between_rows, between_columns = (float(one) for one in image.PixelSpacing)
        at = np.array([float(one) for one in image.ImagePositionPatient])
        at += along[:3] * between_columns * (box[2].start or 0) + along[3:] * between_rows * (box[1].start or 0)
        place = [float(f"{mm:.10g}") for mm in at]
        found.append(hd.PlanePositionSequence(coordinate_system="PATIENT", image_position=place))
    return found


def _holds(path: Path, frames: npt.NDArray[np.float32], places: list[Any]) -> bool:
    """Whether every frame reads back, bit for bit, at its place; the order may be another."""
    from pydicom import dcmread

    back = dcmread(path)
    stored = np.frombuffer(back.FloatPixelData, dtype="<f4").reshape(frames.shape)
    at = [_place(frame.PlanePositionSequence[0]) for frame in back.PerFrameFunctionalGroupsSequence]
    order = [at.index(_place(one[0])) for one in places]
    return np.array_equal(stored[order], frames)


def _place(item: Any) -> tuple[float, ...]:
    return tuple(float(one) for one in item.ImagePositionPatient)
