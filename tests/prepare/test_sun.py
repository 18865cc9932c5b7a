from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.prepare.sun import is_surely_dark, solar_elevation

MADRID_PLACE = (40.4, -3.68)
HALF_HOUR = timedelta(minutes=30)


def at(text: str) -> np.ndarray:
    return np.array([text], dtype="datetime64[us]")


def test_elevation_is_that_of_the_published_example_of_nrel() -> None:
    # Reda and Andreas, NREL/TP-560-34302, table A5.1: 39.872 degrees before refraction.
    found = solar_elevation(at("2003-10-17T19:30:30"), 39.742476, -105.1786)

    assert found[0] == pytest.approx(39.872, abs=0.02)


@pytest.mark.parametrize("latitude", [-60.0, -23.0, 0.0, 23.44, 52.0, 80.0])
def test_noon_of_the_solstice_stands_as_high_as_latitude_and_obliquity_say(latitude: float) -> None:
    day = np.datetime64("2024-06-20T00:00", "us") + np.arange(1440) * np.timedelta64(1, "m")

    highest = solar_elevation(day, latitude, 0.0).max()

    assert highest == pytest.approx(90 - abs(latitude - 23.44), abs=0.1)


@given(
    st.integers(0, 30 * 365 * 1440),
    st.floats(-65, 65),
    st.floats(-170, 170),
    st.floats(0, 8),
    st.floats(0, 360),
)
def test_elevation_differs_by_no_more_than_the_distance(
    minute: int, latitude: float, longitude: float, distance: float, bearing: float
) -> None:
    time = np.datetime64("2000-01-01", "us") + np.array([minute]) * np.timedelta64(1, "m")
    north, way, arc = np.radians(latitude), np.radians(bearing), np.radians(distance)
    there = np.arcsin(np.sin(north) * np.cos(arc) + np.cos(north) * np.sin(arc) * np.cos(way))
    turn = np.arctan2(np.sin(way) * np.sin(arc) * np.cos(north), np.cos(arc) - np.sin(north) * np.sin(there))

    here = solar_elevation(time, latitude, longitude)
    away = solar_elevation(time, float(np.degrees(there)), longitude + float(np.degrees(turn)))

    assert abs(here[0] - away[0]) <= distance + 1e-6


@pytest.mark.parametrize("place", [MADRID_PLACE, (52.4, 4.9), (-33.9, 151.2), (64.2, -21.9), (1.3, 103.8)])
def test_dark_steps_are_those_whose_neighbourhood_stays_below_the_depth(place: tuple[float, float]) -> None:
    time = np.datetime64("2024-01-01", "us") + np.arange(366 * 48) * np.timedelta64(30, "m")
    around = [solar_elevation(time + np.timedelta64(minutes, "m"), *place) for minutes in range(-30, 31, 5)]
    highest = np.max(around, axis=0)

    dark = is_surely_dark(time, HALF_HOUR, place, 6.0)

    assert dark.any()
    assert highest[dark].max() < -6.0 + 0.3
    assert highest[~dark].min() > -6.0 - 0.3


def test_one_row_is_as_dark_alone_as_among_others() -> None:
    time = np.datetime64("2024-03-01T00:07", "us") + np.arange(3000) * np.timedelta64(30, "m")

    together = is_surely_dark(time, HALF_HOUR, MADRID_PLACE, 6.0)

    alone = [
        bool(is_surely_dark(time[row : row + 1], HALF_HOUR, MADRID_PLACE, 6.0)[0]) for row in range(3000)
    ]
    assert together.tolist() == alone
    assert not is_surely_dark(time[:0], HALF_HOUR, MADRID_PLACE, 6.0).size
