"""What several ask about records at once: each is answered as if nobody else had asked."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sereno.domain.errors import InvalidRecord, SerenoError
from sereno.domain.signals import AssetKey
from sereno.flows import records_path
from sereno.flows.asking import Asking
from sereno.flows.engine_apart import AskedApart, EngineProcess
from sereno.flows.records import AssetContext
from sereno.flows.records_path import Opinion, Question
from sereno.flows.taking import Submission
from sereno.flows.workspace import Workspace
from sereno.store import Store
from tests.flows.test_fleet import a_fleet
from tests.flows.test_taking import FIRST, LAST, a_record, judged_by

FLEET = a_fleet()[:3]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with judged_by(tmp_path / "w", FLEET) as opened:
        yield opened


@pytest.fixture
def process() -> Iterator[EngineProcess]:
    begun = EngineProcess("judging process")
    yield begun
    begun.close()


def shown(answer: Opinion | SerenoError) -> object:
    """An answer as something that can be compared."""
    if isinstance(answer, SerenoError):
        return type(answer), str(answer)
    return answer.rows, answer.quarantine, answer.issues


def questions() -> list[Question]:
    """About the same assets at the same and at other instants, some of which cannot be answered."""
    days = [a_record(FLEET[0], row) for row in range(FIRST, LAST)]
    nothing = dict.fromkeys(days[0]) | {"Empresa": days[0]["Empresa"], "Fecha": days[0]["Fecha"]}
    return [
        *(Question([day]) for day in days),
        Question(days),
        Question([days[1], a_record(FLEET[1], FIRST), days[0] | {"Fecha": "mañana"}]),
        Question([nothing]),
        Question([a_record(FLEET[2], FIRST) | {"Empresa": "Nobody"}]),
    ]


def test_each_is_answered_as_if_nobody_else_had_asked(workspace: Workspace) -> None:
    together = workspace.judge_all(questions())

    alone = [workspace.judge_all([question])[0] for question in questions()]
    assert [shown(one) for one in together] == [shown(one) for one in alone]
    assert [type(one) for one in together if isinstance(one, SerenoError)] == [InvalidRecord]
    opinion = together[-3]
    assert isinstance(opinion, Opinion)
    assert ([row is None for row in opinion.rows], len(opinion.quarantine)) == ([False, False, True], 1)


def test_rows_are_judged_as_records_that_come_alone(workspace: Workspace) -> None:
    records = [a_record(FLEET[0], row) for row in range(FIRST, LAST)]

    (opinion,) = workspace.judge_all([Question(records)])

    judged = workspace.score_records(records)
    assert isinstance(opinion, Opinion)
    assert opinion.rows == [row.to_json(workspace.describe(row)) for row in judged]
    assert any(row.is_abnormal for row in judged)


def test_another_process_answers_the_same_and_hears_of_what_is_stored_here(
    workspace: Workspace, process: EngineProcess
) -> None:
    apart = AskedApart(workspace, process)
    before = [shown(one) for one in apart.judge_all(questions())]
    wanted_before = [shown(one) for one in workspace.judge_all(questions())]

    workspace.take([Submission([a_record(FLEET[0], row)]) for row in range(FIRST, LAST - 1)])
    after = [shown(one) for one in apart.judge_all(questions())]

    assert before == wanted_before
    assert after == [shown(one) for one in workspace.judge_all(questions())]
    assert after != before


def test_process_that_is_killed_is_begun_again(workspace: Workspace, process: EngineProcess) -> None:
    apart = AskedApart(workspace, process)
    before = [shown(one) for one in apart.judge_all(questions())]
    assert process.number is not None

    os.kill(process.number, signal.SIGKILL)
    after = [shown(one) for one in apart.judge_all(questions())]

    assert after == before
    assert (process.status.name, process.status.is_well, process.status.n_failures) == (
        "judging process",
        True,
        1,
    )


def test_lane_gives_each_its_answer_and_nobody_fails_for_another(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_all = Workspace.judge_all

    def stumble(self: Workspace, asked: list[Question]) -> list[Opinion | SerenoError]:
        if any(one.records[0].get("Fecha") == "stumble" for one in asked):
            raise ZeroDivisionError
        return judge_all(self, asked)

    monkeypatch.setattr(Workspace, "judge_all", stumble)
    asking = Asking(workspace)
    asked = [*questions(), Question([{"Fecha": "stumble"}])]

    futures = [asking.submit(one) for one in asked]
    asking.close()

    assert isinstance(futures[-1].exception(0), ZeroDivisionError)
    answers = [future.exception(0) or future.result(0) for future in futures[:-1]]
    wanted = judge_all(workspace, questions())
    assert [shown(one) for one in answers] == [shown(one) for one in wanted]  # type: ignore[arg-type]


def test_where_an_asset_stands_is_looked_up_once_for_all_who_ask(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[AssetKey] = []
    look_up = records_path.asset_context

    def spied(store: Store, key: AssetKey, *rest: Any) -> AssetContext:
        looked_up.append(key)
        return look_up(store, key, *rest)

    monkeypatch.setattr(records_path, "asset_context", spied)
    monkeypatch.setattr(workspace.store, "is_shared", True)  # others may write: nothing is kept
    day = Question([a_record(FLEET[0], FIRST)])

    for _ in range(2):
        workspace.judge_all([day, day, Question([a_record(FLEET[1], FIRST)])])

    assert looked_up == [FLEET[0].asset, FLEET[1].asset] * 2
