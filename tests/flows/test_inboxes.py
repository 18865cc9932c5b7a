"""The inbox of a source: in order, through one path, and no more than there is room for."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.contracts.source import Item, is_pushed
from sereno.flows.engines import HeldLease
from sereno.flows.feeds import declared_feeds
from sereno.flows.inboxes import DurableInbox, drain
from sereno.flows.workspace import Workspace
from tests.support.processes import wait_until
from tests.support.sources import BEGIN, declare_sources, stored_values

SOURCE = {"kind": "mqtt", "host": "127.0.0.1", "topics": ["{asset}/{signal}"], "profile": "motor"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(declare_sources(tmp_path / "w", {"planta": SOURCE})) as opened:
        yield opened


def _inbox(workspace: Workspace, **more: int) -> DurableInbox:
    events = threading.Event(), threading.Event()
    return DurableInbox(workspace.store, "planta", workspace.now, HeldLease(), *events, **more)


def _item(number: int) -> Item:
    at = (BEGIN + timedelta(minutes=number)).isoformat()
    return Item(str(number), f'B1/current\0{{"ts": "{at}", "value": {number}}}'.encode())


def _drain(workspace: Workspace, inbox: DurableInbox) -> int:
    (feed,) = declared_feeds(workspace.setup, workspace.store.url)
    assert not hasattr(feed.source, "pattern")
    assert is_pushed(feed.source)  # type: ignore[arg-type]
    return drain(inbox, feed, feed.source, workspace.intake())  # type: ignore[arg-type]


def test_what_is_kept_is_judged_once(workspace: Workspace) -> None:
    inbox = _inbox(workspace)
    inbox.keep([_item(n) for n in range(5)], position="5")
    inbox.keep([_item(n) for n in range(3, 8)])

    counts = [_drain(workspace, inbox) for _ in range(2)]

    assert counts == [8, 0]
    assert list(stored_values(workspace, "current").values()) == [float(n) for n in range(8)]
    assert _inbox(workspace).position == "5"


def test_nothing_more_is_kept_until_there_is_room(workspace: Workspace) -> None:
    inbox = _inbox(workspace, room=3)
    inbox.keep([_item(n) for n in range(4)])
    later = threading.Thread(target=inbox.keep, args=([_item(9)],))
    later.start()
    wait_until(inbox.wake.is_set)
    with workspace.store.read() as tx:
        before = tx.count_items("planta")

    _drain(workspace, inbox)
    later.join(30)

    assert before == {"new": 4}
    with workspace.store.read() as tx:
        assert tx.count_items("planta") == {"new": 1, "done": 4}


def test_what_is_sent_again_takes_no_room(workspace: Workspace) -> None:
    inbox = _inbox(workspace, room=3)
    for _ in range(10):
        inbox.keep([_item(1), _item(2)])

    assert _drain(workspace, inbox) == 2


def test_room_is_known_again_after_a_restart(workspace: Workspace) -> None:
    _inbox(workspace).keep([_item(n) for n in range(4)])
    inbox = _inbox(workspace, room=3)
    inbox.stop.set()

    inbox.keep([_item(9)])  # it does not wait any more, because everything ends

    assert inbox.wake.is_set()
    assert _drain(workspace, inbox) == 5
