"""The steps in which a meter counts, and whether values are in the same steps of another unit.

A load that grows fourfold is still counted in steps of 1 Wh; the same readings in kW instead of kWh per
quarter of an hour come in steps of 4. The chance that so many different values stand on those steps without a
change of unit is what is held against it.
"""

from collections.abc import Mapping
from datetime import timedelta
from math import gcd

import numpy as np
import numpy.typing as npt

from sereno.domain.readings import BoolArray, FloatArray

__all__ = ["Resolution"]

IntArray = npt.NDArray[np.int64]

GENERATION = timedelta(days=30)
"""A step is that of the readings of one to two such times: one value that somebody reckoned is forgotten."""
SURE_DECADES = 6.0
"""The chance is one in a million."""
LEAST_UNITS = 10
"""Steps finer than that are no steps but rounding."""
_UNIT = 1e-6
"""Values are counted in this."""
_MOST = 2.0**62
_SEEN = 24
_STATE, _VALUES = "resolution/state", "resolution/seen"
_NOW, _BEFORE, _BEGUN = range(3)


class Resolution:
    """Follows the steps of several signals."""

    def __init__(self, n_signals: int, arrays: Mapping[str, np.ndarray]) -> None:
        self._state: IntArray = arrays.get(_STATE, np.zeros((3, n_signals), dtype=np.int64)).copy()
        self._seen: FloatArray = arrays.get(_VALUES, np.full((_SEEN, n_signals), np.nan)).copy()

    def arrays(self) -> dict[str, np.ndarray]:
        """What the next window needs."""
        return {_STATE: self._state, _VALUES: self._seen}

    def learn(self, values: FloatArray, is_usual: BoolArray, at: float) -> None:
        """Readings of one UTC day in the usual unit, both of shape (rows, signals), from an instant [µs] on.

        Generations are counted from 1970 on, so that they do not depend on where a window begins.
        """
        generation = int(at // (GENERATION / timedelta(microseconds=1)))
        if generation != self._state[_BEGUN, 0]:
            self._state[_BEFORE], self._state[_NOW], self._state[_BEGUN] = self._state[_NOW], 0, generation
        counts = np.abs(values) / _UNIT
        counts = np.where(is_usual & (counts < _MOST), counts, 0.0)
        self._state[_NOW] = np.gcd.reduce(np.vstack((self._state[_NOW], np.rint(counts).astype(np.int64))))

    def fits(self, signal: int, value: float, factor: float) -> bool:
        """Whether a value stands on the usual steps times a factor, as well as its decimals can say."""
        step = self._step(signal) * factor
        if step <= 0:
            return False
        steps = value / _UNIT / step
        return abs(steps - round(steps)) * step <= _rounding(value) / 2 + 1

    def note(self, signal: int, value: float) -> None:
        """Keep a value that fits, unless it is known or there are enough."""
        seen = self._seen[:, signal]
        free = np.flatnonzero(np.isnan(seen))
        if len(free) and value not in seen:
            seen[free[0]] = value

    def is_followed(self, signal: int) -> bool:
        """Whether a run of values that fit is under way."""
        return not np.isnan(self._seen[0, signal])

    def forget(self, signal: int) -> None:
        """A run of values that fit is over."""
        self._seen[:, signal] = np.nan

    def is_sure(self, signal: int, factor: float) -> bool:
        """Whether the values that were kept cannot stand on those steps by chance, nor on coarser ones.

        Values that have lost decimals stand on many steps.
        """
        seen = self._seen[:, signal]
        seen = seen[~np.isnan(seen)]
        step = self._step(signal) * factor
        if not step or not len(seen):
            return False
        roundings = np.array([_rounding(value) for value in seen.tolist()])
        is_on_it = _miss(seen, step) <= roundings.min() / 2 + 1
        if not is_on_it.all() or np.log10(np.maximum(step / roundings, 1.0)).sum() < SURE_DECADES:
            return False
        return int(np.gcd.reduce(np.rint(seen / _UNIT / step).astype(np.int64))) == 1

    def _step(self, signal: int) -> int:
        """Steps of a signal in its usual unit; 0 where there are none."""
        step = gcd(int(self._state[_NOW, signal]), int(self._state[_BEFORE, signal]))
        return step if step >= LEAST_UNITS else 0


def _miss(values: FloatArray, step: float) -> FloatArray:
    """How far values are from the nearest multiple of a step."""
    steps = values / _UNIT / step
    missed: FloatArray = np.abs(steps - np.rint(steps)) * step
    return missed


def _rounding(value: float) -> int:
    """The unit of the last decimal of a value; 1 where it has six or more."""
    count, unit = round(value / _UNIT), 1
    while count and unit < 1 / _UNIT and count % (unit * 10) == 0:
        unit *= 10
    return unit
