"""What of a history teaches: the time of what somebody found to be a fault does not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sereno.domain.readings import BoolArray, Window
from sereno.domain.time import Span, to_numpy

__all__ = ["rows_within", "without_spans"]


def without_spans(window: Window, spans: Sequence[Span]) -> Window:
    """The window with no values in its rows of some time."""
    if not spans:
        return window
    return replace(window, values=np.where(rows_within(window, spans)[:, None], np.nan, window.values))


def rows_within(window: Window, spans: Sequence[Span]) -> BoolArray:
    """Rows that lie in some time, shape (rows,)."""
    inside = np.zeros(len(window), dtype=bool)
    for started_at, ended_at in spans:
        first, stop = np.searchsorted(window.time, [to_numpy(started_at), to_numpy(ended_at)])
        inside[first:stop] = True
    return inside
