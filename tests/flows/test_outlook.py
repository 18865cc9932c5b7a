"""Where an open incident is heading, from stored rows alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.outlook import Course
from sereno.domain.readings import FloatArray, Window
from sereno.flows.incidents import IncidentView
from sereno.flows.workspace import Workspace
from tests.support.builders import (
    HOUR,
    NOW,
    a_roof,
    a_window,
    a_workspace,
    readings_of,
    settled,
    with_cells,
)

MINUTE = timedelta(minutes=1)
TRAINED_ROWS, FAULT, ROWS = 1_500, 2_000, 2_600
Course01 = Callable[[FloatArray], FloatArray]


def a_line(course: Course01, *, rows: int = ROWS) -> Window:
    """A pump whose vibration leaves its level of 5 ± 0.05 by what `course` says of [0, 1)."""
    rng = np.random.default_rng(0)
    values = np.column_stack((30 + rng.normal(0, 0.3, rows), 5 + rng.normal(0, 0.05, rows)))
    values[FAULT:, 1] += course(np.arange(rows - FAULT) / (rows - FAULT))
    return a_window(values, signals=("caudal", "vibración"), step=MINUTE, profile="process")


def judged(folder: Path, windows: Sequence[Window], trained: int) -> Workspace:
    workspace = a_workspace(folder)
    workspace.add(readings_of(*(window.rows(0, trained) for window in windows)), zone=windows[0].zone)
    workspace.train()
    workspace.add(readings_of(*windows), zone=windows[0].zone)
    workspace.score()
    return workspace


def open_one(workspace: Workspace, signal: str) -> IncidentView:
    """The open incident of behaviour that is about a signal, as it is shown."""
    (found,) = [
        view.incident
        for view in workspace.incidents()
        if view.incident.ended_at is None and view.incident.worst.signals[0] == signal
    ]
    return workspace.incident(found.id)


@pytest.mark.parametrize(
    ("course", "told", "reaches", "hours"),
    [
        (lambda t: 1 + 2 * t, Course.WORSENING, "double", 15.0),
        (lambda t: 2 + 0 * t, Course.STEADY, "", None),
        (lambda t: 3 - 2 * t, Course.EASING, "normal", 5.0),
    ],
    ids=["rises", "stays", "falls"],
)
def test_line_in_trouble_tells_where_it_is_heading(
    tmp_path: Path, course: Course01, told: Course, reaches: str, hours: float | None
) -> None:
    view = open_one(judged(tmp_path, [a_line(course)], TRAINED_ROWS), "vibración")

    assert view.outlook is not None
    assert (view.outlook.course, view.outlook.reaches) == (told, reaches)
    if hours is not None and view.outlook.after is not None:
        assert view.outlook.after / HOUR == pytest.approx(hours, rel=0.1)


def test_sentence_says_what_comes_and_when(tmp_path: Path) -> None:
    view = open_one(judged(tmp_path, [a_line(lambda t: 1 + 2 * t)], TRAINED_ROWS), "vibración")

    assert view.heading("en") == "It is getting worse: at this pace the deviation doubles in about 15 hours."
    assert view.heading("es").startswith(
        "Va a peor: a este ritmo la desviación se duplica en aproximadamente"
    )
    document = view.to_full_json(NOW, [])
    assert document["outlook"]["course"] == "worsening"  # type: ignore[index]
    assert document["recurrence"] == "first"


def test_trouble_that_has_just_begun_is_heading_nowhere_yet(tmp_path: Path) -> None:
    line = a_line(lambda t: 2 + 0 * t, rows=FAULT + 9)

    view = open_one(judged(tmp_path, [line], TRAINED_ROWS), "vibración")

    assert view.outlook is None
    assert view.heading("en") == ""
    assert view.to_full_json(NOW, [])["outlook"] is None


def test_what_is_over_has_no_outlook(tmp_path: Path) -> None:
    line = with_cells(a_line(lambda t: 1 + 2 * t), slice(2_300, None), "vibración", 5.0)
    workspace = judged(tmp_path, [line], TRAINED_ROWS)

    closed = [workspace.incident(view.incident.id) for view in workspace.incidents()]

    assert closed
    assert all(view.outlook is None for view in closed if view.incident.ended_at is not None)


def test_half_a_plant_that_stays_out_is_not_said_to_recover(tmp_path: Path) -> None:
    roof = a_roof(rows=24 * 132, step=HOUR, zone="UTC", generation={(24 * 120, None): 0.5})

    view = open_one(judged(tmp_path, [roof], 24 * 120), "generation")

    assert view.incident.worst.cause == "behaviour.low"
    assert view.outlook is None or view.outlook.course is Course.STEADY


def test_plant_that_fades_tells_when_nothing_is_left(tmp_path: Path) -> None:
    days, trained, first = 280, 240, 255
    fleet = [a_roof(f"Planta {i}", rows=days, size=10.0 * i) for i in range(1, 6)]
    made = fleet[0].values[:, 0].copy()
    made[first:] *= np.linspace(0.8, 0.3, days - first)
    fading = replace(fleet[0], values=settled(made, fleet[0].values[:, 1]))

    workspace = judged(tmp_path, [fading, *fleet[1:]], trained)

    views = [workspace.incident(v.incident.id) for v in workspace.incidents()]
    (loss,) = [
        view for view in views if view.incident.asset == fading.asset and view.incident.ended_at is None
    ]
    assert "behaviour.drift" in {one.check for one in loss.incident.evidence}
    assert loss.outlook is not None
    assert (loss.outlook.course, loss.outlook.reaches) == (Course.WORSENING, "nothing")
    assert loss.outlook.after is not None
    assert 7 <= loss.outlook.after.days <= 22


def test_lost_model_is_no_reason_not_to_show_an_incident(tmp_path: Path) -> None:
    workspace = judged(tmp_path, [a_line(lambda t: 1 + 2 * t)], TRAINED_ROWS)
    for artefact in (tmp_path / "models").rglob("*.sereno"):
        artefact.unlink()

    with a_workspace(tmp_path) as again:
        view = open_one(again, "vibración")

    assert view.outlook is None
    workspace.close()


def test_machine_that_runs_as_it_never_did_while_learning_is_said_to_be_unlearnt(tmp_path: Path) -> None:
    a_day = a_line(lambda t: 2 + 0 * t, rows=FAULT + 590)

    view = open_one(judged(tmp_path, [a_day], TRAINED_ROWS), "vibración")

    assert view.unlearnt is not None
    assert view.unlearnt.lasted >= 0.25 * view.unlearnt.learnt
    assert "Si trabaja bien, entrene otra vez" in view.heading("es")
    assert view.to_full_json(NOW, [])["heading"] == view.heading("en")


def test_what_has_lasted_for_minutes_is_no_regime(tmp_path: Path) -> None:
    line = a_line(lambda t: 2 + 0 * t, rows=FAULT + 60)

    view = open_one(judged(tmp_path, [line], TRAINED_ROWS), "vibración")

    assert view.unlearnt is None


def test_new_training_with_the_readings_ends_what_was_not_learnt(tmp_path: Path) -> None:
    line = a_line(lambda t: 2 + 0 * t, rows=FAULT + 590)
    workspace = judged(tmp_path, [line], TRAINED_ROWS)
    before = open_one(workspace, "vibración")

    workspace.train()
    workspace.score()

    after = workspace.incident(before.incident.id)
    assert before.unlearnt is not None
    assert after.incident.is_withdrawn or after.incident.ended_at is not None
