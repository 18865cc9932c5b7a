"""What waits outside of memory comes back whole, and leaves nothing behind."""

import tempfile
from contextlib import suppress

import numpy as np
import pytest

from sereno.domain.errors import SystemRefused
from sereno.ingest.spill import MEMORY_BYTES, RANGE_ROWS, KeySpill

N_RANGES = 4
N_ROWS = (N_RANGES - 1) * RANGE_ROWS
ROW_BYTES = 16


def _rows(count, seed=1):
    random = np.random.default_rng(seed)
    keys = random.integers(0, 2**64, count, dtype=np.uint64)
    return np.column_stack((keys, np.arange(count, dtype=np.uint64)))


@pytest.mark.parametrize("n_rows", [0, 10, 2 * MEMORY_BYTES // ROW_BYTES], ids=["none", "few", "in a file"])
def test_every_row_comes_back_once_by_range_and_key(n_rows):
    rows = _rows(n_rows)

    with KeySpill(N_ROWS, 2) as spill:
        spill.add(rows[: n_rows // 3])
        spill.add(rows[n_rows // 3 :])
        ranges = [np.concatenate(pieces) for pieces in spill.ranges()]

    ordered = [piece[np.lexsort(piece.T[::-1])] for piece in ranges]
    assert len(ranges) == N_RANGES
    assert np.array_equal(np.concatenate(ordered), rows[np.lexsort(rows.T[::-1])])


def test_pieces_keep_the_order_of_rows_of_one_key():
    rows = np.array([[7, 3], [5, 1], [7, 2]], dtype=np.uint64)

    with KeySpill(len(rows), 2) as spill:
        spill.add(rows)
        spill.add(rows[:1])
        (pieces,) = spill.ranges()

    assert [piece.tolist() for piece in pieces] == [[[5, 1], [7, 3], [7, 2]], [[7, 3]]]


def test_nothing_is_left_when_reading_fails_midway(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    with suppress(EOFError), KeySpill(N_ROWS, 2) as spill:
        spill.add(_rows(2 * MEMORY_BYTES // ROW_BYTES))
        raise EOFError

    assert list(tmp_path.iterdir()) == []


def test_folder_for_temporary_files_is_named_when_it_refuses(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with KeySpill(N_ROWS, 2) as spill, pytest.raises(SystemRefused) as caught:
        spill.add(_rows(2 * MEMORY_BYTES // ROW_BYTES))

    assert str(caught.value.facts["file"]).startswith(str(tmp_path / "missing"))
