"""Skin, fat and muscle: the outside of the patient, and the hollows that hold the organs."""

from __future__ import annotations

import numpy as np

from grisaille.phantom.canvas import Canvas
from grisaille.phantom.person import Arms, Person
from grisaille.phantom.shapes import Ellipsoid, Loft, Point, tube
from grisaille.phantom.tissues import Tissue

TRUNK = Loft.of(
    [
        # z, y, x, half depth, half width: the muscles' outer face
        (768, 10, 0, 30, 60),
        (800, 10, 0, 76, 116),
        (830, 10, 0, 96, 150),
        (860, 10, 0, 101, 166),
        (900, 10, 0, 102, 167),
        (960, 9, 0, 98, 155),
        (1010, 7, 0, 93, 143),
        (1060, 6, 0, 91, 135),
        (1120, 5, 0, 94, 135),
        (1180, 6, 0, 102, 141),
        (1240, 8, 0, 108, 148),
        (1300, 10, 0, 111, 155),
        (1350, 11, 0, 108, 161),
        (1390, 12, 0, 98, 160),
        (1420, 13, 0, 84, 140),
        (1445, 14, 0, 72, 104),
        (1470, 13, 0, 63, 72),
        (1495, 11, 0, 59, 60),
        (1535, 11, 0, 57, 55),
        (1575, 14, 0, 60, 55),
    ],
    squareness=0.35,
)
ABDOMEN = Loft.of(
    [
        # the hollow of belly and pelvis
        (842, -2, 0, 30, 34),
        (870, -4, 0, 48, 48),
        (920, -2, 0, 60, 62),
        (970, -6, 0, 66, 90),
        (1020, -12, 0, 66, 116),
        (1080, -10, 0, 68, 119),
        (1140, -6, 0, 76, 120),
        (1200, -3, 0, 84, 126),
        (1250, -2, 0, 88, 130),
    ],
    squareness=0.3,
)
CHEST = Loft.of(
    [
        # the inner face of the ribs
        (1170, 8, 0, 80, 124),
        (1210, 4, 0, 86, 130),
        (1260, 2, 0, 89, 134),
        (1310, 2, 0, 88, 132),
        (1350, 4, 0, 82, 122),
        (1385, 8, 0, 72, 104),
        (1415, 12, 0, 58, 84),
        (1440, 14, 0, 44, 66),
        (1462, 16, 0, 28, 48),
        (1476, 14, 0, 10, 22),
    ],
    squareness=0.2,
)
ARMS_UP: tuple[Point, ...] = ((1402, 12, 158), (1520, 14, 196), (1640, 2, 212), (1720, 8, 130), (1768, 12, 40))
ARMS_DOWN: tuple[Point, ...] = ((1388, 12, 172), (1250, 20, 208), (1105, 18, 224), (985, -22, 214), (890, -48, 196))
ARM_RADII = (46.0, 42.0, 37.0, 34.0, 25.0)
"""Of the muscles at shoulder, mid upper arm, elbow, mid forearm and wrist."""


def arm_points(person: Person, side: int) -> tuple[Point, ...]:
    """Shoulder, mid upper arm, elbow, mid forearm, wrist; ``side`` is 1 for left, -1 for right."""
    points = ARMS_UP if person.arms is Arms.UP else ARMS_DOWN
    return tuple((z, y, side * x) for z, y, x in points)


def thigh(side: int) -> Loft:
    """The muscles' outer face from groin to knee."""
    rows = [
        (452, 4, 84, 55, 53),
        (490, 2, 85, 60, 57),
        (540, 2, 87, 60, 58),
        (600, 2, 89, 68, 65),
        (680, 3, 92, 78, 75),
        (760, 5, 94, 88, 83),
        (820, 8, 95, 92, 84),
        (870, 8, 92, 88, 80),
    ]
    return Loft.of([(z, y, side * x, half_y, half_x) for z, y, x, half_y, half_x in rows], squareness=0.1)


def paint_outline(canvas: Canvas, person: Person) -> None:
    """Fat to the skin, then the muscles under it, with sheets of fat between them."""
    fat = person.fat_mm
    canvas.paint(_skin(person), Tissue.FAT)
    for side in (-1, 1):
        points = arm_points(person, side)
        canvas.paint(tube(points, [radius + 0.5 * fat for radius in ARM_RADII]), Tissue.FAT)
        canvas.paint(_hand(points), Tissue.FAT)
        canvas.paint(tube(points, ARM_RADII), Tissue.MUSCLE)
        canvas.paint(_hand(points).grown(-3.0), Tissue.MUSCLE)
    canvas.paint(TRUNK, Tissue.MUSCLE)
    for side in (-1, 1):
        _paint_thigh(canvas, side)
    if person.is_female:
        _paint_breasts(canvas, person)
    _paint_fat_sheets(canvas, person)


def _skin(person: Person) -> list[Loft | Ellipsoid]:
    """Outer faces: trunk and thighs with the patient's fat, thicker at belly and hips."""
    fat = person.fat_mm
    share = np.interp(TRUNK.z, (800, 900, 1060, 1200, 1350, 1450, 1500), (1.1, 1.25, 1.3, 0.9, 0.6, 0.45, 0.35))
    half_y = tuple(float(half + fat * part + 1.5) for half, part in zip(TRUNK.half_y, share, strict=True))
    half_x = tuple(float(half + fat * part + 1.5) for half, part in zip(TRUNK.half_x, share, strict=True))
    trunk = Loft(TRUNK.z, TRUNK.y, TRUNK.x, half_y, half_x, TRUNK.squareness)
    return [trunk, *(thigh(side).grown(0.75 * fat) for side in (-1, 1))]


def _hand(points: tuple[Point, ...]) -> Ellipsoid:
    wrist, middle = np.asarray(points[-1]), np.asarray(points[-2])
    onward = (wrist - middle) / np.linalg.norm(wrist - middle)
    z, y, x = wrist + 55 * onward
    return Ellipsoid((float(z), float(y), float(x)), tuple(16 + 52 * np.abs(onward)))


def _paint_thigh(canvas: Canvas, side: int) -> None:
    """Three groups of muscles in a sleeve of fat: front, back and inner."""
    canvas.paint(thigh(side), Tissue.FAT)
    front = [
        (470, -26, 86, 24, 38),
        (540, -20, 90, 36, 48),
        (640, -18, 98, 50, 58),
        (760, -17, 106, 61, 66),
        (870, -18, 110, 56, 58),
    ]
    back = [
        (470, 34, 86, 20, 40),
        (560, 36, 88, 25, 49),
        (660, 42, 90, 34, 58),
        (760, 50, 92, 42, 67),
        (870, 56, 96, 44, 70),
    ]
    inner = [
        (560, 6, 50, 12, 14),
        (640, 10, 50, 26, 27),
        (740, 8, 48, 44, 36),
        (800, 2, 50, 54, 42),
        (870, -4, 54, 50, 44),
    ]
    for rows in (front, back, inner):
        group = Loft.of([(z, y, side * x, half_y, half_x) for z, y, x, half_y, half_x in rows], squareness=0.2)
        canvas.paint(group, Tissue.MUSCLE, over=(Tissue.FAT,))


def _paint_breasts(canvas: Canvas, person: Person) -> None:
    for side in (-1, 1):
        centre = (1288.0, -98.0 - 0.5 * person.fat_mm, side * 82.0)
        canvas.paint(Ellipsoid(centre, (52, 26 + 0.8 * person.fat_mm, 56)), Tissue.FAT, over=(Tissue.AIR,))
        canvas.paint(Ellipsoid(centre, (26, 18, 30)), Tissue.SOFT, over=(Tissue.FAT,))


def _paint_fat_sheets(canvas: Canvas, person: Person) -> None:
    """Thin sheets where a smooth random field changes sign: fat between the bellies of muscles."""
    box = canvas.box((452, -220, -320), (1500, 220, 320))
    if box is None:
        return
    sheets = np.abs(canvas.field(person.smooth("fat sheets", 42.0), box)) < np.float32(0.036)
    canvas.paint_where(box, sheets, Tissue.FAT, over=(Tissue.MUSCLE,))
    streaks = np.abs(canvas.field(person.smooth("fat streaks", 20.0), box)) < np.float32(0.035)
    canvas.paint_where(box, streaks, Tissue.SOFT, over=(Tissue.MUSCLE,))


def paint_hollows(canvas: Canvas) -> None:
    """Belly fat and the soft tissue of the chest, into which bones and organs are painted."""
    canvas.paint(ABDOMEN, Tissue.FAT)
    canvas.paint(CHEST, Tissue.SOFT)
