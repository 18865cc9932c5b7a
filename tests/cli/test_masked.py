"""Where names are not to leave, no command lets one out: in its document, its file or its log."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sereno.cli.app import app
from sereno.flows.workspace import Workspace
from tests.support.builders import MADRID, a_roof, a_workspace, readings_of, write_solar_csv

NUMBER, PERSON = "ES0021000000000001AB", "Casa Peñín"
HIDDEN = (NUMBER, NUMBER[2:14], PERSON, "Peñín")
SETTINGS = """\
privacy: {names: ["Casa*"]}
exports: {pseudonyms: true}
logging: {level: info, file: logs/sereno.log}
receivers: {guardia: {kind: files, options: {folder: told}}}
routes: [{match: {severity: low}, to: [guardia]}]
"""
ROWS, LEARNT = 200, 150
OTHER_WAYS = {
    *("serve", "watch", "demo", "run", "backup", "restore", "upgrade", "evaluate", "simulate"),
    *("report", "forecast", "segment"),  # pages and pictures for who may see names; need more than this
    "privacy sites",  # says which pseudonym is whose: that is what it is for
    "privacy export",  # all that is stored of somebody, for them
    *("privacy erase", "privacy scrub", "privacy retain", "notifications deliver"),
}
GIVEN = {
    "files": ["FILE"],
    "paths": ["FILE"],
    "incident_id": ["INCIDENT"],
    "model": ["MODEL"],
    "text": [f"Es de {PERSON}, {NUMBER}"],
    "comment": ["--comment", f"Obras en {PERSON}", "--site", NUMBER],
    "reason": ["--reason", f"por {NUMBER}"],
    "asset": [PERSON],
    "output": ["--output", "OUTPUT"],
    "owner": ["eva"],
    "verdict": ["real"],
}
"""What stands for a parameter that a command cannot go without."""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judged workspace whose sites are people and supply points."""
    folder = tmp_path_factory.mktemp("plant") / "w"
    faults = {(LEARNT + 10, LEARNT + 20): 0.3}
    windows = [a_roof(name, rows=ROWS, generation=faults) for name in (NUMBER, PERSON)]
    with a_workspace(folder, settings=SETTINGS) as workspace:
        workspace.add(readings_of(*(one.rows(0, LEARNT) for one in windows)), zone=MADRID)
        workspace.train()
        workspace.add(readings_of(*(one.rows(LEARNT, ROWS) for one in windows)), zone=MADRID, judge=True)
    return folder


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Every command that says or writes something, and what it cannot go without."""

    def walk(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            needed = [one.name for one in command.params if one.required]  # type: ignore[attr-defined]
            yield " ".join(path), needed
            return
        for name, one in inner.items():
            yield from walk(one, (*path, name))

    for name, needed in walk(typer.main.get_command(app), ()):
        if name not in OTHER_WAYS and set(needed) <= set(GIVEN):
            yield name, needed


def _arguments(needed: list[str], plant: Path, output: Path) -> list[str]:
    with Workspace.open(plant) as workspace:
        incident = next(v for v in workspace.incidents() if v.incident.asset.site == PERSON).incident.id
        card = workspace.models()[0]
    file = write_solar_csv(plant.parent / "files", a_roof(PERSON, rows=5))
    there = {"FILE": str(file), "INCIDENT": incident, "MODEL": card.id, "OUTPUT": str(output)}
    return [there.get(one, one) for name in needed for one in GIVEN[name]]


def _written(path: Path) -> str:
    if path.suffix != ".xlsx":
        return path.read_text("utf-8")
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as book:
        return "".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())


@pytest.mark.parametrize(("command", "needed"), list(_commands()), ids=[name for name, _ in _commands()])
def test_no_document_of_a_command_tells_a_name(
    plant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, needed: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where a command writes that is told no place
    given = _arguments(needed, plant, tmp_path / "out.csv")

    done = CliRunner().invoke(app, ["--workspace", str(plant), "--json", *command.split(), *given])

    said = done.stdout.replace(str(plant.parent), "")
    assert [one for one in HIDDEN if one in said or one in json.dumps(said)] == []
    assert done.exit_code != 70


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "command",
    ["incidents export", "export preprocessed", "export results", "export anomalies"],
)
def test_no_file_of_a_command_tells_a_name(plant: Path, tmp_path: Path, command: str, kind: str) -> None:
    output = tmp_path / f"out.{kind}"

    done = CliRunner().invoke(app, ["--workspace", str(plant), *command.split(), "--output", str(output)])

    assert done.exit_code == 0, done.output
    said = _written(output)
    assert len(said) > 100
    assert [one for one in HIDDEN if one in said] == []


def test_the_log_tells_no_name(plant: Path) -> None:
    files = plant.parent / "dropped"
    path = write_solar_csv(files, a_roof(PERSON, rows=5))
    path.rename(files / f"{NUMBER}.csv")

    CliRunner().invoke(app, ["--workspace", str(plant), "watch", str(files), "--once"])

    log = (plant / "logs" / "sereno.log").read_text("utf-8")
    assert log
    assert [one for one in HIDDEN if one in log] == []


def test_names_leave_where_nobody_says_otherwise(plant: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may run a command on a workspace may read its database."""
    monkeypatch.setenv("SERENO__EXPORTS__PSEUDONYMS", "false")

    done = CliRunner().invoke(app, ["--workspace", str(plant), "--json", "incidents", "list"])

    assert {one["site"] for one in json.loads(done.stdout)} == {NUMBER, PERSON}
