"""Arrays and a plain header, to one file and back.

The file is safetensors: tensors without code, readable by anybody. The header travels in
its metadata as one JSON text, beside the version of this format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import DamagedWeights, MissingWeights, OutputError, WeightsMismatch
from grisaille.core.packages import require
from grisaille.core.safe_write import replacing

FORMAT = 1
_KEY = "grisaille"
_KINDS = "biuf"


@dataclass(frozen=True, eq=False)
class Bundle:
    """What a method has to remember: read-only arrays by name, and a header of plain values.

    ``header`` is kept as JSON gives it back (tuples as lists, keys as text), so that a bundle
    equals what is read from its file. Values that JSON cannot hold, NaN and infinity among
    them, are refused.

    Raises
    ------
    OutputError
        If the header or an array cannot be kept in a file.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    header: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "arrays", MappingProxyType({name: _kept(name, a) for name, a in self.arrays.items()}))
        try:
            header = json.loads(json.dumps(dict(self.header), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise OutputError(f"the header of a model holds what JSON cannot: {error}") from error
        object.__setattr__(self, "header", MappingProxyType(header))


def _kept(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``array`` in C order and little-endian, not to be written to."""
    array = np.asarray(array, order="C")
    if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
        raise OutputError(f"array {name!r} of a model has type {array.dtype}, expected numbers of at most 64 bits")
    view = array.astype(array.dtype.newbyteorder("<"), copy=False).view()
    view.flags.writeable = False
    return view


def write_bundle(bundle: Bundle, path: str | Path) -> None:
    """Write ``bundle``; the same bundle gives the same bytes, and ``path`` is whole or untouched.

    Raises
    ------
    OutputError
        If an array holds NaN or infinity, or the file cannot be written.
    """
    require("safetensors")
    from safetensors.numpy import save

    for name, array in bundle.arrays.items():
        bad = _count_not_finite(array)
        if bad:
            raise OutputError(f"array {name!r} holds {bad} values that are not finite; the model was not written")
    text = json.dumps({"format": FORMAT, "header": dict(bundle.header)}, sort_keys=True, allow_nan=False)
    with replacing(path, makes_folder=True) as temporary:
        temporary.write_bytes(save(dict(bundle.arrays), metadata={_KEY: text}))


def read_bundle(path: str | Path) -> Bundle:
    """The inverse of ``write_bundle``.

    Raises
    ------
    MissingWeights
        If there is no such file.
    DamagedWeights
        If it is truncated, no safetensors file, or holds values that are not finite.
    WeightsMismatch
        If it is a safetensors file but not of this format.
    """
    require("safetensors")
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise MissingWeights(f"no model file {path.name} in {path.parent}; check the path")
    refuse_web_page(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise DamagedWeights(
            f"{path.name} is truncated or not a safetensors file ({error}); copy or download it again"
        ) from error
    bundle = Bundle(arrays, _header(path, metadata))
    for name, array in bundle.arrays.items():
        bad = _count_not_finite(array)
        if bad:
            raise DamagedWeights(f"{path.name}: array {name!r} holds {bad} values that are not finite; fit it again")
    return bundle


def is_bundle(path: str | Path) -> bool:
    """Whether the file says that grisaille wrote it; its content is not looked at."""
    require("safetensors")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return _KEY in (file.metadata() or {})
    except (SafetensorError, OSError, TypeError, ValueError):
        return False


def refuse_web_page(path: Path) -> None:
    """Raise ``DamagedWeights`` if the file is HTML, as a failed download often leaves."""
    with path.open("rb") as file:
        beginning = file.read(256).lstrip().lower()
    if beginning.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DamagedWeights(f"{path.name} is a web page, expected weights: the download failed; fetch the file itself")


def _header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if _KEY not in metadata:
        raise WeightsMismatch(
            f"{path.name} is a safetensors file, but not a model that grisaille wrote; "
            "give one that train wrote, or the name of a shipped one"
        )
    try:
        content = json.loads(metadata[_KEY], parse_constant=_no_number)
        version, header = content["format"], dict(content["header"])
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedWeights(f"{path.name} has a header that cannot be read ({error}); copy it again") from error
    if version != FORMAT:
        raise WeightsMismatch(f"{path.name} has format {version}, this grisaille reads {FORMAT}; install the newer one")
    return header


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def _count_not_finite(array: npt.NDArray[Any]) -> int:
    return int(np.count_nonzero(~np.isfinite(array))) if array.dtype.kind == "f" else 0
