"""What stands around the names of a table: groups over them, second names below, and who the table is of.

Merged cells leave blanks behind their name; a name counts for the blanks that follow it. Groups are put
before names only where the names alone repeat or are missing.
"""

from collections.abc import Mapping, Sequence

from sereno.ingest.headers import key_of
from sereno.ingest.units import find_unit

__all__ = ["have_repeats", "is_note", "join_titles", "site_in_lines", "with_groups", "with_second_names"]

MAX_GROUP_ROWS = 2
_SITE_KEYS = (
    "cups", "codigocups", "puntodesuministro", "planta", "nombredeplanta", "nombredelaplanta", "plantname",
    "plant", "instalacion", "nombredelainstalacion", "site", "sitename", "emplazamiento", "suministro",
    "nsuministro", "numerodesuministro", "nservicio", "numerodeservicio", "rpu", "nis", "cliente", "titular",
    "customer", "client", "medidor", "contador", "meter",
)  # fmt: skip
"""Names of what identifies a site, the most telling first."""
_STATISTICS = frozenset(["min", "minimo", "max", "maximo", "med", "media", "avg", "mean"])
"""`mín` is no minute here."""


def site_in_lines(lines: Sequence[Sequence[str]]) -> str:
    """The site that the lines before a table name, such as `CUPS: ES0021…`; empty where none does.

    Args:
        lines: Cells of each line.
    """
    found: dict[str, str] = {}
    for cells in lines:
        filled = [c.strip().strip('"') for c in cells if c.strip()]
        if not filled:
            continue
        name, _, value = filled[0].partition(":")
        value = value.strip() or (filled[1] if len(filled) > 1 else "")
        if value:
            found.setdefault(key_of(name), value)
    return next((found[key] for key in _SITE_KEYS if key in found), "")


def with_groups(names: Sequence[str], header_row: int, rows: Mapping[int, Sequence[str]]) -> list[str]:
    """The names with the groups of the lines above, where they repeat without them.

    Args:
        names: As in the header.
        header_row: Its line.
        rows: Cells by line.
    """
    joined = list(names)
    for line in range(header_row - 1, header_row - 1 - MAX_GROUP_ROWS, -1):
        above = rows.get(line, ())
        if not have_repeats(joined) or not _are_groups(above, joined):
            break
        joined = join_titles(_filled_on(above, len(joined)), joined)
    return joined if len(set(map(key_of, joined))) > len(set(map(key_of, names))) else list(names)


def join_titles(groups: Sequence[str], names: Sequence[str]) -> list[str]:
    """Each name behind its group; a name that is a unit stands in brackets."""
    joined = []
    for group, name in zip(groups, names, strict=True):
        is_unit = key_of(name) not in _STATISTICS and find_unit(name) is not None
        unit = f"({name.strip()})" if group.strip() and is_unit else name.strip()
        joined.append(" ".join(part for part in (group.strip(), unit) if part))
    return joined


def is_note(cells: Sequence[str]) -> bool:
    """True for a line that holds words in its first cell and nothing else, such as `Fuente: …`."""
    first, *others = (c.strip() for c in cells) if cells else ("",)
    n_letters = sum(c.isalpha() for c in first)
    is_prose = first.lstrip("*([ ")[:1].isalpha() and 2 * n_letters > len(first)
    return is_prose and not any(others)


def have_repeats(names: Sequence[str]) -> bool:
    """True where a name comes more than once; blanks are none."""
    keys = [key_of(name) for name in names if name.strip()]
    return len(set(keys)) < len(keys)


def _are_groups(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Words over some of the columns, most of them over more than one."""
    filled = [i for i, c in enumerate(cells) if c.strip()]
    is_word = all(any(ch.isalpha() for ch in cells[i]) and ":" not in cells[i] for i in filled)
    return bool(filled) and is_word and len(cells) <= len(names) + 1 and filled != [0]


def _filled_on(cells: Sequence[str], count: int) -> list[str]:
    """Each cell, or the last one that holds something before it."""
    result, last = [], ""
    for cell in [*cells, *[""] * count][:count]:
        last = cell.strip() or last
        result.append(last)
    return result


def with_second_names(names: Sequence[str], below: Sequence[str]) -> list[str]:
    """Names whose merged cells are told apart by a line below them."""
    return join_titles(_filled_on(names, len(below)), below)
