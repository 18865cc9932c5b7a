"""Trouble before and after a long gap: one incident each, and the first says what it ended with."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.flows.incidents import IncidentView
from sereno.flows.judge import DRIFT, judge_window
from sereno.flows.workspace import Workspace
from tests.support.builders import DAY, HOUR, a_fleet, a_window, a_workspace, readings_of, with_cells

STEP = timedelta(minutes=10)
TRAINED_ROWS, FAULT, SILENT_FROM = 1_500, 2_000, 2_072


def a_pump(silence: timedelta) -> Window:
    """A pump whose vibration stays at another level from `FAULT` on, and is not heard of for a while then."""
    silent = silence // STEP
    rows = SILENT_FROM + silent + 72
    rng = np.random.default_rng(0)
    values = np.column_stack((30 + rng.normal(0, 0.3, rows), 5 + rng.normal(0, 0.05, rows)))
    values[FAULT:, 1] += 2
    window = a_window(values, signals=("caudal", "vibración"), step=STEP, profile="process")
    return with_cells(window, slice(SILENT_FROM, SILENT_FROM + silent), slice(None), np.nan)


def judged(folder: Path, window: Window, *, streamed: bool) -> Workspace:
    workspace = a_workspace(folder)
    workspace.add(readings_of(window.rows(0, TRAINED_ROWS)), zone=window.zone)
    workspace.train()
    workspace.score()
    heard = np.flatnonzero(~np.isnan(window.values).all(axis=1))
    for rows in np.array_split(heard[heard >= TRAINED_ROWS], 40 if streamed else 1):
        workspace.add(readings_of(window.rows(int(rows[0]), int(rows[-1]) + 1)), zone=window.zone)
        workspace.score()
    return workspace


def of_vibration(workspace: Workspace) -> list[IncidentView]:
    found = [
        view
        for view in workspace.incidents()
        if view.incident.worst.check == "behaviour" and view.incident.worst.signals[0] == "vibración"
    ]
    ordered = sorted(found, key=lambda view: view.incident.started_at)
    return [workspace.incident(view.incident.id) for view in ordered]


@pytest.mark.parametrize("streamed", [False, True], ids=["batch", "stream"])
def test_incident_ends_with_the_readings_and_another_begins_when_they_are_back(
    tmp_path: Path, streamed: bool
) -> None:
    window = a_pump(30 * DAY)

    before, after = of_vibration(judged(tmp_path, window, streamed=streamed))

    start = window.time[0].astype(object).replace(tzinfo=before.incident.started_at.tzinfo)
    assert before.incident.ended_at == start + SILENT_FROM * STEP
    assert after.incident.started_at >= start + SILENT_FROM * STEP + 30 * DAY
    assert after.incident.ended_at is None
    assert before.lost_for == 30 * DAY
    assert before.heading("en") == (
        "It ended because the readings stopped for 30 days, not because it was seen to be over; "
        "what goes on after them is another incident."
    )
    assert before.heading("es").startswith("Acabó porque dejaron de llegar lecturas durante 30 días")
    assert after.lost_for is None


def test_incident_goes_on_over_a_night_without_readings(tmp_path: Path) -> None:
    (view,) = of_vibration(judged(tmp_path, a_pump(15 * HOUR), streamed=False))

    assert view.incident.ended_at is None
    assert view.lost_for is None


def test_incident_that_was_seen_to_be_over_is_not_said_to_be_lost(tmp_path: Path) -> None:
    window = a_pump(30 * DAY)
    calm = with_cells(window, slice(FAULT + 30, SILENT_FROM), "vibración", 5 + 0.05 * np.sin(range(42)))

    first = of_vibration(judged(tmp_path, calm, streamed=False))[0]

    assert first.incident.ended_at is not None
    assert first.lost_for is None


def test_drift_under_way_is_not_forgotten_over_rows_of_which_its_check_says_nothing(tmp_path: Path) -> None:
    fleet = a_fleet(4, rows=241)
    with a_workspace(tmp_path) as workspace:
        workspace.add(readings_of(*(one.rows(0, 240) for one in fleet)), zone=fleet[0].zone)
        workspace.train()
        model, profile = workspace.model("solar"), workspace.profiles["solar"]
    assert model is not None
    at = float(fleet[0].micros[239])
    figures = [at, at, at, 1.5, 1.0, 1.0, 0.0, 1.0, at]
    state = np.array([*figures, *np.zeros(4 * len(fleet[0].signals))])
    silent = with_cells(fleet[0].rows(240, 241), slice(None), slice(None), np.nan)

    judged = judge_window(silent, profile, model, Memory({f"episode/{DRIFT}": state}))

    (told,) = [one for one in judged.detections if one.check == DRIFT]
    assert told.ended_at is None
    assert np.array_equal(judged.memory.arrays[f"episode/{DRIFT}"], state)
