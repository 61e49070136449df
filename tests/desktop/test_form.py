"""A form shows what a config says, and gives it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QLineEdit

from fake_method import FakeConfig
from grisaille.core.config import Config, knob, knobs
from grisaille.core.errors import ConfigError
from grisaille.desktop.form import ConfigForm
from intensity_method import Side

pytestmark = pytest.mark.screen


@pytest.fixture
def form(qtbot: Any) -> ConfigForm:
    form = ConfigForm(FakeConfig)
    qtbot.addWidget(form)
    return form


def test_a_fresh_form_holds_the_defaults(form: ConfigForm) -> None:
    assert form.config() == FakeConfig()


@pytest.mark.parametrize(
    "config",
    [
        FakeConfig(Side.BOTH, 12.5, levels=(0, 8), width_mm=3.5, fast=False, folds=10),
        FakeConfig(Side.ABOVE, 0.0, levels=(), width_mm=None, fast=True, folds=1),
        FakeConfig(smallest_ml=1e-4, width_mm=0.125),
    ],
)
def test_settings_shown_are_read_back_as_they_were(form: ConfigForm, config: FakeConfig) -> None:
    form.show_config(config)
    assert form.config() == config


def test_what_mvg_is_told_goes_through_a_form_unchanged(qtbot: Any) -> None:
    from grisaille.methods.mvg.config import MvgConfig

    form = ConfigForm(MvgConfig)
    qtbot.addWidget(form)
    assert form.config() == MvgConfig()


def test_a_wrong_entry_is_refused_by_the_name_of_its_knob(form: ConfigForm) -> None:
    line = form.editor("levels")
    assert isinstance(line, QLineEdit)
    line.setText("1, nine")
    with pytest.raises(ConfigError, match="levels"):
        form.config()


def test_every_knob_has_a_row_with_its_help_and_bounds(form: ConfigForm) -> None:
    for one in knobs(FakeConfig):
        assert form.editor(one.name).toolTip() == one.help
    spin = form.editor("smallest_ml")
    assert isinstance(spin, QDoubleSpinBox)
    assert (spin.minimum(), spin.maximum()) == (0.0, 100.0)
    assert isinstance(form.editor("side"), QComboBox)


def test_advanced_knobs_are_folded_at_first(form: ConfigForm, qtbot: Any) -> None:
    form.show()
    assert form.fold.isAncestorOf(form.editor("folds"))
    assert not form.fold.isAncestorOf(form.editor("smallest_ml"))
    assert not form.fold.isExpanded()
    assert form.fold.content().height() == 0
    form.fold.expand()
    qtbot.waitUntil(lambda: form.fold.content().height() > 40)


def test_a_fitted_model_shows_what_its_fit_rests_on_and_lets_the_rest_be_changed(qtbot: Any) -> None:
    form = ConfigForm(FakeConfig, is_fitted=True)
    qtbot.addWidget(form)
    enabled = {one.name for one in knobs(FakeConfig) if form.editor(one.name).isEnabled()}
    assert enabled == {"smallest_ml", "fast"}
    assert "fit a model of your own" in form.editor("side").toolTip()


def test_a_config_without_advanced_knobs_has_no_fold(qtbot: Any) -> None:
    @dataclass(frozen=True)
    class Small(Config):
        count: int = knob(3, "A count", low=0, high=9)

    form = ConfigForm(Small)
    qtbot.addWidget(form)
    assert not hasattr(form, "fold")
