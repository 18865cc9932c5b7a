"""Who waits for a verdict gets that of the judged row; what follows from it comes in steps, all of it."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sereno.domain.failpoints import arm, disarm
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy
from sereno.flows import put_off as put_off_module
from sereno.flows.assets import JUDGE
from sereno.flows.group_commit import GroupCommit
from sereno.flows.put_off import PutOff
from sereno.flows.records import RowJudgement
from sereno.flows.taking import Receipt, Submission
from sereno.flows.workspace import Workspace
from sereno.store import Store, open_store
from tests.flows.test_fleet import a_fleet
from tests.flows.test_taking import (
    FIRST,
    LAST,
    a_record,
    catch_up,
    days_of,
    judged_by,
    what_was_found,
)
from tests.support.builders import MADRID, readings_of
from tests.support.stores import differences, sqlite_address

Record = dict[str, object]


@pytest.fixture(scope="module")
def fleet() -> list[Window]:
    return a_fleet()


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, fleet: list[Window]) -> Path:
    """A store that has judged all days at once."""
    folder = tmp_path_factory.mktemp("batch")
    with judged_by(folder, fleet) as workspace:
        workspace.add(readings_of(*(window.rows(FIRST, LAST) for window in fleet)), zone=MADRID, judge=True)
    return folder


@pytest.fixture
def workspace(tmp_path: Path, fleet: list[Window]) -> Iterator[Workspace]:
    with judged_by(tmp_path, fleet) as opened:
        yield opened


def hurried(record: Record) -> Submission:
    return Submission([record], wants_verdicts=True, is_hurried=True)


def asked(workspace: Workspace, *records: Record) -> list[RowJudgement | None]:
    """What is said of records that come together, each in a request of its own."""
    answers, _ = workspace.take([hurried(one) for one in records])
    assert all(isinstance(one, Receipt) for one in answers)
    return [row for one in answers if isinstance(one, Receipt) for row in one.rows]


def in_no_order(fleet: Sequence[Window], seed: int) -> list[Record]:
    """All records; one in six comes some places too late."""
    records = [record for day in days_of(fleet) for record in day]
    rng = random.Random(seed)
    places = [i + (rng.randint(1, 9) if rng.random() < 1 / 6 else 0) for i in range(len(records))]
    return [records[i] for i in sorted(range(len(records)), key=lambda i: (places[i], i))]


@pytest.mark.parametrize("seed", range(6))
def test_verdicts_first_come_to_what_a_batch_comes_to(
    workspace: Workspace, fleet: list[Window], batch: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(put_off_module, "_ROWS_IN_A_STEP", 1 + seed % 3)
    records = in_no_order(fleet, seed)
    while records:
        n = rng.randint(1, 5)
        asked(workspace, *records[:n])
        records = records[n:]
        for _ in range(rng.randint(0, 4)):
            workspace.judge_put_off()
    folder = workspace.folder
    catch_up(workspace)
    workspace.close()

    assert differences(what_was_found(folder), what_was_found(batch)) == {}


def test_verdict_is_that_of_the_row_when_it_is_judged_whole(
    tmp_path: Path, workspace: Workspace, fleet: list[Window]
) -> None:
    with judged_by(tmp_path / "whole", fleet) as whole:
        for day in days_of(fleet):
            first, then = asked(workspace, *day), whole.add_records(day)
            assert [_told(one) for one in first] == [_told(one) for one in then]


def test_what_peers_are_known_to_show_is_what_is_stored_of_them(
    tmp_path: Path, workspace: Workspace, fleet: list[Window]
) -> None:
    """Of every second day what came first is corrected before the other sites are heard."""
    with judged_by(tmp_path / "forgetful", fleet) as forgetful:
        for number, day in enumerate(days_of(fleet)):
            corrected = [_doubled(one) for one in day[:3]] if number % 2 else []
            for record in [*day[:3], *corrected, *day[3:]]:
                forgetful._scoring()._first_look.movements.clear()
                first, then = asked(workspace, record), asked(forgetful, record)
                assert [_told(one) for one in first] == [_told(one) for one in then]


def _doubled(record: Record) -> Record:
    return {name: 2 * value if isinstance(value, float) else value for name, value in record.items()}


def _told(row: RowJudgement | None) -> object:
    assert row is not None
    said = row.to_json("")
    return {name: round(v, 5) if isinstance(v, float) else v for name, v in said.items()}


def test_incident_opens_with_the_steps_and_not_with_the_answer(
    workspace: Workspace, fleet: list[Window]
) -> None:
    n_before = len(workspace.incidents())
    rows = []
    for row in range(FIRST, LAST):
        broken = a_record(fleet[0], row)
        broken |= {name: 0.0 for name in broken if name not in ("Empresa", "Fecha")}
        rows += asked(workspace, broken)

    n_answered = len(workspace.incidents())
    catch_up(workspace)

    assert all(one is not None and one.is_abnormal for one in rows)
    assert n_answered == n_before
    assert len(workspace.incidents()) > n_before


def test_who_is_not_hurried_finds_the_incident_with_the_answer(
    workspace: Workspace, fleet: list[Window]
) -> None:
    n_before = len(workspace.incidents())
    for row in range(FIRST, LAST):
        broken = a_record(fleet[0], row)
        broken |= {name: 0.0 for name in broken if name not in ("Empresa", "Fecha")}
        workspace.take([hurried(a_record(fleet[1], row)), Submission([broken], wants_verdicts=True)])

    assert len(workspace.incidents()) > n_before


def steps_until(workspace: Workspace, reached: Callable[[PutOff], bool]) -> PutOff:
    """Go on until something is under way that fits."""
    put_off = workspace._scoring().put_off
    for _ in range(100):
        if reached(put_off):
            return put_off
        workspace.judge_put_off()
    raise AssertionError("it was not reached")


def is_judged_but_not_kept(put_off: PutOff) -> bool:
    one = put_off._under_way
    return one is not None and one.judging.course.is_done


def days(fleet: Sequence[Window], n: int) -> list[Record]:
    return [a_record(fleet[0], row) for row in range(FIRST, FIRST + n)]


def what_came_meanwhile(workspace: Workspace, fleet: list[Window], kind: str) -> Record:
    """Something that concerns the asset under way."""
    if kind == "next":
        more = a_record(fleet[0], FIRST + 4)
        asked(workspace, more)
        return more
    changed = a_record(fleet[0], FIRST + 1)
    changed |= {name: 0.0 for name in changed if name not in ("Empresa", "Fecha")}
    if kind == "changed":
        asked(workspace, changed)
    elif kind == "changed, by who does not wait":
        workspace.take([Submission([changed])])
    else:
        with Workspace.open(workspace.folder) as other:
            other.add_records([changed])
    return changed


@pytest.mark.parametrize(
    "kind", ["next", "changed", "changed, by who does not wait", "changed by another process"]
)
def test_what_comes_between_two_steps_is_judged_too(
    tmp_path: Path, workspace: Workspace, fleet: list[Window], kind: str
) -> None:
    for record in days(fleet, 4):
        asked(workspace, record)
    steps_until(workspace, is_judged_but_not_kept)

    more = what_came_meanwhile(workspace, fleet, kind)
    catch_up(workspace)

    folder = workspace.folder
    workspace.close()
    with judged_by(tmp_path / "plain", fleet) as plain:
        for record in (*days(fleet, 4), more):
            plain.add_records([record])
    assert what_is_told_of(folder) == what_is_told_of(tmp_path / "plain")


def what_is_told_of(folder: Path) -> dict[str, list[Any]]:
    """Detections and incidents without their names, which say what they were when they were seen first."""
    found = what_was_found(folder)
    return {
        name: [[field for field in row if field[0] != "id"] for row in found[name]]
        for name in ("detection", "incident")
    }


def test_what_is_put_off_survives_the_end_of_the_process(
    tmp_path: Path, workspace: Workspace, fleet: list[Window], batch: Path
) -> None:
    for day in days_of(fleet):
        asked(workspace, *day)
    steps_until(workspace, is_judged_but_not_kept)
    folder = workspace.folder
    workspace.close()  # what is under way is lost with it

    with Workspace.open(folder) as again:
        assert catch_up(again) == len(fleet)

    assert differences(what_was_found(folder), what_was_found(batch)) == {}


def test_step_that_fails_is_tried_again_and_keeps_nobody_waiting(
    workspace: Workspace, fleet: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(workspace, *(a_record(window, FIRST) for window in fleet))
    judge, broken = put_off_module.judge_next, fleet[0].asset

    def failing(courses: Sequence[Any], *others: Any, **more: Any) -> None:
        if courses[0].window.asset == broken:
            raise ValueError("a detector fails")
        judge(courses, *others, **more)

    n_judged, n_failed = 0, 0
    with monkeypatch.context() as patched:
        patched.setattr(put_off_module, "judge_next", failing)
        for _ in range(5 * len(fleet)):
            try:
                n_judged += workspace.judge_put_off().n_judged
            except ValueError:
                n_failed += 1

    assert (n_judged, n_failed > 0) == (len(fleet) - 1, True)
    assert catch_up(workspace) == 1


def test_what_a_refused_transaction_saw_is_not_kept_at_hand(
    workspace: Workspace, fleet: list[Window]
) -> None:
    asked(workspace, a_record(fleet[0], FIRST))
    arm("store.before_commit:raise@1")
    try:
        with pytest.raises(Exception, match=r"store\.before_commit"):
            asked(workspace, a_record(fleet[0], FIRST + 2))
    finally:
        disarm()

    known = workspace._scoring()._first_look
    (row,) = asked(workspace, a_record(fleet[0], FIRST + 1))

    assert row is not None
    assert {one.until for one in known._known.values()} == {row.time}


def test_what_was_asked_for_in_vain_is_asked_for_once(workspace: Workspace, fleet: list[Window]) -> None:
    with workspace.store.begin() as tx:
        asset = tx.assets()[0]
        tx.ask_next({asset.id: from_numpy(fleet[0].time[FIRST])}, JUDGE)

    catch_up(workspace)

    with workspace.store.read() as tx:
        assert tx.asked_again(JUDGE, limit=9) == []


def test_model_that_is_replaced_between_two_steps_judges_all(
    workspace: Workspace, fleet: list[Window]
) -> None:
    for record in days(fleet, 4):
        asked(workspace, record)
    steps_until(workspace, is_judged_but_not_kept)

    (card,) = workspace.train()
    catch_up(workspace)

    with workspace.store.read() as tx:
        asset = next(one for one in tx.assets() if one.key == fleet[0].asset)
        state = tx.watch_states([asset.id], JUDGE)[asset.id]
    assert state.model.startswith(card.id)


def test_lane_judges_what_was_put_off_before_it_ends(workspace: Workspace, fleet: list[Window]) -> None:
    lane = GroupCommit(workspace)
    waiting = [lane.submit(hurried(a_record(window, row))) for row in range(FIRST, LAST) for window in fleet]
    for one in waiting:
        one.result(30)
    lane.close()

    assert catch_up(workspace) == 0


class TestLook:
    """What a store says of whoever else has written."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with open_store(sqlite_address(tmp_path)) as opened:
            yield opened

    @staticmethod
    def look(store: Store) -> Any:
        with store.begin() as tx:
            return tx.look()

    def test_next_transaction_follows(self, store: Store) -> None:
        first, second = self.look(store), self.look(store)
        assert second.follows(first)
        assert not first.follows(second)

    def test_after_one_of_somebody_else_it_does_not(self, store: Store, tmp_path: Path) -> None:
        first = self.look(store)
        with open_store(sqlite_address(tmp_path)) as other, other.begin() as tx:
            tx.ensure_assets([AssetKey("Planta", "Planta")], profile="solar", zone=MADRID)
        assert not self.look(store).follows(first)

    def test_after_another_of_the_same_process_it_does_not(self, store: Store) -> None:
        first = self.look(store)
        self.look(store)
        assert not self.look(store).follows(first)

    def test_after_one_that_was_undone_it_does_not(self, store: Store) -> None:
        first = self.look(store)
        with pytest.raises(ValueError, match="undone"), store.begin():
            raise ValueError("undone")
        assert not self.look(store).follows(first)

    def test_nothing_is_said_where_nothing_can_be_written(self, store: Store) -> None:
        with store.read() as tx:
            assert tx.look() is None
