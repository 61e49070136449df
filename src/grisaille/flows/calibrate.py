"""A method's promise, measured on healthy studies of one's own."""

from __future__ import annotations

from collections.abc import Sequence

from grisaille.core.run import Run
from grisaille.core.study import Case
from grisaille.flows.suitable import suitable_cases
from grisaille.methods.base import Method


def calibrate(method: Method, healthy_cases: Sequence[Case], *, run: Run | None = None) -> Method:
    """The same method with thresholds that hold on these healthy cases.

    None of them may have been used in the fit: on its own training cases a method promises
    far fewer false positives than it makes.

    Raises
    ------
    ConfigError
        If there is no case, or one is not healthy and the method cannot look around its lesions.
    InputError
        If a case holds nothing that the method can work on; says which.
    """
    cases = suitable_cases(healthy_cases, method.modalities, around_lesions=method.learns_around_lesions)
    return method.calibrate(cases, run or Run())
