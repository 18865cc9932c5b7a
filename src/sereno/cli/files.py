"""What was understood of a file, for a person."""

from sereno.cli.output import say

__all__ = ["show_file"]

_MAX_COLUMNS = 12


def show_file(entry: dict[str, object]) -> None:
    """Verdict, layout, columns and issues of one entry."""
    totals: dict[str, int] = entry["totals"]  # type: ignore[assignment]
    new = f", +{entry['readings_new']}" if "readings_new" in entry else ""
    counts = f"{totals['records_good']} ok, {totals['records_quarantined']} ✗{new}"
    say(f"{entry['file']}: {entry['verdict']} ({counts})")
    tables: list[dict[str, object]] = entry["tables"]  # type: ignore[assignment]
    for table in tables:
        decided = (
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
        say("  " + ", ".join(f"{name}={table[name]!r}" for name in decided if table.get(name) is not None))
        columns: list[dict[str, str | None]] = table["columns"]  # type: ignore[assignment]
        for column in columns[:_MAX_COLUMNS]:
            unit = f" [{column['unit']}]" if column["unit"] else ""
            reason = f" ({column['reason']})" if column["reason"] else ""
            say(f"    {column['source']} → {column['signal'] or '–'}{unit}{reason}")
        if len(columns) > _MAX_COLUMNS:
            say(f"    … +{len(columns) - _MAX_COLUMNS}")
    issues: list[dict[str, object]] = entry["issues"]  # type: ignore[assignment]
    for issue in issues:
        say(f"  {issue['code']}: {issue['message']}")
