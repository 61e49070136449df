"""Data sets of plain pictures that others have published figures on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grisaille.core.picture_report import PictureMeasure

_ANOMALYCLIP = (
    "AnomalyCLIP (Zhou et al. 2024, arXiv 2310.18961, table 2), with OpenAI's CLIP ViT-L/14 at 336 px and prompts "
    "learned on MVTec AD"
)
_MVFA = "MVFA-AD (its README, without examples of this set), another method, which learned from other medical sets"


@dataclass(frozen=True)
class KnownSet:
    """One of them.

    Parameters
    ----------
    healthy, abnormal
        Pictures that it has; 0 where that was not made out.
    figures
        As shares, by measure.
    by
        Who printed them, and what they were made with.
    """

    name: str
    healthy: int
    abnormal: int
    figures: Mapping[PictureMeasure, float]
    by: str


BRAIN_MRI = KnownSet(
    "BrainMRI", 98, 155, {PictureMeasure.IMAGE_AUROC: 0.903, PictureMeasure.IMAGE_AP: 0.922}, _ANOMALYCLIP
)
BR35H = KnownSet("Br35H", 1500, 1500, {PictureMeasure.IMAGE_AUROC: 0.946, PictureMeasure.IMAGE_AP: 0.947}, _ANOMALYCLIP)
HEAD_CT = KnownSet(
    "HeadCT", 100, 100, {PictureMeasure.IMAGE_AUROC: 0.934, PictureMeasure.IMAGE_AP: 0.916}, _ANOMALYCLIP
)
LIVER_CT = KnownSet(
    "LiverCT of BMAD", 0, 0, {PictureMeasure.IMAGE_AUROC: 0.762, PictureMeasure.PIXEL_AUROC: 0.979}, _MVFA
)
