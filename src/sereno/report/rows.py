"""Rows with two points each on one axis: what somebody is, beside what those like them are."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sereno.domain.arrays import round_values
from sereno.i18n.numbers import number

__all__ = ["Row", "draw_rows"]

_WIDTH, _LEFT, _RIGHT, _TOP, _HEIGHT, _FOOT = 480, 190, 14, 8, 26, 26
_MARGIN = 0.08
_LEAST_WIDE = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `own` is drawn as a diamond, `usual` as a ring."""

    name: str
    own: float
    usual: float


def draw_rows(title: str, rows: Sequence[Row], *, language: str) -> str:
    """The rows as an SVG element whose styles are in `charts.STYLE`."""
    values = [value for row in rows for value in (row.own, row.usual)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(_MARGIN * (high - low), _LEAST_WIDE - (high - low), 1e-9)
    low, high = low - room, high + room
    foot = _TOP + len(rows) * _HEIGHT

    def across(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    parts = []
    for value in round_values(low, high, at_most=5):
        x = across(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{foot}"/>')
        text = number(value, language)
        parts.append(f'<text x="{x:.1f}" y="{foot + 16}" text-anchor="middle">{text}</text>')
    for place, row in enumerate(rows):
        y = _TOP + (place + 0.5) * _HEIGHT
        own, usual = across(row.own), across(row.usual)
        name = escape(row.name)
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{name}</text>')
        parts.append(f'<line class="between" x1="{own:.1f}" x2="{usual:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<circle class="usual" cx="{usual:.1f}" cy="{y:.1f}" r="5"/>')
        parts.append(f'<path class="bar" d="M{own:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"/>')
    said = escape(title)
    return (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {foot + _FOOT}" '
        f'role="img" aria-label="{said}"><title>{said}</title>{"".join(parts)}</svg>'
    )
