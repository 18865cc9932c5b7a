"""Intervals of many things on one axis of time, as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["LANES_STYLE", "Bar", "Lanes", "draw_lanes"]

_WIDTH, _LEFT, _RIGHT, _TOP, _HEIGHT, _FOOT = 960, 190, 10, 8, 24, 26
_LONGEST_NAME = 26
_LEAST_WIDE = 5.0
LANES_STYLE = """
.lanes-plot text{font:12px system-ui,sans-serif;fill:#5b6470}
.lanes-plot .grid{stroke:#dfe3e8}.lanes-plot .common{fill:#a4262c;fill-opacity:.1}
.lanes-plot .reach{fill-opacity:0}
.lanes-plot .critical{fill:#b3202a}.lanes-plot .high{fill:#b0500a}
.lanes-plot .medium{fill:#a08a1c}.lanes-plot .low{fill:#7f97aa}
"""
_TALL = {"critical": 16, "high": 13, "medium": 10, "low": 7}
"""Of a bar, by severity: it is told by height, too, not by colour alone."""


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval [s since 1970]; `end` is None while it goes on, `href` is where it leads, if anywhere."""

    lane: int
    start: float
    end: float | None
    severity: str
    title: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Lanes:
    """What is drawn, from `start` to `end` [s since 1970].

    Attributes:
        names: Of the lanes, from the top.
        common: Instants to be seen across all lanes.
    """

    title: str
    names: Sequence[str]
    bars: Sequence[Bar]
    start: float
    end: float
    ticks: Sequence[tuple[float, str]] = ()
    common: Sequence[float] = ()


def draw_lanes(lanes: Lanes) -> str:
    """The lanes as an SVG element whose styles are in `LANES_STYLE`."""
    foot = _TOP + len(lanes.names) * _HEIGHT
    length = max(lanes.end - lanes.start, 1.0)

    def across(at: float) -> float:
        share = min(max((at - lanes.start) / length, 0.0), 1.0)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    parts = [
        f'<rect class="common" x="{across(at) - 5:.1f}" y="0" width="10" height="{foot}"/>'
        for at in lanes.common
    ]
    for place, name in enumerate(lanes.names):
        y = _TOP + (place + 1) * _HEIGHT
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
        parts.append(f'<text x="{_LEFT - 8}" y="{y - 8}" text-anchor="end">{escape(short)}</text>')
    for place, (at, text) in enumerate(lanes.ticks):
        anchor = "start" if place == 0 else "end" if place == len(lanes.ticks) - 1 else "middle"
        x = across(at)
        parts.append(f'<text x="{x:.1f}" y="{foot + 18}" text-anchor="{anchor}">{escape(text)}</text>')
    for bar in sorted(lanes.bars, key=lambda one: _TALL[one.severity]):
        begin, end = across(bar.start), across(lanes.end if bar.end is None else bar.end)
        wide, tall = max(end - begin, _LEAST_WIDE), _TALL[bar.severity]
        top = _TOP + (bar.lane + 0.5) * _HEIGHT - tall / 2
        shape = f'x="{begin:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{tall}" rx="2"'
        title = f"<title>{escape(bar.title)}</title>"
        drawn = f'<rect class="{bar.severity}" {shape}>{title}</rect>'
        parts.append(_linked(bar, drawn, f'x="{begin:.1f}" width="{wide:.1f}"', top + tall / 2))
    said = escape(lanes.title)
    role = "group" if any(bar.href for bar in lanes.bars) else "img"
    return (
        f'<svg class="lanes-plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {foot + _FOOT}" '
        f'role="{role}" aria-label="{said}"><title>{said}</title>{"".join(parts)}</svg>'
    )


def _linked(bar: Bar, drawn: str, across: str, middle: float) -> str:
    """A bar that leads somewhere, as high as its lane for who points at it."""
    if not bar.href:
        return drawn
    reach = f'<rect class="reach" {across} y="{middle - _HEIGHT / 2:.1f}" height="{_HEIGHT}"/>'
    return f'<a href="{escape(bar.href)}" aria-label="{escape(bar.title)}" data-row="">{reach}{drawn}</a>'
