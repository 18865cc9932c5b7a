"""The child process that reads a workbook: `python sheet_writer.py WORKBOOK FOLDER MAX_BYTES MAX_CELLS`.

It runs as a file of its own and imports nothing of sereno, so that it starts at once and has little to lose:
a hostile workbook can end this process and nothing else. It writes each visible sheet with content to
`FOLDER/N.tsv` and what it found to `FOLDER/index.json`. Formulas are not computed (their stored results are
read) and macros are not looked at.
"""

import errno
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

CLOCK_NOISE_US = 20_000
"""A serial date that was summed up row by row drifts; nearer than this to a second it is that second [µs]."""
SECOND_US = 1_000_000
SECONDS_PER_HOUR = 3600
MAX_EXACT_INTEGER = 2**53
N_THOUSANDS_DIGITS = 3
TOO_LARGE, CORRUPT, DISK_FULL = 3, 4, 5
"""Exit codes that the parent turns into errors."""
_BLANKS = str.maketrans("\t\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x00", " " * 12)

Cell = int | float | str | bool | time | date | timedelta


class ColumnForms:
    """How the instants of each column are written: whether any has a clock time, or parts of a second."""

    def __init__(self, rows: Iterable[list[Cell]]) -> None:
        self.timed: set[int] = set()
        self.fractional: set[int] = set()
        self.n_filled = 0
        for row in rows:
            for i, cell in enumerate(row):
                if isinstance(cell, datetime):
                    self.timed.add(i)
                    if CLOCK_NOISE_US < cell.microsecond < SECOND_US - CLOCK_NOISE_US:
                        self.fractional.add(i)
                self.n_filled += cell != ""


def written(cell: Cell, column: int, forms: ColumnForms) -> str:
    """A cell as text that can be read in one way only."""
    if isinstance(cell, str | bool):
        return _text(cell) if isinstance(cell, str) else str(cell).upper()
    if isinstance(cell, int | float):
        return number_text(cell)
    if isinstance(cell, date):
        return _instant(cell, column, forms)
    if isinstance(cell, timedelta):
        return _duration(cell)
    return cell.isoformat("seconds")


def number_text(value: float) -> str:
    """All digits of a number; never three decimals, which could be read as thousands."""
    if abs(value) < MAX_EXACT_INTEGER and value == int(value):
        return str(int(value))
    text = repr(value)
    _, point, decimals = text.partition(".")
    return text + "0" if point and decimals.isdigit() and len(decimals) == N_THOUSANDS_DIGITS else text


def _text(text: str) -> str:
    text = text.translate(_BLANKS)
    if '"' in text or text.startswith("#"):
        return '"' + text.replace('"', '""') + '"'
    return text


def _instant(value: date, column: int, forms: ColumnForms) -> str:
    if not isinstance(value, datetime):  # how a midnight arrives
        return f"{value.isoformat()} 00:00:00" if column in forms.timed else value.isoformat()
    if column not in forms.fractional and value.microsecond:
        up = timedelta(seconds=1) if value.microsecond * 2 >= SECOND_US else timedelta()
        value = value.replace(microsecond=0) + up
    return value.isoformat(" ")


def _duration(value: timedelta) -> str:
    seconds = round(value.total_seconds())
    hours, rest = divmod(seconds, SECONDS_PER_HOUR)
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


def _lines(rows: Iterable[list[Cell]], forms: ColumnForms) -> Iterator[str]:
    for row in rows:
        yield "\t".join([written(cell, i, forms) for i, cell in enumerate(row)]) + "\n"


def _limit_memory(max_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))


def convert(workbook: str, folder: Path, max_cells: int) -> int:
    """Writes the sheets and the index; the exit code of the process."""
    import python_calamine as calamine

    book = calamine.load_workbook(workbook)
    found: list[dict[str, str]] = []
    for number, sheet in enumerate(book.sheets_metadata):
        if sheet.typ != calamine.SheetTypeEnum.WorkSheet:
            continue
        if sheet.visible != calamine.SheetVisibleEnum.Visible:
            found.append({"name": sheet.name, "kind": "hidden"})
            continue
        cells = book.get_sheet_by_index(number)
        max_cells -= cells.total_height * cells.width
        if max_cells < 0:
            return TOO_LARGE
        forms = ColumnForms(cells.iter_rows())
        if not forms.n_filled:
            found.append({"name": sheet.name, "kind": "empty"})
            continue
        with (folder / f"{number}.tsv").open("w", encoding="utf-8", newline="", errors="replace") as file:
            file.writelines(_lines(cells.iter_rows(), forms))
        found.append({"name": sheet.name, "kind": "sheet", "file": f"{number}.tsv"})
    (folder / "index.json").write_text(json.dumps(found), "utf-8")
    return 0


def main(arguments: list[str]) -> int:
    """Converts under limits; what goes wrong is one line on stderr."""
    workbook, folder, max_bytes, max_cells = arguments
    _limit_memory(int(max_bytes))
    try:
        return convert(workbook, Path(folder), int(max_cells))
    except MemoryError:
        return TOO_LARGE
    except Exception as error:  # noqa: BLE001 - whatever a hostile file does becomes one line
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return DISK_FULL
        sys.stderr.write(str(error).splitlines()[0] if str(error) else type(error).__name__)
        return CORRUPT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
