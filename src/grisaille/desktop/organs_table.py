"""The organs as a table, the most anomalous first: click goes to the top of the organ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from grisaille.core.organ import Organ
from grisaille.desktop.table import CENTRE, Column, RowsTable, digits, figures

_TOP = 1
"""The column that the table is sorted by at first."""

_COLUMNS = (
    Column("Organ", "Its name; its colour is that of its label", lambda one: one.name, str),
    Column(
        "Top z",
        "Mean over the organ's first connected ml from the highest score down, in standard deviations of the organ",
        lambda one: one.z_top,
        figures(1),
    ),
    Column("Highest z", "Of its highest voxel, which may be noise", lambda one: one.z_max, figures(1)),
    Column(
        "Percentile",
        "Share of healthy studies whose top of this organ scores less, this one counted among them",
        lambda one: one.percentile,
        figures(0),
    ),
    Column("Volume ml", "Volume in millilitres", lambda one: one.volume_ml, figures(1)),
    Column("Mean", "Mean score", lambda one: one.score_mean, digits(4)),
    Column("p95", "Score that 5 % of the organ exceed", lambda one: one.score_p95, digits(4)),
    Column("p99", "Score that 1 % of the organ exceeds", lambda one: one.score_p99, digits(4)),
    Column("Max", "Highest score", lambda one: one.score_max, digits(4)),
    Column("SUVmax", "Highest SUVbw (g/ml)", lambda one: one.suv_max, figures(2)),
    Column("SUVmean", "Mean SUVbw", lambda one: one.suv_mean, figures(2)),
    Column("HU", "Mean CT number in Hounsfield units", lambda one: one.hu_mean, figures(0)),
    *CENTRE,
)


class OrgansTable(RowsTable):
    """Shows organs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Organs", parent)
        self.set_organs((), {})
        self.sortByColumn(_TOP, Qt.SortOrder.DescendingOrder)

    @property
    def organs(self) -> tuple[Organ, ...]:
        """The organs shown, the most anomalous first."""
        return self.rows

    def set_organs(self, organs: Sequence[Organ], colours: Mapping[int, QColor]) -> None:
        """Show these, coloured by their number; a column stands only where there is anything in it."""
        columns = [column for column in _COLUMNS if any(column.value(one) is not None for one in organs)]
        self.set_rows(organs, columns or _COLUMNS, colours)
