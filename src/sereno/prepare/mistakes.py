"""Broken balances that one simple mistake explains: columns exchanged or a sign turned.

A mistake explains a row when undoing it closes every balance of the profile. Nothing is corrected: the cells
count as bad, and the incident says which mistake it is instead of "the balance does not close".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from sereno.domain.judgement import Memory
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import Identity, Profile
from sereno.prepare.balance import LEAST_KWH, balance_of, checkable

__all__ = ["Mistakes", "find_mistakes", "proven_units", "vouched_cells"]

IntArray = npt.NDArray[np.intp]

_UNIT_FACTORS = (1_000.0, 0.001)
"""kWh to Wh and back: the only pair of units that rooftops and buildings are known to mix."""
_LAST = "mistakes/last"
_PAIR = 2
_PLAIN = 3.0
"""A balance must miss by this many times its limit before a mistake is looked for."""
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
        turned: Share of each signal whose turned sign explains the row, shape (rows, signals).
        exchanged: Share of each signal in the exchanges that explain the row and the one before, likewise.
        since: When the exchange of each row began, shape (rows,).
        memory: For the next window.
    """

    turned: FloatArray
    exchanged: FloatArray
    since: TimeArray
    memory: Memory

    @property
    def wrong(self) -> BoolArray:
        """Cells that are wrong by a mistake, shape (rows, signals)."""
        wrong: BoolArray = (self.turned > 0) | (self.exchanged > 0)
        return wrong


def vouched_cells(window: Window, profile: Profile) -> BoolArray:
    """Cells that other meters confirm: those of balances that close, shape (rows, signals)."""
    vouched = np.zeros(window.values.shape, dtype=bool)
    for identity in checkable(window.signals, profile):
        residual, limit, _ = balance_of(window.values, window.signals, identity)
        columns = [window.signals.index(name) for name in identity.signals]
        vouched[:, columns] |= (np.abs(residual) <= limit)[:, None]
    return vouched


def proven_units(window: Window, profile: Profile) -> FloatArray:
    """Factors that one signal is off by where nothing else closes the balances, (rows, signals); else 0."""
    factors = np.zeros(window.values.shape)
    balances = checkable(window.signals, profile)
    rows = _broken_rows(window, balances) if balances else np.empty(0, dtype=np.intp)
    if not len(rows):
        return factors
    columns = _columns(window.signals, balances)
    broken = _Broken(window, rows, balances, columns, dark=None)
    values = broken.values
    for column, factor in product(columns, _UNIT_FACTORS):
        repaired, without = values.copy(), values.copy()
        repaired[:, column] /= factor
        without[:, column] = 0.0
        is_proven = broken.closes(repaired) & ~broken.closes(without)
        factors[rows[is_proven], column] = factor
    return factors


def find_mistakes(
    window: Window, profile: Profile, usual: FloatArray, dark: BoolArray | None, memory: Memory
) -> Mistakes:
    """Signs and channels that are exchanged.

    One row may close by chance once two of its channels are exchanged; two broken rows in a run do not.
    Where balances can be checked they decide. A signal without one has a turned sign where it is negative,
    may not be, and turned it would be of its usual size.

    Args:
        usual: Largest value of each signal before each row, shape (rows, signals).
        dark: Rows in which the sun is surely down, shape (rows,): of two exchanges that close the balances
            the one that keeps a roof from generating in the dark is right. None where nothing is known.
    """
    values = window.values
    turned, exchanged = np.zeros(values.shape), np.zeros(values.shape)
    minima = np.array([profile.signal(name).minimum for name in window.signals], dtype=float)
    turned += (minima == 0) & (values < -_LEAST_USUAL * usual) & (values >= -_MOST_USUAL * usual)
    balances = checkable(window.signals, profile)
    if balances:
        columns = _columns(window.signals, balances)
        turned[:, columns] = 0.0
        rows = _broken_rows(window, balances)
        if len(rows):
            broken = _Broken(window, rows, balances, columns, dark)
            turned[rows] += _turned_signs(broken, minima)
            broken = replace(broken, rows=rows[~turned[rows].any(axis=1)])
            exchanged[broken.rows] = _exchanges(broken)
    exchanged, since, kept = _confirmed(window, exchanged, memory)
    return Mistakes(_normalised(turned), _normalised(exchanged), since, kept)


def _confirmed(window: Window, exchanged: FloatArray, memory: Memory) -> tuple[FloatArray, TimeArray, Memory]:
    """The exchanges that the row before with any reading shows as well, since when, and the memory."""
    micros = window.time.astype("datetime64[us]").astype(np.int64).astype(float)
    last = memory.arrays.get(_LAST, np.zeros(len(window.signals) + 1))
    rows = np.flatnonzero(~np.isnan(window.values).all(axis=1))
    shown = np.vstack((last[1:], exchanged[rows]))
    is_same = ((shown[1:] > 0) & (shown[:-1] > 0)).sum(axis=1) >= _PAIR
    confirmed = np.zeros(exchanged.shape)
    confirmed[rows] = shown[1:] * is_same[:, None]
    since = micros.copy()
    since[rows] = np.where(is_same, np.concatenate((last[:1], micros[rows]))[:-1], micros[rows])
    if len(rows):
        last = np.concatenate((micros[rows[-1:]], exchanged[rows[-1]]))
    return confirmed, since.astype(np.int64).astype("datetime64[us]"), Memory({_LAST: last})


def _columns(signals: tuple[str, ...], balances: Sequence[Identity]) -> list[int]:
    """Where the signals of all balances stand."""
    return sorted({signals.index(name) for one in balances for name in one.signals})


def _broken_rows(window: Window, balances: Sequence[Identity]) -> IntArray:
    """Rows in which every balance is known and one is plainly broken."""
    is_known, is_broken = np.ones(len(window), dtype=bool), np.zeros(len(window), dtype=bool)
    for balance in balances:
        residual, limit, _ = balance_of(window.values, window.signals, balance)
        is_known &= ~np.isnan(residual)
        is_broken |= np.abs(residual) > _PLAIN * limit
    return np.flatnonzero(is_known & is_broken)


@dataclass(frozen=True, slots=True)
class _Broken:
    """The rows of a window that break a balance."""

    window: Window
    rows: IntArray
    balances: Sequence[Identity]
    columns: Sequence[int]
    dark: BoolArray | None

    @property
    def values(self) -> FloatArray:
        """Of those rows, shape (rows, signals)."""
        return self.window.values[self.rows]

    def closes(self, repaired: FloatArray) -> BoolArray:
        """Whether every balance closes with other values, shape (rows,)."""
        closes = np.ones(len(repaired), dtype=bool)
        for balance in self.balances:
            residual, limit, _ = balance_of(repaired, self.window.signals, balance)
            closes &= np.abs(residual) <= limit
        return closes

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
    for column in broken.columns:
        repaired = values.copy()
        repaired[:, column] *= -1.0
        is_possible = ~(repaired[:, column] < minima[column])
        weights[:, column] = is_possible & broken.closes(repaired)
    return weights


def _exchanges(broken: _Broken) -> FloatArray:
    """Weight of each signal in the exchanges that close every balance, shape (rows, signals)."""
    values = broken.values
    weights = np.zeros(values.shape)
    for pair in combinations(broken.columns, 2):
        repaired = values.copy()
        repaired[:, pair] = repaired[:, pair[::-1]]
        likely = np.where(broken.shines(repaired), _UNLIKELY, 1.0)
        weights[:, pair] += (broken.closes(repaired) * likely)[:, None]
    return weights


def _normalised(weights: FloatArray) -> FloatArray:
    """Shares of the signals, rows sum to 1 or to 0."""
    total = weights.sum(axis=1, keepdims=True)
    shares: FloatArray = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return shares
