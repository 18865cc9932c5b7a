"""Numbers, money, dates and spans as each language writes them."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from math import floor, isfinite, isnan, log10
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import NumberPattern, format_currency, parse_pattern

__all__ = ["count", "day_of_month", "money", "moment", "number", "percent", "quantity", "span", "stamp"]

_LOCALES = {"es": "es_ES", "en": "en_GB"}
_SIGNIFICANT = 3
_MAX_DIGITS = 6
_DAY = timedelta(days=1)


def number(value: float, language: str) -> str:
    """Three significant digits, never an exponent: 1.234, 0,052, 12,4."""
    if not isfinite(value):
        return "–" if isnan(value) else "∞" if value > 0 else "-∞"
    digits = 0 if value == 0 else max(0, _SIGNIFICANT - 1 - floor(log10(abs(value))))
    return str(_pattern(min(digits, _MAX_DIGITS)).apply(round(value, digits), _locale(language)))


def quantity(value: float, unit: str, language: str) -> str:
    """A number with its unit."""
    return f"{number(value, language)} {unit}".strip()


def count(value: int, language: str) -> str:
    """A whole number with all of its digits: 42.733, 42,733."""
    return str(_pattern(0).apply(value, _locale(language)))


def percent(share: float, language: str) -> str:
    """A share in whole percent: 60 %, 60%."""
    return f"{100 * share:.0f} %" if language == "es" else f"{share:.0%}"


def money(value: float, currency: str, language: str) -> str:
    """An amount of money."""
    return str(format_currency(value, currency, locale=_locale(language)))


@lru_cache(maxsize=4_096)
def moment(instant: datetime, zone: str, language: str, *, step: timedelta | None = None) -> str:
    """An instant in the site's zone; only the date when the data are daily."""
    local = instant.astimezone(ZoneInfo(zone))
    if step is not None and step >= _DAY:
        return str(format_date(local, "d MMM y", locale=_locale(language)))
    return str(format_datetime(local, "d MMM y HH:mm", locale=_locale(language)))


def stamp(instant: datetime, zone: str, language: str) -> str:
    """An instant in the site's zone to the second; with its offset on days of 23 or 25 hours."""
    local = instant.astimezone(ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    is_even = midnight.utcoffset() == (midnight + _DAY).utcoffset()  # in wall time
    pattern = "d MMM y HH:mm:ss" if is_even else "d MMM y HH:mm:ss ZZZZZ"
    return str(format_datetime(local, pattern, locale=_locale(language)))


def day_of_month(day: date, language: str) -> str:
    """A day without its year: 10 mar."""
    return str(format_date(day, "d MMM", locale=_locale(language)))


def span(length: timedelta, language: str, *, step: timedelta | None = None) -> str:
    """A length of time in its largest sensible unit: 40 días, 3 horas; daily data are counted in days."""
    is_daily = step is not None and step >= _DAY
    if is_daily or length >= 2 * _DAY:
        return _plural(round(length / _DAY), "day", language)
    is_whole = length == timedelta(hours=1)
    granularity: Literal["hour", "minute"] = "hour" if is_whole or length >= timedelta(hours=2) else "minute"
    return str(format_timedelta(length, granularity=granularity, threshold=48, locale=_locale(language)))


def _plural(count: int, unit: str, language: str) -> str:
    words = {("day", "es"): ("día", "días"), ("day", "en"): ("day", "days")}[unit, language]
    return f"{count} {words[0] if count == 1 else words[1]}"


@lru_cache(maxsize=8)
def _pattern(digits: int) -> NumberPattern:
    return parse_pattern("#,##0" + ("." + "#" * digits if digits else ""))


@lru_cache(maxsize=8)
def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES[language])
