"""Messages a second from an MQTT broker to judged readings, each kept before it is acknowledged.

A mosquitto and a `sereno watch` of their own; a publisher sends at QoS 1, as fast as it is acknowledged. Two
rates: until all messages are kept (and so acknowledged), and until all of them are stored and judged.
"""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.common import Goal, child_environment, parse_options, publish
from sereno.flows.workspace import Workspace

__all__ = ["MqttRate", "find_broker", "measure", "messages_per_second"]

N_MESSAGES, N_QUICK = 60_000, 6_000
N_ASSETS, N_SIGNALS = 50, 4
GOAL = 2_000.0
SIGNALS = ("current", "voltage", "active_power", "motor_temperature")
BEGIN = datetime(2025, 3, 1, tzinfo=UTC)
TIMEOUT_S = 600.0
WINDOW = 2_000
"""Messages that the publisher sends ahead of their acknowledgement."""


@dataclass(frozen=True, slots=True)
class MqttRate:
    """What was measured.

    Attributes:
        kept: Messages a second until all are kept and acknowledged.
        judged: Messages a second until all are stored and judged.
        judged_per_cpu_s: Messages for each second of a processor that the engine used: what another load of
            the machine does not change.
        lost, repeated: Readings missing in the end, and more than were sent.
    """

    messages: int
    kept: float
    judged: float
    judged_per_cpu_s: float
    lost: int
    repeated: int


def find_broker() -> str | None:
    """Path of mosquitto; None where it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def messages_per_second(n_messages: int = N_MESSAGES) -> float | None:
    """Messages a second until all are stored and judged; None without a broker."""
    found = measure(n_messages)
    return None if found is None else found.judged


def measure(n_messages: int = N_MESSAGES) -> MqttRate | None:
    """Publish so many messages and follow them; None without a broker."""
    binary = find_broker()
    if binary is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        port = _free_port()
        workspace = _declared(root / "w", port)
        with _broker(binary, root, port), Workspace.open(workspace) as opened, _engine(workspace) as engine:
            _wait_until(lambda: _counts(opened)[1] is not None)
            began, cpu = time.perf_counter(), _cpu_s(engine)
            sender = threading.Thread(target=_send, args=(port, n_messages))
            sender.start()
            kept = _follow(opened, began, n_messages, lambda counts: sum(counts.values()))
            judged = _follow(opened, began, n_messages, lambda counts: counts.get("done", 0))
            cpu = _cpu_s(engine) - cpu
            sender.join()
            with opened.store.read() as tx:
                n_values = tx.n_values()
    missing = n_messages - n_values
    rates = [round(n_messages / seconds, 1) for seconds in (kept, judged, cpu)]
    return MqttRate(n_messages, *rates, lost=max(missing, 0), repeated=max(-missing, 0))


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options = parse_options("mqtt_rate", __doc__ or "", arguments)
    found = measure(options.n_rows or (N_QUICK if options.is_quick else N_MESSAGES))
    goals = {
        "messages_per_s": Goal(None if found is None else found.judged, GOAL, is_floor=True),
        "lost": Goal(None if found is None else float(found.lost), 0.0),
        "repeated": Goal(None if found is None else float(found.repeated), 0.0),
    }
    publish(options, {"mqtt": None if found is None else asdict(found)}, goals)


def _declared(folder: Path, port: int) -> Path:
    folder.mkdir()
    (folder / "sereno.yaml").write_text(
        "timezone: UTC\nsources:\n  planta:\n    kind: mqtt\n    host: 127.0.0.1\n"
        f"    port: {port}\n    topics: ['p/{{site}}/{{asset}}/{{signal}}']\n    profile: motor\n"
    )
    return folder


@contextmanager
def _broker(binary: str, folder: Path, port: int) -> Iterator[None]:
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 0\n"
    )
    command = [binary, "-c", str(folder / "mosquitto.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until(lambda: _answers(port))
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _engine(workspace: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "sereno", "--workspace", str(workspace), "--quiet", "watch"]
    process = subprocess.Popen(command, env=child_environment())
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _send(port: int, n_messages: int) -> None:
    from paho.mqtt.client import Client, MQTTv5
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for number in range(n_messages):
        asset, signal = divmod(number % (N_ASSETS * N_SIGNALS), N_SIGNALS)
        at = BEGIN + timedelta(minutes=number // (N_ASSETS * N_SIGNALS))
        body = json.dumps({"ts": at.isoformat(), "value": 20 + number % 7 / 10})
        last = client.publish(f"p/planta/M{asset}/{SIGNALS[signal]}", body, qos=1)
    last.wait_for_publish(TIMEOUT_S)
    client.disconnect()
    client.loop_stop()


def _cpu_s(process: int) -> float:
    """Seconds of a processor that a process has used; NaN where the system does not tell."""
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return math.nan


def _counts(opened: Workspace) -> tuple[dict[str, int], datetime | None]:
    with opened.store.read() as tx:
        return tx.count_items("planta"), tx.source_state("planta").heard_at


def _follow(opened: Workspace, began: float, wanted: int, count: Callable[[dict[str, int]], int]) -> float:
    """Seconds until so many items are that far."""
    _wait_until(lambda: count(_counts(opened)[0]) >= wanted)
    return time.perf_counter() - began


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    main()
