"""Physics that the readings must obey: the balances that a profile or a workspace declares."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from sereno.domain.arrays import some
from sereno.domain.judgement import Evidence, IncidentKind
from sereno.domain.readings import BoolArray, FloatArray, Quality, QualityArray, Window
from sereno.domain.signals import Identity, Profile
from sereno.prepare.witness import unknown

__all__ = ["LEAST_KWH", "PLAIN", "Balances", "Misses", "balances_of", "check_identities"]

FLAG_SHARE = 0.0001
"""Imbalance over the largest term that is more than rounding: a flag beside the row."""
INCIDENT_SHARE = 0.02
"""Imbalance over the largest term that two class B meters (1 % each, EN 50470-3) cannot explain."""
LEAST_ROUNDINGS = 10.0
"""A balance that misses less than so many roundings says nothing, however small its terms are."""
PLAIN = 3.0
"""A balance must miss by this many times its limit before a mistake is looked for."""
_OFF_DELAY = 2
_GUILTY, _CLEARED = 4.0, 0.5
"""Weight of a signal that explains two broken balances, and of one whose other balance closes."""
RESOLUTION_KWH = 0.001
"""The usual resolution of a register, 1 Wh [kWh]: rounding may take half of it from each term."""
LEAST_KWH = LEAST_ROUNDINGS * RESOLUTION_KWH / 2
"""Energy below which a single meter says nothing [kWh]."""
JOINED = "balance"
"""Name of what two identities say together."""


@dataclass(frozen=True, slots=True)
class Misses:
    """What each balance of a window misses; all of shape (rows, balances).

    Attributes:
        residual: Total minus the sum of the parts, in the unit of the signals; NaN where a signal is absent.
        limit: What meters of its class may miss.
        largest: Its largest term.
        exceedance: What it misses over its limit.
    """

    residual: FloatArray
    limit: FloatArray
    largest: FloatArray
    exceedance: FloatArray

    @property
    def closes(self) -> BoolArray:
        """Where a balance is known and closes, shape (rows, balances)."""
        closes: BoolArray = self.exceedance <= 1.0
        return closes


class Balances:
    """The identities that a window's signals can check, as arrays.

    Attributes:
        identities: One per balance.
        columns: Where the signals of all of them stand.
        members: Whether a signal takes part, shape (balances, signals).
        shares: Of each signal in a broken balance, shape (balances, signals); the total speaks first: its
            meter is the one the parts contradict.
    """

    def __init__(self, identities: Sequence[Identity], signals: Sequence[str]) -> None:
        self.identities = tuple(identities)
        width = max((len(one.signals) for one in identities), default=0)
        shape = (len(identities), width)
        self._places, self._factors = np.zeros(shape, dtype=np.intp), np.zeros(shape)
        self.members = np.zeros((len(identities), len(signals)), dtype=bool)
        for row, one in enumerate(identities):
            places = [signals.index(name) for name in one.signals]
            self._places[row] = places[0]  # a shorter balance repeats its total, times nothing
            self._places[row, : len(places)] = places
            self._factors[row, : len(places)] = one.coefficients
            self.members[row, places] = True
        self.columns: list[int] = np.flatnonzero(self.members.any(axis=0)).tolist()
        tolerances = (INCIDENT_SHARE if one.tolerance is None else one.tolerance for one in identities)
        self._tolerance = np.fromiter(tolerances, dtype=float)
        self._roundings = np.array([rounding(one) for one in identities])
        self._least = LEAST_ROUNDINGS * self._roundings
        self._is_strict = np.array([one.tolerance is None for one in identities])
        self.shares = self.members / self.members.sum(axis=1, keepdims=True)
        self.shares[np.arange(len(identities)), self._places[:, 0]] += 1e-6
        self._last: tuple[FloatArray, Misses] | None = None

    def measure(self, values: FloatArray) -> Misses:
        """What values miss, shape (rows, signals); several checks ask the same of one window."""
        last = self._last  # once: other threads measure windows of theirs meanwhile
        if last is not None and last[0] is values:
            return last[1]
        terms = values[:, self._places] * self._factors
        largest, residual = np.maximum.reduce(np.abs(terms), axis=2), np.add.reduce(terms, axis=2)
        limit = np.maximum(self._tolerance * largest, self._least)
        misses = Misses(residual, limit, largest, np.abs(residual) / limit)
        self._last = values, misses
        return misses

    def noticed(self, misses: Misses) -> BoolArray:
        """What is more than rounding, or than the tolerance that was declared, shape (rows, balances)."""
        least = np.maximum(FLAG_SHARE * misses.largest, self._roundings)
        noticed: BoolArray = np.abs(misses.residual) > np.where(self._is_strict, least, misses.limit)
        return noticed


@lru_cache(maxsize=1_024)
def balances_of(signals: tuple[str, ...], profile: Profile) -> Balances | None:
    """The balances that these signals can check; None if there are none."""
    identities = _checkable(signals, profile)
    return Balances(identities, signals) if identities else None


def rounding(identity: Identity) -> float:
    """What rounding may take from all terms together [unit of the signals]."""
    return (identity.resolution or RESOLUTION_KWH) / 2 * len(identity.signals)


def _checkable(signals: tuple[str, ...], profile: Profile) -> tuple[Identity, ...]:
    """The identities that these signals can check.

    Where two identities lack the same one signal, what is left of both without it still holds: generation +
    import = consumption + export where nobody measures self-consumption.
    """
    absent = [(one, set(one.signals) - set(signals)) for one in profile.identities]
    whole = [one for one, lacks in absent if not lacks]
    halves = [(one, lacks.pop()) for one, lacks in absent if len(lacks) == 1]
    for (one, lacking), (other, lacking_too) in combinations(halves, 2):
        if lacking == lacking_too and one.total != lacking:
            whole.append(_without(lacking, one, other, is_first=all(w.name != JOINED for w in whole)))
    return tuple(whole)


def _without(signal: str, one: Identity, other: Identity, *, is_first: bool) -> Identity:
    """What two identities say together without a signal that both hold."""
    mine = dict(zip(one.signals, one.coefficients, strict=True))
    theirs = dict(zip(other.signals, other.coefficients, strict=True))
    ratio = mine.pop(signal) / theirs.pop(signal)
    joined = {name: mine.get(name, 0.0) - ratio * theirs.get(name, 0.0) for name in {**mine, **theirs}}
    parts = {name: -value for name, value in joined.items() if name != one.total and value}
    return Identity(
        name=JOINED if is_first else f"{one.name}_{other.name}",
        total=one.total,
        parts=tuple(parts),
        factors=tuple(parts.values()),
        tolerance=_larger(one.tolerance, other.tolerance),
        resolution=_larger(one.resolution, other.resolution),
    )


def _larger(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


@dataclass(frozen=True, slots=True)
class _Balance:
    """One identity over a window.

    Attributes:
        factors: Coefficient of each signal's column, the total's first.
        residual, limit: Shape (rows,).
    """

    identity: Identity
    factors: dict[int, float]
    residual: FloatArray
    limit: FloatArray

    def miss(self, column: int) -> tuple[FloatArray, FloatArray]:
        """What the signal of a column would be off by were it the guilty one, and how far that is unsure."""
        return self.residual / self.factors[column], self.limit / abs(self.factors[column])


def check_identities(window: Window, profile: Profile) -> tuple[list[Evidence], QualityArray]:
    """Evidence of broken balances, and the flags of all rows that break one by more than rounding.

    A few watt-hours are flagged, not raised: the limit of an incident is what meters of the usual class
    cannot explain, in proportion to the row's largest term. A balance with a tolerance of its own flags
    beyond that only.

    Returns:
        One evidence per identity that the window can check; `Quality.IMBALANCE` bits (rows, signals).
    """
    flags = np.zeros(window.values.shape, dtype=np.int32)
    known = balances_of(window.signals, profile)
    if known is None:
        return [], flags
    misses = known.measure(window.values)
    noticed = known.noticed(misses)
    if some(noticed):
        flags = np.where(noticed @ known.members, int(Quality.IMBALANCE), 0).astype(np.int32)
    if some(misses.exceedance >= 1.0):
        return _told(window, known, misses), flags
    shape = window.values.shape
    return [
        Evidence(
            check=f"physics.{identity.name}",
            kind=IncidentKind.PHYSICS,
            exceedance=misses.exceedance[:, number],
            threshold=1.0,
            contributions=_alike(known, number, len(window)),
            expected=unknown(shape),
            off_delay=_OFF_DELAY,
        )
        for number, identity in enumerate(known.identities)
    ], flags


@lru_cache(maxsize=256)
def _alike(known: Balances, number: int, n_rows: int) -> FloatArray:
    """The shares of one balance in rows that do not break it: an array that many may share."""
    return np.broadcast_to(known.shares[number], (n_rows, known.shares.shape[1]))


def _told(window: Window, known: Balances, misses: Misses) -> list[Evidence]:
    balances = [
        _Balance(
            identity,
            {
                window.signals.index(n): f
                for n, f in zip(identity.signals, identity.coefficients, strict=True)
            },
            misses.residual[:, number],
            misses.limit[:, number],
        )
        for number, identity in enumerate(known.identities)
    ]
    return [_evidence(window, one, balances, known.shares[n]) for n, one in enumerate(balances)]


def _evidence(window: Window, balance: _Balance, balances: list[_Balance], shares: FloatArray) -> Evidence:
    total = next(iter(balance.factors))
    contributions = np.tile(shares, (len(window), 1))
    expected = np.full(window.values.shape, np.nan)
    expected[:, total] = window.values[:, total] - balance.residual
    if len(balances) > 1:
        _weigh_shared(contributions, balance, balances)
        _expect_guiltiest(expected, contributions, window, balance)
    return Evidence(
        check=f"physics.{balance.identity.name}",
        kind=IncidentKind.PHYSICS,
        exceedance=np.abs(balance.residual) / balance.limit,
        threshold=1.0,
        contributions=contributions,
        expected=expected,
        off_delay=_OFF_DELAY,
    )


def _weigh_shared(contributions: FloatArray, balance: _Balance, balances: list[_Balance]) -> None:
    """A signal of two balances is guilty where both miss the same, and cleared where the other closes.

    In place, rows sum to 1 again.
    """
    for other in balances:
        if other is balance:
            continue
        is_broken = np.abs(other.residual) >= other.limit
        closes = np.abs(other.residual) < other.limit
        for column in set(balance.factors) & set(other.factors):
            (own, doubt), (theirs, more) = balance.miss(column), other.miss(column)
            is_same = np.abs(own - theirs) <= doubt + more
            factor = np.where(is_broken & is_same, _GUILTY, np.where(closes, _CLEARED, 1.0))
            contributions[:, column] *= factor
    contributions /= contributions.sum(axis=1, keepdims=True)


def _expect_guiltiest(
    expected: FloatArray, contributions: FloatArray, window: Window, balance: _Balance
) -> None:
    """What the guiltiest signal should read, where it is not the total; in place."""
    guiltiest = contributions.argmax(axis=1)
    for column in balance.factors:
        rows = guiltiest == column
        expected[rows, column] = window.values[rows, column] - balance.miss(column)[0][rows]
