"""Where the sun stands, and when it is surely down."""

from datetime import timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sereno.domain.arrays import micros_of
from sereno.domain.readings import BoolArray, FloatArray, TimeArray

IntArray = npt.NDArray[np.int64]

__all__ = ["is_surely_dark", "solar_days", "solar_elevation"]

_J2000 = np.datetime64("2000-01-01T12:00:00", "us")
_DAY_US = 86_400_000_000
_HOUR_US = _DAY_US / 24
_DEGREE_OF_DAY_US = _DAY_US // 360
"""Time in which the sun moves by one degree of hour angle."""
_FEW_ROWS = 32
"""Up to so many rows a look-up for each is faster than an array of distinct days."""


def solar_elevation(time_utc: TimeArray, latitude: float, longitude: float) -> FloatArray:
    """Angle of the sun's centre above the horizon, without refraction [degrees], shape (rows,).

    Source:
        Low-precision position of the sun, The Astronomical Almanac, page C5 (error below 0.02 degrees from
        1950 to 2050), as used by Michalsky, Solar Energy 40(3), 1988.

    Args:
        time_utc: UTC instants, shape (rows,).
        latitude: Degrees north.
        longitude: Degrees east.
    """
    declination, hour_angle = _declination_and_hour_angle(time_utc, longitude)
    place = np.radians(latitude)
    up = np.sin(place) * np.sin(declination) + np.cos(place) * np.cos(declination) * np.cos(hour_angle)
    elevation: FloatArray = np.degrees(np.arcsin(np.clip(up, -1.0, 1.0)))
    return elevation


def _declination_and_hour_angle(time_utc: TimeArray, longitude: float) -> tuple[FloatArray, FloatArray]:
    """Declination of the sun and its hour angle at a longitude [radians], each of shape (rows,)."""
    days = (time_utc.astype("datetime64[us]") - _J2000).astype(np.int64) / _DAY_US
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = np.radians(357.528 + 0.9856003 * days)
    ecliptic = np.radians(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 4e-7 * days)
    ascension = np.arctan2(np.cos(obliquity) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(obliquity) * np.sin(ecliptic))
    sidereal_hours = 18.697374558 + 24.06570982441908 * days
    hour_angle = np.radians(15.0 * sidereal_hours + longitude) - ascension
    return declination, hour_angle


def is_surely_dark(
    time_utc: TimeArray, step: timedelta, place: tuple[float, float], depth_deg: float
) -> BoolArray:
    """Where the sun stays below a depth for the whole step, whichever end of it the timestamp marks.

    Args:
        time_utc: Stamps of the steps, shape (rows,).
        step: Length of a step.
        place: Degrees north and east.
        depth_deg: How far below the horizon is dark enough [degrees].
    """
    micros = micros_of(time_utc)
    shift = round(place[1] * _DEGREE_OF_DAY_US)
    days = (micros + shift) // _DAY_US
    if len(days) <= _FEW_ROWS:
        light = np.array([_light(day, *place, depth_deg) for day in days.tolist()], dtype=np.int64)
    else:
        distinct, inverse = np.unique(days, return_inverse=True)
        light = np.array([_light(day, *place, depth_deg) for day in distinct.tolist()])[inverse]
    noon, half_width = light.reshape(-1, 2).T
    dark: BoolArray = np.abs(micros - noon) - round(step / timedelta(microseconds=1)) > half_width
    return dark


def solar_days(time_utc: TimeArray, longitude: float) -> tuple[IntArray, FloatArray]:
    """The solar day of each instant, and its distance from that day's solar noon [h], both of shape (rows,).

    Args:
        time_utc: UTC instants, shape (rows,).
        longitude: Degrees east.
    """
    micros = micros_of(time_utc)
    days = (micros + round(longitude * _DEGREE_OF_DAY_US)) // _DAY_US
    if len(days) <= _FEW_ROWS:
        noons = np.array([_light(day, 0.0, longitude, 0.0)[0] for day in days.tolist()], dtype=np.int64)
        return days, (micros - noons) / _HOUR_US
    distinct, inverse = np.unique(days, return_inverse=True)
    noons = np.array([_light(day, 0.0, longitude, 0.0)[0] for day in distinct.tolist()], dtype=np.int64)
    return days, (micros - noons[inverse]) / _HOUR_US


@lru_cache(maxsize=65_536)
def _light(solar_day: int, latitude: float, longitude: float, depth_deg: float) -> tuple[int, int]:
    """Instant of a day's solar noon, and how long before and after it the sun is above -depth [µs]."""
    guess = solar_day * _DAY_US + _DAY_US // 2 - round(longitude * _DEGREE_OF_DAY_US)
    instant = np.array([guess]).astype("datetime64[us]")
    declinations, hour_angles = _declination_and_hour_angle(instant, longitude)
    declination = float(declinations[0])
    early = (np.degrees(float(hour_angles[0])) + 180.0) % 360.0 - 180.0
    noon = guess - round(early * _DEGREE_OF_DAY_US)
    place = np.radians(latitude)
    level = np.cos(place) * np.cos(declination)
    cosine = (-np.sin(np.radians(depth_deg)) - np.sin(place) * np.sin(declination)) / max(level, 1e-9)
    return noon, round(float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))) * _DEGREE_OF_DAY_US)
