"""Promise: from files to incidents through the command line, clear faults of the five worlds are found."""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.journeys.worlds import declare
from tests.support.processes import sereno

ZONE = ZoneInfo("Europe/Madrid")
WORLDS = {
    "solar": ("--days", 60, "--assets", 4, "--seed", 1),
    "gas": ("--days", 60, "--assets", 5, "--seed", 2),
    "motor": ("--rows", 6000, "--seed", 3),
    "process": ("--rows", 8000, "--seed", 4),
    "load": ("--days", 60, "--assets", 2, "--seed", 5),
}
CLEAR = {
    "solar": {"broken_balance", "frozen", "missing_stretch", "excess_consumption"},
    "gas": {"missing_stretch", "stuck_volume", "stuck_temperature", "pressure_sag"},
    "motor": {
        "corriente_alta",
        "voltaje_bajo",
        "temperatura_alta",
        "potencia_irregular",
        "fallo_comb_inicial",
    },
    "process": {"temperature_block", "pressure_drop", "flow_loss", "small_shift"},
    "load": {"frozen", "outage", "level_drop"},
}
"""Faults that must be found, nearly wherever they are in the world."""
FOUND_SHARE = 0.8
UNTIL = "2026-07-01"
"""Whatever day and hour it is."""


@pytest.mark.parametrize(
    "profile",
    ["solar", "motor", "process", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gas", "load"))],
)
def test_clear_faults_of_a_world_become_incidents(tmp_path: Path, profile: str) -> None:
    """The history that is learnt is that of a site whose known faults were cut out; then everything comes."""
    which = (profile, *WORLDS[profile], "--until", UNTIL)
    made = sereno("simulate", *which, "--output", tmp_path / "files", "--lang", "es", "--json").document
    faults = list(_faults(tmp_path / "files" / "truth" / f"{profile}.csv"))
    for path in (tmp_path / "files").glob("*.csv"):
        _write_without(path, faults, tmp_path / "history")
    workspace = declare(tmp_path / "w")

    for command in (("ingest", "history"), ("train",), ("ingest", "files"), ("score",)):
        options = ("--timezone", ZONE.key, "--profile", profile) if command[0] == "ingest" else ()
        done = sereno(*command, *options, "--json", workspace=workspace, cwd=tmp_path)
        assert done.code == 0, (command, done.err)
    incidents = sereno("incidents", "--json", workspace=workspace).document

    found = Counter(name for site, name, start, end in faults if _is_met(incidents, site, start, end))
    wanted = Counter(name for _, name, _, _ in faults)
    assert len(faults) == len(made["faults"])
    shares = {name: found[name] / wanted[name] for name in CLEAR[profile] & set(wanted)}
    assert len(shares) >= 2
    assert min(shares.values()) >= FOUND_SHARE, shares


def _faults(truth: Path) -> Iterator[tuple[str, str, datetime, datetime]]:
    with truth.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            start, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
            yield row["site"], row["fault"], start, end


def _write_without(path: Path, faults: list[tuple[str, str, datetime, datetime]], folder: Path) -> None:
    """The file without the rows of its site's faults."""
    site = path.stem.rpartition("_")[0]
    spans = [(start, end) for where, _, start, end in faults if where == site]
    kept = []
    for line in path.read_text("utf-8").splitlines(keepends=True):
        at = _time_of(line)
        if at is None or not any(start <= at < end for start, end in spans):
            kept.append(line)
    folder.mkdir(exist_ok=True)
    (folder / path.name).write_text("".join(kept), "utf-8")


def _time_of(line: str) -> datetime | None:
    try:
        return datetime.strptime(line.partition(",")[0], "%d.%m.%Y %H:%M:%S").replace(tzinfo=ZONE)
    except ValueError:
        return None


def _is_met(incidents: list[dict[str, str]], site: str, start: datetime, end: datetime) -> bool:
    return any(
        incident["site"] == site
        and datetime.fromisoformat(incident["started_at"]) < end
        and (incident["ended_at"] is None or datetime.fromisoformat(incident["ended_at"]) > start)
        for incident in incidents
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], Path]:
    """What `sereno demo` prints, once, and its workspace."""
    workspace = tmp_path_factory.mktemp("demo") / "w"
    done = sereno("demo", "--no-serve", "--json", "--quiet", workspace=workspace)
    assert done.code == 0
    return done.document, workspace


def test_demo_ends_with_an_explained_incident(demo: tuple[dict[str, object], Path]) -> None:
    document, workspace = demo
    first = document["first_incident"]
    known = sereno("incidents", "--json", workspace=workspace).document

    assert {"assets", "readings", "incidents", "first_incident", "seconds"} <= set(document)
    assert document["assets"] == 8 + 12 + 6 + 2 + 3 + 1
    assert document["incidents"] == len(known) > 0
    assert first["severity"] in {"high", "critical"}
    assert first["sentence"] != first["sentence_es"]
    assert first["recommendation"]
    assert first["recommendation_es"]
    assert first["contributions"]
    assert first["id"] in {incident["id"] for incident in known}


def test_demo_judges_the_five_worlds(demo: tuple[dict[str, object], Path]) -> None:
    _, workspace = demo

    findings = sereno("doctor", "--json", workspace=workspace).document["findings"]

    models = {finding["name"] for finding in findings if finding["name"].startswith("model ")}
    assert models == {f"model {profile}" for profile in WORLDS}


def test_demo_does_not_mix_with_readings_that_are_there(demo: tuple[dict[str, object], Path]) -> None:
    _, workspace = demo

    again = sereno("demo", "--no-serve", "--json", workspace=workspace)

    assert (again.code, again.error["code"]) == (2, "usage")
