"""Promise: whatever a file calls its sites, equipment and signals, names stay names."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from sereno.domain.signals import AssetKey
from sereno.flows.workspace import Workspace
from tests.journeys.worlds import declare
from tests.support.builders import a_window, readings_of, with_cells
from tests.support.processes import Ran, sereno

NAMES = (
    '=HYPERLINK("http://x","y")',
    "+cmd|' /C calc'!A0",
    "<script>alert(1)</script><img src=x onerror=y>",
    "../../../fuera/../sitio",
    "/etc/passwd",
    "{file} {0} %s %(x)s",
    "\x1b[31mrojo\x1b[0m",
    "n" * 10_000,
)
NEWLINE = "uno\nERROR dos\r\ntres"
"""A file whose lines hold it is refused; other sources may send it."""
ROWS = 24 * 30
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def a_file(path: Path) -> Path:
    """A site and an asset of each name, with signals of the same names; each gets stuck once."""
    first = np.datetime64("2024-01-01T00:00")
    values = np.random.default_rng(0).normal(50, 3, (ROWS, 1 + len(NAMES)))
    values[600:680] = values[600]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Fecha", "Empresa", "Equipo", "Caudal", *NAMES])
        for row, cells in enumerate(values.tolist()):
            stamp = str(first + np.timedelta64(row, "h")).replace("T", " ")
            for name in NAMES:
                writer.writerow([stamp, name, name, *(f"{value:.4f}" for value in cells)])
    return path


def test_names_of_a_file_stay_names(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "in" / "w")
    file = a_file(tmp_path / "in" / "datos.csv")
    before = _files(tmp_path)

    stored = run(workspace, "ingest", file, "--profile", "process", "--json")
    (tmp_path / "out").mkdir()
    run(workspace, "score", file, "--output", tmp_path / "out" / "judged.csv")

    assert stored.document["files"][0]["totals"]["records_good"] == len(NAMES) * ROWS
    assert len(stored.document["files"][0]["tables"][0]["columns"]) == 4 + len(NAMES)
    assert_names_stay_names(workspace, tmp_path / "out", before, n_assets=len(NAMES))


def test_names_of_other_sources_stay_names(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "in" / "w")
    before = _files(tmp_path)
    stuck = a_window(rows=ROWS, signals=("Caudal", f"S {NEWLINE}"), profile="process")
    stuck = with_cells(stuck, slice(600, 680), slice(None), 7.0)
    with Workspace.open(workspace) as opened:
        opened.add(readings_of(replace(stuck, asset=AssetKey(NEWLINE, NEWLINE))), zone="UTC")

    (tmp_path / "out").mkdir()
    assert_names_stay_names(workspace, tmp_path / "out", before, n_assets=1)


def run(workspace: Path, *arguments: object) -> Ran:
    done = sereno(*arguments, "--lang", "es", workspace=workspace, cwd=workspace.parent)
    assert done.code == 0, (arguments, done.err[-2_000:])
    assert "Traceback" not in done.err
    assert not any(line.startswith("ERROR") for line in done.err.splitlines())
    return done


def assert_names_stay_names(workspace: Path, out: Path, before: set[Path], *, n_assets: int) -> None:
    """An incident and a line of each asset, no formula in exports, no file where none was asked for."""
    run(workspace, "score")
    listed = run(workspace, "incidents", "list")
    told = run(workspace, "incidents", "list", "--json").document
    for incident in told[:2]:
        run(workspace, "incidents", "show", incident["id"])
    run(workspace, "incidents", "export", "--output", out / "incidents.csv")
    run(workspace, "incidents", "export", "--output", out / "incidents.xlsx")
    run(workspace, "export", "preprocessed", "--output", out / "preprocessed.csv")

    assert [one["cause"] for one in told] == ["quality.frozen"] * n_assets
    assert len([line for line in listed.out.splitlines() if line.strip()]) == 1 + n_assets
    assert "\x1b[31m" not in listed.out
    assert [_formulas(path) for path in sorted(out.glob("*.csv"))] == [[]] * len(list(out.glob("*.csv")))
    made = _files(out.parent) - before
    assert {path.parent for path in made} <= {out, workspace}
    assert {path.name for path in made if path.parent == out} <= {
        *("incidents.csv", "incidents.xlsx", "judged.csv", "preprocessed.csv")
    }


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def _formulas(path: Path) -> list[str]:
    """Cells that a spreadsheet would run: numbers below zero are numbers."""
    rows = csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline=""), strict=True)
    cells = [cell for row in rows for cell in row]
    return [cell for cell in cells if cell.startswith(FORMULA) and not _is_number(cell)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
