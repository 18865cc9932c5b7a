"""The regular instants of a simulated world, and the local calendar that people live by."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.readings import BoolArray, FloatArray, TimeArray
from sereno.domain.time import from_numpy, to_numpy

__all__ = ["Grid", "autoregressive", "bump", "first_order_lag"]

HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True)
class Grid:
    """Step starts in UTC at an equal distance.

    Attributes:
        time: UTC starts, datetime64[us], shape (rows,).
        step: Distance between two rows.
        zone: IANA zone of the sites, for habits and calendars.
    """

    time: TimeArray
    step: timedelta
    zone: str

    @classmethod
    def of(cls, start: datetime, n_rows: int, step: timedelta, zone: str) -> "Grid":
        """The grid of `n_rows` steps from `start` on."""
        return cls(to_numpy(start) + np.arange(n_rows) * np.timedelta64(step), step, zone)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def local_time(self) -> TimeArray:
        """Wall-clock time of each row, shape (rows,); the hour of a clock change repeats or is skipped."""
        return local_time(self.time, self.zone)

    @property
    def local_hour(self) -> FloatArray:
        """Hour of the local day [h], 0 to 24, shape (rows,)."""
        local = self.local_time
        return np.asarray((local - local.astype("datetime64[D]")) / np.timedelta64(1, "h"))

    @property
    def is_weekend(self) -> BoolArray:
        """True on local Saturdays and Sundays, shape (rows,)."""
        monday_based = (self.local_time.astype("datetime64[D]").astype(np.int64) + 3) % 7
        return np.asarray(monday_based >= 5)

    @property
    def day_of_year(self) -> FloatArray:
        """Days since 1 January, UTC, with fraction, shape (rows,)."""
        return np.asarray((self.time - self.time.astype("datetime64[Y]")) / np.timedelta64(1, "D"))

    @property
    def standard_offset(self) -> timedelta:
        """The zone's distance to UTC in January of the first year."""
        first = from_numpy(self.time[0]) if len(self) else datetime(2025, 1, 1, tzinfo=UTC)
        return first.replace(month=1, day=15).astimezone(ZoneInfo(self.zone)).utcoffset() or timedelta()

    def refined(self, parts: int) -> "Grid":
        """Midpoints of `parts` equal pieces of every step, in order: parts x rows of them."""
        piece = np.timedelta64(self.step) / parts
        offsets = (np.arange(parts) * 2 + 1) * (piece / 2)
        midpoints = (self.time[:, None] + offsets[None, :].astype("timedelta64[us]")).ravel()
        return Grid(midpoints, self.step / parts, self.zone)


def bump(hour: FloatArray, *, centre: float, width: float) -> FloatArray:
    """A bell over the hours of the day that wraps at midnight: 1 at `centre`, `width` [h] its deviation."""
    half = HOURS_PER_DAY / 2
    distance = (hour - centre + half) % HOURS_PER_DAY - half
    return np.exp(-0.5 * (distance / width) ** 2)


def autoregressive(n_rows: int, step: timedelta, memory: timedelta, rng: np.random.Generator) -> FloatArray:
    """Noise of mean 0 and deviation 1 that forgets with time constant `memory`, shape (rows,)."""
    keep = math.exp(-step / memory)
    shocks = rng.standard_normal(n_rows)
    shocks[1:] *= math.sqrt(1 - keep**2)
    return _filtered(shocks, keep)


def first_order_lag(driver: FloatArray, step: timedelta, memory: timedelta, *, initial: float) -> FloatArray:
    """What follows `driver` with time constant `memory`, starting from `initial`, shape (rows,)."""
    keep = math.exp(-step / memory)
    pushed = (1 - keep) * driver
    if len(pushed):
        pushed[0] += keep * initial
    return _filtered(pushed, keep)


def _filtered(pushed: FloatArray, keep: float) -> FloatArray:
    steps: Iterable[float] = accumulate(pushed.tolist(), lambda level, push: keep * level + push)
    return np.fromiter(steps, dtype=np.float64, count=len(pushed))
