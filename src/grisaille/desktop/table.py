"""Things in the patient as a table: sorted by number, click tells, Ctrl+C copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QGuiApplication, QKeySequence
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

_ITEM_ROLES = Qt.ItemDataRole


class Row(Protocol):
    """What a table shows: anything with a number of its own."""

    @property
    def id(self) -> int:
        """Unique among the rows."""


@dataclass(frozen=True)
class Column:
    """A heading, what it means, the value that it is sorted by, and how that is written."""

    title: str
    help: str
    value: Callable[[Any], Any]
    write: Callable[[Any], str]


def figures(places: int) -> Callable[[Any], str]:
    """Writes a number with so many places, and a dash where there is none."""
    return lambda value: "–" if value is None else f"{value:.{places}f}"


def digits(count: int) -> Callable[[Any], str]:
    """Writes a number of any size with so many digits that count, and a dash where there is none."""
    return lambda value: "–" if value is None else f"{value:#.{count}g}".removesuffix(".")


def place(letters: str) -> Callable[[Any], str]:
    """Writes millimetres with a letter for their sign: the first for above 0."""
    return lambda mm: f"{letters[mm < 0]} {abs(mm):.0f}"


CENTRE = (
    Column("L/R mm", "Centre, left or right of the scanner's origin", lambda one: one.centroid_l_mm, place("LR")),
    Column("P/A mm", "Centre, behind or before the scanner's origin", lambda one: one.centroid_p_mm, place("PA")),
    Column("S/I mm", "Centre, above or below the scanner's origin", lambda one: one.centroid_s_mm, place("SI")),
)
"""Columns of whatever has a centroid in LPS millimetres."""


class RowsModel(QAbstractTableModel):
    """Rows under columns; ``colours`` by the number of a row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Any, ...] = ()
        self._colours: Mapping[int, QColor] = {}
        self._columns: tuple[Column, ...] = ()

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows, unsorted."""
        return self._rows

    @property
    def titles(self) -> list[str]:
        """Of the columns."""
        return [column.title for column in self._columns]

    def set_rows(self, rows: Sequence[Row], columns: Sequence[Column], colours: Mapping[int, QColor]) -> None:
        """Show these."""
        self.beginResetModel()
        self._rows, self._columns, self._colours = tuple(rows), tuple(columns), colours
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

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
        row, column = self._rows[index.row()], self._columns[index.column()]
        if role == _ITEM_ROLES.DisplayRole:
            return column.write(column.value(row))
        if role == _ITEM_ROLES.UserRole:
            return column.value(row)
        if role == _ITEM_ROLES.DecorationRole and index.column() == 0:
            return self._colours.get(row.id)
        if role == _ITEM_ROLES.TextAlignmentRole:
            is_word = isinstance(column.value(row), str)
            across = Qt.AlignmentFlag.AlignLeft if is_word else Qt.AlignmentFlag.AlignRight
            return across | Qt.AlignmentFlag.AlignVCenter
        return None


class _ByValue(QSortFilterProxyModel):
    """Sorts by the numbers, not by their writing; what was not measured comes last."""

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        one, other = left.data(_ITEM_ROLES.UserRole), right.data(_ITEM_ROLES.UserRole)
        if one is None or other is None:
            return one is None and other is not None
        return bool(one < other)


class RowsTable(QTableView):
    """Shows rows; ``picked`` tells the one that was clicked or walked to."""

    picked = Signal(object)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = RowsModel(self)
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
        self.setAccessibleName(name)
        # A click both changes the row and clicks it, and a held key changes many: tell one.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._tell)
        self._is_quiet = False
        self.selectionModel().currentRowChanged.connect(self._on_row)
        self.clicked.connect(self._on_row)

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows shown, in the order given."""
        return self._model.rows

    def set_rows(self, rows: Sequence[Row], columns: Sequence[Column], colours: Mapping[int, QColor]) -> None:
        """Show these; the row of the same number stays the current one."""
        chosen = self.current
        self._is_quiet = True
        by = dict(enumerate(self._model.titles)).get(self._sorted.sortColumn(), "")
        self._model.set_rows(rows, columns, colours)
        titles = self._model.titles
        self.sortByColumn(titles.index(by) if by in titles else 0, self._sorted.sortOrder())
        for at, row in enumerate(rows):
            if chosen is not None and row.id == chosen.id:
                self.selectRow(self._sorted.mapFromSource(self._model.index(at, 0)).row())
        self._is_quiet = False

    @property
    def current(self) -> Any:
        """The row that is chosen, or None."""
        row = self._sorted.mapToSource(self.currentIndex()).row()
        return self.rows[row] if 0 <= row < len(self.rows) else None

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
            self.picked.emit(self.current)
