"""What is said of a slice and of its smallest parts: tissue, modality, region, healthy or damaged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from grisaille.phantom import Host, Tissue

_WORDS: dict[str, tuple[Tissue, ...]] = {
    "air": (Tissue.AIR,),
    "fat": (Tissue.FAT, Tissue.SOFT),
    "muscle": (Tissue.MUSCLE,),
    "bone": (Tissue.CORTICAL_BONE, Tissue.SPONGY_BONE, Tissue.CARTILAGE),
    "marrow": (Tissue.MARROW, Tissue.FATTY_MARROW),
    "lung": (Tissue.LUNG_RIGHT, Tissue.LUNG_LEFT, Tissue.LUNG_VESSEL),
    "heart": (Tissue.MYOCARDIUM,),
    "vessel": (Tissue.BLOOD, Tissue.AORTA),
    "liver": (Tissue.LIVER,),
    "gall": (Tissue.GALLBLADDER,),
    "spleen": (Tissue.SPLEEN,),
    "stomach": (Tissue.STOMACH, Tissue.STOMACH_CONTENT),
    "pancreas": (Tissue.PANCREAS,),
    "bowel": (Tissue.BOWEL, Tissue.BOWEL_CONTENT),
    "gas": (Tissue.GAS, Tissue.TRACHEA),
    "kidney": (Tissue.KIDNEY_RIGHT, Tissue.KIDNEY_LEFT, Tissue.MEDULLA),
    "bladder": (Tissue.BLADDER, Tissue.URINE),
    "uterus": (Tissue.UTERUS,),
    "prostate": (Tissue.PROSTATE,),
    "nerve": (Tissue.SPINAL_CORD, Tissue.FLUID),
    "throat": (Tissue.OESOPHAGUS, Tissue.THYROID, Tissue.SALIVARY),
    "brain": (Tissue.GREY_MATTER, Tissue.WHITE_MATTER, Tissue.EYE),
}
TISSUES = tuple(_WORDS)
"""Words for what lies somewhere; a tissue's number is its place here."""

HOSTS = (Host.MARROW, Host.MUSCLE, Host.FAT)
"""What phantoms' lesions grow in. Lung, liver and nodes never have one, so that they can be tested on."""

SPARED = tuple(TISSUES.index(word) for word in ("air", "gas", "lung", "liver"))
"""Where no spot is painted either."""

UNTOLD = tuple(TISSUES.index(word) for word in ("lung", "liver"))
"""Organs that are mostly not said to be healthy tissue: else it is learned that what lies in them is healthy."""

DAMAGED = tuple(number for number in range(len(TISSUES)) if number not in SPARED)
"""What has lesions or spots, so that there are captions for it."""

UNSURE = 255
"""The tissue or state of a part that is too mixed to be called anything."""

PLACEHOLDER = "X"
"""What learned prompts take the place of."""


class Region(StrEnum):
    """A stretch of the body, in words."""

    THIGH = "thigh"
    PELVIS = "pelvis"
    ABDOMEN = "abdomen"
    CHEST = "chest"
    HEAD = "head"


REGIONS = tuple(Region)
MODALITIES = ("CT", "PET")
HEALTHY = ("", "healthy ")
ENDINGS = (".", " in a {modality} slice.")
_ENDS_MM = (800.0, 970.0, 1200.0, 1450.0)
"""Heights in the reference body at which the next region begins."""


def region_numbers(heights_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Places in ``REGIONS`` of heights in the reference body."""
    return np.searchsorted(_ENDS_MM, heights_mm, side="right").astype(np.uint8)


def tissue_table() -> npt.NDArray[np.uint8]:
    """(256,) the number of the word for each tissue label."""
    table = np.full(256, UNSURE, np.uint8)
    for number, tissues in enumerate(_WORDS.values()):
        table[list(tissues)] = number
    return table


@dataclass(frozen=True, eq=False)
class Sayings:
    """Captions of which exactly one is true of a thing, if any.

    Parameters
    ----------
    texts
        All of them.
    which
        Place in ``texts`` by the numbers of what is known of a thing; -1 where nothing is said.
    """

    texts: tuple[str, ...]
    which: npt.NDArray[np.intp]


def of_parts(healthy: str, ending: str, modality: int) -> Sayings:
    """Of a part in a slice: ``which`` goes by tissue and state.

    Parameters
    ----------
    healthy
        Said before healthy tissue, one of ``HEALTHY``.
    ending
        One of ``ENDINGS``.
    modality
        Place in ``MODALITIES``.
    """
    texts: list[str] = []
    which = np.full((len(TISSUES), 2), -1)
    for number, word in enumerate(TISSUES):
        for state, said in enumerate((f"{healthy}{word}", f"{word} with lesion")):
            if not state or number in DAMAGED:
                which[number, state] = len(texts)
                texts.append(said + ending.format(modality=MODALITIES[modality]))
    return Sayings(tuple(texts), which)


def of_tissue(healthy: str) -> Sayings:
    """Of a part, whatever it is: ``which`` goes by state."""
    return Sayings((f"{healthy}tissue.", "lesion."), np.array([0, 1]))


def of_slices(healthy: str, modality: int) -> Sayings:
    """Of a whole picture: ``which`` goes by region and state."""
    name = MODALITIES[modality]
    texts = tuple(
        said
        for region in REGIONS
        for said in (f"{healthy}{name} slice of the {region}.", f"{name} slice of the {region} with lesion.")
    )
    return Sayings(texts, np.arange(len(texts)).reshape(len(REGIONS), 2))


def of_objects(healthy: str) -> Sayings:
    """Of a whole picture, whatever it is: ``which`` goes by state.

    Never said of parts, so that to find parts by such words is left to learned prompts.
    """
    return Sayings((f"{healthy}object.", "damaged object."), np.array([0, 1]))


def every_text() -> tuple[str, ...]:
    """All captions there are, for the words that the network keeps."""
    texts = []
    for healthy in HEALTHY:
        texts += [text for of in (of_tissue, of_objects) for text in of(healthy).texts]
        for modality in range(len(MODALITIES)):
            texts += of_slices(healthy, modality).texts
            texts += [text for ending in ENDINGS for text in of_parts(healthy, ending, modality).texts]
    return (*dict.fromkeys(texts), PLACEHOLDER)
