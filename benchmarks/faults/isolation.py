"""Which signals the identities of a profile can tell apart: what an incident can be expected to name."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from sereno.domain.signals import Identity

__all__ = ["RULE", "isolate", "named_right", "residuals", "smallest_sets"]

RULE = (
    "An error of one signal leaves a direction of residuals over the balances that the present signals "
    "keep (absent signals eliminated). Signals whose errors leave the same direction cannot be told apart: "
    "they are the smallest set; a signal without a balance is its own set. One altered signal: the "
    "first named one must be in its set. Several: all named must be in the union of their sets where the "
    "fault breaks a balance, among the altered ones where all balances hold."
)

_PIVOT = 1e-9


def residuals(identities: Iterable[Identity], signals: Sequence[str]) -> np.ndarray:
    """The balances that the signals keep among themselves: coefficients, shape (balances, signals).

    Balances of a profile with signals that a file lacks are combined until those drop out.

    Example:
        >>> both = [Identity("g", "generation", ("own", "export")), Identity("c", "load", ("own", "import"))]
        >>> residuals(both, ["generation", "load", "export", "import"]).tolist()
        [[1.0, -1.0, -1.0, 1.0]]
    """
    identities = list(identities)
    absent = sorted({name for one in identities for name in one.signals} - set(signals))
    names = [*absent, *signals]
    rows = np.zeros((len(identities), len(names)))
    for row, identity in zip(rows, identities, strict=True):
        for name, sign in [(identity.total, 1.0), *((part, -1.0) for part in identity.parts)]:
            row[names.index(name)] += sign
    free = list(rows)
    for column in range(len(absent)):
        pivot = next((row for row in free if abs(row[column]) > _PIVOT), None)
        if pivot is not None:
            free = [row - pivot * (row[column] / pivot[column]) for row in free if row is not pivot]
    kept = [row[len(absent) :] for row in free if np.abs(row).max(initial=0.0) > _PIVOT]
    return np.array(kept).reshape(len(kept), len(signals))


def smallest_sets(balances: np.ndarray, signals: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """For each signal those that it cannot be told apart from, itself included."""
    directions = {name: balances[:, column] for column, name in enumerate(signals)}
    return MappingProxyType(
        {
            name: frozenset({name} | {other for other, its in directions.items() if _is_parallel(own, its)})
            for name, own in directions.items()
        }
    )


def isolate(
    altered: Collection[str], sets: Mapping[str, frozenset[str]], *, breaks_balance: bool
) -> frozenset[str]:
    """The signals that an incident may name for a fault of the altered ones."""
    if len(altered) > 1 and not breaks_balance:
        return frozenset(altered)
    return frozenset().union(*(sets[name] for name in altered))


def named_right(named: Sequence[str], altered: Collection[str], allowed: Collection[str]) -> bool:
    """Whether what an incident names is within the allowed signals: see `RULE`."""
    spoken = named if len(altered) > 1 else named[:1]
    return bool(spoken) and set(spoken) <= set(allowed)


def _is_parallel(one: np.ndarray, other: np.ndarray) -> bool:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return length > _PIVOT and abs(float(one @ other)) >= length * (1 - _PIVOT)
