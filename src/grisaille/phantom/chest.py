"""Lungs and what lies between them: heart, great vessels, airways, gullet."""

from __future__ import annotations

import numpy as np

from grisaille.phantom.canvas import Canvas
from grisaille.phantom.person import Person
from grisaille.phantom.shapes import Capsule, Ellipsoid, Loft, Point, curve, tube
from grisaille.phantom.tissues import Tissue

_LUNG = [
    # z, y, x, half depth, half width
    (1186, 40, 78, 40, 42),
    (1215, 18, 74, 66, 54),
    (1260, 2, 71, 84, 61),
    (1310, 2, 71, 83, 59),
    (1350, 5, 67, 75, 52),
    (1385, 10, 60, 62, 42),
    (1415, 14, 51, 46, 31),
    (1440, 16, 44, 30, 20),
    (1452, 17, 41, 16, 10),
]
LUNGS = {-1: Tissue.LUNG_RIGHT, 1: Tissue.LUNG_LEFT}
_IN_LUNG = tuple(LUNGS.values())


def paint_lungs(canvas: Canvas, person: Person) -> None:
    """Both lungs with their vessels, and the soft tissue between them."""
    for side, tissue in LUNGS.items():
        rows = [(z, y, side * x, half_y, half_x) for z, y, x, half_y, half_x in _LUNG]
        canvas.paint(Loft.of(rows, squareness=0.25), tissue, over=(Tissue.SOFT, Tissue.MUSCLE, Tissue.FAT))
    middle = [
        (1190, 8, 0, 46, 26),
        (1260, 2, 4, 66, 30),
        (1330, 2, 2, 62, 27),
        (1390, 6, 0, 50, 30),
        (1460, 8, 0, 34, 30),
    ]
    canvas.paint(Loft.of(middle), Tissue.SOFT, over=_IN_LUNG)
    for side in LUNGS:
        _paint_lung_vessels(canvas, person, side)


def _paint_lung_vessels(canvas: Canvas, person: Person, side: int) -> None:
    """A tree that forks from the hilum outwards, painted in lung only."""
    rng = person.rng(f"lung vessels {side}")
    hilum = np.array([1325.0, 6.0, side * 34.0])
    ends = [(hilum, rng.normal(size=3) * (1, 1, 0.4) + (0, 0, side), 5.2, 34.0) for _ in range(9)]
    for generation in range(4):
        grown = []
        for start, towards, radius, length in ends:
            towards = towards / np.linalg.norm(towards)
            end = start + towards * length * rng.uniform(0.7, 1.2)
            rod = Capsule(_point(start), _point(end), radius, 0.8 * radius)
            canvas.paint(rod, Tissue.LUNG_VESSEL, over=_IN_LUNG)
            if generation < 3:
                for _ in range(2):
                    bend = towards + 0.62 * rng.normal(size=3)
                    grown.append((end, bend, 0.62 * radius, 0.78 * length))
        ends = grown


def _point(place: np.ndarray) -> Point:
    z, y, x = place
    return float(z), float(y), float(x)


def paint_heart(canvas: Canvas, person: Person) -> None:
    """Four chambers in fat, the left one thick and, in some patients, hot."""
    z, y, x = person.place("heart", (1272, -30, 26), 3.5)
    turns = (-38.0, -28.0, 0.0)

    def at(dz: float, dy: float, dx: float) -> Point:
        return z + dz, y + dy, x + dx

    canvas.paint(
        Ellipsoid(at(2, 1, -4), person.size("heart", (56, 50, 66), 0.05), turns),
        Tissue.FAT,
        over=(*_IN_LUNG, Tissue.SOFT, Tissue.LUNG_VESSEL),
    )
    canvas.paint(Ellipsoid(at(24, 26, -8), (27, 22, 34)), Tissue.BLOOD)
    canvas.paint(Ellipsoid(at(10, 4, -52), (32, 26, 21)), Tissue.BLOOD)
    canvas.paint(Ellipsoid(at(-8, -16, -8), (32, 23, 50), turns), Tissue.MYOCARDIUM)
    canvas.paint(Ellipsoid(at(-8, -16, -8), (29, 20, 47), turns), Tissue.BLOOD)
    ventricle = Ellipsoid(at(-6, 6, 18), person.size("ventricle", (34, 33, 47), 0.05), turns)
    canvas.paint(ventricle, Tissue.MYOCARDIUM)
    cavity = Ellipsoid(at(-3, 8, 13), (ventricle.semi[0] - 11, ventricle.semi[1] - 11, ventricle.semi[2] - 10), turns)
    canvas.paint(cavity, Tissue.BLOOD)


def paint_vessels_and_airways(canvas: Canvas, person: Person) -> None:
    """From the throat to the groin, the long pipes."""
    soft = (Tissue.SOFT, Tissue.FAT, Tissue.MUSCLE, *_IN_LUNG, Tissue.LUNG_VESSEL)
    gullet = curve([(1488, 4, 3), (1400, 18, 5), (1320, 22, 6), (1250, 20, 14), (1214, 4, 34)], 10)
    canvas.paint(tube(gullet, 7.0), Tissue.OESOPHAGUS, over=soft)
    for side in (-1, 1):
        _paint_side_vessels(canvas, side, soft)
    canvas.paint(tube([(1402, -12, -26), (1300, -8, -30)], 9.5), Tissue.BLOOD, over=soft)
    vena_cava = curve([(1282, 4, -28), (1235, 4, -28), (1180, 10, -24), (1100, 6, -20), (1042, 14, -16)], 10)
    canvas.paint(tube(vena_cava, 10.5), Tissue.BLOOD)
    canvas.paint(tube([(1300, -40, 8), (1338, -26, 14), (1344, -6, 8)], (13, 12.5, 11)), Tissue.BLOOD)
    arch = [(1298, -22, -4), (1340, -30, -16), (1378, -20, -14), (1393, 0, 4), (1384, 24, 18), (1352, 34, 24)]
    canvas.paint(tube(curve(arch, 14), 13.5), Tissue.AORTA)
    down = [(1352, 34, 24), (1280, 32, 22), (1220, 26, 14), (1150, 8, 9), (1090, 2, 8), (1046, 8, 6)]
    canvas.paint(tube(curve(down, 14), np.linspace(12.5, 8.5, 14)), Tissue.AORTA)
    trachea = curve([(1494, -18, 0), (1440, -10, 0), (1368, 4, -2)], 6)
    canvas.paint(tube(trachea, 10.5), Tissue.CARTILAGE, over=soft)
    canvas.paint(tube(trachea, 8.5), Tissue.TRACHEA)


def _paint_side_vessels(canvas: Canvas, side: int, soft: tuple[Tissue, ...]) -> None:
    carotid = curve([(1395, -4, side * 10), (1440, -8, side * 22), (1500, 2, side * 27), (1560, 4, side * 30)], 7)
    jugular = curve([(1402, -16, side * 24), (1450, -12, side * 32), (1560, 10, side * 36)], 7)
    subclavian = curve([(1402, -6, side * 22), (1416, 0, side * 66), (1404, 8, side * 130)], 6)
    lung_artery = [(1346, -2, side * 8), (1338, 4, side * 40)]
    iliac = [(1046, 8, side * 4), (985, 14, side * 34), (915, -22, side * 66), (862, -54, side * 80)]
    femoral = [
        (862, -54, side * 80),
        (760, -32, side * 66),
        (640, 6, side * 62),
        (540, 34, side * 76),
        (470, 38, side * 84),
    ]
    bronchus = [(1368, 4, side * 2), (1344, 10, side * 34), (1322, 12, side * 52)]
    canvas.paint(tube(carotid, 3.8), Tissue.AORTA)
    canvas.paint(tube(jugular, 5.5), Tissue.BLOOD)
    canvas.paint(tube(subclavian, 5.5), Tissue.BLOOD, over=soft)
    canvas.paint(tube(lung_artery, (11, 9)), Tissue.BLOOD)
    canvas.paint(tube(curve(iliac, 9), np.linspace(6.5, 5.0, 9)), Tissue.AORTA)
    canvas.paint(
        tube(curve([(z, y + 11, x - side * 4) for z, y, x in iliac], 9), 7.0), Tissue.BLOOD, over=(*soft, Tissue.SOFT)
    )
    canvas.paint(tube(curve(femoral, 12), np.linspace(5, 3.8, 12)), Tissue.AORTA, over=soft)
    canvas.paint(tube(curve([(z, y + 8, x - side * 5) for z, y, x in femoral], 12), 5.0), Tissue.BLOOD, over=soft)
    canvas.paint(tube(bronchus, (8.5, 7.0, 4.5)), Tissue.CARTILAGE, over=soft)
    canvas.paint(tube(bronchus, (7.0, 5.5, 3.2)), Tissue.TRACHEA)
