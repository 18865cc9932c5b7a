"""Real trouble in the untouched data, each with its evidence in the raw rows: an incident on it is not false.

Four kinds are found in the rows themselves, in any data; what rows alone cannot prove is listed by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from benchmarks.faults.isolation import residuals
from benchmarks.faults.series import Series
from sereno.domain.signals import Profile

__all__ = ["Known", "is_known", "known_trouble"]

BALANCE_SHARE = 0.02
"""Two class B meters, 1 % each (EN 50470-3)."""
BALANCE_KWH = 0.005
HALF = 0.5
FIRST_WEEKS = 15
"""Rows of daily series: the first one and two weeks."""
GAP = 1.5
"""Distance of two rows, in steps, from which something is missing between them."""
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class Known:
    """A period in which the data really are in trouble.

    Attributes:
        series: Folder and asset.
        first: Start, UTC.
        last: End, UTC.
        causes: Patterns of the causes of incidents that speak of it.
    """

    series: str
    first: np.datetime64
    last: np.datetime64
    causes: tuple[str, ...]
    why: str

    def to_json(self) -> dict[str, object]:
        """JSON-able."""
        return {
            "series": self.series,
            "from": str(self.first),
            "to": str(self.last),
            "causes": self.causes,
            "why": self.why,
        }


_ENLARGED = ("behaviour.high", "quality.step")
_LISTED: Mapping[str, tuple[tuple[str, str, tuple[str, ...], str], ...]] = {
    "solar_daily/PLANTA_10": (
        (
            "2025-08-17",
            "2025-09-26",
            _ENLARGED,
            "enlarged: never over 40 kWh a day before, about 50 on most days from 26 Aug 2025",
        ),
    ),
    "solar_daily/PLANTA_08": (
        (
            "2025-02-12",
            "2025-03-15",
            _ENLARGED,
            "enlarged: never over 387 kWh a day before, 580 and 560 kWh on 13 and 14 Feb 2025",
        ),
    ),
}
"""By series: the month after a change, its causes and evidence, where single rows cannot prove it."""


def known_trouble(series: Series, profile: Profile) -> list[Known]:
    """The real trouble of a series, in time order within each kind."""
    listed = [
        Known(series.name, np.datetime64(first), np.datetime64(last), causes, why)
        for first, last, causes, why in _LISTED.get(series.name, ())
    ]
    found = [*_gaps(series), *_broken_balances(series, profile), *_dead_days(series), *_part_of_a_day(series)]
    return [*found, *listed]


def is_known(known: Sequence[Known], *, cause: str, first: np.datetime64, last: np.datetime64) -> bool:
    """Whether an incident speaks of known trouble: of its cause, and begun in it or by half within it."""
    return any(
        any(fnmatchcase(cause, pattern) for pattern in one.causes) and _is_within(one, first, last)
        for one in known
    )


def _is_within(one: Known, first: np.datetime64, last: np.datetime64) -> bool:
    common = min(last, one.last) - max(first, one.first)
    return bool(one.first <= first < one.last or common >= HALF * (last - first) > np.timedelta64(0))


def _gaps(series: Series) -> Iterator[Known]:
    """Rows that are absent."""
    limit = GAP * (series.step / np.timedelta64(1, "us"))
    distances = np.diff(series.time).astype("timedelta64[us]").astype(float)
    for row in np.flatnonzero(distances > limit):
        first, last = series.time[row] + series.step, series.time[row + 1]
        n_rows = round(float((last - first) / series.step))
        yield Known(series.name, first, last, ("quality.missing",), f"{n_rows} rows are not in the files")


def _broken_balances(series: Series, profile: Profile) -> Iterator[Known]:
    """Rows whose own figures contradict each other by more than their meters explain."""
    balances = residuals(profile.identities, series.signals)
    for balance in balances:
        residual = np.abs(series.values @ balance)
        largest = np.abs(series.values[:, balance != 0]).max(axis=1, initial=0.0)
        broken = residual > np.maximum(BALANCE_SHARE * largest, BALANCE_KWH)
        for start, stop in _runs(broken):
            why = f"a balance is off by up to {residual[start:stop].max():.3g} kWh in {stop - start} rows"
            yield Known(series.name, *_span(series, start, stop), ("physics.*", "quality.*"), why)


def _dead_days(series: Series) -> Iterator[Known]:
    """Whole days without any generation although consumption was recorded."""
    if "generation" not in series.signals:
        return
    made = np.nan_to_num(series.column("generation"))
    day = series.time.astype("datetime64[D]").astype(np.int64)
    days, row_of_day = np.unique(day, return_inverse=True)
    is_dead = np.bincount(row_of_day, made, minlength=len(days)) == 0
    is_whole = np.bincount(row_of_day, minlength=len(days)) >= HALF * series.rows_per_day
    dead = (is_dead & is_whole)[row_of_day]
    causes = ("behaviour.low", "behaviour.standstill", "physics.standstill", "quality.*")
    for start, stop in _runs(dead):
        why = f"generation is 0 in all {stop - start} rows of whole days"
        yield Known(series.name, *_span(series, start, stop), causes, why)


def _part_of_a_day(series: Series) -> Iterator[Known]:
    """A first row that holds a part of its day: the meter began to count in it."""
    if not series.is_daily or len(series.time) < FIRST_WEEKS:
        return
    usual = np.nanmedian(series.values[1:FIRST_WEEKS], axis=0)
    share = series.values[0, usual > 0] / usual[usual > 0]
    if share.size and np.nanmax(share) < HALF:
        why = f"the first row has at most {share.max():.0%} of what any signal shows in the two weeks after"
        yield Known(series.name, *_span(series, 0, 1), ("behaviour.low",), why)


def _runs(mask: np.ndarray) -> Iterator[tuple[int, int]]:
    """Start and stop of each run of true rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _span(series: Series, start: int, stop: int) -> tuple[np.datetime64, np.datetime64]:
    return series.time[start], series.time[stop - 1] + series.step
