"""`sereno silences`, and what people do to incidents beyond acknowledging them."""

from pathlib import Path

import pytest

from tests.support.builders import a_roof, a_solar_workspace, readings_of
from tests.support.processes import environment, sereno


def _ids(workspace: Path) -> list[str]:
    return [str(one["id"]) for one in sereno("incidents", "--json", workspace=workspace).document]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A workspace with a roof that has made nothing for weeks."""
    roof = a_roof(rows=240, generation={(225, None): 0.0})
    with a_solar_workspace(tmp_path / "w", [roof], trained_on=200) as workspace:
        workspace.add(readings_of(roof), zone=roof.zone)
        workspace.score()
    return tmp_path / "w"


def test_silence_is_added_listed_counted_and_ended(broken: Path) -> None:
    added = sereno(
        "silences", "add", "--site", "*", "--hours-long", 3, "--comment", "obra", "--json", workspace=broken
    )
    listed = sereno("silences", "--json", workspace=broken).document
    shown = sereno("incidents", "list", "--active", "--json", workspace=broken).document
    ended = sereno("silences", "end", added.document["id"], "--json", workspace=broken)
    after = sereno("incidents", "list", "--active", "--json", workspace=broken).document

    assert (added.code, ended.code) == (0, 0)
    assert [one["in_force"] for one in listed] == [True]
    assert listed[0]["incidents"] == len(shown) > 0
    assert {one["visibility"] for one in shown} == {"silenced"}
    assert {one["visibility"] for one in after} == {"shown"}
    assert sereno("silences", "list", "--json", workspace=broken).document == []
    assert len(sereno("silences", "list", "--ended", "--json", workspace=broken).document) == 1


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--comment", "obra"], "never end"),
        (["--comment", " ", "--hours-long", "2"], "comment"),
        (["--comment", "obra", "--from", "2030-01-02", "--to", "2030-01-01"], "ends before it begins"),
        (["--comment", "obra", "--hours", "22:00-06:00"], "days or dates"),
        (["--comment", "obra", "--days", "8"], "'8'"),
        (["--comment", "obra", "--days", "1", "--timezone", "Madrid"], "Europe/Madrid"),
        (["--comment", "obra", "--hours-long", "2", "--severity-at-most", "awful"], "'awful'"),
        (["--comment", "obra", "--to", "mañana"], "2026-05-01"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_silence_that_makes_no_sense_is_refused(copied: Path, options: list[str], wanted: str) -> None:
    done = sereno("silences", "add", *options, "--json", workspace=copied)

    assert (done.code, done.error["code"]) == (2, "silence.invalid")
    assert wanted in str(done.error["message"])
    assert sereno("silences", "--json", workspace=copied).document == []


def test_declared_maintenance_is_listed_with_its_hours(copied: Path) -> None:
    with (copied / "sereno.yaml").open("a", encoding="utf-8") as settings:
        settings.write(
            'maintenance:\n  riego: {site: "*", hours: "22:00-06:00", days: [6, 7], comment: riego}\n'
        )

    (declared,) = sereno("silences", "--json", workspace=copied).document

    assert declared["id"] == "maintenance.riego"
    assert declared["recurrence"]["hours"] == "22:00-06:00"
    assert declared["recurrence"]["days"] == [6, 7]
    assert declared["declared"] is True


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--hours", "25", "--reason", "obra"], "incident.shelving_too_long"),
        (["--hours", "8"], "incident.reason_missing"),
        (["--hours", "0", "--reason", "obra"], "usage"),
    ],
    ids=str,
)
def test_shelving_is_refused_without_a_limit_or_a_reason(copied: Path, options: list[str], code: str) -> None:
    done = sereno("incidents", "shelve", _ids(copied)[0], *options, "--json", workspace=copied)

    assert (done.code, done.error["code"]) == (2, code)


def test_incident_is_taken_back_and_looked_at_again(copied: Path) -> None:
    name = _ids(copied)[0]
    acts = [
        ("shelve", name, "--hours", 24, "--reason", "obra"),
        ("unshelve", name),
        ("close", name, "--verdict", "real"),
        ("reopen", name),
    ]

    done = [sereno("incidents", *act, "--actor", "ana", "--json", workspace=copied) for act in acts]

    assert [one.code for one in done] == [0] * 4
    assert done[0].document["shelved_until"] is not None
    assert [one.document["visibility"] for one in done[:2]] == ["shelved", "shown"]
    assert [(one.document["state"], one.document["verdict"]) for one in done[2:]] == [
        ("closed", "real"),
        ("new", None),
    ]
    log = sereno("incidents", "show", name, "--json", workspace=copied).document["events"]
    assert {event["who"] for event in log[-4:]} == {"ana"}


def test_what_is_put_aside_is_listed(copied: Path) -> None:
    name = _ids(copied)[0]
    sereno("incidents", "shelve", name, "--reason", "obra", "--json", workspace=copied)

    listed = sereno("incidents", "list", "--visibility", "shelved", "--json", workspace=copied).document

    assert [one["id"] for one in listed] == [name]


def test_summary_says_how_often_it_was_right(copied: Path) -> None:
    sereno("incidents", "close", _ids(copied)[0], "--verdict", "real", "--json", workspace=copied)

    assert "100" in sereno("summary", "--lang", "en", workspace=copied).out.splitlines()[-1]


def test_request_repeated_by_its_key_changes_nothing(copied: Path) -> None:
    name = _ids(copied)[0]

    done = [
        sereno("incidents", "comment", name, "visto", "--request", "r7", "--json", workspace=copied)
        for _ in range(2)
    ]

    assert [one.code for one in done] == [0, 0]
    log = sereno("incidents", "show", name, "--json", workspace=copied).document["events"]
    assert [event["event"] for event in log].count("commented") == 1


def test_reopening_what_is_open_is_refused(copied: Path) -> None:
    done = sereno("incidents", "reopen", _ids(copied)[0], "--json", workspace=copied)

    assert (done.code, done.error["code"]) == (2, "usage")


def test_verdict_is_previewed_applied_and_undone(broken: Path) -> None:
    (name,) = (
        one["id"]
        for one in sereno("incidents", "--json", workspace=broken).document
        if one["cause"] == "behaviour.low"
    )
    act = ("incidents", "close", name, "--verdict", "false_alarm")

    preview = sereno(*act, "--preview", "--json", workspace=broken).document
    said = sereno(*act, "--preview", "--lang", "es", workspace=broken).out
    still = sereno("incidents", "show", name, "--json", workspace=broken).document
    closed = sereno(*act, "--apply", "--json", workspace=broken).document
    undone = sereno("incidents", "undo", name, "--json", workspace=broken).document

    assert preview["factor"] > 1
    assert preview["kept_quiet"] is True
    assert "umbral" in said
    assert still["state"] == "new"
    assert (closed["verdict"], closed["would_change"], closed["applied"]) == ("false_alarm", preview, True)
    assert [one["factor"] for one in undone["undone"]] == [preview["factor"]]


def test_health_is_said_beside_its_targets_in_both_languages(broken: Path) -> None:
    english, spanish = (
        sereno("health", "--days", "300", "--lang", language, workspace=broken).out
        for language in ("en", "es")
    )

    assert "target 120" in english
    assert "objetivo 120" in spanish
    assert "sereno " in english.replace(" \\\n", " ").splitlines()[-1]


@pytest.mark.parametrize("language", ["en", "es"])
def test_health_fits_a_terminal_of_80_columns(broken: Path, language: str) -> None:
    env = environment(COLUMNS="80")
    said = sereno("health", "--days", "300", "--lang", language, workspace=broken, env=env).out

    assert max(map(len, said.splitlines())) <= 80


def test_watching_lets_what_was_put_aside_return(copied: Path, tmp_path: Path) -> None:
    name = _ids(copied)[0]
    sereno("incidents", "shelve", name, "--hours", "0.000001", "--reason", "obra", "--json", workspace=copied)
    (tmp_path / "empty").mkdir()

    watched = sereno("watch", tmp_path / "empty", "--once", "--json", workspace=copied)

    log = sereno("incidents", "show", name, "--json", workspace=copied).document["events"]
    assert watched.code == 0
    assert [event["event"] for event in log][-2:] == ["shelved", "unshelved"]
    assert log[-1]["who"] == "sereno"
