"""Loading: what a reference may be, which settings may change, and which weights are taken."""

from __future__ import annotations

import numpy as np
import pytest

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.errors import ConfigError, MissingWeights, WeightsMismatch
from grisaille.flows import load
from grisaille.methods import catalog
from grisaille.weights.bundle import Bundle, write_bundle
from grisaille.weights.card import Card, CardKind
from grisaille.weights.store import WeightsFile, find, sha256_of
from intensity_method import IntensityConfig, IntensityMethod


@pytest.fixture(autouse=True)
def catalogued(monkeypatch):
    monkeypatch.setattr(catalog, "names", lambda: ("intensity",))
    monkeypatch.setattr(catalog, "method_class", lambda name: IntensityMethod)
    monkeypatch.setattr(catalog, "config_class", lambda name: IntensityConfig)


@pytest.fixture
def method():
    counts = np.array([[3.0, 1.0, 0.0]])
    calibration = Calibration(CalibrationSource.PATIENTS, np.array([1.0, 2.0, 3.0]), counts, counts / 100, 1000, 1)
    return IntensityMethod(IntensityConfig(robust=True), 2.5, 0.5, calibration)


@pytest.fixture
def saved(method, tmp_path):
    path = tmp_path / "mine.safetensors"
    load.save_method(method, path)
    return path


def test_saving_and_loading_gives_the_same_method(method, saved):
    back = load.load_method(saved)
    assert (back.config, back.mean, back.std) == (method.config, method.mean, method.std)
    assert np.array_equal(back.calibration.findings, method.calibration.findings)
    assert load.method_name(saved) == "intensity"


def test_the_hash_of_the_model_itself_is_among_the_weights(saved):
    (used,) = load.load_method(saved).weights
    assert (used.name, used.sha256) == (saved.name, sha256_of(saved))


def test_a_setting_that_the_fit_does_not_rest_on_can_be_changed(saved):
    assert load.load_method(saved, settings={"smallest_ml": 2, "robust": True}).config.smallest_ml == 2.0


def test_a_setting_that_the_fit_rests_on_cannot(saved):
    with pytest.raises(ConfigError, match="was fitted with robust = True; fit another with train"):
        load.load_method(saved, settings={"robust": False})
    with pytest.raises(ConfigError, match="unknown setting bogus"):
        load.load_method(saved, settings={"bogus": 1})
    with pytest.raises(ConfigError, match=r"smallest_ml is 1000\.0 ml, expected from 0 to 100 ml"):
        load.load_method(saved, settings={"smallest_ml": 1000})


def test_a_name_means_the_model_shipped_with_it(saved, monkeypatch):
    card = Card("intensity/phantom", "1", CardKind.METHOD, "x", "", "CC0", "here", "tests")
    monkeypatch.setattr(load, "cards", lambda: {card.name: card})
    monkeypatch.setattr(load, "find", lambda name, **_: WeightsFile(name, saved, "0", card))
    assert load.model_file("intensity") == load.model_file("intensity/phantom") == saved
    assert load.load_method("intensity").mean == 2.5
    assert load.method_name("intensity/other") == "intensity"


def test_neither_name_nor_file_is_refused_with_what_is_known(tmp_path):
    with pytest.raises(MissingWeights, match=r"no model is called '.*nothing' and there is no such file; known are"):
        load.load_method(tmp_path / "nothing")


def test_a_method_without_a_model_of_its_own_says_how_to_train_one():
    with pytest.raises(MissingWeights, match=r"no model of intensity comes with grisaille; train one .*--out FILE"):
        load.load_method("intensity")


def test_a_model_of_an_unknown_method_is_refused(tmp_path):
    write_bundle(Bundle({}, {"method": "crystal ball", "config": {}}), tmp_path / "a")
    write_bundle(Bundle({}, {}), tmp_path / "b")
    with pytest.raises(WeightsMismatch, match=r"a holds a model of 'crystal ball'.* it knows intensity"):
        load.load_method(tmp_path / "a")
    with pytest.raises(WeightsMismatch, match="b holds a model of None"):
        load.load_method(tmp_path / "b")


def test_the_weights_given_are_taken_for_the_one_file_needed(tmp_path):
    lite0 = find("efficientnet-lite0")
    config = IntensityConfig(weights_wanted=1)
    assert load.find_weights("intensity", config) == {lite0.name: lite0}
    assert load.find_weights("intensity", config, weights=lite0.path) == {lite0.name: lite0}
    with pytest.raises(MissingWeights):
        load.find_weights("intensity", config, weights=tmp_path / "absent")


@pytest.mark.parametrize(("wanted", "needs"), [(0, "no weights file"), (2, "efficientnet-lite0, efficientnet-b4")])
def test_one_weights_file_for_none_or_several_is_refused(wanted, needs):
    with pytest.raises(ConfigError, match=f"intensity needs {needs}"):
        load.find_weights("intensity", IntensityConfig(weights_wanted=wanted), weights="x")
