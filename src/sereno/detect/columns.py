"""Columns as a detector learnt them, and back to those of the window that is judged."""

import numpy as np

from sereno.domain.readings import FloatArray, Window

__all__ = ["as_in", "columns_of"]


def columns_of(window: Window, signals: tuple[str, ...]) -> FloatArray:
    """The values of learnt signals, in their order; NaN for those that the window lacks."""
    if window.signals == signals:
        return window.values
    values = np.full((len(window), len(signals)), np.nan)
    for s, name in enumerate(signals):
        if name in window.signals:
            values[:, s] = window.values[:, window.signals.index(name)]
    return values


def as_in(window: Window, learnt: tuple[str, ...], part: FloatArray) -> FloatArray:
    """Columns of learnt signals in the order of the window's; NaN for those that were not learnt."""
    if window.signals == learnt:
        return part
    result = np.full(window.values.shape, np.nan)
    for s, name in enumerate(window.signals):
        if name in learnt:
            result[:, s] = part[:, learnt.index(name)]
    return result
