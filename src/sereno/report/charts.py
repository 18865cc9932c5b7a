"""Line charts as SVG text: no library, no script, nothing outside the file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from sereno.domain.arrays import round_values
from sereno.domain.readings import FloatArray
from sereno.i18n.numbers import number

__all__ = ["Area", "Bars", "Chart", "Line", "draw", "stand_alone"]

WIDTH, HEIGHT = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 12, 26
_N_TICKS = 5
_TICK, _LETTER = 4, 7.2
"""Of a mark below the axis and of a letter, height and width."""
_POINTS = ("dots", "own")
STYLE = """
.chart text{font:12px system-ui,sans-serif;fill:#5b6470}
.chart .grid{stroke:#dfe3e8;stroke-width:1}
.chart .line{fill:none;stroke:#2f6f9f;stroke-width:1.5;stroke-linejoin:round}
.chart .second{fill:none;stroke:#7a8591;stroke-width:1.2;stroke-dasharray:4 3}
.chart .limit{stroke:#a4262c;stroke-width:1.2;stroke-dasharray:6 3}
.chart .shade{fill:#d9534f;fill-opacity:.22}
.chart .mark{fill:#a4262c}
.chart .area{fill:#7a8591;fill-opacity:.2}
.chart .bar{fill:#2f6f9f}
.chart .dots circle{fill:#2f6f9f;fill-opacity:.45}
.chart .own circle{fill:#a4262c}
.chart .between{stroke:#7a8591;stroke-width:1.5}
.chart .usual{fill:#fff;stroke:#5b6470;stroke-width:1.5}
"""
_ALONE = "svg{background:#fff}" + STYLE


@dataclass(frozen=True, slots=True)
class Line:
    """A series.

    Attributes:
        x, y: Shape (points,); the line is broken where y is NaN.
        kind: `line`, or `second` for what it is compared with; `dots` and `own` are points without a line.
        has_marks: Whether each point is shown.
    """

    x: FloatArray
    y: FloatArray
    kind: str = "line"
    has_marks: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """A band between two lines, shape (points,) each; broken where either is NaN."""

    x: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from 0 up, between edges of shape (bars + 1,), heights of shape (bars,)."""

    edges: FloatArray
    heights: FloatArray


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn.

    Attributes:
        title: Read aloud in place of the picture.
        ticks: Positions on the x axis and what stands there.
        shades: Stretches of x that are abnormal.
        limit: A value of y to be seen.
        axes: What stands beside the x and the y axis.
    """

    title: str
    lines: Sequence[Line]
    ticks: Sequence[tuple[float, str]] = ()
    shades: Sequence[tuple[float, float]] = field(default=())
    limit: float | None = None
    language: str = "en"
    areas: Sequence[Area] = ()
    bars: Bars | None = None
    axes: tuple[str, str] = ("", "")

    @property
    def points(self) -> tuple[FloatArray, FloatArray]:
        """All that the axes have to hold."""
        x, y = [line.x for line in self.lines], [line.y for line in self.lines]
        for one in self.areas:
            x += [one.x, one.x]
            y += [one.low, one.high]
        if self.bars is not None:
            x.append(self.bars.edges)
            y += [self.bars.heights, np.zeros(1)]
        if self.limit is not None:
            y.append(np.array([self.limit]))
        return np.concatenate(x or [np.zeros(1)]), np.concatenate(y or [np.zeros(1)])


def draw(chart: Chart) -> str:
    """The chart as an SVG element whose styles are in `STYLE`."""
    axes = _Axes.of(chart)
    parts = [_grid(axes, chart)]
    for start, stop in chart.shades:
        left, right = axes.across(max(start, axes.x_low)), axes.across(min(stop, axes.x_high))
        wide = max(right - left, 1.5)
        shape = f'x="{left:.1f}" y="{_TOP}" width="{wide:.1f}" height="{HEIGHT - _TOP - _BOTTOM}"'
        parts.append(f'<rect class="shade" {shape}/>')
    parts += [_area(axes, one) for one in chart.areas]
    if chart.bars is not None:
        parts += _bars(axes, chart.bars)
    parts += [_line(axes, line) for line in chart.lines]
    if chart.limit is not None:
        parts.append(_level("limit", axes.up(chart.limit)))
    title = escape(chart.title)
    return (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}"><title>{title}</title>{"".join(parts)}</svg>'
    )


def stand_alone(chart: Chart) -> str:
    """The chart as a file of its own."""
    svg = draw(chart)
    cut = svg.index(">") + 1
    return f"{svg[:cut]}<style>{_ALONE}</style>{svg[cut:]}\n"


@dataclass(frozen=True, slots=True)
class _Axes:
    """From values to places in the picture."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    @classmethod
    def of(cls, chart: Chart) -> "_Axes":
        x, y = chart.points
        x_low, x_high = _apart(x[np.isfinite(x)])
        y_low, y_high = _apart(y[np.isfinite(y)])
        margin = 0.05 * (y_high - y_low)
        below = 0.0 if chart.bars is not None and y_low == 0 else margin
        return cls(x_low, x_high, y_low - below, y_high + margin)

    def across(self, x: float) -> float:
        return _LEFT + (x - self.x_low) / (self.x_high - self.x_low) * (WIDTH - _LEFT - _RIGHT)

    def up(self, y: float) -> float:
        return HEIGHT - _BOTTOM - (y - self.y_low) / (self.y_high - self.y_low) * (HEIGHT - _TOP - _BOTTOM)


def _apart(values: FloatArray) -> tuple[float, float]:
    """The least and the largest value, never the same."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = 0.5 * (abs(low) or 1.0) if low == high else 0.0
    return low - room, high + room


def _grid(axes: _Axes, chart: Chart) -> str:
    parts = []
    for value in round_values(axes.y_low, axes.y_high, at_most=_N_TICKS):
        at, text = axes.up(value), number(value, chart.language)
        parts.append(_level("grid", at))
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    for x, text in chart.ticks:
        at, foot = axes.across(x), HEIGHT - _BOTTOM
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{foot}" y2="{foot + _TICK}"/>')
        half = _LETTER * len(text) / 2
        where = f'x="{min(max(at, half), WIDTH - half):.1f}" y="{HEIGHT - 8}" text-anchor="middle"'
        parts.append(f"<text {where}>{escape(text)}</text>")
    across, up = chart.axes
    if up:
        parts.append(f'<text class="axis" x="{_LEFT}" y="10">{escape(up)}</text>')
    if across:
        where = f'x="{WIDTH - _RIGHT}" y="{HEIGHT - _BOTTOM - 5}" text-anchor="end"'
        parts.append(f'<text class="axis" {where}>{escape(across)}</text>')
    return "".join(parts)


def _level(kind: str, at: float) -> str:
    return f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'


def _area(axes: _Axes, area: Area) -> str:
    is_known = np.isfinite(area.low) & np.isfinite(area.high)
    runs = np.split(np.arange(len(area.x)), np.flatnonzero(np.diff(is_known)) + 1)
    parts = []
    for run in runs:
        if not len(run) or not is_known[run[0]]:
            continue
        there = [f"{axes.across(area.x[i]):.1f} {axes.up(area.high[i]):.1f}" for i in run]
        back = [f"{axes.across(area.x[i]):.1f} {axes.up(area.low[i]):.1f}" for i in run[::-1]]
        parts.append(f'<path class="area" d="M{"L".join(there + back)}Z"/>')
    return "".join(parts)


def _bars(axes: _Axes, bars: Bars) -> list[str]:
    floor = axes.up(0.0)
    found = []
    for left, right, height in zip(bars.edges, bars.edges[1:], bars.heights, strict=False):
        if not height > 0:
            continue
        begin, end, top = axes.across(left), axes.across(right), axes.up(height)
        shape = f'x="{begin:.1f}" y="{top:.1f}" width="{max(end - begin - 1, 0.5):.1f}"'
        found.append(f'<rect class="bar" {shape} height="{max(floor - top, 0.5):.1f}"/>')
    return found


def _line(axes: _Axes, line: Line) -> str:
    if line.kind not in _POINTS:
        return _path(axes, line)
    is_known = np.isfinite(line.x) & np.isfinite(line.y)
    marks = [
        f'<circle cx="{axes.across(x):.1f}" cy="{axes.up(y):.1f}" r="2.5"/>'
        for x, y in zip(line.x[is_known].tolist(), line.y[is_known].tolist(), strict=True)
    ]
    return f'<g class="{line.kind}">{"".join(marks)}</g>'


def _path(axes: _Axes, line: Line) -> str:
    x, y = _thinned(line.x, line.y)
    steps, is_drawn, marks = [], False, []
    for one, value in zip(x.tolist(), y.tolist(), strict=True):
        if not np.isfinite(value):
            is_drawn = False
            continue
        at = f"{axes.across(one):.1f} {axes.up(value):.1f}"
        steps.append(f"{'L' if is_drawn else 'M'}{at}")
        if line.has_marks:
            left, top = at.split()
            marks.append(f'<circle class="mark" cx="{left}" cy="{top}" r="2"/>')
        is_drawn = True
    return f'<path class="{line.kind}" d="{"".join(steps)}"/>{"".join(marks)}'


def _thinned(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and largest value of each column of the picture: peaks stay, points that nobody sees go."""
    n_columns = WIDTH - _LEFT - _RIGHT
    if len(x) <= 2 * n_columns:
        return x, y
    rows = []
    for part in np.array_split(np.arange(len(x)), n_columns):
        values = y[part]
        known = np.isfinite(values)
        if known.any():
            extremes = part[known][[values[known].argmin(), values[known].argmax()]]
            rows.append(np.sort(extremes))
        else:
            rows.append(part[:1])
    kept = np.unique(np.concatenate(rows))
    return x[kept], y[kept]
