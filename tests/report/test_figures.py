"""Figures are well-formed, show every value, and never carry what a name smuggles in."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sereno.report.figures import Points, line_figure, point_figure, point_grid, write_figure

SVG = "{http://www.w3.org/2000/svg}"
POINTS = Points([0.0, 1.0, 2.0, 3.0], [1.0, 5.0, 2.0, 2.0], [0, 1, 2, 3], ["a", "b", "c", "d"])


def test_line_has_a_mark_per_known_value() -> None:
    figure = line_figure("T", ("x", "y"), [1, 2, 3], {"s": [4.0, float("nan"), 2.0]}, marked=2)

    root = ET.fromstring(figure)
    assert len(root.findall(f"{SVG}circle")) == 2
    assert len(root.find(f"{SVG}polyline").get("points").split()) == 2  # type: ignore[union-attr]
    assert [one for one in root.findall(f"{SVG}line") if one.get("stroke-dasharray")]


def test_groups_differ_by_shape_too() -> None:
    root = ET.fromstring(point_figure("T", ("x", "y"), POINTS))

    assert len(root.findall(f"{SVG}circle")) == 2  # one point, one in the legend
    assert len(root.findall(f"{SVG}polygon")) == 6
    assert {text.text for text in root.findall(f"{SVG}text")} >= {"a", "b", "c", "d", "x", "y", "T"}


def test_points_lie_inside_the_frame() -> None:
    root = ET.fromstring(point_figure("T", ("x", "y"), POINTS))

    frame = root.findall(f"{SVG}rect")[1]
    left, top = float(frame.get("x", "")), float(frame.get("y", ""))
    right, bottom = left + float(frame.get("width", "")), top + float(frame.get("height", ""))
    mark = root.findall(f"{SVG}circle")[0]
    assert left < float(mark.get("cx", "")) < right
    assert top < float(mark.get("cy", "")) < bottom


@pytest.mark.parametrize(
    "values", [[3.0, 3.0, 3.0], [0.0, 0.0, 0.0], [1e-9, 2e-9, 3e-9], [1e12, 2e12, -1e12]]
)
def test_any_size_of_values_can_be_drawn(values: list[float]) -> None:
    root = ET.fromstring(line_figure("T", ("x", "y"), [1.0, 2.0, 3.0], {"s": values}))

    assert len(root.findall(f"{SVG}circle")) == 3
    assert "nan" not in ET.tostring(root).decode()


def test_names_are_text_and_nothing_else() -> None:
    evil = "<script>alert(1)</script>\"'&"

    figure = point_grid(evil, {evil: [1.0], "b": [2.0]}, Points([1.0], [1.0], [0], [evil]))

    assert "<script>" not in figure
    assert ET.fromstring(figure).find(f"{SVG}title").text == evil  # type: ignore[union-attr]


def test_grid_draws_each_pair_and_names_the_diagonal() -> None:
    columns = {"a": [1.0, 2.0], "b": [2.0, 1.0], "c": [0.0, 0.0]}

    root = ET.fromstring(point_grid("T", columns, Points([0, 0], [0, 0], [0, 1], ["p", "q"])))

    cells = root.findall(f"{SVG}g")
    assert len(cells) == 9
    assert [cell.find(f"{SVG}text").text for cell in cells if cell.find(f"{SVG}text") is not None] == [  # type: ignore[union-attr]
        "a",
        "b",
        "c",
    ]


def test_figure_is_written_whole(tmp_path: Path) -> None:
    path = write_figure(tmp_path / "new" / "f.svg", line_figure("T", ("x", "y"), [1.0], {"s": [1.0]}))

    assert ET.parse(path).getroot().tag == f"{SVG}svg"
    assert [one.name for one in path.parent.iterdir()] == ["f.svg"]
