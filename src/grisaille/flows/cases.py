"""Healthy studies on disk as cases that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from scipy import ndimage

from grisaille.core.errors import ConfigError, InputError
from grisaille.core.grid import Grid
from grisaille.core.labels import Labels
from grisaille.core.run import Run
from grisaille.core.study import Case
from grisaille.core.volume import OnIrregular
from grisaille.flows.suitable import require_suitable
from grisaille.io.labels import read_labels
from grisaille.io.study import read_study


def healthy_cases(
    paths: Iterable[Path],
    *,
    pet_unit: str | None = None,
    ct_series: str | None = None,
    pet_series: str | None = None,
    frame: int | None = None,
    on_irregular: OnIrregular = OnIrregular.REFUSE,
    lesions: str | None = None,
    run: Run | None = None,
) -> tuple[Case, ...]:
    """One case a study, said to be healthy but for the lesions whose masks are given.

    Each study is read once now, so that one that cannot be read stops a fit before it begins
    and studies of one patient are known to be.

    Parameters
    ----------
    lesions
        Name of the file in each study's folder that masks its lesions; a study without it is
        healthy.

    Raises
    ------
    ConfigError
        If no study has a file of that name.
    InputError
        If a study cannot be read or learned from; names its path.
    """
    run = run or Run()
    read = partial(
        read_study,
        pet_unit=pet_unit,
        ct_series=ct_series,
        pet_series=pet_series,
        frame=frame,
        on_irregular=on_irregular,
    )
    cases: list[Case] = []
    for path in run.track(tuple(paths), "reading studies"):
        load = partial(read, path)
        try:
            study = load()
            require_suitable(study, study.volumes)
            truth = _truth(path, lesions)
        except InputError as error:
            raise type(error)(f"{path}: {error}") from error
        cases.append(Case(load, study.patient, truth, healthy=truth is None or not truth.voxels.any()))
    if lesions is not None and all(case.truth is None for case in cases):
        raise ConfigError(f"no study has a file {lesions} that masks its lesions; check the name")
    return tuple(cases)


def _truth(path: Path, lesions: str | None) -> Labels | None:
    if lesions is None or not (path / lesions).is_file():
        return None
    return _cropped(read_labels(path / lesions))


def _cropped(labels: Labels) -> Labels:
    """The part of a mask that holds lesions: whole masks of a cohort would fill the memory."""
    boxes = ndimage.find_objects((labels.voxels > 0).astype(np.uint8))
    if not boxes:
        return Labels(labels.voxels[:1, :1, :1], Grid((1, 1, 1), labels.grid.affine))
    affine = np.array(labels.grid.affine)
    affine[:3, 3] = labels.grid.to_mm([side.start for side in boxes[0]])
    voxels = labels.voxels[boxes[0]].copy()
    return Labels(voxels, Grid((voxels.shape[0], voxels.shape[1], voxels.shape[2]), affine))
