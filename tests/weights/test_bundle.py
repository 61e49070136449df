"""A bundle comes back as it went, or says in a sentence why not."""

from __future__ import annotations

import json
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grisaille.core.errors import (
    DamagedWeights,
    GrisailleError,
    MissingDependency,
    MissingWeights,
    OutputError,
    WeightsMismatch,
)
from grisaille.weights.bundle import FORMAT, Bundle, read_bundle, write_bundle

pytest.importorskip("safetensors")
pytestmark = pytest.mark.ai

KINDS = ("<f8", "<f4", "<f2", ">f8", "<i8", ">i4", "<i2", "|i1", "|u1", "<u2", "<u4", "<u8", "|b1")
ARRAYS = st.sampled_from(KINDS).flatmap(
    lambda kind: hnp.arrays(
        kind,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements={"allow_nan": False, "allow_infinity": False} if "f" in kind else None,
    )
)
HEADERS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def example() -> Bundle:
    return Bundle({"mean": np.arange(6.0).reshape(2, 3), "count": np.array(7)}, {"method": "mvg", "levels": [2, 3]})


def assert_equal(found: Bundle, expected: Bundle) -> None:
    assert found.header == expected.header
    assert set(found.arrays) == set(expected.arrays)
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


@given(arrays=st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), ARRAYS, max_size=4), header=HEADERS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_gives_back_what_was_written_bit_for_bit(
    tmp_path: Path, arrays: dict[str, np.ndarray], header: dict[str, Any]
) -> None:
    bundle = Bundle({name: array for name, array in arrays.items() if name != "__metadata__"}, header)
    path = tmp_path / "one.safetensors"
    write_bundle(bundle, path)
    assert_equal(read_bundle(path), bundle)


def test_the_same_bundle_gives_the_same_bytes_in_whatever_order_it_was_made(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {f"a{i}": rng.normal(size=(3, i)) for i in range(6)}
    turned = dict(reversed(arrays.items()))
    write_bundle(Bundle(arrays, {"a": 1, "b": [2.5]}), tmp_path / "one")
    write_bundle(Bundle(turned, {"b": [2.5], "a": 1}), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_views_that_are_not_contiguous_are_written_as_seen(tmp_path: Path) -> None:
    turned = np.arange(12.0).reshape(3, 4).T[::2]
    write_bundle(Bundle({"turned": turned}, {}), tmp_path / "one")
    np.testing.assert_array_equal(read_bundle(tmp_path / "one").arrays["turned"], turned)


def test_a_bundle_cannot_be_changed() -> None:
    bundle = example()
    with pytest.raises(ValueError, match="read-only"):
        bundle.arrays["mean"][0] = 1
    with pytest.raises(TypeError):
        bundle.header["method"] = "other"  # type: ignore[index]


def test_numpy_numbers_in_a_header_come_back_plain() -> None:
    header = Bundle({}, {"x": np.float64(0.1), "axes": (1, 2)}).header
    assert type(header["x"]) is float
    assert header["axes"] == [1, 2]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), np.arange(3), np.float32(1)])
def test_headers_that_json_cannot_hold_are_refused(value: object) -> None:
    with pytest.raises(OutputError, match="JSON"):
        Bundle({}, {"value": value})


@pytest.mark.parametrize(
    "array", [np.zeros(2, complex), np.array(["text"]), np.array([object()]), np.zeros(1, np.longdouble)]
)
def test_arrays_that_are_no_plain_numbers_are_refused(array: np.ndarray) -> None:
    with pytest.raises(OutputError, match="'odd'"):
        Bundle({"odd": array}, {})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(OutputError, match="'mean' holds 1 values"):
        write_bundle(Bundle({"mean": np.array([1, value])}, {}), tmp_path / "one")
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"nowhere\.safetensors"):
        read_bundle(tmp_path / "nowhere.safetensors")


def test_every_truncation_is_a_damaged_file(tmp_path: Path) -> None:
    write_bundle(example(), tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "part").write_bytes(whole[:length])
        with pytest.raises(DamagedWeights, match="part"):
            read_bundle(tmp_path / "part")


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_gives_a_bundle_or_one_of_our_errors(tmp_path: Path, place: int, value: int) -> None:
    write_bundle(example(), tmp_path / "whole")
    content = bytearray((tmp_path / "whole").read_bytes())
    content[place % len(content)] = value
    (tmp_path / "changed").write_bytes(content)
    with suppress(GrisailleError):
        read_bundle(tmp_path / "changed")


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\n <HTML><body>404", b"<?xml version='1.0'?><Error/>"])
def test_a_web_page_is_called_a_web_page(tmp_path: Path, page: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(page * 50)
    with pytest.raises(DamagedWeights, match="web page"):
        read_bundle(tmp_path / "model.safetensors")


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    bomb = b"cos\nsystem\n(S'touch " + str(tmp_path / "run").encode() + b"'\ntR."
    (tmp_path / "model.safetensors").write_bytes(bomb)
    with pytest.raises(DamagedWeights):
        read_bundle(tmp_path / "model.safetensors")
    assert not (tmp_path / "run").exists()


def raw(path: Path, metadata: dict[str, str], values: np.ndarray | None = None) -> Path:
    """A safetensors file made by hand."""
    values = np.zeros(1) if values is None else values
    tensor = {"dtype": "F64", "shape": list(values.shape), "data_offsets": [0, values.nbytes]}
    header = json.dumps({"__metadata__": metadata, "x": tensor}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + values.tobytes())
    return path


def test_a_file_of_somebody_else_is_not_ours(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="not a model that grisaille wrote; give one that train wrote"):
        read_bundle(raw(tmp_path / "x", {"format": "pt"}))


def test_a_newer_format_is_not_guessed_at(tmp_path: Path) -> None:
    text = json.dumps({"format": FORMAT + 1, "header": {}})
    with pytest.raises(WeightsMismatch, match=f"has format {FORMAT + 1}"):
        read_bundle(raw(tmp_path / "x", {"grisaille": text}))


@pytest.mark.parametrize("text", ["{", "[]", "null", "{}", '{"format": 1}', '{"format": 1, "header": 3}'])
def test_a_broken_header_is_damage(tmp_path: Path, text: str) -> None:
    with pytest.raises(DamagedWeights, match="header"):
        read_bundle(raw(tmp_path / "x", {"grisaille": text}))


def test_a_nan_in_a_header_is_damage(tmp_path: Path) -> None:
    with pytest.raises(DamagedWeights, match="header"):
        read_bundle(raw(tmp_path / "x", {"grisaille": '{"format": 1, "header": {"cut": NaN}}'}))


def test_values_that_are_not_finite_are_damage(tmp_path: Path) -> None:
    text = json.dumps({"format": FORMAT, "header": {}})
    with pytest.raises(DamagedWeights, match="'x' holds 2 values"):
        read_bundle(raw(tmp_path / "m", {"grisaille": text}, np.array([1.0, np.nan, np.inf])))


def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    write_bundle(example(), path)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"model\.safetensors: the disk is full"):
        write_bundle(Bundle({"mean": np.zeros(3)}, {}), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is a file, not a folder"):
        write_bundle(example(), tmp_path / "file" / "model.safetensors")


def test_a_missing_folder_is_made_for_what_took_hours_to_fit(tmp_path: Path) -> None:
    write_bundle(example(), tmp_path / "new" / "folder" / "model.safetensors")
    assert read_bundle(tmp_path / "new" / "folder" / "model.safetensors").header == example().header


def test_without_the_extra_the_way_to_get_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr("grisaille.core.packages.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "safetensors", raising=False)
    with pytest.raises(MissingDependency, match=r'pip install "napari-grisaille\[ai\]"'):
        read_bundle(tmp_path / "model.safetensors")
