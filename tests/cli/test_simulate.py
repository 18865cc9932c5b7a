"""`sereno simulate`: bounded, repeatable, and never in the way of real readings."""

from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.journeys.worlds import declare, roofs, write_rows
from tests.support.processes import sereno
from tests.support.stores import count, differences, dump, sqlite_address


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with 1,000 real rows of a motor."""
    folder = declare(tmp_path / "w")
    lines = [
        f"{day:02d}.06.2025 {hour:02d}:{minute:02d},{25 + day % 3},220,5,45"
        for day in range(1, 3)
        for hour in range(24)
        for minute in range(0, 60, 3)
    ]
    header = "Fecha y hora,Corriente (A),Voltaje (V),Potencia activa (kW),Temperatura motor (°C)"
    file = tmp_path / "BOMBA_7.csv"
    file.write_text("\n".join([header, *lines, ""]), "utf-8")
    done = sereno("ingest", file, "--json", workspace=folder)
    assert done.document["files"][0]["totals"]["records_good"] == 960
    return folder


def _rows(workspace: Path, *, simulated: bool) -> list[dict[str, object]]:
    readings = dump(sqlite_address(workspace))["reading_motor"]
    return [row for row in map(dict, readings) if row["simulated"] == simulated]  # type: ignore[arg-type]


def test_max_rows_keeps_the_latest_simulated_rows_and_every_real_one(workspace: Path) -> None:
    real = _rows(workspace, simulated=False)

    runs = [
        sereno("simulate", "motor", "--rows", 10_000, "--max-rows", 20_000, "--json", workspace=workspace)
        for _ in range(3)
    ]

    kept = _rows(workspace, simulated=True)
    assert [run.document["rows"] for run in runs] == [10_000] * 3
    assert [run.document["rows_deleted"] for run in runs] == [0, 0, 10_000]
    assert len(kept) == 20_000
    assert _rows(workspace, simulated=False) == real


def test_reset_deletes_simulated_readings_only(workspace: Path) -> None:
    first = sereno("simulate", "motor", "--rows", 3000, "--seed", 1, workspace=workspace)
    assert sereno("score", workspace=workspace).code == 0
    real = _rows(workspace, simulated=False)

    again = sereno(
        "simulate", "motor", "--rows", 500, "--seed", 2, "--reset", "--yes", "--json", workspace=workspace
    )

    assert (first.code, again.document["rows_deleted"]) == (0, 3000)
    assert len(_rows(workspace, simulated=True)) == 500
    assert len(real) == 960
    assert _rows(workspace, simulated=False) == real


def test_reset_is_not_done_without_a_word(workspace: Path) -> None:
    sereno("simulate", "motor", "--rows", 300, "--seed", 1, workspace=workspace)
    before = dump(sqlite_address(workspace))

    done = sereno("simulate", "motor", "--rows", 500, "--reset", "--json", workspace=workspace)

    assert (done.code, done.error["code"]) == (2, "usage")
    assert "--yes" in done.error["message"]
    assert differences(dump(sqlite_address(workspace)), before) == {}


def test_drawn_seed_and_ratio_are_printed(tmp_path: Path) -> None:
    text = sereno("simulate", "motor", "--rows", 2000, "--output", tmp_path / "a", "--lang", "en").out
    runs = [
        sereno("simulate", "motor", "--rows", 2000, "--output", tmp_path / f"{i}", "--json").document
        for i in range(2)
    ]

    assert "seed" in text
    assert "%" in text
    assert runs[0]["seed"] != runs[1]["seed"]
    assert all(0 < run["ratio"] < 0.2 for run in runs)


def test_seed_reproduces_the_world_of_the_same_days(tmp_path: Path) -> None:
    """A world ends at the last full hour, or before a day: the seed fixes everything but that."""
    which = ("--days", 20, "--until", "2026-07-01", "--seed", 5)
    runs = [
        sereno("simulate", "gas", *which, "--output", tmp_path / name, "--json").document
        for name in ("a", "b")
    ]

    faults = [[(f["asset"], f["fault"], f["signals"]) for f in run["faults"]] for run in runs]
    values = [
        {path.name: path.read_text("utf-8") for path in (tmp_path / name).glob("*.csv")}
        for name in ("a", "b")
    ]
    assert faults[0] == faults[1] != []
    assert runs[0]["ratio"] == runs[1]["ratio"]
    assert values[0] == values[1]


def test_drawn_seed_given_back_reproduces_the_world(tmp_path: Path) -> None:
    drawn = sereno("simulate", "motor", "--rows", 2000, "--output", tmp_path / "a", "--json").document

    again = sereno(
        "simulate", "motor", "--rows", 2000, "--seed", drawn["seed"], "--output", tmp_path / "b", "--json"
    ).document

    assert again["ratio"] == drawn["ratio"]
    assert [f["fault"] for f in again["faults"]] == [f["fault"] for f in drawn["faults"]]


def test_output_touches_no_workspace(tmp_path: Path) -> None:
    done = sereno("simulate", "load", "--days", 5, "--output", tmp_path / "out", workspace=tmp_path / "w")

    assert done.code == 0
    assert not (tmp_path / "w").exists()
    assert len(list((tmp_path / "out" / "truth").iterdir())) == 1


def test_simulated_readings_never_replace_real_ones_of_the_same_asset(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "w")
    made = sereno(
        "simulate", "solar", "--days", 5, "--assets", 1, "--seed", 1, "--json", workspace=workspace
    ).document
    site = dump(sqlite_address(workspace))["asset"][0][0]
    file = write_rows(tmp_path / f"{site}.csv", roofs(months=1, sites=1)[0])
    assert sereno("ingest", file, workspace=workspace).code == 0
    n_all = count(sqlite_address(workspace), "reading_solar")

    with Workspace.open(workspace) as opened, opened.store.begin() as tx:
        n_deleted = tx.reset_simulated()

    assert (n_deleted, count(sqlite_address(workspace), "reading_solar")) == (
        made["rows"],
        n_all - made["rows"],
    )
