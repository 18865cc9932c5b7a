"""Which instants of which assets come more than once in a file, known before its rows are read.

A 64-bit hash per row is enough to find them. Where they are few, all their rows wait for the last batch.
Where they are many (a file pasted together twice), one more pass tells those whose rows are equal to the last
digit, of which the first is read and the others are only counted, from those that contradict each other.

What is kept per row waits in a temporary file, so that a large file needs no more memory than a small one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.ingest.dates import DateStyle, parse_times
from sereno.ingest.headers import TIME_ROLES, Role
from sereno.ingest.layout import Layout
from sereno.ingest.spill import KeySpill, Numbers
from sereno.ingest.table import TextTable, instant_texts
from sereno.ingest.zones import to_utc

__all__ = [
    "MARK_WIDTH",
    "MAX_HELD_ROWS",
    "NO_REPEATS",
    "Hashes",
    "LineSet",
    "RepeatCensus",
    "Repeats",
    "is_among",
    "judge_marks",
    "key_hashes",
    "split_repeats",
]

Hashes = Numbers
Lines = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
MAX_HELD_ROWS = 1_000_000
MAX_HASHES = 50_000_000
"""Rows whose keys are remembered (8 bytes each); larger files leave repetitions to the store's upsert."""
KEY_ROLES = (*TIME_ROLES, Role.SITE, Role.ASSET, Role.REGISTER)
SEPARATOR = "\x1f"
NO_HASHES: Hashes = np.empty(0, dtype=np.uint64)
KEY, CONTENT, LINE = range(3)
"""Columns of what is kept of a row that may repeat another."""
MARK_WIDTH = len((KEY, CONTENT, LINE))
BITS_PER_BYTE = 8


class LineSet:
    """Some of the lines of a file, one bit each.

    Args:
        n_lines: Number of the last line that can be in it.
    """

    def __init__(self, n_lines: int) -> None:
        self._bits = np.zeros(n_lines // BITS_PER_BYTE + 1, dtype=np.uint8)
        self.is_empty = True

    def add(self, lines: Lines) -> None:
        """Puts more lines in."""
        self.is_empty &= not len(lines)
        bits = np.left_shift(1, lines % BITS_PER_BYTE).astype(np.uint8)
        np.bitwise_or.at(self._bits, lines // BITS_PER_BYTE, bits)

    def has(self, lines: Lines) -> Mask:
        """Which of the lines are in it, shape (lines,)."""
        found: Mask = (self._bits[lines // BITS_PER_BYTE] >> (lines % BITS_PER_BYTE) & 1).astype(np.bool_)
        return found


@dataclass(frozen=True, slots=True)
class Repeats:
    """What becomes of the rows whose key comes more than once.

    Attributes:
        held: Hashes of the keys whose rows must meet before one of them is chosen, sorted.
        dropped: Rows that equal an earlier one to the last digit.
    """

    held: Hashes
    dropped: LineSet


NO_REPEATS = Repeats(NO_HASHES, LineSet(0))


class RepeatCensus:
    """The keys of a file as they come by.

    Args:
        n_lines: Lines of the file at most.

    Attributes:
        keys: Hashes of the keys that come more than once, sorted; none of them unless they `are_few`.
        n_keys: How many such keys there are.
        n_rows: Rows that have them.
    """

    def __init__(self, n_lines: int) -> None:
        self._is_counting = n_lines <= MAX_HASHES
        self._spill = KeySpill(n_lines, 1)
        self.keys = NO_HASHES
        self.n_keys = 0
        self.n_rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spill.__exit__(kind, error, trace)

    @property
    def are_few(self) -> bool:
        """Whether all rows whose keys repeat can wait in memory."""
        return self.n_rows <= MAX_HELD_ROWS

    def add(self, table: TextTable, layout: Layout) -> None:
        """Takes in the rows of a table."""
        if not self._is_counting:
            return
        hashes = np.sort(key_hashes(table, layout))
        # Two of a key prove that it repeats: one that all rows share must not fill a range.
        is_third = np.zeros(len(hashes), dtype=np.bool_)
        is_third[2:] = hashes[2:] == hashes[:-2]
        self.n_rows += int(np.count_nonzero(is_third))
        self._spill.add(hashes[~is_third][:, np.newaxis])

    def finish(self) -> None:
        """Finds `keys`, `n_keys` and `n_rows`."""
        found: list[Hashes] = []
        for pieces in self._spill.ranges():
            hashes = np.sort(np.concatenate([NO_HASHES, *pieces], axis=None))
            is_again = hashes[1:] == hashes[:-1]
            keys = np.unique(hashes[1:][is_again])
            self.n_rows += int(np.count_nonzero(is_again)) + len(keys)
            self.n_keys += len(keys)
            found = [*found, keys] if self.are_few else []
        self.keys = np.concatenate([NO_HASHES, *found])


def key_hashes(table: TextTable, layout: Layout) -> Hashes:
    """A hash of what must be unique in each row: identity, register and instant, shape (rows,)."""
    return _hashes(table, [str(c.index) for role in KEY_ROLES for c in layout.of_role(role)])


def is_among(keys: Hashes, hashes: Hashes) -> Mask:
    """Which of the hashes are among the sorted keys, shape (hashes,)."""
    if not len(keys):
        return np.zeros(len(hashes), dtype=np.bool_)
    found: Mask = keys[np.minimum(np.searchsorted(keys, hashes), len(keys) - 1)] == hashes
    return found


def split_repeats(
    tables: Iterable[TextTable], layout: Layout, dates: DateStyle, zone: str, n_lines: int
) -> Repeats:
    """Tells keys whose rows are all equal from those whose rows differ.

    The hour that the clock shows twice is held even when its rows are equal: they are two hours. Rows without
    a readable instant are neither; each of them goes to quarantine. Of more than `MAX_HELD_ROWS` keys whose
    rows differ, only so many are held.

    Args:
        tables: All rows of the file.
        layout: What each column is.
        dates: How instants are written.
        zone: Zone of naive times.
        n_lines: Lines of the file at most.
    """
    with KeySpill(n_lines, MARK_WIDTH) as spill:
        for table in tables:
            if len(table.lines):
                spill.add(_marks(table, layout, dates, zone))
        return judge_marks(spill, n_lines)


def judge_marks(marks: KeySpill, n_lines: int) -> Repeats:
    """What becomes of the rows whose key comes more than once.

    Args:
        marks: Key, content and line of each row, in the order of lines.
        n_lines: Number of the last line at most.
    """
    dropped = LineSet(n_lines)
    found: list[Hashes] = []
    n_held = 0
    for pieces in marks.ranges():
        held = _judge_range(pieces, dropped)[: MAX_HELD_ROWS - n_held]
        found.append(held)
        n_held += len(held)
    return Repeats(np.concatenate([NO_HASHES, *found]), dropped)


def _marks(table: TextTable, layout: Layout, dates: DateStyle, zone: str) -> Numbers:
    """Key, content and line of the rows that have an instant, shape (rows, 3)."""
    times = parse_times(instant_texts(table, layout), dates)
    lines = table.lines.astype(np.uint64)
    content = _hashes(table, table.cells.columns)
    # In the hour that comes twice no row equals another: its line stands for its content.
    # One line of a day holds many rows: none of them stands for the line.
    if len(lines) > 1 and (lines[1:] == lines[:-1]).any():
        content = lines
    content = np.where(to_utc(times.local, zone).is_repeated & ~times.is_utc, lines, content)
    return np.column_stack((key_hashes(table, layout), content, lines))[~np.isnat(times.local)]


def _judge_range(pieces: Sequence[Numbers], dropped: LineSet) -> Hashes:
    """The keys whose rows differ, sorted; of the other keys all rows but the first are dropped.

    Args:
        pieces: Marks by key, then by line; a later piece has later lines.
        dropped: Is added to.
    """
    keys = np.unique(np.concatenate([NO_HASHES, *(np.unique(piece[:, KEY]) for piece in pieces)]))
    first = np.zeros((len(keys), MARK_WIDTH), dtype=np.uint64)
    is_seen, is_held = (np.zeros(len(keys), dtype=np.bool_) for _ in range(2))
    for piece in pieces:
        at = np.searchsorted(keys, piece[:, KEY])
        leads, where = np.unique(at, return_index=True)
        is_new = ~is_seen[leads]
        first[leads[is_new]] = piece[where[is_new]]
        is_seen[leads] = True
        is_held[at[piece[:, CONTENT] != first[at, CONTENT]]] = True
    for piece in pieces:
        at = np.searchsorted(keys, piece[:, KEY])
        is_dropped = ~is_held[at] & (piece[:, LINE] != first[at, LINE])
        dropped.add(piece[is_dropped, LINE].astype(np.int64))
    return keys[is_held]


def _hashes(table: TextTable, names: list[str]) -> Hashes:
    cells = [pl.col(name).fill_null("") for name in names]
    joined = table.cells.select(pl.concat_str(cells, separator=SEPARATOR)).to_series()
    return joined.hash().to_numpy()
