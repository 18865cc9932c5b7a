"""What calm looks like for the signals of an asset: limits, bounds, context and the levels they settle at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sereno.detect.ewma_following import Bands, Follower
from sereno.domain.readings import BoolArray, FloatArray

__all__ = ["MIN_ROWS", "Calm", "learn_calm", "pool_members"]

_CALM_QUANTILE = 0.99
_CLIP = 8.0
"""Spreads from the middle at which readings are bounded before anything is learnt from them."""
_BOUND = 5.0
"""Spreads beyond which an error is no noise and is followed at once."""
_CREDIBLE_ROWS = 1_600
"""Rows that a window must have for its own limit to count as much as those of all windows together."""
MIN_ROWS = 60
"""Rows of one window below which its calm extremes are unknown."""
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
_MIN_LIMIT, _MIN_SPREAD = 1e-3, 0.05
"""A limit is at least these shares of the level and of the spread: what hardly ever moved must not be
boundlessly strange when it does."""
_SETTLED_ROWS = 60
"""Length of the stretches over which the noise about a settled level is measured [rows]."""
_BAND_WIDTH, _WIDEST = 8.0, 0.9
"""Width of the bins in which settled levels are looked for, in spreads of a window that is noisier than the
latter share of them."""
_BIN_ROWS, _BIN_SHARE = 10, 0.001
"""Rows in a bin, and share of all, that make it more than a place to pass through."""
_BAND_ROWS = 60
"""Rows that make bins side by side a level to settle at."""
_MIN_STAY = 60
"""Rows at one level, on average, below which a signal switches and does not settle."""


@dataclass(frozen=True, slots=True)
class Calm:
    """What the detector knows of one asset.

    Attributes:
        limits: Calm 99 % quantile of fast average minus level [unit of the signal], shape (signals,); such
            that the largest over the signals has its own 99 % quantile at 1. Infinite for a signal that never
            moved: it has shown no measure to judge a move by.
        bounds: Largest error that may be noise [unit of the signal], shape (signals,).
        levels: Middle of the window, shape (signals,).
        is_context: Signals that wander by themselves, shape (signals,).
        bands: Levels that a signal settles at: index of the signal, lowest, highest; shape (bands, 3). Only
            of signals that have more than one.
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
) -> list[Calm]:
    """What calm looks like over the windows of one asset: for each of them, as the one that goes on.

    Args:
        blocks: Values (rows, signals) and the rows to learn from (rows,), per window; at least `MIN_ROWS` of
            the latter in each.
    """
    bands = _bands([values[rows] for values, rows in blocks])
    extents = _extents(blocks, bands, follower)
    is_context = _wanders([one.learnt for one in extents])
    has_moved = np.any([one.has_moved for one in extents], axis=0)
    bounds = _credible([one.bounds for one in extents], extents)
    return [
        Calm(signals, np.where(has_moved, limit, np.inf), bound, one.levels, is_context, bands)
        for one, limit, bound in zip(extents, _limits(extents, is_context), bounds, strict=True)
    ]


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
        n_rows, levels, limits, farthest, bounds, has_moved: Readings, middle, calm and outermost quantile of
            the gap, error that may be noise, whether there are two different readings; each (signals,).
        gaps, learnt: Of the rows to learn from, and their readings without regimes; each (rows, signals).
    """

    n_rows: FloatArray
    levels: FloatArray
    limits: FloatArray
    farthest: FloatArray
    bounds: FloatArray
    has_moved: BoolArray
    gaps: FloatArray
    learnt: FloatArray


def _extents(
    blocks: Sequence[tuple[FloatArray, BoolArray]], bands: FloatArray, follower: Follower
) -> list[_Extent]:
    return [
        _measure(_within_bands(values, bands), rows, _middle(values[rows]), follower)
        for values, rows in blocks
    ]


def _limits(extents: Sequence[_Extent], is_context: BoolArray) -> list[FloatArray]:
    """Limits of each window: its own and those of all, and such that few rows are beyond any of them."""
    farthest = np.max([one.farthest for one in extents], axis=0)
    limits = [
        np.where(is_context, np.maximum(own, farthest), own)
        for own in _credible([one.limits for one in extents], extents)
    ]
    joint = float(np.median([_joint(one.gaps / own) for one, own in zip(extents, limits, strict=True)]))
    return [own * joint for own in limits]


def _measure(values: FloatArray, rows: BoolArray, levels: FloatArray, follower: Follower) -> _Extent:
    """How far the signals of a window go.

    Args:
        values: Without their regimes, see `_within_bands`.
        levels: Middle of the readings themselves.
    """
    learnt = values[rows]
    middle, spreads = _middle(learnt), _spread(learnt)
    least = np.maximum.reduce(
        [_MIN_LIMIT * np.abs(levels), _MIN_SPREAD * spreads, np.full(len(levels), _TINY)]
    )
    noise = np.maximum(_noise(learnt, _SCREEN_ROWS), least)
    errors = np.minimum(np.abs(learnt - middle) / noise, _CLIP)
    bounds = noise * np.maximum(_BOUND, _quantile(errors, _NOISE_QUANTILE))
    reach = _CLIP * spreads
    lowest = np.minimum(middle - reach, _quantile(learnt, 1.0 - _CALM_QUANTILE))
    highest = np.maximum(middle + reach, _quantile(learnt, _CALM_QUANTILE))
    clipped = np.clip(values, lowest, highest)
    followed = follower.follow(clipped, np.full(len(levels), np.inf), bounds)
    gaps = np.abs(followed.gaps[rows])
    return _Extent(
        n_rows=(~np.isnan(learnt)).sum(axis=0).astype(float),
        levels=levels,
        limits=np.maximum(_quantile(gaps, _CALM_QUANTILE), least),
        farthest=_quantile(gaps, _NOISE_QUANTILE),
        bounds=bounds,
        has_moved=_quantile(learnt, 0.0) < _quantile(learnt, 1.0),
        gaps=gaps,
        learnt=learnt,
    )


def _credible(own: Sequence[FloatArray], extents: Sequence[_Extent]) -> list[FloatArray]:
    """Each window's figure, drawn to that of all: the less rows it has, the more.

    Over windows at different levels a figure is taken as a share of the level where that makes them more
    alike: a flow of 120 l/min ripples more than one of 30 l/min.
    """
    n_rows = np.array([one.n_rows for one in extents])
    is_known = n_rows >= MIN_ROWS
    logs = _filled(np.log(own), is_known)
    levels = _filled(np.log(np.maximum(np.abs([one.levels for one in extents]), _TINY)), is_known)
    is_share = np.var(logs - levels, axis=0) < np.var(logs, axis=0)
    shift = np.where(is_share, levels, 0.0)
    common = np.median(logs - shift, axis=0) + shift
    weight = n_rows / (n_rows + _CREDIBLE_ROWS) if len(extents) > 1 else np.ones_like(n_rows)
    return list(np.exp(weight * logs + (1.0 - weight) * common))


def _filled(figures: FloatArray, is_known: BoolArray) -> FloatArray:
    """Figures (windows, signals) with the middle of the known windows in place of the unknown ones."""
    middle = _middle(np.where(is_known, figures, np.nan))
    return np.where(is_known | ~is_known.any(axis=0), figures, middle)


def _joint(parts: FloatArray) -> float:
    """Calm quantile of the strangest signal, in the limits of one; at least 1."""
    strangest = np.nan_to_num(parts).max(axis=1, initial=0.0)
    return max(1.0, float(np.quantile(strangest, _CALM_QUANTILE)))


def _wanders(learnt: Sequence[FloatArray]) -> BoolArray:
    """Signals whose block means spread far more than those of noise, in the middle of all stretches.

    When all do there is no context, only a slow plant.
    """
    parts = [part for values in learnt for part in _stretches(values, _SCREEN_ROWS)]
    ratios = [_wandering(part) for part in parts if len(part) >= MIN_ROWS]
    if not ratios:
        return np.zeros(learnt[0].shape[1], dtype=bool)
    is_context = _middle(np.array(ratios)) > _WANDERS
    return is_context & ~is_context.all()


def _wandering(values: FloatArray) -> FloatArray:
    """Spread of the block means of a stretch over what white noise gives, shape (signals,)."""
    length = len(values) // _SCREEN_BLOCKS
    spread = np.maximum(_spread(values), _TINY)
    scaled = np.nan_to_num(np.clip((values - _middle(values)) / spread, -_CLIP, _CLIP))
    blocks = scaled[: length * _SCREEN_BLOCKS].reshape(_SCREEN_BLOCKS, length, -1).mean(axis=1)
    noise = np.std(scaled, axis=0) / np.sqrt(length)
    ratio: FloatArray = np.std(blocks, axis=0, ddof=1) / np.maximum(noise, _TINY)
    return ratio


def _stretches(values: FloatArray, length: int) -> list[FloatArray]:
    """Equal stretches of about so many rows; all rows when there are fewer."""
    return np.array_split(values, max(1, round(len(values) / length)))


def _bands(learnt: Sequence[FloatArray]) -> FloatArray:
    """Levels that signals settle at: runs of bins with many rows, parted by bins with few."""
    found: list[tuple[float, float, float]] = []
    widths = _BAND_WIDTH * np.quantile([_noise(values, _SETTLED_ROWS) for values in learnt], _WIDEST, axis=0)
    for s, width in enumerate(widths.tolist()):
        columns = [values[~np.isnan(values[:, s]), s] for values in learnt]
        bands = _settled(np.concatenate(columns), width) if width > 0 else []
        if len(bands) > 1 and _stay(columns, bands) >= _MIN_STAY:
            found += [(s, low, high) for low, high in bands]
    return np.array(found, dtype=float).reshape(-1, 3)


def _settled(column: FloatArray, width: float) -> list[tuple[float, float]]:
    bins, counts = np.unique(np.floor(column / width), return_counts=True)
    is_kept = counts >= max(_BIN_ROWS, _BIN_SHARE * len(column))
    bins, counts = bins[is_kept], counts[is_kept]
    cuts = np.flatnonzero(np.diff(bins) > 1) + 1
    bands: list[tuple[float, float]] = []
    for part, rows in zip(np.split(bins, cuts), np.split(counts, cuts), strict=True):
        if rows.sum() < _BAND_ROWS:
            continue
        low, high = float(part[0]) * width, float(part[-1] + 1) * width
        if bands and low - bands[-1][1] < min(high - low, bands[-1][1] - bands[-1][0]):
            low = bands.pop()[0]  # nearer than both are wide: one level that wanders
        bands.append((low, high))
    return bands


def _stay(columns: Sequence[FloatArray], bands: Sequence[tuple[float, float]]) -> float:
    """Rows that a signal stays at one level before it goes to another, on average."""
    lows = np.array([low for low, _ in bands])
    n_changes = sum(np.count_nonzero(np.diff(np.searchsorted(lows, column, "right"))) for column in columns)
    return float(sum(len(column) for column in columns) / (n_changes + len(columns)))


def _within_bands(values: FloatArray, bands: FloatArray) -> FloatArray:
    """Readings less the middle of the level that each is at; NaN between levels."""
    within = values.copy()
    for s in np.unique(bands[:, 0]).astype(int).tolist():
        own = bands[bands[:, 0] == s, 1:]
        is_in = (values[:, s, None] >= own[:, 0]) & (values[:, s, None] <= own[:, 1])
        middles = own.mean(axis=1)[is_in.argmax(axis=1)]
        within[:, s] = np.where(is_in.any(axis=1), values[:, s] - middles, np.nan)
    return within


def _noise(values: FloatArray, length: int) -> FloatArray:
    """Robust standard deviation per signal within a stretch of so many rows, in the middle of all."""
    spread: FloatArray = np.median([_spread(part) for part in _stretches(values, length)], axis=0)
    return spread


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
