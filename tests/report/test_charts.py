import re
from xml.etree import ElementTree as ET

import numpy as np

from sereno.report.charts import HEIGHT, WIDTH, Chart, Line, draw, stand_alone

NAMESPACE = "{http://www.w3.org/2000/svg}"


def _numbers(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", path)]


def test_line_is_broken_where_a_value_is_missing_and_stays_inside() -> None:
    y = np.array([1.0, 2.0, np.nan, -5.0, 3.0])

    root = ET.fromstring(stand_alone(Chart("t", [Line(np.arange(5.0), y)])))

    path = root.find(f"{NAMESPACE}path").get("d")
    assert path.count("M") == 2
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in _numbers(path))


def test_peak_survives_thinning() -> None:
    y = np.zeros(50_000)
    y[31_234] = 9.0

    svg = draw(Chart("t", [Line(np.arange(50_000.0), y)]))

    points = _numbers(svg)
    assert len(points) < 2_000
    assert min(at for _, at in points) < HEIGHT / 4


def test_empty_flat_and_unknown_series_are_drawn() -> None:
    for y in (np.zeros(0), np.full(3, 7.0), np.full(3, np.nan)):
        svg = draw(Chart("t", [Line(np.arange(float(len(y))), y)], limit=2.0))

        assert "nan" not in svg
        ET.fromstring(svg)


def test_title_and_ticks_are_text_and_not_markup() -> None:
    chart = Chart('<b>"x"&', [Line(np.arange(3.0), np.arange(3.0))], ticks=[(0.0, "<i>"), (2.0, "b")])

    root = ET.fromstring(draw(chart))

    assert root.find(f"{NAMESPACE}title").text == '<b>"x"&'
    assert "<i>" in [text.text for text in root.findall(f"{NAMESPACE}text")]


def test_abnormal_stretches_and_limit_lie_over_the_line() -> None:
    chart = Chart("t", [Line(np.arange(10.0), np.arange(10.0))], shades=[(2.0, 4.0)], limit=5.0)

    root = ET.fromstring(draw(chart))

    (shade,) = root.findall(f"{NAMESPACE}rect")
    xs = [x for x, _ in _numbers(root.find(f"{NAMESPACE}path").get("d"))]
    assert float(shade.get("x")) == xs[2]
    assert len([one for one in root.findall(f"{NAMESPACE}line") if one.get("class") == "limit"]) == 1
