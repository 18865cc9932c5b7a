"""Physical lines of a block: where they start, how many fields they have, which of them are broken.

A quote never reaches beyond its line, so an unclosed one costs that line and nothing after it.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from sereno.domain.issues import MAX_QUARANTINE_TEXT
from sereno.ingest.source_file import TextBlock

__all__ = ["LineBlock", "LineKind", "scan_lines"]

NEWLINE, RETURN, QUOTE, HASH, NUL = b'\n\r"#\0'


class LineKind(IntEnum):
    """What a physical line is."""

    GOOD = 0
    BLANK = 1
    BROKEN = 2
    COMMENT = 3


@dataclass(frozen=True, slots=True)
class LineBlock:
    """The lines of a block with their kinds.

    Attributes:
        data: UTF-8 bytes.
        first_line: 1-based number of the first line.
        starts: Offset of each line, shape (lines,).
        ends: Offset of the line's newline, shape (lines,).
        kinds: `LineKind` of each line, shape (lines,), uint8.
        stray: Lines whose single quote is a character like any other, as indices.
        n_most_fields: Fields of the longest good line, empty trailing ones included.
    """

    data: bytes
    first_line: int
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]
    stray: npt.NDArray[np.int64]
    n_most_fields: int

    def text(self, index: int) -> str:
        """The raw line, shortened for quarantine."""
        raw = self.data[self.starts[index] : self.ends[index]][: 4 * MAX_QUARANTINE_TEXT]
        return raw.decode("utf-8", "replace").rstrip("\r")[:MAX_QUARANTINE_TEXT]

    def good(self) -> npt.NDArray[np.int64]:
        """Indices of the lines that can be read, shape (good lines,)."""
        return np.flatnonzero(self.kinds == LineKind.GOOD)

    def good_bytes(self) -> bytes:
        """The good lines alone, each with its newline, stray quotes taken out."""
        is_good = self.kinds == LineKind.GOOD
        if not len(self.stray) and is_good.all():
            return self.data
        is_whole = is_good.copy()
        is_whole[self.stray] = False
        edges = np.flatnonzero(np.diff(is_whole.astype(np.int8), prepend=0, append=0))
        pieces = [
            (int(a), self.data[self.starts[a] : self.ends[b - 1] + 1])
            for a, b in edges.reshape(-1, 2).tolist()
        ]
        pieces += [
            (i, self.data[self.starts[i] : self.ends[i] + 1].replace(b'"', b"")) for i in self.stray.tolist()
        ]
        return b"".join(piece for _, piece in sorted(pieces))


def scan_lines(block: TextBlock, delimiter: str, n_columns: int) -> LineBlock:
    """The lines of a block, each judged by its number of fields.

    More fields than columns are tolerated when the surplus is empty (trailing delimiters).

    Args:
        block: Whole lines.
        delimiter: One ASCII character.
        n_columns: Fields that a line must have.
    """
    data = _unwrap_formula_text(block.data, delimiter)
    buffer = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(buffer == NEWLINE)
    starts = np.concatenate(([0], ends[:-1] + 1))
    marks = np.flatnonzero(buffer == ord(delimiter))
    n_raw = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
    n_fields, is_odd = n_raw, np.zeros(len(ends), dtype=np.bool_)
    if b'"' in data:
        n_fields, is_odd = _quoted_fields(buffer, marks, starts, ends)
    is_stray = is_odd & (n_raw == n_columns)
    n_fields = np.where(is_stray, n_raw, n_fields)
    is_good = (n_fields == n_columns) & (~is_odd | is_stray)
    is_good |= _has_only_trailing_marks(buffer, starts, ends, n_fields - n_columns, ord(delimiter)) & ~is_odd
    kinds = np.where(is_good, np.uint8(LineKind.GOOD), np.uint8(LineKind.BROKEN))
    lengths = ends - starts - (buffer[np.maximum(ends - 1, 0)] == RETURN)
    kinds[(lengths <= 0) | ((lengths == n_raw - 1) & (n_raw > 1))] = LineKind.BLANK
    kinds[(buffer[starts] == HASH) & (lengths > 0)] = LineKind.COMMENT
    if b"\0" in data:
        kinds[np.searchsorted(ends, np.flatnonzero(buffer == NUL))] = LineKind.BROKEN
    lines = LineBlock(
        data=data,
        first_line=block.first_line,
        starts=starts,
        ends=ends,
        kinds=kinds,
        stray=np.flatnonzero(is_stray & (kinds == LineKind.GOOD)),
        n_most_fields=int(n_fields[kinds == LineKind.GOOD].max(initial=n_columns)),
    )
    _mark_spaces_as_blank(lines)
    return lines


def _unwrap_formula_text(data: bytes, delimiter: str) -> bytes:
    """Excel's `="00123"` becomes `"00123"`: the sign only says that the digits are text."""
    if b'="' not in data:
        return data
    mark = delimiter.encode()
    data = data.replace(mark + b'="', mark + b'"').replace(b'\n="', b'\n"')
    return data[1:] if data.startswith(b'="') else data


def _quoted_fields(
    buffer: npt.NDArray[np.uint8],
    marks: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Fields of each line not counting delimiters inside quotes, and whether its quotes are odd."""
    quotes = np.flatnonzero(buffer == QUOTE)
    before_line = np.searchsorted(quotes, starts)
    line = np.searchsorted(ends, marks)
    is_outside = (np.searchsorted(quotes, marks) - before_line[line]) % 2 == 0
    n_fields = np.bincount(line[is_outside], minlength=len(ends)) + 1
    return n_fields, (np.searchsorted(quotes, ends) - before_line) % 2 == 1


def _has_only_trailing_marks(
    buffer: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    surplus: npt.NDArray[np.int64],
    mark: int,
) -> npt.NDArray[np.bool_]:
    """Whether the last `surplus` bytes of a line (before the line end) are all delimiters."""
    result = np.zeros(len(ends), dtype=np.bool_)
    rows = np.flatnonzero(surplus > 0)
    last = ends[rows] - (buffer[np.maximum(ends[rows] - 1, 0)] == RETURN)
    is_mark = np.ones(len(rows), dtype=np.bool_)
    for k in range(1, int(surplus[rows].max(initial=0)) + 1):
        is_due = surplus[rows] >= k
        is_mark &= ~is_due | (buffer[np.maximum(last - k, starts[rows])] == mark)
        if not is_mark.any():
            break
    result[rows] = is_mark
    return result


def _mark_spaces_as_blank(lines: LineBlock) -> None:
    for i in np.flatnonzero(lines.kinds == LineKind.BROKEN).tolist():
        if not lines.data[lines.starts[i] : lines.ends[i]].strip():
            lines.kinds[i] = LineKind.BLANK
