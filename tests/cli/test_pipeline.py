"""`segment`, `evaluate`, `run` and their tables through the command line: output, languages, exit codes."""

import csv
from pathlib import Path

import pytest

from tests.support.gas_clients import GasClients, gas_clients
from tests.support.processes import sereno

SETTINGS = """\
timezone: America/Lima
detector: {trees: 10}
assets:
  '*': {pressure: gauge, volume: line, base_temperature_c: 0}
"""


@pytest.fixture(scope="module")
def clients() -> GasClients:
    return gas_clients(4, days=40, seed=61, n_faults=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clients: GasClients) -> Path:
    """A workspace that has read and learnt four clients; the truth stands beside it."""
    found = tmp_path_factory.mktemp("pipeline")
    (found / "w").mkdir()
    (found / "w" / "sereno.yaml").write_text(SETTINGS, "utf-8")
    clients.write_workbook(found / "clientes.xlsx")
    clients.write_truth(found / "verdad.csv")
    assert sereno("ingest", found / "clientes.xlsx", workspace=found / "w").code == 0
    assert sereno("segment", workspace=found / "w").code == 0
    assert sereno("train", workspace=found / "w").code == 0
    return found


@pytest.mark.parametrize(("lang", "said"), [("es", "equipos en"), ("en", "assets in")])
def test_segments_are_shown_in_both_languages(folder: Path, lang: str, said: str) -> None:
    done = sereno("segment", "--assign", "--lang", lang, workspace=folder / "w")

    assert done.code == 0
    assert said in done.out
    assert all(f"CLIENTE{i}" in done.out for i in range(1, 5))


def test_segments_are_one_document(folder: Path) -> None:
    document = sereno("segment", "--assign", "--json", workspace=folder / "w").document

    (profile,) = document["profiles"]
    assert profile["refit"] is False
    assert {one["asset"] for one in profile["assets"]} == {f"CLIENTE{i}" for i in range(1, 5)}
    assert set(profile["assets"][0]["profile"]) == set(profile["features"])


def test_tables_are_exported_by_name(folder: Path) -> None:
    clusters = sereno("export", "clusters", "--output", folder / "c.csv", workspace=folder / "w")
    one = sereno(
        *("export", "anomalies", "--output", folder / "a.csv", "--asset", "CLIENTE2"),
        *("--since", "2024-01-20", "--json"),
        workspace=folder / "w",
    )

    assert clusters.code == 0
    with (folder / "c.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    with (folder / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert one.document["rows"] == len(rows)
    assert {row["cliente_id"] for row in rows} <= {"CLIENTE2"}
    assert all(row["Fecha"] >= "2024-01-20" for row in rows)


def test_goals_decide_the_exit_code_when_asked(folder: Path) -> None:
    truth = ("evaluate", "--truth", folder / "verdad.csv")
    (folder / "w" / "sereno.yaml").write_text(SETTINGS + "acceptance: {recall: 1.0}\n", "utf-8")

    shown = sereno(*truth, "--json", workspace=folder / "w")
    failed = sereno(*truth, "--fail-on-goals", workspace=folder / "w")

    (folder / "w" / "sereno.yaml").write_text(SETTINGS, "utf-8")
    assert (shown.code, shown.document["accepted"]) == (0, False)
    assert failed.code == 1


@pytest.mark.parametrize(
    ("name", "text", "code", "error"),
    [
        ("lecturas.csv", "Fecha,Presion\n2024-01-20 03:00,17\n", 3, "read.no_truth"),
        ("otros.csv", "cliente_id,inicio,fin\nZ,2024-01-20T03:00Z,2024-01-20T04:00Z\n", 3, "asset.unknown"),
        ("nada.csv", None, 3, "read.missing"),
    ],
)
def test_truth_that_cannot_be_used_is_refused_in_one_sentence(
    folder: Path, tmp_path: Path, name: str, text: str | None, code: int, error: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, "utf-8")

    done = sereno("evaluate", "--truth", tmp_path / name, "--json", "--lang", "es", workspace=folder / "w")

    assert (done.code, done.error["code"]) == (code, error)
    assert "Traceback" not in done.err


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_instant_that_is_none_is_refused(folder: Path, option: str) -> None:
    done = sereno("evaluate", "--truth", folder / "verdad.csv", option, "ayer", workspace=folder / "w")

    assert done.code == 2


def test_wrong_feature_names_the_known_ones_in_spanish(tmp_path: Path, clients: GasClients) -> None:
    (tmp_path / "sereno.yaml").write_text(SETTINGS + "segments: {features: [Caudal_mean]}\n", "utf-8")
    clients.write_workbook(tmp_path / "c.xlsx", [0])
    sereno("ingest", tmp_path / "c.xlsx", workspace=tmp_path)

    done = sereno("segment", "--lang", "es", workspace=tmp_path)

    assert done.code == 4
    assert "no nombra ninguna variable de gas" in done.err
    assert "Las que hay: pressure, temperature, volume" in done.err


def test_run_on_nothing_says_so(tmp_path: Path) -> None:
    done = sereno("run", "--json", "--lang", "es", workspace=tmp_path)

    assert (done.code, done.error["code"]) == (3, "read.no_readings")
    assert "no hay nada con que trabajar" in done.err


def test_wrong_bands_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "sereno.yaml").write_text("criticality:\n  high: 1\n", "utf-8")

    done = sereno("config", "check", workspace=tmp_path)

    assert done.code == 4
    assert "criticality" in done.err
