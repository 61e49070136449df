"""From a label image to findings: components, and what a radiologist reads of each."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.errors import ConfigError
from grisaille.core.finding import Caution, Finding
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.measure import SCORES
from grisaille.core.study import Study
from grisaille.core.volume import Unit, Volume
from grisaille.imaging.diameters import axes_mm
from grisaille.imaging.feret import feret_mm
from grisaille.imaging.regions import Region
from grisaille.imaging.uptake import attenuation_in, uptake_in

CONNECTIVITIES = (6, 18, 26)
"""Neighbours that join voxels: by faces, by edges too, by corners too."""

MOST_LABELS = 65535


def require_connectivity(connectivity: int) -> None:
    """Raise ``ConfigError`` unless it is 6, 18 or 26."""
    if connectivity not in CONNECTIVITIES:
        raise ConfigError(f"connectivity is {connectivity}, expected one of 6, 18, 26")


def components(mask: npt.NDArray[np.generic], connectivity: int = 26) -> npt.NDArray[np.uint32]:
    """Connected components, numbered from 1.

    Parameters
    ----------
    mask
        (z, y, x); bool, or label numbers, of which different ones are never joined.
    connectivity
        6, 18 or 26. Findings are counted with 26; autoPET's script uses 18.

    Raises
    ------
    ConfigError
        If ``connectivity`` is none of these.
    """
    require_connectivity(connectivity)
    import cc3d

    # cc3d 4.1 refuses the read-only arrays of our types, misreads a column that is cut out of a larger array, and
    # of a bool mask it expects too few components to hold those of a checkerboard or of a single row.
    numbers = np.require(mask.view(np.uint8) if mask.dtype == bool else mask, requirements=("C", "W"))
    numbered = cc3d.connected_components(numbers, connectivity=connectivity, out_dtype=np.uint32)
    return np.asarray(numbered, dtype=np.uint32)


def label_above(
    scores: npt.NDArray[np.floating],
    cut: float,
    body: npt.NDArray[np.bool_],
    *,
    smallest_ml: float,
    voxel_ml: float,
    connectivity: int = 26,
) -> npt.NDArray[np.uint16]:
    """Components of the body at or above a cut, the one with the highest score first.

    Parameters
    ----------
    scores, body
        (z, y, x) of one shape.

    The rest, and what is returned, as of ``label_marked``.
    """
    mask = scores >= cut
    mask &= body
    return label_marked(mask, scores, smallest_ml=smallest_ml, voxel_ml=voxel_ml, connectivity=connectivity)


def label_marked(
    mask: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.floating],
    *,
    smallest_ml: float,
    voxel_ml: float,
    connectivity: int = 26,
) -> npt.NDArray[np.uint16]:
    """Components of a mask, the one with the highest score first.

    Parameters
    ----------
    mask, scores
        (z, y, x) of one shape.
    smallest_ml
        Smaller components are left out.
    voxel_ml
        Volume of one voxel.

    Returns
    -------
    (z, y, x) uint16; label 1 holds the highest score. Of more than 65535 components the
    highest are kept.
    """
    parts = components(mask, connectivity)
    places = np.flatnonzero(mask)
    number = parts.ravel()[places]
    sizes = np.bincount(number)
    peaks = np.full(len(sizes), -np.inf)
    np.maximum.at(peaks, number, scores.ravel()[places])
    kept = np.flatnonzero(sizes * voxel_ml >= smallest_ml * (1 - 1e-9))
    kept = kept[kept > 0]
    ranked = kept[np.argsort(-peaks[kept], kind="stable")][:MOST_LABELS]
    renumbered = np.zeros(len(sizes), dtype=np.uint16)
    renumbered[ranked] = np.arange(1, len(ranked) + 1)
    labels = np.zeros(scores.shape, dtype=np.uint16)
    labels.ravel()[places] = renumbered[number]
    return labels


def find_findings(
    labels: Labels, study: Study, anomaly: AnomalyMap | None = None, *, connectivity: int = 26
) -> tuple[Finding, ...]:
    """The connected components of each label number, measured.

    The largest component keeps the label's number as its id, further ones get numbers that no
    label has. Each volume is measured on its own grid, at the voxels whose centres lie in the
    finding by millimetres, so a label is never resampled. SUV needs a PET in SUVbw, HU a CT in HU.

    Parameters
    ----------
    labels
        Any grid in the study's frame.
    anomaly
        The scores; a finding's score is the highest in it, and ``extra`` is what its measures say.
    connectivity
        6, 18 or 26: whether voxels that share a face, an edge too, or a corner too are one finding.

    Returns
    -------
    By id, ascending.

    Raises
    ------
    ConfigError
        If ``connectivity`` is none of these.
    """
    pet = study.pet if study.pet is not None and study.pet.unit is Unit.SUVBW else None
    ct = study.ct if study.ct is not None and study.ct.unit is Unit.HU else None
    origin = f"{study.patient} {labels.grid.affine.tobytes().hex()}"
    findings = []
    for number, label, region in _numbered(labels, connectivity):
        finding = Finding(
            id=number,
            label=label,
            tracking_uid=_tracking_uid(origin, region),
            score=_highest(region, labels.grid, anomaly),
            extra=_extra(region, labels.grid, anomaly),
            connectivity=connectivity,
            **_shape(region, labels.grid),
            **_contents(region, labels.grid, pet, ct),
        )
        findings.append(finding)
    return tuple(findings)


def _shape(region: Region, grid: Grid) -> dict[str, Any]:
    """Size and place, by the names of a finding's fields."""
    indices = region.indices
    superior, posterior, left = (float(mm) for mm in grid.to_mm(indices.mean(axis=0)))
    long_mm, short_mm = axes_mm(region.mask, grid)
    return {
        "volume_ml": len(indices) * grid.voxel_ml,
        "long_axis_mm": long_mm,
        "short_axis_mm": short_mm,
        "feret_mm": feret_mm(region.mask, grid),
        "centroid_l_mm": left,
        "centroid_p_mm": posterior,
        "centroid_s_mm": superior,
        "slice_first": int(indices[0, 0]),
        "slice_last": int(indices[-1, 0]),
    }


def _contents(region: Region, grid: Grid, pet: Volume | None, ct: Volume | None) -> dict[str, Any]:
    """Uptake and attenuation, by the names of a finding's fields, and what to know of all its numbers."""
    uptake, density = uptake_in(region, grid, pet), attenuation_in(region, grid, ct)
    cautions = [Caution.AT_EDGE] if region.touches_edge(grid) else []
    for one in (uptake, density):
        cautions += () if one is None else one.cautions
    contents: dict[str, Any] = {
        "suv_max": uptake and uptake.highest,
        "suv_mean": uptake and uptake.mean,
        "suv_peak": uptake and uptake.peak,
        "tlg": uptake and uptake.mean * region.size * grid.voxel_ml,
        "hu_mean": density and density.mean,
        "cautions": tuple(cautions),
    }
    if uptake is not None:
        superior, posterior, left = uptake.hottest_mm
        contents |= {"suv_min": uptake.lowest, "suv_sd": uptake.sd, "suv_peak_at_max": uptake.peak_at_max}
        contents |= {"suv_max_l_mm": left, "suv_max_p_mm": posterior, "suv_max_s_mm": superior}
    if density is not None:
        contents |= {"hu_sd": density.sd, "hu_median": density.median}
    return contents


def _numbered(labels: Labels, connectivity: int) -> Iterator[tuple[int, int, Region]]:
    """Id, label number and region of every finding, by id."""
    parts = components(labels.voxels, connectivity)
    regions: dict[int, list[Region]] = {}
    for part, box in enumerate(ndimage.find_objects(parts), start=1):
        region = Region((box[0].start, box[1].start, box[2].start), parts[box] == part)
        regions.setdefault(int(region.values(labels.voxels)[0]), []).append(region)
    further: list[tuple[int, Region]] = []
    for label in sorted(regions):
        largest, *others = sorted(regions[label], key=lambda region: -int(region.mask.sum()))
        yield label, label, largest
        further += [(label, region) for region in others]
    for number, (label, region) in enumerate(further, start=max(regions, default=0) + 1):
        yield number, label, region


def _highest(region: Region, grid: Grid, anomaly: AnomalyMap | None) -> float | None:
    if anomaly is None or not (there := region.onto(anomaly.grid, grid)).mask.any():
        return None
    return float(there.values(anomaly.scores).max())


def _extra(region: Region, grid: Grid, anomaly: AnomalyMap | None) -> dict[str, float]:
    if anomaly is None:
        return {}
    numbers: dict[str, float] = {}
    for measure in anomaly.measures:
        is_score = measure.of == SCORES
        target = anomaly.grid if is_score else anomaly.extras[measure.of].grid
        voxels = anomaly.scores if is_score else anomaly.extras[measure.of].voxels
        there = region.onto(target, grid)
        number = measure.of_values(there.values(voxels)) if there.mask.any() else None
        if number is not None:
            numbers[measure.name] = number
    return numbers


def _tracking_uid(origin: str, region: Region) -> str:
    """A DICOM UID under 2.25 made of the finding's voxels: the same again for the same finding."""
    content = hashlib.sha256(f"{origin} {region.start} {region.mask.shape}".encode())
    content.update(np.packbits(region.mask).tobytes())
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, content.hexdigest()).int}"
