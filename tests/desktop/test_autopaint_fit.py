"""AutoPaint fitted from its panel in a real window: steps are told, cancel leaves nothing, the model is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grisaille.desktop.fit_dialog import FitOrder
from grisaille.desktop.maker import maker
from grisaille.desktop.panel import MethodPanel
from grisaille.io.volumes import write_volume
from grisaille.methods.autopaint.config import AutoPaintConfig
from phantoms import small_cohort

pytestmark = [pytest.mark.ai, pytest.mark.screen]
pytest.importorskip("torch")

CONFIG = AutoPaintConfig(spacing_mm=6.0, slab=16, width=4, cells_mm=(64.0,), rounds=1, steps=6, batch=1)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, ...]:
    """Two healthy people, PET alone."""
    made = []
    for number, case in enumerate(small_cohort(2, 11)):
        pet = case.load().pet
        assert pet is not None
        made.append(tmp_path / f"person{number}")
        made[-1].mkdir()
        write_volume(pet, made[-1] / "PET.nii.gz")
    return tuple(made)


def steps(panel: MethodPanel) -> str:
    return panel.face.status.steps.text()


def test_a_fit_tells_its_steps_can_be_cancelled_and_gives_the_chosen_model(
    dock: Any, folders: tuple[Path, ...], tmp_path: Path, qtbot: Any
) -> None:
    panel = dock(maker("autopaint", "AutoPaint", engine=("torch", "monai")), "AutoPaint")
    assert panel.face.models.model is None or "phantom" in panel.face.models.model.ref
    out = tmp_path / "model.safetensors"

    panel.fit(FitOrder(CONFIG, folders, out))
    qtbot.waitUntil(lambda: steps(panel).startswith("Training: "), timeout=120_000)
    assert "of 6" in steps(panel)
    panel.face.cancel.click()
    qtbot.waitUntil(lambda: not panel.is_running, timeout=60_000)
    assert panel.face.status.line.text().startswith("Cancelled")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == []

    panel.fit(FitOrder(CONFIG, folders, out))
    qtbot.waitUntil(lambda: not panel.is_running, timeout=120_000)
    assert panel.face.status.line.text().startswith("Done in ")
    assert panel.face.models.model is not None
    assert panel.face.models.model.ref == str(out)
    assert panel.face.form.config().to_mapping()["steps"] == CONFIG.steps
