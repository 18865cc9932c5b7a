"""How many records a service takes by HTTP, and how long each waits, beside the first system's way.

`http` is the first system's door, `POST /procesar`: the record is stored and committed to disk, and its
verdict known, before its answer. `score` is what that system did of it: a record is judged and nothing is
stored. Both once more with all of the service on one core. Latencies are those of an open loop at a fixed
rate: a request that is due while the service is busy waits, and that counts. The client shares the machine
with the service. How many go at most is asked over 64 connections, where it is stored over 32 too, and of
the first system over 1 and 4; the best counts.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from urllib.request import urlopen

import numpy as np

from benchmarks.common import Goal, Options, child_environment, parse_options, publish, tell
from benchmarks.service_load import Load, closed_loop, open_loop, request_of
from benchmarks.solar_fleet import Fleet, build_fleet

__all__ = ["main"]

RATE_PER_S = 200.0
SECONDS, QUICK_SECONDS = 20.0, 2.0
STORED, SCORED = "/procesar", "/api/v1/score"
CONNECTIONS, PEER_CONNECTIONS = (32, 64), (1, 4)
BATCH_ROWS = 1_000
BATCHES, QUICK_BATCHES = 20, 3
MQTT_MESSAGES, QUICK_MQTT_MESSAGES = 20_000, 2_000
OPEN_TO_ALL = {
    "OMP_NUM_THREADS": "1",
    "SERENO__SERVICE__AUTH": "false",
    "SERENO__SERVICE__LIMITS__KEY_RATE": "1e6",
    "SERENO__SERVICE__LIMITS__ADDRESS_RATE": "1e6",
}
"""One client is all the load: what keeps one from taking everything would be what is measured."""
P99_MS = 20.0
_FIRST_RECORDS, _PAUSE_S = 200, 1.0
RATIO = 10.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("service", str(__doc__), arguments)
    with TemporaryDirectory(prefix="sereno-service-") as scratch:
        tell("building and training a fleet")
        fleet = build_fleet(Path(scratch) / "workspace", options)
        figures = _figures(fleet, Path(scratch), options)
    publish(options, figures, _goals(figures))


def _figures(fleet: Fleet, scratch: Path, options: Options) -> dict[str, object]:
    seconds = QUICK_SECONDS if options.is_quick else SECONDS
    stream = _Stream(fleet)
    with _served(fleet.folder) as url:
        _warm_up(url, stream)
        started_mb = _held_mb(url)
        stored = _offered(url, stream, STORED, RATE_PER_S, seconds)
        half = _offered(url, stream, STORED, RATE_PER_S / 2, seconds)
        most, n_connections = _most(url, stream, STORED, CONNECTIONS, seconds)
        scored = _scored(url, stream, seconds)
        tell(f"{BATCH_ROWS} records at a time")
        batches = closed_loop(
            url,
            stream.batches(url, QUICK_BATCHES if options.is_quick else BATCHES),
            n_connections=1,
            seconds=600,
        )
        ended_mb = _held_mb(url)
    with _served(fleet.folder, beginning=_on_one_core()) as url:
        tell("the service on one core")
        _warm_up(url, stream)
        stored_one_core = _offered(url, stream, STORED, RATE_PER_S, seconds)
        one_core = _scored(url, stream, seconds)
    peer = _peer(fleet, scratch, seconds)
    batch = _shown(batches) | {"rows": BATCH_ROWS, "records_per_s": round(batches.per_s * BATCH_ROWS, 1)}
    return {
        "http": _shown(stored)
        | {"requests_per_s": round(most.per_s, 1), "offered_per_s": RATE_PER_S, "refused": stored.n_refused},
        "http_one_core": _shown(stored_one_core)
        | {"offered_per_s": RATE_PER_S, "refused": stored_one_core.n_refused},
        "http_half": _shown(half) | {"offered_per_s": RATE_PER_S / 2, "refused": half.n_refused},
        "http_most": _shown(most) | {"connections": n_connections, "refused": most.n_refused},
        "score": scored,
        "score_one_core": one_core,
        "batch": batch,
        "mqtt_messages_per_s": _mqtt(options),
        "peer": peer,
        "ratio": _ratio(most.per_s, peer),
        "ratio_score": _ratio(scored["requests_per_s"], peer),
        "ratio_score_one_core": _ratio(one_core["requests_per_s"], peer),
        "ratio_batch": _ratio(batches.per_s * BATCH_ROWS, peer),
        "memory_mb": {"start": started_mb, "end": ended_mb},
    }


def _goals(figures: Mapping[str, object]) -> dict[str, Goal]:
    of: Mapping[str, Mapping[str, float]] = figures  # type: ignore[assignment]
    ratios = {name: figures[name] for name in ("ratio", "ratio_score")}
    return {
        "http_p99_ms": Goal(of["http"]["p99_ms"], P99_MS),
        "http_one_core_p99_ms": Goal(of["http_one_core"]["p99_ms"], P99_MS),
        "score_p99_ms": Goal(of["score"]["p99_ms"], P99_MS),
        "score_one_core_p99_ms": Goal(of["score_one_core"]["p99_ms"], P99_MS),
    } | {
        name: Goal(None if ratio is None else float(str(ratio)), RATIO, is_floor=True)
        for name, ratio in ratios.items()
    }


def _warm_up(url: str, stream: "_Stream") -> None:
    """The first records, and a pause in which what follows from them is worked out for the first time."""
    tell("warming up")
    closed_loop(url, stream.requests(url, STORED, _FIRST_RECORDS), n_connections=4, seconds=60)
    sleep(_PAUSE_S)


def _scored(url: str, stream: "_Stream", seconds: float) -> dict[str, float]:
    """Single records that are judged and not stored, as the first system did."""
    tell("warming up")
    closed_loop(url, stream.requests(url, SCORED, 1_000), n_connections=4, seconds=60)
    due = _offered(url, stream, SCORED, RATE_PER_S, seconds)
    most, n_connections = _most(url, stream, SCORED, CONNECTIONS[-1:], seconds)
    return _shown(due) | {
        "requests_per_s": round(most.per_s, 1),
        "connections": n_connections,
        "offered_per_s": RATE_PER_S,
        "refused": due.n_refused + most.n_refused,
    }


def _offered(url: str, stream: "_Stream", path: str, per_s: float, seconds: float) -> Load:
    """One record at a time, so many a second whatever becomes of them."""
    tell(f"{path}: one record at a time, {per_s:g} a second")
    return open_loop(url, stream.requests(url, path, int(per_s * seconds)), per_s=per_s)


def _most(
    url: str, stream: "_Stream", path: str, connections: Sequence[int], seconds: float
) -> tuple[Load, int]:
    """One record at a time, as many as go, and over how many connections most do."""
    loads = {}
    for n in connections:
        tell(f"{path}: one record at a time, as many as go over {n} connections")
        many = stream.requests(url, path, int(3_000 * seconds))
        loads[n] = closed_loop(url, many, n_connections=n, seconds=seconds)
    best = max(loads, key=lambda n: loads[n].per_s)
    return loads[best], best


class _Stream:
    """Records of the fleet that follow each other for ever, day after day, none twice."""

    def __init__(self, fleet: Fleet) -> None:
        self._records = fleet.records
        self._n_sent = 0

    def next(self) -> Mapping[str, object]:
        """The next record: the days go on where the given ones end."""
        round_, position = divmod(self._n_sent, len(self._records))
        self._n_sent += 1
        record = dict(self._records[position])
        day, month, year = str(record["Fecha"]).split(".")
        n_days = len({one["Fecha"] for one in self._records})
        at = date(int(year), int(month), int(day)) + timedelta(days=round_ * n_days)
        return record | {"Fecha": at.strftime("%d.%m.%Y")}

    def requests(self, url: str, path: str, n: int) -> Iterator[bytes] | Sequence[bytes]:
        """Requests of one record each."""
        return _Lazily(lambda: request_of(url, path, json.dumps(self.next()).encode()), n)

    def batches(self, url: str, n: int) -> Sequence[bytes]:
        """Requests of many records each."""
        path = "/api/v1/readings?energy_unit=Wh"
        return _Lazily(
            lambda: request_of(url, path, json.dumps([self.next() for _ in range(BATCH_ROWS)]).encode()), n
        )


class _Lazily(Sequence[bytes]):
    """Requests that are made when they are sent, so that none is used up that is not."""

    def __init__(self, make: object, n: int) -> None:
        self._make = make
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._n):
            yield self._make()  # type: ignore[operator]

    def __getitem__(self, _: object) -> bytes:  # type: ignore[override]
        return self._make()  # type: ignore[operator,no-any-return]


@contextmanager
def _on_one_core() -> Iterator[None]:
    """What is begun meanwhile works on one core; where the system does not know that, on all."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def _served(folder: Path, beginning: AbstractContextManager[None] | None = None) -> Iterator[str]:
    """The address of a `sereno serve` that is begun within `beginning`."""
    command = [sys.executable, "-m", "sereno", "--workspace", str(folder), "--json", "serve", "--port", "0"]
    with beginning or nullcontext():
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=child_environment() | OPEN_TO_ALL,
        )
    assert child.stdout is not None
    lines = iter(child.stdout.readline, "")
    said = ""
    for line in lines:
        said += line
        if line.startswith("}"):
            break
    try:
        yield str(json.loads(said)["url"])
    finally:
        child.terminate()
        child.wait()


def _peer(fleet: Fleet, scratch: Path, seconds: float) -> dict[str, object] | None:
    """The first system's way; None where Flask is not installed."""
    if find_spec("flask") is None:
        return None
    tell("the first system's way")
    rows = scratch / "rows.npy"
    np.save(rows, fleet.rows * 1000.0)
    command = [sys.executable, "-m", "benchmarks.service_peer", str(rows)]
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=child_environment() | {"OMP_NUM_THREADS": "1"},
    )
    assert child.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(child.stdout.readline())}"
        requests = [request_of(url, "/procesar", json.dumps(one).encode()) for one in fleet.records]
        # Flask's own server ends a connection with its answer.
        many = requests * (1 + int(2_000 * seconds) // len(requests))
        loads = {n: closed_loop(url, many, n_connections=n, seconds=seconds) for n in PEER_CONNECTIONS}
    finally:
        child.terminate()
        child.wait()
    best = max(loads, key=lambda n: loads[n].per_s)
    return _shown(loads[best]) | {"requests_per_s": round(loads[best].per_s, 1), "connections": best}


def _mqtt(options: Options) -> float | None:
    """Messages a second from the broker to the store; None where that benchmark or a broker is not there."""
    if find_spec("benchmarks.mqtt_rate") is None:
        return None
    n = QUICK_MQTT_MESSAGES if options.is_quick else MQTT_MESSAGES
    found = import_module("benchmarks.mqtt_rate").messages_per_second(n)
    return None if found is None else float(found)


def _shown(load: Load) -> dict[str, float]:
    quantiles = np.quantile(load.latencies, [0.5, 0.95, 0.99]) * 1000.0
    names = ("p50_ms", "p95_ms", "p99_ms")
    return {name: round(float(value), 2) for name, value in zip(names, quantiles, strict=True)} | {
        "n": len(load.latencies)
    }


def _ratio(per_s: float, peer: Mapping[str, object] | None) -> float | None:
    return None if peer is None else round(per_s / float(str(peer["requests_per_s"])), 2)


def _held_mb(url: str) -> float | None:
    """What the service says that its processes hold."""
    with urlopen(f"{url}/health") as answer:
        held: float | None = json.load(answer)["memory_mb"]
    return held


if __name__ == "__main__":
    main()
