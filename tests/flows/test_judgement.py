"""What judging finds, when, and how often it says so."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import BudgetTooSmall, HistoryTooShort, NoReadings
from sereno.domain.judgement import Detection, IncidentKind
from sereno.domain.readings import Window
from sereno.flows.incidents import IncidentView
from sereno.flows.workspace import Workspace
from sereno.simulate import Fault, simulate_world
from tests.flows.reading_back import stored_detections, stored_readings, told_incidents
from tests.support.builders import (
    HOUR,
    MADRID,
    NOW,
    PLANT,
    SOLAR,
    a_roof,
    a_solar_workspace,
    a_workspace,
    readings_of,
    with_cells,
)

Copies = Callable[[str], Workspace]
KEYS = {
    *("id", "site", "asset", "signals", "kind", "cause", "severity", "condition", "state", "verdict"),
    *("visibility", "peak_at", "recommendation", "recommendation_es", "opened_at", "started_at", "ended_at"),
    *("score", "threshold", "observed", "expected", "unit", "impact", "impact_unit", "cost", "currency"),
    *("sentence", "sentence_es", "model"),
}
OUR_OWN_KEYS = {
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


def _of(workspace: Workspace, site: str, kind: str) -> list[IncidentView]:
    return [
        view
        for view in workspace.incidents()
        if view.incident.asset.site == site and view.incident.kind == kind
    ]


def _rows(view: IncidentView, window: Window) -> tuple[int, int | None]:
    """First row, and the row after the last, of an incident."""
    days = window.time.astype("datetime64[s]").tolist()
    start = days.index(view.incident.started_at.replace(tzinfo=None))
    ended = view.incident.ended_at
    return start, None if ended is None else days.index(ended.replace(tzinfo=None))


def test_scoring_twice_changes_nothing(judged_daily: Workspace) -> None:
    before = stored_readings(judged_daily), stored_detections(judged_daily), told_incidents(judged_daily)

    report = judged_daily.score()

    assert (report.n_rows, report.n_detections, report.n_opened) == (0, 0, 0)
    assert before == (
        stored_readings(judged_daily),
        stored_detections(judged_daily),
        told_incidents(judged_daily),
    )


def test_plant_dead_for_weeks_is_one_incident(judged_daily: Workspace, daily_windows: list[Window]) -> None:
    dead = [
        view
        for view in _of(judged_daily, "Planta 1", "behaviour")
        if 225 <= _rows(view, daily_windows[0])[0] < 265
    ]

    assert len(dead) == 1
    start, end = _rows(dead[0], daily_windows[0])
    assert start == 230
    assert end is not None
    assert 260 <= end < 267
    assert dead[0].incident.worst.signals[0] == "generation"
    assert dead[0].incident.severity.name == "CRITICAL"
    assert dead[0].incident.impact < -50


def test_each_missing_stretch_is_one_data_incident(
    judged_daily: Workspace, daily_windows: list[Window]
) -> None:
    missing = _of(judged_daily, "Planta 1", "data")

    assert sorted(_rows(view, daily_windows[0]) for view in missing) == [(210, 213), (280, 281), (320, 330)]
    assert {view.incident.worst.cause for view in missing} == {"quality.missing"}


def test_enlargement_does_not_alarm_for_more_than_a_month(
    judged_daily: Workspace, daily_windows: list[Window]
) -> None:
    spans = [_rows(view, daily_windows[1]) for view in _of(judged_daily, "Planta 2", "behaviour")]

    enlarged = [(start, end) for start, end in spans if start < 335]
    assert 215 <= min(start for start, _ in enlarged) <= 221
    assert sum(min(end or 335, 335) - max(start, 251) for start, end in enlarged if (end or 335) > 251) <= 3


def test_dead_plant_of_hours_is_one_incident_through_its_nights(
    trained_hourly: Copies, hourly_windows: list[Window]
) -> None:
    workspace = trained_hourly("hours")
    workspace.add(readings_of(*hourly_windows), zone=MADRID)
    workspace.score()

    first = 24 * 60
    start, stop = hourly_windows[0].time[first + 100], hourly_windows[0].time[first + 220]
    dead = [
        view
        for view in _of(workspace, "Tejado 1", "behaviour")
        if start <= np.datetime64(view.incident.started_at.replace(tzinfo=None)) < stop
    ]
    assert len(dead) == 1
    assert dead[0].incident.worst.signals[0] == "generation"


def test_broken_balance_is_physics_and_nothing_else(tmp_path: Path) -> None:
    roof = a_roof(rows=200)
    values = roof.values[150:154, 1] * 1.2
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(with_cells(roof, slice(150, 154), "consumption", values)), zone=MADRID)

    workspace.score()

    views = workspace.incidents()
    assert [view.incident.worst.check for view in views] == ["physics.consumption_balance"]
    assert _rows(views[0], roof) == (150, 154)
    assert views[0].incident.kind is IncidentKind.PHYSICS


@pytest.mark.parametrize("wh", [2, 60, 200])
def test_few_watt_hours_off_balance_are_flags_and_no_incident(tmp_path: Path, wh: int) -> None:
    roof = a_roof(rows=60)
    values = roof.values[30:32, 1] + wh / 1000
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(with_cells(roof, slice(30, 32), "consumption", values)), zone=MADRID)

    report = workspace.score()

    assert workspace.incidents() == []
    assert dict(report.flags) == ({} if wh == 2 else {"physics.imbalance": 2})


def test_data_and_physics_are_judged_before_any_model(tmp_path: Path) -> None:
    roof = a_roof(rows=10, missing=[slice(4, 6)])
    broken = with_cells(roof, 8, "consumption", 99.0)
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(broken), zone=MADRID)

    report = workspace.score()

    assert {view.incident.kind.value for view in workspace.incidents()} == {"data", "physics"}
    assert report.models == {"solar": None}
    assert report.rows_until_behaviour == {"solar": 13}


def test_report_says_that_training_can_begin(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(a_roof(rows=40)), zone=MADRID)

    assert workspace.score().rows_until_behaviour == {"solar": 0}


def test_retraining_judges_everything_anew_once(judged_daily: Workspace) -> None:
    n_rows = sum(len(rows) for rows in stored_readings(judged_daily).values())
    old = {view.incident.worst.model for view in judged_daily.incidents()}

    cards = judged_daily.train()
    report = judged_daily.score()

    assert report.n_rows >= n_rows
    assert {view.incident.worst.model for view in judged_daily.incidents()} <= {"", cards[0].id}
    assert cards[0].id not in old
    assert judged_daily.score().n_rows == 0


def test_training_again_on_the_same_readings_makes_the_same_model(judged_daily: Workspace) -> None:
    first = judged_daily.train()[0]

    second = judged_daily.train()[0]

    assert (second.id, second.digest) == (first.id, first.digest)


def test_training_before_an_instant_does_not_see_what_follows(tmp_path: Path) -> None:
    roof = a_roof(rows=200)
    short, long = a_workspace(tmp_path / "a"), a_workspace(tmp_path / "b")
    short.add(readings_of(roof.rows(0, 120)), zone=MADRID)
    long.add(readings_of(roof), zone=MADRID)

    before = roof.time[120].astype("datetime64[s]").item().replace(tzinfo=NOW.tzinfo)

    assert long.train(before=before)[0].fingerprint == short.train()[0].fingerprint


def test_budget_that_cannot_be_kept_is_refused_when_asked_for(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(a_roof(rows=70)), zone=MADRID)

    with pytest.raises(BudgetTooSmall) as caught:
        workspace.train(budget=0.01)

    assert caught.value.facts["supported"] == pytest.approx(0.2)
    assert workspace.models() == []


def test_budget_of_the_settings_is_refused_when_it_cannot_be_kept(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path, settings="budget: 0.01\n")
    workspace.add(readings_of(a_roof(rows=70)), zone=MADRID)

    with pytest.raises(BudgetTooSmall) as refused:
        workspace.train()

    assert refused.value.facts["supported"] == pytest.approx(0.2)


def test_default_budget_is_lowered_to_what_a_short_history_supports(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(a_roof(rows=40)), zone=MADRID)

    calibration = workspace.train()[0].calibration

    assert calibration.budget == calibration.supported > 0.25


def test_realised_budget_is_within_the_requested_one(judged_daily: Workspace) -> None:
    calibration = judged_daily.models()[0].calibration

    assert calibration.realised <= calibration.budget == 0.25


def test_training_without_readings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoReadings):
        a_workspace(tmp_path).train()


def test_training_on_too_few_rows_is_refused_with_figures(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(a_roof(rows=12)), zone=MADRID)

    with pytest.raises(HistoryTooShort) as caught:
        workspace.train()

    assert caught.value.facts["found"] == "12 rows"


def test_json_has_exactly_the_documented_keys_and_is_strict(judged_daily: Workspace) -> None:
    documents = [view.to_json(NOW) for view in judged_daily.incidents()]

    assert all(set(document) == KEYS | OUR_OWN_KEYS for document in documents)
    assert json.loads(json.dumps(documents, allow_nan=False)) == documents
    assert {document["kind"] for document in documents} == {"data", "behaviour"}
    assert all(set(document["signals"]) <= set(SOLAR.signal_names) for document in documents)
    assert all(str(document["started_at"]).endswith("Z") for document in documents)


def test_incidents_come_worst_first(judged_daily: Workspace) -> None:
    severities = [view.incident.severity for view in judged_daily.incidents()]

    assert severities == sorted(severities, reverse=True)


def test_incidents_come_newest_first_when_asked(judged_daily: Workspace) -> None:
    starts = [view.incident.started_at for view in judged_daily.incidents(order="newest")]

    assert starts == sorted(starts, reverse=True)


def test_tariff_gives_every_loss_a_price(judged_daily: Workspace) -> None:
    folder = judged_daily.folder
    without = [view.to_json(NOW) for view in judged_daily.incidents()]
    with (folder / "sereno.yaml").open("a", encoding="utf-8") as settings:
        settings.write("tariff: {currency: EUR, prices: {kWh: 0.2}}\n")

    priced = [view for view in a_workspace(folder).incidents() if view.incident.worst.impact_unit == "kWh"]

    assert all(document["cost"] is document["currency"] is None for document in without)
    dead = next(view for view in priced if view.incident.worst.n_rows >= 30)
    document = dead.to_json(NOW)
    assert document["cost"] == pytest.approx(-0.2 * dead.incident.impact, abs=0.01)
    assert document["currency"] == "EUR"
    assert "€" in str(document["sentence_es"])


def test_incidents_come_by_what_they_cost_a_day_when_asked(judged_daily: Workspace) -> None:
    with (judged_daily.folder / "sereno.yaml").open("a", encoding="utf-8") as settings:
        settings.write("tariff: {currency: EUR, prices: {kWh: 0.2}}\n")
    workspace = a_workspace(judged_daily.folder)

    per_day = [view.cost_per_day or 0.0 for view in workspace.incidents(order="cost")]

    assert per_day == sorted(per_day, reverse=True)
    assert per_day[0] > 0
    for view in workspace.incidents():
        document = view.to_json(NOW)
        ended, days = view.incident.ended_at, view.incident.leading[-1].n_rows
        if document["cost"] and ended is not None and len(view.incident.leading) == 1:
            assert document["cost_per_day"] == pytest.approx(float(document["cost"]) / days, rel=0.5)


def test_whole_set_stays_quiet_enough(judged_daily: Workspace) -> None:
    assert len(judged_daily.incidents()) < 2 * 3 * 12


def test_first_reading_of_a_new_asset_is_judged(judged_daily: Workspace) -> None:
    new = a_roof("Planta nueva", rows=40, size=20.0, generation={(30, None): 0.0})

    judged_daily.add(readings_of(new), zone=MADRID, judge=True)

    assert _of(judged_daily, "Planta nueva", "behaviour")


def test_signal_that_appears_later_is_taken_in(trained_daily: Copies, daily_windows: list[Window]) -> None:
    workspace = trained_daily("later")
    roof = a_roof("Planta 9", rows=80)
    partial = with_cells(roof.rows(0, 40), slice(None), "export", np.nan)

    workspace.add(readings_of(partial), zone=MADRID, judge=True)
    workspace.add(readings_of(roof.rows(40, 80)), zone=MADRID, judge=True)

    straight = trained_daily("straight")
    both = with_cells(roof, slice(0, 40), "export", np.nan)
    straight.add(readings_of(both), zone=MADRID, judge=True)
    assert stored_detections(workspace) == stored_detections(straight)


def test_two_profiles_live_in_one_workspace(tmp_path: Path) -> None:
    from sereno.simulate import simulate_world

    world = simulate_world("motor", seed=1, start=NOW, rows=600, assets=2, step=HOUR / 60)
    workspace = a_solar_workspace(tmp_path, [a_roof(rows=60)])

    workspace.add(world.readings, zone=world.zone)
    cards = workspace.train()
    report = workspace.score()

    assert {card.profile for card in cards} == {"solar", "motor"}
    assert set(report.models.values()) == {card.id for card in cards}
    assert PLANT in workspace.asset_keys()


def test_faults_in_the_history_do_not_hide_faults_like_them(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    start = datetime(2024, 3, 4, tzinfo=UTC)
    world = simulate_world("process", seed=3, start=start, rows=10_000, fault_ratio=0.03)
    workspace.add(world.readings, zone=world.zone)

    workspace.train()
    workspace.score()

    found = [view.incident for view in workspace.incidents() if view.incident.kind is IncidentKind.BEHAVIOUR]
    truth = [fault for fault in world.faults if fault.kind is IncidentKind.BEHAVIOUR]
    hit = [f for f in truth if any(_meet(d, f) for i in found for d in i.evidence)]
    assert len(hit) >= len(truth) / 3


def _meet(detection: Detection, fault: Fault) -> bool:
    ended = detection.ended_at or detection.last_at
    return detection.started_at < fault.ended_at and fault.started_at < ended
