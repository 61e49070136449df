"""A model's file of another layout is refused with a sentence, whatever differs."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grisaille.core.errors import WeightsError, WeightsMismatch
from grisaille.core.run import Run
from grisaille.flows.load import find_weights, load_method, save_method
from grisaille.methods.mvg.config import MvgConfig, Preset
from grisaille.methods.mvg.method import MVG
from grisaille.methods.mvg.reduction import Reduction
from grisaille.weights.bundle import Bundle, read_bundle, write_bundle
from grisaille.weights.store import WeightsFile
from phantoms import small_cohort

RUN = Run(device="cpu", threads=1)
COARSE = MvgConfig(spacing_mm=4.0, step_mm=12.0, node_mm=80.0, levels=(4,), folds=2, keep_patients=True)
CONFIGS = {
    "volume": COARSE,
    "padim": replace(COARSE, preset=Preset.PADIM),
    "rippel2020": replace(COARSE, preset=Preset.RIPPEL2020, input_size=64, reduction=Reduction.PCA, share=0.9),
}


@cache
def fitted(preset: str) -> MVG:
    config = CONFIGS[preset]
    return MVG.create(config, find_weights("mvg", config)).fit(small_cohort(2, 11), RUN)


@pytest.fixture(params=CONFIGS)
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MVG:
    """A fitted model, whose network need not be read again for each file."""
    one = fitted(request.param)
    monkeypatch.setattr("grisaille.nn.backbone.load_backbone", lambda *_: one.backbone)
    return one


def assert_refused(bundle: Bundle, what: str) -> None:
    assert re.search("fit it anew|fit or copy it again|fit the model anew", refusal(bundle)), what


def refusal(bundle: Bundle) -> str:
    """What is said instead of loading it; nothing where it loads."""
    try:
        load(bundle)
    except WeightsError as error:
        return str(error)
    return ""


def load(bundle: Bundle) -> MVG:
    return MVG.from_state(bundle, find_files())


@cache
def find_files() -> dict[str, WeightsFile]:
    return find_weights("mvg", COARSE)


def folders(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a header, the settings but from outside."""
    if isinstance(value, dict):
        yield value
        for name, part in value.items():
            if name != "config":
                yield from folders(part)
    elif isinstance(value, list):
        for part in value:
            yield from folders(part)


def test_a_file_without_any_one_of_its_arrays_is_refused(method: MVG) -> None:
    state = method.state()
    load(state)
    for gone in state.arrays:
        rest = {name: array for name, array in state.arrays.items() if name != gone}
        assert_refused(Bundle(rest, state.header), f"{gone} is missing")


def test_a_file_with_an_array_too_many_is_refused(method: MVG) -> None:
    state = method.state()
    for name in (*state.arrays, "foreign"):
        more = f"{name.rpartition('/')[0]}/foreign"
        assert_refused(Bundle({**state.arrays, more: np.zeros(3)}, state.header), f"{more} is there")


def test_a_header_with_an_entry_too_few_or_too_many_is_refused(method: MVG) -> None:
    state = method.state()
    count = len(list(folders(dict(state.header))))
    for number in range(count):
        names = list(list(folders(dict(state.header)))[number])
        for gone in names:
            header = copy.deepcopy(dict(state.header))
            del list(folders(header))[number][gone]
            assert_refused(Bundle(state.arrays, header), f"{gone} is missing")
        header = copy.deepcopy(dict(state.header))
        list(folders(header))[number]["foreign"] = 1
        assert_refused(Bundle(state.arrays, header), f"an entry was added beside {names}")


def test_a_header_with_values_of_another_kind_is_refused(method: MVG) -> None:
    state = method.state()
    for name in state.header:
        for strange in (None, 7.5, "text", ["text"], {"text": "text"}):
            if not (name == "fingerprint" and isinstance(strange, str)):
                assert_refused(Bundle(state.arrays, {**state.header, name: strange}), f"{name} is {strange}")


def test_arrays_of_another_size_are_refused(method: MVG) -> None:
    state = method.state()
    kept = [
        name
        for name in state.arrays
        if name.startswith("kept0/") and name.rpartition("/")[2][:4] in ("rows", "judg", "body")
    ]
    for name in (*kept, "ct/level0/factor" if "ct/level0/factor" in state.arrays else "ct/level0/factors"):
        cut = state.arrays[name][..., :-1] if "factor" in name else state.arrays[name][:-1]
        assert_refused(Bundle({**state.arrays, name: cut}, state.header), f"{name} was cut")


@pytest.mark.parametrize("settings", [None, 3, ["volume"], {"foreign": 1}, {"preset": "foreign"}])
def test_a_file_of_unknown_settings_says_which_file(settings: Any, tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    save_method(fitted("volume"), path)
    bundle = read_bundle(path)
    write_bundle(Bundle(bundle.arrays, {**bundle.header, "config": settings}), path)
    with pytest.raises(WeightsMismatch, match=r"theirs\.safetensors"):
        load_method(path)
