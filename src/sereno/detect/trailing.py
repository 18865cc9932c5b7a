"""How a signal has lately differed from its expected value at each time of day, day by day.

A day teaches when it is over, so that a fault cannot explain itself; and not at all while the signal is
strange, until that has lasted so long that it is taken for the new normal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["Followed", "Limits", "Trailing", "blank_trailing"]

_DAYS = 7
_LEAST_DAYS = 2
"""Days that must have been seen before anything is judged."""
_FORGET_DAYS = 21
"""Days without any value after which what was so before says nothing."""
_STRANGE = 1.0
_STRANGE_SHARE = 0.15
"""Of the rows of a day, from which on it is strange."""
_TEACH_CLIP = 6.0
_SUSTAIN_CLIP = 8.0
_DAY, _SUSTAINED, _N_STRANGE, _N_ROWS, _HELD, _LAST = range(6)
_LEAST_SCALE, _MOST_SCALE = 0.2, 5.0
_NO_DAY = -1.0e9


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a signal is strange.

    Attributes:
        row: Error of a row, in spreads.
        sustained: Running mean of errors, in spreads.
        hold_days: Days that strangeness lasts before it is taken for normal.
        pace: Weight of a row in the running mean.
        is_scaled: Whether the last days may multiply the expected value before they shift it.
    """

    row: float
    sustained: float
    hold_days: int
    pace: float
    is_scaled: bool = False


@dataclass(frozen=True, slots=True)
class Followed:
    """What following rows gave, shape (rows,) each.

    Attributes:
        expected: In the unit of the signal; NaN while nothing is known of its days.
        error: Of the row, in spreads; NaN where there is no value.
        sustained: Running mean of the errors.
        strangeness: The larger of the row's and the running error, in their limits.
    """

    expected: FloatArray
    error: FloatArray
    sustained: FloatArray
    strangeness: FloatArray


def blank_trailing(n_slots: int) -> dict[str, np.ndarray]:
    """The state of a signal that has shown nothing."""
    return {
        "observed": np.full((_DAYS, n_slots), np.nan),
        "static": np.full((_DAYS, n_slots), np.nan),
        "today": np.zeros((3, n_slots)),
        "figures": np.array([_NO_DAY, 0.0, 0.0, 0.0, 0.0, _NO_DAY]),
    }


class Trailing:
    """One signal; rows of a day share a correction.

    Args:
        state: As `blank_trailing` or `to_arrays` gave it; left untouched.
    """

    def __init__(self, state: Mapping[str, np.ndarray], limits: Limits) -> None:
        self._observed, self._static = state["observed"].copy(), state["static"].copy()
        self._today = state["today"].copy()
        self._figures: list[float] = state["figures"].tolist()
        self._limits = limits

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The state after the last row."""
        figures = np.array(self._figures)
        return {
            "observed": self._observed,
            "static": self._static,
            "today": self._today,
            "figures": figures,
        }

    def follow(
        self, values: FloatArray, static: FloatArray, spread: FloatArray, slots: np.ndarray, days: np.ndarray
    ) -> Followed:
        """Follow rows in time order.

        Args:
            static: What calendar and weather say, shape (rows,).
            spread: Usual size of an error, shape (rows,).
            slots, days: Time of day, and local day counted from any, shape (rows,).
        """
        n_rows = len(values)
        found = Followed(*(np.full(n_rows, np.nan) for _ in range(4)))
        turns = np.flatnonzero(np.diff(days, prepend=days[:1] - 1)).tolist()
        for start, stop in pairwise([*turns, n_rows]):
            self._begin(float(days[start]))
            cut = slice(start, stop)
            self._follow_day(found, cut, values[cut], static[cut], spread[cut], slots[cut])
        return found

    def _follow_day(
        self,
        found: Followed,
        cut: slice,
        values: FloatArray,
        static: FloatArray,
        spread: FloatArray,
        slots: np.ndarray,
    ) -> None:
        scale, shift = self._correction()
        expected = scale * static + shift[slots]
        error = (values - expected) / spread
        running = self._run(error)
        size = np.maximum(np.abs(error) / self._limits.row, np.abs(running) / self._limits.sustained)
        found.expected[cut], found.error[cut] = expected, error
        found.sustained[cut], found.strangeness[cut] = running, size
        known = np.isfinite(values)
        if known.any():
            self._figures[_LAST] = self._figures[_DAY]
        reach = _TEACH_CLIP * spread
        usual = np.where(np.isnan(expected), values, expected)
        held = usual + np.clip(values - usual, -reach, reach)
        for total, one in zip(self._today, (held, static, np.ones(len(values))), strict=True):
            np.add.at(total, slots[known], one[known])
        self._figures[_N_ROWS] += float(known.sum())
        self._figures[_N_STRANGE] += float((size > _STRANGE).sum())

    def _run(self, error: FloatArray) -> FloatArray:
        """Running mean of clipped errors; it waits where there is none."""
        pace, held = self._limits.pace, self._figures[_SUSTAINED]
        running = []
        for one in error.tolist():
            if one == one:  # noqa: PLR0124 - NaN
                held += pace * (max(-_SUSTAIN_CLIP, min(_SUSTAIN_CLIP, one)) - held)
            running.append(held)
        self._figures[_SUSTAINED] = held
        return np.where(np.isnan(error), np.nan, np.array(running))

    def _correction(self) -> tuple[float, FloatArray]:
        """What multiplies the static value, and what is then added by time of day.

        NaN throughout while too few days are known.
        """
        known = ~np.isnan(self._observed)
        if int(known.any(axis=1).sum()) < _LEAST_DAYS:
            return 1.0, np.full(known.shape[1], np.nan)
        observed, static = np.where(known, self._observed, 0.0), np.where(known, self._static, 0.0)
        scale, whole = 1.0, float(static.sum())
        if self._limits.is_scaled and whole > 0.0:
            scale = max(_LEAST_SCALE, min(_MOST_SCALE, float(observed.sum()) / whole))
        left = observed - scale * static
        count = known.sum(axis=0)
        shift = left.sum(axis=0) / np.maximum(count, 1)
        return scale, np.where(count > 0, shift, float(left.sum()) / float(known.sum()))

    def _begin(self, day: float) -> None:
        """Let the day before teach, when another begins."""
        figures = self._figures
        before = figures[_DAY]
        if day <= before:
            return
        figures[_DAY] = day
        if figures[_N_ROWS]:
            self._take_in(day - before)
        if day - figures[_LAST] > _FORGET_DAYS:
            self._forget()
        self._today[:] = 0.0
        figures[_N_STRANGE] = figures[_N_ROWS] = 0.0

    def _take_in(self, n_days: float) -> None:
        figures = self._figures
        is_strange = figures[_N_STRANGE] > _STRANGE_SHARE * figures[_N_ROWS]
        if is_strange and figures[_HELD] < self._limits.hold_days:
            figures[_HELD] += n_days
            return
        if is_strange:
            self._forget()
        figures[_HELD] = 0.0
        count = self._today[2]
        mean = np.where(count > 0, self._today[:2] / np.maximum(count, 1.0), np.nan)
        self._observed = np.concatenate([self._observed[1:], mean[:1]])
        self._static = np.concatenate([self._static[1:], mean[1:]])

    def _forget(self) -> None:
        self._observed[:] = self._static[:] = np.nan
        self._figures[_HELD] = self._figures[_SUSTAINED] = 0.0
