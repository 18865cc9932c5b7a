"""Tables of the console: columns that sort, a limit of rows, and the same rows as a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from sereno.console.page import USUAL_ROWS, Page
from sereno.domain.judgement import Severity

__all__ = ["Cell", "Column", "Line", "Listed", "Table", "one_page"]


class Listed(TypedDict):
    """A page of a list, as its template names what it holds."""

    found: Sequence[object]
    shown: Sequence[object]
    first: int
    rows_per_page: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column; long ones break into several lines of text."""

    key: str
    label: str
    is_number: bool = False
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell: text, where it leads, how bad it is, and a remark."""

    text: str
    href: str = ""
    severity: Severity | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row: its values as files have them and columns sort by, and its cells as people read them."""

    raw: Mapping[str, object]
    cells: Mapping[str, Cell]
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """As many rows as are wanted, in the order that is wanted.

    Attributes:
        n_found: Rows, with those beyond the limit.
        sort: Column by which it is sorted; empty for the order of the lines.
    """

    columns: Sequence[Column]
    lines: Sequence[Line]
    n_found: int
    limit: int
    sort: str = ""
    is_descending: bool = False
    query: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, page: Page, columns: Sequence[Column], lines: Sequence[Line]) -> "Table":
        """The table that the query of a page asks for: `sort=cost`, `sort=-cost`, `limit=500`."""
        wanted = page.request.query_params.get("sort", "")
        name, is_descending = wanted.removeprefix("-"), wanted.startswith("-")
        limit = page.row_limit or USUAL_ROWS
        if name not in {one.key for one in columns}:
            return cls(columns, lines[:limit], len(lines), limit, query={"limit": page.row_limit})
        known = [one for one in lines if one.raw.get(name) is not None]
        unknown = [one for one in lines if one.raw.get(name) is None]
        known.sort(key=lambda line: _order(line.raw[name]), reverse=is_descending)
        query = {"sort": wanted, "limit": page.row_limit}
        return cls(columns, [*known, *unknown][:limit], len(lines), limit, name, is_descending, query)

    @property
    def rows(self) -> list[Mapping[str, object]]:
        """For a file."""
        return [one.raw for one in self.lines]

    def sorting(self, key: str) -> str:
        """What the query has to say so that a column sorts: numbers from the top, texts from A."""
        is_number = next(one.is_number for one in self.columns if one.key == key)
        if self.sort == key:
            return key if self.is_descending else f"-{key}"
        return f"-{key}" if is_number else key


def one_page(found: Sequence[object], offset: int, size: int) -> Listed:
    """The page of a list that holds a row, with what its template has to know."""
    first = max(0, min(offset, max(len(found) - 1, 0)) // size * size)
    return {"found": found, "shown": found[first : first + size], "first": first, "rows_per_page": size}


def _order(value: object) -> tuple[int, float, str]:
    if isinstance(value, bool | int | float):
        return 0, float(value), ""
    return 1, 0.0, str(value).casefold()
