"""Physics that the readings must obey: the balances that a profile or a workspace declares."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sereno.domain.judgement import Evidence, IncidentKind
from sereno.domain.readings import FloatArray, Quality, QualityArray, Window
from sereno.domain.signals import Identity, Profile

__all__ = ["check_identities", "identity_residual"]

FLAG_SHARE = 0.0001
"""Imbalance over the largest term that is more than rounding: a flag beside the row."""
INCIDENT_SHARE = 0.02
"""Imbalance over the largest term that two class B meters (1 % each, EN 50470-3) cannot explain."""
_LEAST_ROUNDINGS = 10.0
_GUILTY, _CLEARED = 4.0, 0.5
"""Weight of a signal that explains two broken balances, and of one whose other balance closes."""
RESOLUTION_KWH = 0.001
"""The usual resolution of a register, 1 Wh [kWh]: rounding may take half of it from each term."""


def identity_residual(values: FloatArray, signals: tuple[str, ...], identity: Identity) -> FloatArray | None:
    """Total minus the sum of its parts [unit of the signals], shape (rows,); None if a signal is absent."""
    columns = _columns(identity, signals)
    if columns is None:
        return None
    total, *parts = (
        values[:, column] * factor for column, factor in zip(columns, identity.coefficients, strict=True)
    )
    return total + sum(parts)


@lru_cache(maxsize=1_024)
def _columns(identity: Identity, signals: tuple[str, ...]) -> list[int] | None:
    """Where the identity's signals stand, the total first; None if one is absent."""
    if any(name not in signals for name in identity.signals):
        return None
    return [signals.index(name) for name in identity.signals]


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
    balances = []
    for identity in profile.identities:
        residual = identity_residual(window.values, window.signals, identity)
        columns = _columns(identity, window.signals)
        if residual is None or columns is None:
            continue
        rounding = (identity.resolution or RESOLUTION_KWH) / 2 * len(columns)
        largest = np.abs(window.values[:, columns] * np.array(identity.coefficients)).max(axis=1)
        share = INCIDENT_SHARE if identity.tolerance is None else identity.tolerance
        limit = np.maximum(share * largest, _LEAST_ROUNDINGS * rounding)
        noticed = np.maximum(FLAG_SHARE * largest, rounding) if identity.tolerance is None else limit
        flagged = np.abs(residual) > noticed
        if flagged.any():
            flags[np.ix_(flagged, columns)] |= int(Quality.IMBALANCE)
        factors = dict(zip(columns, identity.coefficients, strict=True))
        balances.append(_Balance(identity, factors, residual, limit))
    return [_evidence(window, one, balances) for one in balances], flags


def _evidence(window: Window, balance: _Balance, balances: list[_Balance]) -> Evidence:
    total, *_ = columns = list(balance.factors)
    expected = np.full(window.values.shape, np.nan)
    expected[:, total] = window.values[:, total] - balance.residual
    exceedance = np.abs(balance.residual) / balance.limit
    shares = [0.0] * len(window.signals)
    for column in columns:
        shares[column] = 1.0 / len(columns)
    shares[total] += 1e-6  # the total speaks first: its meter is the one the parts contradict
    contributions = np.full(window.values.shape, shares)
    if len(balances) > 1 and (exceedance >= 1.0).any():
        _weigh_shared(contributions, balance, balances)
        _expect_guiltiest(expected, contributions, window, balance)
    return Evidence(
        check=f"physics.{balance.identity.name}",
        kind=IncidentKind.PHYSICS,
        exceedance=exceedance,
        threshold=1.0,
        contributions=contributions,
        expected=expected,
        off_delay=2,
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
