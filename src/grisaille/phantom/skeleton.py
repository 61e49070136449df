"""Bones: cortex outside, marrow inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from grisaille.phantom.canvas import Canvas
from grisaille.phantom.outline import ARMS_UP, CHEST, arm_points
from grisaille.phantom.person import Person
from grisaille.phantom.shapes import Capsule, Ellipsoid, Loft, Point, curve, tube
from grisaille.phantom.tissues import Tissue

_SPINE_Z = (900, 930, 985, 1030, 1060, 1110, 1160, 1210, 1290, 1360, 1420, 1478, 1530, 1592)
_SPINE_Y = (72, 78, 72, 46, 36, 32, 36, 44, 56, 58, 48, 32, 24, 22)

LUMBAR = [1040.0 + 35.0 * level for level in range(5)]
THORACIC = [1213.0 + 22.6 * level for level in range(12)]
CERVICAL = [1484.0 + 16.2 * level for level in range(7)]
"""Heights of the middles of the vertebral bodies, from below."""

_BREASTBONE = Loft.of([(1235, -84, 0, 5, 12), (1262, -88, 0, 5.5, 17), (1340, -82, 0, 6, 15), (1384, -68, 0, 7, 24)])
_CORTEX = (Tissue.CORTICAL_BONE,)


def spine_y(z: float) -> float:
    """How far back the middle of the vertebral bodies lies."""
    return float(np.interp(z, _SPINE_Z, _SPINE_Y))


def paint_skeleton(canvas: Canvas, person: Person) -> None:
    """Spine, ribs, sternum, shoulder girdle, arms, pelvis and legs; the skull belongs to the head."""
    _paint_ribs(canvas)
    _paint_spine(canvas)
    for side in (-1, 1):
        _paint_shoulder(canvas, person, side)
        _paint_hip(canvas, side)
        _paint_leg(canvas, side)
    _paint_sacrum(canvas)


def paint_bones(canvas: Canvas, rods: Iterable[Capsule], cortex_mm: float, marrow: Tissue = Tissue.MARROW) -> None:
    """Rods of cortical bone, then their marrow, so that joints are not walled off."""
    rods = tuple(rods)
    canvas.paint(rods, Tissue.CORTICAL_BONE)
    hollow = [
        Capsule(rod.start, rod.end, max(rod.radius - cortex_mm, 0.3), max(rod.end_radius - cortex_mm, 0.3))
        for rod in rods
    ]
    canvas.paint(hollow, marrow, over=_CORTEX)


def _paint_spine(canvas: Canvas) -> None:
    levels = [(z, 25.0, 18.5, 27.0) for z in LUMBAR]
    levels += [(z, 14.0 + 0.55 * (12 - i), 13.0 + 0.3 * (12 - i), 17.5) for i, z in enumerate(THORACIC)]
    levels += [(z, 11.0, 8.5, 12.5) for z in CERVICAL]
    column = [(z, spine_y(z), 0.0, half_y, half_x) for z, half_x, half_y, _ in levels]
    canvas.paint(Loft.of(column), Tissue.CARTILAGE)
    for z, half_x, half_y, height in levels:
        y = spine_y(z)
        canvas.paint(_drum(z, y, half_y, half_x, height), Tissue.CORTICAL_BONE)
        canvas.paint(_drum(z, y, half_y - 1.8, half_x - 1.8, height - 3.0), Tissue.MARROW)
        _paint_arch(canvas, z, y + half_y, half_x)
    canal = [(z, spine_y(z) + half_y + 8.5, 0.0, 7.5, 9.5) for z, _, half_y, _ in levels]
    canvas.paint(Loft.of([*canal, (1010.0, spine_y(1010) + 22, 0.0, 6.0, 8.0)]), Tissue.FLUID)
    cord = [row for row in canal if row[0] > 1150]
    canvas.paint(Loft.of([(z, y, x, 4.6, 6.0) for z, y, x, _, _ in cord]), Tissue.SPINAL_CORD)


def _drum(z: float, y: float, half_y: float, half_x: float, height: float) -> Loft:
    ends = (z - height / 2, z + height / 2)
    return Loft.of([(end, y, 0.0, half_y, half_x) for end in ends], squareness=0.3)


def _paint_arch(canvas: Canvas, z: float, back: float, half_x: float) -> None:
    """Pedicles and lamina round the canal, spinous and transverse processes."""
    lamina = Ellipsoid((z - 2, back + 12, 0), (9, 10, 14))
    canvas.paint(lamina, Tissue.CORTICAL_BONE, over=(Tissue.MUSCLE, Tissue.FAT, Tissue.SOFT))
    length = 21.0 if half_x > 12 else 13.0
    canvas.paint(tube([(z - 4, back + 18, 0), (z - 12, back + 18 + length, 0)], (4.5, 3.5)), Tissue.CORTICAL_BONE)
    for side in (-1, 1):
        canvas.paint(tube([(z + 2, back - 3, side * 11), (z, back + 10, side * 13)], 5.0), Tissue.CORTICAL_BONE)
        process = tube([(z, back + 9, side * 12), (z + 2, back + 13, side * (half_x + 14))], (4.5, 3.0))
        canvas.paint(process, Tissue.CORTICAL_BONE)
        canvas.paint(Ellipsoid((z, back + 8, side * 13), (5, 4, 3)), Tissue.MARROW, over=_CORTEX)


def _rib(level: int, side: int) -> tuple[Point, ...]:
    """Points of rib ``level`` (1 at the top), from the spine round the chest towards the breastbone."""
    start = THORACIC[12 - level] + 4.0
    drop = float(np.interp(level, (1, 3, 6, 9, 12), (26, 58, 88, 96, 60)))
    end_deg = float(np.interp(level, (1, 7, 8, 10, 11, 12), (160, 158, 146, 128, 96, 70)))
    points = []
    for angle in np.deg2rad(np.linspace(14, end_deg, 14)):
        z = start - drop * (1 - np.cos(angle)) / 2
        y, _, half_y, half_x = CHEST.at(z)
        points.append((float(z), float(y + (half_y + 3) * np.cos(angle)), float(side * (half_x + 3) * np.sin(angle))))
    return tuple(points)


def _paint_ribs(canvas: Canvas) -> None:
    canvas.paint(_BREASTBONE, Tissue.CORTICAL_BONE)
    canvas.paint(_BREASTBONE.grown(-2.2), Tissue.MARROW)
    for side in (-1, 1):
        for level in range(1, 13):
            points = _rib(level, side)
            bony = points[:-2] if level <= 10 else points
            paint_bones(canvas, tube(bony, 5.2), 1.9)
            if level <= 10:
                height = min(max(1242.0 + 20 * (7 - min(level, 7)), points[-1][0]), 1378.0)
                breastbone: Point = (height, _BREASTBONE.at(height)[0], side * 17.0)
                canvas.paint(
                    tube([*points[-3:], breastbone], 4.8),
                    Tissue.CARTILAGE,
                    over=(Tissue.MUSCLE, Tissue.FAT, Tissue.SOFT),
                )


def _paint_shoulder(canvas: Canvas, person: Person, side: int) -> None:
    """Collarbone, shoulder blade and the bones of the arm."""
    points = arm_points(person, side)
    shoulder_z, shoulder_y, shoulder_x = points[0]
    raised = 14.0 if points[0][0] == ARMS_UP[0][0] else 0.0
    clavicle = curve([(1396, -62, side * 20), (1412, -48, side * 70), (1418 + raised, -8, 0.9 * shoulder_x)], 7)
    paint_bones(canvas, tube(clavicle, 6.0), 2.2)
    blade = Ellipsoid((1345 + raised, 88, side * 104), (62, 5.5, 42), (side * 24.0, 0.0, 12.0))
    canvas.paint(blade, Tissue.CORTICAL_BONE)
    canvas.paint(blade.grown(-2.4), Tissue.MARROW)
    spine = tube([(1372 + raised, 92, side * 78), (1412 + raised, 40, 0.95 * shoulder_x)], (5, 7))
    paint_bones(canvas, spine, 2.4)
    head: Point = (shoulder_z, shoulder_y, shoulder_x - side * 8)
    z, y, x = np.add(head, 0.22 * np.subtract(points[1], head))
    neck: Point = (float(z), float(y), float(x))
    shaft = [Capsule(neck, points[1], 12.5, 10.5), Capsule(points[1], points[2], 10.5, 13.0)]
    paint_bones(canvas, shaft, 4.2, Tissue.FATTY_MARROW)
    paint_bones(canvas, [Capsule(head, neck, 22.0, 14.0)], 2.2, Tissue.SPONGY_BONE)
    for shift in (-9.0, 9.0):
        forearm = [(z, y + shift * share, x) for (z, y, x), share in zip(points[2:], (1, 1, 0.9), strict=True)]
        paint_bones(canvas, tube(forearm, (8.5, 6.5, 8.0)), 2.6, Tissue.FATTY_MARROW)


def _paint_hip(canvas: Canvas, side: int) -> None:
    """Wing of the ilium, hip socket, sitting bone and pubis."""
    wing = Ellipsoid((988, 12, side * 92), (64, 66, 7.5), (side * 38.0, side * -16.0, 0.0))
    inner: list[tuple[Sequence[Point], Sequence[float]]] = [
        ([(955, 44, side * 62), (905, 14, side * 84)], (15, 22)),
        ([(905, 14, side * 84), (872, 26, side * 76), (826, 36, side * 60)], (22, 17, 14)),
        ([(893, -14, side * 74), (880, -44, side * 34), (872, -52, side * 7)], (13, 8, 9)),
        ([(868, -50, side * 9), (842, -12, side * 36), (826, 30, side * 56)], (7, 6.5, 9)),
    ]
    canvas.paint(wing, Tissue.CORTICAL_BONE)
    for points, radii in inner:
        canvas.paint(tube(points, radii), Tissue.CORTICAL_BONE)
    canvas.paint(wing.grown(-2.6), Tissue.MARROW, over=_CORTEX)
    for points, radii in inner:
        canvas.paint(tube(points, [max(radius - 2.8, 2) for radius in radii]), Tissue.MARROW, over=_CORTEX)


def _paint_sacrum(canvas: Canvas) -> None:
    rows = [
        (905, 76, 0, 7, 9),
        (930, 80, 0, 10, 22),
        (970, 78, 0, 15, 42),
        (1005, 66, 0, 20, 56),
        (1026, 54, 0, 19, 48),
    ]
    canvas.paint(Loft.of(rows, squareness=0.2), Tissue.CORTICAL_BONE)
    canvas.paint(Loft.of([(z, y, x, hy - 3, hx - 3) for z, y, x, hy, hx in rows], 0.2), Tissue.MARROW)
    canvas.paint(tube([(920, 84, 0), (1000, 80, 0)], (3, 6)), Tissue.FLUID)
    canvas.paint(tube([(905, 76, 0), (875, 66, 0)], (5, 3)), Tissue.CORTICAL_BONE)
    for side in (-1, 1):
        for z in (945, 968, 992):
            canvas.paint(tube([(z, 60, side * 20), (z, 90, side * 20)], 4.0), Tissue.FAT)


def _paint_leg(canvas: Canvas, side: int) -> None:
    """Thigh bone with head, neck and trochanters, kneecap and the top of the knee."""
    head: Point = (893, -2, side * 86)
    canvas.paint(Ellipsoid(head, (27, 27, 27)), Tissue.CARTILAGE, over=(Tissue.CORTICAL_BONE, Tissue.MARROW))
    upper = [
        Capsule(head, head, 23.5, 23.5),
        Capsule(head, (862, 12, side * 128), 15.0, 16.0),
        Capsule((876, 16, side * 134), (836, 12, side * 128), 13.0, 17.0),
    ]
    shaft = tube(
        curve([(836, 12, side * 126), (700, -6, side * 112), (560, 0, side * 92), (512, 6, side * 86)], 7),
        (17.0, 15.0, 14.0, 13.5, 14.0, 16.5, 22.0),
    )
    knee = [Capsule((492, 12, side * 66), (492, 12, side * 106), 25.0, 24.0)]
    paint_bones(canvas, upper, 2.6)
    paint_bones(canvas, shaft, 6.5, Tissue.FATTY_MARROW)
    paint_bones(canvas, knee, 2.4, Tissue.SPONGY_BONE)
    canvas.paint(Ellipsoid((500, -44, side * 86), (20, 9, 20)), Tissue.CORTICAL_BONE)
    canvas.paint(Ellipsoid((500, -44, side * 86), (17, 6, 17)), Tissue.SPONGY_BONE)
    tibia = Loft.of([(430, 8, side * 86, 18, 22), (460, 8, side * 86, 27, 38)])
    canvas.paint(tibia, Tissue.CORTICAL_BONE)
    canvas.paint(tibia.grown(-2.5), Tissue.SPONGY_BONE)
