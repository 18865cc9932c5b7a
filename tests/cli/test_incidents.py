"""`sereno incidents`: people read incidents and act on them."""

import csv
import io
from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.journeys.worlds import declare, roofs
from tests.support.builders import HOUR, MADRID, a_roof, a_workspace, readings_of, with_cells
from tests.support.processes import environment, sereno

LEVELS = ["low", "medium", "high", "critical"]


def _incidents(workspace: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = sereno("incidents", "--json", workspace=workspace).document
    return found


def test_rows_of_the_store_are_not_written_by_score(judged: Path, tmp_path: Path) -> None:
    done = sereno("score", "--output", tmp_path / "out.csv", workspace=judged)

    assert (done.code, "export results" in done.err) == (2, True)
    assert not (tmp_path / "out.csv").exists()


def test_incident_lives_from_new_to_closed(copied: Path) -> None:
    worst = str(_incidents(copied)[0]["id"])
    acts = [
        ("ack", worst),
        ("comment", worst, "mirado en campo"),
        ("assign", worst, "Marta"),
        ("shelve", worst, "--hours", 2, "--reason", "obras"),
        ("close", worst, "--verdict", "real"),
    ]

    done = [sereno("incidents", *act, "--json", workspace=copied) for act in acts]

    assert [one.code for one in done] == [0] * 5
    assert [one.document["state"] for one in done] == ["acknowledged"] * 4 + ["closed"]
    assert done[2].document["owner"] == "Marta"
    assert done[3].document["visibility"] == "shelved"
    assert done[4].document["verdict"] == "real"
    log = sereno("incidents", "show", worst, "--json", workspace=copied).document["events"]
    assert [event["event"] for event in log][-5:] == [
        "acknowledged",
        "commented",
        "assigned",
        "shelved",
        "closed",
    ]
    assert all(event["who"] for event in log[-5:])


def test_first_characters_of_an_id_are_enough(copied: Path) -> None:
    worst = str(_incidents(copied)[0]["id"])

    shown = sereno("incidents", "show", worst[:8], "--json", workspace=copied)

    assert shown.document["id"] == worst


@pytest.mark.parametrize("act", ["show", "ack", "close"])
def test_unknown_incident_is_named(copied: Path, act: str) -> None:
    options = ["--verdict", "real"] if act == "close" else []

    done = sereno("incidents", act, "ffffffff", *options, "--json", workspace=copied)

    assert (done.code, done.error["code"]) == (5, "store.not_found")
    assert "ffffffff" in done.error["message"]


def test_incident_is_shown_with_evidence_in_both_languages(judged: Path) -> None:
    worst = _incidents(judged)[0]

    english, spanish = (
        sereno("incidents", "show", worst["id"], "--lang", language, workspace=judged).out
        for language in ("en", "es")
    )

    assert str(worst["sentence"]) in english
    assert str(worst["recommendation"]) in english
    assert str(worst["sentence_es"]) in spanish
    assert str(worst["recommendation_es"]) in spanish


def test_times_are_shown_in_the_zone_of_the_site_and_told_to_programs_in_utc(tmp_path: Path) -> None:
    roof = a_roof(rows=24 * 30, step=HOUR, zone=MADRID, start="2026-03-01T00")
    with a_workspace(tmp_path / "w", language="es") as workspace:
        spring = with_cells(roof, slice(24 * 28 + 1, 24 * 28 + 4), "consumption", 99.0)
        workspace.add(readings_of(spring), zone=MADRID, judge=True)
        (view,) = workspace.incidents()
        name, began = view.incident.id, view.incident.started_at
        workspace.shelve(name, HOUR, "obra", actor="ana")

    said = sereno("incidents", "show", name, "--lang", "es", workspace=tmp_path / "w").out
    document = sereno("incidents", "show", name, "--json", workspace=tmp_path / "w").document

    assert "empezó: 29 mar 2026 01:00:00 +01:00" in said
    assert "terminó: 29 mar 2026 05:00:00 +02:00" in said
    assert "1 jun 2025 14:00:00  aplazada  ana  obra · hasta 1 jun 2025 15:00:00" in said
    assert began.isoformat() == "2026-03-29T00:00:00+00:00"
    assert document["started_at"] == "2026-03-29T00:00:00Z"
    assert document["events"][-1]["at"] == "2025-06-01T12:00:00Z"


def test_list_for_people_is_one_line_each(judged: Path) -> None:
    lines = sereno("incidents", "list", "--lang", "es", workspace=judged).out.splitlines()

    assert len(lines) == 1 + len(_incidents(judged))
    assert lines[0].split() == ["id", "gravedad", "condición", "estado", "qué", "ha", "pasado"]


def test_export_writes_all_incidents_without_formulas(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "w")
    with Workspace.open(workspace) as opened:
        opened.add(readings_of(a_roof("=cmd|' /C calc'!A0", missing=[slice(50, 70)])), zone="UTC")
        opened.score()

    done = sereno("incidents", "export", "--output", tmp_path / "out.csv", "--json", workspace=workspace)

    text = (tmp_path / "out.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert done.code == 0
    assert len(rows) == len(_incidents(workspace)) == 1
    assert rows[0]["site"] == "'=cmd|' /C calc'!A0"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv", "w"}


def test_export_with_json_is_one_document(judged: Path, tmp_path: Path) -> None:
    done = sereno("incidents", "export", "--output", tmp_path / "out.csv", "--json", workspace=judged)

    assert done.document == {"file": str(tmp_path / "out.csv"), "incidents": len(_incidents(judged))}


def test_numbers_below_zero_stay_numbers_in_exports(judged: Path, tmp_path: Path) -> None:
    sereno("incidents", "export", "--output", tmp_path / "out.csv", workspace=judged)

    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        impacts = [float(row["impact"]) for row in csv.DictReader(file) if row["impact"]]

    assert min(impacts) < 0 < max(impacts)


def test_summary_counts_the_last_days_of_the_data(judged: Path) -> None:
    found = _incidents(judged)

    all_time = sereno("summary", "--days", 4000, "--json", workspace=judged).document
    week = sereno("summary", "--json", workspace=judged).document

    assert all_time["total"] == len(found)
    assert sum(all_time["by_severity"].values()) == sum(all_time["by_site"].values()) == len(found)
    assert list(all_time["by_severity"]) == ["critical", "high", "medium", "low"]
    assert week["days"] == 7
    assert week["total"] < len(found)


def test_summary_for_people_speaks_their_language(judged: Path) -> None:
    spanish = sereno("summary", "--days", 4000, "--lang", "es", workspace=judged).out
    english = sereno("summary", "--days", 4000, "--lang", "en", workspace=judged).out

    assert "crítica: " in spanish
    assert "comportamiento: " in spanish
    assert "critical" not in spanish
    assert "critical: " in english


def test_summary_of_nothing_has_all_keys(tmp_path: Path) -> None:
    done = sereno("summary", "--json", workspace=tmp_path / "w")

    assert (done.code, done.document["total"], done.document["active"]) == (0, 0, 0)
    assert set(done.document["by_severity"].values()) == {0}


@pytest.mark.parametrize("limit", LEVELS)
def test_fail_on_severity_of_a_file_is_exit_1(judged: Path, limit: str) -> None:
    file = judged.parent / "Planta_1.csv"

    done = sereno("score", file, "--fail-on", limit, "--json", workspace=judged)

    found = [LEVELS.index(row["severity"]) for row in done.document["judged"] if row["severity"]]
    assert done.code == int(max(found) >= LEVELS.index(limit))


def test_fail_on_severity_of_the_store_looks_at_what_goes_on(copied: Path) -> None:
    silent = sereno("score", "--fail-on", "low", "--json", workspace=copied)
    with Workspace.open(copied) as opened:
        roof = roofs(months=4, sites=1)[0].rows(3 * 720, 3 * 720 + 100)
        opened.add(readings_of(with_cells(roof, slice(40, 100), "import", 90.0)), zone="UTC")
    loud = sereno("score", "--fail-on", "low", "--json", workspace=copied)

    active = [i for i in _incidents(copied) if i["condition"] == "active"]
    assert (silent.code, loud.code, bool(active)) == (0, 1, True)


def test_scored_file_is_neutral_and_strict(judged: Path, tmp_path: Path) -> None:
    source = (judged.parent / "Planta_1.csv").read_text("utf-8").splitlines()
    named = [f"Empresa,{source[0]}", f",{source[1]}"]
    rows = [f'"=HYPERLINK(""http://x"",""y"")",{line}' for line in source[2:600]]
    file = tmp_path / "datos.csv"
    file.write_text("\n".join([*named, *rows, ""]), "utf-8")

    done = sereno("score", file, "--output", tmp_path / "out.csv", "--json", workspace=judged)

    text = (tmp_path / "out.csv").read_text("utf-8")
    found = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert done.code == 0
    assert len(found) == done.document["rows"] == len(done.document["judged"])
    assert {row["site"][0] for row in found} == {"'"}
    assert {row["is_abnormal"] for row in found} <= {"True", "False"}
    assert not any(cell.startswith(("=", "+", "@")) for row in found for cell in row.values())


def test_scoring_a_file_stores_nothing_and_scores_as_the_store_does(judged: Path) -> None:
    before = (judged / "sereno.db").read_bytes()

    done = sereno("score", judged.parent / "Planta_2.csv", "--json", workspace=judged).document

    stored = [i for i in _incidents(judged) if i["site"] == "Planta_2" and i["kind"] == "behaviour"]
    peaks = {row["time"]: row for row in done["judged"]}
    assert (judged / "sereno.db").read_bytes() == before
    for incident in stored:
        assert peaks[incident["peak_at"]]["score"] == pytest.approx(incident["score"], abs=1e-6)


@pytest.mark.parametrize("said", ["falsa alarma", "Falsa_alarma", "false_alarm", "false alarm"])
def test_verdict_is_understood_in_the_words_of_the_console(copied: Path, said: str) -> None:
    worst = str(_incidents(copied)[0]["id"])

    previewed = sereno("incidents", "close", worst, "--verdict", said, "--preview", workspace=copied)
    refused = sereno("incidents", "close", worst, "--verdict", "quizá", workspace=copied)

    assert previewed.code == 0
    assert (refused.code, "falsa alarma" in refused.err) == (2, True)


def test_act_says_the_state_and_only_why_nobody_hears_of_it(copied: Path) -> None:
    (name, *_) = (one["id"] for one in sereno("incidents", "--json", workspace=copied).document)

    seen = sereno("incidents", "ack", name, "--lang", "es", workspace=copied).out
    put_off = sereno("incidents", "shelve", name, "--reason", "obra", "--lang", "es", workspace=copied).out

    assert seen.strip() == f"{name}: reconocida"
    assert put_off.strip() == f"{name}: reconocida, aplazada"


def test_export_says_what_it_counted(judged: Path, tmp_path: Path) -> None:
    target = tmp_path / "incidencias.parquet"
    n_all = len(sereno("incidents", "--json", workspace=judged).document)

    said = sereno("incidents", "export", "--output", target, "--lang", "es", workspace=judged).out

    assert said.strip() == f"{target}: {n_all} {'incidencia' if n_all == 1 else 'incidencias'}"
    assert target.read_bytes()[:4] == b"PAR1"


def test_health_speaks_in_words_of_what_was_found(judged: Path) -> None:
    said = sereno(
        "health", "--days", "300", "--lang", "es", workspace=judged, env=environment(COLUMNS="200")
    ).out

    assert "Nadie ha reconocido ninguna." in said
    problems = {line.partition(": ")[2] for line in said.splitlines() if line[2:4] == ". "}
    assert problems
    assert not [one for one in problems if "_" in one or one in {"missing", "frozen"}]


def test_columns_of_a_folder_are_listed_once(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    for month in (1, 2, 3):
        rows = [f"{day:02d}.{month:02d}.2024;{day},5;{day + 3},5" for day in range(1, 28)]
        lines = ["Fecha;Generación total (kWh);Consumo total (kWh)", *rows]
        (folder / f"PLANTA_{month}.csv").write_text("\n".join(lines), "utf-8")

    said = sereno("check", folder, "--timezone", "Europe/Madrid", "--lang", "es").out

    assert said.count("Generación total (kWh) → generation") == 1
    assert said.count("columnas como en PLANTA_1.csv") == 2
