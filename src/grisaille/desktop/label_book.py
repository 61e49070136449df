"""The label layers of a viewer: those that a threshold made, and those that became the user's."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, Signal

from grisaille.core.labels import Labels
from grisaille.core.result import Result
from grisaille.core.study import Study
from grisaille.desktop import layers
from grisaille.desktop.autosave import Autosave, Leftover
from grisaille.desktop.editing import USERS, LabelWatch, watch_of
from grisaille.desktop.repaint_bar import Step
from grisaille.methods.catalog import title


class LabelBook(QObject):
    """Knows which label layer a result writes into and which one the user looks at.

    Signals
    -------
    changed
        Another layer is looked at, or the findings of that layer are others.
    outdated
        That layer is large and was painted on: measure it on request.
    said
        A sentence.
    """

    changed = Signal()
    outdated = Signal()
    said = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._autosave = Autosave()
        self._autosave.failed.connect(self.said)
        self._study: Study | None = None
        self._shown: layers.Shown | None = None
        self._current: LabelWatch | None = None
        # A closed review may have left layers behind that are still followed.
        self._watches = [watch for watch in map(watch_of, viewer.layers) if watch is not None]
        for watch in self._watches:
            self._listen(watch)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_selected)

    @property
    def current(self) -> LabelWatch | None:
        """The layer that the user looks at."""
        return self._current

    def open(self, result: Result, study: Study) -> None:
        """Show a new result, in the layers of the last one on this study unless they are the user's or gone."""
        before, self._study = self._study, study
        if before is not None and before.main is study.main and self._is_refilled(result, study):
            return
        self._shown = layers.show(self._viewer, result, study)
        self._follow(self._shown.labels, result)

    def write(self, result: Result) -> None:
        """Labels at another threshold, into the layer that was made, or a new one where that is the user's or gone.

        Their findings are measured beside the GUI thread.
        """
        self._put(result).remeasure()

    def rejudge(self, step: Step) -> None:
        """The scores changed: all layers measured on them are measured again, their labels stay."""
        for watch in self._watches:
            if watch.judges(step.before):
                watch.layer.metadata[layers.PROVENANCE] = step.result.provenance
                watch.rejudge(step.result.anomaly)
        if self._shown is not None and self._shown.anomaly in self._viewer.layers and self._study is not None:
            data, arguments = layers.anomaly_arguments(step.result, self._study)
            self._shown.anomaly.data = data
            self._shown.anomaly.metadata.update(arguments["metadata"])

    def adopt(self, leftover: Leftover, study: Study | None) -> None:
        """Show labels that a crash left behind; they stay the user's, and are measured where there is a study.

        Raises
        ------
        GrisailleError
            If they cannot be read.
        """
        labels = leftover.read()
        layer = layers.add_labels(self._viewer, labels, name=leftover.name)
        layer.metadata[USERS] = True
        self._autosave.take_over(layer, leftover)
        self._add(LabelWatch(layer, labels, study, self._autosave))
        self.measure()

    def follow(self, layer: Any, labels: Labels, study: Study) -> None:
        """Measure a layer that shows ``labels`` on a study, now and whenever it is painted on.

        One that shows what a run made stays with its run.
        """
        watch = next((one for one in self._watches if one.layer is layer), None)
        if watch is None or not watch.has_scores:
            if watch is not None:
                self._drop(watch)
            self._add(LabelWatch(layer, labels, study, self._autosave))
        elif watch is not self._current:
            self._current = watch
            self.changed.emit()
        self.measure()

    def measure(self) -> None:
        """Measure the current layer as it is painted now."""
        if self._current is not None:
            self._current.measure()

    def release(self) -> None:
        """Stop following the viewer; the layers stay, and what is painted on them is still saved."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.layers.selection.events.active.disconnect(self._on_selected)

    def _is_refilled(self, result: Result, study: Study) -> bool:
        """Whether the layers of the last result could take this one; how the user dressed them stays."""
        shown = self._shown
        if shown is None or shown.anomaly not in self._viewer.layers:
            return False
        data, arguments = layers.anomaly_arguments(result, study)
        if arguments["name"] != shown.anomaly.name or data.shape != shown.anomaly.data.shape:
            return False
        shown.anomaly.data = data
        shown.anomaly.metadata.update(arguments["metadata"])
        self._put(result).tell(result.findings)
        return True

    def _put(self, result: Result) -> LabelWatch:
        """The labels of a result in a layer of theirs; the watch of that layer."""
        made = next((one for one in self._watches if self._shown and one.layer is self._shown.labels), None)
        if made is not None and not made.is_users:
            made.rewrite(result.labels, result.anomaly)
            made.layer.metadata[layers.PROVENANCE] = result.provenance
            self._current = made
            return made
        name = f"{title(result.provenance.method)} findings"
        layer = layers.add_labels(self._viewer, result.labels, result.findings, name=name)
        layer.metadata[layers.PROVENANCE] = result.provenance
        if self._shown is not None:
            self._shown = layers.Shown(self._shown.anomaly, layer)
        return self._follow(layer, result)

    def _follow(self, layer: Any, result: Result) -> LabelWatch:
        watch = LabelWatch(layer, result.labels, self._study, self._autosave, result.anomaly)
        watch.findings, watch.is_measured = result.findings, True
        self._add(watch)
        return watch

    def _add(self, watch: LabelWatch) -> None:
        self._watches.append(watch)
        self._listen(watch)
        self._current = watch
        self.changed.emit()

    def _listen(self, watch: LabelWatch) -> None:
        watch.taken.connect(self._on_taken)
        watch.measured.connect(self.changed)
        watch.outdated.connect(self.outdated)
        watch.failed.connect(self.said)

    def _on_taken(self) -> None:
        self.changed.emit()
        self.said.emit("These labels are yours now: slider and Run write into a new layer.")

    def _drop(self, watch: LabelWatch) -> None:
        watch.close()
        self._watches.remove(watch)

    def _on_removed(self, event: Any) -> None:
        for watch in [one for one in self._watches if one.layer is event.value]:
            self._drop(watch)
            self._autosave.forget(watch.layer)
            if watch is self._current:
                self._current = None
                self.changed.emit()

    def _on_selected(self, event: Any) -> None:
        chosen = next((one for one in self._watches if one.layer is event.value), None)
        if chosen is not None and chosen is not self._current:
            self._current = chosen
            self.changed.emit()
