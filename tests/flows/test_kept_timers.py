"""A restore that holds its tongue calls nobody either, until what it keeps is released."""

from datetime import timedelta
from pathlib import Path

from sereno.domain.timers import Timer, TimerKind
from sereno.flows.workspace import Workspace
from tests.flows.hooks import Clock, a_hook, hook_settings, workspace_with
from tests.flows.outbox import HOUR, a_failure, open_one
from tests.support.builders import NOW

DUE = NOW + HOUR


def _restored(tmp_path: Path, url: str, clock: Clock, *, holds: bool) -> Workspace:
    folder = tmp_path / "w"
    with workspace_with(folder, {"ana": hook_settings(url)}) as site:
        open_one(site.workspace.store, detection=a_failure(last=NOW), at=NOW)
        with site.workspace.store.begin() as tx:
            tx.set_timer(Timer("incident-1", TimerKind.ESCALATE, DUE, 1))
        archive = site.workspace.backup(tmp_path / "b.tar.gz").file
    Workspace.restore(folder, archive, replace=True, hold_notifications=holds, clock=clock)
    clock.now = DUE + timedelta(minutes=1)
    return Workspace.open(folder, clock=clock)


def _escalated(workspace: Workspace) -> int:
    return workspace.incident("incident-1").incident.escalated


def test_escalations_wait_while_messages_are_kept_and_go_on_after(tmp_path: Path) -> None:
    with a_hook() as hook, _restored(tmp_path, hook.url, Clock(), holds=True) as workspace:
        workspace.fire_timers()
        kept = _escalated(workspace)
        workspace.release()
        workspace.fire_timers()

        assert (kept, _escalated(workspace)) == (0, 1)


def test_a_restore_that_holds_nothing_calls_people(tmp_path: Path) -> None:
    with a_hook() as hook, _restored(tmp_path, hook.url, Clock(), holds=False) as workspace:
        workspace.fire_timers()

        assert _escalated(workspace) == 1
