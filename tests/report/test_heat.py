"""Grids of values as pictures."""

import re
from xml.etree import ElementTree as ET

import numpy as np

from sereno.report.heat import Heat, draw_heat


def _area(svg: str, shade: str) -> float:
    """Of all cells of a shade, in the units of the picture."""
    found = re.search(rf'<path class="{shade}" d="([^"]*)"', svg)
    boxes = re.findall(r"h([\d.]+)v(\d+)", found[1]) if found else []
    return sum(float(wide) * float(tall) for wide, tall in boxes)


def test_every_cell_is_drawn_once_and_missing_ones_are_not() -> None:
    values = np.array([[0.0, 0.0, 1.0], [np.nan, 1.0, 1.0]])
    svg = draw_heat(Heat("grid", values, ["a", "b"], ["x", "y", "z"], cell_height=10))
    cell = (960 - 92 - 6) / 3 * 10

    assert round(_area(svg, "q0") / cell, 2) == 2
    assert round(_area(svg, "q8") / cell, 2) == 3
    assert sum(round(_area(svg, f"q{n}")) for n in range(1, 8)) == 0


def test_picture_is_xml_whatever_stands_in_it() -> None:
    svg = draw_heat(Heat("<a> & b", np.array([[1.0]]), ["<r>"], ["&"], unit="m³"))
    root = ET.fromstring(svg)

    assert root.attrib["aria-label"] == "<a> & b"


def test_scale_around_zero_puts_zero_in_the_middle() -> None:
    svg = draw_heat(Heat("c", np.array([[-1.0, 0.0, 1.0]]), ["r"], ["a", "b", "c"], is_around=True))

    assert all(_area(svg, shade) > 0 for shade in ("d0", "d4", "d8"))
    assert re.findall(r'class="in(?: far)?"[^>]*>([^<]*)<', svg) == ["-1", "0", "1"]
