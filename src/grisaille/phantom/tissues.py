"""What a synthetic patient is made of: HU and SUV of each tissue, and how patients differ."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np
import numpy.typing as npt


class Tissue(IntEnum):
    """The number of a tissue in the organ labels."""

    AIR = 0
    FAT = auto()
    SOFT = auto()
    MUSCLE = auto()
    CORTICAL_BONE = auto()
    MARROW = auto()
    FATTY_MARROW = auto()
    SPONGY_BONE = auto()
    CARTILAGE = auto()
    LUNG_RIGHT = auto()
    LUNG_LEFT = auto()
    LUNG_VESSEL = auto()
    MYOCARDIUM = auto()
    BLOOD = auto()
    AORTA = auto()
    LIVER = auto()
    GALLBLADDER = auto()
    SPLEEN = auto()
    STOMACH = auto()
    STOMACH_CONTENT = auto()
    PANCREAS = auto()
    BOWEL = auto()
    BOWEL_CONTENT = auto()
    GAS = auto()
    KIDNEY_RIGHT = auto()
    KIDNEY_LEFT = auto()
    MEDULLA = auto()
    URINE = auto()
    BLADDER = auto()
    PROSTATE = auto()
    UTERUS = auto()
    SPINAL_CORD = auto()
    FLUID = auto()
    TRACHEA = auto()
    OESOPHAGUS = auto()
    THYROID = auto()
    SALIVARY = auto()
    GREY_MATTER = auto()
    WHITE_MATTER = auto()
    EYE = auto()

    @property
    def label(self) -> str:
        """Its name in words."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Figures:
    """What a scanner sees of a tissue.

    Parameters
    ----------
    hu, suv
        The typical patient's.
    suv_spread
        Between patients, as the standard deviation of the logarithm.
    suv_range
        If given, a patient's SUV is drawn from it evenly in the logarithm, instead.
    mottle
        Within an organ, as the standard deviation of the logarithm of SUV.
    """

    hu: float
    suv: float
    suv_spread: float = 0.15
    suv_range: tuple[float, float] | None = None
    mottle: float = 0.0


FIGURES: dict[Tissue, Figures] = {
    Tissue.AIR: Figures(-1000, 0.0, 0.0),
    Tissue.FAT: Figures(-105, 0.3, mottle=0.10),
    Tissue.SOFT: Figures(-60, 0.45, mottle=0.10),
    Tissue.MUSCLE: Figures(55, 0.75, mottle=0.12),
    Tissue.CORTICAL_BONE: Figures(520, 0.8),
    Tissue.MARROW: Figures(170, 1.6, 0.25, mottle=0.12),
    Tissue.FATTY_MARROW: Figures(-30, 0.5),
    Tissue.SPONGY_BONE: Figures(150, 0.6),
    Tissue.CARTILAGE: Figures(95, 0.9),
    Tissue.LUNG_RIGHT: Figures(-830, 0.5, mottle=0.10),
    Tissue.LUNG_LEFT: Figures(-830, 0.5, mottle=0.10),
    Tissue.LUNG_VESSEL: Figures(-250, 0.9),
    Tissue.MYOCARDIUM: Figures(45, 2.6, suv_range=(1.0, 8.0), mottle=0.15),
    Tissue.BLOOD: Figures(42, 1.7, 0.12),
    Tissue.AORTA: Figures(48, 1.6, 0.12),
    Tissue.LIVER: Figures(60, 2.3, 0.15, mottle=0.05),
    Tissue.GALLBLADDER: Figures(8, 0.8),
    Tissue.SPLEEN: Figures(50, 1.9, mottle=0.04),
    Tissue.STOMACH: Figures(40, 2.0, 0.25, mottle=0.15),
    Tissue.STOMACH_CONTENT: Figures(20, 1.2, 0.20),
    Tissue.PANCREAS: Figures(38, 1.5),
    Tissue.BOWEL: Figures(35, 1.4, 0.25, mottle=0.45),
    Tissue.BOWEL_CONTENT: Figures(25, 1.2, 0.25, mottle=0.35),
    Tissue.GAS: Figures(-960, 0.2),
    Tissue.KIDNEY_RIGHT: Figures(38, 3.5, 0.20, mottle=0.08),
    Tissue.KIDNEY_LEFT: Figures(38, 3.5, 0.20, mottle=0.08),
    Tissue.MEDULLA: Figures(34, 2.6, 0.20),
    Tissue.URINE: Figures(5, 7.0, suv_range=(3.0, 14.0)),
    Tissue.BLADDER: Figures(5, 18.0, suv_range=(5.0, 30.0)),
    Tissue.PROSTATE: Figures(42, 1.7),
    Tissue.UTERUS: Figures(45, 1.8),
    Tissue.SPINAL_CORD: Figures(35, 1.7),
    Tissue.FLUID: Figures(8, 0.6),
    Tissue.TRACHEA: Figures(-990, 0.1),
    Tissue.OESOPHAGUS: Figures(35, 1.6),
    Tissue.THYROID: Figures(90, 1.5),
    Tissue.SALIVARY: Figures(15, 2.0),
    Tissue.GREY_MATTER: Figures(37, 10.0, suv_range=(7.5, 13.0), mottle=0.06),
    Tissue.WHITE_MATTER: Figures(29, 4.5, 0.12),
    Tissue.EYE: Figures(10, 0.9),
}

NAMES: dict[int, str] = {int(tissue): tissue.label for tissue in Tissue if tissue is not Tissue.AIR}
"""Names of the organ labels."""

_ALIKE = {Tissue.LUNG_LEFT: Tissue.LUNG_RIGHT, Tissue.KIDNEY_LEFT: Tissue.KIDNEY_RIGHT}
HU_SPREAD = 4.0
"""Standard deviation of an organ's HU between patients; air, gas and bone stay as they are."""


@dataclass(frozen=True, eq=False)
class Palette:
    """One patient's figures, by tissue number: (t,) float32 each."""

    hu: npt.NDArray[np.float32]
    suv: npt.NDArray[np.float32]
    mottle: npt.NDArray[np.float32]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Palette:
        """The figures of a random patient; paired organs are alike."""
        hu, suv, mottle = (np.zeros(len(Tissue), dtype=np.float32) for _ in range(3))
        for tissue, one in FIGURES.items():
            shift, spread = rng.normal(size=2)
            even = rng.random()
            hu[tissue] = one.hu + (HU_SPREAD * shift if -200 < one.hu < 300 else 0.0)
            if one.suv_range:
                low, high = np.log(one.suv_range)
                suv[tissue] = np.exp(low + (high - low) * even)
            else:
                suv[tissue] = one.suv * np.exp(one.suv_spread * spread)
            mottle[tissue] = one.mottle
        for tissue, other in _ALIKE.items():
            hu[tissue], suv[tissue] = hu[other], suv[other]
        return cls(hu, suv, mottle)
