"""Which instants of which assets come more than once in a file, known before its rows are read.

A 64-bit hash per row is enough to find them. Where they are few, all their rows wait for the last batch.
Where they are many (a file pasted together twice), one more pass tells those whose rows are equal to the last
digit, of which the first is read and the others are only counted, from those that contradict each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.ingest.dates import DateStyle, parse_times
from sereno.ingest.headers import Role
from sereno.ingest.layout import Layout
from sereno.ingest.table import TextTable, instant_texts
from sereno.ingest.zones import to_utc

__all__ = [
    "MAX_HELD_ROWS",
    "NO_HASHES",
    "NO_REPEATS",
    "RepeatCensus",
    "Repeats",
    "key_hashes",
    "positions",
    "split_repeats",
]

Hashes = npt.NDArray[np.uint64]
MAX_HELD_ROWS = 1_000_000
MAX_HASHES = 50_000_000
"""Rows whose keys are remembered (8 bytes each); larger files leave repetitions to the store's upsert."""
KEY_ROLES = (Role.TIME, Role.TIME_OF_DAY, Role.SITE, Role.ASSET, Role.REGISTER)
SEPARATOR = "\x1f"
NO_HASHES: Hashes = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Hashes of the keys that come more than once, sorted.

    Attributes:
        held: Whose rows must meet before one of them is chosen.
        identical: Whose rows are all equal.
    """

    held: Hashes
    identical: Hashes


NO_REPEATS = Repeats(NO_HASHES, NO_HASHES)


class RepeatCensus:
    """The keys of a file as they come by.

    Args:
        n_lines: Lines of the file at most; that much address space is taken, memory only as rows come.
    """

    def __init__(self, n_lines: int) -> None:
        self._hashes = np.empty(n_lines if n_lines <= MAX_HASHES else 0, dtype=np.uint64)
        self._n_hashes = 0
        self.keys = NO_HASHES
        self.n_rows = 0

    def add(self, table: TextTable, layout: Layout) -> None:
        """Takes in the rows of a table."""
        end = self._n_hashes + len(table.lines)
        if end <= len(self._hashes):
            self._hashes[self._n_hashes : end] = key_hashes(table, layout)
        self._n_hashes = end

    def finish(self) -> None:
        """Finds `keys`, those that come more than once, and `n_rows`, the rows that have them."""
        if self._n_hashes > len(self._hashes):
            return
        hashes = self._hashes[: self._n_hashes]
        self._hashes = NO_HASHES
        hashes.sort()
        is_again = hashes[1:] == hashes[:-1]
        is_second = is_again.copy()
        is_second[1:] &= ~is_again[:-1]
        self.keys = hashes[1:][is_second]
        self.n_rows = int(np.count_nonzero(is_again)) + len(self.keys)


def key_hashes(table: TextTable, layout: Layout) -> Hashes:
    """A hash of what must be unique in each row: identity, register and instant, shape (rows,)."""
    return _hashes(table, [str(c.index) for role in KEY_ROLES for c in layout.of_role(role)])


def positions(keys: Hashes, hashes: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Where each hash stands among the sorted keys, and whether it does."""
    if not len(keys):
        return np.zeros(len(hashes), dtype=np.int64), np.zeros(len(hashes), dtype=np.bool_)
    at = np.minimum(np.searchsorted(keys, hashes), len(keys) - 1)
    return at, keys[at] == hashes


def split_repeats(
    tables: Iterable[TextTable], layout: Layout, dates: DateStyle, zone: str, keys: Hashes
) -> Repeats:
    """Tells keys whose rows are all equal from those whose rows differ.

    The hour that the clock shows twice is held even when its rows are equal: they are two hours. Keys without
    a readable instant are neither; each of their rows goes to quarantine.

    Args:
        tables: All rows of the file.
        layout: What each column is.
        dates: How instants are written.
        zone: Zone of naive times.
        keys: Repeated keys, sorted.
    """
    first = np.zeros(len(keys), dtype=np.uint64)
    is_seen, is_held, is_bad = (np.zeros(len(keys), dtype=np.bool_) for _ in range(3))
    for table in tables:
        at, is_repeated = positions(keys, key_hashes(table, layout))
        rows = np.flatnonzero(is_repeated)
        if not len(rows):
            continue
        own, content = at[rows], _hashes(table, table.cells.columns)[rows]
        leads, where = np.unique(own, return_index=True)
        is_new = ~is_seen[leads]
        first[leads[is_new]] = content[where[is_new]]
        is_seen[leads] = True
        is_held[own[content != first[own]]] = True
        times = parse_times(instant_texts(table, layout).gather(rows), dates)
        is_bad[own[np.isnat(times.local)]] = True
        is_held[own[to_utc(times.local, zone).is_repeated & ~times.is_utc]] = True
    return Repeats(keys[is_held & ~is_bad], keys[~is_held & ~is_bad])


def _hashes(table: TextTable, names: list[str]) -> Hashes:
    cells = [pl.col(name).fill_null("") for name in names]
    joined = table.cells.select(pl.concat_str(cells, separator=SEPARATOR)).to_series()
    return joined.hash().to_numpy()
