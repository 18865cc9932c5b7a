"""The lane of requests: bounded, in order, finished before it ends, and nobody fails for another."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from sereno.domain.errors import DiskFull, QueueFull, SerenoError, Stopping, StoreUnreachable
from sereno.domain.failpoints import arm, disarm
from sereno.flows import group_commit
from sereno.flows.group_commit import GroupCommit
from sereno.flows.lane import LaneLimits
from sereno.flows.put_off import Progress
from sereno.flows.taking import Receipt, Submission
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


class Held:
    """A workspace whose lane is busy until it is let go on."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.begun, self._go_on = threading.Event(), threading.Event()

    def take(self, submissions: Sequence[Submission]) -> tuple[list[Receipt | SerenoError], int]:
        return self._workspace.take(submissions)

    def judge_put_off(self) -> Progress:
        self.begun.set()
        self._go_on.wait()
        return self._workspace.judge_put_off()

    def refresh_models(self) -> None:
        self._workspace.refresh_models()

    def go_on(self) -> None:
        self._go_on.set()


def a_busy_lane(workspace: Workspace, limits: LaneLimits | None = None) -> tuple[GroupCommit, Held]:
    """A lane that does nothing yet of what it is given."""
    held = Held(workspace)
    intake = GroupCommit(held, limits)
    assert held.begun.wait(30)
    return intake, held


class Clock:
    """Stands in the place of `time`: only work makes it go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


class Pressed:
    """An engine for which there is always more to store, and something put off: 5 ms and 10 ms each.

    More comes while a group is stored, or, after each of some groups, as soon as that is done.
    """

    def __init__(self, clock: Clock, *, steps_in_round: int, until: float, gap_every: int | None) -> None:
        self._clock, self._steps_in_round, self._until = clock, steps_in_round, until
        self._gap_every, self._n_taken = gap_every, 0
        self.lane: GroupCommit | None = None
        self.steps: list[float] = []
        self.n_waited: list[int] = []
        """Requests that waited when each step began."""
        self.is_idle, self.is_over = threading.Event(), threading.Event()

    def take(self, submissions: Sequence[Submission]) -> tuple[list[Receipt | SerenoError], int]:
        self._clock.now += 0.005
        if self._clock.now >= self._until:
            self.is_over.set()
        elif self.lane is not None and (self._gap_every is None or self._n_taken % self._gap_every):
            self.lane.submit(submissions[0])
        self._n_taken += 1
        return [DiskFull(store="s") for _ in submissions], 1

    def judge_put_off(self) -> Progress:
        if self.lane is None or self.is_over.is_set():
            self.is_idle.set()
            return Progress(is_done=True)
        self.steps.append(self._clock.now)
        self.n_waited.append(self.lane.n_waiting)
        self._clock.now += 0.01
        return Progress(is_round_over=len(self.steps) % self._steps_in_round == 0)

    def refresh_models(self) -> None:
        pass


def n_rows(workspace: Workspace) -> int:
    with workspace.store.read() as tx:
        return tx.n_rows()


def test_what_waits_goes_into_one_transaction(workspace: Workspace) -> None:
    intake, held = a_busy_lane(workspace)

    futures = [intake.submit(a_submission(day)) for day in range(1, 11)]
    held.go_on()

    assert [future.result(30).n_new for future in futures] == [1] * 10
    assert (intake.figures.n_commits, intake.figures.n_records) == (1, 10)
    intake.close()


def test_groups_end_at_their_limit_and_keep_the_order(workspace: Workspace) -> None:
    intake, held = a_busy_lane(workspace, LaneLimits(max_group_records=4))

    futures = [intake.submit(a_submission(day, n=2)) for day in range(1, 6)]
    held.go_on()

    assert sum(future.result(30).n_new for future in futures) == 10
    assert intake.figures.n_commits == 3
    intake.close()


def test_more_than_can_wait_is_refused_and_nothing_is_dropped(workspace: Workspace) -> None:
    intake, held = a_busy_lane(workspace, LaneLimits(max_waiting_records=5))
    taken = [intake.submit(a_submission(day)) for day in range(1, 6)]

    with pytest.raises(QueueFull) as refused:
        intake.submit(a_submission(6))
    held.go_on()

    assert (refused.value.facts["waiting"], [one.result(30).n_new for one in taken]) == (5, [1] * 5)
    intake.close()
    assert n_rows(workspace) == 5


def test_one_that_is_taken_back_before_its_turn_is_stored_in_no_part(workspace: Workspace) -> None:
    intake, held = a_busy_lane(workspace)
    first, second = intake.submit(a_submission(1)), intake.submit(a_submission(2))

    assert first.cancel()
    held.go_on()

    assert second.result(30).n_new == 1
    intake.close()
    assert n_rows(workspace) == 1


def test_closing_finishes_what_was_taken_and_refuses_the_rest(workspace: Workspace) -> None:
    intake, held = a_busy_lane(workspace)
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
    held.go_on()
    closing.join(30)

    assert [future.result(0).n_new for future in futures] == [1, 1, 1]


def test_fault_of_a_group_is_tried_alone(workspace: Workspace) -> None:
    intake, held = a_busy_lane(workspace)
    futures = [intake.submit(a_submission(day)) for day in range(1, 4)]
    arm("store.before_commit:raise@1")

    held.go_on()

    assert [future.result(30).n_new for future in futures] == [1, 1, 1]
    intake.close()
    assert n_rows(workspace) == 3


@pytest.mark.parametrize("error", [DiskFull(store="s"), StoreUnreachable(store="s", detail="locked")])
def test_trouble_of_the_store_is_told_to_everybody_and_nothing_is_stored(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    intake, held = a_busy_lane(workspace)
    futures = [intake.submit(a_submission(day)) for day in range(1, 4)]
    with monkeypatch.context() as broken:
        broken.setattr(workspace, "take", lambda _: (_ for _ in ()).throw(error))
        held.go_on()
        found = [future.exception(30) for future in futures]
    later = intake.submit(a_submission(4)).result(30)

    assert found == [error] * 3
    assert later.n_new == 1
    intake.close()
    assert n_rows(workspace) == 1


class Refilled(GroupCommit):
    """A lane to which the next request comes as soon as there is none."""

    def _after(self, *, is_quiet: bool) -> None:
        super()._after(is_quiet=is_quiet)
        if not is_quiet and not self.n_waiting:
            with suppress(Stopping):
                self.submit(a_submission(2))


def under_pressure(
    monkeypatch: pytest.MonkeyPatch, *, steps_in_round: int, until: float, gap_every: int | None = None
) -> Pressed:
    """What was put off is judged while requests come without a pause."""
    monkeypatch.setattr(group_commit, "time", clock := Clock())
    engine = Pressed(clock, steps_in_round=steps_in_round, until=until, gap_every=gap_every)
    intake = Refilled(engine)
    assert engine.is_idle.wait(60)
    engine.lane = intake
    intake.submit(a_submission(1))
    assert engine.is_over.wait(60)
    intake.close()
    return engine


def test_what_was_put_off_is_judged_evenly_beside_requests_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = under_pressure(monkeypatch, steps_in_round=20, until=30.0).steps

    apart = [round(after - before, 6) for before, after in pairwise(steps)]
    assert min(apart) >= 0.1  # a step, and nine times as long
    assert 0.05 < len(steps) * 0.01 / 30.0 <= 0.1


def test_a_step_comes_when_nobody_waits_and_takes_no_more_time_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pressed = under_pressure(monkeypatch, steps_in_round=20, until=30.0, gap_every=4)

    assert not any(pressed.n_waited)
    assert 0.05 < len(pressed.steps) * 0.01 / 30.0 <= 0.1


def test_beside_those_who_only_ask_there_is_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "time", clock := Clock())
    engine = Pressed(clock, steps_in_round=20, until=3.0, gap_every=1)

    def is_asked() -> bool:
        clock.now += 0.02
        if clock.now >= 3.0:
            engine.is_over.set()
        return engine.lane is not None

    intake = GroupCommit(engine, is_asked=is_asked)
    assert engine.is_idle.wait(60)
    engine.lane = intake
    intake.submit(a_submission(1))
    assert engine.is_over.wait(60)
    intake.close()

    assert 0.02 < len(engine.steps) * 0.01 / 3.0 <= 0.1


def test_a_round_that_would_last_too_long_gets_more_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = under_pressure(monkeypatch, steps_in_round=400, until=70.0).steps

    first, second = steps[399] - steps[0], steps[799] - steps[400]
    assert first > 35.0
    assert second < 12.0
