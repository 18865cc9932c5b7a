"""Another process stores and judges: the same answers, and nothing is lost or stored twice when it ends."""

import os
import signal
import sys
from collections.abc import Iterator
from operator import attrgetter, methodcaller
from pathlib import Path

import httpx
import pytest

from sereno.domain.errors import EngineLost, InternalFault, KeyReused, SerenoError, StoreError
from sereno.flows.engine_apart import EngineProcess, JudgedApart
from sereno.flows.group_commit import GroupCommit
from sereno.flows.service import Service
from sereno.flows.taking import Receipt, Submission
from sereno.flows.workspace import Workspace
from sereno.ingest import ReadOptions, rows_from_records
from tests.api.serving import key_for, listening
from tests.flows.test_fleet import a_fleet
from tests.flows.test_taking import FIRST, LAST, a_record, judged_by, what_was_found
from tests.support.builders import MADRID
from tests.support.processes import run_code, wait_until
from tests.support.stores import differences


@pytest.fixture
def process() -> Iterator[EngineProcess]:
    begun = EngineProcess()
    yield begun
    begun.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with judged_by(tmp_path / "w", a_fleet()[:2]) as opened:
        yield opened


@pytest.fixture
def killed_before_answer(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Each process is killed when it has done its so manieth work, and has not answered yet."""
    monkeypatch.setenv("SERENO_TESTING", "1")
    monkeypatch.setenv("SERENO_FAILPOINT", f"engine.before_answer:kill@{request.param}")


def is_there(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def shown(answer: Receipt | SerenoError) -> object:
    """An answer as something that can be compared, whatever NaN it holds."""
    if isinstance(answer, SerenoError):
        return type(answer), dict(answer.facts)
    rows = [None if row is None else row.to_json("") for row in answer.rows]
    return answer.to_json(), answer.is_repeat, rows


def test_it_answers_and_stores_what_the_workspace_itself_would(
    tmp_path: Path, process: EngineProcess
) -> None:
    fleet = a_fleet()
    found: dict[str, list[object]] = {}
    for name in ("here", "there"):
        with judged_by(tmp_path / name, fleet) as workspace:
            engine = workspace if name == "here" else JudgedApart(workspace, process)
            found[name] = []
            for row in range(FIRST, LAST):
                records = [a_record(window, row) for window in fleet]
                odd = records[0] | {"Fecha": "mañana"}
                table = rows_from_records(records[2:], workspace.profiles, ReadOptions(timezone=MADRID))
                group = [
                    Submission([records[0], odd], wants_verdicts=True, key=f"k{row}", digest="a"),
                    Submission([records[1]], wants_verdicts=True, sites=frozenset({"elsewhere"})),
                    Submission([records[1]], wants_verdicts=True, is_hurried=True),
                    Submission(tables=[table]),
                    Submission([records[1]], key=f"k{row}", digest="another"),
                ]
                answers, _ = engine.take(group)
                found[name] += map(shown, answers)
            while not engine.judge_put_off().is_done:
                pass

    assert found["there"] == found["here"]
    assert any(isinstance(one, tuple) and one[0] is KeyReused for one in found["here"])
    assert not differences(what_was_found(tmp_path / "here"), what_was_found(tmp_path / "there"))


@pytest.mark.parametrize("killed_before_answer", ["2"], indirect=True)
def test_what_was_stored_when_it_was_killed_is_answered_and_not_stored_twice(
    workspace: Workspace, process: EngineProcess, killed_before_answer: None
) -> None:
    engine, window = JudgedApart(workspace, process), a_fleet()[0]
    engine.refresh_models()
    first = process.number

    answers, _ = engine.take([Submission([a_record(window, FIRST)], wants_verdicts=True)])

    receipt = answers[0]
    assert isinstance(receipt, Receipt)
    assert (receipt.n_new, receipt.n_known, receipt.rows[0] is not None) == (0, 1, True)
    assert process.number != first


@pytest.mark.parametrize("killed_before_answer", ["1"], indirect=True)
def test_request_that_ends_it_time_and_again_is_given_up_and_the_next_is_taken(
    workspace: Workspace,
    process: EngineProcess,
    killed_before_answer: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, window = JudgedApart(workspace, process), a_fleet()[0]

    with pytest.raises(EngineLost) as lost:
        engine.take([Submission([a_record(window, FIRST)])])
    lost_status = process.status
    monkeypatch.delenv("SERENO_FAILPOINT")
    answers, _ = engine.take([Submission([a_record(window, FIRST + 1)])])

    assert lost.value.facts["code"] == -signal.SIGKILL
    assert (lost_status.is_well, lost_status.problem) == (False, str(lost.value))
    assert (process.status.is_well, process.status.n_failures) == (True, 2)
    assert [one.message for one in caplog.records].count("engine process ended") == 2
    assert isinstance(answers[0], Receipt)
    assert answers[0].n_new == 1


def test_without_a_process_requests_are_to_come_again(
    workspace: Workspace, process: EngineProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, submission = JudgedApart(workspace, process), Submission([a_record(a_fleet()[0], FIRST)])

    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(EngineLost, match="No such file or directory"):
            engine.take([submission])
    answers, _ = engine.take([submission])

    assert isinstance(answers[0], Receipt)
    assert answers[0].n_new == 1


def test_all_who_wait_are_told_soon_where_no_process_can_be_begun(
    workspace: Workspace, process: EngineProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = a_fleet()[0]
    submissions = [Submission([a_record(window, row)]) for row in range(FIRST, FIRST + 40)]

    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        intake = GroupCommit(JudgedApart(workspace, process))
        with intake._changed:  # all of them come before the first has its turn
            futures = [intake.submit(one) for one in submissions]
        failed = [future.exception(30) for future in futures]
        n_failed = intake.figures.n_failed
        n_tried = process.status.n_failures
    again = [intake.submit(one) for one in submissions]
    receipts = [one.result(60) for one in again]
    intake.close()

    assert {type(one) for one in failed} == {EngineLost}
    assert n_failed == len(submissions)
    assert n_tried < len(submissions)
    assert [one.n_new for one in receipts] == [1] * len(submissions)


def test_errors_and_what_is_logged_come_back(
    workspace: Workspace, process: EngineProcess, caplog: pytest.LogCaptureFixture
) -> None:
    assert process.do(workspace, attrgetter("organization")) == workspace.organization

    with pytest.raises(InternalFault) as fault:
        process.do(workspace, attrgetter("nothing_of_the_kind"))
    with pytest.raises(StoreError):
        process.do(workspace, methodcaller("incident", "none"))

    record = next(one for one in caplog.records if one.message == "work failed")
    assert (record.fault, "AttributeError" in (record.exc_text or "")) == (fault.value.facts["id"], True)  # type: ignore[attr-defined]


def test_settings_that_change_are_read_again(tmp_path: Path, process: EngineProcess) -> None:
    with Workspace.open(tmp_path) as workspace:
        before = process.do(workspace, attrgetter("settings.timezone"))
        workspace.keep_timezone("Atlantic/Canary")
        after = process.do(workspace, attrgetter("settings.timezone"))

    assert (before, after) == (None, "Atlantic/Canary")


def test_it_outlives_the_signals_of_its_group_and_ends_with_who_began_it(tmp_path: Path) -> None:
    ran = run_code(
        "import os, signal, sys\n"
        "from operator import attrgetter\n"
        "from sereno.flows.engine_apart import EngineProcess\n"
        "from sereno.flows.workspace import Workspace\n"
        "process = EngineProcess()\n"
        "workspace = Workspace.open(sys.argv[1])\n"
        "process.do(workspace, attrgetter('organization'))\n"
        "number = process.number\n"
        "for one in (signal.SIGINT, signal.SIGTERM):\n"
        "    os.kill(number, one)\n"
        "process.do(workspace, attrgetter('organization'))\n"
        "print(number == process.number, number, flush=True)\n"
        "os._exit(0)\n",
        tmp_path,
    )
    is_same, number = ran.out.split()

    assert is_same == "True", ran.err
    wait_until(lambda: not is_there(int(number)))


def test_service_answers_by_it_says_what_it_holds_and_ends_it(tmp_path: Path) -> None:
    fleet = a_fleet()[:2]
    judged_by(tmp_path, fleet).close()
    first, second = a_record(fleet[0], FIRST), a_record(fleet[0], FIRST + 1)

    with Service(tmp_path, judges_apart=True) as service, listening(service) as address:
        headers = {"Authorization": f"Bearer {key_for(service)}"}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
            client.post("/api/v1/score", json=second)  # keeps at hand where the asset stood
            stored = client.post("/procesar", json=first).json()
            scored = client.post("/api/v1/score", json=second).json()["judged"][0]["score"]
            held = client.get("/health").json()["memory_mb"]
            parts = client.get("/readyz").json()["parts"]
        _, *others = service.processes
        own = int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096 / 1e6
    with Workspace.open(tmp_path) as workspace:
        afresh = workspace.score_records([second])[0].score

    assert set(stored) == {"es_anomalia", "score", "alerta_generada"}
    assert scored == pytest.approx(afresh, abs=1e-6)
    assert held > own
    for name in ("engine process", "judging process"):
        assert {"name": name, "well": True, "failures": 0} in parts
    assert len(others) == 2
    assert not any(map(is_there, others))
