"""Broken balances that one simple mistake explains: columns exchanged or a sign turned.

A mistake explains a row when undoing it closes every balance of the profile. Nothing is corrected: the cells
count as bad, and the incident says which mistake it is instead of "the balance does not close".
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from sereno.domain.arrays import some
from sereno.domain.judgement import Memory
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.balance import LEAST_KWH, PLAIN, Balances, Misses, balances_of
from sereno.prepare.night import dark_rows
from sereno.prepare.spikes import Spikes

__all__ = ["Mistakes", "find_mistakes", "second_opinions"]

IntArray = npt.NDArray[np.intp]

_UNIT_FACTORS = (1_000.0, 0.001)
"""kWh to Wh and back: the only pair of units that rooftops and buildings are known to mix."""
_LAST = "mistakes/last"
_NO_ROWS: IntArray = np.empty(0, dtype=np.intp)
_PAIR = 2
_LEAST_USUAL, _MOST_USUAL = 0.05, 2.0
"""Size of a turned value over the largest usual one: less is an offset, more is no reading at all."""
SUN = "generation"
"""The signal that only the sun gives."""
_UNLIKELY = 0.1
"""Weight of an exchange that would leave the sun shining at night."""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """What single mistakes explain of the rows.

    Attributes:
        turned: Weight of each signal whose turned sign explains the row, shape (rows, signals).
        exchanged: Weight of each signal in the exchanges that explain the row and the one before, likewise.
        since: When the exchange of each row began, shape (rows,); None where there is none.
        memory: For the next window.
    """

    turned: FloatArray
    exchanged: FloatArray
    since: TimeArray | None
    memory: Memory

    @property
    def wrong(self) -> BoolArray:
        """Cells that are wrong by a mistake, shape (rows, signals)."""
        wrong: BoolArray = (self.turned > 0) | (self.exchanged > 0)
        return wrong


def second_opinions(window: Window, profile: Profile) -> tuple[BoolArray, FloatArray]:
    """What other meters say of each, both of shape (rows, signals).

    Returns:
        Cells that they confirm: those of balances that close; and factors with which one cell alone makes all
        balances close, 0 where there is none.
    """
    balances = balances_of(window.signals, profile)
    factors = np.zeros(window.values.shape)
    if balances is None:
        return np.zeros(window.values.shape, dtype=bool), factors
    misses = balances.measure(window.values)
    rows = _broken_rows(misses)
    if len(rows):
        factors[rows] = _wrong_units(_Broken(window, rows, balances, dark=None))
    vouched: BoolArray = misses.closes @ balances.members
    return vouched, factors


def _wrong_units(broken: "_Broken") -> FloatArray:
    """Factors of the broken rows; a value is off by one if it matters, and not just if it were 0."""
    values = broken.values
    factors = np.zeros(values.shape)
    for column, factor in product(broken.balances.columns, _UNIT_FACTORS):
        repaired, without = values.copy(), values.copy()
        repaired[:, column] /= factor
        without[:, column] = 0.0
        factors[broken.closes(repaired) & ~broken.closes(without), column] = factor
    return factors


def find_mistakes(window: Window, profile: Profile, spikes: Spikes, memory: Memory) -> Mistakes:
    """Signs and channels that are exchanged.

    One row may close by chance once two of its channels are exchanged; two broken rows in a run do not.
    Where balances can be checked they decide. A signal without one has a turned sign where it is negative,
    may not be, and turned it would be of its usual size. Of two exchanges that close the balances the one
    that keeps a roof from generating in the dark is right.

    Args:
        spikes: Knows the usual size of each signal.
    """
    values = window.values
    minima = _minima(window.signals, profile)
    turned, exchanged = np.zeros(values.shape), np.zeros(values.shape)
    if some(values < 0):
        least, most = -_LEAST_USUAL * spikes.usual, -_MOST_USUAL * spikes.usual
        turned += (minima == 0) & (values < least) & (values >= most)
    balances = balances_of(window.signals, profile)
    if balances is not None:
        turned[:, balances.columns] = 0.0
        rows = _broken_rows(balances.measure(values))
        if len(rows):
            broken = _Broken(window, rows, balances, dark_rows(window, profile))
            turned[rows] += _turned_signs(broken, minima)
            broken = replace(broken, rows=rows[~turned[rows].any(axis=1)])
            exchanged[broken.rows] = _exchanges(broken)
    exchanged, since, kept = _confirmed(window, exchanged, memory)
    return Mistakes(turned, exchanged, since, kept)


@lru_cache(maxsize=1_024)
def _minima(signals: tuple[str, ...], profile: Profile) -> FloatArray:
    return np.array([profile.signal(name).minimum for name in signals], dtype=float)


def _broken_rows(misses: Misses) -> IntArray:
    """Rows in which every balance is known and one is plainly broken."""
    is_broken = misses.exceedance > PLAIN
    if not some(is_broken):
        return _NO_ROWS
    return np.flatnonzero(is_broken.any(axis=1) & ~np.isnan(misses.residual).any(axis=1))


def _confirmed(
    window: Window, exchanged: FloatArray, memory: Memory
) -> tuple[FloatArray, TimeArray | None, Memory]:
    """The exchanges that the row before with any reading shows as well, since when, and the memory."""
    last = memory.arrays.get(_LAST)
    if last is None and not some(exchanged > 0):
        return exchanged, None, Memory()
    micros = window.micros.astype(float)
    last = np.zeros(len(window.signals) + 1) if last is None else last
    rows = np.flatnonzero(~np.isnan(window.values).all(axis=1))
    shown = np.vstack((last[1:], exchanged[rows]))
    is_same = ((shown[1:] > 0) & (shown[:-1] > 0)).sum(axis=1) >= _PAIR
    confirmed = np.zeros(exchanged.shape)
    confirmed[rows] = shown[1:] * is_same[:, None]
    since = micros.copy()
    since[rows] = np.where(is_same, np.concatenate((last[:1], micros[rows]))[:-1], micros[rows])
    if len(rows):
        last = np.concatenate((micros[rows[-1:]], exchanged[rows[-1]]))
    kept = Memory({_LAST: last} if last[1:].any() else {})
    return confirmed, since.astype(np.int64).astype("datetime64[us]"), kept


@dataclass(frozen=True, slots=True)
class _Broken:
    """The rows of a window that break a balance."""

    window: Window
    rows: IntArray
    balances: Balances
    dark: BoolArray | None

    @property
    def values(self) -> FloatArray:
        """Of those rows, shape (rows, signals)."""
        return self.window.values[self.rows]

    def closes(self, repaired: FloatArray) -> BoolArray:
        """Whether every balance closes with other values, shape (rows,)."""
        return np.asarray(self.balances.measure(repaired).closes.all(axis=1))

    def shines(self, repaired: FloatArray) -> BoolArray:
        """Where other values would mean sun in the dark, shape (rows,)."""
        if self.dark is None or SUN not in self.window.signals:
            return np.zeros(len(self.rows), dtype=bool)
        made = repaired[:, self.window.signals.index(SUN)]
        shines: BoolArray = self.dark[self.rows] & (made > LEAST_KWH)
        return shines


def _turned_signs(broken: _Broken, minima: FloatArray) -> FloatArray:
    """Weight of each signal whose turned sign closes every balance, shape (rows, signals)."""
    values = broken.values
    weights = np.zeros(values.shape)
    for column in broken.balances.columns:
        repaired = values.copy()
        repaired[:, column] *= -1.0
        is_possible = ~(repaired[:, column] < minima[column])
        weights[:, column] = is_possible & broken.closes(repaired)
    return weights


def _exchanges(broken: _Broken) -> FloatArray:
    """Weight of each signal in the exchanges that close every balance, shape (rows, signals)."""
    values = broken.values
    weights = np.zeros(values.shape)
    for pair in combinations(broken.balances.columns, 2):
        repaired = values.copy()
        repaired[:, pair] = repaired[:, pair[::-1]]
        likely = np.where(broken.shines(repaired), _UNLIKELY, 1.0)
        weights[:, pair] += (broken.closes(repaired) * likely)[:, None]
    return weights
