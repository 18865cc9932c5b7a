"""Promise: what a service acknowledged is stored, once, whatever ends the service."""

import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.journeys.worlds import declare
from tests.support.postgres import fresh_database
from tests.support.processes import environment, free_port, sereno, start_sereno, wait_until
from tests.support.stores import Dump, count, differences, dump, sqlite_address

if TYPE_CHECKING:
    from subprocess import Popen

START = datetime(2025, 1, 1, tzinfo=UTC)
SITES = ("Nave 1", "Nave 2", "Nave 3")
POINTS = ("store.before_commit", "store.after_commit")
WAIT_S = 60.0
LOG = "service.log"
Record = dict[str, object]


def a_record(site: str, hour: int) -> Record:
    """An hour of a roof; from time to time its balance does not close for a while."""
    made, used = 10.0 + hour % 7, 6.0 + hour % 5
    own = min(made, used) * 0.75
    wrong = 9.0 if hour % 60 in range(40, 46) else 0.0
    return {
        "Empresa": site,
        "Fecha y hora": (START + timedelta(hours=hour)).isoformat(),
        "Generación total (kWh)": made,
        "Consumo total (kWh)": used,
        "Autoconsumo (kWh)": own,
        "Energía suministrada a la red (kWh)": made - own + wrong,
        "Energía obtenida de la red (kWh)": used - own,
    }


@dataclass
class Sender:
    """Sends the hours of a site in order, each until it is acknowledged, as a gateway does."""

    site: str
    url: str
    n_hours: int
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[int] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Until all is acknowledged, or somebody says to stop."""
        for hour in range(self.n_hours):
            while not self.stop.is_set():
                if self._send(hour):
                    self.acknowledged.append(hour)
                    break
                time.sleep(0.05)

    def _send(self, hour: int) -> bool:
        try:
            answer = httpx.post(
                f"{self.url}/api/v1/readings",
                json=a_record(self.site, hour),
                headers={"Idempotency-Key": f"{self.site}/{hour}", "Connection": "close"},
                timeout=WAIT_S,
            )
        except httpx.TransportError:
            return False
        if answer.status_code not in {202, 503}:
            self.odd.append(answer.text)
        return answer.status_code == 202


@contextmanager
def sending(*senders: Sender) -> Iterator[None]:
    """The senders at work, each in a thread; at the end they are told to stop."""
    threads = [threading.Thread(target=one.run, daemon=True) for one in senders]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for one in senders:
            one.stop.set()
        for thread in threads:
            thread.join(WAIT_S)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def serving(workspace: Path, port: int, *options: object, **env: str) -> Iterator["Popen[str]"]:
    """`sereno serve`, not necessarily ready; killed at the end if it still runs."""
    open_to_all = environment(SERENO__SERVICE__AUTH="false", **env)
    process = start_sereno("serve", "--port", port, *options, workspace=workspace, env=open_to_all)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stored_hours(address: str) -> dict[str, list[str]]:
    """The instants that are stored of each site."""
    found: dict[str, list[str]] = {site: [] for site in SITES}
    for row in dump(address).get("reading_solar", []):
        fields = dict(row)  # type: ignore[call-overload]
        site = next(site for site in SITES if site in str(fields))
        found[site].append(str(fields["ts"]))
    return found


def undisturbed(folder: Path, n_hours: int) -> Dump:
    """What the same records come to when nobody ends anything."""
    declare(folder)
    from sereno.flows.taking import Submission
    from sereno.flows.workspace import Workspace

    with Workspace.open(folder) as workspace:
        for hour in range(n_hours):
            workspace.take([Submission([a_record(site, hour)]) for site in SITES])
    return what_matters(sqlite_address(folder))


def what_matters(address: str) -> Dump:
    found = dump(address, with_history=False)
    for name in ("request", "file_ledger", "data_issue", "quarantined_row"):
        found.pop(name, None)
    return found


def send_through_kills(workspace: Path, points: Sequence[str], n_hours: int) -> list[Sender]:
    """Everything sent while the service is killed time and again.

    At a named point the process that stores ends, and is begun again; then the service is killed, too.
    """
    port, chance = free_port(), random.Random(1)
    url = f"http://127.0.0.1:{port}"
    senders = [Sender(site, url, n_hours) for site in SITES]
    with sending(*senders):
        for point in points:
            env = {"SERENO_FAILPOINT": point, "SERENO_TESTING": "1", "SERENO__LOGGING__FILE": LOG}
            before, n_ended = sum(len(one.acknowledged) for one in senders), n_ends(workspace)
            wanted = before + chance.randrange(8)

            def is_time(wanted: int = wanted, n_ended: int = n_ended, *, waits: bool = bool(point)) -> bool:
                n_acknowledged = sum(len(one.acknowledged) for one in senders)
                return n_acknowledged > wanted and (n_ends(workspace) > n_ended or not waits)

            with serving(workspace, port, **(env if point else {})) as process:
                wait_until(is_time, timeout=WAIT_S)
                process.kill()
                process.wait(WAIT_S)
        with serving(workspace, port) as process:
            wait_until(lambda: all(len(one.acknowledged) == n_hours for one in senders), timeout=3 * WAIT_S)
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_S) == 0
    return senders


def n_ends(workspace: Path) -> int:
    """How often the process that stores has ended, as the log says."""
    log = workspace / LOG
    return log.read_text("utf-8").count("engine process ended") if log.exists() else 0


@pytest.mark.parametrize(
    ("points", "n_hours"),
    [
        pytest.param(["", *(f"{point}:kill@9" for point in POINTS)], 45, id="short"),
        pytest.param(
            ["", "", *(f"{point}:kill@{n}" for point in POINTS for n in (7, 8, 11, 14, 20, 30))] * 4,
            600,
            id="long",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_was_acknowledged_survives_kills_and_nothing_is_twice(
    tmp_path: Path, points: list[str], n_hours: int
) -> None:
    wanted = undisturbed(tmp_path / "calm", n_hours)
    workspace = declare(tmp_path / "killed")

    senders = send_through_kills(workspace, points, n_hours)

    assert [one.odd for one in senders] == [[]] * len(SITES)
    assert differences(what_matters(sqlite_address(workspace)), wanted) == {}
    assert len(wanted["incident"]) > 0


def test_everything_that_is_stored_was_answered_when_a_service_stops_under_load(tmp_path: Path) -> None:
    workspace, port = declare(tmp_path / "w"), free_port()
    url = f"http://127.0.0.1:{port}"
    senders = [Sender(site, url, 10_000) for site in SITES]

    with serving(workspace, port) as process:
        wait_until(lambda: is_ready(url), timeout=WAIT_S)
        with sending(*senders):
            wait_until(lambda: all(len(one.acknowledged) > 10 for one in senders), timeout=WAIT_S)
            process.send_signal(signal.SIGTERM)
            code = process.wait(WAIT_S)

    assert code == 0
    stored = stored_hours(sqlite_address(workspace))
    assert {site: len(hours) for site, hours in stored.items()} == {
        one.site: len(one.acknowledged) for one in senders
    }


@pytest.mark.parametrize(
    ("n_requests", "per_s"),
    [
        pytest.param(60, None, id="short"),
        pytest.param(30 * 60 * 10, 10.0, id="half_an_hour", marks=pytest.mark.slow),
    ],
)
def test_memory_stays_flat_and_nothing_is_lost_under_a_steady_load(
    tmp_path: Path, n_requests: int, per_s: float | None
) -> None:
    workspace, port = declare(tmp_path / "w"), free_port()
    url = f"http://127.0.0.1:{port}"
    n_new = 0

    with serving(workspace, port), httpx.Client(base_url=url, timeout=WAIT_S) as client:
        wait_until(lambda: is_ready(url), timeout=WAIT_S)
        began, warm = time.monotonic(), 0
        for number in range(n_requests):
            if number == n_requests // 4:
                warm = resident_bytes(client)
            if per_s is not None:
                time.sleep(max(0.0, began + number / per_s - time.monotonic()))
            records = [a_record(f"Nave {site}", number) for site in range(50)]
            answer = client.post("/api/v1/readings", json=records)
            n_new += answer.json()["new"]
        grown = resident_bytes(client) - warm

    assert n_new == 50 * n_requests == count(sqlite_address(workspace), "reading_solar")
    assert grown < 40_000_000


def resident_bytes(client: httpx.Client) -> float:
    """What the service says that all its processes hold."""
    return float(client.get("/health").json()["memory_mb"]) * 1e6


def test_second_engine_is_refused_both_ways(tmp_path: Path) -> None:
    workspace, port = declare(tmp_path / "w"), free_port()
    (tmp_path / "inbox").mkdir()

    with serving(workspace, port):
        wait_until(lambda: is_ready(f"http://127.0.0.1:{port}"), timeout=WAIT_S)
        watch = sereno("watch", tmp_path / "inbox", "--once", workspace=workspace)
        serve = sereno("serve", "--port", 0, workspace=workspace)
        taken = sereno("serve", "--port", port, workspace=declare(tmp_path / "other"))
    watched = declare(tmp_path / "watched")
    with start_sereno("watch", tmp_path / "inbox", workspace=watched) as watching:
        wait_until((watched / ".engine.holder").exists, timeout=WAIT_S)
        beside = sereno("serve", "--port", 0, workspace=watched)
        watching.terminate()
        watching.communicate()

    assert [ran.code for ran in (watch, serve, beside, taken)] == [5, 5, 5, 2]
    assert "serve --role all" in watch.err
    assert "cannot listen" in taken.err


def test_a_role_of_its_own_needs_a_server(tmp_path: Path) -> None:
    ran = sereno("serve", "--role", "api", "--port", 0, workspace=tmp_path)

    assert ran.code == 2
    assert "PostgreSQL" in ran.err


def test_roles_apart_on_a_server_come_to_what_one_process_comes_to(
    tmp_path: Path, postgres_server: str
) -> None:
    n_hours = 60
    wanted = undisturbed(tmp_path / "calm", n_hours)
    with fresh_database(postgres_server) as url:
        workspace = declare(tmp_path / "w", url=url)
        sereno("summary", workspace=workspace)
        ports = [free_port() for _ in range(4)]
        with (
            serving(workspace, ports[0], "--role", "api"),
            serving(workspace, ports[1], "--role", "api"),
            serving(workspace, ports[2], "--role", "engine"),
            serving(workspace, ports[3], "--role", "notifier"),
        ):
            urls = [f"http://127.0.0.1:{port}" for port in ports]
            wait_until(lambda: all(is_ready(one) for one in urls), timeout=2 * WAIT_S)
            senders = [
                # Both doors hear of every site: what one stored the other one knows.
                Sender(site, door, n_hours)
                for site in SITES
                for door in urls[:2]
            ]
            with sending(*senders):
                wait_until(
                    lambda: all(len(one.acknowledged) == n_hours for one in senders), timeout=3 * WAIT_S
                )
            no_door = httpx.post(f"{urls[2]}/api/v1/readings", json=a_record("Nave 1", 0)).status_code

        assert differences(what_matters(url), wanted) == {}
        assert count(url, "request") == len(SITES) * n_hours
    assert [one.odd for one in senders] == [[]] * len(senders)
    assert no_door == 404


def test_incident_of_an_answered_record_opens_after_a_kill(tmp_path: Path) -> None:
    declare(tmp_path)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    died = {"SERENO_FAILPOINT": "put_off.before_keeping:kill@1", "SERENO_TESTING": "1"}
    with serving(tmp_path, port, **died, SERENO__LOGGING__FILE=LOG) as process:
        wait_until(lambda: is_ready(url), timeout=WAIT_S)
        for hour in range(36, 46):
            assert (
                httpx.post(f"{url}/procesar", json=a_record(SITES[0], hour), timeout=WAIT_S).status_code
                == 200
            )
        wait_until(lambda: n_ends(tmp_path) > 0, timeout=WAIT_S)
        assert incidents_at(url) == []
        process.kill()
        process.wait(WAIT_S)

    with serving(tmp_path, port):
        wait_until(lambda: bool(is_ready(url) and incidents_at(url)), timeout=WAIT_S)


def incidents_at(url: str) -> list[object]:
    found: list[object] = httpx.get(f"{url}/api/v1/incidents", timeout=WAIT_S).json()["items"]
    return found
