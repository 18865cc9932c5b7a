"""The signals that a detector learnt, and those of the window before it: one taken for the other."""

import numpy as np

from sereno.domain.readings import FloatArray, Window

__all__ = ["as_in_window", "columns_of"]


def columns_of(window: Window, signals: tuple[str, ...]) -> FloatArray:
    """Values of the named signals, shape (rows, signals); NaN for those that the window lacks."""
    if window.signals == signals:
        return window.values
    values = np.full((len(window), len(signals)), np.nan)
    for s, name in enumerate(signals):
        if name in window.signals:
            values[:, s] = window.values[:, window.signals.index(name)]
    return values


def as_in_window(window: Window, signals: tuple[str, ...], part: FloatArray) -> FloatArray:
    """Columns of the named signals in the order of the window's; NaN for those that were not named."""
    if window.signals == signals:
        return part
    result = np.full(window.values.shape, np.nan)
    for s, name in enumerate(window.signals):
        if name in signals:
            result[:, s] = part[:, signals.index(name)]
    return result
