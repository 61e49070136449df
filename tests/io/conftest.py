"""What the rows of the bad-input table share: a place for what happened, for ``benchmarks/bad_input.py`` to print."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def told(record_property: Callable[[str, object], None]) -> Callable[[object], str]:
    """Keep the sentence that a user would see with the row's test, and give it back."""

    def keep(happened: object) -> str:
        record_property("happened", str(happened))
        return str(happened)

    return keep
