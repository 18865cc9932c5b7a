"""Jobs go on behind a request, one at a time, and what became of them is known also after a restart."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sereno.domain.errors import TooManyJobs
from sereno.domain.jobs import Job, JobState
from sereno.flows.jobs import MAX_WAITING
from sereno.flows.workspace import Workspace
from sereno.store import Store
from sereno.store import jobs as job_module
from tests.api.serving import served
from tests.api.test_resources import V1
from tests.support.builders import HOUR, NOW, a_workspace
from tests.support.processes import wait_until


def ask(client: httpx.Client, kind: str, key: str | None = None, **options: object) -> dict[str, object]:
    """The job as it is accepted."""
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = client.post(f"{V1}/jobs", json={"kind": kind, **options}, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{V1}/jobs/{answer.json()['id']}"
    return dict(answer.json())


def state(client: httpx.Client, job: dict[str, object]) -> str:
    return str(client.get(f"{V1}/jobs/{job['id']}").json()["state"])


def ended(client: httpx.Client, job: dict[str, object]) -> dict[str, object]:
    """The job once it has ended."""
    wait_until(lambda: JobState(state(client, job)).is_over, timeout=120)
    return dict(client.get(f"{V1}/jobs/{job['id']}").json())


def test_jobs_run_one_after_the_other(acting: httpx.Client) -> None:
    first, second, third = ask(acting, "score"), ask(acting, "report", asset="Planta 3"), ask(acting, "score")
    acting.post(f"{V1}/jobs/{third['id']}/cancel").raise_for_status()

    scored, written = ended(acting, first), ended(acting, second)

    assert (scored["state"], written["state"]) == ("done", "done"), (scored, written)
    assert scored["result"]["assets"] == 4  # type: ignore[index]
    assert str(scored["ended_at"]) <= str(written["started_at"])
    page = acting.get(f"{V1}/jobs/{second['id']}/file")
    assert (page.status_code, "Planta 3" in page.text) == (200, True)
    assert acting.get(f"{V1}/jobs/{first['id']}/file").status_code == 404
    assert [one["state"] for one in acting.get(f"{V1}/jobs").json()] == ["cancelled", "done", "done"]


def test_a_job_that_fails_says_why_in_both_languages(acting: httpx.Client) -> None:
    failed = ended(acting, ask(acting, "report", asset="nobody"))

    assert failed["state"] == "failed"
    assert failed["error"]["code"] == "asset.unknown"  # type: ignore[index]
    assert failed["error"]["sentence"] != failed["error"]["sentence_es"]  # type: ignore[index]


def test_a_repeated_request_asks_for_one_job(acting: httpx.Client) -> None:
    first, again = ask(acting, "score", "k"), ask(acting, "score", "k")

    assert first["id"] == again["id"]
    assert len(acting.get(f"{V1}/jobs").json()) == 1


def test_a_job_that_runs_can_be_ended(acting: httpx.Client) -> None:
    models = acting.get(f"{V1}/models").json()
    job = ask(acting, "train")
    wait_until(lambda: state(acting, job) == "running", timeout=60)

    assert acting.post(f"{V1}/jobs/{job['id']}/cancel").json()["state"] == "cancelled"

    assert acting.post(f"{V1}/jobs/{job['id']}/cancel").status_code == 409
    assert acting.get(f"{V1}/models").json() == models


@pytest.mark.slow
def test_a_training_gives_a_model(acting: httpx.Client) -> None:
    done = ended(acting, ask(acting, "train", profile="solar"))

    assert done["state"] == "done", done
    (card,) = done["result"]["models"]  # type: ignore[index]
    judging = [one["id"] for one in acting.get(f"{V1}/models").json() if one["judges"]]
    assert judging == [card["id"]]


def test_a_training_learns_only_what_came_before(acting: httpx.Client) -> None:
    asked = {"profile": "solar", "before": "2024-02-01T00:00:00Z"}
    done = ended(acting, ask(acting, "train", **asked))

    assert done["state"] == "done", done
    (card,) = done["result"]["models"]  # type: ignore[index]
    whole = ended(acting, ask(acting, "train", profile="solar"))["result"]["models"][0]  # type: ignore[index]
    assert 0 < card["metrics"]["rows"] < whole["metrics"]["rows"]


def test_what_waited_or_ran_when_a_process_died_is_interrupted(fleet: Path) -> None:
    with Workspace.open(fleet) as workspace, workspace.store.begin() as tx:
        tx.add_job(_left_behind("running", state=JobState.RUNNING))
        tx.add_job(_left_behind("waiting"))

    with served(fleet) as client:
        found = {one["id"]: one["state"] for one in client.get(f"{V1}/jobs").json()}
        assert found == {"running": "interrupted", "waiting": "interrupted"}
        assert ended(client, ask(client, "score"))["state"] == "done"


def _left_behind(number: str, state: JobState = JobState.QUEUED) -> Job:
    return Job(number, "score", {}, "ana", "elsewhere:1:abc", NOW, NOW, state=state)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "dance"},
        {"kind": "train", "budget": -1},
        {"kind": "train", "before": "2024-02-01T00:00:00"},
        {"kind": "score", "asset": "x"},
        {"kind": "report"},
    ],
)
def test_what_is_no_job_is_refused(looking: httpx.Client, body: dict[str, object]) -> None:
    assert looking.post(f"{V1}/jobs", json=body).status_code == 422


def test_only_so_many_wait(tmp_path: Path) -> None:
    with a_workspace(tmp_path) as workspace:
        now = workspace.now()
        with workspace.store.begin() as tx:
            for number in range(MAX_WAITING):
                tx.add_job(replace(_left_behind(str(number)), alive_at=now))

        with pytest.raises(TooManyJobs):
            workspace.jobs.submit("score", {}, author="ana")


def test_the_oldest_of_those_that_are_over_are_forgotten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "KEPT", 3)

    for number in range(6):
        with store.begin() as tx:
            tx.add_job(
                replace(_left_behind(str(number)), created_at=NOW + number * HOUR, state=JobState.DONE)
            )

    with store.read() as tx:
        assert [one.id for one in tx.jobs()] == ["5", "4", "3"]
