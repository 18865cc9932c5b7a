"""Pictures for messages: small, sharp, right where it matters, and none without rows."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from sereno.notify import canvas
from sereno.notify.picture import Series, draw_picture

START = np.datetime64("2025-03-08T00:00", "us")
MAX_BYTES = 40_000


def a_series(rows: int = 288, minutes: int = 15, *, abnormal_rows: int = 36) -> Series:
    """A plant that stops at the end."""
    time = START + np.arange(rows) * np.timedelta64(minutes, "m")
    hours = (np.arange(rows) * minutes / 60) % 24
    expected = 42 * np.clip(np.sin((hours - 6) / 12 * np.pi), 0, None)
    observed = expected * (1 + 0.05 * np.random.default_rng(3).standard_normal(rows))
    observed[-abnormal_rows:] = 0.0
    observed[5:9] = np.nan
    begins = datetime(2025, 3, 8, tzinfo=UTC) + timedelta(minutes=minutes * (rows - abnormal_rows))
    ends = datetime(2025, 3, 8, tzinfo=UTC) + timedelta(minutes=minutes * rows)
    return Series(
        time, observed, expected, 0.8 * expected - 1, 1.2 * expected + 1, (begins, ends), "Generación", "kWh"
    )


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB")).astype(int)


def reddish(image: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(image, -1, 0)
    return (red - green > 100) & (red - blue > 80)


@pytest.mark.parametrize(
    "series",
    [
        pytest.param(a_series(), id="three days"),
        pytest.param(a_series(60 * 24, 60, abnormal_rows=200), id="two months"),
        pytest.param(a_series(365 * 96, 15, abnormal_rows=3_000), id="a year"),
        pytest.param(a_series(20 * 365, 1440, abnormal_rows=400), id="twenty years of days"),
        pytest.param(a_series(2, abnormal_rows=1), id="two rows"),
    ],
)
def test_picture_is_small_and_twice_as_dense_as_shown(series: Series) -> None:
    picture = draw_picture(series, zone="Europe/Madrid", language="es")

    assert picture is not None
    assert len(picture.png) < MAX_BYTES
    assert Image.open(BytesIO(picture.png)).size == (2 * canvas.WIDTH, 2 * canvas.HEIGHT)


def test_abnormal_stretch_is_marked_where_it_is() -> None:
    picture = draw_picture(a_series(), zone="Europe/Madrid", language="es")

    assert picture is not None
    marked = np.flatnonzero(reddish(pixels(picture.png))[100:430].any(axis=0)) / (2 * canvas.WIDTH)
    begins = (60 + (252 / 287) * (480 - 12 - 60)) / 480
    assert abs(marked.min() - begins) < 0.01
    assert marked.max() > 0.97


def test_picture_says_in_words_what_it_shows() -> None:
    picture = draw_picture(a_series(), zone="Europe/Madrid", language="es")

    assert picture is not None
    assert picture.text == (
        "Generación: observado frente a esperado de 8 mar 2025 01:00 a 11 mar 2025 00:45; "
        "fuera de lo normal de 10 mar 2025 16:00 a 11 mar 2025 01:00."
    )


def test_nothing_is_drawn_without_values() -> None:
    rows = a_series(10, abnormal_rows=1)
    unknown = np.full(10, np.nan)
    empty = Series(rows.time, unknown, unknown, unknown, unknown, rows.abnormal, "Generación", "kWh")

    assert draw_picture(empty, zone="UTC", language="en") is None
    assert draw_picture(a_series(1, abnormal_rows=1), zone="UTC", language="en") is None


@pytest.mark.parametrize("value", [0.0, 5.0, -3e-7, 1e12])
def test_constant_values_have_an_axis(value: float) -> None:
    time = START + np.arange(50) * np.timedelta64(60, "m")
    level, unknown = np.full(50, value), np.full(50, np.nan)
    span = (datetime(2025, 3, 9, tzinfo=UTC), datetime(2025, 3, 9, 4, tzinfo=UTC))

    series = Series(time, level, unknown, unknown, unknown, span, "P", "bar")

    assert draw_picture(series, zone="UTC", language="en") is not None


def test_words_are_drawn_on_a_machine_without_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    with_fonts = draw_picture(a_series(), zone="UTC", language="es")
    monkeypatch.setattr(canvas, "_font", lambda _: None)

    without = draw_picture(a_series(), zone="UTC", language="es")

    assert with_fonts is not None
    assert without is not None
    dark = [(pixels(one.png)[:60].sum(axis=-1) < 400).sum() for one in (with_fonts, without)]
    assert dark[1] > 0.3 * dark[0] > 0
