"""The score of every slice as a curve: click or drag goes to the slice, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from grisaille.core.grid import Axis
from grisaille.desktop.ink import Ink

_ENDS = {Axis.AXIAL: ("I", "S"), Axis.CORONAL: ("A", "P"), Axis.SAGITTAL: ("R", "L")}
"""Letters of the patient at the first and the last slice of an axis, ascending LPS."""

_MARGIN_LEFT, _MARGIN_RIGHT, _MARGIN_TOP, _MARGIN_BOTTOM = 44.0, 16.0, 18.0, 30.0
_LANE = 7.0
_HEADROOM = 1.08


@dataclass(frozen=True)
class Span:
    """The slices, both included, that one finding lies on, in the colour of its label."""

    first: int
    last: int
    colour: QColor


@dataclass(frozen=True)
class Curve:
    """What a strip shows: one score a slice along ``axis``.

    ``peaks`` is the highest voxel of each slice, which is what the threshold ``cut`` is held against.
    ``from_last`` draws the last slice on the left, as napari's slider runs over it.
    """

    axis: Axis
    values: npt.NDArray[np.float32]
    peaks: npt.NDArray[np.float32] | None = None
    cut: float | None = None
    spans: Sequence[Span] = ()
    from_last: bool = False


class SliceStrip(QWidget):
    """Paints a ``Curve``; ``slice_picked`` tells the slice under a click or a drag."""

    slice_picked = Signal(int)

    def __init__(self, ink: Ink, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ink = ink
        self._curve: Curve | None = None
        self._current: int | None = None
        self._hovered: int | None = None
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setToolTip("Score of each slice. Click or drag to go there; arrow keys step.")
        self.setAccessibleName("Score per slice")

    def set_ink(self, ink: Ink) -> None:
        """Paint in these colours."""
        self._ink = ink
        self.update()

    def set_curve(self, curve: Curve | None) -> None:
        """Show ``curve``, or nothing."""
        self._curve = curve
        self._hovered = None
        self.update()

    def set_cut(self, cut: float | None) -> None:
        """Move the threshold."""
        if self._curve is not None:
            self._curve = replace(self._curve, cut=cut)
            self.update()

    def set_current(self, index: int | None) -> None:
        """Mark the slice that the viewer stands on; None if it shows none of these."""
        if index != self._current:
            self._current = index
            self.update()

    @property
    def current(self) -> int | None:
        """The slice that is marked."""
        return self._current

    def sizeHint(self) -> QSize:
        return QSize(420, 130)

    def minimumSizeHint(self) -> QSize:
        return QSize(220, 96)

    # Places -----------------------------------------------------------------------------------

    def x_of(self, index: float) -> float:
        """Pixel column of a slice."""
        count = self._count()
        place = (count - 1 - index) if self._curve is not None and self._curve.from_last else index
        frame = self._frame()
        return float(frame.left() + (place + 0.5) / count * frame.width())

    def index_at(self, x: float) -> int:
        """The slice under a pixel column, the nearest one outside the frame."""
        count = self._count()
        frame = self._frame()
        place = int(np.clip((x - frame.left()) / max(frame.width(), 1.0) * count, 0, count - 1))
        return count - 1 - place if self._curve is not None and self._curve.from_last else place

    def _count(self) -> int:
        return max(1, 0 if self._curve is None else self._curve.values.size)

    def _frame(self) -> QRectF:
        inside = QRectF(self.rect())
        return inside.adjusted(_MARGIN_LEFT, _MARGIN_TOP, -_MARGIN_RIGHT, -_MARGIN_BOTTOM)

    def _top(self) -> float:
        curve = self._curve
        if curve is None or not curve.values.size:
            return 1.0
        highest = curve.values if curve.peaks is None else curve.peaks
        return max(float(highest.max()), float(curve.values.max()), curve.cut or 0.0, 1e-6) * _HEADROOM

    def _y_of(self, score: float) -> float:
        frame = self._frame()
        return float(frame.bottom() - max(0.0, score) / self._top() * frame.height())

    # Mouse and keys ---------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pick(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._pick(event.position().x())
        self._hovered = self.index_at(event.position().x())
        self.update()

    def leaveEvent(self, event: object) -> None:
        self._hovered = None
        self.update()

    def keyPressEvent(self, event: object) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key())  # type: ignore[attr-defined]
        if step is None or self._curve is None or self._current is None:
            super().keyPressEvent(event)
            return
        step = -step if self._curve.from_last else step
        self.slice_picked.emit(int(np.clip(self._current + step, 0, self._count() - 1)))

    def _pick(self, x: float) -> None:
        if self._curve is not None:
            self.slice_picked.emit(self.index_at(x))

    # Painting ---------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() - 1.5))
        painter.setFont(font)
        if self._curve is None or not self._curve.values.size:
            painter.setPen(self._ink.faint)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "Run a method to see the score of every slice")
            return
        self._paint_scale(painter, self._curve)
        if self._curve.peaks is None:
            self._paint_area(painter, self._curve, self._curve.values)
        else:
            self._paint_area(painter, self._curve, self._curve.peaks, is_thin=True)
            self._paint_area(painter, replace(self._curve, cut=None), self._curve.values)
        self._paint_spans(painter, self._curve)
        if self._curve.cut is not None:
            self._paint_cut(painter, self._curve.cut)
        if self._hovered is not None and self._hovered != self._current:
            self._paint_marker(painter, self._hovered, self._ink.faint, solid=False)
        if self._current is not None:
            self._paint_marker(painter, self._current, self._ink.cursor, solid=True)
        self._paint_reading(painter, self._curve)

    def _paint_scale(self, painter: QPainter, curve: Curve) -> None:
        frame = self._frame()
        painter.setPen(QPen(self._ink.faint, 1))
        painter.drawLine(frame.bottomLeft(), frame.bottomRight())
        painter.setPen(self._ink.text)
        first, last = _ENDS[curve.axis]
        left, right = (last, first) if curve.from_last else (first, last)
        below = QRectF(frame.left(), frame.bottom() + _LANE + 6, frame.width(), 14)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, left)
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, right)
        painter.setPen(self._ink.faint)
        legend = "" if curve.peaks is None else "     area: slice score     line: highest voxel"
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, f"{curve.values.size} {curve.axis.value} slices{legend}")
        for score in (0.0, self._top() / _HEADROOM):
            if score == 0.0 or curve.cut is None or abs(self._y_of(score) - self._y_of(curve.cut)) > 12:
                self._paint_tick(painter, score, self._ink.faint)

    def _paint_tick(self, painter: QPainter, score: float, colour: QColor) -> None:
        y = self._y_of(score)
        painter.setPen(colour)
        box = QRectF(0, y - 8, _MARGIN_LEFT - 6, 16)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{score:.3g}")

    def _paint_area(
        self, painter: QPainter, curve: Curve, values: npt.NDArray[np.float32], *, is_thin: bool = False
    ) -> None:
        """A line over ``values``, filled, warm above the threshold; a thin one is filled there only."""
        frame = self._frame()
        order = range(curve.values.size - 1, -1, -1) if curve.from_last else range(curve.values.size)
        points = [QPointF(self.x_of(index), self._y_of(float(values[index]))) for index in order]
        area = QPainterPath()
        ground = [QPointF(points[-1].x(), frame.bottom()), QPointF(points[0].x(), frame.bottom())]
        area.addPolygon(QPolygonF(points + ground))
        parts = [(frame, self._ink.line)]
        if curve.cut is not None:
            y = self._y_of(curve.cut)
            parts = [
                (QRectF(frame.left(), y, frame.width(), frame.bottom() - y + 2), self._ink.line),
                (QRectF(frame.left(), 0, frame.width(), y), self._ink.warm),
            ]
        for part, colour in parts:
            painter.save()
            painter.setClipRect(part)
            is_warm = colour is self._ink.warm
            if is_warm or not is_thin:
                fill = QLinearGradient(frame.topLeft(), frame.bottomLeft())
                fill.setColorAt(0.0, _faded(colour, 150))
                fill.setColorAt(1.0, _faded(colour, 30))
                painter.fillPath(area, fill)
            line = _faded(colour, 255 if is_warm or not is_thin else 140)
            painter.setPen(
                QPen(
                    line,
                    1.0 if is_thin else 1.6,
                    Qt.PenStyle.SolidLine,
                    Qt.PenCapStyle.RoundCap,
                    Qt.PenJoinStyle.RoundJoin,
                )
            )
            painter.drawPolyline(QPolygonF(points))
            painter.restore()

    def _paint_spans(self, painter: QPainter, curve: Curve) -> None:
        """A lane under the curve: where the findings lie."""
        frame = self._frame()
        half = frame.width() / self._count() / 2
        painter.setPen(Qt.PenStyle.NoPen)
        for span in curve.spans:
            ends = sorted((self.x_of(span.first), self.x_of(span.last)))
            bar = QRectF(ends[0] - half, frame.bottom() + 3, max(ends[1] - ends[0] + 2 * half, 3.0), _LANE - 2)
            painter.setBrush(span.colour)
            painter.drawRoundedRect(bar, 2, 2)

    def _paint_cut(self, painter: QPainter, cut: float) -> None:
        frame = self._frame()
        y = self._y_of(cut)
        painter.setPen(QPen(self._ink.warm, 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
        self._paint_tick(painter, cut, self._ink.warm)

    def _paint_marker(self, painter: QPainter, index: int, colour: QColor, *, solid: bool) -> None:
        frame = self._frame()
        x = self.x_of(index)
        painter.setPen(QPen(colour, 1.4 if solid else 1.0, Qt.PenStyle.SolidLine if solid else Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(x, frame.top() - 4), QPointF(x, frame.bottom() + _LANE + 3))
        if solid and self._curve is not None and index < self._curve.values.size:
            painter.setPen(QPen(self._ink.paper, 1.5))
            painter.setBrush(colour)
            painter.drawEllipse(QPointF(x, self._y_of(float(self._curve.values[index]))), 4, 4)

    def _paint_reading(self, painter: QPainter, curve: Curve) -> None:
        """Slice and score under the pointer, else of the current slice, at the top."""
        index = self._current if self._hovered is None else self._hovered
        if index is None or not 0 <= index < curve.values.size:
            return
        text = f"slice {index}   score {float(curve.values[index]):.3g}"
        if curve.peaks is not None:
            text += f"   highest voxel {float(curve.peaks[index]):.3g}"
        width = painter.fontMetrics().horizontalAdvance(text) + 8
        frame = self._frame()
        left = float(np.clip(self.x_of(index) - width / 2, frame.left(), max(frame.left(), frame.right() - width)))
        painter.setPen(self._ink.text)
        painter.drawText(QRectF(left, 0, width, _MARGIN_TOP - 3), Qt.AlignmentFlag.AlignCenter, text)


def _faded(colour: QColor, alpha: int) -> QColor:
    faded = QColor(colour)
    faded.setAlpha(alpha)
    return faded
