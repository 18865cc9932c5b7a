"""What changes is heard as it changes, and nothing is missed by who comes back."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sereno.domain.changes import ChangeKind
from sereno.flows import changes as feed_module
from sereno.flows.changes import ChangeFeed, Listener
from sereno.store import Store
from tests.api.serving import served
from tests.api.test_resources import V1, items
from tests.support.processes import wait_until

Event = dict[str, str]


@contextmanager
def hearing(client: httpx.Client, after: str | None = None, **query: object) -> Iterator[Iterator[Event]]:
    """The events of a stream, as they come."""
    headers = {} if after is None else {"Last-Event-ID": after}
    with client.stream("GET", f"{V1}/events", params=query, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry: ")
        yield events(lines)


def events(lines: Iterator[str]) -> Iterator[Event]:
    """Each event, without the signs of life."""
    event: Event = {}
    for line in lines:
        if not line and event:
            yield event
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def acknowledge(client: httpx.Client, number: str) -> None:
    client.post(f"{V1}/incidents/{number}/acknowledge").raise_for_status()


def comment(client: httpx.Client, number: str, text: str) -> None:
    client.post(f"{V1}/incidents/{number}/comment", json={"text": text}).raise_for_status()


def test_what_happens_is_heard(stored: httpx.Client) -> None:
    number = items(stored, "/incidents")[0]["id"]
    with hearing(stored) as heard:
        comment(stored, number, "x")

        event = next(heard)

    told = json.loads(event["data"])
    assert (event["event"], told["subject"], told["event"]) == ("incident", number, "commented")
    assert event["id"] == str(told["id"])


def test_only_what_was_asked_for_is_heard(acting: httpx.Client) -> None:
    number = items(acting, "/incidents")[0]["id"]
    with hearing(acting, kind="silence") as heard:
        comment(acting, number, "x")
        acting.post(f"{V1}/silences", json={"comment": "x", "ends_at": "2099-01-01T00:00:00Z"})

        assert next(heard)["event"] == "silence"


def test_who_comes_back_hears_what_happened_meanwhile_also_from_another_process(fleet: Path) -> None:
    with served(fleet) as client:
        number = items(client, "/incidents")[0]["id"]
        with hearing(client) as heard:
            comment(client, number, "0")
            last = next(heard)["id"]
        for text in ("1", "2"):
            comment(client, number, text)

    with served(fleet) as client:
        comment(client, number, "3")
        with hearing(client, after=last) as heard:
            comment(client, number, "4")
            found = [next(heard) for _ in range(4)]

    assert [event["event"] for event in found] == ["incident"] * 4
    numbers = [int(event["id"]) for event in found]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > int(last)


@pytest.mark.parametrize("after", ["99999999", "abc", "-1", "9" * 39])
def test_who_cannot_go_on_is_told_to_look_at_everything(looking: httpx.Client, after: str) -> None:
    with hearing(looking, after=after) as heard:
        assert next(heard)["event"] == "reset"


def test_one_poller_looks_for_all(store: Store) -> None:
    feed = ChangeFeed(store, look_every_s=0.05)
    reads = 0
    whole = store.read

    def counted() -> object:
        nonlocal reads
        reads += 1
        return whole()

    with _listeners(feed, 50) as listeners:
        store.read = counted  # type: ignore[method-assign,assignment]
        looks = feed.n_looks
        with store.begin() as tx:
            tx.note(ChangeKind.SILENCE, "a")
        wait_until(lambda: all(one.batches for one in listeners))
        seen = feed.n_looks - looks

        assert [[one.change.subject for one in listener.take()] for listener in listeners] == [["a"]] * 50
        assert reads <= 2 * seen + 2, "looks do not depend on how many listen"
        frames = {id(batch) for listener in listeners for batch in listener.batches}
        assert len(frames) <= 1
    feed.close()


def test_who_is_too_slow_is_let_go_and_can_come_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "MAX_BEHIND", 3)
    feed = ChangeFeed(store, look_every_s=0.01)

    with _listeners(feed, 1) as (slow,):
        wrote: list[str] = []
        while not slow.is_lost:
            wrote.append(str(len(wrote)))
            with store.begin() as tx:
                tx.note(ChangeKind.SILENCE, wrote[-1])
            wait_until(lambda: slow.is_lost or len(slow.batches) >= min(len(wrote), 3))
        taken = slow.take()
        assert len(taken) < len(wrote)
        with feed.listening(lambda: None, after=taken[-1].change.id) as again:
            heard = [one.change.subject for one in taken]

            def has_heard_all() -> bool:
                heard.extend(one.change.subject for one in again.take())
                return len(heard) >= len(wrote)

            wait_until(has_heard_all)

    assert heard == wrote
    feed.close()


def test_nobody_looks_while_nobody_listens(store: Store) -> None:
    feed = ChangeFeed(store, look_every_s=0.01)
    with _listeners(feed, 2):
        wait_until(lambda: feed.n_looks > 0)
    wait_until(lambda: not [one for one in threading.enumerate() if one.name == "changes"])

    before = feed.n_looks
    with feed.listening(lambda: None):
        wait_until(lambda: feed.n_looks > before)
    feed.close()


@contextmanager
def _listeners(feed: ChangeFeed, count: int) -> Iterator[list[Listener]]:
    if not count:
        yield []
        return
    with feed.listening(lambda: None) as one, _listeners(feed, count - 1) as others:
        yield [one, *others]
