"""What a person points at when asking for a repaint."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.errors import InputError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.flows.repaint import asked_region

GRID = Grid.from_spacing((1, 4, 8), 1.0)


def labels(*rows: str) -> Labels:
    return Labels(np.array([[[int(one) for one in row] for row in rows]], np.uint16), GRID)


BEFORE = labels("11000022", "11000022", "00000000", "30000000")


def region(after: Labels, number: int | None = None) -> list[str]:
    return ["".join(str(int(one)) for one in row) for row in asked_region(after, BEFORE, number)[0]]


def test_a_stroke_takes_all_that_it_touches_and_nothing_else() -> None:
    joined = labels("11000022", "11500022", "00000000", "30000000")
    assert region(joined) == ["11000000", "11100000", "00000000", "00000000"]
    alone = labels("11000022", "11000022", "00000000", "30005500")
    assert region(alone) == ["00000000", "00000000", "00000000", "00001100"]
    assert region(alone, number=2) == region(alone), "a stroke is meant before a row of the table"


def test_without_a_stroke_the_chosen_label_is_meant_and_erasing_is_no_stroke() -> None:
    erased = labels("10000022", "11000022", "00000000", "30000000")
    assert region(erased, number=1) == ["10000000", "11000000", "00000000", "00000000"]
    for number in (None, 0, 7):
        with pytest.raises(InputError, match="choose a finding"):
            asked_region(erased, BEFORE, number)
