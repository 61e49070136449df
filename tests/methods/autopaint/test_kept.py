"""Slabs whose hole stayed as it was are not painted again, and nothing else changes by that."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.painting import Hole, Kept

pytestmark = pytest.mark.ai
pytest.importorskip("torch")

from grisaille.methods.autopaint.published.counting import CountingPainter  # noqa: E402
from plain_painter import PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)
CONFIG = AutoPaintConfig(slab=32)
SHAPE = (80, 16, 16)
"""Three slabs."""


def painter() -> CountingPainter:
    return CountingPainter(PlainInpainter(), CONFIG)


def frame() -> Frame:
    image = np.random.default_rng(3).random((1, *SHAPE), dtype=np.float32)
    return Frame(Grid.from_spacing(SHAPE, 4.0), {"pet": image}, np.ones(SHAPE, bool))


def holes(*slices: int) -> list[Hole]:
    """A block at each slice, hidden in the PET alone and in both."""
    mask = np.zeros(SHAPE, bool)
    for start in slices:
        mask[start : start + 4, 4:8, 4:8] = True
    return [Hole(mask, mask), Hole(mask, np.zeros_like(mask))]


def painted(one: CountingPainter, wanted: list[Hole], kept: Kept | None) -> list[tuple[int, int, bytes]]:
    before = [
        (patch.hole, patch.slab.box[0].start, patch.mean.tobytes())
        for patch in one.paint(frame(), wanted, RUN, "painting", kept)
    ]
    if kept is not None:
        kept.next_round()
    return before


def test_only_slabs_whose_hole_changed_are_painted_again_and_every_patch_is_as_if_all_were() -> None:
    one, kept = painter(), Kept()
    painted(one, holes(2, 74), kept)
    assert one.evaluations == 4
    assert painted(one, holes(2, 70), kept) == painted(painter(), holes(2, 70), None)
    assert one.evaluations == 6


def test_a_round_is_remembered_until_the_end_of_the_next() -> None:
    one, kept = painter(), Kept()
    for place, passes in ((2, 2), (2, 2), (74, 4), (2, 6), (2, 6)):
        painted(one, holes(place), kept)
        assert one.evaluations == passes
