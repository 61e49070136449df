"""Lesions: where they sit, how they look on CT and PET, and their truth."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from grisaille.core.grid import Grid
from grisaille.phantom.canvas import Box, Canvas
from grisaille.phantom.person import Person
from grisaille.phantom.scanner import Truth
from grisaille.phantom.shapes import Ellipsoid, Point
from grisaille.phantom.tissues import Palette, Tissue

LARGEST_COUNT = 6
_TRIES = 40
_APART_MM = 8.0


class Host(StrEnum):
    """The tissue that a lesion grows in."""

    LUNG = "lung"
    LIVER = "liver"
    MARROW = "marrow"
    NODE = "node"
    MUSCLE = "muscle"
    FAT = "fat"


class Side(StrEnum):
    """Where lesions may sit."""

    BOTH = "both"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True)
class _Habit:
    """How lesions of one host are drawn: seeds, what they may replace, radii in mm."""

    seeds: tuple[Tissue, ...]
    over: tuple[Tissue, ...]
    radius_mm: tuple[float, float]


_PADDING = (Tissue.FAT, Tissue.SOFT, Tissue.MUSCLE)
_LUNG = (Tissue.LUNG_RIGHT, Tissue.LUNG_LEFT)
_HABITS: dict[Host, _Habit] = {
    Host.LUNG: _Habit(_LUNG, (*_LUNG, Tissue.LUNG_VESSEL, Tissue.SOFT), (4, 25)),
    Host.LIVER: _Habit((Tissue.LIVER,), (Tissue.LIVER, Tissue.BLOOD), (6, 30)),
    Host.MARROW: _Habit((Tissue.MARROW,), (Tissue.MARROW, Tissue.CORTICAL_BONE, Tissue.FATTY_MARROW), (5, 18)),
    Host.NODE: _Habit((Tissue.AORTA, Tissue.BLOOD), (*_PADDING, Tissue.BOWEL), (5, 16)),
    Host.MUSCLE: _Habit((Tissue.MUSCLE,), _PADDING, (8, 45)),
    Host.FAT: _Habit((Tissue.FAT,), _PADDING, (5, 22)),
}


@dataclass(frozen=True)
class Lesion:
    """One lesion as it was made.

    Parameters
    ----------
    id
        Its number in the truth labels.
    host
        The tissue it grows in.
    centre_mm
        z, y, x, LPS.
    radius_mm
        Of the sphere it is a stretched and dented form of.
    hu, suv
        Of its rind; where it is seen on CT alone, ``suv`` is its surroundings'.
    core_mm
        Radius of a dead, cold core; 0 for none.
    is_ct_only
        Whether PET does not see it.
    """

    id: int
    host: Host
    centre_mm: Point
    radius_mm: float
    hu: float
    suv: float
    core_mm: float
    is_ct_only: bool


def draw_lesions(
    canvas: Canvas, person: Person, count: int | None, side: Side, among: Collection[Host] = tuple(Host)
) -> tuple[Lesion, ...]:
    """Lesions for a body: ``count`` of them, or 1 to 6 if None; fewer where there is no room.

    They grow in the hosts of ``among``.
    Their places are drawn from the voxels of ``canvas``, so that another grid or station gives
    the same patient other lesions.
    """
    rng = person.rng(f"lesions {side.value}")
    wanted = int(rng.integers(1, LARGEST_COUNT + 1)) if count is None else count
    seeds = {host: _seed_voxels(canvas, habit.seeds, side) for host, habit in _HABITS.items() if host in among}
    hosts = [host for host, places in seeds.items() if len(places) > 20]
    lesions: list[Lesion] = []
    for _ in range(wanted * _TRIES if hosts else 0):
        if len(lesions) == wanted:
            break
        host = hosts[rng.integers(len(hosts))]
        lesion = _drawn(rng, canvas.grid, person.palette, host, seeds[host], len(lesions) + 1)
        if _fits(lesion, canvas, lesions, side):
            lesions.append(lesion)
    return tuple(lesions)


def _seed_voxels(canvas: Canvas, tissues: tuple[Tissue, ...], side: Side) -> npt.NDArray[np.intp]:
    """Flat indices of the voxels in which a lesion of a host may be seeded."""
    table = np.zeros(256, dtype=bool)
    table[list(tissues)] = True
    mask = table[canvas.tissues]
    if side is not Side.BOTH:
        x = canvas.grid.to_mm(np.stack([np.zeros(mask.shape[2])] * 2 + [np.arange(mask.shape[2])], axis=-1))[:, 2]
        mask &= x > 0 if side is Side.LEFT else x < 0
    return np.flatnonzero(mask)


def _drawn(
    rng: np.random.Generator, grid: Grid, palette: Palette, host: Host, seeds: npt.NDArray[np.intp], number: int
) -> Lesion:
    low, high = _HABITS[host].radius_mm
    low = max(low, 1.1 * max(grid.spacing_mm))
    radius = float(np.exp(rng.uniform(np.log(low), np.log(max(high, low)))))
    centre = grid.to_mm(np.unravel_index(seeds[rng.integers(len(seeds))], grid.shape))
    if host is Host.NODE:
        away = rng.normal(size=3)
        centre = centre + (9.0 + radius) * away / np.linalg.norm(away)
    core = min(float(rng.uniform(0.35, 0.65)) * radius, 30.0) if radius > 14 and rng.random() < 0.5 else 0.0
    around = _around(palette, host)
    sign = rng.choice((-1.0, 1.0), p=(0.75, 0.25) if host in (Host.LIVER, Host.MUSCLE) else (0.5, 0.5))
    off = float(sign * rng.uniform(15, 40))
    hu = palette.hu[around] + off if host in (Host.LIVER, Host.MARROW, Host.MUSCLE) else 35.0 + off / 3
    suv, is_ct_only = _uptake(rng, palette, around)
    z, y, x = (float(value) for value in centre)
    return Lesion(number, host, (z, y, x), radius, float(hu), suv, core, is_ct_only)


def _around(palette: Palette, host: Host) -> Tissue:
    return Tissue.SOFT if host is Host.NODE else _HABITS[host].seeds[0]


def _uptake(rng: np.random.Generator, palette: Palette, around: Tissue) -> tuple[float, bool]:
    """SUV, and whether CT alone sees it: a sixth do not take up, a third are no hotter than the organs beside."""
    healthy = float(palette.suv[around])
    kind = rng.random()
    even = float(rng.random())
    if kind < 1 / 6:
        return healthy, True
    floor = max(1.5 * healthy, 1.8)
    organs = max(float(palette.suv[Tissue.MYOCARDIUM]), float(palette.suv[Tissue.KIDNEY_LEFT]))
    ceiling = max(0.95 * organs, 1.15 * floor) if kind < 1 / 2 else 14.0
    return float(np.exp(np.log(floor) + even * np.log(max(ceiling / floor, 1.05)))), False


def _fits(lesion: Lesion, canvas: Canvas, others: list[Lesion], side: Side) -> bool:
    """Whether a lesion lies in the field of view and its tissue, on its side, and apart from the others."""
    index = canvas.grid.to_index(lesion.centre_mm)
    margin = 0.6 * lesion.radius_mm / np.asarray(canvas.grid.spacing_mm)
    if np.any(index < margin) or np.any(index > np.asarray(canvas.grid.shape) - 1 - margin):
        return False
    reach = 1.25 * lesion.radius_mm
    if side is not Side.BOTH and lesion.centre_mm[2] * (1 if side is Side.LEFT else -1) < reach:
        return False
    z, y, x = np.rint(index).astype(int)
    if canvas.tissues[z, y, x] not in _HABITS[lesion.host].over:
        return False
    gaps = [
        float(np.linalg.norm(np.subtract(lesion.centre_mm, other.centre_mm)))
        - 1.25 * (lesion.radius_mm + other.radius_mm)
        for other in others
    ]
    return all(gap > _APART_MM for gap in gaps)


def paint_lesions(
    truth: Truth, canvas: Canvas, person: Person, lesions: tuple[Lesion, ...]
) -> tuple[Truth, npt.NDArray[np.uint16]]:
    """A copy of the healthy truth with lesions, and their numbers, (z, y, x) uint16."""
    hu, suv = truth.hu.copy(), truth.suv.copy()
    numbers = np.zeros(canvas.grid.shape, dtype=np.uint16)
    for lesion in lesions:
        box, mask, core = _extent(lesion, canvas, person)
        numbers[box][mask] = lesion.id
        hu[box][mask] = lesion.hu
        hu[box][core] = 18.0
        if not lesion.is_ct_only:
            suv[box][mask] = lesion.suv
            suv[box][core] = min(0.8, lesion.suv)
    return Truth(hu, suv), numbers


def _extent(lesion: Lesion, canvas: Canvas, person: Person) -> tuple[Box, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The box of a lesion, its voxels and those of its core."""
    rng = person.rng(f"lesion form {lesion.id}")
    stretch = np.exp(0.18 * rng.normal(size=3).clip(-1.5, 1.5))
    stretch /= np.prod(stretch) ** (1 / 3)
    a, b, c = lesion.radius_mm * stretch
    turns = rng.uniform(0, 180, size=3)
    form = Ellipsoid(lesion.centre_mm, (a, b, c), (turns[0], turns[1], turns[2]))
    dents = float(rng.choice((0.06, 0.2)))

    grid = canvas.grid
    low = np.floor(grid.to_index(np.asarray(lesion.centre_mm) - 1.9 * lesion.radius_mm)).astype(int).clip(0)
    high = np.ceil(grid.to_index(np.asarray(lesion.centre_mm) + 1.9 * lesion.radius_mm)).astype(int) + 1
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    z, y, x = (
        (origin + step * np.arange(*part.indices(size), dtype=np.float32)).astype(np.float32)
        for origin, step, part, size in zip(grid.origin_mm, grid.spacing_mm, box, grid.shape, strict=True)
    )
    places = np.ix_(z, y, x)
    distance = np.sqrt(form.field(*places)) * (1 + dents * _dents(rng, lesion, places))
    core = np.sqrt(form.field(*places)) * lesion.radius_mm <= lesion.core_mm
    allowed = np.zeros(256, dtype=bool)
    allowed[list(_HABITS[lesion.host].over)] = True
    mask = _in_one_piece((distance <= 1) & allowed[canvas.tissues[box]], lesion, grid, low)
    return box, mask, core & mask & (lesion.core_mm > 0)


def _dents(
    rng: np.random.Generator, lesion: Lesion, places: tuple[npt.NDArray[np.float32], ...]
) -> npt.NDArray[np.float32]:
    """A few waves about as long as the lesion's radius; about unit variance."""
    total = np.zeros(np.broadcast_shapes(*(place.shape for place in places)), dtype=np.float32)
    for _ in range(6):
        wave = rng.normal(size=3) * 2.2 / lesion.radius_mm
        phase = sum(
            np.float32(factor) * (place - np.float32(middle))
            for factor, place, middle in zip(wave, places, lesion.centre_mm, strict=True)
        )
        total += np.cos(phase + np.float32(rng.uniform(0, 2 * np.pi)))
    return total * np.float32(1 / np.sqrt(3.0))


def _in_one_piece(
    mask: npt.NDArray[np.bool_], lesion: Lesion, grid: Grid, low: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """The part of a mask at the lesion's centre, which may be cut off from others by what it may not replace."""
    pieces, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    middle = tuple(np.rint(grid.to_index(lesion.centre_mm)).astype(int) - low)
    mask[middle] = True
    piece = pieces[middle]
    kept = pieces == piece if piece else np.zeros_like(mask)
    kept[middle] = True
    return np.asarray(kept)
