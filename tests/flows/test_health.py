"""Alarm health of a workspace: counted beside what its incidents say, with a fix for each bad actor."""

from datetime import timedelta

import pytest

from sereno.domain.incidents import Condition, Verdict
from sereno.domain.judgement import Severity
from sereno.flows.health import WAITED_FOR, Told, health_of
from sereno.flows.workspace import Workspace
from tests.support.builders import DAY, NOW, a_workspace

HALF_DAY = DAY / 2


def test_rates_count_each_beginning_of_trouble_in_the_time_of_the_data(judged_daily: Workspace) -> None:
    found = judged_daily.health(days=365)

    wanted = [
        d.started_at
        for view in judged_daily.incidents()
        for d in view.incident.leading
        if found.since <= d.started_at < found.until
    ]
    assert found.everything.rates.count == len(wanted) > 5
    assert sum(one.rates.count for one in found.by_site.values()) == len(wanted)
    assert set(found.by_site) == {view.incident.asset.site for view in judged_daily.incidents()}


def test_priorities_and_stale_follow_from_the_incidents(judged_daily: Workspace) -> None:
    found = judged_daily.health(days=365)

    incidents = [view.incident for view in judged_daily.incidents(since=found.since)]
    high = sum(one.severity >= Severity.HIGH for one in incidents)
    assert found.everything.priorities["high"] == pytest.approx(100 * high / len(incidents), abs=0.1)
    assert sum(found.everything.priorities.values()) == pytest.approx(100, abs=0.2)
    active = [one for one in incidents if one.condition is Condition.ACTIVE]
    assert found.everything.stale == sum(found.until - one.started_at > DAY for one in active)


def test_time_to_acknowledge_is_of_the_clock_of_people(judged_daily: Workspace) -> None:
    names = [view.incident.id for view in judged_daily.incidents()][:2]
    for name, minutes in zip(names, (30, 90), strict=True):
        later = a_workspace(judged_daily.folder, now=NOW + timedelta(minutes=minutes))
        later.acknowledge(name, actor="ana")

    found = judged_daily.health(days=365).everything.acknowledged

    assert (found.count, found.median_min) == (2, 60.0)


def test_bad_actors_have_a_share_and_a_command(judged_daily: Workspace) -> None:
    found = judged_daily.health(days=365)

    top = found.everything.top
    counts = [actor.count for actor in top]
    assert counts == sorted(counts, reverse=True)
    assert 0 < len(top) <= 10
    assert found.everything.top_percent == pytest.approx(
        100 * sum(counts) / found.everything.rates.count, abs=1
    )
    assert all(actor.fix.command.startswith("sereno ") for actor in top)


def test_trouble_that_people_call_false_is_to_be_recalibrated(judged_daily: Workspace) -> None:
    actor = judged_daily.health(days=365).everything.top[0]
    for view in judged_daily.incidents():
        if (view.incident.asset.asset, view.problem) == (actor.asset, actor.problem):
            judged_daily.close_incident(view.incident.id, Verdict.FALSE_ALARM, actor="ana")

    again = judged_daily.health(days=365)

    fix = next(a for a in again.everything.top if (a.asset, a.problem) == (actor.asset, actor.problem)).fix
    assert fix.code == "recalibrate"
    assert "--verdict false_alarm --preview" in fix.command
    assert again.precision["percent"] == 0.0


def test_receivers_have_rates_and_precision_of_their_own(judged_daily: Workspace) -> None:
    until = judged_daily.last_reading_at()
    assert until is not None
    names = [view.incident.id for view in judged_daily.incidents()][:3]
    judged_daily.close_incident(names[0], Verdict.REAL, actor="ana")
    told = [Told("guardia", name, until - HALF_DAY) for name in names]

    views, since = judged_daily.incidents(), until - 365 * DAY
    found = health_of(views, {}, since=since, until=until, told=told)

    assert found.by_receiver["guardia"].rates.count == 3
    assert found.precision["by_receiver"] == {"guardia": {"real": 1, "false_alarms": 0, "percent": 100.0}}


def test_receivers_have_all_the_figures_of_what_they_were_told(judged_daily: Workspace) -> None:
    until = judged_daily.last_reading_at()
    assert until is not None
    since, views = until - 365 * DAY, judged_daily.incidents()
    mine, other = views[0].incident, views[1].incident
    judged_daily.acknowledge(mine.id, actor="ana")
    told = [Told("ana", mine.id, until - HALF_DAY + timedelta(seconds=30 + n)) for n in range(12)]
    told += [Told("eva", other.id, until - DAY)]
    with judged_daily.store.read() as tx:
        events = tx.events_of([view.incident.id for view in views], WAITED_FOR)

    found = health_of(views, events, since=since, until=until, told=told)

    ana, eva = found.by_receiver["ana"], found.by_receiver["eva"]
    assert (ana.rates.peak_10_min, eva.rates.peak_10_min) == (12, 1)
    assert (ana.rates.flood_percent > 0, eva.rates.flood_percent) == (True, 0.0)
    assert (ana.acknowledged.count, eva.acknowledged.count) == (1, 0)
    assert [(one.asset, one.count, one.percent) for one in ana.top] == [(mine.asset.asset, 12, 100.0)]
    assert ana.top_percent == 100.0
    assert sum(ana.priorities.values()) == 100.0
    document = found.to_json()["by_receiver"]["ana"]  # type: ignore[index]
    assert {"chattering", "stale", "above_target_percent", "per_hour", "priorities"} <= document.keys()
    assert document["top"][0]["fix"].keys() == {"code", "command", "sentence", "sentence_es"}


def test_what_was_told_after_the_last_reading_counts_for_its_receiver(judged_daily: Workspace) -> None:
    until = judged_daily.last_reading_at()
    assert until is not None
    views, now = judged_daily.incidents(), until + 20 * DAY
    told = [Told("ana", views[0].incident.id, at) for at in (now, now - DAY, until)]

    found = health_of(views, {}, since=until - 7 * DAY, until=until, told=told, now=now)

    assert found.by_receiver["ana"].rates.count == 2


def test_summary_says_how_often_it_was_right(judged_daily: Workspace) -> None:
    real, wrong = [view.incident for view in judged_daily.incidents()][:2]
    judged_daily.close_incident(real.id, Verdict.REAL, actor="ana")
    judged_daily.close_incident(wrong.id, Verdict.FALSE_ALARM, actor="ana")

    precision = judged_daily.summary()["precision"]

    assert {name: precision[name] for name in ("real", "false_alarms", "percent")} == {
        "real": 1,
        "false_alarms": 1,
        "percent": 50.0,
    }


def test_health_of_nothing_has_figures(tmp_path) -> None:
    found = a_workspace(tmp_path).health().to_json()

    assert (found["count"], found["top"], found["precision"]["percent"]) == (0, [], None)
