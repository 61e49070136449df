"""The findings as a table: click goes there, Ctrl+C copies, and a button saves CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from grisaille.core.finding import Finding
from grisaille.core.measure import Measure
from grisaille.desktop.table import CENTRE, Column, RowsTable, figures

_MEASURED = (
    Column("#", "Number of the finding; its colour is that of its label", lambda one: one.id, str),
    Column("Score", "Highest anomaly score in the finding", lambda one: one.score, figures(2)),
    Column("SUVmax", "Highest SUVbw (g/ml)", lambda one: one.suv_max, figures(2)),
    Column("SUVpeak", "Highest mean SUVbw of a 1 ml sphere", lambda one: one.suv_peak, figures(2)),
    Column("SUVmean", "Mean SUVbw", lambda one: one.suv_mean, figures(2)),
    Column("Volume ml", "Volume in millilitres", lambda one: one.volume_ml, figures(2)),
    Column("TLG", "Total lesion glycolysis: SUVmean x volume in ml", lambda one: one.tlg, figures(1)),
    Column("HU", "Mean CT number in Hounsfield units", lambda one: one.hu_mean, figures(0)),
)
"""What every method's findings have; the method's own measures follow."""

_PLACED = (
    Column("Long mm", "Longest diameter in an axial slice", lambda one: one.long_axis_mm, figures(1)),
    Column("Short mm", "Longest diameter at right angles to it", lambda one: one.short_axis_mm, figures(1)),
    Column("Feret mm", "Largest extent in space", lambda one: one.feret_mm, figures(1)),
    *CENTRE,
    Column(
        "Slices",
        "First and last axial slice",
        lambda one: (one.slice_first, one.slice_last),
        lambda ends: f"{ends[0]}–{ends[1]}",
    ),
    Column("Edited", "Whether somebody painted on it", lambda one: one.edited, lambda one: "yes" if one else ""),
    Column("Notes", "What to know of the numbers", lambda one: "; ".join(one.cautions), str),
)
"""The CSV has more: least SUV, standard deviations, median, SUVpeak around SUVmax, and where that lies."""


def _columns(measures: Sequence[Measure], names: Mapping[int, str]) -> tuple[Column, ...]:
    own = [Column(one.title, one.help, partial(_extra, one.name), one.write) for one in measures]
    called = [Column("Name", "Name of its label", lambda one: names.get(one.label, ""), str)] if names else []
    return (*_MEASURED[:1], *called, *_MEASURED[1:], *own, *_PLACED)


def _extra(name: str, finding: Finding) -> float | None:
    return finding.extra.get(name)


class FindingsTable(RowsTable):
    """Shows findings."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Findings", parent)
        self.set_findings((), {})

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings shown, in the order found."""
        return self.rows

    def set_findings(
        self,
        findings: Sequence[Finding],
        colours: Mapping[int, QColor],
        measures: Sequence[Measure] = (),
        names: Mapping[int, str] | None = None,
    ) -> None:
        """Show these, coloured by label number, with the method's own ``measures``, and the names of labels if any."""
        names = names if any(one.label in (names or {}) for one in findings) else {}
        by_id = {one.id: colours[one.label] for one in findings if one.label in colours}
        self.set_rows(findings, _columns(measures, names or {}), by_id)
