"""Alerts from a reading to a receiver: how many a second, how soon, and whether the cost grows.

Every 90 hours each of some gas clients reports a temperature that cannot be, and then ones that can: one
incident of one client, told to a webhook on this machine by the notifier of `sereno watch`. Never so many at
the same time that they would be one trouble of the fleet. What an alert costs at the end over what it costs
at the beginning is told in time, and in processor time for machines that others use, too.
"""

import argparse
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, sleep

import numpy as np

from benchmarks.common import Goal, Options, publish, tell
from sereno import Workspace
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.flows.delivering import running

N_ALERTS, N_QUICK = 100_000, 1_000
N_ASSETS, N_QUICK_ASSETS = 500, 100
N_SINGLE, N_QUICK_SINGLE = 200, 30
PAUSE_S = 0.05
"""Between two single alerts."""
PATIENCE_S = 120.0
"""Without anything arriving for so long, what is missing counts as lost."""
LATENCY_P95_S, GROWTH = 2.0, 1.5
MARGIN = 0.1
"""Share of the alerts at either end whose costs are compared."""
IMPOSSIBLE_C, USUAL_C = 150.0, 15.0
START = np.datetime64("2020-01-01T00", "us")
HOUR, N_HOURS = np.timedelta64(1, "h"), 90
"""Two alerts of one client are two incidents, and fewer than 32 begin within two hours."""

SETTINGS = """\
language: en
timezone: UTC
notify_horizon: 36500d
receivers:
  bench:
    kind: webhook
    budget: {{messages: 1000000000, per: 1s}}
    options: {{url: "http://127.0.0.1:{port}/", allow_private: true, secrets: ["{secret}"]}}
routes:
  - {{match: {{severity: low}}, to: [bench]}}
"""
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


class Receiver:
    """A webhook that notes when each key first came, and how often one came again."""

    def __init__(self) -> None:
        self.arrived: list[float] = []
        self.n_repeats = 0
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    def hear(self, key: str) -> None:
        """One request."""
        with self._lock:
            if key in self._keys:
                self.n_repeats += 1
                return
            self._keys.add(key)
            self.arrived.append(perf_counter())

    def wait_for(self, count: int) -> bool:
        """Wait until so many came; False when nothing comes any more."""
        known, since = -1, perf_counter()
        while len(self.arrived) < count:
            if len(self.arrived) != known:
                known, since = len(self.arrived), perf_counter()
            elif perf_counter() - since > PATIENCE_S:
                return False
            sleep(0.01)
        return True


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options, n_alerts = _options(arguments)
    n_assets = N_QUICK_ASSETS if options.is_quick else N_ASSETS
    n_single = N_QUICK_SINGLE if options.is_quick else N_SINGLE
    with TemporaryDirectory(prefix="sereno-alerts-") as folder, _receiver() as (port, receiver):
        (Path(folder) / "sereno.yaml").write_text(SETTINGS.format(port=port, secret=SECRET), "utf-8")
        with Workspace.open(folder) as workspace, running(workspace.notifier()) as notifier:
            assert notifier is not None
            tell(f"{n_single} alerts, one at a time")
            soon = _one_by_one(workspace, notifier.wake, receiver, n_single)
            tell(f"{n_alerts} alerts over {n_assets} clients")
            flood = _flood(workspace, notifier.wake, receiver, n_alerts, n_assets)
    publish(
        options,
        {**flood, "stored_to_attempt_s": soon, "repeats": receiver.n_repeats},
        {
            "lost": Goal(flood["lost"], 0),
            "stored_to_attempt_p95_s": Goal(soon["p95"], LATENCY_P95_S),
            "last_over_first": Goal(flood["last_over_first"], GROWTH),
            "cpu_last_over_first": Goal(flood["cpu_last_over_first"], GROWTH),
        },
    )


def _options(arguments: Sequence[str] | None) -> tuple[Options, int]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help="a small run, for tests")
    parser.add_argument("--data", type=Path, help="not used: the alerts are made here")
    parser.add_argument("--alerts", type=int, help=f"how many, {N_ALERTS} unless said")
    given = parser.parse_args(arguments)
    n_alerts = given.alerts or (N_QUICK if given.quick else N_ALERTS)
    return Options(given.json, given.quick, given.data, None), n_alerts


def _one_by_one(
    workspace: Workspace, wake: Callable[[], None], receiver: Receiver, n_alerts: int
) -> dict[str, float | None]:
    """Seconds from the commit of a reading to the request that tells of it."""
    waits = []
    for number in range(n_alerts):
        before = len(receiver.arrived)
        workspace.add(_readings("single", 1, number), zone="UTC", judge=True)
        stored = perf_counter()
        wake()
        if receiver.wait_for(before + 1):
            waits.append(max(0.0, receiver.arrived[before] - stored))
        sleep(PAUSE_S)
    if not waits:
        return {"p50": None, "p95": None}
    return {name: round(float(np.quantile(waits, q)), 4) for name, q in (("p50", 0.5), ("p95", 0.95))}


def _flood(
    workspace: Workspace, wake: Callable[[], None], receiver: Receiver, n_alerts: int, n_assets: int
) -> dict[str, float | None]:
    """Alerts as fast as they are taken, and what those at the end cost over those at the beginning."""
    before, costs, spent, begun = len(receiver.arrived), [], [], perf_counter()
    for number in range(n_alerts // n_assets):
        start, used = perf_counter(), process_time()
        workspace.add(_readings("flood", n_assets, number), zone="UTC", judge=True)
        costs.append((perf_counter() - start) / n_assets)
        wake()
        receiver.wait_for(before + (number + 1) * n_assets)
        spent.append((process_time() - used) / n_assets)
    whole = perf_counter() - begun
    n_told = len(receiver.arrived) - before
    arrived = np.array(receiver.arrived[before:])
    ends = max(1, int(MARGIN * len(costs)))
    edge = max(2, int(MARGIN * n_told))
    first, last = arrived[:edge], arrived[-edge:]
    told = [float(np.median(np.diff(part))) if len(part) > 1 else float("nan") for part in (first, last)]
    opened, cpu = ([float(np.median(of[:ends])), float(np.median(of[-ends:]))] for of in (costs, spent))
    return {
        "alerts": n_told,
        "lost": n_alerts // n_assets * n_assets - n_told,
        "alerts_per_s": round(n_told / whole, 1),
        "opened_first_ms": round(1000 * opened[0], 3),
        "opened_last_ms": round(1000 * opened[1], 3),
        "told_first_ms": round(1000 * told[0], 3),
        "told_last_ms": round(1000 * told[1], 3),
        "last_over_first": round((opened[1] + told[1]) / (opened[0] + told[0]), 3),
        "cpu_first_ms": round(1000 * cpu[0], 3),
        "cpu_last_ms": round(1000 * cpu[1], 3),
        "cpu_last_over_first": round(cpu[1] / cpu[0], 3),
    }


def _readings(site: str, n_assets: int, number: int) -> Readings:
    """The number-th stretch of hours of so many clients, in each of which one cannot be."""
    assets = tuple(AssetKey(f"{site} {n}", f"{site} {n}") for n in range(n_assets))
    hours = START + (number * N_HOURS + np.arange(N_HOURS)) * HOUR
    day = USUAL_C + np.arange(N_HOURS) % 24 / 10
    # Not the last hour: the alert would go on into the next stretch.
    is_wrong = np.arange(N_HOURS) == np.arange(n_assets)[:, None] % (N_HOURS - 1)
    values = np.where(is_wrong, IMPOSSIBLE_C, day).reshape(-1, 1)
    return Readings(
        profile="gas",
        assets=assets,
        asset_index=np.repeat(np.arange(n_assets, dtype=np.int32), N_HOURS),
        time=np.tile(hours.astype("datetime64[us]"), n_assets),
        signals=("temperature",),
        values=values,
        quality=np.zeros(values.shape, dtype=np.int32),
    )


@contextmanager
def _receiver() -> Iterator[tuple[int, Receiver]]:
    """A webhook receiver on a free port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if body["type"] != "test":
                receiver.hear(self.headers["webhook-id"])
            self.send_response(202)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


if __name__ == "__main__":
    main()
