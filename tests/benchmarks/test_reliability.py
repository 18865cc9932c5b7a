"""The benchmark of reliability sees what it is there to see."""

import json
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing, suppress
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from benchmarks.common import child_environment
from benchmarks.reliability.__main__ import Outcome, _duplicated
from benchmarks.reliability.feeding import Feed, build_feed
from benchmarks.reliability.receiving import Receiver, receiver
from benchmarks.reliability.running import contents, readings_lost
from sereno import Workspace

FIGURES = {
    *("kills", "acknowledged_lost", "incidents_duplicated", "notifications_lost"),
    *("repeats_same_key", "repeats_new_key", "equal_to_undisturbed"),
}


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Feed:
    """Two roofs that have learnt, and all that arrives already stored."""
    folder = tmp_path_factory.mktemp("feed")
    found = build_feed(folder, roofs=2, history=40, days=6, seed=3, settings="")
    with Workspace.open(found.start) as workspace:
        workspace.ingest(*found.files, judge=True)
    return found


def test_run_finds_nothing_lost_and_nothing_doubled() -> None:
    command = [sys.executable, "-m", "benchmarks.reliability", "--json", "--quick", "--kills", "3"]

    done = subprocess.run(command, capture_output=True, text=True, env=child_environment(), check=False)

    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document) >= FIGURES
    assert document["kills"] == 3
    assert document["kills_at_work"] >= 1
    assert (document["acknowledged_lost"], document["incidents_duplicated"]) == (0, 0)
    assert document["equal_to_undisturbed"] is True
    assert document["incidents"] >= 1
    assert (document["notifications_lost"], document["repeats_new_key"]) == (0, 0)
    assert document["incidents_told"] >= 1


def test_lost_row_is_seen(feed: Feed) -> None:
    database = feed.start / "sereno.db"
    assert readings_lost(database, list(feed.files)) == 0

    with closing(sqlite3.connect(database)) as connection:
        connection.execute("BEGIN")
        connection.execute("DELETE FROM reading_solar WHERE ts = (SELECT MAX(ts) FROM reading_solar)")
        connection.execute("DELETE FROM file_ledger WHERE name = ?", (feed.files[0].name,))
        connection.commit()

    assert readings_lost(database, list(feed.files)) == 24 + 2


def test_difference_and_double_are_seen(feed: Feed) -> None:
    calm = contents(feed.start / "sereno.db")
    incident = calm["incident"][0]
    twin = incident.replace("('id', '", "('id', 'another ")

    shaken = calm | {"incident": [*calm["incident"], twin]}

    assert shaken != calm
    assert _duplicated(_outcome(shaken), _outcome(calm)) == 1
    assert _duplicated(_outcome(calm), _outcome(calm)) == 0


def _outcome(store: dict[str, list[str]]) -> Outcome:
    return Outcome(store, Receiver(0), 0.0)


def _post(port: int, key: str, event: str, *ids: str) -> int:
    body = json.dumps({"type": event, "data": {"incidents": [{"id": one} for one in ids]}}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", body, {"webhook-id": key})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def test_receiver_counts_repeats_by_key_and_by_content(unused_port: int) -> None:
    with receiver(unused_port, seed=1, is_shaky=False) as told:
        for key, event in (("a", "opened"), ("a", "opened"), ("b", "opened"), ("c", "resolved")):
            with suppress(RemoteDisconnected):
                _post(unused_port, key, event, "i1")

        assert (told.repeats_same_key, told.repeats_new_key) == (1, 1)
        assert told.incidents == {"i1"}


def test_receiver_that_is_down_hears_nothing(unused_port: int) -> None:
    with receiver(unused_port, seed=1, is_shaky=False) as told:
        told.is_down = True

        assert _post(unused_port, "a", "opened", "i1") == 503
        assert told.keys == frozenset()


@pytest.fixture
def unused_port() -> int:
    """A port of loopback that nobody listens on."""
    from benchmarks.reliability.__main__ import _free_port

    return _free_port()


def test_feed_ends_today_and_keeps_its_order(feed: Feed) -> None:
    names = [Path(file).name for file in feed.files]

    assert len(names) == 2 * 6
    assert names == sorted(names, key=lambda name: (name.rpartition("_")[2], name))
