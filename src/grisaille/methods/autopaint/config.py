"""The settings of AutoPaint."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grisaille.core.config import Config, knob
from grisaille.core.errors import ConfigError
from grisaille.core.run import Precision


class Preset(StrEnum):
    """What is done with the network.

    ``GRISAILLE``: every voxel judged in holes of several sizes, by the predicted scale. ``PUBLISHED``: the
    moving discs and SUV gates of the published pipeline, to be compared with; needs PET.
    """

    GRISAILLE = "grisaille"
    PUBLISHED = "published"


class CtShown(StrEnum):
    """What the network sees of the CT where it paints the PET."""

    BOTH = "both"
    ALWAYS = "always"
    NEVER = "never"


class SuvReference(StrEnum):
    """What SUV are scaled by."""

    NONE = "none"
    MUSCLE = "muscle"


@dataclass(frozen=True)
class AutoPaintConfig(Config):
    """What AutoPaint can be told; the first few matter, the rest have good defaults."""

    smallest_ml: float = knob(
        0.3, "Findings smaller than this are left out", low=0.0, high=1000.0, unit="ml", after_fit=True
    )
    rounds: int = knob(
        3, "Times at most that all candidates are painted over at once and judged again", low=0, high=5, after_fit=True
    )
    delineation: float = knob(
        0.41, "Share of a finding's largest residual at which its edge lies", low=0.05, high=0.95, after_fit=True,
        spares_scores=True,
    )  # fmt: skip
    grow_mm: float = knob(
        8.0,
        "Margin around a candidate that is painted over and searched for its edge",
        low=0.0,
        high=40.0,
        unit="mm",
        advanced=True,
        after_fit=True,
    )
    steps: int = knob(4000, "Training steps", low=1, high=10_000_000)
    batch: int = knob(2, "Slabs a training step", low=1, high=256)
    spacing_mm: float = knob(4.0, "Voxel size that the network works at", low=2.0, high=6.0, unit="mm", advanced=True)
    slab: int = knob(
        48, "Slices that the network sees at a time, a multiple of 16", low=16, high=512, unit="slices", advanced=True
    )
    lesson: int = knob(
        32,
        "Slices of a training lesson, a multiple of 16; thin ones teach faster, the painter sees whole slabs",
        low=16,
        high=512,
        unit="slices",
        advanced=True,
    )
    width: int = knob(
        32, "Channels of the network's first level; the CPU likes multiples of 16", low=4, high=256, advanced=True
    )
    mirrored: bool = knob(True, "Whether the network also sees the patient's mirror image", advanced=True)
    placed: bool = knob(True, "Whether the network is told where in the body's cross-section it is", advanced=True)
    axial: bool = knob(False, "Whether the network is told how far below the top of the scan it is", advanced=True)
    flat: bool = knob(
        False, "Whether each slice is painted by itself, as 2D networks do; for comparison", advanced=True
    )
    cells_mm: tuple[float, ...] = knob(
        (24.0, 48.0, 96.0, 160.0),
        "Sides of the cubes painted over in turn, up to the size of the largest tumour",
        low=8.0,
        high=400.0,
        unit="mm",
        advanced=True,
    )
    passes: int = knob(
        8,
        "Checkerboards at most that are painted over of each size; with fewer, edges give more lesions away",
        low=2,
        high=8,
        advanced=True,
        after_fit=True,
    )
    ct_shown: CtShown = knob(
        CtShown.BOTH,
        "Whether the CT is shown where PET is painted: it helps where the two agree and misleads where they do not",
        advanced=True,
        after_fit=True,
    )
    ct_windows: tuple[float, ...] = knob(
        (-1000.0, 400.0, -160.0, 240.0), "Low and high HU of the network's two CT channels", advanced=True
    )
    learning_rate: float = knob(4e-3, "Of the training's first steps; falls to 0", low=1e-6, high=0.1, advanced=True)
    ema: float = knob(
        0.999,
        "Share of the averaged weights that a training step leaves in place",
        low=0.0,
        high=0.99999,
        advanced=True,
    )
    hidden_share: float = knob(
        0.15, "Share of the training slabs that lack PET or CT altogether", low=0.0, high=0.9, advanced=True
    )
    cut_share: float = knob(
        0.0, "Share of the training slabs in which the scan ends, as a torso's does", low=0.0, high=1.0, advanced=True
    )
    organ_share: float = knob(
        0.0,
        "Share of the training slabs and holes laid where uptake is high: hard to know, and little of a body",
        low=0.0,
        high=1.0,
        advanced=True,
    )
    misalignment_mm: float = knob(
        12.0, "Largest shift between CT and PET that is trained for", low=0.0, high=60.0, unit="mm", advanced=True
    )
    suv_jitter: float = knob(
        0.3, "SUV is scaled in training by e to the power of up to this, up or down", low=0.0, high=1.0, advanced=True
    )
    held_out: float = knob(
        0.15,
        "Share of the patients kept out of the training, on whom the promise is measured; at least one",
        low=0.0,
        high=0.9,
        advanced=True,
    )
    preset: Preset = knob(
        Preset.GRISAILLE,
        "How candidates are found: grisaille, or published for the moving discs of the public pipeline",
        advanced=True,
        after_fit=True,
    )
    minutes: float = knob(
        0.0,
        "Minutes of training after which it ends even if steps are left; 0 for no limit",
        low=0.0,
        high=100_000.0,
        unit="min",
        advanced=True,
    )
    precision: Precision = knob(
        Precision.FLOAT32,
        "Arithmetic of the training alone; bfloat16 takes about two thirds of the memory on GPUs that know it",
        advanced=True,
    )
    trim: float = knob(
        0.0,
        "Share of the tissue that stands out most, taken for sick and left out of the second half of the training; "
        "for patients of whom nobody said that they are healthy",
        low=0.0,
        high=0.2,
        advanced=True,
    )
    adapt_steps: int = knob(
        0,
        "Training steps on the study itself before it is scored, for scanners unlike those of the training; 0 for none",
        low=0,
        high=100_000,
        advanced=True,
        after_fit=True,
    )
    suv_reference: SuvReference = knob(
        SuvReference.NONE,
        "Tissue whose SUV is brought to that of the patients learned from, for scanners that read higher or lower",
        advanced=True,
        after_fit=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, slices in (("slab", self.slab), ("lesson", self.lesson)):
            if slices % 16:
                raise ConfigError(f"{name} is {slices} slices, expected a multiple of 16")
        if self.preset is Preset.PUBLISHED and (self.adapt_steps or self.suv_reference is not SuvReference.NONE):
            raise ConfigError("the published preset neither adapts nor scales SUV; leave adapt_steps and suv_reference")
        if not self.cells_mm:
            raise ConfigError("cells_mm is empty, expected at least one side of cubes")
        if len(self.ct_windows) != 4 or any(low >= high for low, high in self.windows):
            raise ConfigError(
                f"ct_windows is {list(self.ct_windows)}, expected low and high of one window, then of the other"
            )

    @property
    def windows(self) -> tuple[tuple[float, float], ...]:
        """(low, high) in HU of each CT channel."""
        return tuple(zip(self.ct_windows[::2], self.ct_windows[1::2], strict=False))
