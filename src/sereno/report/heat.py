"""Grids of values as pictures: a cell is the darker the higher its value; SVG text, no script, no library."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.i18n.numbers import number

__all__ = ["HEAT_STYLE", "N_SHADES", "Heat", "draw_heat"]

N_SHADES = 9
"""Of a scale from low to high; of a scale around 0 the middle one is 0."""
_WIDTH = 960
_LEFT, _RIGHT, _TOP, _FOOT = 92, 6, 6, 46
_OUTER = 0.01
"""Share of the values at each end that have the shade of the end."""
_SCALE = 200
_LEAST_APART = 46
_NUMBERED = 12
"""Cells in a row up to which each shows its number."""
_ALONE_LIGHT = (
    "#edf1f4",
    "#d8e2ea",
    "#bfd0dd",
    "#a2bccf",
    "#83a6bf",
    "#648fae",
    "#47779a",
    "#2c5f84",
    "#12466b",
)
_ALONE_AROUND = (
    "#8a4b12", "#b87a3e", "#d9ab7c", "#eddcc6", "#f2f3f4", "#d3e0ea", "#9bbdd6", "#5f95bb", "#1f6796",
)  # fmt: skip
HEAT_STYLE = (
    ".heat text{font:12px system-ui,sans-serif;fill:#5b6470}.heat .in{font-size:13px;fill:#1d232a}"
    ".heat .in.far{fill:#fff}.heat .gap{fill:none;stroke:#dfe3e8}"
    + "".join(f".heat .q{n}{{fill:{colour}}}" for n, colour in enumerate(_ALONE_LIGHT))
    + "".join(f".heat .d{n}{{fill:{colour}}}" for n, colour in enumerate(_ALONE_AROUND))
)


@dataclass(frozen=True, slots=True)
class Heat:
    """What is drawn.

    Attributes:
        title: Read aloud in place of the picture.
        values: Shape (rows, columns); NaN stays empty.
        rows, columns: Names, one each; an empty one is not written.
        cell_height: Of a row [units of a picture 960 wide].
        is_around: The scale goes from -1 over 0 to 1, as that of a correlation.
    """

    title: str
    values: FloatArray
    rows: Sequence[str]
    columns: Sequence[str]
    unit: str = ""
    cell_height: int = 16
    is_around: bool = False
    language: str = "en"


def draw_heat(heat: Heat) -> str:
    """The grid as an SVG element whose styles are in `HEAT_STYLE`."""
    n_rows, n_columns = heat.values.shape
    width = (_WIDTH - _LEFT - _RIGHT) / max(n_columns, 1)
    foot = _TOP + n_rows * heat.cell_height
    height = foot + _FOOT
    low, high = (-1.0, 1.0) if heat.is_around else _ends(heat.values)
    shades = _shades(heat.values, low, high)
    letter = "d" if heat.is_around else "q"
    frame = (
        f'<rect class="gap" x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" height="{foot - _TOP}"/>'
    )
    parts = [frame]
    for shade in range(N_SHADES):
        cells = _cells(shades == shade, width, heat.cell_height)
        if cells:
            parts.append(f'<path class="{letter}{shade}" d="{cells}"/>')
    if heat.is_around and n_columns <= _NUMBERED:
        parts += _numbers(heat, shades, width)
    parts += _row_names(heat)
    parts += _column_names(heat, width, foot)
    parts.append(_scale(heat, low, high, letter, height))
    title = escape(heat.title)
    return (
        f'<svg class="heat" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{title}"><title>{title}</title>{"".join(parts)}</svg>'
    )


def _ends(values: FloatArray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = np.quantile(known, [_OUTER, 1.0 - _OUTER]).tolist()
    return (low, high) if high > low else (float(known.min()), float(known.max()))


def _shades(values: FloatArray, low: float, high: float) -> np.ndarray:
    """Shade of each cell, -1 for an empty one."""
    share = (values - low) / (high - low) if high > low else np.where(np.isfinite(values), 0.5, np.nan)
    found = np.clip(np.floor(np.nan_to_num(share) * N_SHADES), 0, N_SHADES - 1).astype(int)
    return np.where(np.isfinite(values), found, -1)


def _cells(is_of: np.ndarray, width: float, height: int) -> str:
    """The cells of one shade as a path; neighbours in a row, or in a column, are one rectangle."""
    by_row = _runs(is_of)
    by_column = _runs(is_of.T)
    if len(by_column) < len(by_row):
        boxes = [(start, across, 1, length) for across, start, length in by_column]
    else:
        boxes = [(down, start, length, 1) for down, start, length in by_row]
    return "".join(
        f"M{_LEFT + left * width:.1f} {_TOP + top * height}"
        f"h{wide * width:.1f}v{tall * height}h{-wide * width:.1f}z"
        for top, left, wide, tall in boxes
    )


def _runs(is_of: np.ndarray) -> list[tuple[int, int, int]]:
    """Row, first column and length of each run."""
    padded = np.pad(is_of, ((0, 0), (1, 1)))
    change = np.diff(padded.astype(np.int8), axis=1)
    rows, starts = np.nonzero(change == 1)
    _, stops = np.nonzero(change == -1)
    return list(zip(rows.tolist(), starts.tolist(), (stops - starts).tolist(), strict=True))


def _numbers(heat: Heat, shades: np.ndarray, width: float) -> list[str]:
    found = []
    for (row, column), value in np.ndenumerate(heat.values):
        if not np.isfinite(value):
            continue
        is_far = shades[row, column] in (0, N_SHADES - 1, N_SHADES - 2)
        x, y = _LEFT + (column + 0.5) * width, _TOP + (row + 0.5) * heat.cell_height + 4
        text = number(round(float(value), 2), heat.language)
        kind = "in far" if is_far else "in"
        found.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>')
    return found


def _row_names(heat: Heat) -> list[str]:
    return [
        f'<text x="{_LEFT - 6}" y="{_TOP + (row + 0.5) * heat.cell_height + 4:.1f}" text-anchor="end">'
        f"{escape(name)}</text>"
        for row, name in enumerate(heat.rows)
        if name
    ]


def _column_names(heat: Heat, width: float, foot: int) -> list[str]:
    found, last = [], -float("inf")
    for column, name in enumerate(heat.columns):
        at = _LEFT + (column + 0.5) * width
        if not name or at - last < min(_LEAST_APART, 4 + 7 * len(name)):
            continue
        last = at
        found.append(f'<text x="{at:.1f}" y="{foot + 15}" text-anchor="middle">{escape(name)}</text>')
    return found


def _scale(heat: Heat, low: float, high: float, letter: str, height: int) -> str:
    one = _SCALE / N_SHADES
    begin, top = _WIDTH - _RIGHT - _SCALE - 70, height - 16
    boxes = "".join(
        f'<rect class="{letter}{shade}" x="{begin + shade * one:.1f}" y="{top}" '
        f'width="{one:.1f}" height="10"/>'
        for shade in range(N_SHADES)
    )
    least = f'<text x="{begin - 6}" y="{top + 10}" text-anchor="end">{number(low, heat.language)}</text>'
    most = f"{number(high, heat.language)} {heat.unit}".strip()
    return f'{boxes}{least}<text x="{begin + _SCALE + 6}" y="{top + 10}">{escape(most)}</text>'
