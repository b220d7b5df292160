"""The three kinds of picture in the report, from named figures.

A row or a line per server; ours stands out; the kernel's limit is a dashed line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.report.drawing import Drawing
from bench.report.numbers import number, tick
from bench.report.results import Figure
from bench.report.scales import Linear, Logarithmic, Scale

WIDTH = 820
_TOP, _ROW, _BOTTOM = 62, 30, 34
_LABELS, _VALUES = 290, 130  # room for names on the left, for numbers on the right
_LINES_HEIGHT, _LINES_LEFT, _LINES_RIGHT = 400, 64, 290
_APART = 17  # labels of lines, from baseline to baseline
_LONGEST = 44  # characters of a name that fit


@dataclass(frozen=True)
class Row:
    """A server and one figure, or several that belong together (p50 and p99)."""

    label: str
    figures: Sequence[Figure]
    own: bool = False


@dataclass(frozen=True)
class Line:
    """A server's figures over some quantity. Without a slot it is the kernel's, and dashed."""

    label: str
    points: Sequence[tuple[float, Figure]]
    slot: int | None = None


def dots(title: str, unit: str, rows: Sequence[Row], limit: Figure | None = None) -> str:
    """A logarithmic axis, so no bars: dots with the range of the repeats, hollow where the server
    could not keep up; dots of one row are joined. `limit` is the kernel's."""
    values = [end for row in rows for each in row.figures for end in (each.low, each.high)]
    scale = Logarithmic.around([*values, *([limit.median] if limit else [])])
    drawing, left, right = _rows(title, unit, rows, scale)
    if limit is not None:
        x = left + (right - left) * scale.place(limit.median)
        drawing.line(x, _TOP, x, _TOP + _ROW * len(rows), "reference")
        drawing.text(x + 5, _TOP - 6, "bare send(2)", "faint")
    for place, row in enumerate(rows):
        y = _TOP + _ROW * (place + 0.5)
        style = "s0" if row.own else "plain"
        spots = [left + (right - left) * scale.place(each.median) for each in row.figures]
        for start, end in pairwise(spots):
            drawing.line(start, y, end, y, f"span {style}")
        for x, each in zip(spots, row.figures, strict=True):
            if each.count > 1 and len(row.figures) == 1:
                ends = (left + (right - left) * scale.place(end) for end in (each.low, each.high))
                drawing.line(next(ends), y, next(ends), y, f"span {style}")
            drawing.circle(x, y, 5, style if each.kept_up else f"hollow {style}")
        shown = " / ".join(number(each.median) for each in row.figures)
        drawing.text(WIDTH - 16, y + 4, shown, "own" if row.own else "label", "end")
    return drawing.svg()


def bars(title: str, unit: str, rows: Sequence[Row]) -> str:
    """A linear axis from zero: one figure a row, with the range of its repeats."""
    scale = Linear(max(row.figures[0].high for row in rows))
    drawing, left, right = _rows(title, unit, rows, scale)
    for place, row in enumerate(rows):
        figure, y = row.figures[0], _TOP + _ROW * (place + 0.5)
        width = (right - left) * scale.place(figure.median)
        drawing.bar(left, y - 8, width, 16, "s0" if row.own else "plain")
        if figure.count > 1:
            low, high = (left + (right - left) * scale.place(e) for e in (figure.low, figure.high))
            drawing.line(low, y, high, y, "whisker")
        style = "own" if row.own else "label"
        drawing.text(WIDTH - 16, y + 4, number(figure.median), style, "end")
    return drawing.svg()


def lines(title: str, across: str, lines_: Sequence[Line]) -> str:
    """Both axes logarithmic; names stand at the ends of their lines."""
    xs = [x for line in lines_ for x, _ in line.points]
    across_scale = Logarithmic(min(xs) / 1.1, max(xs) * 1.1)
    up_scale = Logarithmic.around([e.median for line in lines_ for _, e in line.points])
    left, right = _LINES_LEFT, WIDTH - _LINES_RIGHT
    top, bottom = _TOP - 14, _LINES_HEIGHT - 54
    drawing = Drawing(WIDTH, _LINES_HEIGHT, title)
    drawing.text(16, 26, title, "title")

    def spot(x: float, y: float) -> tuple[float, float]:
        return (
            left + (right - left) * across_scale.place(x),
            bottom - (bottom - top) * up_scale.place(y),
        )

    for value in up_scale.ticks():
        y = spot(max(xs), value)[1]
        drawing.line(left, y, right, y, "grid")
        drawing.text(left - 8, y + 4, tick(value), "faint", "end")
    for value in sorted(set(xs)):
        x = spot(value, up_scale.least)[0]
        drawing.line(x, bottom, x, bottom + 4, "grid")
        drawing.text(x, bottom + 20, tick(value), "faint", "middle")
    drawing.text((left + right) / 2, _LINES_HEIGHT - 12, across, "faint", "middle")

    ends = []
    for line in sorted(lines_, key=lambda line: line.slot == 0):  # ours is drawn last, on top
        spots = [spot(x, figure.median) for x, figure in line.points]
        if line.slot is None:
            drawing.polyline(spots, "reference")
        else:
            drawing.polyline(spots, f"series s{line.slot}")
            for at, (_, figure) in zip(spots, line.points, strict=True):
                style = f"s{line.slot}" if figure.kept_up else f"hollow s{line.slot}"
                drawing.circle(*at, 4, style)
        ends.append((spots[-1], line))
    _names(drawing, ends, right, bottom)
    return drawing.svg()


def _names(
    drawing: Drawing, ends: list[tuple[tuple[float, float], Line]], right: float, bottom: float
) -> None:
    """Beside the plot, as near to the ends of the lines as they can be without touching."""
    ends.sort(key=lambda end: end[0][1])
    places: list[float] = []
    for (_, y), _line in ends:
        places.append(max(y, places[-1] + _APART) if places else y)
    over = places[-1] - bottom
    for back in range(len(places) - 1, -1, -1):
        if over > 0:
            least = bottom if back == len(places) - 1 else places[back + 1] - _APART
            places[back] = min(places[back], least)
    for place, ((x, y), line) in zip(places, ends, strict=True):
        drawing.line(x + 6, y, right + 18, place, "grid")
        if line.slot is None:
            drawing.line(right + 16, place, right + 28, place, "reference")
        else:
            drawing.circle(right + 22, place, 4, f"s{line.slot}")
        drawing.text(right + 34, place + 4, _cut(line.label), "own" if line.slot == 0 else "label")


def _cut(label: str) -> str:
    """The whole name stands in the table."""
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 3]}..."


def _rows(title: str, unit: str, rows: Sequence[Row], scale: Scale) -> tuple[Drawing, float, float]:
    """The frame of a picture by rows, and where its axis begins and ends."""
    height = _TOP + _ROW * len(rows) + _BOTTOM
    left, right, bottom = _LABELS, WIDTH - _VALUES, height - _BOTTOM
    drawing = Drawing(WIDTH, height, title)
    drawing.text(16, 26, title, "title")
    drawing.text(WIDTH - 16, _TOP - 6, unit, "faint", "end")
    for value in scale.ticks():
        x = left + (right - left) * scale.place(value)
        drawing.line(x, _TOP, x, bottom, "grid")
        drawing.text(x, bottom + 18, tick(value), "faint", "middle")
    for place, row in enumerate(rows):
        y = _TOP + _ROW * (place + 0.5)
        drawing.text(left - 12, y + 4, _cut(row.label), "own" if row.own else "label", "end")
    return drawing, left, right
