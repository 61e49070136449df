"""The settings of MVG."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grisaille.core.config import Config, knob
from grisaille.core.errors import ConfigError
from grisaille.core.grid import Axis
from grisaille.core.volume import Modality
from grisaille.methods.mvg.reduction import Reduction
from grisaille.nn.backbone import LEVELS, BackboneName


class Preset(StrEnum):
    """How features become a score.

    ``VOLUME``: patches of true shape, a mean that follows the place in the body, one covariance,
    distances compared with those usual at the place. ``RIPPEL2020``: one feature vector a slice,
    stretched to a square, as published. ``PADIM``: a Gaussian of its own at every place in the plane.
    """

    VOLUME = "volume"
    RIPPEL2020 = "rippel2020"
    PADIM = "padim"


class Numerics(StrEnum):
    """``EXACT``: float64 in one pass. ``REFERENCE``: the published calls, float32 and all rows in memory."""

    EXACT = "exact"
    REFERENCE = "reference"


_PRESET_LEVELS = {Preset.VOLUME: (3,), Preset.RIPPEL2020: LEVELS, Preset.PADIM: (2, 3, 4)}


@dataclass(frozen=True)
class MvgConfig(Config):
    """What MVG can be told; the first few matter, the rest have good defaults."""

    preset: Preset = knob(Preset.VOLUME, "How features become a score: volume, rippel2020 (as published) or padim")
    axis: Axis = knob(Axis.AXIAL, "Plane of the slices that the network looks at")
    backbone: BackboneName = knob(BackboneName.LITE0, "Network whose features are compared")
    smallest_ml: float = knob(
        0.5, "Findings smaller than this are left out", low=0.0, high=1000.0, unit="ml", spares_scores=True
    )
    batch: int = knob(
        8, "Slices through the network at a time", low=1, high=512, advanced=True, after_fit=True, spares_scores=True
    )
    levels: tuple[int, ...] = knob(
        (), "Feature levels 0 to 8; none means the preset's own", low=0, high=8, advanced=True
    )
    spacing_mm: float = knob(2.0, "Pixel size of a slice (volume, padim)", low=0.5, high=10.0, unit="mm", advanced=True)
    step_mm: float = knob(4.0, "Distance of the slices (volume, padim)", low=0.5, high=20.0, unit="mm", advanced=True)
    ct_windows: tuple[float, ...] = knob(
        (-160.0, 240.0),
        "Low and high HU of one window, or of three, a colour channel each",
        advanced=True,
    )
    pet_windows: tuple[float, ...] = knob(
        (0.0, 3.0, 0.0, 8.0, 0.0, 25.0),
        "Low and high SUV of one window, or of three, a colour channel each",
        advanced=True,
    )
    other_windows: tuple[float, ...] = knob(
        (0.0, 1000.0),
        "Low and high value of one window, or of three, for other modalities",
        advanced=True,
    )
    input_size: int = knob(
        0,
        "Side of the square that rippel2020 stretches slices to; 0 is the network's own",
        low=0,
        high=1024,
        unit="px",
        advanced=True,
    )
    reduction: Reduction = knob(
        Reduction.NONE,
        "Principal directions kept (rippel2020): all, most (pca) or least variance (npca)",
        advanced=True,
    )
    share: float = knob(0.99, "Share of the variance that pca and npca split at", low=0.01, high=0.99999, advanced=True)
    numerics: Numerics = knob(
        Numerics.EXACT, "Arithmetic of rippel2020: exact, or reference for the published float32", advanced=True
    )
    node_mm: float = knob(
        20.0,
        "Distance of the nodes between which healthy means are interpolated",
        low=10.0,
        high=200.0,
        unit="mm",
        advanced=True,
    )
    stiffness: float = knob(
        8.0, "Patches that smoothness between neighbouring nodes weighs as much as", low=0.0, high=1e6, advanced=True
    )
    folds: int = knob(10, "Parts that patients are left out in to measure the promise", low=2, high=100, advanced=True)
    keep_patients: bool = knob(
        False,
        "Keep each patient's pseudonym, features and body outline in the model, to merge it or take a patient out; "
        "some 7 MB a torso scan (volume), to be protected as the images are",
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for modality in Modality:
            self.windows(modality)
        if self.numerics is Numerics.REFERENCE and (
            self.preset is not Preset.RIPPEL2020 or self.reduction is not Reduction.NONE
        ):
            raise ConfigError("numerics reference belongs to the preset rippel2020 without reduction")
        if self.preset is not Preset.RIPPEL2020 and self.reduction is not Reduction.NONE:
            raise ConfigError(
                f"reduction {self.reduction.value} belongs to the preset rippel2020; this is {self.preset.value}"
            )

    @property
    def taps(self) -> tuple[int, ...]:
        """The feature levels looked at, ascending."""
        return tuple(sorted(set(self.levels or _PRESET_LEVELS[self.preset])))

    @property
    def pixels(self) -> int:
        """Side of the square that rippel2020 stretches slices to."""
        return self.input_size or self.backbone.size

    @property
    def required_weights(self) -> tuple[str, ...]:
        """The backbone's card."""
        return (self.backbone.value,)

    def windows(self, modality: Modality) -> tuple[tuple[float, float], ...]:
        """(low, high) of each colour channel for a modality, one or three."""
        named = {Modality.CT: "ct_windows", Modality.PET: "pet_windows"}
        name = named.get(modality, "other_windows")
        ends: tuple[float, ...] = getattr(self, name)
        pairs = tuple(zip(ends[::2], ends[1::2], strict=False))
        if len(ends) not in (2, 6) or any(low >= high for low, high in pairs):
            raise ConfigError(f"{name} is {list(ends)}, expected low and high of one window or of three")
        return pairs
