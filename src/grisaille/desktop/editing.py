"""Labels painted by hand: from the first stroke on a layer is the user's, and the measures follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Labels as LabelsLayer
from qtpy.QtCore import QObject, QTimer, Signal

from grisaille.core.anomaly import AnomalyMap
from grisaille.core.errors import GrisailleError
from grisaille.core.finding import Finding
from grisaille.core.labels import Labels
from grisaille.core.measure import Measure
from grisaille.core.result import Provenance, Result
from grisaille.core.run import Run
from grisaille.core.study import Study
from grisaille.desktop import layers
from grisaille.desktop.autosave import Autosave
from grisaille.desktop.job import Job, Outcome

USERS = "grisaille_edited"
"""Metadata key: true once a person painted on the layer."""

_WATCH = "grisaille_watch"
"""Metadata key: the watch of a layer, which lives as long as the layer does."""

AUTOMATIC_VOXELS = 30_000_000
"""Larger label images are measured on a button, not after every stroke."""

_QUIET_MS = 300
"""Strokes that follow each other faster than this are measured together."""

_QUIET_LARGE_MS = 2000
"""The same on large label images, whose copy alone takes a tenth of a second."""


class LabelWatch(QObject):
    """Follows what a person paints on one labels layer, for as long as the layer lives.

    Parameters
    ----------
    layer
        Shows ``labels``.
    labels
        As the method made them, or as they were recovered.
    study, anomaly
        What the labels are measured on; without a study they are not.
    autosave
        Keeps what is painted safe.

    Signals
    -------
    taken
        Once, at the first stroke: the layer is the user's from now on.
    measured
        ``findings`` are those of ``labels``.
    outdated
        A large label image changed: its findings are measured on request.
    failed
        A sentence.
    """

    taken = Signal()
    measured = Signal()
    outdated = Signal()
    failed = Signal(str)

    def __init__(
        self,
        layer: LabelsLayer,
        labels: Labels,
        study: Study | None,
        autosave: Autosave,
        anomaly: AnomalyMap | None = None,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.findings: tuple[Finding, ...] = ()
        self.is_measured = False
        self.labels = labels
        self._made = labels
        self._since = labels
        self._autosave = autosave
        self._study = study
        self._anomaly = anomaly
        self._job: Job | None = None
        self._is_outdated = False
        self._has_own_features = anomaly is None and not layers.is_feature_table(layer.features)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._on_pause)
        layer.metadata[_WATCH] = self
        layer.events.paint.connect(self._on_stroke)
        # Undo and redo tell nothing but that the slice is drawn anew.
        layer.events.set_data.connect(self._on_drawn)

    @property
    def is_users(self) -> bool:
        """Whether a person painted on the layer."""
        return bool(self.layer.metadata.get(USERS, False))

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What the method tells of the findings besides what all methods do."""
        return () if self._anomaly is None else self._anomaly.measures

    @property
    def is_automatic(self) -> bool:
        """Whether the measures follow by themselves."""
        return bool(self.layer.data.size <= AUTOMATIC_VOXELS)

    def rewrite(self, labels: Labels, anomaly: AnomalyMap) -> None:
        """Show other labels in the layer, which must not be the user's; their findings are not known yet."""
        data, arguments = layers.labels_arguments(labels, self.layer.name)
        self.layer.data = data
        self.layer.metadata.update(arguments["metadata"])
        self.labels = self._made = self._since = labels
        self._anomaly = anomaly
        self._is_outdated = self._job is not None

    def judges(self, anomaly: AnomalyMap) -> bool:
        """Whether the labels are measured on this map."""
        return self._anomaly is anomaly

    def rejudge(self, anomaly: AnomalyMap) -> None:
        """Measure the labels, which stay as they are, on another map."""
        self._anomaly = anomaly
        self.remeasure()

    @property
    def study(self) -> Study | None:
        """What the labels are measured on."""
        return self._study

    @property
    def has_scores(self) -> bool:
        """Whether a method's scores are behind the labels."""
        return self._anomaly is not None

    def as_result(self) -> Callable[[], Result | Labels]:
        """What gives the labels as they are painted now, measured, with the scores they were made of if there are any.

        The layer is read at once; what is returned measures, and may be called on another thread.

        Raises
        ------
        GridMismatch
            If the layer was moved in the viewer.
        """
        self.labels = layers.labels_as_painted(self.layer)
        labels, made, study, anomaly = self.labels, self._made, self._study, self._anomaly
        provenance = self.layer.metadata.get(layers.PROVENANCE)

        def measured() -> Result | Labels:
            from grisaille.flows.remeasure import remeasure

            if anomaly is None or study is None or not isinstance(provenance, Provenance):
                return labels
            return Result(anomaly, labels, remeasure(labels, made, study, anomaly), provenance)

        return measured

    def strokes(self) -> tuple[Labels, Labels]:
        """The labels as they are painted now, and as they were when strokes began to count."""
        self._is_read()
        return self.labels, self._since

    def rebase(self, labels: Labels) -> None:
        """Count the strokes since ``labels``."""
        self._since = labels

    def tell(self, findings: tuple[Finding, ...]) -> None:
        """These are the findings of the labels as they are."""
        self.findings, self.is_measured = findings, True
        if not self._has_own_features:
            self.layer.features = layers.feature_table(self.labels, findings)
        self.measured.emit()

    def remeasure(self) -> None:
        """Measure the labels, beside the GUI thread; of several sets of labels the last one counts."""
        if self._study is None:
            return
        if self._job is not None:
            self._is_outdated = True
            return
        self._is_outdated = False
        labels, made, study, anomaly = self.labels, self._made, self._study, self._anomaly

        def remeasure(run: Run) -> tuple[Finding, ...]:
            from grisaille.flows.remeasure import remeasure

            return remeasure(labels, made, study, anomaly)

        self._job = Job(Run(), f"grisaille: measures of layer {self.layer.name!r}")
        self._job.finished.connect(self._on_measured)
        self._job.start(remeasure)

    def measure(self) -> None:
        """Measure the labels as they are painted now."""
        if self._is_read():
            if self.is_users:  # the pause after the last stroke, which keeps them too, may not be over
                self._autosave.keep(self.layer, self.labels)
            self.remeasure()

    def close(self) -> None:
        """Stop following."""
        self.layer.metadata.pop(_WATCH, None)
        self._timer.stop()
        self.layer.events.paint.disconnect(self._on_stroke)
        self.layer.events.set_data.disconnect(self._on_drawn)
        if self._job is not None:
            self._job.finished.disconnect(self._on_measured)
            self._job.cancel()

    def _on_pause(self) -> None:
        before = self.labels
        if not self._is_read() or np.array_equal(self.labels.voxels, before.voxels):
            return
        self._autosave.keep(self.layer, self.labels)
        if self.is_automatic:
            self.remeasure()
        else:
            self.outdated.emit()

    def _is_read(self) -> bool:
        try:
            self.labels = layers.labels_as_painted(self.layer)
        except GrisailleError as error:
            self.failed.emit(str(error))
            return False
        return True

    def _on_measured(self, outcome: Outcome) -> None:
        self._job = None
        if self._is_outdated:
            self.remeasure()
        elif outcome.error is not None:
            self.failed.emit(outcome.sentence)
        elif not outcome.cancelled:
            self.tell(outcome.value)

    def _on_stroke(self, event: Any = None) -> None:
        if not self.is_users:
            self.layer.metadata[USERS] = True
            self.layer.name = f"{self.layer.name} (edited)"
            self.taken.emit()
        self._on_drawn()

    def _on_drawn(self, event: Any = None) -> None:
        if self.is_users:
            self._timer.start(_QUIET_MS if self.is_automatic else _QUIET_LARGE_MS)


def watch_behind(layer: Any) -> LabelWatch | None:
    """The watch that a layer, or the copy of one that napari hands to a writer, was made with."""
    watch = layer.metadata.get(_WATCH)
    return watch if isinstance(watch, LabelWatch) else None


def watch_of(layer: Any) -> LabelWatch | None:
    """The watch of a layer; None for a layer that has none, a copy of one that has among them."""
    watch = layer.metadata.get(_WATCH)
    return watch if isinstance(watch, LabelWatch) and watch.layer is layer else None
