"""Head: skull, brain, face, airways and glands."""

from __future__ import annotations

import numpy as np

from grisaille.phantom.canvas import Canvas
from grisaille.phantom.person import Person
from grisaille.phantom.shapes import Ellipsoid, Loft, Point, curve, tube
from grisaille.phantom.skeleton import paint_bones
from grisaille.phantom.tissues import Tissue

SKULL = Ellipsoid((1612, 6, 0), (84, 94, 74))
BRAIN = SKULL.grown(-8.0)
_FACE = Loft.of(
    [
        (1488, -52, 0, 20, 22),
        (1500, -50, 0, 36, 40),
        (1525, -44, 0, 52, 54),
        (1560, -36, 0, 62, 62),
        (1600, -28, 0, 64, 66),
        (1625, -22, 0, 62, 66),
    ],
    squareness=0.2,
)
_BASE_Z = 1566.0
"""Height of the skull's base; brain and skull end there, but for the cerebellum behind."""


def paint_head_outline(canvas: Canvas) -> None:
    """Skin, fat and muscle of head, face, nose and ears."""
    canvas.paint([SKULL.grown(6.5), _FACE.grown(4.0)], Tissue.FAT)
    canvas.paint([SKULL.grown(2.0), _FACE], Tissue.MUSCLE)
    canvas.paint(Ellipsoid((1552, -102, 0), (20, 16, 13)), Tissue.MUSCLE)
    for side in (-1, 1):
        canvas.paint(Ellipsoid((1570, 8, side * 80), (26, 14, 5)), Tissue.SOFT, over=(Tissue.AIR, Tissue.FAT))


def paint_head(canvas: Canvas, person: Person) -> None:
    """What is inside the head."""
    _paint_skull(canvas)
    _paint_brain(canvas, person)
    _paint_face(canvas)
    _paint_glands(canvas)


def _paint_skull(canvas: Canvas) -> None:
    for shape, tissue in (
        (SKULL, Tissue.CORTICAL_BONE),
        (SKULL.grown(-2.6), Tissue.MARROW),
        (SKULL.grown(-5.2), Tissue.CORTICAL_BONE),
    ):
        found = canvas.inside(shape)
        if found is None:
            return
        box, mask = found
        z, y, _ = canvas.places(box)
        canvas.paint_where(box, mask & (z > _BASE_Z - 0.42 * (y - 6)), tissue)
    for side in (-1, 1):
        canvas.paint(Ellipsoid((1566, 22, side * 58), (16, 18, 13)), Tissue.CORTICAL_BONE)
        canvas.paint(Ellipsoid((1560, 32, side * 60), (12, 12, 8)), Tissue.GAS)


def _paint_brain(canvas: Canvas, person: Person) -> None:
    """A folded hot cortex round white matter, deep grey matter, fluid, cerebellum and brain stem."""
    found = canvas.inside(BRAIN)
    if found is not None:
        box, mask = found
        z, y, x = canvas.places(box)
        mask &= z > _BASE_Z + 5 - 0.42 * (y - 6)
        depth = BRAIN.field(z, y, x)
        folds = canvas.field(person.smooth("folds", 15.0), box)
        canvas.paint_where(box, mask, Tissue.GREY_MATTER)
        canvas.paint_where(box, mask & (depth + 0.12 * folds < 0.66), Tissue.WHITE_MATTER)
        canvas.paint_where(box, mask & (depth + 0.10 * folds > 1.04), Tissue.FLUID)
        canvas.paint_where(box, mask & (np.abs(x) < 1.6) & (depth > 0.35), Tissue.FLUID)
    for side in (-1, 1):
        canvas.paint(Ellipsoid((1610, 6, side * 17), (12, 18, 8)), Tissue.GREY_MATTER)
        canvas.paint(Ellipsoid((1608, -18, side * 15), (12, 12, 7)), Tissue.GREY_MATTER)
        horn = curve([(1618, -30, side * 9), (1628, 0, side * 10), (1618, 34, side * 20)], 4)
        canvas.paint(tube(horn, (4, 5, 5, 4)), Tissue.FLUID)
    canvas.paint(
        Ellipsoid((1572, 46, 0), (24, 28, 44)),
        Tissue.GREY_MATTER,
        over=(Tissue.MUSCLE, Tissue.FLUID, Tissue.WHITE_MATTER, Tissue.GREY_MATTER),
    )
    canvas.paint(Ellipsoid((1572, 46, 0), (10, 16, 26)), Tissue.WHITE_MATTER)
    canvas.paint(tube([(1598, 14, 0), (1560, 28, 0)], (13, 9)), Tissue.WHITE_MATTER)


def _paint_face(canvas: Canvas) -> None:
    """Jaws and teeth, cheekbones, sinuses, nose, mouth, throat and eyes."""
    for side in (-1, 1):
        jaw: list[Point] = [(1564, 0, side * 52), (1520, -10, side * 49), (1507, -58, side * 30), (1503, -84, 0)]
        paint_bones(canvas, tube(curve(jaw, 9), 6.5), 2.5)
        paint_bones(
            canvas, tube([(1568, -8, side * 62), (1566, -48, side * 54), (1560, -78, side * 30)], (3, 6, 6)), 2.2
        )
        canvas.paint(
            tube(curve([(1532, -40, side * 27), (1530, -70, side * 22), (1529, -84, 0)], 5), 5.5), Tissue.CORTICAL_BONE
        )
        canvas.paint(Ellipsoid((1556, -58, side * 27), (16, 17, 13)), Tissue.CORTICAL_BONE)
        canvas.paint(Ellipsoid((1556, -58, side * 27), (14, 15, 11)), Tissue.GAS)
        canvas.paint(Ellipsoid((1586, -66, side * 33), (17, 24, 17)), Tissue.CORTICAL_BONE)
        canvas.paint(Ellipsoid((1586, -72, side * 33), (15, 26, 15)), Tissue.FAT)
        canvas.paint(Ellipsoid((1586, -80, side * 33), (12, 12, 12)), Tissue.EYE)
        canvas.paint(Ellipsoid((1604, -80, side * 12), (8, 4, 8)), Tissue.GAS)
    canvas.paint(Ellipsoid((1557, -72, 0), (20, 28, 12)), Tissue.GAS)
    canvas.paint(Ellipsoid((1557, -70, 0), (20, 26, 1.6)), Tissue.CARTILAGE)
    for side in (-1, 1):
        canvas.paint(Ellipsoid((1552, -64, side * 7), (8, 20, 3)), Tissue.SOFT, over=(Tissue.GAS,))
    canvas.paint(Ellipsoid((1578, -48, 0), (10, 10, 14)), Tissue.GAS)
    canvas.paint(Ellipsoid((1520, -46, 0), (18, 30, 22)), Tissue.MUSCLE, over=(Tissue.FAT, Tissue.MUSCLE, Tissue.SOFT))
    throat = curve([(1552, -40, 0), (1535, -16, 0), (1510, -14, 0), (1492, -18, 0)], 6)
    canvas.paint(tube(throat, (9, 8, 8, 7, 7, 7)), Tissue.TRACHEA)


def _paint_glands(canvas: Canvas) -> None:
    for side in (-1, 1):
        canvas.paint(
            Ellipsoid((1546, 2, side * 60), (20, 15, 8)), Tissue.SALIVARY, over=(Tissue.FAT, Tissue.MUSCLE, Tissue.SOFT)
        )
        canvas.paint(
            Ellipsoid((1512, -32, side * 34), (11, 14, 8)),
            Tissue.SALIVARY,
            over=(Tissue.FAT, Tissue.MUSCLE, Tissue.SOFT),
        )
        canvas.paint(Ellipsoid((1530, -22, side * 17), (9, 7, 5)), Tissue.SALIVARY, over=(Tissue.MUSCLE, Tissue.SOFT))
        canvas.paint(Ellipsoid((1455, -24, side * 19), (20, 9, 8)), Tissue.THYROID)
