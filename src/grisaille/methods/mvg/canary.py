"""A picture pushed through preprocessing and network, so that no other network or recipe slips in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from grisaille.core.errors import WeightsMismatch
from grisaille.core.grid import Axis, Grid
from grisaille.core.run import Precision, Run
from grisaille.core.volume import Modality, Unit, Volume
from grisaille.methods.mvg.recipe import Recipe

if TYPE_CHECKING:
    from grisaille.nn.backbone import Backbone

REFUSED = 1e-5
"""Largest relative difference: other threads or memory layouts make 1e-7, one changed weight 5e-4."""

_RANGES = {Modality.CT: (-800.0, 700.0), Modality.PET: (0.0, 12.0)}
"""Values of the picture, the same whatever the windows: a picture that moved with them would hide that they moved."""

_OTHER_RANGE = (0.0, 1000.0)

Features = npt.NDArray[np.float64]
_Song = tuple[Recipe, Modality, str, Precision]

_sung: WeakKeyDictionary[Backbone, dict[_Song, Features]] = WeakKeyDictionary()
"""What each network in memory gave, by all that it rests on; it goes with its network."""


def canary(recipe: Recipe, backbone: Backbone, modality: Modality, run: Run) -> Features:
    """(d,) pooled features of a procedural volume, all tapped levels one after another.

    Pushed through the network at its first call only: backbones and recipes do not change.
    """
    songs = _sung.setdefault(backbone, {})
    song = (recipe, modality, run.device, run.precision)
    if song not in songs:
        songs[song] = _sing(recipe, backbone, modality, run)
    return songs[song]


def _sing(recipe: Recipe, backbone: Backbone, modality: Modality, run: Run) -> Features:
    """Push the picture through preprocessing and network."""
    volume = _picture(recipe, modality)
    stack = recipe.stack(volume, np.ones(volume.grid.shape, dtype=bool))
    sums = [
        np.concatenate([level.mean(axis=(1, 2), dtype=np.float64).sum(axis=0) for level in maps])
        for maps in recipe.features(stack, backbone, run=run, what="checking the network")
    ]
    mean: Features = np.sum(sums, axis=0) / len(stack)
    mean.flags.writeable = False
    return mean


def require_same(found: Features, stored: Features, what: str) -> None:
    """Raise ``WeightsMismatch`` unless the canary sings as it did when the model was fitted."""
    if found.shape != stored.shape:
        raise WeightsMismatch(
            f"{what}: this network gives {found.size} features, the model was fitted on {stored.size}"
        )
    difference = float(np.linalg.norm(found - stored)) / max(float(np.linalg.norm(stored)), 1e-12)
    if not difference <= REFUSED:
        raise WeightsMismatch(
            f"{what}: a test picture gives features that differ by {difference:.1g} from those the model was fitted on "
            f"(allowed {REFUSED:.0e}); windows, colour order, normalisation, weights or precision are not the same. "
            "Use the settings and weights it was fitted with, in float32, or fit it anew"
        )


def _picture(recipe: Recipe, modality: Modality) -> Volume:
    """Waves and edges over a fixed range of values; different in every row, column and slice."""
    low, high = _RANGES.get(modality, _OTHER_RANGE)
    z, y, x = np.meshgrid(np.arange(4), np.arange(48), np.arange(64), indexing="ij")
    waves = np.sin(0.31 * x + 0.05 * x * y / 48 + z) * np.cos(0.23 * y - 0.7 * z)
    edges = ((x // 16 + y // 12 + z) % 3) / 3.0
    values = low + (high - low) * (0.35 + 0.3 * waves + 0.3 * edges)
    unit = {Modality.CT: Unit.HU, Modality.PET: Unit.SUVBW}.get(modality, Unit.NONE)
    step = recipe.config.step_mm
    spacing = [step if axis is recipe.config.axis else 2.5 for axis in Axis]
    return Volume(values.astype(np.float32), Grid.from_spacing(values.shape, spacing), modality, unit, "test picture")
