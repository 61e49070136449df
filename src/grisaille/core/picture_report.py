"""What an evaluation on plain pictures gives: how well scores part abnormal pictures and pixels from the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from grisaille.core.report import DataFile
from grisaille.core.result import WeightsUsed


class PictureMeasure(StrEnum):
    """What is measured, by the name that people read."""

    IMAGE_AUROC = "image AUROC"
    IMAGE_AP = "image AP"
    PIXEL_AUROC = "pixel AUROC"
    PIXEL_AP = "pixel AP"
    AUPRO = "AUPRO"


@dataclass(frozen=True)
class PictureFigure:
    """One measure, 0 to 1.

    ``healthy`` and ``abnormal`` pictures are those that it rests on; ``published`` is what others
    printed for the same pictures; ``reason`` says why there is no value.
    """

    measure: PictureMeasure
    value: float | None
    healthy: int
    abnormal: int
    published: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class PictureRow:
    """One picture, named by a pseudonym; ``error`` where it could not be measured."""

    picture: str
    is_abnormal: bool
    score: float | None = None
    error: str = ""


@dataclass(frozen=True, eq=False)
class PictureReport:
    """An evaluation on pictures.

    Parameters
    ----------
    method, config, weights, model
        What was evaluated; ``model`` is the sha256 of all that its scores rest on.
    data
        The published data set that the pictures are, empty if it is not known.
    published_by
        Whose figures stand beside, and what they were made with; empty if there are none.
    side, rows
        Pixels along a side of the square that pictures became, and scores along it.
    departures
        What is not as the method was published.
    files
        Content of all data that was read.
    """

    method: str
    config: Mapping[str, Any]
    weights: tuple[WeightsUsed, ...]
    model: str
    data: str
    published_by: str
    side: int
    rows: int
    seed: int
    figures: tuple[PictureFigure, ...]
    pictures: tuple[PictureRow, ...]
    departures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[DataFile, ...] = ()
    device: str = "cpu"
    versions: Mapping[str, str] = field(default_factory=dict)
    grisaille: str = ""
    layout: str = "pictures"
