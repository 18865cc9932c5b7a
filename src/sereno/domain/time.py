"""Instants: aware UTC in Python, datetime64[us] in arrays."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

__all__ = ["EPOCH", "Clock", "from_numpy", "isoformat", "system_clock", "to_numpy"]

Clock = Callable[[], datetime]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)


def to_numpy(instant: datetime) -> np.datetime64:
    """An aware datetime as datetime64[us] meaning UTC."""
    return np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us")


def from_numpy(instant: np.datetime64) -> datetime:
    """A datetime64 meaning UTC as an aware datetime."""
    return EPOCH + timedelta(microseconds=int(instant.astype("datetime64[us]").astype(np.int64)))


def isoformat(instant: datetime | None) -> str | None:
    """UTC ISO 8601 with a `Z`, as every JSON of sereno writes it."""
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
