"""Warmth that nothing explains: a machine that stands still and becomes hot."""

from datetime import timedelta

import numpy as np

from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, FloatArray, Window

__all__ = ["THERMAL", "check_warmth"]

THERMAL = "physics.thermal"

SOAK = timedelta(minutes=30)
"""After a stop the frame still takes up the winding's heat, and the fan no longer cools it."""
ALLOWED_K = 20.0
"""What sun on the frame, a heater against condensation or a warm neighbour may add at once [K]."""
ALLOWED_K_PER_HOUR = 5.0
"""What a hall may warm by on a summer morning [K/h]."""
_DELAY = 3
_HOUR_US = 3_600_000_000.0
_STILL = "standstill/still"


def check_warmth(
    window: Window, column: int, is_still: BoolArray, memory: Memory
) -> tuple[Evidence, dict[str, FloatArray]]:
    """Rise of a temperature over its lowest value of a standstill, against what surroundings can do.

    Heat comes from load alone (IEC 60255-149, with I = 0): without it a machine only cools towards its
    surroundings. Nothing is said in the first `SOAK` of a standstill, and of a standstill across a gap.

    Args:
        column: Of the temperature [°C].
        is_still: Where the machine takes nothing, shape (rows,).

    Returns:
        The evidence, and what to keep in the memory for the next window.
    """
    micros = window.micros.astype(float)
    temperature = window.values[:, column]
    begun, lowest, lowest_at = memory.arrays.get(_STILL, np.full(3, np.nan)).tolist()
    allowed, base = np.full(len(window), np.nan), np.full(len(window), np.nan)
    for start, stop in _stretches(is_still):
        is_next = start == 0 and not np.isnan(begun)
        if not is_next:
            begun, lowest, lowest_at = micros[start], np.inf, micros[start]
        rows = np.arange(start, stop)[micros[start:stop] - begun >= SOAK / timedelta(microseconds=1)]
        lows, lows_at = _lowest(temperature[rows], micros[rows], lowest, lowest_at)
        base[rows] = np.where(np.isfinite(lows), lows, np.nan)
        allowed[rows] = ALLOWED_K + ALLOWED_K_PER_HOUR * (micros[rows] - lows_at) / _HOUR_US
        if len(rows):
            lowest, lowest_at = float(lows[-1]), float(lows_at[-1])
    if len(window) and not is_still[-1]:
        begun = lowest = lowest_at = np.nan
    return _evidence(window, column, base, allowed), {_STILL: np.array([begun, lowest, lowest_at])}


def _stretches(is_still: BoolArray) -> list[tuple[int, int]]:
    """Runs of rows [start, stop) of standstill."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_still, [False])).astype(np.int8)))
    pairs: list[list[int]] = edges.reshape(-1, 2).tolist()
    return [(start, stop) for start, stop in pairs]


def _lowest(
    values: FloatArray, micros: FloatArray, before: float, before_at: float
) -> tuple[FloatArray, FloatArray]:
    """The lowest value up to each row and the instant at which it was seen last, each of shape (rows,)."""
    known = np.where(np.isnan(values), np.inf, values)
    lows = np.minimum(np.minimum.accumulate(known), before)
    seen = np.where(known <= lows, micros, -np.inf)
    instants = np.maximum(np.maximum.accumulate(seen), before_at)
    return lows, instants


def _evidence(window: Window, column: int, base: FloatArray, allowed: FloatArray) -> Evidence:
    expected = np.full(window.values.shape, np.nan)
    expected[:, column] = base
    shares = np.zeros(window.values.shape)
    shares[:, column] = 1.0
    return Evidence(
        check=THERMAL,
        kind=IncidentKind.PHYSICS,
        exceedance=np.maximum(window.values[:, column] - base, 0.0) / allowed,
        threshold=1.0,
        contributions=shares,
        expected=expected,
        on_delay=_DELAY,
        off_delay=_DELAY,
    )
