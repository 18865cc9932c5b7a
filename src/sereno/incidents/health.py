"""How well incidents serve the people who get them, in the figures of the process industry.

Source:
    EEMUA 191, Alarm systems: a guide to design, management and procurement: one alarm in ten minutes is
    acceptable in steady operation, ten or more in ten minutes are a flood, priorities of about 80 % low, 15 %
    medium and 5 % high; ANSI/ISA-18.2-2016, clause 16 (monitoring and assessment): chattering, stale (active
    for more than 24 h) and the share of the most frequent. The figures as given in the white paper "Measuring
    alarm system effectiveness"; the standards themselves are not free to read.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

__all__ = ["FLOOD", "TARGETS", "Rates", "Waits", "rates_of", "waits_of"]

FLOOD = 10
"""Incidents in ten minutes with which nobody keeps up."""
TARGETS = {
    "per_10_min": 1.0,
    "per_hour": 5.0,
    "per_day": 120.0,
    "peak_per_hour": 15.0,
    "low_percent": 80.0,
    "medium_percent": 15.0,
    "high_percent": 5.0,
    "stale": 5.0,
}
_TEN_MINUTES, _HOUR, _DAY = timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rates:
    """How many come, on average and at worst.

    Attributes:
        flood_percent: Of the time, in blocks of ten minutes with `FLOOD` or more.
        above_target_percent: Of the time, in blocks of ten minutes with more than one.
    """

    count: int
    per_10_min: float
    per_hour: float
    per_day: float
    peak_10_min: int
    peak_hour: int
    peak_day: int
    flood_percent: float
    above_target_percent: float


def rates_of(instants: Sequence[datetime], *, since: datetime, until: datetime) -> Rates:
    """The rates of what was announced at some instants of [since, until), in whole blocks from `since` on."""
    inside = [instant for instant in instants if since <= instant < until]
    length = max(until - since, _TEN_MINUTES)
    blocks = Counter(int((instant - since) / _TEN_MINUTES) for instant in inside)
    n_blocks = max(int(length / _TEN_MINUTES), 1)
    return Rates(
        count=len(inside),
        per_10_min=round(len(inside) / (length / _TEN_MINUTES), 4),
        per_hour=round(len(inside) / (length / _HOUR), 3),
        per_day=round(len(inside) / (length / _DAY), 2),
        peak_10_min=max(blocks.values(), default=0),
        peak_hour=_peak(inside, since, _HOUR),
        peak_day=_peak(inside, since, _DAY),
        flood_percent=round(100 * sum(count >= FLOOD for count in blocks.values()) / n_blocks, 3),
        above_target_percent=round(100 * sum(count > 1 for count in blocks.values()) / n_blocks, 3),
    )


def _peak(instants: Sequence[datetime], since: datetime, length: timedelta) -> int:
    return max(Counter(int((one - since) / length) for one in instants).values(), default=0)


@dataclass(frozen=True, slots=True)
class Waits:
    """How long people took [minutes]; None where nobody came."""

    count: int
    median_min: float | None
    p95_min: float | None


def waits_of(waits: Sequence[timedelta]) -> Waits:
    """Median and 95 % quantile of some waits."""
    if not waits:
        return Waits(0, None, None)
    minutes = np.array([wait / timedelta(minutes=1) for wait in waits])
    median, late = np.quantile(minutes, [0.5, 0.95]).tolist()
    return Waits(len(waits), round(median, 1), round(late, 1))
