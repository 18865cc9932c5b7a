"""Every signal against every other one: a matrix of clouds of points, with histograms on the diagonal."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["SCATTER_STYLE", "ScatterMatrix", "draw_scatter"]

_LEFT, _TOP, _CELL, _BETWEEN, _FOOT, _INSIDE = 140, 4, 150, 8, 22, 5
_BINS = 20
_LONGEST_NAME = 18
SCATTER_STYLE = """
.scatter-plot text{font:12px system-ui,sans-serif;fill:#5b6470}
.scatter-plot .frame{fill:none;stroke:#dfe3e8}
.scatter-plot .bar{fill:#2f6f9f}
.scatter-plot .cloud{fill:none;stroke:#2f6f9f;stroke-width:3;stroke-linecap:round;stroke-opacity:.45}
.scatter-plot .abnormal{fill:none;stroke:#a4262c;stroke-width:4.5;stroke-linecap:round}
"""


@dataclass(frozen=True, slots=True)
class ScatterMatrix:
    """What is drawn.

    Attributes:
        names: Of the signals, from the left and from the top.
        values: Shape (points, signals); a point is drawn where both of its signals are known.
        is_abnormal: Shape (points,); such points are drawn last, larger and in another colour.
    """

    title: str
    names: Sequence[str]
    values: FloatArray
    is_abnormal: np.ndarray


def draw_scatter(matrix: ScatterMatrix) -> str:
    """The matrix as an SVG element whose styles are in `SCATTER_STYLE`; the lower half of it."""
    n = len(matrix.names)
    side = n * (_CELL + _BETWEEN)
    shares = _shares(matrix.values)
    parts = []
    for row in range(n):
        top = _TOP + row * (_CELL + _BETWEEN)
        name = _short(matrix.names[row])
        parts.append(f'<text x="{_LEFT - 8}" y="{top + _CELL / 2:.0f}" text-anchor="end">{name}</text>')
        for column in range(row + 1):
            left = _LEFT + column * (_CELL + _BETWEEN)
            parts.append(f'<rect class="frame" x="{left}" y="{top}" width="{_CELL}" height="{_CELL}"/>')
            if row == column:
                parts += _histogram(shares[:, row], left, top)
            else:
                parts += _clouds(shares[:, column], shares[:, row], matrix.is_abnormal, left, top)
    for column, name in enumerate(matrix.names):
        x = _LEFT + column * (_CELL + _BETWEEN) + _CELL / 2
        parts.append(f'<text x="{x:.0f}" y="{_TOP + side + 12}" text-anchor="middle">{_short(name)}</text>')
    said = escape(matrix.title)
    return (
        f'<svg class="scatter-plot" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {_LEFT + side} {_TOP + side + _FOOT}" '
        f'role="img" aria-label="{said}"><title>{said}</title>{"".join(parts)}</svg>'
    )


def _shares(values: FloatArray) -> FloatArray:
    """Each signal from its least value (0) to its largest (1); the middle where it never changes."""
    found = np.full(values.shape, np.nan)
    for place in range(values.shape[1]):
        known = np.isfinite(values[:, place])
        if not known.any():
            continue
        low, high = values[known, place].min(), values[known, place].max()
        found[known, place] = 0.5 if high == low else (values[known, place] - low) / (high - low)
    return found


def _histogram(shares: FloatArray, left: int, top: int) -> list[str]:
    counts, _ = np.histogram(shares[np.isfinite(shares)], bins=_BINS, range=(0.0, 1.0))
    if not counts.any():
        return []
    wide, room = (_CELL - 2 * _INSIDE) / _BINS, _CELL - 2 * _INSIDE
    steps = []
    for place, count in enumerate(counts.tolist()):
        tall = count / counts.max() * room
        x, y = left + _INSIDE + place * wide, top + _CELL - _INSIDE
        steps.append(f"M{x:.1f} {y}v-{tall:.1f}h{wide - 0.8:.1f}v{tall:.1f}z")
    return [f'<path class="bar" d="{"".join(steps)}"/>']


def _clouds(x: FloatArray, y: FloatArray, is_abnormal: np.ndarray, left: int, top: int) -> list[str]:
    found = []
    known, room = np.isfinite(x) & np.isfinite(y), _CELL - 2 * _INSIDE
    for kind, wanted in (("cloud", known & ~is_abnormal), ("abnormal", known & is_abnormal)):
        across = (left + _INSIDE + x[wanted] * room).round().astype(int).tolist()
        down = (top + _INSIDE + (1 - y[wanted]) * room).round().astype(int).tolist()
        # Points at the same place are drawn once.
        steps = [f"M{one} {other}h0" for one, other in dict.fromkeys(zip(across, down, strict=True))]
        if steps:
            found.append(f'<path class="{kind}" d="{"".join(steps)}"/>')
    return found


def _short(name: str) -> str:
    return escape(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…")
