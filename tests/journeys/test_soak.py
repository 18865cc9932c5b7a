"""Promise: a service under a steady load for long keeps its memory, and loses nothing.

`SERENO_SOAK_MINUTES` says how long the long trial lasts, `SERENO_SOAK_RATE` how many readings a second.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.journeys.test_serving import is_ready, serving
from tests.journeys.worlds import declare
from tests.support.processes import free_port, wait_until

if TYPE_CHECKING:
    from subprocess import Popen

MINUTES = float(os.environ.get("SERENO_SOAK_MINUTES", "30"))
RATE = float(os.environ.get("SERENO_SOAK_RATE", "500"))
"""Readings (values of a signal at an instant) per second."""

SIGNALS = (
    "Generación total (kWh)",
    "Consumo total (kWh)",
    "Energía suministrada a la red (kWh)",
    "Energía obtenida de la red (kWh)",
    "Autoconsumo (kWh)",
)
SITES = 50
STEP = timedelta(minutes=15)
START = datetime(2025, 1, 1, tzinfo=UTC)
PATIENCE_S = 120.0
LOOK_S = 1.0
GROWTH = 1.15
"""How much the memory of the second half may exceed that of the first: caches fill, leaks grow on."""

_SENDERS = 4


@dataclass
class Load:
    """Sends the records of all sites, an instant after the other, at a steady rate; each until acknowledged.

    Attributes:
        counts: What the answers said, summed.
        late_s: How far behind its pace it ended.
    """

    url: str
    seconds: float
    rate: float
    counts: dict[str, int] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    n_sent: int = 0
    late_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 0

    def run(self) -> None:
        """Until the time is over and all is acknowledged."""
        self._began = time.monotonic()
        threads = [threading.Thread(target=self._send_all) for _ in range(_SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @property
    def n_requests(self) -> int:
        """Requests of one record per site in the whole time."""
        return max(2, round(self.seconds * self.rate / (SITES * len(SIGNALS))))

    def _send_all(self) -> None:
        with httpx.Client(base_url=self.url, timeout=PATIENCE_S) as client:
            while (number := self._take()) is not None:
                due = self._began + number * self.seconds / self.n_requests
                time.sleep(max(0.0, due - time.monotonic()))
                self._send(client, number)
                with self._lock:
                    self.late_s = max(0.0, time.monotonic() - due)

    def _take(self) -> int | None:
        with self._lock:
            number, self._next = self._next, self._next + 1
        return number if number < self.n_requests else None

    def _send(self, client: httpx.Client, number: int) -> None:
        body = json.dumps([_record(site, number) for site in range(SITES)]).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(number)}
        while True:
            with suppress(httpx.TransportError):
                answer = client.post("/api/v1/readings", content=body, headers=headers)
                with self._lock:
                    self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
                if answer.status_code == httpx.codes.ACCEPTED:
                    self._count(answer.json())
                    return
            time.sleep(0.2)

    def _count(self, said: dict[str, object]) -> None:
        with self._lock:
            self.n_sent += SITES
            for name in ("records", "new", "changed", "duplicates"):
                self.counts[name] = self.counts.get(name, 0) + int(str(said[name]))


def _record(site: int, number: int) -> dict[str, object]:
    """An instant of a roof whose balance closes."""
    made, used = 3.0 + (site + number) % 7, 2.0 + (site + 2 * number) % 5
    own = min(made, used) * 0.75
    at = (START + number * STEP).isoformat()
    values = (made, used, made - own, used - own, own)
    return {"Empresa": f"Nave {site}", "Fecha y hora": at, **dict(zip(SIGNALS, values, strict=True))}


@dataclass
class Watch:
    """Looks at a process and those that it has begun from time to time.

    Attributes:
        resident: Memory that they held at each look [bytes].
        files: Open files of all of them.
    """

    process: "Popen[str]"
    resident: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look as long as the context lasts."""
        stop = threading.Event()
        thread = threading.Thread(target=self._look, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _look(self, stop: threading.Event) -> None:
        folder = Path(f"/proc/{self.process.pid}")
        while not stop.wait(LOOK_S):
            with suppress(OSError):
                begun = [one.read_text("ascii").split() for one in folder.glob("task/*/children")]
                folders = [folder, *(Path(f"/proc/{number}") for numbers in begun for number in numbers)]
                pages = sum(int((one / "statm").read_text("ascii").split()[1]) for one in folders)
                self.resident.append(pages * os.sysconf("SC_PAGE_SIZE"))
                self.files.append(sum(len(list((one / "fd").iterdir())) for one in folders))

    def growth(self) -> float:
        """Memory of the last quarter, as a share of that of the second one: after what only comes once."""
        n = len(self.resident) // 4
        if n == 0:
            return 1.0
        return _median(self.resident[-n:]) / _median(self.resident[n : 2 * n])


def _median(values: list[int]) -> float:
    return float(sorted(values)[len(values) // 2])


def _soak(workspace: Path, seconds: float) -> tuple[Load, Watch, list[object]]:
    """The load against a service of its own; what is stored at the end is read behind its back."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    load = Load(url, seconds, RATE)
    with serving(workspace, port, SERENO__SERVICE__LIMITS__KEY_RATE="100000") as process:
        wait_until(lambda: is_ready(url), timeout=PATIENCE_S)
        watch = Watch(process)
        with watch.looking():
            load.run()
        process.terminate()
        process.wait(PATIENCE_S)
        assert process.returncode == 0
    return load, watch, _stored(workspace)


def _stored(workspace: Path) -> list[object]:
    """Site and instant of each stored row."""
    import sqlite3

    with closing(sqlite3.connect(workspace / "sereno.db")) as connection:
        query = "SELECT asset.name, r.ts FROM reading_solar r JOIN asset ON asset.id = r.asset_id"
        return connection.execute(query).fetchall()


def _check(load: Load, stored: list[object]) -> None:
    n_records = load.n_requests * SITES
    assert load.n_sent == n_records
    assert set(load.statuses) <= {202, 429, 503}
    assert len(stored) == len(set(map(str, stored))) == n_records
    assert load.counts["new"] == n_records


def test_a_short_soak_loses_nothing(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "w")

    load, watch, stored = _soak(workspace, 4.0)

    _check(load, stored)
    assert watch.resident


@pytest.mark.slow
def test_a_soak_keeps_its_memory_and_loses_nothing(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "w")

    load, watch, stored = _soak(workspace, MINUTES * 60)

    figures = {
        "minutes": MINUTES,
        "readings": load.n_sent * len(SIGNALS),
        "statuses": load.statuses,
        "late_s": round(load.late_s, 2),
        "memory_mib": [
            round(watch.resident[i] / 2**20)
            for i in range(0, len(watch.resident), max(1, len(watch.resident) // 12))
        ],
        "growth": round(watch.growth(), 3),
        "files": [watch.files[0], max(watch.files), watch.files[-1]],
    }
    print(json.dumps(figures))  # noqa: T201 - the figures are what a long trial is for
    _check(load, stored)
    assert watch.growth() < GROWTH
    assert watch.files[-1] <= 2 * watch.files[len(watch.files) // 4]
