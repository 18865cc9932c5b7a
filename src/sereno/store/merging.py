"""What a batch adds to what is stored: pure array work, no database."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sereno.domain.arrays import micros_of
from sereno.domain.readings import JUDGED, BoolArray, FloatArray, Quality, QualityArray, Readings

__all__ = ["AssetRows", "IntArray", "Merged", "by_asset", "merge", "with_flags"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AssetRows:
    """Rows of one asset, one per instant, in time order.

    Attributes:
        ts: Microseconds since 1970, UTC, shape (rows,).
        values, quality: Shape (rows, signals).
        revision: How often a value of the row was replaced, plus one, shape (rows,).
        simulated: The row came from a simulator only, shape (rows,).
    """

    ts: IntArray
    values: FloatArray
    quality: QualityArray
    revision: IntArray
    simulated: BoolArray

    def __len__(self) -> int:
        return len(self.ts)

    def take(self, rows: BoolArray | IntArray | slice) -> "AssetRows":
        """The chosen rows."""
        return AssetRows(
            self.ts[rows], self.values[rows], self.quality[rows], self.revision[rows], self.simulated[rows]
        )

    @classmethod
    def empty(cls, n_signals: int) -> "AssetRows":
        """No rows."""
        shape, ts = (0, n_signals), np.empty(0, dtype=np.int64)
        return cls(ts, np.empty(shape), np.empty(shape, dtype=np.int32), ts, np.empty(0, dtype=np.bool_))

    @classmethod
    def join(cls, parts: "Sequence[AssetRows]") -> "AssetRows":
        """The rows of several parts, one after the other; at least one part."""
        filled = [part for part in parts if len(part)]
        if len(filled) == 1:
            return filled[0]
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))


@dataclass(frozen=True, slots=True)
class Merged:
    """What must be written.

    Attributes:
        new: Rows of instants that were not there.
        touched: Rows that were there, as they shall be.
        superseded: Rows as they were before a value of theirs was replaced.
        n_new: Values that were not there.
        n_changed: Values that replaced different ones.
        first_ts: Earliest instant that is new or different; None when nothing is.
    """

    new: AssetRows
    touched: AssetRows
    superseded: AssetRows
    n_new: int
    n_changed: int
    first_ts: int | None


def by_asset(readings: Readings, *, is_simulated: bool) -> dict[int, AssetRows]:
    """A batch split by asset index; of rows with the same instant the last value that is there wins."""
    ts = micros_of(readings.time)
    order = np.lexsort((ts, readings.asset_index))
    index, ts = readings.asset_index[order], ts[order]
    values, quality = readings.values[order].astype(np.float64), readings.quality[order].astype(np.int32)
    is_first = np.ones(len(ts), dtype=np.bool_)
    is_first[1:] = (index[1:] != index[:-1]) | (ts[1:] != ts[:-1])
    if not is_first.all():
        starts = np.flatnonzero(is_first)
        values, quality = _last_values(values, starts), np.bitwise_or.reduceat(quality, starts, axis=0)
        index, ts = index[starts], ts[starts]
    rows = AssetRows(
        ts=ts,
        values=values,
        quality=_settled(quality, values),
        revision=np.ones(len(ts), dtype=np.int64),
        simulated=np.full(len(ts), is_simulated),
    )
    edges = np.flatnonzero(np.diff(index, prepend=-1, append=-1))
    return {int(index[start]): rows.take(slice(start, stop)) for start, stop in pairwise(edges)}


def merge(rows: AssetRows, stored: AssetRows) -> Merged:
    """Compare a batch with what is stored in its time range.

    An absent value never erases a stored one, quality flags add up (a value that is there is no longer
    `MISSING`), and what a simulator says never touches a row that was measured.
    """
    at = np.searchsorted(stored.ts, rows.ts)
    is_known = np.zeros(len(rows), dtype=np.bool_)
    inside = at < len(stored)
    is_known[inside] = stored.ts[at[inside]] == rows.ts[inside]
    new, batch, old = rows.take(~is_known), rows.take(is_known), stored.take(at[is_known])
    allowed = old.simulated | ~batch.simulated
    batch, old = batch.take(allowed), old.take(allowed)
    is_filled = np.isnan(old.values) & ~np.isnan(batch.values)
    is_changed = ~np.isnan(old.values) & ~np.isnan(batch.values) & (old.values != batch.values)
    is_revised = is_changed.any(axis=1)
    is_measured = is_revised | is_filled.any(axis=1)
    fresh = replace(
        _combined(batch, old),
        revision=old.revision + is_revised,
        # Flags, or repeats of what was simulated, measure nothing.
        simulated=old.simulated & ~(is_measured & ~batch.simulated),
    )
    is_different = is_measured | (fresh.quality != old.quality).any(axis=1)
    first = [int(part[0]) for part in (new.ts, fresh.ts[is_different]) if len(part)]
    return Merged(
        new=new,
        touched=fresh.take(is_different),
        superseded=old.take(is_revised),
        n_new=int(np.count_nonzero(~np.isnan(new.values)) + np.count_nonzero(is_filled)),
        n_changed=int(np.count_nonzero(is_changed)),
        first_ts=min(first, default=None),
    )


def with_flags(stored: AssetRows, ts: IntArray, flags: QualityArray) -> AssetRows:
    """The stored rows whose flags judging changes, with them in place of what judging said before.

    Args:
        ts: Instants of the flags, ascending, each once; those without a stored row are passed over.
        flags: `Quality` bits, shape (rows, signals).
    """
    _, at, given = np.intersect1d(stored.ts, ts, assume_unique=True, return_indices=True)
    old = stored.take(at)
    fresh = replace(old, quality=_settled((old.quality & ~int(JUDGED)) | flags[given], old.values))
    return fresh.take((fresh.quality != old.quality).any(axis=1))


def _combined(batch: AssetRows, old: AssetRows) -> AssetRows:
    """What is stored with what came over it; of a value that is replaced nothing is known by judging."""
    values = np.where(np.isnan(batch.values), old.values, batch.values)
    is_replaced = ~np.isnan(batch.values) & (batch.values != old.values)
    kept = old.quality & ~np.where(is_replaced, int(JUDGED), 0).astype(np.int32)
    return replace(old, values=values, quality=_settled(kept | batch.quality, values))


def _last_values(values: FloatArray, starts: IntArray) -> FloatArray:
    """The last value that is there in each group of rows; NaN where a group has none."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.reduceat(np.where(np.isnan(values), -1, rows), starts, axis=0)
    found = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last < 0, np.nan, found)


def _settled(quality: QualityArray, values: FloatArray) -> QualityArray:
    """Quality without `MISSING` where there is a value."""
    return np.where(np.isnan(values), quality, quality & ~int(Quality.MISSING)).astype(np.int32)
