"""Promise: one fault is one incident, of the right cause and signal, explained in es and en."""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.judgement import Detection, IncidentKind
from sereno.flows.workspace import Workspace
from tests.journeys.faulty import CASES, HISTORY_DAYS, ZONE, Case, disturbed, instant, roof, write
from tests.support.builders import HOUR

NOW = datetime(2025, 6, 1, tzinfo=UTC)
SETTINGS = (
    f"timezone: {ZONE}\ndetector: {{trees: 10}}\ntariff: {{currency: EUR, prices: {{kWh: 0.2, m³: 0.5}}}}\n"
)
EMPTY = re.compile(r"\{|\}|\bnan\b|\bNone\b|\(\)|  | [.,;:]|''", re.IGNORECASE)
"""What a placeholder without its value leaves in a sentence."""


def opened(folder: Path) -> Workspace:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sereno.yaml").write_text(SETTINGS, "utf-8")
    return Workspace.open(folder, clock=lambda: NOW)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that has learnt two calm months of the roof."""
    folder = tmp_path_factory.mktemp("learnt")
    history = roof().rows(0, 24 * HISTORY_DAYS).values
    with opened(folder / "w") as workspace:
        workspace.ingest(write(folder / "history" / "Norte.csv", history))
        workspace.train()
    return folder / "w"


@pytest.fixture
def workspace(learnt: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(learnt, tmp_path / "w")
    with Workspace.open(tmp_path / "w", clock=lambda: NOW) as found:
        yield found


def told(workspace: Workspace) -> list[dict[str, object]]:
    return [view.to_json(NOW) for view in workspace.incidents()]


def assert_explained(incident: dict[str, object]) -> None:
    for key in ("sentence", "sentence_es", "recommendation", "recommendation_es"):
        text = str(incident[key])
        assert len(text) > 20, (key, text)
        assert not EMPTY.search(text), (key, text)
    assert incident["sentence"] != incident["sentence_es"]
    assert incident["recommendation"] != incident["recommendation_es"]
    if incident["kind"] == "data":
        assert incident["cost"] is None


def test_sound_roof_has_no_incident(workspace: Workspace, tmp_path: Path) -> None:
    workspace.ingest(write(tmp_path / "files" / "Norte.csv", roof().values))
    workspace.score()

    assert told(workspace) == []


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_one_fault_is_one_explained_incident(workspace: Workspace, tmp_path: Path, case: Case) -> None:
    workspace.ingest(write(tmp_path / "files" / "Norte.csv", disturbed(case)))
    workspace.score()

    found = told(workspace)
    assert len(found) == 1, [(one["cause"], one["signals"], one["started_at"]) for one in found]
    (incident,) = found
    assert incident["cause"] in case.causes
    assert incident["signals"][0] in case.signals  # type: ignore[index]
    away = datetime.fromisoformat(str(incident["started_at"])) - instant(case.rows[0])
    assert -case.early * HOUR <= away <= case.late * HOUR
    assert incident["condition"] == "cleared"
    assert_explained(incident)


AT_ONCE = ("spike", "one signal x1000", "all x1000", "swapped sign", "missing", "sentinel")
"""Faults whose first row shows them for what they are."""


@pytest.mark.parametrize("name", AT_ONCE)
def test_fault_that_is_seen_at_once_is_no_behaviour(workspace: Workspace, tmp_path: Path, name: str) -> None:
    workspace.ingest(write(tmp_path / "files" / "Norte.csv", disturbed(CASES[name])))
    workspace.score()

    assert behaviour_of(workspace) == []


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_after_a_fault_nothing_alarms_by_what_was_learnt_meanwhile(
    workspace: Workspace, tmp_path: Path, case: Case
) -> None:
    workspace.ingest(write(tmp_path / "files" / "Norte.csv", disturbed(case)))
    workspace.score()

    assert [one for one in behaviour_of(workspace) if one.started_at >= instant(case.rows[1])] == []


def behaviour_of(workspace: Workspace) -> list[Detection]:
    """The detections of behaviour, those too that an incident explains by a mistake of the meter."""
    with workspace.store.read() as tx:
        found = [one.detection for asset in tx.assets() for one in tx.detections(asset.id)]
    return [one for one in found if one.kind is IncidentKind.BEHAVIOUR]


def _judged(tmp_path: Path, lines: list[str]) -> list[dict[str, object]]:
    path = tmp_path / "Norte.csv"
    path.write_text("\n".join([*lines, ""]), "utf-8")
    with opened(tmp_path / "w") as workspace:
        (entry,) = [result.entry for result in workspace.ingest(path)]
        assert entry["verdict"] != "refused", entry["issues"]
        workspace.score()
        return told(workspace)


def _hours(n: int) -> list[str]:
    first = np.datetime64("2024-06-01T00:00")
    return [str(at).replace("T", " ") for at in first + np.arange(n) * np.timedelta64(1, "h")]


def _amounts(n: int) -> np.ndarray:
    hour = np.arange(n) % 24
    return np.where((hour > 7) & (hour < 20), 4.0, 1.5) * np.random.default_rng(1).lognormal(0, 0.15, n)


def test_replaced_register_is_one_incident(tmp_path: Path) -> None:
    readings = 45_000 + np.cumsum(_amounts(900))
    readings[600:] -= readings[600] - 3.0
    rows = [f"{at};{value:.2f}" for at, value in zip(_hours(900), readings, strict=True)]

    found = _judged(tmp_path, ["Fecha;Lectura (kWh)", *rows])

    (incident,) = found
    assert (incident["cause"], incident["signals"]) == ("quality.register_reset", ["energy"])
    assert str(incident["started_at"]) == "2024-06-25T22:00:00Z"
    assert_explained(incident)


def test_estimated_stretch_is_one_incident(tmp_path: Path) -> None:
    marks = np.full(900, "R")
    marks[400:472] = "E"
    rows = [
        f"ES0021000000000001AB;{at};{value:.3f};{mark}"
        for at, value, mark in zip(_hours(900), _amounts(900), marks, strict=True)
    ]

    found = _judged(tmp_path, ["CUPS;Fecha;Consumo (kWh);Método de obtención", *rows])

    (incident,) = found
    assert (incident["cause"], incident["signals"]) == ("quality.estimated", ["energy"])
    assert str(incident["started_at"]) == "2024-06-17T14:00:00Z"
    assert str(incident["ended_at"]) == "2024-06-20T14:00:00Z"
    assert_explained(incident)


def test_conflicting_duplicate_is_one_incident(tmp_path: Path) -> None:
    stamps, amounts = _hours(900), _amounts(900)
    rows = [f"{at};{value:.3f}" for at, value in zip(stamps, amounts, strict=True)]
    rows.insert(500, f"{stamps[499]};{3 * amounts[499]:.3f}")

    found = _judged(tmp_path, ["Fecha;Consumo (kWh)", *rows])

    (incident,) = found
    assert (incident["cause"], incident["signals"]) == ("quality.duplicate_conflicting", ["energy"])
    assert str(incident["started_at"]) == "2024-06-21T17:00:00Z"
    assert_explained(incident)
