"""What people do to incidents, and the summary they read."""

from datetime import timedelta

import pytest

from sereno.domain.errors import NotFound
from sereno.domain.incidents import HumanState, Verdict
from sereno.flows.workspace import Workspace
from tests.support.builders import DAY, MADRID, NOW, a_roof, a_workspace, readings_of


def _id(workspace: Workspace) -> str:
    return workspace.incidents()[0].incident.id


def test_acknowledged_incident_has_an_owner(judged_daily: Workspace) -> None:
    name = _id(judged_daily)

    judged_daily.acknowledge(name, actor="ana")

    told = judged_daily.incident(name).to_json(NOW)
    assert (told["state"], told["owner"]) == ("acknowledged", "ana")


def test_comment_and_assignment_are_kept(judged_daily: Workspace) -> None:
    name = _id(judged_daily)

    judged_daily.comment(name, "Fusible cambiado", actor="ana")
    judged_daily.assign(name, "luis", actor="ana")

    incident = judged_daily.incident(name).incident
    assert incident.comments == ((NOW, "ana", "Fusible cambiado"),)
    assert incident.owner == "luis"


def test_shelved_incident_returns_by_itself(judged_daily: Workspace) -> None:
    name = _id(judged_daily)

    judged_daily.shelve(name, DAY, "obra", actor="ana")

    view = judged_daily.incident(name)
    assert view.to_json(NOW)["visibility"] == "shelved"
    assert view.to_json(NOW + DAY)["visibility"] == "shown"


def test_closed_incident_has_its_verdict(judged_daily: Workspace) -> None:
    name = _id(judged_daily)

    judged_daily.close_incident(name, Verdict.FALSE_ALARM, actor="ana")

    incident = judged_daily.incident(name).incident
    assert (incident.state, incident.verdict) == (HumanState.CLOSED, Verdict.FALSE_ALARM)


def test_what_people_said_survives_judging_again(judged_daily: Workspace) -> None:
    name = _id(judged_daily)
    judged_daily.acknowledge(name, actor="ana")

    judged_daily.add(
        readings_of(a_roof("Planta 3", rows=370, size=80.0).rows(365, 370)), zone=MADRID, judge=True
    )

    assert judged_daily.incident(name).incident.owner == "ana"


def test_beginning_of_an_id_names_its_incident(judged_daily: Workspace) -> None:
    name = _id(judged_daily)

    assert judged_daily.incident(name[:8]).incident.id == name


def test_unknown_id_is_refused(judged_daily: Workspace) -> None:
    with pytest.raises(NotFound):
        judged_daily.acknowledge("ffffffffffff", actor="ana")


def test_summary_counts_the_last_days_of_the_data(judged_daily: Workspace) -> None:
    summary = judged_daily.summary(days=30)

    end = judged_daily.last_reading_at()
    assert end is not None
    recent = [
        view
        for view in judged_daily.incidents()
        if view.incident.ended_at is None or view.incident.ended_at >= end - timedelta(days=30)
    ]
    assert 0 < len(recent) < len(judged_daily.incidents())
    assert summary["total"] == len(recent)
    assert sum(summary["by_severity"].values()) == len(recent)
    assert sum(summary["by_site"].values()) == len(recent)
    assert summary["cost"] is None


def test_summary_of_nothing_has_every_key(judged_daily: Workspace, tmp_path) -> None:
    empty = a_workspace(tmp_path / "empty").summary()

    assert set(empty) == set(judged_daily.summary())
    assert empty["total"] == 0
    assert set(empty["by_severity"]) == {"critical", "high", "medium", "low"}
