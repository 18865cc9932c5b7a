"""A file that does not say its units, against what is stored of the same assets.

Wh read as kWh is wrong by a thousand and nothing in such a file says so; the asset's own history does.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from sereno.domain.errors import AmbiguousData
from sereno.domain.readings import FloatArray, Readings
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy
from sereno.store import Transaction

__all__ = ["check_scale"]

_HISTORY = timedelta(days=400)
_MIN_ROWS = 5
_JUMP = 300.0
"""Between two readings of one meter in one unit no median moves so far; between Wh and kWh it is 1000."""


def check_scale(
    tx: Transaction,
    readings: Readings,
    ids: Mapping[AssetKey, int],
    assumed: Mapping[str, str],
    *,
    file: str,
) -> None:
    """Refuse a file whose assumed units contradict the stored readings.

    Args:
        readings: The first rows of the file.
        ids: The assets in the store.
        assumed: Column of each signal whose unit nothing states.

    Raises:
        AmbiguousData: A signal would jump by a factor that only another unit explains.
    """
    for key in readings.assets:
        new = readings.of_asset(readings.assets.index(key))
        start = from_numpy(new.time[0]) - _HISTORY
        stored = tx.rows(ids[key], readings.profile, start=start)
        for signal, column in assumed.items():
            ratio = _ratio(
                _column(new.signals, new.values, signal), _column(stored.signals, stored.values, signal)
            )
            if ratio is not None and not 1.0 / _JUMP < ratio < _JUMP:
                detail = f"'{column}' = kWh / Wh ({key}: × {ratio:.3g})"
                raise AmbiguousData(file=file, detail=detail, setting=f"'{column} (Wh)'")


def _column(signals: Sequence[str], values: FloatArray, signal: str) -> FloatArray:
    if signal not in signals:
        return np.empty(0)
    column = np.abs(values[:, signals.index(signal)])
    kept: FloatArray = column[column > 0]
    return kept


def _ratio(new: FloatArray, stored: FloatArray) -> float | None:
    if len(new) < _MIN_ROWS or len(stored) < _MIN_ROWS:
        return None
    return float(np.median(new) / np.median(stored))
