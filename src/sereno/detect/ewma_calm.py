"""What calm looks like for the signals of one asset: limits, bounds, context and the levels they settle at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sereno.detect.ewma_following import Bands, Follower
from sereno.domain.readings import BoolArray, FloatArray

__all__ = ["Calm", "learn_calm", "pool_members"]

_CALM_QUANTILE = 0.99
_CLIP = 8.0
"""Spreads from the middle at which readings are bounded before anything is learnt from them."""
_BOUND = 5.0
"""Spreads beyond which an error is no noise and is followed at once."""
_CREDIBLE_ROWS = 1_600
"""Rows that a window must have for its own limit to count as much as those of all windows together."""
_MIN_WINDOW_ROWS = 60
_NOISE_QUANTILE = 0.999
_MAD = 1.4826
"""Standard deviation of a normal variable over its median absolute deviation."""
_MIN_ROBUST = 0.1
_TINY = 1e-12
_SCREEN_ROWS = 400
"""Length of the stretches over which wandering is told from noise [rows]."""
_SCREEN_BLOCKS = 8
_WANDERS = 5.0
"""Spread of block means over that of white noise from which a signal is context: noise alone gives 1."""
_MIN_LIMIT = 1e-3
"""A limit is at least this share of the level: what never moved must not be infinitely strange when it does."""
_BAND_WIDTH = 2.0
"""Width of the bins in which settled levels are looked for, in limits."""
_BIN_ROWS, _BIN_SHARE = 10, 0.001
"""Rows in a bin, and share of all, that make it more than a place to pass through."""
_BAND_ROWS = 60
"""Rows that make bins side by side a level to settle at."""


@dataclass(frozen=True, slots=True)
class Calm:
    """What the detector knows of one asset.

    Attributes:
        limits: Calm 99 % quantile of fast average minus level [unit of the signal], shape (signals,); such
            that the largest over the signals has its own 99 % quantile at 1.
        bounds: Largest error that may be noise [unit of the signal], shape (signals,).
        levels: Middle of the last window, shape (signals,).
        is_context: Signals that wander by themselves, shape (signals,).
        bands: Levels that a signal settles at: index of the signal, lowest, highest; shape (bands, 3). Only of
            signals that have more than one.
    """

    signals: tuple[str, ...]
    limits: FloatArray
    bounds: FloatArray
    levels: FloatArray
    is_context: BoolArray
    bands: FloatArray

    def bands_by_signal(self) -> list[Bands]:
        """Lowest and highest of each level that each signal settles at."""
        rows = self.bands.tolist()
        return [[(low, high) for of, low, high in rows if of == s] for s in range(len(self.signals))]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that `from_arrays` needs besides the names."""
        return {
            "limits": self.limits,
            "bounds": self.bounds,
            "levels": self.levels,
            "is_context": self.is_context,
            "bands": self.bands,
        }

    @classmethod
    def from_arrays(cls, signals: tuple[str, ...], arrays: Mapping[str, np.ndarray], prefix: str) -> "Calm":
        """The one that `to_arrays` described, under a prefix."""
        names = ("limits", "bounds", "levels", "is_context", "bands")
        return cls(signals, *(arrays[prefix + name] for name in names))


def learn_calm(
    signals: tuple[str, ...], blocks: Sequence[tuple[FloatArray, BoolArray]], follower: Follower
) -> Calm:
    """What calm looks like over the windows of one asset, the last of which goes on.

    Args:
        blocks: Values (rows, signals) and the rows to learn from (rows,), per window.
    """
    measured = [_measure(values, rows, follower) for values, rows in blocks]
    extents = [one for one in measured if one.n_rows.max() >= _MIN_WINDOW_ROWS] or measured
    is_context = _wanders([values[rows] for values, rows in blocks])
    farthest = np.max([one.farthest for one in extents], axis=0)
    limits = [
        np.where(is_context, np.maximum(own, farthest), own)
        for own in _credible([one.limits for one in extents], extents)
    ]
    joint = float(np.median([_joint(one.gaps / own) for one, own in zip(extents, limits, strict=True)]))
    calm = Calm(
        signals=signals,
        limits=limits[-1] * joint,
        bounds=_credible([one.bounds for one in extents], extents)[-1],
        levels=extents[-1].levels,
        is_context=is_context,
        bands=np.zeros((0, 3)),
    )
    widest = _BAND_WIDTH * np.max(limits, axis=0)
    return replace(calm, bands=_bands(np.concatenate([one.fast for one in extents]), widest))


def pool_members(members: Sequence[Calm]) -> Calm:
    """An asset with the middle limits of others that have the same signals."""
    return replace(
        members[0],
        limits=np.exp(np.median([np.log(one.limits) for one in members], axis=0)),
        bounds=np.exp(np.median([np.log(one.bounds) for one in members], axis=0)),
        bands=np.zeros((0, 3)),
    )


@dataclass(frozen=True, slots=True)
class _Extent:
    """How far the signals of one window go.

    Attributes:
        n_rows, levels, limits, farthest, bounds: Readings, middle, calm quantile and largest of the gap, error
            that may be noise; each (signals,).
        gaps, fast: Gap and fast average of the rows to learn from, each (rows, signals).
    """

    n_rows: FloatArray
    levels: FloatArray
    limits: FloatArray
    farthest: FloatArray
    bounds: FloatArray
    gaps: FloatArray
    fast: FloatArray


def _measure(values: FloatArray, rows: BoolArray, follower: Follower) -> _Extent:
    learnt = values[rows]
    levels, spreads = _middle(learnt), _spread(learnt)
    least = np.maximum(_MIN_LIMIT * np.abs(levels), _TINY)
    noise = np.maximum(np.median([_spread(part) for part in _stretches(learnt)], axis=0), least)
    errors = np.minimum(np.abs(learnt - levels) / noise, _CLIP)
    bounds = noise * np.maximum(_BOUND, _quantile(errors, _NOISE_QUANTILE))
    reach = _CLIP * np.maximum(spreads, least)
    clipped = np.clip(values, levels - reach, levels + reach)
    followed = follower.follow(clipped, np.full(len(levels), np.inf), bounds)
    gaps = np.abs(followed.gaps[rows])
    return _Extent(
        n_rows=(~np.isnan(learnt)).sum(axis=0).astype(float),
        levels=levels,
        limits=np.maximum(_quantile(gaps, _CALM_QUANTILE), least),
        farthest=_quantile(gaps, 1.0),
        bounds=bounds,
        gaps=gaps,
        fast=(followed.gaps + followed.levels)[rows],
    )


def _credible(own: Sequence[FloatArray], extents: Sequence[_Extent]) -> list[FloatArray]:
    """Each window's figure, drawn to that of all: the less rows it has, the more.

    Over windows at different levels a figure is taken as a share of the level where that makes them more
    alike: a flow of 120 l/min ripples more than one of 30 l/min.
    """
    logs = np.log(own)
    levels = np.log(np.maximum(np.abs([one.levels for one in extents]), _TINY))
    is_share = np.var(logs - levels, axis=0) < np.var(logs, axis=0)
    shift = np.where(is_share, levels, 0.0)
    common = np.median(logs - shift, axis=0) + shift
    n_rows = np.array([one.n_rows for one in extents])
    weight = n_rows / (n_rows + _CREDIBLE_ROWS) if len(extents) > 1 else np.ones_like(n_rows)
    return list(np.exp(weight * logs + (1.0 - weight) * common))


def _joint(parts: FloatArray) -> float:
    """Calm quantile of the strangest signal, in the limits of one; at least 1."""
    strangest = np.nan_to_num(parts).max(axis=1, initial=0.0)
    return max(1.0, float(np.quantile(strangest, _CALM_QUANTILE)))


def _wanders(learnt: Sequence[FloatArray]) -> BoolArray:
    """Signals whose block means spread far more than those of noise, in the middle of all stretches.

    When all do there is no context, only a slow plant.
    """
    ratios = [_wandering(part) for values in learnt for part in _stretches(values)]
    is_context = _middle(np.array(ratios)) > _WANDERS
    return is_context & ~is_context.all()


def _wandering(values: FloatArray) -> FloatArray:
    """Spread of the block means of a stretch over what white noise gives, shape (signals,)."""
    length = len(values) // _SCREEN_BLOCKS
    spread = np.maximum(_spread(values), _TINY)
    scaled = np.clip((values - _middle(values)) / spread, -_CLIP, _CLIP)
    blocks = scaled[: length * _SCREEN_BLOCKS].reshape(_SCREEN_BLOCKS, length, -1).mean(axis=1)
    noise = np.std(scaled, axis=0) / np.sqrt(length)
    return np.std(blocks, axis=0, ddof=1) / np.maximum(noise, _TINY)


def _stretches(values: FloatArray) -> list[FloatArray]:
    """Equal stretches of about `_SCREEN_ROWS` rows; all rows when there are fewer."""
    return np.array_split(values, max(1, round(len(values) / _SCREEN_ROWS)))


def _bands(fast: FloatArray, widths: FloatArray) -> FloatArray:
    """Levels that signals settle at: runs of bins with many rows, parted by bins with few."""
    found: list[tuple[float, float, float]] = []
    for s, width in enumerate(widths.tolist()):
        column = fast[~np.isnan(fast[:, s]), s]
        bins, counts = np.unique(np.floor(column / width), return_counts=True)
        is_kept = counts >= max(_BIN_ROWS, _BIN_SHARE * len(column))
        bins, counts = bins[is_kept], counts[is_kept]
        cuts = np.flatnonzero(np.diff(bins) > 1) + 1
        parts = [
            part
            for part, rows in zip(np.split(bins, cuts), np.split(counts, cuts), strict=True)
            if rows.sum() >= _BAND_ROWS
        ]
        if len(parts) > 1:
            found += [(s, part[0] * width, (part[-1] + 1) * width) for part in parts]
    return np.array(found, dtype=float).reshape(-1, 3)


def _middle(values: FloatArray) -> FloatArray:
    """Median per signal; 0 where nothing was read."""
    return _quantile(values, 0.5)


def _quantile(values: FloatArray, share: float) -> FloatArray:
    """Quantile per signal of what is known; 0 where nothing is."""
    columns = (column[~np.isnan(column)] for column in values.T)
    return np.array([np.quantile(column, share) if len(column) else 0.0 for column in columns])


def _spread(values: FloatArray) -> FloatArray:
    """Robust standard deviation per signal; the plain one where most readings are equal."""
    centred = np.abs(values - _middle(values))
    robust = _MAD * _middle(centred)
    plain = np.sqrt(np.nan_to_num(np.nanmean(np.vstack([centred**2, np.zeros(values.shape[1])]), axis=0)))
    return np.where(robust < _MIN_ROBUST * plain, plain, robust)
