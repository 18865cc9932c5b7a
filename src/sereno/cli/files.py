"""What was understood of a file, for a person."""

from collections.abc import Sequence
from pathlib import Path

from sereno.cli.output import say
from sereno.i18n.catalogue import has, sentence
from sereno.i18n.numbers import count

__all__ = ["show_files"]

_MAX_COLUMNS = 12
_DECIDED = (
    "mapping",
    "layout",
    "encoding",
    "delimiter",
    "decimal",
    "thousands",
    "date_order",
    "timezone",
    "header_row",
    "unit_row",
)
_INVISIBLE = {"\t": "tab", " ": "space", "\xa0": "space", "\u202f": "space"}
"""Signs that a person would not see, and the names they go by."""

_Columns = tuple[tuple[str | None, str | None, str | None], ...]
"""Source, signal and unit of each column."""


def show_files(entries: Sequence[dict[str, object]], language: str) -> None:
    """Verdict, layout, columns and issues of each entry; the same columns are listed once."""
    shown: dict[_Columns, str] = {}
    for entry in entries:
        _show_file(entry, shown, language)


def _show_file(entry: dict[str, object], shown: dict[_Columns, str], language: str) -> None:
    totals: dict[str, int] = entry["totals"]  # type: ignore[assignment]
    verdict = sentence(f"cli.file.{entry['verdict']}", language)
    facts = {"good": "records_good", "quarantined": "records_quarantined"}
    counts = sentence(
        "cli.file.counts", language, **{n: count(totals[of], language) for n, of in facts.items()}
    )
    new = entry.get("readings_new")
    stored = "" if new is None else sentence("cli.file.stored", language, new=count(int(str(new)), language))
    say(f"{entry['file']}: {verdict} ({counts}{stored})")
    tables: list[dict[str, object]] = entry["tables"]  # type: ignore[assignment]
    for table in tables:
        columns = tuple((one["source"], one["signal"], one["unit"]) for one in _columns(table))
        name = f"{table['name']} – " if len(tables) > 1 and table["name"] else ""
        _show_table(table, language, name=name, known_from=shown.get(columns))
        shown.setdefault(columns, Path(str(entry["file"])).name)
    issues: list[dict[str, object]] = entry["issues"]  # type: ignore[assignment]
    for issue in issues:
        say(f"  {issue['code']}: {issue['message']}")


def _show_table(table: dict[str, object], language: str, *, name: str, known_from: str | None) -> None:
    """How a table is read, and its columns unless a file before it had the same."""
    said = [_said(fact, table[fact], language) for fact in _DECIDED if table.get(fact) not in (None, "")]
    say(f"  {name}{', '.join(said)}")
    if known_from is not None:
        say("    " + sentence("cli.file.same_columns", language, file=known_from))
        return
    columns = _columns(table)
    for column in columns[:_MAX_COLUMNS]:
        unit = f" [{column['unit']}]" if column["unit"] else ""
        reason = f" ({column['reason']})" if column["reason"] else ""
        say(f"    {column['source']} → {column['signal'] or '–'}{unit}{reason}")
    if len(columns) > _MAX_COLUMNS:
        say(f"    … +{len(columns) - _MAX_COLUMNS}")


def _columns(table: dict[str, object]) -> list[dict[str, str | None]]:
    columns: list[dict[str, str | None]] = table["columns"]  # type: ignore[assignment]
    return columns


def _said(fact: str, value: object, language: str) -> str:
    """One decision in words."""
    known = f"cli.file.{fact}.{_INVISIBLE.get(str(value), value)}"
    if has(known):
        return sentence(known, language)
    return sentence(f"cli.file.{fact}", language, value=value)
