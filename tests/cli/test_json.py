"""`--json`: one strict document on stdout, whatever the command and wherever the option stands."""

from pathlib import Path

import pytest

from tests.support.processes import environment, run_code, sereno

INCIDENT_KEYS = {
    *("id", "site", "asset", "signals", "kind", "cause", "severity", "condition", "state", "verdict"),
    *("visibility", "peak_at", "recommendation", "recommendation_es", "opened_at", "started_at", "ended_at"),
    *("score", "threshold", "observed", "expected", "unit", "impact", "impact_unit", "cost", "currency"),
    *("sentence", "sentence_es", "model"),
    *("owner", "contributions", "problem", "normal_to", "similar", "similar_count", "recurrence"),
    *(
        "chattering",
        "unattended",
        "parents",
        "children",
        "silences",
        "escalated",
        "shelved_until",
        "cost_per_day",
    ),
}
ENTRY_KEYS = {"file", "totals", "tables", "issues", "verdict"}
TOTALS = {
    *("records_good", "records_quarantined", "duplicates_identical", "duplicates_conflicting"),
    *("cells_missing", "cells_converted"),
}
TABLE_KEYS = {
    *("name", "layout", "encoding", "delimiter", "decimal", "thousands", "date_order", "timezone"),
    *("header_row", "unit_row", "columns"),
}
COMMANDS = [
    ("train",),
    ("score",),
    ("incidents",),
    ("incidents", "list"),
    ("summary",),
    ("health",),
    ("silences",),
    ("doctor",),
    ("config", "check"),
    ("config", "explain"),
    ("config", "schema"),
    ("simulate", "motor", "--rows", "50", "--seed", "1"),
    ("watch", ".", "--once"),
    ("check", "."),
    ("ingest", "."),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_options_before_and_after_the_command_are_the_same(copied: Path, command: tuple[str, ...]) -> None:
    files = copied.parent / "files"
    before = sereno("--json", "--lang", "en", *command, workspace=copied, cwd=files)
    after = sereno(*command, "--json", "--lang=en", "--workspace", copied, cwd=files)

    assert (before.code, after.code) in {(0, 0), (5, 5)}, before.err
    shape = [_shape(before.document), _shape(after.document)]
    assert shape[0] == shape[1]


def test_incidents_have_the_documented_keys(judged: Path) -> None:
    found = sereno("incidents", "list", "--json", workspace=judged).document

    assert len(found) >= 3
    assert all(set(incident) == INCIDENT_KEYS for incident in found)
    assert {incident["kind"] for incident in found} == {"data", "behaviour"}
    for incident in found:
        assert incident["started_at"].endswith(("Z", "+00:00"))
        assert incident["cost"] is None
        assert set(incident["contributions"]) >= set(incident["signals"])
        assert incident["sentence"] != incident["sentence_es"]


def test_incidents_come_worst_first_or_newest_first(judged: Path) -> None:
    levels = ["critical", "high", "medium", "low"]
    worst = sereno("incidents", "--json", workspace=judged).document
    newest = sereno("incidents", "list", "--sort", "newest", "--json", workspace=judged).document
    limited = sereno("incidents", "list", "--limit", 2, "--json", workspace=judged).document

    ranks = [levels.index(incident["severity"]) for incident in worst]
    starts = [incident["started_at"] for incident in newest]
    assert ranks == sorted(ranks)
    assert starts == sorted(starts, reverse=True)
    assert limited == worst[:2]


@pytest.mark.parametrize("command", ["check", "ingest"])
def test_files_have_the_documented_keys(judged: Path, tmp_path: Path, command: str) -> None:
    file = judged.parent / "Planta_1.csv"

    document = sereno(command, file, "--json", workspace=tmp_path / "w").document

    (entry,) = document["files"]
    extra = {"readings_new"} if command == "ingest" else set()
    assert set(document) == {"files"}
    assert set(entry) == ENTRY_KEYS | extra
    assert set(entry["totals"]) == TOTALS
    assert set(entry["tables"][0]) == TABLE_KEYS
    assert {"source", "signal", "unit", "reason"} == set(entry["tables"][0]["columns"][0])
    assert all({"code", "where", "count", "message"} == set(issue) for issue in entry["issues"])


def test_known_file_gives_the_same_entry_with_nothing_new(judged: Path) -> None:
    file = judged.parent / "Planta_1.csv"
    checked = sereno("check", file, "--json", workspace=judged).document["files"][0]

    again = sereno("ingest", file, "--json", workspace=judged).document["files"][0]

    assert again.pop("readings_new") == 0
    findings = [issue for issue in checked["issues"] if str(issue["where"]).startswith("Planta_1: ")]
    assert {issue["code"] for issue in findings} == {"quality.missing"}
    assert again == {**checked, "issues": [one for one in checked["issues"] if one not in findings]}


def test_progress_goes_to_stderr_and_quiet_silences_it(judged: Path, tmp_path: Path) -> None:
    file = judged.parent / "Planta_1.csv"

    told = sereno("ingest", file, "--json", workspace=tmp_path / "a")
    quiet = sereno("ingest", file, "--json", "--quiet", workspace=tmp_path / "b")

    assert "Planta_1.csv" in told.err
    assert quiet.err == ""
    assert told.document == quiet.document


@pytest.mark.parametrize(
    "command",
    [
        ("scor",),
        ("check",),
        ("summary", "--days", "0"),
        ("summary", "--dais", "3"),
        ("score", "--fail-on", "dreadful"),
        ("incidents", "list", "--sort", "colour"),
        ("incidents", "close", "abc", "--verdict", "whatever"),
        ("simulate", "windmill"),
        ("summary", "--lang", "fr"),
        ("incidents", "show", "doesnotexist"),
    ],
    ids=" ".join,
)
def test_failure_is_one_document_too(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = sereno(*command, "--json", workspace=tmp_path / "w")

    assert done.code in {2, 4, 5}
    assert set(done.error) == {"code", "message", "facts"}
    assert done.error["message"]
    assert "rror" in done.err or "sereno:" in done.err


def test_reader_that_goes_away_is_no_fault(judged: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'sereno', '--workspace', sys.argv[1], 'incidents', '--json']\n"
        "p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "p.stdout.close(); err = p.stderr.read().decode(); p.wait(); print(p.returncode, err)"
    )

    done = run_code(code, judged, env=environment())

    assert "Traceback" not in done.out
    assert "Exception ignored" not in done.out


def _shape(document: object) -> object:
    """A document without what the clock and chance say."""
    if isinstance(document, dict):
        return {
            key: _shape(value) for key, value in document.items() if key not in {"trained_at", "free disk"}
        }
    if isinstance(document, list):
        return [_shape(item) for item in document][:1]
    return type(document).__name__
