"""CSV files of the guide as tables: every input row in its place, with its record and, later, its verdict."""

import csv
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sereno.compat.fields import UNIT, fold, number
from sereno.compat.verdict import Verdict
from sereno.domain.errors import DataError
from sereno.flows.exports import TableFormat, write_table
from sereno.flows.workspace import Workspace

__all__ = [
    "Table",
    "data_frame",
    "lacks_units",
    "read_table",
    "refusal",
    "with_units",
    "with_verdicts",
    "write_csv",
]

RESULT_COLUMNS = ("Es_Anomalia", "Score_Anomalia", "Severidad")
_WRITTEN_UNIT = "wh"
_CONTAINERS = frozenset({".gz", ".zip"})
_NO_CSV = "it is no plain CSV: save it as CSV, or use `sereno ingest` and `sereno incidents`"
_SETS_ROWS_ASIDE = frozenset(
    {
        "quality.ambiguous_date",
        "quality.duplicate_conflicting",
        "quality.future",
        "read.broken_row",
        "read.total_row",
        "read.unknown_signal",
    }
)
"""Issues of rows that cannot be used; a file that has no other rows is refused for the commonest of them."""

Cell = str | float | bool | None


@dataclass(frozen=True, slots=True)
class Table:
    """The data rows of a file.

    Attributes:
        rows: Cells under the names of the header; numbers where the column is an energy.
        units: Unit of each energy column.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, Cell], ...]
    units: Mapping[str, str]


def read_table(workspace: Workspace, path: Path) -> Table:
    """The rows of a file in the dialect that sereno finds in it; a unit row is not one of them.

    Raises:
        DataError: The file cannot be read.
    """
    found = _understood(workspace, path)
    header, body = _cells(path, found)
    signals = {column["source"]: column["unit"] for column in found["columns"] if column["signal"]}
    units = {
        name: unit if not lacks_units(found) else UNIT for name, unit in signals.items() if name in header
    }
    rows = tuple(
        {name: number(cell) if name in units else cell for name, cell in zip(header, cells, strict=True)}
        for cells in body
    )
    return Table(tuple(header), rows, units)


def lacks_units(found: Mapping[str, Any]) -> bool:
    """Whether neither a unit row nor a header names the unit of an energy: then it is Wh, as in the guide."""
    named = [
        c["source"] for c in found["columns"] if c["signal"] and fold(c["source"]).endswith(_WRITTEN_UNIT)
    ]
    return found["unit_row"] is None and not named


def refusal(entry: Mapping[str, object]) -> str:
    """Why a file was refused, in one sentence; empty where its entry names nothing.

    Args:
        entry: The entry of a refused file.
    """
    issues: Sequence[Mapping[str, Any]] = entry["issues"]  # type: ignore[assignment]
    aside = [issue for issue in issues if issue["code"] in _SETS_ROWS_ASIDE]
    telling = max(aside, key=lambda issue: issue["count"]) if aside else next(iter(issues), None)
    return "" if telling is None else str(telling["message"])


def with_units(workspace: Workspace, path: Path, folder: Path) -> Path:
    """The file itself, or a copy of it in `folder` that says Wh where the file says nothing.

    The copy depends on the content alone, so that it is known again by its hash.
    """
    if path.suffix.lower() != ".csv":
        return path
    entry = workspace.check(path, with_findings=False)[0].entry
    tables: list[dict[str, Any]] = entry["tables"]  # type: ignore[assignment]
    if entry["verdict"] == "refused" or not tables or not lacks_units(tables[0]):
        return path
    found = tables[0]
    if not {"generation", "consumption"} & {column["signal"] for column in found["columns"]}:
        return path
    units = [f"[{UNIT}]" if column["signal"] else "" for column in found["columns"]]
    units[0] = units[0] or "[dd.MM.yyyy]"
    lines = path.read_bytes().splitlines(keepends=True)
    row = (found["delimiter"].join(units) + "\n").encode()
    copy = folder / path.name
    copy.write_bytes(b"".join([*lines[: found["header_row"]], row, *lines[found["header_row"] :]]))
    return copy


def with_verdicts(table: Table, verdicts: Sequence[Verdict]) -> Table:
    """The table with the three result columns behind its own."""
    rows: tuple[dict[str, Cell], ...] = tuple(
        {**row, **dict(zip(RESULT_COLUMNS, (v.is_anomaly, v.score, v.severity), strict=True))}
        for row, v in zip(table.rows, verdicts, strict=True)
    )
    own = tuple(name for name in table.columns if name not in RESULT_COLUMNS)
    return Table((*own, *RESULT_COLUMNS), rows, table.units)


def data_frame(table: Table) -> Any:  # noqa: ANN401 - pandas where it is installed
    """A pandas DataFrame, or a polars one where pandas is not installed."""
    columns = {name: [row[name] for row in table.rows] for name in table.columns}
    if importlib.util.find_spec("pandas") is not None:
        return importlib.import_module("pandas").DataFrame(columns)
    return importlib.import_module("polars").DataFrame(columns, strict=False)


def write_csv(table: Table, path: Path) -> None:
    """UTF-8, commas, whole or not at all; a quote before text that a spreadsheet would run as a formula."""
    rows = ([row[name] for name in table.columns] for row in table.rows)
    write_table(path, table.columns, rows, TableFormat(line_end="\n"))


def _understood(workspace: Workspace, path: Path) -> dict[str, Any]:
    result = workspace.check(path, with_findings=False)[0]
    tables: list[dict[str, Any]] = result.entry["tables"]  # type: ignore[assignment]
    if result.is_refused or not tables:
        raise DataError(file=path.name, detail=refusal(result.entry) or "no table")
    if not tables[0]["delimiter"] or path.suffix.lower() in _CONTAINERS:
        raise DataError(file=path.name, detail=_NO_CSV)
    return tables[0]


def _cells(path: Path, found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    encoding = (
        "utf-8-sig" if found["encoding"].lower().replace("_", "-").startswith("utf-8") else found["encoding"]
    )
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=found["delimiter"])
        header: list[str] = []
        body = []
        for cells in reader:
            if reader.line_num == found["header_row"]:
                header = _distinct([cell.strip() for cell in cells])
            elif header and reader.line_num != found["unit_row"] and any(cell.strip() for cell in cells):
                body.append([*cells, *[""] * len(header)][: len(header)])
    return header, body


def _distinct(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        found.append(name if name not in found else f"{name}_{len(found)}")
    return found
