"""A whole healthy body on any grid."""

from __future__ import annotations

from grisaille.core.grid import Grid
from grisaille.phantom.abdomen import paint_abdomen, paint_domes
from grisaille.phantom.canvas import Canvas
from grisaille.phantom.chest import paint_heart, paint_lungs, paint_vessels_and_airways
from grisaille.phantom.head import paint_head, paint_head_outline
from grisaille.phantom.outline import paint_hollows, paint_outline
from grisaille.phantom.person import Person
from grisaille.phantom.skeleton import paint_skeleton
from grisaille.phantom.tissues import Tissue


def paint_body(grid: Grid, person: Person) -> Canvas:
    """The person's tissues on a grid; what lies in front is painted last."""
    canvas = Canvas(grid, person.frame)
    paint_outline(canvas, person)
    paint_head_outline(canvas)
    outside = canvas.tissues == Tissue.AIR
    paint_hollows(canvas)
    paint_lungs(canvas, person)
    paint_domes(canvas, person)
    paint_head(canvas, person)
    paint_abdomen(canvas, person)
    paint_vessels_and_airways(canvas, person)
    paint_heart(canvas, person)
    paint_skeleton(canvas, person)
    # In a lean patient, bones and vessels would else stick out of the skin.
    canvas.tissues[outside] = Tissue.AIR
    return canvas
