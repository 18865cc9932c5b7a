"""The lane of requests: bounded, in order, finished before it ends, and nobody fails for another."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sereno.domain.errors import DiskFull, QueueFull, Stopping, StoreUnreachable
from sereno.domain.failpoints import arm, disarm
from sereno.flows.group_commit import CommitLimits, GroupCommit
from sereno.flows.taking import Submission
from sereno.flows.workspace import Workspace
from tests.flows.test_taking import HEADERS
from tests.support.builders import a_workspace
from tests.support.processes import wait_until


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with a_workspace(tmp_path) as opened:
        yield opened
    disarm()


def a_submission(day: int, *, n: int = 1) -> Submission:
    energies = dict.fromkeys(HEADERS[:2], 1.0)
    return Submission([{"Empresa": f"Nave {i}", "Fecha": f"2025-01-{day:02d}", **energies} for i in range(n)])


def held(intake: GroupCommit) -> threading.Event:
    """Keep the lane busy until the event is set."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(_: Workspace) -> None:
        begun.set()
        go_on.wait()

    intake.run(wait)
    assert begun.wait(30)
    return go_on


def n_rows(workspace: Workspace) -> int:
    with workspace.store.read() as tx:
        return tx.n_rows()


def test_what_waits_goes_into_one_transaction(workspace: Workspace) -> None:
    intake = GroupCommit(workspace)
    go_on = held(intake)

    futures = [intake.submit(a_submission(day)) for day in range(1, 11)]
    go_on.set()

    assert [future.result(30).n_new for future in futures] == [1] * 10
    assert (intake.figures.n_commits, intake.figures.n_records) == (1, 10)
    intake.close()


def test_groups_end_at_their_limit_and_keep_the_order(workspace: Workspace) -> None:
    intake = GroupCommit(workspace, CommitLimits(max_group_records=4))
    go_on = held(intake)

    futures = [intake.submit(a_submission(day, n=2)) for day in range(1, 6)]
    go_on.set()

    assert sum(future.result(30).n_new for future in futures) == 10
    assert intake.figures.n_commits == 3
    intake.close()


def test_more_than_can_wait_is_refused_and_nothing_is_dropped(workspace: Workspace) -> None:
    intake = GroupCommit(workspace, CommitLimits(max_waiting_records=5))
    go_on = held(intake)
    taken = [intake.submit(a_submission(day)) for day in range(1, 6)]

    with pytest.raises(QueueFull) as refused:
        intake.submit(a_submission(6))
    go_on.set()

    assert (refused.value.facts["waiting"], [one.result(30).n_new for one in taken]) == (5, [1] * 5)
    intake.close()
    assert n_rows(workspace) == 5


def test_one_that_is_taken_back_before_its_turn_is_stored_in_no_part(workspace: Workspace) -> None:
    intake = GroupCommit(workspace)
    go_on = held(intake)
    first, second = intake.submit(a_submission(1)), intake.submit(a_submission(2))

    assert first.cancel()
    go_on.set()

    assert second.result(30).n_new == 1
    intake.close()
    assert n_rows(workspace) == 1


def test_closing_finishes_what_was_taken_and_refuses_the_rest(workspace: Workspace) -> None:
    intake = GroupCommit(workspace)
    go_on = held(intake)
    futures = [intake.submit(a_submission(day)) for day in range(1, 4)]
    closing = threading.Thread(target=intake.close)
    closing.start()

    def is_refused() -> bool:
        try:
            intake.submit(a_submission(9)).cancel()
        except Stopping:
            return True
        return False

    wait_until(is_refused)
    go_on.set()
    closing.join(30)

    assert [future.result(0).n_new for future in futures] == [1, 1, 1]


def test_fault_of_a_group_is_tried_alone(workspace: Workspace) -> None:
    intake = GroupCommit(workspace)
    go_on = held(intake)
    futures = [intake.submit(a_submission(day)) for day in range(1, 4)]
    arm("store.before_commit:raise@1")

    go_on.set()

    assert [future.result(30).n_new for future in futures] == [1, 1, 1]
    intake.close()
    assert n_rows(workspace) == 3


@pytest.mark.parametrize("error", [DiskFull(store="s"), StoreUnreachable(store="s", detail="locked")])
def test_trouble_of_the_store_is_told_to_everybody_and_nothing_is_stored(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    intake = GroupCommit(workspace)
    go_on = held(intake)
    futures = [intake.submit(a_submission(day)) for day in range(1, 4)]
    with monkeypatch.context() as broken:
        broken.setattr(workspace, "take", lambda _: (_ for _ in ()).throw(error))
        go_on.set()
        found = [future.exception(30) for future in futures]
    later = intake.submit(a_submission(4)).result(30)

    assert found == [error] * 3
    assert later.n_new == 1
    intake.close()
    assert n_rows(workspace) == 1
