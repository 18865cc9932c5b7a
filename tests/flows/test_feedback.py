"""What a verdict would change is what it changes."""

import pytest

from sereno.domain.errors import UsageError
from sereno.domain.incidents import Incident, Verdict
from sereno.flows.assets import JUDGE
from sereno.flows.feedback import REPLAYED
from sereno.flows.workspace import Workspace
from tests.flows.reading_back import stored_detections
from tests.support.builders import a_workspace

Spans = list[tuple[object, object, int]]


def behaviour(workspace: Workspace, site: str) -> list[Incident]:
    """The asset's incidents of behaviour, by start."""
    found = [view.incident for view in workspace.incidents() if view.incident.asset.site == site]
    return sorted((i for i in found if i.leading[0].check == "behaviour"), key=lambda i: i.started_at)


def weakest(incidents: list[Incident]) -> Incident:
    return min(incidents, key=lambda one: one.worst.score)


def judged_anew(workspace: Workspace, site: str) -> Spans:
    """The asset's detections of behaviour after all its rows were judged again."""
    with workspace.store.begin() as tx:
        (asset,) = tx.assets(sites=[site])
        tx.drop_states({asset.id: None}, [JUDGE])
    again = a_workspace(workspace.folder)
    again.score()
    return spans(again, site)


def spans(workspace: Workspace, site: str) -> Spans:
    with workspace.store.read() as tx:
        (asset,) = tx.assets(sites=[site])
        found = [one.detection for one in tx.detections(asset.id) if one.detection.check == "behaviour"]
    return [(one.started_at, one.ended_at, one.n_rows) for one in found]


@pytest.mark.parametrize("site", ["Planta 1", "Planta 2", "Planta 3"])
def test_applied_verdict_does_what_the_preview_says(judged_daily: Workspace, site: str) -> None:
    incidents = behaviour(judged_daily, site)
    wrong = weakest(incidents)
    last = judged_daily.last_reading_at()
    assert last is not None
    recent = {i.id for i in incidents if (i.ended_at or last) >= last - REPLAYED and i.id != wrong.id}
    preview = judged_daily.preview_verdict(wrong.id, Verdict.FALSE_ALARM)

    judged_daily.close_incident(wrong.id, Verdict.FALSE_ALARM, actor="ana", is_applied=True)
    after = judged_anew(judged_daily, site)

    assert preview.factor is not None
    assert preview.factor > 1.0
    assert preview.is_quiet
    assert not any(start <= wrong.worst.last_at and wrong.started_at <= start for start, _, _ in after)
    left = behaviour(a_workspace(judged_daily.folder), site)
    gone = {name for name in recent if name not in {one.id for one in left}}
    assert gone == set(preview.gone)
    assert len(preview.gone) + len(preview.shorter) + preview.kept == len(recent)


def test_preview_changes_nothing(judged_daily: Workspace) -> None:
    wrong = weakest(behaviour(judged_daily, "Planta 3"))
    before = stored_detections(judged_daily)

    judged_daily.preview_verdict(wrong.id, Verdict.FALSE_ALARM)

    assert stored_detections(judged_daily) == before
    assert judged_daily.incident(wrong.id).incident == wrong


def test_threshold_never_rises_beyond_what_keeps_confirmed_incidents(judged_daily: Workspace) -> None:
    incidents = behaviour(judged_daily, "Planta 3")
    real, wrong = weakest(incidents), max(incidents, key=lambda one: one.worst.score)
    judged_daily.close_incident(real.id, Verdict.REAL, actor="ana")

    preview = judged_daily.preview_verdict(wrong.id, Verdict.FALSE_ALARM)
    if preview.factor is not None:
        judged_daily.close_incident(wrong.id, Verdict.FALSE_ALARM, actor="ana", is_applied=True)
    after = judged_anew(judged_daily, "Planta 3")

    assert real.id != wrong.id
    assert real.id in preview.lost_real
    assert not preview.is_quiet
    assert any(real.started_at <= start <= real.worst.last_at for start, _, _ in after)
    left = behaviour(a_workspace(judged_daily.folder), "Planta 3")
    assert real.id in {one.id for one in left}


def test_undone_verdict_leaves_things_as_they_were(judged_daily: Workspace) -> None:
    before = spans(judged_daily, "Planta 3")
    wrong = weakest(behaviour(judged_daily, "Planta 3"))
    judged_daily.close_incident(wrong.id, Verdict.EXPECTED, actor="ana", is_applied=True)
    changed = judged_anew(judged_daily, "Planta 3")

    undone = judged_daily.undo_verdict(wrong.id, actor="luis")

    assert changed != before
    assert [one.check for one in undone] == ["behaviour"]
    assert judged_anew(judged_daily, "Planta 3") == before
    assert judged_daily.undo_verdict(wrong.id, actor="luis") == []


@pytest.mark.parametrize("verdict", [Verdict.REAL, Verdict.DATA_PROBLEM], ids=str)
def test_confirmed_trouble_moves_no_threshold(judged_daily: Workspace, verdict: Verdict) -> None:
    name = weakest(behaviour(judged_daily, "Planta 3")).id

    assert judged_daily.preview_verdict(name, verdict).factor is None
    with pytest.raises(UsageError):
        judged_daily.close_incident(name, verdict, actor="ana", is_applied=True)
    assert judged_daily.incident(name).incident.verdict is None


def test_single_records_are_judged_by_the_moved_threshold_too(judged_daily: Workspace) -> None:
    wrong = weakest(behaviour(judged_daily, "Planta 3"))
    record = {"Planta": "Planta 3", "Fecha": "2025-05-01", "Generación total": "1,0", "Consumo total": "100"}
    (before,) = judged_daily.score_records([record])

    judged_daily.close_incident(wrong.id, Verdict.FALSE_ALARM, actor="ana", is_applied=True)
    (after,) = judged_daily.score_records([record])
    judged_daily.undo_verdict(wrong.id, actor="ana")
    (undone,) = judged_daily.score_records([record])

    assert before.detection is not None
    assert before.detection.check == "behaviour"
    assert after.threshold > before.threshold
    assert undone == before
