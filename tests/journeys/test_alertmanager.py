"""Promise: a real Alertmanager fires what goes on, whoever was killed meanwhile, and nothing that is over."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from sereno.domain.incidents import EventKind
from sereno.domain.time import system_clock
from sereno.flows.workspace import Workspace
from tests.flows.outbox import happen
from tests.journeys.telling import open_many
from tests.support.processes import free_port, start_sereno, wait_until

NAMES = ("prometheus-alertmanager", "alertmanager")
NO_ALERTMANAGER = f"no Alertmanager found: install one ({' or '.join(NAMES)} on the PATH)"
CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


@dataclass
class Alertmanager:
    """A real one on loopback, which is started and killed."""

    program: str
    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        (self.folder / "am.yml").write_text(CONFIG, "utf-8")
        options = {
            "config.file": self.folder / "am.yml",
            "storage.path": self.folder / "data",
            "web.listen-address": f"127.0.0.1:{self.port}",
            "cluster.listen-address": "",
        }
        words = [self.program, *(f"--{name}={value}" for name, value in options.items())]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.firing() is not None)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def firing(self) -> set[str] | None:
        """The incidents whose alerts are active; None while it does not answer."""
        with suppress(URLError, ConnectionError), urlopen(f"{self.url}/api/v2/alerts", timeout=5) as reply:
            found = json.load(reply)
            return {one["labels"].get("incident", one["labels"]["alertname"]) for one in found}
        return None


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    """One that runs, with an empty memory."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(NO_ALERTMANAGER)
    (tmp_path / "am").mkdir()
    found = Alertmanager(program, tmp_path / "am", free_port())
    try:
        found.start()
        yield found
    finally:
        found.kill()


def _declare(folder: Path, url: str) -> Path:
    folder.mkdir()
    options = {"url": url, "allow_private": True, "resend_every": "1s", "holds": "1min"}
    am = {"kind": "alertmanager", "self_test": None, "options": options}
    tree = {"timezone": "UTC", "receivers": {"am": am}, "routes": [{"to": ["am"]}]}
    (folder / "sereno.yaml").write_text(yaml.safe_dump(tree), "utf-8")
    return folder


@contextmanager
def _notifier(workspace: Path) -> Iterator["subprocess.Popen[str]"]:
    process = start_sereno("notifications", "deliver", workspace=workspace)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_alertmanager_that_was_killed_and_forgot_is_told_again(
    alertmanager: Alertmanager, tmp_path: Path
) -> None:
    workspace = _declare(tmp_path / "w", alertmanager.url)
    both = set(open_many(workspace, 2))
    with _notifier(workspace) as first:
        wait_until(lambda: alertmanager.firing() == both)
        alertmanager.kill()
        shutil.rmtree(alertmanager.folder / "data")
        alertmanager.start()
        wait_until(lambda: alertmanager.firing() == both)
        first.send_signal(signal.SIGKILL)
        first.wait()
    alertmanager.kill()
    alertmanager.start()
    assert alertmanager.firing() == set()

    with _notifier(workspace), Workspace.open(workspace) as opened:
        wait_until(lambda: alertmanager.firing() == both)
        now = system_clock().replace(microsecond=0)
        (view,) = [one for one in opened.incidents() if one.incident.id == "incident-000"]
        over = replace(view.incident.worst, ended_at=now)
        happen(opened.store, EventKind.CLEARED, "incident-000", detection=over, at=now)
        wait_until(lambda: alertmanager.firing() == {"incident-001"})
        n_told = len(opened.notifications())

    assert n_told == 3
