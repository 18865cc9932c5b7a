"""Incidents of an asset in the store, as its detections change from batch to batch."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from sereno.domain.incidents import Incident
from sereno.domain.judgement import Detection, IncidentKind, Memory
from sereno.flows import score
from sereno.flows.assets import Standing
from sereno.flows.life import Recorder
from sereno.flows.score import _record_incidents, _Told
from sereno.flows.workspace import Workspace
from tests.support.builders import DAY, MADRID, NOW, PLANT, a_detection, a_roof, a_workspace, readings_of


def _told(
    workspace: Workspace, found: list[Detection], last_at: datetime | None, gone: tuple[Detection, ...] = ()
) -> list[Incident]:
    """The asset's incidents after a batch whose first row follows `last_at`."""
    with workspace.store.begin() as tx:
        asset = next(asset for asset in tx.assets() if asset.key == PLANT)
        asset = replace(asset, step=DAY)
        standing = Standing(asset, (), last_at, Memory(), tx.rows(asset.id, "solar"))
        _record_incidents(tx, [_Told(standing, found, gone)], Recorder(tx, workspace.policy, now=NOW))
        return tx.incidents(asset_id=asset.id)


def test_long_trouble_joins_an_earlier_incident_when_its_leading_signal_turns_out_the_same(
    tmp_path: Path,
) -> None:
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(a_roof(rows=10)), zone=MADRID)
    earlier, now_known = a_detection(0, 2), a_detection(5, None, n_rows=20)
    _told(workspace, [earlier], None)
    _told(workspace, [replace(now_known, n_rows=1, signals=("import",))], earlier.started_at + 4 * DAY)

    incidents = _told(workspace, [now_known], earlier.started_at + 24 * DAY)

    assert [len(incident.evidence) for incident in incidents] == [2]


def test_trouble_that_was_withdrawn_and_comes_back_after_months_goes_on_under_its_id(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(a_roof(rows=10)), zone=MADRID)
    trouble = a_detection(5, None)
    (first,) = _told(workspace, [trouble], None)
    assert _told(workspace, [], None, gone=(trouble,)) == []

    (again,) = _told(workspace, [replace(trouble, n_rows=90)], trouble.started_at + 90 * DAY)

    assert again.id == first.id


EPISODE = a_detection(0, 3)
DRIFT = a_detection(1, None, check="behaviour.drift", cause="behaviour.drift_low")
BALANCE = a_detection(
    1,
    None,
    check="physics.balance",
    cause="physics.balance",
    kind=IncidentKind.PHYSICS,
    signals=("generation",),
)
OWN_DRIFT = replace(DRIFT, signals=("consumption",), started_at=DRIFT.started_at + 20 * DAY)


@pytest.mark.parametrize(
    ("before", "trouble", "n_held"),
    [((EPISODE,), DRIFT, 2), ((), BALANCE, 1), ((), OWN_DRIFT, 1)],
    ids=["explained_long_ago", "mistake", "of_its_own"],
)
def test_trouble_of_months_asks_for_few_of_the_incidents_meanwhile(
    tmp_path: Path, asked: list[int], before: tuple[Detection, ...], trouble: Detection, n_held: int
) -> None:
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(a_roof(rows=10)), zone=MADRID)
    _told(workspace, [*before, trouble], None)
    for day in range(40, 400, 10):
        short = a_detection(day, 1, check="quality.spike", cause="quality.spike", signals=("export",))
        goes_on = replace(trouble, last_at=short.last_at, n_rows=day, score=float(day))

        incidents = _told(workspace, [goes_on, short], short.started_at - DAY)

    held = next(one for one in incidents if one.id == _holder(incidents, trouble))
    assert (len(incidents), len(held.evidence)) == (37, n_held)
    assert {len(one.evidence) for one in incidents if one.id != held.id} == {1}
    assert max(asked[2:]) <= 3


def test_level_of_years_and_one_of_today_ask_for_none_of_the_incidents_between(
    tmp_path: Path, asked: list[int]
) -> None:
    workspace = a_workspace(tmp_path)
    workspace.add(readings_of(a_roof(rows=10)), zone=MADRID)
    _told(workspace, [EPISODE, DRIFT], None)
    for day in range(40, 400, 10):
        short = a_detection(day, 1, check="quality.spike", cause="quality.spike", signals=("export",))
        goes_on = replace(DRIFT, last_at=short.last_at, n_rows=day, score=float(day))
        today = a_detection(day, 1, check="behaviour.common", cause="behaviour.common")

        incidents = _told(workspace, [goes_on, short, today], short.started_at - DAY)

    assert len(incidents) > 70
    assert max(asked) <= 4


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many incidents each plan was given."""
    given: list[int] = []
    plan = score.plan_steps

    def spied(found, gone, incidents, **said):
        given.append(len(incidents))
        return plan(found, gone, incidents, **said)

    monkeypatch.setattr(score, "plan_steps", spied)
    return given


def _holder(incidents: list[Incident], trouble: Detection) -> str:
    """The id of the only incident that has this trouble."""
    (holder,) = [one.id for one in incidents if any(d.check == trouble.check for d in one.evidence)]
    return holder
