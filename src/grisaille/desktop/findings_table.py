"""The findings as a table: click goes there, Ctrl+C copies, and a button saves CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QGuiApplication, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from grisaille.core.finding import Finding
from grisaille.core.measure import Measure

_ITEM_ROLES = Qt.ItemDataRole


@dataclass(frozen=True)
class _Column:
    """A heading, what it means, the value that it is sorted by, and how that is written."""

    title: str
    help: str
    value: Callable[[Finding], Any]
    write: Callable[[Any], str]


def _figures(places: int) -> Callable[[Any], str]:
    return lambda value: "–" if value is None else f"{value:.{places}f}"


def _place(letters: str) -> Callable[[Any], str]:
    return lambda mm: f"{letters[mm < 0]} {abs(mm):.0f}"


_MEASURED = (
    _Column("#", "Number of the finding; its colour is that of its label", lambda one: one.id, str),
    _Column("Score", "Highest anomaly score in the finding", lambda one: one.score, _figures(2)),
    _Column("SUVmax", "Highest SUVbw (g/ml)", lambda one: one.suv_max, _figures(2)),
    _Column("SUVpeak", "Highest mean SUVbw of a 1 ml sphere", lambda one: one.suv_peak, _figures(2)),
    _Column("SUVmean", "Mean SUVbw", lambda one: one.suv_mean, _figures(2)),
    _Column("Volume ml", "Volume in millilitres", lambda one: one.volume_ml, _figures(2)),
    _Column("TLG", "Total lesion glycolysis: SUVmean x volume in ml", lambda one: one.tlg, _figures(1)),
    _Column("HU", "Mean CT number in Hounsfield units", lambda one: one.hu_mean, _figures(0)),
)
"""What every method's findings have; the method's own measures follow."""

_PLACED = (
    _Column("Long mm", "Longest diameter in an axial slice", lambda one: one.long_axis_mm, _figures(1)),
    _Column("Short mm", "Longest diameter at right angles to it", lambda one: one.short_axis_mm, _figures(1)),
    _Column("L/R mm", "Centre, left or right of the scanner's origin", lambda one: one.centroid_l_mm, _place("LR")),
    _Column("P/A mm", "Centre, behind or before the scanner's origin", lambda one: one.centroid_p_mm, _place("PA")),
    _Column("S/I mm", "Centre, above or below the scanner's origin", lambda one: one.centroid_s_mm, _place("SI")),
    _Column(
        "Slices",
        "First and last axial slice",
        lambda one: (one.slice_first, one.slice_last),
        lambda ends: f"{ends[0]}–{ends[1]}",
    ),
    _Column("Edited", "Whether somebody painted on it", lambda one: one.edited, lambda one: "yes" if one else ""),
)


def _columns(measures: Sequence[Measure]) -> tuple[_Column, ...]:
    own = [_Column(one.title, one.help, partial(_extra, one.name), one.write) for one in measures]
    return (*_MEASURED, *own, *_PLACED)


def _extra(name: str, finding: Finding) -> float | None:
    return finding.extra.get(name)


class FindingsModel(QAbstractTableModel):
    """Findings as rows; ``colours`` by label number."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._findings: tuple[Finding, ...] = ()
        self._colours: Mapping[int, QColor] = {}
        self._columns = _columns(())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The rows."""
        return self._findings

    def set_findings(
        self, findings: Sequence[Finding], colours: Mapping[int, QColor], measures: Sequence[Measure] = ()
    ) -> None:
        """Show these rows, with a column for each of the method's own ``measures``."""
        self.beginResetModel()
        self._columns = _columns(measures)
        self._findings = tuple(findings)
        self._colours = colours
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._findings)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _ITEM_ROLES.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == _ITEM_ROLES.DisplayRole:
                return self._columns[section].title
            if role == _ITEM_ROLES.ToolTipRole:
                return self._columns[section].help
        return None

    def data(self, index: QModelIndex, role: int = _ITEM_ROLES.DisplayRole) -> Any:
        finding, column = self._findings[index.row()], self._columns[index.column()]
        if role == _ITEM_ROLES.DisplayRole:
            return column.write(column.value(finding))
        if role == _ITEM_ROLES.UserRole:
            return column.value(finding)
        if role == _ITEM_ROLES.DecorationRole and index.column() == 0:
            return self._colours.get(finding.label)
        if role == _ITEM_ROLES.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


class _ByValue(QSortFilterProxyModel):
    """Sorts by the numbers, not by their writing; what was not measured comes last."""

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        one, other = left.data(_ITEM_ROLES.UserRole), right.data(_ITEM_ROLES.UserRole)
        if one is None or other is None:
            return one is None and other is not None
        return bool(one < other)


class FindingsTable(QTableView):
    """Shows findings; ``finding_picked`` tells the one that was clicked or walked to."""

    finding_picked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = FindingsModel(self)
        self._sorted = _ByValue(self)
        self._sorted.setSourceModel(self._model)
        self.setModel(self._sorted)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setHighlightSections(False)
        self.setAccessibleName("Findings")
        # A click both changes the row and clicks it, and a held key changes many: tell one.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._tell)
        self._is_quiet = False
        self.selectionModel().currentRowChanged.connect(self._on_row)
        self.clicked.connect(self._on_row)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings shown, in the order found."""
        return self._model.findings

    def set_findings(
        self, findings: Sequence[Finding], colours: Mapping[int, QColor], measures: Sequence[Measure] = ()
    ) -> None:
        """Show these, with the method's own ``measures``; the row of the same finding stays the current one."""
        chosen = self.current
        self._is_quiet = True
        self._model.set_findings(findings, colours, measures)
        for row, finding in enumerate(findings):
            if chosen is not None and finding.id == chosen.id:
                self.selectRow(self._sorted.mapFromSource(self._model.index(row, 0)).row())
        self._is_quiet = False

    @property
    def current(self) -> Finding | None:
        """The finding of the current row."""
        row = self._sorted.mapToSource(self.currentIndex()).row()
        return self.findings[row] if 0 <= row < len(self.findings) else None

    def step(self, by: int) -> None:
        """Walk ``by`` rows on, round the ends."""
        rows = self._sorted.rowCount()
        if rows:
            at = self.currentIndex().row()
            start = at if at >= 0 else (-1 if by > 0 else 0)
            self.setCurrentIndex(self._sorted.index((start + by) % rows, 0))

    def copy(self) -> None:
        """Put the selected rows, or all, on the clipboard with their headings."""
        picked = sorted(index.row() for index in self.selectionModel().selectedRows())
        rows = picked or range(self._sorted.rowCount())
        columns = range(self._sorted.columnCount())
        across = Qt.Orientation.Horizontal
        lines = [[str(self._sorted.headerData(at, across)) for at in columns]]
        lines += [[str(self._sorted.index(row, at).data()) for at in columns] for row in rows]
        QGuiApplication.clipboard().setText("\n".join("\t".join(line) for line in lines))

    def keyPressEvent(self, event: Any) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def _on_row(self, *_: QModelIndex) -> None:
        if not self._is_quiet:
            self._soon.start()

    def _tell(self) -> None:
        if self.current is not None:
            self.finding_picked.emit(self.current)
