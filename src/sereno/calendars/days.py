"""What kind of day it is: weekday, public holiday, Ramadan."""

import re
from functools import lru_cache

import numpy as np

from sereno.domain.readings import BoolArray, FloatArray

__all__ = ["DAY_COLUMNS", "are_holidays", "country_of", "day_types", "is_ramadan"]

DAY_COLUMNS = ("monday", "friday", "saturday", "sunday", "holiday", "ramadan")
_WEEKDAYS = 7
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; weeks begin on Monday, 0."""
_MARKED = (0, 4, 5, 6)
_FASTING = frozenset(
    re.findall(
        r"\w+",
        (
            "AE AF AZ BD BH BN DJ DZ EG ER EH GM GN ID IQ IR JO KM KW LB LY MA ML "
            "MR MV MY NE OM PK PS QA SA SD SN SO SY TD TJ TM TN TR UZ XK YE"
        ),
    )
)
"""Countries (ISO 3166) whose daily life follows Ramadan."""
_ISLAMIC_EPOCH_DAY = -492_148
"""1 Muharram 1 AH, days from 1970-01-01: 16 July 622 of the Julian calendar."""
_LEAP_CYCLE_YEARS, _LEAP_CYCLE_DAYS = 30, 10_631
_MONTHS_BEFORE_RAMADAN_DAYS = 236
"""Eight months of 30 and 29 days in turn."""
_RAMADAN_DAYS = 30


@lru_cache(maxsize=1_024)
def country_of(zone: str) -> str:
    """ISO 3166 code of the country that a time zone is of; empty for UTC and the like.

    Example:
        >>> country_of("Europe/Madrid"), country_of("Africa/Casablanca"), country_of("UTC")
        ('ES', 'MA', '')
    """
    from babel.core import get_global

    code = str(get_global("zone_territories").get(zone, ""))
    return code if code.isalpha() else ""


def day_types(first_day: int, n_days: int, country: str) -> FloatArray:
    """What each day is, shape (days, `DAY_COLUMNS`), 1 or 0; a public holiday is no weekday but a Sunday.

    Args:
        first_day: Local day, counted from 1970-01-01.
        country: ISO 3166 code, with a subdivision as in `ES-CT`; empty for one without holidays.
    """
    days = np.arange(first_day, first_day + n_days)
    weekday = (days + _EPOCH_WEEKDAY) % _WEEKDAYS
    columns = np.zeros((n_days, len(DAY_COLUMNS)))
    for column, number in enumerate(_MARKED):
        columns[:, column] = weekday == number
    is_holiday = are_holidays(days, country)
    columns[is_holiday, : len(_MARKED)] = 0.0
    columns[is_holiday, len(_MARKED) - 1] = 1.0
    columns[:, DAY_COLUMNS.index("holiday")] = is_holiday
    if country[:2] in _FASTING:
        columns[:, DAY_COLUMNS.index("ramadan")] = is_ramadan(days)
    return columns


def are_holidays(days: np.ndarray, country: str) -> BoolArray:
    """Whether days, counted from 1970-01-01, are public holidays, in the shape of `days`.

    Args:
        country: As of `day_types`.
    """
    if not len(days):
        return np.zeros(0, dtype=bool)
    found: BoolArray = np.isin(days, _holidays(country, *_years(int(days.min()), int(np.ptp(days)))))
    return found


def is_ramadan(days: np.ndarray) -> BoolArray:
    """Whether days, counted from 1970-01-01, are of Ramadan by the tabular calendar, shape (days,).

    The month as it is announced may begin a day sooner or later.

    Source:
        Reingold and Dershowitz, Calendrical Calculations, 2018, ch. 7 (civil epoch, leap years 2, 5, 7, 10,
        13, 16, 18, 21, 24, 26, 29 of 30).
    """
    since = days - _ISLAMIC_EPOCH_DAY
    year = (_LEAP_CYCLE_YEARS * since + 10_646) // _LEAP_CYCLE_DAYS
    begins = 354 * (year - 1) + (3 + 11 * year) // _LEAP_CYCLE_YEARS
    day_of_year = since - begins
    inside: BoolArray = (day_of_year >= _MONTHS_BEFORE_RAMADAN_DAYS) & (
        day_of_year < _MONTHS_BEFORE_RAMADAN_DAYS + _RAMADAN_DAYS
    )
    return inside


def _years(first_day: int, n_days: int) -> tuple[int, int]:
    ends = np.array([first_day, first_day + n_days]).astype("datetime64[D]").astype("datetime64[Y]")
    first, last = (ends.astype(np.int64) + 1970).tolist()
    return first, last


@lru_cache(maxsize=64)
def _holidays(country: str, first_year: int, last_year: int) -> np.ndarray:
    """Public holidays as days from 1970-01-01; none of a country that nobody lists."""
    if not country:
        return np.empty(0, dtype=np.int64)
    import holidays

    code, _, part = country.partition("-")
    try:
        found = holidays.country_holidays(code, subdiv=part or None, years=range(first_year, last_year + 1))
    except NotImplementedError:
        return np.empty(0, dtype=np.int64)
    return np.array(sorted(found), dtype="datetime64[D]").astype(np.int64)
