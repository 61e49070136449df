"""Passes through the network, counted from outside."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.grid import Grid
from grisaille.core.run import Run
from grisaille.methods.autopaint.config import AutoPaintConfig
from grisaille.methods.autopaint.frame import Frame
from grisaille.methods.autopaint.loop import first_look, repaint
from grisaille.methods.autopaint.norms import Norms

pytestmark = pytest.mark.ai
pytest.importorskip("torch")

from grisaille.methods.autopaint.published.counting import CountingPainter  # noqa: E402 - needs torch
from plain_painter import PlainInpainter  # noqa: E402 - needs torch

RUN = Run(device="cpu", threads=1)


def test_every_slab_that_went_through_the_network_is_counted_once() -> None:
    config = AutoPaintConfig(slab=16, cells_mm=(48.0, 96.0), batch=2)
    body = np.zeros((32, 32, 32), bool)
    body[2:30, 4:28, 4:28] = True
    pet = np.where(body, 0.5, 0.0).astype(np.float32)[None]
    pet[:, 12:16, 12:16, 12:16] = 2.5
    patient = Frame(Grid.from_spacing((32, 32, 32), 4.0), {"pet": pet}, body)
    network = PlainInpainter()
    painter = CountingPainter(network, config)  # type: ignore[arg-type]
    look = first_look(painter, patient, config, RUN)
    assert painter.evaluations == sum(shape[0] for shape in network.seen) > 0
    before = painter.evaluations
    repaint(painter, patient, look, Norms(np.ones(2), 3.0, 2.0, np.linspace(5, 1, 64)), config, RUN)
    assert painter.evaluations == sum(shape[0] for shape in network.seen) > before
