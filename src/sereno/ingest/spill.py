"""Rows of numbers that come in any order and are given back range by range of their keys, in bounded memory.

A few million keys of a large file are too many to hold and too few to read the file again for each part of
them. They wait in an unnamed temporary file, which the system removes also when the process is killed.
"""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from sereno.domain.errors import DiskFull, SystemRefused

__all__ = ["KeySpill", "Numbers"]

Numbers = npt.NDArray[np.uint64]

RANGE_ROWS = 250_000
"""Rows of a range, about; what is in memory when the rows are given back."""
MEMORY_BYTES = 8 * 1024 * 1024
"""Up to here no file is made [B]."""
N_KEYS = 2**64
ITEM_BYTES = 8


class KeySpill:
    """Rows that wait outside of memory; the first number of each is its key.

    Keys must be spread evenly over all 64-bit numbers, as hashes are.

    Args:
        n_rows: Rows to come, about; decides how many ranges there are.
        n_columns: Numbers in a row.
    """

    def __init__(self, n_rows: int, n_columns: int) -> None:
        self._n_columns = n_columns
        n_ranges = 1 + n_rows // RANGE_ROWS
        self._edges = np.array([N_KEYS * i // n_ranges for i in range(1, n_ranges)], dtype=np.uint64)
        self._n_rows = 0
        self._bounds: list[npt.NDArray[np.int64]] = []
        self._file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES, prefix="sereno-")  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, rows: Numbers) -> None:
        """Takes in more rows, shape (rows, columns).

        Raises:
            DiskFull: There is no space where temporary files are.
            SystemRefused: No temporary file can be written.
        """
        ordered = rows[np.argsort(rows[:, 0], kind="stable")]
        inner = np.searchsorted(ordered[:, 0], self._edges)
        self._bounds.append(self._n_rows + np.concatenate(([0], inner, [len(ordered)])))
        self._n_rows += len(ordered)
        with _explained():
            self._file.write(ordered.tobytes())

    def ranges(self) -> Iterator[list[Numbers]]:
        """The rows of each range of keys; no key is in two ranges.

        A range has one piece for each call of `add`, in their order; a piece is sorted by key, and rows of
        one key are in the order in which they came.

        Raises:
            DiskFull: There is no space where temporary files are.
            SystemRefused: The temporary file cannot be read.
        """
        with _explained():
            self._file.flush()
        for i in range(len(self._edges) + 1):
            yield [self._read(int(bounds[i]), int(bounds[i + 1])) for bounds in self._bounds]

    def _read(self, start: int, end: int) -> Numbers:
        n_bytes = self._n_columns * ITEM_BYTES
        with _explained():
            self._file.seek(start * n_bytes)
            data = self._file.read((end - start) * n_bytes)
        return np.frombuffer(data, dtype=np.uint64).reshape(end - start, self._n_columns)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = str(error.filename or tempfile.tempdir or "tmp")
        if error.errno == errno.ENOSPC:
            raise DiskFull(store=place) from error
        raise SystemRefused(file=place, detail=error.strerror or str(error)) from error
