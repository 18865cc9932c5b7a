"""What several ask about records at once: each is answered as if nobody else had asked."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from sereno.domain.errors import InvalidRecord, QueueFull, SerenoError
from sereno.domain.signals import AssetKey
from sereno.flows import records_path
from sereno.flows.asking import LARGE, Asking
from sereno.flows.condition import figures_of
from sereno.flows.engine_apart import AskedApart, EngineProcess
from sereno.flows.records import AssetContext
from sereno.flows.records_path import Opinion, Question
from sereno.flows.service import Service
from sereno.flows.taking import Submission
from sereno.flows.workspace import Workspace
from sereno.store import Store, Transaction
from tests.api.serving import key_for, listening
from tests.flows.test_fleet import a_fleet
from tests.flows.test_taking import FIRST, LAST, a_record, judged_by
from tests.support.builders import MADRID, readings_of
from tests.support.processes import wait_until

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


def test_another_process_hears_of_a_model_that_somebody_trained(
    workspace: Workspace, process: EngineProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart, question = AskedApart(workspace, process), Question([a_record(FLEET[0], FIRST)])
    before = shown(*apart.judge_all([question]))

    with Workspace.open(workspace.folder) as other:
        other.train(budget=20.0)
        wanted = shown(*other.judge_all([question]))

    assert wanted != before
    wait_until(lambda: shown(*apart.judge_all([question])) == wanted)


def test_site_with_assets_of_two_kinds_is_answered_by_what_each_is(workspace: Workspace) -> None:
    solar = a_record(FLEET[0], FIRST)
    gas = {"Empresa": solar["Empresa"], "Fecha": solar["Fecha"], "Consumo (m3)": 12.0}
    asked = [Question([solar]), Question([gas]), Question([solar])]

    together = [shown(one) for one in workspace.judge_all(asked)]

    with Workspace.open(workspace.folder) as fresh:
        assert together[0] == shown(*fresh.judge_all(asked[:1]))
    with Workspace.open(workspace.folder) as fresh:
        assert together[1] == shown(*fresh.judge_all(asked[1:2]))
    assert together[2] == together[0]


def test_who_asks_while_something_is_stored_keeps_nothing_of_what_was(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = Question([a_record(FLEET[0], LAST)])
    append = Transaction.append

    def asked_meanwhile(self: Transaction, *what: Any, **said: Any) -> Any:
        workspace.judge_all([question])
        return append(self, *what, **said)

    monkeypatch.setattr(Transaction, "append", asked_meanwhile)
    workspace.add(readings_of(FLEET[0].rows(FIRST, LAST)), zone=MADRID, judge=True)

    with Workspace.open(workspace.folder) as fresh:
        assert shown(*workspace.judge_all([question])) == shown(*fresh.judge_all([question]))


def test_lane_gives_each_its_answer_and_nobody_fails_for_another(workspace: Workspace) -> None:
    held = Held(workspace)
    asking = Asking(held)
    first = asking.submit(Question([a_record(FLEET[0], FIRST)]))
    assert held.begun.wait(30)
    assert asking.is_in_use

    futures = [asking.submit(one) for one in (*questions(), Question([{"Fecha": STUMBLE}]))]
    held.go_on.set()
    asking.close()

    n_asked = len(futures)
    assert held.n_asked == [1, n_asked, *[1] * n_asked]
    wait_until(lambda: not asking.is_in_use)
    assert isinstance(first.result(0), Opinion)
    assert isinstance(futures[-1].exception(0), ZeroDivisionError)
    answers = [future.exception(0) or future.result(0) for future in futures[:-1]]
    wanted = workspace.judge_all(questions())
    assert [shown(one) for one in answers] == [shown(one) for one in wanted]  # type: ignore[arg-type]


def test_what_waits_and_what_is_refused_is_counted(workspace: Workspace) -> None:
    day = a_record(FLEET[0], FIRST)
    with Service(workspace.folder) as service:
        held = Held(service.workspace("default"))
        asking = service.asking("default")
        asking._judge = held
        first = asking.submit(Question([day]))
        assert held.begun.wait(30)
        waiting = asking.submit(Question([day] * 50_000))

        with pytest.raises(QueueFull):
            asking.submit(Question([day]))
        busy = figures_of(service)
        waiting.cancel()
        held.go_on.set()
        first.result(30)

        assert (busy.n_asked, busy.n_questions_refused) == (50_000, 1)
        wait_until(lambda: figures_of(service).n_asked == 0)


STUMBLE = "stumble"


class Held:
    """A workspace that keeps the first who ask waiting, and stumbles over a record."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.n_asked: list[int] = []

    def judge_all(self, asked: Sequence[Question]) -> list[Opinion | SerenoError]:
        self.n_asked.append(len(asked))
        self.begun.set()
        self.go_on.wait()
        if any(one.records[0].get("Fecha") == STUMBLE for one in asked):
            raise ZeroDivisionError
        return self._workspace.judge_all(asked)


def test_large_question_is_answered_beside_the_others(workspace: Workspace) -> None:
    record = a_record(FLEET[0], FIRST)

    with Service(workspace.folder, judges_apart=True) as service, listening(service) as address:
        headers = {"Authorization": f"Bearer {key_for(service)}"}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
            large = client.post("/api/v1/score", json=[record] * (LARGE + 1)).json()
            before = len(service.processes)
            small = client.post("/api/v1/score", json=record).json()
            after = len(service.processes)

    assert (large["rows"], large["judged"][0]) == (LARGE + 1, small["judged"][0])
    assert (before, after) == (1, 2)


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
