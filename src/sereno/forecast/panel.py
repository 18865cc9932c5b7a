"""Meters of one step side by side, on the clock on the wall: every day has the same slots.

In the hour that spring leaves out nothing is known; the two that autumn has of one share a slot, as their
mean.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from sereno.calendars.days import country_of, day_types
from sereno.domain.arrays import micros_of
from sereno.domain.calendar import DAY, local_time, to_utc
from sereno.domain.errors import StepUnsupported
from sereno.domain.readings import FloatArray, Quality, TimeArray, Window
from sereno.domain.time import to_numpy

__all__ = ["UNTAUGHT", "Panel", "after", "blocks", "build_panel", "common_step", "slots_of", "steps_ahead"]

_DAY_US = 86_400_000_000
_BLOCK_VALUES = 131_072
"""Values of a block of meters: bounds the memory, changes no result but by rounding."""
UNTAUGHT = int(~(Quality.CONVERTED | Quality.ESTIMATED))
"""Flags of values that neither teach nor are forecast from: all but those of sound values."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Values of many meters by local day and slot of the day.

    Attributes:
        first_day: Local day of the first slot, counted from 1970-01-01.
        per_day: Slots of a day.
        values: Shape (meters, slots); NaN where nothing is known. Whole days, in double or single precision.
        day_types: See `sereno.calendars.days`, shape (meters, days, columns).
        covariates: By name, shape (meters, slots), known ahead where they are known.
    """

    first_day: int
    per_day: int
    values: np.ndarray
    day_types: FloatArray
    covariates: Mapping[str, np.ndarray]

    @property
    def n_days(self) -> int:
        """Days, from `first_day` on."""
        return int(self.values.shape[1]) // self.per_day

    @property
    def first_slot(self) -> int:
        """Slots from 1970-01-01 to the first."""
        return self.first_day * self.per_day

    def days(self, start: int, stop: int) -> "Panel":
        """The days [start, stop), counted from the first."""
        cut = slice(start * self.per_day, stop * self.per_day)
        return replace(
            self,
            first_day=self.first_day + start,
            values=self.values[:, cut],
            day_types=self.day_types[:, start:stop],
            covariates={name: one[:, cut] for name, one in self.covariates.items()},
        )

    def meters(self, chosen: slice) -> "Panel":
        """Some of the meters."""
        return replace(
            self,
            values=self.values[chosen],
            day_types=self.day_types[chosen],
            covariates={name: one[chosen] for name, one in self.covariates.items()},
        )

    def until(self, slot: int) -> "Panel":
        """The same with nothing known of values from a slot on, counted from the first of the panel."""
        values = self.values.copy()
        values[:, max(slot, 0) :] = np.nan
        return replace(self, values=values)


def blocks(n_meters: int, n_values: int) -> Iterator[slice]:
    """Meters, of so many values each, that are worked on together: what they need stays near the processor.

    Example:
        >>> list(blocks(30, 8_760))
        [slice(0, 14, None), slice(14, 28, None), slice(28, 30, None)]
    """
    size = max(1, _BLOCK_VALUES // max(n_values, 1))
    for start in range(0, max(n_meters, 1), size):
        yield slice(start, min(start + size, n_meters))


def after(values: np.ndarray, origins: np.ndarray, n_steps: int) -> np.ndarray:
    """So many steps from each origin on, shape (meters, origins, steps)."""
    steps: np.ndarray = np.lib.stride_tricks.sliding_window_view(values, n_steps, axis=1)[:, origins]
    return steps


def common_step(windows: Sequence[Window]) -> timedelta:
    """The step of all windows.

    Raises:
        StepUnsupported: They differ, or it does not part a day evenly.
    """
    steps = {window.step for window in windows}
    step = next(iter(steps)) if len(steps) == 1 else None
    if step is None or DAY % step:
        found = ", ".join(sorted(str(one) for one in steps)) or "no windows"
        raise StepUnsupported(found=found)
    return step


def slots_of(time: TimeArray, step: timedelta, zone: str) -> np.ndarray:
    """Slot of each instant on the clock on the wall, counted from 1970-01-01, shape (rows,)."""
    local = micros_of(local_time(time, zone))
    slots: np.ndarray = local // round(step / timedelta(microseconds=1))
    return slots


def steps_ahead(origin: datetime, horizon: timedelta, step: timedelta, zone: str, like: Window) -> TimeArray:
    """UTC starts of the steps in [origin, origin + horizon), on the grid of a window."""
    begin, end = to_numpy(origin), to_numpy(origin + horizon)
    if step == DAY:
        first = local_time(np.array([begin]), zone).astype("datetime64[D]").astype("datetime64[us]")
        n_days = horizon // DAY + 2
        days = first.astype("datetime64[D]") + np.arange(n_days)
        starts = to_utc(days.astype("datetime64[us]"), zone)
    else:
        width = np.timedelta64(round(step / timedelta(microseconds=1)), "us")
        anchor = like.time[-1] if len(like) else np.datetime64(0, "us")
        nearest = anchor + -((anchor - begin) // width) * width
        starts = nearest + np.arange(-1, horizon // step + 2) * width
    chosen: TimeArray = starts[(starts >= begin) & (starts < end)]
    return chosen


def build_panel(
    windows: Sequence[Window],
    signal: str,
    *,
    days_ahead: int,
    country: str = "",
    covariates: Sequence[str] = (),
    span: tuple[int, int] | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> Panel:
    """The panel of windows of one step.

    Args:
        days_ahead: Days without values to add after the last row, for what is known of them already.
        country: Of the holidays; that of each window's zone when empty.
        covariates: Signals that are known ahead.
        span: First and last local day, from 1970-01-01; those of the windows when None.
        dtype: Of the values and covariates; single precision does to learn from, and takes half the memory.
    """
    step = common_step(windows)
    per_day = DAY // step
    places = _places(windows, step)
    if span is None:
        known = [slots for slots in places if len(slots)]
        first = min(int(slots[0]) for slots in known) // per_day
        span = first, max(int(slots[-1]) for slots in known) // per_day + days_ahead
    first_day, n_days = span[0], span[1] - span[0] + 1
    shape = (len(windows), n_days * per_day)
    values = np.full(shape, np.nan, dtype)
    outer = {name: np.full(shape, np.nan, dtype) for name in covariates}
    for rows, slots in _alike(places):
        offsets = slots - first_day * per_day
        cut = _within(offsets, shape[1])
        for name, table in ((signal, values), *outer.items()):
            _spread((_sound(windows[row], name, cut, dtype) for row in rows), offsets[cut], rows, table)
    return Panel(first_day, per_day, values, _day_types(windows, span, country), outer)


def _day_types(windows: Sequence[Window], span: tuple[int, int], country: str) -> FloatArray:
    """Types of the days [first, last] of each window, shape (windows, days, columns); held once if alike."""
    first_day, n_days = span[0], span[1] - span[0] + 1
    zones = sorted({window.zone for window in windows})
    types = np.stack([day_types(first_day, n_days, country or country_of(zone)) for zone in zones])
    if len(zones) == 1:
        return np.broadcast_to(types, (len(windows), *types.shape[1:]))
    return types[[zones.index(window.zone) for window in windows]]


def _places(windows: Sequence[Window], step: timedelta) -> list[np.ndarray]:
    """Slots of the rows of each window; windows of one grid are looked up once."""
    known: dict[tuple[str, int, bytes], np.ndarray] = {}
    places = []
    for window in windows:
        ends = window.time[[0, -1]].tobytes() if len(window) else b""
        key = window.zone, len(window), ends
        if key not in known:
            known[key] = slots_of(window.time, step, window.zone)
        places.append(known[key])
    return places


def _alike(places: Sequence[np.ndarray]) -> Iterator[tuple[list[int], np.ndarray]]:
    """Rows of windows of one grid, and its slots."""
    groups: dict[int, list[int]] = {}
    for row, slots in enumerate(places):
        groups.setdefault(id(slots), []).append(row)
    for rows in groups.values():
        yield rows, places[rows[0]]


def _within(offsets: np.ndarray, n_slots: int) -> slice:
    """The rows from the first to the last that lie on one of so many slots."""
    inside = np.flatnonzero((offsets >= 0) & (offsets < n_slots))
    return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)


def _sound(window: Window, signal: str, cut: slice, dtype: npt.DTypeLike) -> np.ndarray:
    """Values that may teach, shape (rows,); NaN for the others and where there is no such signal."""
    if signal not in window.signals:
        return np.full(cut.stop - cut.start, np.nan, dtype)
    column = window.signals.index(signal)
    with np.errstate(over="ignore"):  # what single precision does not hold is infinite
        found: np.ndarray = window.values[cut, column].astype(dtype)
    found[((window.quality[cut, column] & UNTAUGHT) != 0) | np.isinf(found)] = np.nan
    return found


def _spread(
    values: Iterable[np.ndarray], offsets: np.ndarray, rows: Sequence[int], table: np.ndarray
) -> None:
    """Write values on their slots of a table's rows; the mean where several share one."""
    n_slots = table.shape[1]
    if len(offsets) and offsets[0] >= 0 and offsets[-1] < n_slots and (np.diff(offsets) == 1).all():
        stretch = table[:, offsets[0] : offsets[-1] + 1]
        for row, one in zip(rows, values, strict=True):
            stretch[row] = one
        return
    is_inside = (offsets >= 0) & (offsets < n_slots)
    for row, one in zip(rows, values, strict=True):
        use = ~np.isnan(one) & is_inside
        counts = np.bincount(offsets[use], minlength=n_slots)
        sums = np.bincount(offsets[use], weights=one[use], minlength=n_slots)
        with np.errstate(invalid="ignore", divide="ignore"):
            table[row] = np.where(counts > 0, sums / counts, np.nan)
