"""The 56 rows of the bad-input table: what each gives, and which tests show it.

A row's tests are those in this folder whose names begin with ``test_row_NN_``, and those named in
``ELSEWHERE``. ``python benchmarks/bad_input.py`` runs them all and counts the rows.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from bad_input_rows import ELSEWHERE, ROWS

ROOT = Path(__file__).parents[2]


@cache
def names_in(file: str) -> frozenset[str]:
    """Every test of a file, those in classes with the class before them."""
    found = set()
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return frozenset(found)


def own_tests(row: int) -> list[str]:
    files = [f"tests/io/{file.name}" for file in Path(__file__).parent.glob("test_bad_*.py")]
    return [name for file in files for name in names_in(file) if name.startswith(f"test_row_{row:02d}_")]


def test_there_are_56_rows() -> None:
    assert sorted(ROWS) == list(range(1, 57))


@pytest.mark.parametrize("row", sorted(ROWS))
def test_every_row_has_a_test_that_is_there(row: int) -> None:
    named = ELSEWHERE.get(row, ())
    assert own_tests(row) or named
    for node in named:
        file, _, name = node.partition("::")
        assert name in names_in(file), f"row {row} names {node}, which is not there"
