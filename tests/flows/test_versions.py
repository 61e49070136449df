"""Versions are those of the packages that are there."""

from __future__ import annotations

import platform

import numpy as np

from grisaille.flows import versions


def test_imported_packages_are_told_with_their_versions_and_others_are_not(monkeypatch):
    monkeypatch.setitem(versions.DISTRIBUTIONS, "never_imported", "numpy")
    told = versions.imported_versions()
    assert told["python"] == platform.python_version()
    assert told["numpy"] == np.__version__
    assert "never_imported" not in told


def test_packages_that_are_not_installed_are_left_out(monkeypatch):
    monkeypatch.setitem(versions.DISTRIBUTIONS, "absent", "no-such-distribution")
    assert "absent" not in versions.installed_versions()
    assert versions.installed_versions()["pydicom"]
