"""Delimiter, header row and unit row of a text table, decided on its first lines."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sereno.domain.errors import MissingColumns
from sereno.domain.signals import Profile
from sereno.ingest.dates import DateStyle, parse_instant, time_shape
from sereno.ingest.headers import Header, Role, match_header, parse_header
from sereno.ingest.matrix import Matrix, find_matrix, is_matrix_header
from sereno.ingest.numbers import CellKind, NumberStyle, parse_cell
from sereno.ingest.titles import have_repeats, site_in_lines, with_groups, with_second_names
from sereno.ingest.units import find_unit

__all__ = ["Dialect", "looks_numeric", "n_numeric", "sniff_dialect", "split_line", "suffix_pattern"]

DELIMITERS = (";", "\t", ",", "|")
N_SNIFFED_LINES = 400
N_HEADER_LINES = 60
_DATE_PATTERN = re.compile(r"[\[(]?\s*(?:[dDyYaA]{1,4}|[mM]{1,4})[./-].*[\])]?\s*$")
_ZONE_PATTERN = re.compile(r"[A-Z]\w+(?:/\w+)+ \([+-]\d{2}:\d{2}\)\Z")
# A unit written in fewer cells than these is that of the cell, not of the column.
MIN_SUFFIXED, MIN_SUFFIX_SHARE = 5, 0.9
_NUMBER_WITH_UNIT = re.compile(
    r"[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?(?P<unit>\s*[^\W\d_%°/].{0,11}|\s*[%°].{0,3})\Z"
)
_COMMA, _DOT = NumberStyle(",", "."), NumberStyle(".", ",")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is laid out as text.

    Attributes:
        delimiter: One character.
        header_row: 1-based line of the names.
        unit_row: 1-based line of the units; None where there is none.
        first_data_line: 1-based.
        headers: One per column of the table of readings, trailing nameless ones left out.
        declared_order: Order of day and month that the unit row declares.
        sample: Cells of the first rows of that table, shape (rows, columns).
        suffixes: Unit that stands behind the number in the cells of a column, by its position in the file.
        matrix: How lines of one day become rows of one reading; None where a line is a row.
        site: Whose table it is by the lines before its header; empty where they do not say.
    """

    delimiter: str
    header_row: int
    unit_row: int | None
    first_data_line: int
    headers: tuple[Header, ...]
    declared_order: str | None
    sample: tuple[tuple[str, ...], ...]
    suffixes: tuple[tuple[int, str], ...] = ()
    matrix: Matrix | None = None
    site: str = ""

    @property
    def n_columns(self) -> int:
        """Fields of a line."""
        return len(self.headers) if self.matrix is None else self.matrix.n_columns


def split_line(line: str, delimiter: str) -> list[str]:
    """The cells of one physical line; quotes never reach beyond it.

    Example:
        >>> split_line('a;"b;c";', ";")
        ['a', 'b;c', '']
    """
    if '"' not in line:
        return line.split(delimiter)
    plain = line.replace(f'{delimiter}="', f'{delimiter}"').replace("\r", " ")
    try:
        return next(csv.reader([plain], delimiter=delimiter), [])
    except csv.Error:  # a cell longer than the module's limit
        return line.split(delimiter)


def looks_numeric(text: str) -> bool:
    """True for a cell that is a number in Spanish or English notation."""
    return any(parse_cell(text, style)[1] in (CellKind.GOOD, CellKind.CONVERTED) for style in (_DOT, _COMMA))


def n_numeric(counts: Mapping[str, int]) -> int:
    """How many of counted cells look numeric."""
    return sum(n for text, n in counts.items() if looks_numeric(text))


def sniff_dialect(
    lines: Sequence[str],
    profiles: Mapping[str, Profile],
    file: str,
    *,
    delimiters: Sequence[str] = DELIMITERS,
    header_row: int | None = None,
) -> Dialect:
    """The dialect that the first lines speak of.

    Args:
        lines: The first lines of the file, without their ends.
        profiles: Whose names make a line a header.
        file: Name for the error.
        delimiters: Those that may be, the likeliest first.
        header_row: 1-based line of the names where it is known, with the only delimiter; None finds it.

    Raises:
        MissingColumns: No line can be a header.
    """
    numbered = [(i, t) for i, t in enumerate(lines[:N_SNIFFED_LINES], start=1) if t.strip()]
    if header_row is not None:
        known = {i: split_line(t, delimiters[0]) for i, t in numbered}
        return _with_matrix(_complete(delimiters[0], header_row, known), profiles)
    candidates = []
    for preference, delimiter in enumerate(delimiters):
        rows = [(i, split_line(t, delimiter)) for i, t in numbered]
        counts = Counter(len(cells) for _, cells in rows if len(cells) > 1)
        if not counts:
            continue
        found = _find_header(rows, profiles)
        if found is not None:
            score, line, cells = found
            share = sum(_fits(len(c), len(cells)) for _, c in rows) / len(rows)
            candidates.append(((min(score, 2), share, score, -preference), delimiter, line, rows))
    if not candidates:
        raise _no_header(numbered, profiles, file)
    _, delimiter, line, rows = max(candidates)
    return _with_matrix(_complete(delimiter, line, dict(rows)), profiles)


def _fits(n_cells: int, n_header: int) -> bool:
    return n_header - 1 <= n_cells <= n_header + 1


def _find_header(
    rows: Sequence[tuple[int, list[str]]], profiles: Mapping[str, Profile]
) -> tuple[int, int, list[str]] | None:
    """(names recognised, line, cells) of the likeliest header among the first lines."""
    best: tuple[int, int, list[str]] | None = None
    for line, cells in rows[:N_HEADER_LINES]:
        named = [c for c in cells if c.strip()]
        if len(named) < 2 or _is_unit_row(cells) or any(_declared_order(c) for c in named):
            continue
        if is_matrix_header(named):
            return (len(named), line, cells)
        if _is_data(named):
            continue
        headers = Counter(parse_header(c) for c in named)
        score = max(
            sum(n for h, n in headers.items() if match_header(h, p).roles[0] is not Role.UNKNOWN)
            for p in profiles.values()
        )
        if best is None or score > best[0]:
            best = (score, line, cells)
    return best


def _is_data(cells: Sequence[str]) -> bool:
    """A row with a date, or mostly numbers, names nothing."""
    counts = Counter(cells)
    if any(time_shape(c) == "date" for c in counts):
        return True
    return n_numeric(counts) * 2 > len(cells)


def _is_unit_row(cells: Sequence[str]) -> bool:
    filled = [c for c in cells if c.strip() and not _ZONE_PATTERN.match(c.strip().strip('"'))]
    n_units = sum(bool(find_unit(c)) or _is_bracketed(c) or _declared_order(c) is not None for c in filled)
    return bool(filled) and n_units == len(filled) and any(find_unit(c) or _is_bracketed(c) for c in filled)


def _is_bracketed(text: str) -> bool:
    text = text.strip().strip('"')
    return text[:1] + text[-1:] in ("[]", "()", "{}", "<>")


def _declared_order(text: str) -> str | None:
    """`dmy` for a cell such as `[dd.MM.yyyy]` that spells a date format."""
    if not _DATE_PATTERN.match(text.strip()):
        return None
    letters = re.sub(r"[^dmy]", "", text.strip().casefold().replace("a", "y"))
    order = "".join(dict.fromkeys(letters))
    return order if order in ("dmy", "mdy", "ymd") else None


def _complete(delimiter: str, header_row: int, rows: dict[int, list[str]]) -> Dialect:
    names = rows[header_row]
    following = sorted(i for i in rows if i > header_row)
    last_title = header_row
    second = _second_names(names, [rows[i] for i in following[:2]])
    if second:
        names, last_title, following = second, following[0], following[1:]
    while names and not names[-1].strip():
        names = names[:-1]
    names = with_groups(names, header_row, rows)
    n_types = _n_types(names, [rows[i] for i in following])
    types = [cell for i in following[:n_types] for cell in rows[i]]
    last_title, following = [last_title, *following[:n_types]][-1], following[n_types:]
    unit_row = following[0] if following and _is_units_below(rows[following[0]]) else None
    n_more = _n_more_titles(names, [rows[i] for i in following[1 if unit_row else 0 :]]) if unit_row else 0
    units = [*rows[unit_row], *[""] * len(names)] if unit_row else [""] * len(names)
    orders = [o for u in (*types, *units) if (o := _declared_order(u))]
    headers = tuple(
        parse_header(n, "" if _declared_order(u) else u) for n, u in zip(names, units, strict=False)
    )
    first = (unit_row or last_title) + 1 + n_more
    sample = tuple(
        tuple([*rows[i], *[""] * len(names)][: len(names)])
        for i in following
        if i >= first and _fits(len(rows[i]), len(names))
    )
    suffixes = tuple(
        (i, suffix)
        for i, header in enumerate(headers)
        if not header.unit and (suffix := _common_suffix([row[i].strip() for row in sample]))
    )
    for i, suffix in suffixes:
        headers = (*headers[:i], parse_header(headers[i].source, suffix), *headers[i + 1 :])
        sample = tuple((*r[:i], re.sub(suffix_pattern(suffix), r"\1", r[i]), *r[i + 1 :]) for r in sample)
    return Dialect(
        delimiter,
        header_row,
        unit_row,
        first,
        headers,
        orders[0] if orders else None,
        sample,
        suffixes,
        site=site_in_lines([rows[i] for i in sorted(rows) if i < header_row]),
    )


def _second_names(names: Sequence[str], below: Sequence[Sequence[str]]) -> list[str]:
    """Names and the line below them as one, where merged cells leave names blank; empty elsewhere."""
    is_blank = [not c.strip() for c in names]
    has_gaps = any(is_blank) or (have_repeats(names) and not _is_units_below(below[0] if below else ()))
    if len(below) < 2 or not has_gaps or not _is_title(below[0]) or len(below[0]) < len(names):
        return []
    under_blanks = [c for c, blank in zip(below[0], is_blank, strict=False) if blank]
    if _is_units_below(below[0]) and not any(c.strip() and _declared_order(c) is None for c in under_blanks):
        return []
    joined = with_second_names(names, below[0])
    return joined if len(set(joined)) == len(joined) else []


def _n_types(names: Sequence[str], lines: Sequence[Sequence[str]]) -> int:
    """Lines under the names that say how dates are written and what kind each column is, before any unit."""
    for n_lines, cells in enumerate(lines):
        is_followed = n_lines + 1 < len(lines) and _is_units_below(lines[n_lines + 1])
        says_dates = any(_declared_order(c) is not None for c in cells)
        is_type = _is_title(cells) and not _is_units_below(cells) and _fits(len(cells), len(names))
        if not (is_type and (says_dates or is_followed)):
            return n_lines
    return 0


def _n_more_titles(names: Sequence[str], lines: Sequence[Sequence[str]]) -> int:
    """Lines between the units and the data that only say more of the columns."""
    for n_lines, cells in enumerate(lines):
        if not (_is_title(cells) and not cells[0].strip() and _fits(len(cells), len(names))):
            return n_lines
    return 0


def _is_title(cells: Sequence[str]) -> bool:
    """Words, and neither numbers nor dates."""
    filled = [c for c in cells if c.strip()]
    return bool(filled) and not _is_data(cells) and not any(looks_numeric(c) for c in filled)


def suffix_pattern(suffix: str) -> str:
    """A pattern of the unit and the digit before it; `Wh` must not be cut off `2 kWh`."""
    return rf"(\d[.,]?)\s*{re.escape(suffix)}\s*$"


def _common_suffix(cells: Sequence[str]) -> str:
    """The unit behind the numbers of a column, known or not; empty where there is none."""
    found = [m["unit"].strip() for c in cells if (m := _NUMBER_WITH_UNIT.match(c))]
    if len(found) < MIN_SUFFIXED:
        return ""
    suffix, count = Counter(found).most_common(1)[0]
    return suffix if count >= MIN_SUFFIX_SHARE * sum(bool(c) for c in cells) else ""


def _with_matrix(dialect: Dialect, profiles: Mapping[str, Profile]) -> Dialect:
    """The dialect of the table of readings, where the file has one line per day."""
    matrix = find_matrix(dialect.headers)
    if matrix is None:
        return dialect
    sample = matrix.unpivot_rows(dialect.sample)[:N_SNIFFED_LINES]
    # A magnitude beside the steps is of the whole day; it must not stand for each of its hours.
    beside = (_without_meaning(h) if _is_signal(h, profiles) else h for h in matrix.headers[:-2])
    headers = (*beside, *matrix.headers[-2:])
    return replace(dialect, headers=headers, sample=sample, matrix=replace(matrix, headers=headers))


def _is_signal(header: Header, profiles: Mapping[str, Profile]) -> bool:
    return any(match_header(header, p).roles[0] is Role.SIGNAL for p in profiles.values())


def _without_meaning(header: Header) -> Header:
    return replace(header, key="", bare_key="", unit="")


def _is_units_below(cells: Sequence[str]) -> bool:
    """A line of units under the names; a data line whose cells happen to be empty is none."""
    return _is_unit_row(cells) and not any(parse_instant(c, DateStyle("dmy")) for c in cells)


def _no_header(
    numbered: Sequence[tuple[int, str]], profiles: Mapping[str, Profile], file: str
) -> MissingColumns:
    first = numbered[0][1][:120] if numbered else ""
    return MissingColumns(
        file=file,
        profile=", ".join(sorted(profiles)),
        found=f"'{first}'",
        hint="A header line is needed, such as 'Fecha;Consumo (kWh)'.",
    )
