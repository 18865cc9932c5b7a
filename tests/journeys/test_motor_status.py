"""Promise: a motor's database can be simulated, learnt and judged from the command line, as seed 1 did it.

Whether the records are labelled changes nothing; what is stored of past analyses is one row per `score`.
"""

import csv
from pathlib import Path

import pytest

from tests.journeys.worlds import declare
from tests.store.builders import query
from tests.support.processes import Ran, environment, sereno

ROWS = 10_000


@pytest.fixture
def workspace(tmp_path: Path, empty_database_url: str) -> Path:
    """A workspace whose database is named in `.env`, as the seed's was."""
    folder = declare(tmp_path / "w")
    (folder / ".env").write_text(f"DATABASE_URL={empty_database_url}\n", "utf-8")
    return folder


def _run(workspace: Path, *words: object) -> Ran:
    ran = sereno(*words, "--json", workspace=workspace, env=environment())
    assert ran.code == 0, ran.err
    return ran


def _labelled(file: Path, folder: Path, label: str | None) -> Path:
    """The file, with a column `estado` that says the same of every record where a label is given."""
    with file.open(encoding="utf-8", newline="") as source:
        header, *rows = csv.reader(source)
    target = folder / file.name
    folder.mkdir()
    with target.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(header if label is None else [*header, "estado"])
        writer.writerows(rows if label is None else [[*row, label] for row in rows])
    return target


def test_motors_are_simulated_learnt_and_judged_in_the_database_of_env(
    workspace: Path, empty_database_url: str
) -> None:
    _run(workspace, "simulate", "motor", "--rows", ROWS, "--max-rows", 20_000, "--seed", 3)
    _run(workspace, "train")
    first = _run(workspace, "score").document["status"]
    again = _run(workspace, "score").document["status"]

    assert not (workspace / "sereno.db").exists() or empty_database_url.startswith("sqlite")
    metricas = query(
        empty_database_url, "SELECT total, anomalias, porcentaje, estado FROM metricas ORDER BY id"
    )
    assert [row["total"] for row in metricas] == [ROWS, ROWS]
    assert first == again
    assert metricas[0]["anomalias"] == first["abnormal"] > 0
    estados = query(empty_database_url, "SELECT estado, COUNT(*) AS n FROM registros GROUP BY estado")
    assert {row["estado"]: row["n"] for row in estados} == {
        "Normal": ROWS - first["abnormal"],
        "Anomalo": first["abnormal"],
    }
    share = 100 * first["abnormal"] / ROWS
    wanted = "Normal" if share < 1 else "Precaucion" if share <= 4 else "Critico"
    assert {row["estado"] for row in metricas} == {wanted}


def test_database_stays_below_its_cap_and_can_be_begun_anew(workspace: Path, empty_database_url: str) -> None:
    for seed in range(3):
        _run(workspace, "simulate", "motor", "--rows", ROWS, "--max-rows", 20_000, "--seed", seed)
    assert query(empty_database_url, "SELECT COUNT(*) AS n FROM registros") == [{"n": 20_000}]

    _run(workspace, "simulate", "motor", "--rows", ROWS, "--reset", "--yes", "--seed", 9)

    assert query(empty_database_url, "SELECT COUNT(*) AS n FROM registros") == [{"n": ROWS}]


def test_status_is_the_same_with_and_without_labels(tmp_path: Path) -> None:
    world = tmp_path / "world"
    sereno("simulate", "motor", "--rows", ROWS, "--seed", 3, "--output", world, workspace=tmp_path / "no")
    (file,) = world.glob("*.csv")
    found = {}
    for label in (None, "Normal", "Anomalo"):
        folder = declare(tmp_path / f"w-{label}")
        _run(folder, "ingest", _labelled(file, tmp_path / f"files-{label}", label))
        _run(folder, "train")
        found[label] = _run(folder, "score").document["status"]

    assert found[None] == found["Normal"] == found["Anomalo"]
    assert found[None]["total"] == ROWS
