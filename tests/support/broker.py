"""A mosquitto of our own, on a free port: killed and started again, with what it keeps in a folder."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.processes import free_port, wait_until

__all__ = ["Broker", "running_broker"]


@dataclass
class Broker:
    """A broker that can be killed; what it has acknowledged it keeps."""

    folder: Path
    port: int = field(default_factory=free_port)
    more: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        binary = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if binary is None:
            pytest.skip("mosquitto is not installed: apt-get install mosquitto")
        access = "" if "allow_anonymous" in self.more else "allow_anonymous true\n"
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\n{access}persistence true\nautosave_on_changes true\n"
            f"autosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 0\n"
            f"persistence_location {self.folder}/\nuser root\n{self.more}"
        )
        with (self.folder / "broker.log").open("ab") as log:
            command = [binary, "-c", str(self.folder / "mosquitto.conf")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def publish(self, messages: Iterable[tuple[str, Any]], *, window: int = 500) -> None:
        """Publish at QoS 1 and wait until the broker has acknowledged all; what is no bytes goes as JSON."""
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        client.max_inflight_messages_set(window)
        ready = threading.Event()
        client.on_connect = lambda *_: ready.set()
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        assert ready.wait(10)
        try:
            sent = [client.publish(topic, _body(payload), qos=1) for topic, payload in messages]
            for one in sent:
                one.wait_for_publish(60)
                assert one.is_published()
        finally:
            client.disconnect()
            client.loop_stop()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "broker.log").read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


@contextmanager
def running_broker(folder: Path, more: str = "") -> Iterator[Broker]:
    """A broker for as long as the context lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    broker = Broker(folder, more=more)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def _body(payload: object) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()
