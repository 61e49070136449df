"""Every kind of series that a folder may hold is read right, or refused for its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_cases import CASES
from series_checks import Case, outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_series_is_read_right_or_refused_for_its_reason(tmp_path: Path, case: Case) -> None:
    case.build(tmp_path)
    for expected in case.expected:
        found = outcome(expected, tmp_path)
        assert found.is_right, found.words


def test_there_are_as_many_kinds_as_were_asked_for() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 29
