"""A fitted MVG as arrays and a plain header, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from grisaille.core.calibration import Calibration
from grisaille.core.errors import DamagedWeights
from grisaille.methods.mvg.kept import KeptScan
from grisaille.methods.mvg.lattice import Lattice
from grisaille.methods.mvg.modality import ModalityModel
from grisaille.methods.mvg.position import PositionModel
from grisaille.methods.mvg.promise import calibration_arrays, calibration_from
from grisaille.methods.mvg.recipe import Recipe
from grisaille.methods.mvg.scale import LocalScale
from grisaille.weights.bundle import Bundle

if TYPE_CHECKING:
    from grisaille.methods.mvg.method import MVG

Arrays = dict[str, npt.NDArray[Any]]


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
        for number, scan in enumerate(method.kept.get(key, ())):
            arrays |= _below(f"{key}/kept{number}", scan.arrays())
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
        "calibrations": {
            key: {"source": one.source.value, "body_voxels": one.body_voxels, "patients": one.patients}
            for key, one in method.calibrations.items()
        },
        "kept": {key: [scan.patient for scan in scans] for key, scans in method.kept.items()},
    }
    return Bundle(arrays, header)


def read_state(bundle: Bundle, recipe: Recipe) -> dict[str, Any]:
    """The fields of a fitted ``MVG``; the inverse of ``write_state``.

    Raises
    ------
    DamagedWeights
        If arrays are missing.
    """
    header = bundle.header
    try:
        models = {key: _model(bundle, key, about, recipe) for key, about in header["models"].items()}
        calibrations: dict[str, Calibration] = {
            key: calibration_from(_part(bundle, f"calibration/{key}"), about)
            for key, about in header["calibrations"].items()
        }
        canaries = {key: bundle.arrays[f"{key}/canary/features"] for key in models}
        kept = {
            key: tuple(
                KeptScan.from_arrays(patient, _part(bundle, f"{key}/kept{number}"))
                for number, patient in enumerate(patients)
            )
            for key, patients in header.get("kept", {}).items()
        }
        return {
            "models": models, "canaries": canaries, "calibrations": calibrations, "kept": kept,
            "patients": int(header["patients"]),
        }  # fmt: skip
    except KeyError as error:
        raise DamagedWeights(
            f"the model lacks {error}; it was cut or written by another program; fit or copy it again"
        ) from error


def _model(bundle: Bundle, key: str, about: Mapping[str, Any], recipe: Recipe) -> ModalityModel:
    lattice = Lattice(**{name: tuple(values) for name, values in about["lattice"].items()})
    rule, scale_lattice = recipe.rule(lattice), recipe.scale_lattice(lattice)
    taps = range(len(recipe.config.taps))
    position = _part(bundle, f"{key}/position")
    return ModalityModel(
        levels=tuple(rule.load(_part(bundle, f"{key}/level{number}")) for number in taps),
        scales=() if scale_lattice is None else tuple(
            LocalScale(scale_lattice, bundle.arrays[f"{key}/scale{number}/values"].astype(np.float32))
            for number in taps
        ),
        position=PositionModel.from_arrays(position) if position else None,
        lattice=lattice,
        mean=float(about["mean"]),
        spread=float(about["spread"]),
    )  # fmt: skip


def _below(folder: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    return {f"{folder}/{name}": np.asarray(array) for name, array in arrays.items()}


def _part(bundle: Bundle, folder: str) -> Arrays:
    start = f"{folder}/"
    return {name.removeprefix(start): array for name, array in bundle.arrays.items() if name.startswith(start)}
