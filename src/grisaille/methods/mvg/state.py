"""A fitted MVG as arrays and a plain header, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration, CalibrationSource
from grisaille.core.errors import ConfigError, DamagedWeights, InputError, WeightsMismatch
from grisaille.methods.kept_calibrations import calibration_arrays, calibration_from, calibration_header
from grisaille.methods.mvg.config import MvgConfig
from grisaille.methods.mvg.kept import KeptCase, KeptScan
from grisaille.methods.mvg.lattice import Lattice
from grisaille.methods.mvg.modality import ModalityModel
from grisaille.methods.mvg.position import PositionModel
from grisaille.methods.mvg.recipe import Recipe
from grisaille.methods.mvg.scale import LocalScale
from grisaille.weights.bundle import Bundle

if TYPE_CHECKING:
    from grisaille.methods.mvg.method import MVG

Arrays = dict[str, npt.NDArray[Any]]

_CHECKED_ELSEWHERE = {"method", "config"}
"""Entries of the header that are not of this room, or that older files may say less in."""


def write_state(method: MVG) -> Bundle:
    """Everything but the network's weights; of those only the fingerprint."""
    arrays: Arrays = {}
    for key, model in method.models.items():
        arrays |= _below(f"{key}/canary", {"features": method.canaries[key]})
        if model.position is not None:
            arrays |= _below(f"{key}/position", model.position.arrays())
        for number, level in enumerate(model.levels):
            arrays |= _below(f"{key}/level{number}", level.arrays())
        for number, scale in enumerate(model.scales):
            arrays |= _below(f"{key}/scale{number}", scale.arrays())
    for number, case in enumerate(method.kept):
        for key, scan in case.scans.items():
            arrays |= _below(f"kept{number}/{key}", scan.arrays())
    for key, promise in method.calibrations.items():
        arrays |= _below(f"calibration/{key}", calibration_arrays(promise))
    header = {
        "config": method.config.to_mapping(),
        "fingerprint": method.backbone.fingerprint,
        "patients": method.patients,
        "models": {
            key: {"mean": model.mean, "spread": model.spread, "lattice": asdict(model.lattice)}
            for key, model in method.models.items()
        },
        "calibrations": {key: calibration_header(one) for key, one in method.calibrations.items()},
        "kept": [
            {"patient": case.patient, "source": case.source.value, "scans": list(case.scans)} for case in method.kept
        ],
    }
    return Bundle(arrays, header)


def read_recipe(bundle: Bundle) -> tuple[MvgConfig, str]:
    """The settings of a fitted ``MVG`` and the fingerprint of its network.

    Raises
    ------
    DamagedWeights
        If they are missing or cannot be read.
    """
    with _read_whole():
        return MvgConfig.from_mapping(bundle.header["config"]), str(bundle.header["fingerprint"])


def read_state(bundle: Bundle, recipe: Recipe) -> dict[str, Any]:
    """The fields of a fitted ``MVG``; the inverse of ``write_state``.

    Raises
    ------
    DamagedWeights
        If parts are missing or do not fit each other.
    """
    header = bundle.header
    with _read_whole():
        models = {key: _model(bundle, key, about, recipe) for key, about in header["models"].items()}
        calibrations: dict[str, Calibration] = {
            key: calibration_from(_part(bundle, f"calibration/{key}"), about)
            for key, about in header["calibrations"].items()
        }
        canaries = {key: bundle.arrays[f"{key}/canary/features"] for key in models}
        kept = tuple(_kept(bundle, number, about, recipe) for number, about in enumerate(header.get("kept", ())))
        return {
            "models": models, "canaries": canaries, "calibrations": calibrations, "kept": kept,
            "patients": int(header["patients"]),
        }  # fmt: skip


def require_same_layout(bundle: Bundle, written: Bundle) -> None:
    """Raise ``WeightsMismatch`` if ``bundle`` says more or less than what was read of it and is ``written`` again."""
    # Models from before patients could be kept say nothing of them; settings are checked by the config.
    found = {"kept": [], **bundle.header}
    differ = [f"array {name}" for name in sorted(set(bundle.arrays) ^ set(written.arrays))]
    differ += [
        f"entry {name}"
        for name in sorted(set(found) | set(written.header))
        if name not in _CHECKED_ELSEWHERE and found.get(name) != written.header.get(name)
    ]
    if differ:
        raise WeightsMismatch(
            f"the model's file is not laid out as this grisaille writes it ({', '.join(differ[:3])}); "
            "open it with the version that wrote it, or fit it anew"
        )


@contextmanager
def _read_whole() -> Iterator[None]:
    """Say in a sentence what a part that is missing, or of another kind, leads to."""
    try:
        yield
    except KeyError as error:
        raise DamagedWeights(
            f"the model lacks {error}; it was cut or written by another program; fit or copy it again"
        ) from error
    except (TypeError, ValueError, AttributeError, IndexError, InputError, ConfigError) as error:
        raise DamagedWeights(
            f"the model holds what cannot be read ({error}); it was written by another program or version; "
            "fit or copy it again"
        ) from error


def _kept(bundle: Bundle, number: int, about: Mapping[str, Any], recipe: Recipe) -> KeptCase:
    scans = {key: KeptScan.from_arrays(_part(bundle, f"kept{number}/{key}"), recipe) for key in about["scans"]}
    return KeptCase(str(about["patient"]), scans, CalibrationSource(about["source"]))


def _model(bundle: Bundle, key: str, about: Mapping[str, Any], recipe: Recipe) -> ModalityModel:
    lattice = Lattice(**{name: tuple(values) for name, values in about["lattice"].items()})
    rule, scale_lattice = recipe.rule(lattice), recipe.scale_lattice(lattice)
    taps = range(len(recipe.config.taps))
    return ModalityModel(
        levels=tuple(rule.load(_part(bundle, f"{key}/level{number}")) for number in taps),
        scales=() if scale_lattice is None else tuple(
            LocalScale(scale_lattice, bundle.arrays[f"{key}/scale{number}/values"].astype(np.float32))
            for number in taps
        ),
        position=PositionModel.from_arrays(_part(bundle, f"{key}/position")) if recipe.is_placed else None,
        lattice=lattice,
        mean=float(about["mean"]),
        spread=float(about["spread"]),
    )  # fmt: skip


def _below(folder: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    return {f"{folder}/{name}": np.asarray(array) for name, array in arrays.items()}


def _part(bundle: Bundle, folder: str) -> Arrays:
    start = f"{folder}/"
    return {name.removeprefix(start): array for name, array in bundle.arrays.items() if name.startswith(start)}
