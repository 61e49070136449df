"""Liver right, spleen and stomach left, kidneys, bowel, bladder."""

from __future__ import annotations

import numpy as np

from grisaille.phantom.canvas import Canvas
from grisaille.phantom.chest import LUNGS
from grisaille.phantom.person import Person
from grisaille.phantom.shapes import Ellipsoid, Loft, Point, curve, tube
from grisaille.phantom.tissues import Tissue

_PADDING = (Tissue.FAT, Tissue.SOFT)


def _dome(person: Person, side: int) -> Ellipsoid:
    """Half of the diaphragm; the right one stands higher and is filled by the liver."""
    if side < 0:
        return Ellipsoid(person.place("right dome", (1174, -4, -68), 3.0), (110, 84, 62))
    return Ellipsoid(person.place("left dome", (1168, -4, 66), 3.0), (98, 82, 60))


def paint_domes(canvas: Canvas, person: Person) -> None:
    """The diaphragm: below it there is no lung."""
    lung = (*LUNGS.values(), Tissue.LUNG_VESSEL, Tissue.SOFT)
    for side in LUNGS:
        dome = _dome(person, side)
        canvas.paint(dome, Tissue.MUSCLE, over=lung)
        canvas.paint(dome.grown(-3.0), Tissue.FAT, over=(*lung, Tissue.MUSCLE))


def paint_abdomen(canvas: Canvas, person: Person) -> None:
    """All organs of belly and pelvis, those at the back first."""
    _paint_psoas(canvas)
    for side in (-1, 1):
        _paint_kidney(canvas, person, side)
    _paint_bowel(canvas, person)
    _paint_spleen(canvas, person)
    _paint_stomach(canvas, person)
    _paint_liver(canvas, person)
    _paint_pelvis(canvas, person)


def _paint_psoas(canvas: Canvas) -> None:
    for side in (-1, 1):
        rows = [
            (862, -20, 98, 15, 20),
            (930, -12, 80, 18, 20),
            (1000, 14, 54, 20, 20),
            (1080, 30, 42, 20, 16),
            (1160, 36, 34, 11, 8),
        ]
        belly = Loft.of([(z, y, side * x, half_y, half_x) for z, y, x, half_y, half_x in rows])
        canvas.paint(belly, Tissue.MUSCLE, over=_PADDING)


def _paint_kidney(canvas: Canvas, person: Person, side: int) -> None:
    left = side > 0
    tissue = Tissue.KIDNEY_LEFT if left else Tissue.KIDNEY_RIGHT
    z, y, x = person.place(tissue.name, (1146 if left else 1132, 38, side * 66))
    size_z, size_y, size_x = person.size(tissue.name, (54, 25, 28))
    turns = (side * 22.0, side * 9.0, 0.0)
    canvas.paint(
        Ellipsoid((z, y, x), (size_z + 9, size_y + 8, size_x + 8), turns), Tissue.FAT, over=(Tissue.MUSCLE, Tissue.SOFT)
    )
    canvas.paint(Ellipsoid((z, y, x), (size_z, size_y, size_x), turns), tissue)
    canvas.paint(Ellipsoid((z, y, x - side * 3), (size_z - 13, size_y - 9, size_x - 10), turns), Tissue.MEDULLA)
    canvas.paint(Ellipsoid((z, y - 2, x - side * 13), (25, 10, 14), turns), Tissue.FAT)
    canvas.paint(Ellipsoid((z, y - 3, x - side * 14), (15, 6, 9), turns), Tissue.URINE)
    ureter = curve(
        [(z - 8, y - 4, x - side * 18), (1060, 14, side * 42), (980, 16, side * 46), (905, 26, side * 30)], 8
    )
    canvas.paint(tube(ureter, 2.4), Tissue.URINE, over=(Tissue.FAT, Tissue.SOFT))


def _paint_liver(canvas: Canvas, person: Person) -> None:
    over = (*_PADDING, Tissue.MUSCLE, Tissue.BOWEL, Tissue.BOWEL_CONTENT, Tissue.GAS, Tissue.STOMACH)
    dome = _dome(person, -1)
    found = canvas.inside(dome.grown(-3.0))
    if found is not None:
        box, mask = found
        height, _, _ = canvas.places(box)
        canvas.paint_where(box, mask & (height > dome.centre[0]), Tissue.LIVER, over=over)
    z, y, x = (float(value) for value in np.add(dome.centre, (18.0, 0.0, 0.0)))
    lobes = [
        Ellipsoid((z - 10, y, x), person.size("right lobe", (76, 79, 57), 0.04)),
        Ellipsoid((z - 40, y + 4, x - 6), person.size("lower right lobe", (62, 58, 46), 0.08)),
        Ellipsoid((z + 22, y - 30, x + 58), person.size("left lobe", (36, 40, 62), 0.08), (-14.0, 10.0, 0.0)),
    ]
    canvas.paint(lobes, Tissue.LIVER, over=over)
    liver = (Tissue.LIVER,)
    portal = curve([(z - 22, y - 10, x + 46), (z + 2, y - 2, x + 22), (z + 10, y + 4, x - 14)], 5)
    canvas.paint(tube(portal, (7, 6.5, 6, 5, 4)), Tissue.BLOOD, over=(*liver, Tissue.FAT))
    for end in ((z + 30, y + 26, x - 36), (z + 40, y - 18, x - 12), (z + 40, y - 24, x + 40)):
        canvas.paint(tube([(z + 58, y + 8, x + 36), end], (5.5, 3)), Tissue.BLOOD, over=liver)
    gall: Point = person.place("gallbladder", (1138, -44, -52), 3.0)
    canvas.paint(Ellipsoid(gall, person.size("gallbladder", (27, 14, 14), 0.12)), Tissue.GALLBLADDER)
    pancreas = curve([(1138, -12, -30), (1150, -24, -2), (1168, -8, 36), (1182, 14, 72)], 8)
    canvas.paint(tube(pancreas, (14, 12, 10, 9, 9, 9, 8, 7)), Tissue.PANCREAS, over=(*_PADDING, Tissue.BOWEL))


def _paint_spleen(canvas: Canvas, person: Person) -> None:
    spleen = Ellipsoid(
        person.place("spleen", (1204, 38, 100)), person.size("spleen", (50, 38, 21), 0.1), (-24.0, 0.0, 12.0)
    )
    over = (*_PADDING, Tissue.MUSCLE, Tissue.BOWEL, Tissue.BOWEL_CONTENT, Tissue.GAS)
    canvas.paint(spleen, Tissue.SPLEEN, over=over)


def _paint_stomach(canvas: Canvas, person: Person) -> None:
    """Wall, content, and the gas that rises to the front in a patient on the back."""
    z, y, x = person.place("stomach", (1214, -4, 62))
    full = float(np.exp(0.14 * person.rng("meal").normal()))
    path: tuple[Point, ...] = (
        (z + 8, y + 12, x + 6),
        (z - 12, y - 10, x + 8),
        (z - 44, y - 30, x - 4),
        (z - 66, y - 38, x - 42),
        (z - 58, y - 30, x - 76),
    )
    radii = np.array([33, 32, 26, 19, 12]) * full
    over = (*_PADDING, Tissue.MUSCLE, Tissue.BOWEL, Tissue.BOWEL_CONTENT, Tissue.GAS, Tissue.PANCREAS)
    smooth = curve(path, 9)
    radii = np.interp(np.linspace(0, 4, 9), range(5), radii)
    canvas.paint(tube(smooth, radii), Tissue.STOMACH, over=over)
    canvas.paint(tube(smooth, radii - 4.5), Tissue.STOMACH_CONTENT, over=(Tissue.STOMACH,))
    box = canvas.box((z - 90, y - 70, x - 95), (z + 45, y + 45, x + 45))
    if box is not None:
        _, front, _ = canvas.places(box)
        canvas.paint_where(
            box, np.broadcast_to(front < y - 16, canvas.tissues[box].shape), Tissue.GAS, over=(Tissue.STOMACH_CONTENT,)
        )


def _paint_bowel(canvas: Canvas, person: Person) -> None:
    """Loops of small bowel, then the colon that frames them."""
    rng = person.rng("small bowel")
    low, high = np.array([918.0, -62.0, -84.0]), np.array([1108.0, 8.0, 84.0])
    place, towards = np.array([1100.0, -30.0, 30.0]), rng.normal(size=3)
    loops = [place]
    for _ in range(110):
        towards = 0.55 * towards / np.linalg.norm(towards) + rng.normal(size=3) * (0.6, 0.45, 0.75)
        place = place + 24.0 * towards / np.linalg.norm(towards)
        towards = np.where((place < low) | (place > high), -towards, towards)
        place = np.clip(place, low, high)
        loops.append(place)
    points: tuple[Point, ...] = tuple((float(z), float(y), float(x)) for z, y, x in loops)
    radii = 11.5 + 2.0 * rng.normal(size=len(points)).clip(-1.5, 1.5)
    canvas.paint(tube(points, radii), Tissue.BOWEL, over=_PADDING)
    canvas.paint(tube(points, radii - 4.5), Tissue.BOWEL_CONTENT, over=(Tissue.BOWEL,))
    _paint_colon(canvas, person)


def _paint_colon(canvas: Canvas, person: Person) -> None:
    rng = person.rng("colon")
    frame: list[Point] = [
        (972, -22, -86), (1010, -10, -96), (1070, -2, -98), (1112, -8, -92), (1106, -50, -62), (1090, -62, -10),
        (1098, -60, 40), (1140, -36, 86), (1158, 8, 104), (1100, 12, 104), (1030, 10, 100), (985, -10, 84),
        (962, -22, 46), (975, 8, 14), (950, 34, 4), (915, 52, 0), (868, 44, 0), (838, 40, 0),
    ]  # fmt: skip
    moved = [
        (z + a, y + b, x + c) for (z, y, x), (a, b, c) in zip(frame, rng.normal(size=(len(frame), 3)) * 4, strict=True)
    ]
    path = curve(moved, 60)
    widths = np.interp(np.linspace(0, 1, 60), (0, 0.2, 0.55, 0.75, 1), (25, 22, 19, 14, 16))
    radii = widths * (1 + 0.14 * np.sin(np.arange(60) * 2.1)) * np.exp(0.06 * rng.normal(size=60))
    over = (*_PADDING, Tissue.BOWEL, Tissue.BOWEL_CONTENT)
    canvas.paint(tube(path, radii), Tissue.BOWEL, over=over)
    inner = np.maximum(radii - 3.5, 3.0)
    gassy = person.smooth("bowel gas", 26.0)
    for i, rod in enumerate(tube(path, inner)):
        canvas.paint(rod, Tissue.BOWEL_CONTENT, over=(Tissue.BOWEL,))
        found = canvas.inside(rod)
        if found is not None and inner[i] > 8:
            box, mask = found
            _, y, _ = canvas.places(box)
            rises = (y - np.float32(path[i][1])) / np.float32(inner[i]) + 0.5 * canvas.field(gassy, box) < -0.35
            canvas.paint_where(box, mask & rises, Tissue.GAS, over=(Tissue.BOWEL_CONTENT,))


def _paint_pelvis(canvas: Canvas, person: Person) -> None:
    rng = person.rng("bladder")
    radius = float(np.clip(31.0 * np.exp(0.2 * rng.normal()), 21.0, 44.0))
    z, y, x = person.place("bladder", (876 + 0.75 * radius, -22, 0), 2.5)
    over = (*_PADDING, Tissue.BOWEL, Tissue.BOWEL_CONTENT, Tissue.GAS, Tissue.MUSCLE, Tissue.AORTA, Tissue.BLOOD)
    canvas.paint(
        Ellipsoid((z, y, x), (0.85 * radius + 3.5, 0.92 * radius + 3.5, 1.15 * radius + 3.5)), Tissue.MUSCLE, over=over
    )
    canvas.paint(Ellipsoid((z, y, x), (0.85 * radius, 0.92 * radius, 1.15 * radius)), Tissue.BLADDER)
    soft = (Tissue.FAT, Tissue.SOFT, Tissue.MUSCLE, Tissue.BOWEL)
    if person.is_female:
        canvas.paint(
            Ellipsoid((z + 0.5 * radius + 22, y + 20, x), (24, 22, 30), (0.0, 0.0, -30.0)), Tissue.UTERUS, over=soft
        )
    else:
        canvas.paint(Ellipsoid((862, -6, 0), (17, 15, 21)), Tissue.PROSTATE, over=soft)
        for side in (-1, 1):
            canvas.paint(Ellipsoid((792, -58, side * 17), (22, 14, 13)), Tissue.SOFT)
