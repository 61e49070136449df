"""Findings of labels that a person has painted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.core.study import Study
from grisaille.imaging.findings import find_findings


def remeasure(labels: Labels, before: Labels, study: Study, anomaly: AnomalyMap | None = None) -> tuple[Finding, ...]:
    """The findings of ``labels``; those whose label changed since ``before`` are called edited.

    Parameters
    ----------
    labels, before
        On one grid; ``before`` as the method made them.
    anomaly
        The scores that the labels were made from, if any.
    """
    changed = labels.voxels != before.voxels
    touched = {*np.unique(labels.voxels[changed]).tolist(), *np.unique(before.voxels[changed]).tolist()}
    findings = find_findings(labels, study, anomaly)
    return tuple(replace(finding, edited=finding.label in touched) for finding in findings)
