"""Settings of AnomalyCLIP; written once, torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grisaille.core.config import Config, knob
from grisaille.core.errors import ConfigError
from grisaille.core.grid import Axis
from grisaille.core.volume import Modality


class Preset(StrEnum):
    """``ANOMALYCLIP``: V-V attention, as published. ``CRANE``: its successor's three softmaxes and image score."""

    ANOMALYCLIP = "anomalyclip"
    CRANE = "crane"


class ClipName(StrEnum):
    """The backbones, by the names of their weights cards."""

    DEMO = "clip-demo"
    VIT_B32 = "clip-vit-b-32"
    VIT_B16 = "clip-vit-b-16"
    VIT_L14 = "clip-vit-l-14"
    VIT_L14_336 = "clip-vit-l-14-336"


ARCHITECTURES = {
    ClipName.VIT_B32: "ViT-B-32-quickgelu",
    ClipName.VIT_B16: "ViT-B-16-quickgelu",
    ClipName.VIT_L14: "ViT-L-14-quickgelu",
    ClipName.VIT_L14_336: "ViT-L-14-336-quickgelu",
}
"""What open_clip calls OpenAI's; without the ending it would give another activation to the same weights."""


class Fusion(StrEnum):
    """What becomes of the maps of windows and planes: their mean, the highest, or their geometric mean."""

    MEAN = "mean"
    HIGHEST = "highest"
    GEOMETRIC = "geometric"


@dataclass(frozen=True)
class AnomalyClipConfig(Config):
    """What AnomalyCLIP can be told; the first few matter, the rest have good defaults."""

    preset: Preset = knob(Preset.ANOMALYCLIP, "How patches look at each other: anomalyclip (as published) or crane")
    backbone: ClipName = knob(ClipName.DEMO, "CLIP whose idea of damage is asked")
    planes: tuple[Axis, ...] = knob(
        (Axis.AXIAL,), "Planes that slices are taken in; their maps are put together", after_fit=True
    )
    step_mm: float = knob(4.0, "Distance of the slices", low=0.5, high=50.0, unit="mm", after_fit=True)
    token_mm: float = knob(
        10.0, "Width of the smallest part that is judged on its own", low=1.0, high=50.0, unit="mm", after_fit=True
    )
    smallest_ml: float = knob(
        0.5, "Findings smaller than this are left out", low=0.0, high=1000.0, unit="ml", after_fit=True,
        spares_scores=True,
    )  # fmt: skip
    fusion: Fusion = knob(Fusion.MEAN, "How maps of windows and planes become one", advanced=True, after_fit=True)
    ct_windows: tuple[float, ...] = knob(
        (-1350.0, 150.0, -160.0, 240.0, -500.0, 1300.0),
        "Low and high HU of each window, a grey picture each",
        advanced=True,
        after_fit=True,
    )
    pet_windows: tuple[float, ...] = knob(
        (0.0, 10.0), "Low and high SUV of each window, a grey picture each", advanced=True, after_fit=True
    )
    sigma_px: float = knob(
        4.0, "Smoothing of the maps in the plane, as published", low=0.0, high=64.0, unit="px", advanced=True,
        after_fit=True,
    )  # fmt: skip
    tile: int = knob(
        37, "Tokens along a side of what the network sees at a time; larger slices are looked at in tiles",
        low=4, high=128, advanced=True, after_fit=True,
    )  # fmt: skip
    taps: tuple[int, ...] = knob(
        (), "Blocks, from 1, whose patches are compared with the prompts; none means the last", low=1, high=64,
        advanced=True,
    )  # fmt: skip
    alone: int = knob(
        0, "Of the last so many blocks patches look at each other by their values; 0 is 19 of 24, as published",
        low=0, high=64, advanced=True,
    )  # fmt: skip
    eight_bit: bool = knob(
        False, "Whole-number arithmetic on the CPU: faster, scores a little off", advanced=True, after_fit=True
    )
    batch: int = knob(
        4, "Slices through the network at a time", low=1, high=512, advanced=True, after_fit=True, spares_scores=True
    )
    epochs: int = knob(15, "Times that learning goes through the marked slices", low=1, high=10_000, advanced=True)
    lesson: int = knob(8, "Slices that each step learns from", low=1, high=512, advanced=True)
    learning_rate: float = knob(1e-3, "How far a step goes", low=1e-7, high=1.0, advanced=True)
    context: int = knob(12, "Learned tokens before the words of a prompt", low=1, high=64, advanced=True)
    deep: int = knob(8, "Text blocks before which learned tokens are put in anew", low=0, high=64, advanced=True)
    deep_tokens: int = knob(4, "How many are put in anew, of those before the words", low=1, high=64, advanced=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.planes:
            raise ConfigError("no plane was given; take axial, coronal, sagittal or several of them")
        object.__setattr__(self, "planes", tuple(dict.fromkeys(self.planes)))
        for modality in (Modality.CT, Modality.PET):
            self.windows(modality)
        if self.deep and self.deep_tokens > self.context:
            raise ConfigError(
                f"deep_tokens is {self.deep_tokens}, but only {self.context} tokens of context are there to be put in "
                "anew; choose as many or fewer"
            )

    @property
    def required_weights(self) -> tuple[str, ...]:
        """The backbone's card."""
        return (self.backbone.value,)

    def windows(self, modality: Modality) -> tuple[tuple[float, float], ...]:
        """(low, high) of each window of a modality; none for what it does not look at."""
        ends = {Modality.CT: self.ct_windows, Modality.PET: self.pet_windows}.get(modality, ())
        pairs = tuple(zip(ends[::2], ends[1::2], strict=False))
        if len(ends) % 2 or any(low >= high for low, high in pairs):
            raise ConfigError(
                f"the windows of {modality.key.upper()} are {list(ends)}, expected low and high of each in turn"
            )
        return pairs
