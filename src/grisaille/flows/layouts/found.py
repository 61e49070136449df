"""From the name of a layout and a folder to exams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from grisaille.core.errors import ConfigError
from grisaille.core.run import Run
from grisaille.flows.layouts.autopet import autopet_exams
from grisaille.flows.layouts.exam import Exam, Layout
from grisaille.flows.layouts.folder import folder_exams
from grisaille.flows.layouts.hecktor import hecktor_exams
from grisaille.flows.layouts.msd import msd_exams
from grisaille.flows.layouts.synthetic import QUICK, Cohort, synthetic_exams

_LISTED: Mapping[Layout, Callable[[Path], tuple[Exam, ...]]] = {
    Layout.AUTOPET: autopet_exams,
    Layout.HECKTOR: hecktor_exams,
    Layout.MSD: msd_exams,
}


def find_exams(
    layout: Layout, data: Path | None, *, healthy: Path | None, pet_unit: str | None, is_quick: bool, run: Run
) -> tuple[Exam, ...]:
    """The exams of a data set, and those of a folder of healthy studies, if one is given.

    Parameters
    ----------
    data
        Its folder; none for ``synthetic``, whose patients come from ``run.seed``.
    pet_unit
        Of PET files that do not say it, in ``folder`` and ``healthy``.
    is_quick
        A few synthetic patients only.

    Raises
    ------
    ConfigError
        If a folder is missing or there is one too many.
    InputError
        If nothing is found there, or it cannot be read.
    """
    if layout is Layout.SYNTHETIC:
        if data is not None or healthy is not None:
            raise ConfigError("layout synthetic makes its own patients; leave --data and --healthy out")
        return synthetic_exams(QUICK if is_quick else Cohort(), run.seed)
    if data is None:
        raise ConfigError(f"layout {layout.value} needs the folder of its data; give it as --data")
    is_folder = layout is Layout.FOLDER
    exams = folder_exams(data, pet_unit=pet_unit, run=run) if is_folder else _LISTED[layout](data)
    if healthy is None:
        return exams
    return exams + folder_exams(healthy, pet_unit=pet_unit, run=run, must_be_healthy=True)
