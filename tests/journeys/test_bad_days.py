"""Promise: a bad day is answered with problems that say what to do, and nothing is half-written."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sereno.flows.service import Service
from tests.api.serving import key_for, listening
from tests.journeys.test_serving import a_record, is_ready, serving
from tests.journeys.worlds import declare
from tests.support.disks import fill_disk, small_disk
from tests.support.postgres import fresh_database
from tests.support.processes import free_port, wait_until
from tests.support.relay import relayed
from tests.support.stores import count, sqlite_address

DISK_BYTES = 16 * 2**20
LEFT_BYTES = 16_384
READINGS = "/api/v1/readings"
SITE = "Nave 1"
N_BIG = 10_000
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Away:
    """A service in a process of its own."""

    client: httpx.Client
    address: str

    def n_rows(self) -> int:
        """Readings that are stored."""
        return count(self.address, "reading_solar")


@contextmanager
def a_service(workspace: Path, address: str, **env: str) -> Iterator[Away]:
    """The service of a workspace with one reading, so that all tables are there."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(workspace, port, **env):
        wait_until(lambda: is_ready(url), timeout=PATIENCE_S)
        with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
            client.post(READINGS, json=a_record(SITE, 0)).raise_for_status()
            yield Away(client, address)


@contextmanager
def near(workspace: Path, address: str) -> Iterator[Away]:
    """The same in this process, which starts sooner."""
    with Service(workspace) as service, listening(service) as url:
        headers = {"Authorization": f"Bearer {key_for(service)}"}
        with httpx.Client(base_url=url, timeout=PATIENCE_S, headers=headers) as client:
            client.post(READINGS, json=a_record(SITE, 0)).raise_for_status()
            yield Away(client, address)


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of an answer of this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["detail"]
    return found


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


def fill(disk: Path) -> Path:
    """Leave almost no room on a disk."""
    ballast = disk / "ballast"
    fill_disk(ballast, leave=LEFT_BYTES)
    return ballast


def test_full_disk(disk: Path) -> None:
    workspace = declare(disk / "w")
    month = [a_record(SITE, hour) for hour in range(1, 721)]
    with a_service(workspace, sqlite_address(workspace)) as away:
        ballast = fill(disk)
        refused = problem_of(away.client.post(READINGS, json=month), 507)
        n_full = away.n_rows()
        silence = {"comment": "Obras", "ends_at": "2099-01-01T00:00:00Z"}
        acts = [
            away.client.post("/api/v1/silences", json={**silence, "comment": "x" * 9_000}) for _ in range(4)
        ]
        looked = away.client.get("/api/v1/sites")
        ballast.unlink()
        again = away.client.post(READINGS, json=month)
        noted = away.client.post("/api/v1/silences", json=silence)

        assert refused["code"] == "store.disk_full"
        assert n_full == 1
        assert {one.status_code for one in acts} <= {201, 507}
        assert looked.status_code == 200
        assert (again.status_code, again.json()["new"]) == (202, 720)
        assert (away.n_rows(), noted.status_code) == (721, 201)


def test_full_disk_of_temporary_files(disk: Path, tmp_path: Path) -> None:
    workspace = declare(tmp_path / "w")
    table = "Empresa;Fecha y hora;Generación total (kWh);Consumo total (kWh)\n"
    table += "".join(f"{SITE};2025-02-{1 + i // 24:02d} {i % 24:02d}:00;5;3\n" for i in range(600))
    headers = {"Content-Type": "text/csv"}
    with a_service(workspace, sqlite_address(workspace), TMPDIR=str(disk)) as away:
        month = [a_record(SITE, hour) for hour in range(1, 721)]
        away.client.post(READINGS, json=month).raise_for_status()
        ballast = fill(disk)
        told = [
            away.client.post(READINGS, content=table.encode(), headers=headers),
            away.client.get("/api/v1/exports/preprocessed"),
        ]
        n_full = away.n_rows()
        ballast.unlink()
        again = away.client.post(READINGS, content=table.encode(), headers=headers)

        assert [problem_of(one, 507)["code"] for one in told] == ["store.disk_full"] * 2
        assert (n_full, again.status_code) == (721, 202)
        assert away.client.get("/api/v1/exports/preprocessed").status_code == 200


def test_store_that_is_gone(tmp_path: Path, postgres_server: str) -> None:
    with fresh_database(postgres_server) as direct, relayed(direct) as (url, way):
        workspace = declare(tmp_path / "w", url=url)
        with near(workspace, direct) as away:
            way.cut()
            asked = {
                "post": away.client.post(READINGS, json=a_record(SITE, 1)),
                "get": away.client.get("/api/v1/sites"),
                "act": away.client.post("/api/v1/incidents/abcdef123456/comment", json={"text": "x"}),
                "ready": away.client.get("/readyz"),
            }
            alive = away.client.get("/healthz")
            n_gone = away.n_rows()
            way.mend()
            wait_until(lambda: away.client.get("/readyz").status_code == 200, timeout=PATIENCE_S)
            again = away.client.post(READINGS, json=a_record(SITE, 1))

            for name in ("post", "get", "act"):
                told = problem_of(asked[name], 503)
                assert told["code"] == "store.unreachable"
                assert int(asked[name].headers["retry-after"]) >= 1
            assert (asked["ready"].status_code, alive.status_code) == (503, 200)
            assert n_gone == 1
            assert (again.status_code, again.json()["new"]) == (202, 1)


def test_more_than_can_be_held(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "w")
    records = [a_record(SITE, 1)] * N_BIG
    body = json.dumps(records).encode()
    answers: list[httpx.Response] = []
    with near(workspace, sqlite_address(workspace)) as away:
        headers = {**away.client.headers, "Content-Type": "application/json"}
        url = str(away.client.base_url.join(READINGS))

        def send() -> None:
            answers.append(httpx.post(url, content=body, headers=headers, timeout=2 * PATIENCE_S))

        writer = sqlite3.connect(workspace / "sereno.db", isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        senders = [threading.Thread(target=send) for _ in range(8)]
        for sender in senders:
            sender.start()
        wait_until(lambda: any(one.status_code == 429 for one in answers), timeout=PATIENCE_S)
        writer.execute("ROLLBACK")
        writer.close()
        for sender in senders:
            sender.join()
        refused = [one for one in answers if one.status_code == 429]
        again = httpx.post(url, content=body, headers=headers, timeout=2 * PATIENCE_S)

        assert {one.status_code for one in answers} == {202, 429}
        for one in refused:
            assert problem_of(one, 429)["code"] == "busy.queue_full"
            assert int(one.headers["retry-after"]) >= 1
        taken = [one.json() for one in answers if one.status_code == 202]
        assert sum(one["new"] for one in taken) == 1
        assert (again.status_code, again.json()["duplicates"]) == (202, N_BIG)
        assert away.n_rows() == 2


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b'{"a": "' + b"x" * (17 * 2**20) + b'"}', {}, 413),
        (b"[" * 100 + b"]" * 100, {}, 422),
        (b"[" * 200_000, {}, 422),
        (b'{"Fecha": "2025-01-01"', {}, 422),
        (b"\xff\xfe\x00", {}, 422),
        (b"no json", {"Content-Encoding": "gzip"}, 422),
        (b"<a/>", {"Content-Type": "application/xml"}, 415),
        (json.dumps([{"Fecha": "2025-01-01"}] * 10_001).encode(), {}, 413),
    ],
    ids=[
        "too large",
        "too deep",
        "only brackets",
        "cut",
        "no text",
        "not packed",
        "unknown kind",
        "too many",
    ],
)
def test_body_that_cannot_be_taken(calm: Away, content: bytes, headers: dict[str, str], status: int) -> None:
    before = calm.n_rows()

    refused = calm.client.post(
        READINGS, content=content, headers={"Content-Type": "application/json", **headers}
    )

    problem_of(refused, status)
    assert calm.n_rows() == before
    assert calm.client.post(READINGS, json=a_record(SITE, 0)).status_code == 202


def test_a_body_that_ends_early_leaves_nothing(calm: Away) -> None:
    """A connection that breaks within a body has said nothing."""
    before = calm.n_rows()
    line = json.dumps(a_record("Nave 9", 5)).encode() + b"\n"

    def half() -> Iterator[bytes]:
        yield line * 3
        raise ConnectionError

    with pytest.raises((ConnectionError, httpx.HTTPError)):
        calm.client.post(READINGS, content=half(), headers={"Content-Type": "application/x-ndjson"})

    assert calm.client.post(READINGS, json=a_record(SITE, 0)).status_code == 202
    assert calm.n_rows() == before
    assert "Nave 9" not in calm.client.get("/api/v1/sites").text


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Away]:
    """A service on a good day."""
    workspace = declare(tmp_path_factory.mktemp("calm") / "w")
    with near(workspace, sqlite_address(workspace)) as away:
        yield away
