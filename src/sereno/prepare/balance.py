"""Physics that the readings must obey: the balances that a profile declares."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sereno.domain.judgement import Evidence, IncidentKind
from sereno.domain.readings import FloatArray, Quality, QualityArray, Window
from sereno.domain.signals import Identity, Profile

__all__ = ["INCIDENT_SHARE", "LEAST_ROUNDINGS", "ROUNDING_KWH", "check_identities", "identity_residual"]

FLAG_SHARE = 0.0001
"""Imbalance over the largest term that is more than rounding: a flag beside the row."""
INCIDENT_SHARE = 0.02
"""Imbalance over the largest term that two class B meters (1 % each, EN 50470-3) cannot explain."""
LEAST_ROUNDINGS = 10.0
"""A balance that misses less than so many roundings says nothing, however small its terms are."""
_GUILTY, _CLEARED = 4.0, 0.5
"""Weight of a signal that explains two broken balances, and of one whose other balance closes."""
ROUNDING_KWH = 0.0005
"""Half the usual resolution of a register, 1 Wh [kWh]: what rounding may take from each term."""


def identity_residual(values: FloatArray, signals: tuple[str, ...], identity: Identity) -> FloatArray | None:
    """Total minus the sum of its parts [unit of the signals], shape (rows,); None if a signal is absent."""
    columns = _columns(identity, signals)
    if columns is None:
        return None
    total, *parts = (values[:, column] for column in columns)
    return total - sum(parts)


@lru_cache(maxsize=1_024)
def _columns(identity: Identity, signals: tuple[str, ...]) -> list[int] | None:
    """Where the identity's signals stand, the total first; None if one is absent."""
    if any(name not in signals for name in identity.signals):
        return None
    return [signals.index(name) for name in identity.signals]


@dataclass(frozen=True, slots=True)
class _Balance:
    """One identity over a window: where its signals stand (the total first), residual and limit (rows,)."""

    identity: Identity
    columns: list[int]
    residual: FloatArray
    limit: FloatArray


def check_identities(window: Window, profile: Profile) -> tuple[list[Evidence], QualityArray]:
    """Evidence of broken balances, and the flags of all rows that break one by more than rounding.

    A few watt-hours are flagged, not raised: the limit of an incident is what meters of the usual class
    cannot explain, in proportion to the row's largest term.

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
        rounding = ROUNDING_KWH * len(columns)
        largest = np.abs(window.values[:, columns]).max(axis=1)
        flagged = np.abs(residual) > np.maximum(FLAG_SHARE * largest, rounding)
        if flagged.any():
            flags[np.ix_(flagged, columns)] |= int(Quality.IMBALANCE)
        limit = np.maximum(INCIDENT_SHARE * largest, LEAST_ROUNDINGS * rounding)
        balances.append(_Balance(identity, columns, residual, limit))
    return [_evidence(window, one, balances) for one in balances], flags


def _evidence(window: Window, balance: _Balance, balances: list[_Balance]) -> Evidence:
    columns = balance.columns
    expected = np.full(window.values.shape, np.nan)
    expected[:, columns[0]] = window.values[:, columns[0]] - balance.residual
    exceedance = np.abs(balance.residual) / balance.limit
    shares = [0.0] * len(window.signals)
    for column in columns:
        shares[column] = 1.0 / len(columns)
    shares[columns[0]] += 1e-6  # the total speaks first: its meter is the one the parts contradict
    contributions = np.full(window.values.shape, shares)
    if len(balances) > 1 and (exceedance >= 1.0).any():
        _weigh_shared(contributions, balance, balances)
        _expect_parts(expected, contributions, window, balance)
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
        for column in set(balance.columns[1:]) & set(other.columns[1:]):
            is_same = np.abs(balance.residual - other.residual) <= balance.limit + other.limit
            is_broken = np.abs(other.residual) >= other.limit
            closes = np.abs(other.residual) < other.limit
            factor = np.where(is_broken & is_same, _GUILTY, np.where(closes, _CLEARED, 1.0))
            contributions[:, column] *= factor
    contributions /= contributions.sum(axis=1, keepdims=True)


def _expect_parts(expected: FloatArray, contributions: FloatArray, window: Window, balance: _Balance) -> None:
    """What a part should read where it, not the total, is the guiltiest; in place."""
    guiltiest = contributions.argmax(axis=1)
    for column in balance.columns[1:]:
        rows = guiltiest == column
        expected[rows, column] = window.values[rows, column] + balance.residual[rows]
