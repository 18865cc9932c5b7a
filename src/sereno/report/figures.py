"""Small figures as SVG: lines, points in groups, and grids of them; one file each, without scripts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, isfinite, log10
from pathlib import Path

__all__ = ["Points", "line_figure", "point_figure", "point_grid", "write_figure"]

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 55
_TICKS = 5
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5c00", "#444444")
"""Told apart by people who do not see all colours (Okabe and Ito 2008)."""
_SHAPES = ("circle", "square", "diamond", "triangle")
_SIZE = 5.0
_SMALL = 11
_LETTER = 0.6
"""Width of a letter over its size, on average."""


@dataclass(frozen=True, slots=True)
class Points:
    """Labelled points of a plane.

    Attributes:
        x, y: Coordinates.
        groups: Number of each point's group.
        names: Label of each point, shown on hover and, with few points, beside it.
    """

    x: Sequence[float]
    y: Sequence[float]
    groups: Sequence[int]
    names: Sequence[str]


def line_figure(
    title: str,
    axes: tuple[str, str],
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    marked: float | None = None,
) -> str:
    """Lines over common x; values that are not finite are left out.

    Args:
        axes: Names of the axes, x first.
        marked: x at which a vertical line stands.
    """
    shown = [value for values in series.values() for value in values if isfinite(value)]
    frame = _Frame.around(x, shown)
    parts = [*frame.axes(axes)]
    if marked is not None:
        place = frame.x(marked)
        parts.append(_line(place, _TOP, place, _HEIGHT - _BOTTOM, "#888888", dash="4 3"))
    for number, (name, values) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        known = [(a, b) for a, b in zip(x, values, strict=True) if isfinite(b)]
        path = " ".join(f"{frame.x(a):.1f},{frame.y(b):.1f}" for a, b in known)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [_mark(frame.x(a), frame.y(b), number, f"{name}: {b:.4g}") for a, b in known]
    parts += _legend(list(series)) if len(series) > 1 else []
    return _document(title, parts)


def _legend(names: Sequence[str]) -> list[str]:
    """Names of the lines above the frame, from the right."""
    right, parts = float(_WIDTH - _RIGHT), []
    for number, name in reversed(list(enumerate(names))):
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(_text(right, _TOP - 5, name, anchor="end", fill=colour, size=_SMALL))
        right -= _SMALL * _LETTER * (len(name) + 2)
    return parts


def point_figure(title: str, axes: tuple[str, str], points: Points, *, label_up_to: int = 40) -> str:
    """Points coloured and shaped by group, with a legend.

    Args:
        label_up_to: Number of points up to which each has its name beside it.
    """
    frame = _Frame.around(points.x, points.y)
    parts = [*frame.axes(axes), *_marks(frame, points)]
    if len(points.names) <= label_up_to:
        for x, y, name in zip(points.x, points.y, points.names, strict=True):
            parts.append(_text(frame.x(x) + 7, frame.y(y) - 6, name, size=10))
    for place, group in enumerate(sorted(set(points.groups))):
        y = _TOP + 14 * place
        parts.append(_mark(_WIDTH - _RIGHT - 12, y, group, str(group)))
        parts.append(_text(_WIDTH - _RIGHT - 24, y + 4, str(group), anchor="end", size=11))
    return _document(title, parts)


def point_grid(title: str, columns: Mapping[str, Sequence[float]], like: Points) -> str:
    """Each pair of columns against each other, points as in `like`; the diagonal names the column."""
    names = list(columns)
    cell = 180
    size = cell * len(names)
    parts = []
    for row, below in enumerate(names):
        for column, beside in enumerate(names):
            corner = (
                f'<g transform="translate({column * cell},{row * cell + _TOP}) scale({cell / _WIDTH:.4f})">'
            )
            if row == column:
                inner = [_text(_WIDTH / 2, _HEIGHT / 2, beside, anchor="middle", size=44)]
            else:
                points = Points(columns[beside], columns[below], like.groups, like.names)
                frame = _Frame.around(points.x, points.y)
                inner = [frame.box(), *_marks(frame, points, scale=2.0)]
            parts.append(corner + "".join(inner) + "</g>")
    return _document(title, parts, width=size, height=size + _TOP)


def write_figure(path: Path, figure: str) -> Path:
    """Write a figure, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(figure, "utf-8")
    partial.replace(path)
    return path


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values lie on the page."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    @classmethod
    def around(cls, x: Sequence[float], y: Sequence[float]) -> "_Frame":
        return cls(*_bounds(x), *_bounds(y))

    def x(self, value: float) -> float:
        return _LEFT + (value - self.x_low) / (self.x_high - self.x_low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return (
            _HEIGHT - _BOTTOM - (value - self.y_low) / (self.y_high - self.y_low) * (_HEIGHT - _TOP - _BOTTOM)
        )

    def box(self) -> str:
        """The border of the plane."""
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return (
            f'<rect x="{_LEFT}" y="{_TOP}" width="{width}" height="{height}" fill="none" stroke="#999999"/>'
        )

    def axes(self, names: tuple[str, str]) -> Iterator[str]:
        """Border, ticks and names of the axes."""
        yield self.box()
        for value in _ticks(self.x_low, self.x_high):
            yield _text(self.x(value), _HEIGHT - _BOTTOM + 18, f"{value:g}", anchor="middle", size=11)
        for value in _ticks(self.y_low, self.y_high):
            place = self.y(value)
            yield _line(_LEFT, place, _WIDTH - _RIGHT, place, "#e6e6e6")
            yield _text(_LEFT - 8, place + 4, f"{value:g}", anchor="end", size=11)
        yield _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, names[0], anchor="middle")
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        yield _text(16, middle, names[1], anchor="middle", turn=True)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Bounds with a margin; a plane of one point is one wide."""
    low, high = (min(values), max(values)) if len(values) else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.5
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two bounds."""
    rough = (high - low) / _TICKS
    unit = 10.0 ** floor(log10(rough))
    step = min((unit * factor for factor in (1, 2, 5, 10)), key=lambda one: abs(one - rough))
    first = floor(low / step) + 1
    return [round((first + i) * step, 12) for i in range(_TICKS * 3) if (first + i) * step <= high]


def _marks(frame: _Frame, points: Points, *, scale: float = 1.0) -> list[str]:
    listed = zip(points.x, points.y, points.groups, points.names, strict=True)
    return [_mark(frame.x(x), frame.y(y), group, name, scale=scale) for x, y, group, name in listed]


def _mark(x: float, y: float, group: int, name: str, *, scale: float = 1.0) -> str:
    """A point of its group's colour and shape, with its name on hover."""
    colour, shape, r = _COLOURS[group % len(_COLOURS)], _SHAPES[group % len(_SHAPES)], _SIZE * scale
    title = f"<title>{escape(name)}</title>"
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{colour}">{title}</circle>'
    corners = {
        "square": ((-r, -r), (r, -r), (r, r), (-r, r)),
        "diamond": ((0, -1.3 * r), (1.3 * r, 0), (0, 1.3 * r), (-1.3 * r, 0)),
        "triangle": ((0, -1.2 * r), (1.1 * r, 0.9 * r), (-1.1 * r, 0.9 * r)),
    }[shape]
    path = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{path}" fill="{colour}">{title}</polygon>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashed}/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 13,
    fill: str = "#222222",
    turn: bool = False,
) -> str:
    turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{turned}>'
        f"{escape(text)}</text>"
    )


def _document(title: str, parts: Sequence[str], *, width: int = _WIDTH, height: int = _HEIGHT) -> str:
    heading = _text(_LEFT, 24, title, size=16)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif"><title>{escape(title)}</title>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{heading}{"".join(parts)}</svg>\n'
    )
