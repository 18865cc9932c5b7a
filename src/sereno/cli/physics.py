"""`sereno physics`: what physics gives of the last days, and the derived rows as CSV."""

import csv
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path

from sereno.cli.output import Request, say, show_json, show_table
from sereno.flows.physics import AssetPhysics
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import number

__all__ = ["run_physics"]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = (
    "site", "asset", "time", "pressure_bar_abs", "base_volume_m3", "error_share", "amount_kmol"
)  # fmt: skip


def run_physics(request: Request, *, days: int, output: Path | None) -> None:
    """Show the figures; with an output also write the rows of gas clients."""
    with Workspace.open(request.workspace, language=request.language) as workspace:
        found = workspace.physics(days=days)
        language = workspace.language
        if output is not None:
            workspace.each_gas_row(lambda rows: _write_csv(rows, output), days=days)
    if request.as_json:
        show_json({"days": days, "assets": [one.to_json() for one in found]})
        return
    if not found:
        say(sentence("cli.no_physics", language))
    for one in found:
        _say_asset(one, language)


def _say_asset(one: AssetPhysics, language: str) -> None:
    say(f"{one.asset} ({one.profile})")
    lines = [
        {"figure": sentence(f"figure.{name}", language), "value": number(value, language)}
        for name, value in one.figures.items()
        if isfinite(value)
    ]
    columns = ["figure", "value"]
    if lines:
        show_table(lines, columns, [sentence(f"column.{name}", language) for name in columns])
    for note in one.notes:
        say(f"  {note}")


def _write_csv(rows: Iterable[Mapping[str, object]], output: Path) -> None:
    partial = output.with_name(output.name + ".part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    partial.replace(output)


def _safe(value: object) -> object:
    """Text that a spreadsheet would take for a formula, made plain."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value
