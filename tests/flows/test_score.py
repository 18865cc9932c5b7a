"""Incidents of an asset in the store, as its detections change from batch to batch."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sereno.domain.incidents import Incident
from sereno.domain.judgement import Detection, Memory
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
