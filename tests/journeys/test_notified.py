"""Promise: each notification reaches its receiver at least once, with a key that makes repeats harmless."""

import os
import random
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.time import system_clock
from sereno.flows.workspace import Workspace
from tests.flows.hooks import a_hook
from tests.journeys.telling import declare_receivers, is_done, notify_later, notify_on, notify_once, open_many
from tests.journeys.worlds import write_rows
from tests.notify.servers import Got, Reply, hang, http_receiver, raw_server
from tests.support.builders import HOUR, a_roof, with_cells
from tests.support.processes import environment, killed_after, sereno, start_sereno, wait_until

KILLED = -9
POINTS = ("notify.before_send", "notify.after_send", "store.before_commit", "store.after_commit")


@pytest.mark.parametrize("point", ["before the answer", "after the answer"])
def test_notifier_killed_while_it_sends_repeats_the_message_under_its_key(tmp_path: Path, point: str) -> None:
    """The receiver itself kills the process that talks to it, once."""
    victim: list[int] = []
    keys: list[str] = []

    def answer(got: Got) -> Reply:
        keys.append(got.headers["webhook-id"])
        if len(keys) == 1:
            kill = threading.Timer(0.0 if point == "before the answer" else 0.001, os.kill, (victim[0], 9))
            kill.start()
            if point == "before the answer":
                kill.join()
        return Reply()

    with http_receiver(answer) as receiver:
        workspace = declare_receivers(tmp_path / "w", ana=receiver.url)
        open_many(workspace, 2)
        first = start_sereno("notifications", "deliver", workspace=workspace)
        victim.append(first.pid)
        first.wait(30)
        first.communicate()
        code, _ = killed_after(None, notify_once, workspace)
        done = is_done(workspace)

    assert (first.returncode, code, done) == (-signal.SIGKILL, 0, True)
    counts = Counter(keys)
    assert set(counts) == {"incident-000:1:ana:0", "incident-001:1:ana:0"}
    assert sum(counts.values()) <= 3
    if point == "before the answer":
        assert counts["incident-000:1:ana:0"] == 2


@pytest.mark.parametrize(("point", "n_sent"), [("notify.before_send", 1), ("notify.after_send", 2)])
def test_notifier_killed_at_a_named_point_loses_nothing(tmp_path: Path, point: str, n_sent: int) -> None:
    with a_hook() as hook:
        workspace = declare_receivers(tmp_path / "w", ana=hook.url)
        open_many(workspace, 2)
        armed = environment(SERENO_TESTING="1", SERENO_FAILPOINT=f"{point}:kill@1")
        first = sereno("notifications", "deliver", workspace=workspace, env=armed)
        code, _ = killed_after(None, notify_once, workspace)
        done = is_done(workspace)

    assert (first.code, code, done) == (KILLED, 0, True)
    assert Counter(hook.keys) == {"incident-000:1:ana:0": n_sent, "incident-001:1:ana:0": 1}


def test_two_notifiers_killed_at_random_and_at_points_lose_nothing(database_url: str, tmp_path: Path) -> None:
    _kill_repeatedly(tmp_path, database_url, seed=0, n_rounds=5, n_incidents=60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 105))
def test_two_notifiers_killed_at_random_and_at_points_lose_nothing_many_times(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    _kill_repeatedly(tmp_path, database_url, seed=seed, n_rounds=25, n_incidents=400)


def _kill_repeatedly(folder: Path, url: str, *, seed: int, n_rounds: int, n_incidents: int) -> None:
    """In every round two notifiers begin, and both are killed."""
    chance = random.Random(seed)
    with a_hook() as one, a_hook() as two, a_hook() as three:
        hooks = {"one": one, "two": two, "three": three}
        urls = {name: hook.url for name, hook in hooks.items()}
        workspace = declare_receivers(folder / "w", store=url, **urls)
        ids = open_many(workspace, n_incidents)
        n_kills = n_midway = 0
        for _ in range(n_rounds):
            with ThreadPoolExecutor(2) as pool:
                ends = list(pool.map(lambda how: killed_after(*how), _ways(chance, workspace)))
            n_kills += sum(code == KILLED for code, _ in ends)
            n_midway += not is_done(workspace)
        code, _ = killed_after(None, notify_later, workspace)
        done = is_done(workspace)

    assert (code, done, n_kills) == (0, True, 2 * n_rounds)
    assert n_midway >= 1
    for name, hook in hooks.items():
        counts = Counter(hook.keys)
        assert set(counts) == {f"{one}:1:{name}:0" for one in ids}
        assert list(dict.fromkeys(hook.keys)) == [f"{one}:1:{name}:0" for one in ids]
        # Who dies has one message of each receiver in hand at most.
        assert sum(counts.values()) - len(counts) <= n_kills


def _ways(chance: random.Random, workspace: Path) -> list[tuple[object, ...]]:
    """How each of two notifiers ends: at a moment, and for every other one at a point before that."""
    points = [f"{chance.choice(POINTS)}:kill@{chance.randint(1, 12)}", ""]
    return [(chance.uniform(0.25, 0.6), notify_on, workspace, one) for one in points]


def test_file_that_arrives_is_told_within_seconds_and_its_end_too(tmp_path: Path) -> None:
    now = system_clock()
    start = np.datetime64(now.replace(tzinfo=None), "h") - np.timedelta64(99, "h")
    roof = a_roof(rows=100, step=HOUR, zone="UTC", start=str(start))
    broken = with_cells(roof, slice(90, 100), "import", 90.0)
    with a_hook() as hook:
        workspace, inbox = declare_receivers(tmp_path / "w", ana=hook.url), tmp_path / "inbox"
        inbox.mkdir()
        watch = start_sereno("watch", inbox, "--interval", 0.1, "--json", workspace=workspace)
        (inbox / "p.part").write_bytes(write_rows(tmp_path / "Planta_1.csv", broken).read_bytes())
        (inbox / "p.part").rename(inbox / "Planta_1.csv")
        wait_until(lambda: bool(hook.events))
        with Workspace.open(workspace) as opened:
            (view,) = opened.incidents()
        shown = sereno("incidents", "show", view.incident.id, "--json", workspace=workspace).document
        watch.send_signal(signal.SIGTERM)
        watch.communicate()

    assert (hook.events, watch.returncode) == (["opened"], 0)
    (proof,) = shown["notifications"]
    assert (proof["receiver"], proof["status"], proof["attempts"][0]["code"]) == ("ana", "sent", "200")
    assert hook.data[0]["incidents"][0]["id"] == view.incident.id  # type: ignore[index]


def test_history_that_arrives_tells_nobody(tmp_path: Path) -> None:
    past = str(np.datetime64(system_clock().replace(tzinfo=None) - timedelta(days=90), "h"))
    roof = with_cells(a_roof(rows=100, step=HOUR, zone="UTC", start=past), slice(90, 100), "import", 90.0)
    with a_hook() as hook:
        workspace, inbox = declare_receivers(tmp_path / "w", ana=hook.url), tmp_path / "inbox"
        inbox.mkdir()
        write_rows(inbox / "Planta_1.csv", roof)
        os.utime(inbox / "Planta_1.csv", (1_700_000_000, 1_700_000_000))
        done = sereno("watch", inbox, "--once", "--json", workspace=workspace)
        incidents = sereno("incidents", "--json", workspace=workspace).document

    assert (done.code, len(incidents)) == (0, 1)
    assert hook.events == []


def test_watch_with_a_receiver_that_cannot_be_refuses_to_start(tmp_path: Path) -> None:
    workspace = declare_receivers(tmp_path / "w", ana="ftp://example.com/x")
    (tmp_path / "inbox").mkdir()

    done = sereno("watch", tmp_path / "inbox", "--once", "--json", workspace=workspace)

    assert done.code == 4
    assert "receivers.ana.options.url" in done.error["message"]


def test_watch_ends_when_told_to_though_a_receiver_hangs(tmp_path: Path) -> None:
    with raw_server(hang) as port:
        workspace = declare_receivers(tmp_path / "w", ana=f"http://127.0.0.1:{port}/x")
        (tmp_path / "inbox").mkdir()
        open_many(workspace, 1)
        watch = start_sereno("watch", tmp_path / "inbox", "--interval", 0.1, workspace=workspace)
        wait_until(lambda: _statuses(workspace) == ["leased"])
        watch.send_signal(signal.SIGTERM)
        code = watch.wait(8)
        watch.communicate()
    with a_hook() as hook:
        declare_receivers(workspace, ana=hook.url)
        after, _ = killed_after(None, notify_once, workspace)

    assert (code, after) == (0, 0)
    assert hook.keys == ["incident-000:1:ana:0"]


def _statuses(workspace: Path) -> list[object]:
    with Workspace.open(workspace) as opened:
        return [one["status"] for one in opened.notifications()]
