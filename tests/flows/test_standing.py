"""What goes on is told again and again to a receiver that forgets, and what is over is over at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from sereno.domain.incidents import EventKind
from sereno.domain.time import system_clock
from sereno.flows.delivering import running
from tests.flows.hooks import Site, workspace_with
from tests.flows.outbox import HOUR, MINUTE, NOW, a_failure, happen, open_one, plants
from tests.notify.servers import Got, Receiver, Reply, http_receiver
from tests.support.processes import wait_until


@dataclass
class Forgetful:
    """What an Alertmanager believes: the last end that each incident was given."""

    ends: dict[str, datetime] = field(default_factory=dict)
    posts: list[list[str]] = field(default_factory=list)

    def answer(self, got: Got) -> Reply:
        self.posts.append([one["labels"]["incident"] for one in got.document])
        for one in got.document:
            self.ends[one["labels"]["incident"]] = datetime.fromisoformat(one["endsAt"])
        return Reply()

    @property
    def firing(self) -> set[str]:
        return {one for one, end in self.ends.items() if end > system_clock()}


def _am(url: str, **options: object) -> dict[str, object]:
    options = {"url": url, "allow_private": True, **options}
    return {"kind": "alertmanager", "self_test": None, "options": options}


@contextmanager
def a_site(folder: Path, receiver: Receiver, url: str | None = None, **options: object) -> Iterator[Site]:
    with workspace_with(folder, {"am": _am(receiver.url, **options)}, url=url) as site:
        yield site


def test_what_goes_on_is_told_again_also_after_a_restart_until_it_is_over(
    database_url: str, tmp_path: Path
) -> None:
    am = Forgetful()
    with http_receiver(am.answer) as receiver:
        with a_site(tmp_path, receiver, database_url) as site:
            for number, key in enumerate(plants(2)):
                open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
            site.deliver()
        am.ends.clear()
        with a_site(tmp_path, receiver, database_url) as site:
            site.deliver()
            after_restart = am.firing
            over = a_failure(asset=plants(1)[0], hours=4)
            happen(site.workspace.store, EventKind.CLEARED, "incident-0", detection=over)
            site.deliver()
            site.deliver()

    assert after_restart == {"incident-0", "incident-1"}
    assert am.firing == {"incident-1"}
    assert am.ends["incident-0"] == NOW + HOUR
    assert am.posts[-1] == ["incident-1"]


@pytest.mark.parametrize("kind", [EventKind.CLOSED, EventKind.WITHDRAWN])
def test_what_somebody_has_closed_or_took_back_is_not_told_again(tmp_path: Path, kind: EventKind) -> None:
    am = Forgetful()
    with http_receiver(am.answer) as receiver, a_site(tmp_path, receiver) as site:
        open_one(site.workspace.store)
        site.deliver()
        gone = a_failure() if kind is EventKind.WITHDRAWN else None
        happen(site.workspace.store, kind, detection=gone, verdict="expected")
        site.deliver()
        n_before = len(am.posts)
        site.deliver()

    assert len(am.posts) == n_before


def test_digest_is_told_again_incident_by_incident(tmp_path: Path) -> None:
    am = Forgetful()
    with http_receiver(am.answer) as receiver:
        receivers = {"am": _am(receiver.url) | {"budget": {"messages": 1, "per": "10min"}}}
        with workspace_with(tmp_path, receivers) as site:
            for number, key in enumerate(plants(3)):
                open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
            site.deliver()
            am.ends.clear()
            site.deliver()

    assert am.firing == {f"incident-{number}" for number in range(3)}


def test_what_has_not_been_told_yet_is_not_told_again(tmp_path: Path) -> None:
    am = Forgetful()
    with http_receiver(am.answer) as receiver:
        quiet = _am(receiver.url) | {"quiet_hours": {"from": "00:00", "to": "23:59"}}
        with workspace_with(tmp_path, {"am": quiet}) as site:
            open_one(site.workspace.store)
            site.deliver()

    assert am.posts == []


def test_end_that_is_overtaken_by_what_is_told_again_is_told_again_too(tmp_path: Path) -> None:
    """While one notifier tells what goes on, another one tells that it is over."""
    am, sites = Forgetful(), list[Site]()

    def answer(got: Got) -> Reply:
        if len(am.posts) == 1 and sites:
            site = sites.pop()
            happen(site.workspace.store, EventKind.CLEARED, detection=a_failure(hours=4))
            notifier = site.workspace.notifier()
            assert notifier is not None
            notifier.deliver_due()
        return am.answer(got)

    with http_receiver(answer) as receiver, a_site(tmp_path, receiver) as site:
        open_one(site.workspace.store)
        site.deliver()
        sites.append(site)
        site.deliver()

    assert am.firing == set()
    assert am.ends["incident-1"] == NOW + HOUR


def test_notifier_at_work_tells_again_every_interval(tmp_path: Path) -> None:
    am = Forgetful()
    with http_receiver(am.answer) as receiver, a_site(tmp_path, receiver, resend_every="1s") as site:
        open_one(site.workspace.store)
        with running(site.workspace.notifier()):
            wait_until(lambda: len(am.posts) >= 4)

    assert all(post == ["incident-1"] for post in am.posts)


def test_receiver_that_hangs_while_it_is_told_again_delays_nobody_else(tmp_path: Path) -> None:
    am, over = Forgetful(), threading.Event()

    def answer(got: Got) -> Reply:
        reply = am.answer(got)
        if len(am.posts) > 1:
            over.wait(30)
        return reply

    with http_receiver(answer) as receiver, http_receiver() as other:
        hook = {"kind": "webhook", "self_test": None, "options": {"url": other.url, "allow_private": True}}
        receivers = {"am": _am(receiver.url, resend_every="1s"), "ana": hook}
        with workspace_with(tmp_path, receivers) as site:
            open_one(site.workspace.store)
            with running(site.workspace.notifier()):
                wait_until(lambda: len(am.posts) == 2)
                late = a_failure(asset=plants(1)[0], last=NOW + MINUTE)
                open_one(site.workspace.store, "incident-2", detection=late)
                wait_until(lambda: len(other.got) == 2)
                n_posts = len(am.posts)
                over.set()

    assert n_posts == 2


def test_what_changes_is_told_also_where_what_goes_on_is_told_all_the_time(tmp_path: Path) -> None:
    am = Forgetful()
    with http_receiver(am.answer) as receiver, a_site(tmp_path, receiver, resend_every="1s") as site:
        open_one(site.workspace.store)
        with running(site.workspace.notifier()):
            wait_until(lambda: len(am.posts) >= 2)
            happen(site.workspace.store, EventKind.CLEARED, detection=a_failure(hours=4))
            wait_until(lambda: site.statuses() == ["sent", "sent"])

    assert am.firing == set()
