"""Instants: aware UTC in Python, datetime64[us] in arrays."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np

__all__ = ["EPOCH", "Clock", "Span", "from_numpy", "isoformat", "parse_duration", "system_clock", "to_numpy"]

Clock = Callable[[], datetime]
Span = tuple[datetime, datetime]
"""From an instant to before another."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = np.dtype("datetime64[us]")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def system_clock() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)


def to_numpy(instant: datetime) -> np.datetime64:
    """An aware datetime as datetime64[us] meaning UTC."""
    return np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us")


def from_numpy(instant: np.datetime64) -> datetime:
    """A datetime64 meaning UTC as an aware datetime."""
    return cast("datetime", instant.astype(_MICROSECONDS).item()).replace(tzinfo=UTC)


def isoformat(instant: datetime | None) -> str | None:
    """UTC ISO 8601 with a `Z`, as every JSON of sereno writes it."""
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_duration(text: object) -> object:
    """A duration written as people do (`15min`, `1.5h`, `7d`); other values pass unchanged."""
    if not isinstance(text, str):
        return text
    for unit in sorted(_SECONDS, key=len, reverse=True):
        number = text.strip().removesuffix(unit)
        if text.strip().endswith(unit) and number.strip().replace(".", "", 1).isdigit():
            return timedelta(seconds=float(number) * _SECONDS[unit])
    raise ValueError("a duration is a number and one of s, min, h, d, w: for example 15min")
