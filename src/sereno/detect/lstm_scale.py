"""What an LSTM autoencoder is shown of an asset: scaled cells, the hour where it matters, whole sequences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from sereno.detect.lstm_network import Float32Array
from sereno.domain.calendar import local_time
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window

__all__ = ["AssetScale", "Sequences", "fit_scale", "in_columns", "in_window_order"]

_USUAL_QUANTILE = 0.995
_BEYOND = 1.5
"""Times the 99.5 % quantile of its size beyond which a cell is hidden from the network."""
_LEAST_REACH, _WIDEST_REACH = 4.0, 12.0
"""Bounds on that distance [spreads]."""
_IQR_OF_NORMAL = 1.349
_RANGE_OF_NORMAL = 4.652
"""Distance from the 1 % to the 99 % quantile of a standard normal variable."""
_CONSTANT_SHARE = 0.01
"""Spread of a signal that never moved, as share of its level."""
_SHORTEST_CONTEXT, _LONGEST_CONTEXT = timedelta(minutes=15), timedelta(hours=6)
"""Steps between which the hour of the day and the weekend are inputs: what one of a minute does in a sequence
of half an hour does not hang on them, and a day has no hour."""
_JUMP = 1.5
"""Steps between two rows beyond which something is missing."""
_WEEKEND = 5


@dataclass(frozen=True, slots=True)
class AssetScale:
    """How the cells of one asset become inputs.

    Attributes:
        segment: Whose network judges it.
        zone: Whose clock its hours follow.
        centre, spread: Median and robust deviation of each signal, in its unit, shape (signals,).
        reach: Distance from the centre beyond which a cell is not shown to the network [spreads]: what it
            never learnt from would be carried along for a whole sequence. Shape (signals,).
        limits: Calm limits of the two statistics, and the calm median of the larger in their units, (3,).
    """

    signals: tuple[str, ...]
    segment: str
    zone: str
    step: timedelta | None
    centre: FloatArray
    spread: FloatArray
    reach: FloatArray
    limits: FloatArray

    def scaled(self, values: FloatArray) -> FloatArray:
        """Values as spreads from their centre, shape (rows, signals)."""
        return (values - self.centre) / self.spread

    def inputs(self, values: FloatArray, time: TimeArray) -> Float32Array:
        """Scaled cells, unknown and hidden ones at their centre, then the context; (rows, inputs)."""
        cells = np.nan_to_num(self.scaled(values))
        cells = np.where(np.abs(cells) <= self.reach, cells, 0.0)
        if not _has_context(self.step):
            return cells.astype(np.float32)
        return np.concatenate([cells, _context(local_time(time, self.zone))], axis=1).astype(np.float32)

    @classmethod
    def middle(cls, scales: Sequence["AssetScale"], limits: FloatArray) -> "AssetScale":
        """The scale of an asset that nobody has seen: the middle one of its segment."""
        centre = np.median([scale.centre for scale in scales], axis=0)
        spread = np.median([scale.spread for scale in scales], axis=0)
        reach = np.median([scale.reach for scale in scales], axis=0)
        return replace(scales[0], centre=centre, spread=spread, reach=reach, limits=limits)

    def to_json(self) -> dict[str, object]:
        """All but the arrays."""
        step_s = None if self.step is None else self.step.total_seconds()
        return {"signals": list(self.signals), "segment": self.segment, "zone": self.zone, "step_s": step_s}

    def to_arrays(self) -> dict[str, FloatArray]:
        """The arrays."""
        return {"centre": self.centre, "spread": self.spread, "reach": self.reach, "limits": self.limits}

    @classmethod
    def of(cls, text: Mapping[str, Any], arrays: Mapping[str, FloatArray]) -> "AssetScale":
        """The scale that `to_json` and `to_arrays` described."""
        step = None if text["step_s"] is None else timedelta(seconds=text["step_s"])
        return cls(tuple(text["signals"]), text["segment"], text["zone"], step, **arrays)


def fit_scale(window: Window, use: BoolArray, segment: str) -> AssetScale:
    """The scale of an asset from its cells in the rows marked in `use`."""
    columns = [_fit_column(column[use & ~np.isnan(column)]) for column in window.values.T]
    centre, spread, reach = np.array(columns).reshape(len(columns), 3).T
    return AssetScale(window.signals, segment, window.zone, window.step, centre, spread, reach, np.ones(3))


def _fit_column(known: FloatArray) -> tuple[float, float, float]:
    """Median, spread and reach; the spread is no less than half of what the outer quantiles say.

    Most values of a signal that is coarse, or idle now and then, are alike: the inner quantiles alone would
    call everything else far away.
    """
    if not len(known):
        return 0.0, 1.0, _LEAST_REACH
    first, low, centre, high, last = np.quantile(known, [0.01, 0.25, 0.5, 0.75, 0.99]).tolist()
    spread = max((high - low) / _IQR_OF_NORMAL, 0.5 * (last - first) / _RANGE_OF_NORMAL)
    spread = spread or float(known.std()) or _CONSTANT_SHARE * abs(centre) or 1.0
    usual = float(np.quantile(np.abs(known - centre), _USUAL_QUANTILE)) / spread
    return centre, spread, min(max(_BEYOND * usual, _LEAST_REACH), _WIDEST_REACH)


@dataclass(frozen=True, slots=True)
class Sequences:
    """Which rows end a sequence without a gap.

    Attributes:
        ends: Their positions.
    """

    length: int
    ends: npt.NDArray[np.intp]

    @classmethod
    def of(cls, time: TimeArray, values: FloatArray, step: timedelta | None, length: int) -> "Sequences":
        """The sequences of rows; a row without any value, and a jump in time, end what came before."""
        rows = np.arange(len(time))
        is_there = ~np.isnan(values).all(axis=1)
        broken_at = np.where(is_there, -1, rows)
        if step is not None:
            jumps = np.flatnonzero(np.diff(time) > _JUMP * np.timedelta64(step)) + 1
            broken_at[jumps] = np.maximum(broken_at[jumps], jumps - 1)
        run = rows - np.maximum.accumulate(broken_at) if len(rows) else rows
        return cls(length, np.flatnonzero(run >= length))

    def within(self, use: BoolArray) -> npt.NDArray[np.intp]:
        """The ends of those of which every row is marked."""
        counted = np.concatenate([[0], np.cumsum(use)])
        marked = counted[self.ends + 1] - counted[self.ends + 1 - self.length]
        ends: npt.NDArray[np.intp] = self.ends[marked == self.length]
        return ends


def in_columns(window: Window, signals: tuple[str, ...]) -> FloatArray:
    """The values of those signals, NaN for one that the window does not have, shape (rows, signals)."""
    if window.signals == signals:
        return window.values
    values = np.full((len(window), len(signals)), np.nan)
    for place, name in enumerate(signals):
        if name in window.signals:
            values[:, place] = window.values[:, window.signals.index(name)]
    return values


def in_window_order(window: Window, signals: tuple[str, ...], columns: FloatArray) -> FloatArray:
    """Columns of those signals in the order of the window's; NaN for one that is not among them."""
    if window.signals == signals:
        return columns
    ordered = np.full(window.values.shape, np.nan)
    for place, name in enumerate(window.signals):
        if name in signals:
            ordered[:, place] = columns[:, signals.index(name)]
    return ordered


def _has_context(step: timedelta | None) -> bool:
    return step is not None and _SHORTEST_CONTEXT <= step <= _LONGEST_CONTEXT


def _context(local: TimeArray) -> FloatArray:
    """Sine and cosine of the hour of the day, and whether it is the weekend, shape (rows, 3)."""
    day = local.astype("datetime64[D]")
    turn = 2 * np.pi * ((local - day) / np.timedelta64(1, "D"))
    is_weekend = (day.astype(np.int64) + 3) % 7 >= _WEEKEND
    return np.stack([np.sin(turn), np.cos(turn), is_weekend.astype(float)], axis=1)
