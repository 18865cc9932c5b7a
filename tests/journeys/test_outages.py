"""Promise: what a receiver missed arrives soon after its return, in order, and nobody else waits for it."""

import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from sereno.domain.incidents import EventKind
from sereno.domain.judgement import Severity
from tests.flows.hooks import Hook, Site, a_hook, hook_settings, workspace_with
from tests.flows.outbox import HOUR, MINUTE, a_failure, happen, open_one, plants
from tests.journeys.telling import declare_receivers, is_done, open_many
from tests.notify.servers import Got, Reply, http_receiver
from tests.support.processes import free_port, start_sereno, wait_until

SECOND = timedelta(seconds=1)
FIRST, SECOND_ROOF, THIRD = plants(3)
RETRY_AFTER = 2 * MINUTE


@dataclass
class Shaky:
    """A receiver over TLS that is taken away and comes back at the same address."""

    ca_file: Path
    authority: trustme.CA = field(default_factory=trustme.CA)
    context: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    port: int = field(default_factory=free_port)
    taken: list[str] = field(default_factory=list)
    n_asked: int = 0
    reply: Reply = field(default_factory=Reply)
    is_back: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.authority.cert_pem.write_to_path(self.ca_file)
        self.certify("localhost")
        self.is_back.set()

    @property
    def settings(self) -> dict[str, object]:
        url = f"https://localhost:{self.port}/x"
        options = {"url": url, "allow_private": True, "total_timeout": "1s", "ca_file": str(self.ca_file)}
        return hook_settings(url, options=options)

    def certify(self, name: str) -> None:
        self.authority.issue_cert(name).configure_cert(self.context)

    def hear(self, got: Got) -> Reply:
        self.n_asked += 1
        reply = self.reply  # whoever was left hanging is never told that it was taken
        if self.is_back.wait(5) and reply.status == 200:
            self.taken.append(got.headers["webhook-id"])
        return reply

    @contextmanager
    def up(self) -> Iterator[None]:
        with http_receiver(self.hear, tls=self.context, port=self.port):
            yield


@contextmanager
def _down(_: Shaky) -> Iterator[None]:
    yield


def _answering(reply: Reply) -> Callable[[Shaky], object]:
    @contextmanager
    def fault(shaky: Shaky) -> Iterator[None]:
        shaky.reply, before = reply, shaky.reply
        with shaky.up():
            yield
        shaky.reply = before

    return fault


@contextmanager
def _hanging(shaky: Shaky) -> Iterator[None]:
    shaky.is_back.clear()
    shaky.reply, before = Reply(500), shaky.reply
    with shaky.up():
        yield
        shaky.is_back.set()
    shaky.reply = before


@contextmanager
def _wrong_name(shaky: Shaky) -> Iterator[None]:
    shaky.certify("other.example")
    with shaky.up():
        yield
    shaky.certify("localhost")


FAULTS = {
    "down": _down,
    "503": _answering(Reply(503)),
    "429": _answering(Reply(429, headers={"Retry-After": str(int(RETRY_AFTER.total_seconds()))})),
    "hang": _hanging,
    "tls": _wrong_name,
}


def _live(site: Site) -> None:
    """One grows worse and ends, one begins, one begins and ends."""
    store, now = site.workspace.store, site.clock.now
    worse = a_failure(asset=FIRST, severity=Severity.HIGH)
    happen(store, EventKind.UPDATED, "first", detection=worse, at=now)
    site.deliver()
    happen(store, EventKind.CLEARED, "first", detection=_over(FIRST, Severity.HIGH), at=now)
    open_one(store, "second", detection=a_failure(asset=SECOND_ROOF), at=now)
    open_one(store, "third", detection=a_failure(asset=THIRD), at=now)
    site.deliver()
    happen(store, EventKind.CLEARED, "third", detection=_over(THIRD, Severity.MEDIUM), at=now)


def _over(asset: object, severity: Severity) -> object:
    return a_failure(asset=asset, severity=severity, hours=4)  # type: ignore[arg-type]


def _told(keys: list[str]) -> dict[str, list[int]]:
    """Which events of each incident were told, in order."""
    found = defaultdict(list)
    for key in keys:
        incident, seq, *_ = key.split(":")
        found[incident].append(int(seq))
    return found


def _check_told(shaky: Shaky, hook: Hook) -> None:
    """Both know the same of every incident at last, in order and once."""
    ours, theirs = _told(shaky.taken), _told(hook.keys)
    assert theirs == {"first": [1, 2, 3], "second": [1], "third": [1, 2]}
    assert {name: told[-1] for name, told in ours.items()} == {"first": 3, "second": 1, "third": 2}
    assert all(told == sorted(set(told)) for told in ours.values())


@pytest.mark.parametrize(("outage", "most"), [(30 * SECOND, 2 * MINUTE), (30 * MINUTE, HOUR)], ids=str)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_receiver_missed_arrives_soon_after_its_return(
    database_url: str, tmp_path: Path, fault: str, outage: timedelta, most: timedelta
) -> None:
    shaky = Shaky(tmp_path / "ca.pem")
    with a_hook() as hook:
        receivers = {"ana": shaky.settings, "jefa": hook_settings(hook.url)}
        with workspace_with(tmp_path / "w", receivers, url=database_url) as site:
            open_one(site.workspace.store, "first", detection=a_failure(asset=FIRST))
            with shaky.up():
                site.deliver()
            n_before = shaky.n_asked
            with FAULTS[fault](shaky):  # type: ignore[attr-defined]
                _live(site)
                site.deliver()
                meanwhile = set(site.statuses("jefa"))
                for _ in range(6):
                    site.deliver(outage / 6)
            n_asked = shaky.n_asked - n_before
            with shaky.up():
                site.until(
                    lambda: set(site.statuses("ana")) <= {"sent", "folded"}, step=10 * SECOND, most=most
                )

    _check_told(shaky, hook)
    assert meanwhile == {"sent"}
    if fault == "429":
        assert n_asked <= 1 + outage / RETRY_AFTER


def test_receiver_that_is_gone_misses_nothing_when_it_is_tested_and_all_is_sent_again(
    database_url: str, tmp_path: Path
) -> None:
    shaky = Shaky(tmp_path / "ca.pem", reply=Reply(410))
    with a_hook() as hook, shaky.up():
        receivers = {"ana": shaky.settings, "jefa": hook_settings(hook.url)}
        with workspace_with(
            tmp_path / "w", receivers, url=database_url, dead_man={"to": ["jefa"], "after": "99d"}
        ) as site:
            open_one(site.workspace.store, "first", detection=a_failure(asset=FIRST))
            site.deliver()
            _live(site)
            site.deliver(30 * MINUTE)
            n_asked, gone = shaky.n_asked, set(site.statuses("ana"))
            shaky.reply = Reply()
            site.workspace.send_test("ana")
            dead = site.workspace.notifications(statuses=["dead"])
            site.workspace.resend([int(str(one["id"])) for one in dead])
            site.until(lambda: "queued" not in site.statuses("ana"), step=MINUTE, most=HOUR)

    assert (n_asked, gone) == (1, {"dead"})
    assert hook.events.count("channel_broken") == 1
    last = {name: told[-1] for name, told in _told(shaky.taken[1:]).items()}
    assert last == {"first": 3, "second": 1, "third": 2}


@pytest.mark.slow
def test_receiver_that_is_down_for_30_real_seconds_is_told_after_its_return(tmp_path: Path) -> None:
    keys: list[str] = []

    def hear(got: Got) -> Reply:
        keys.append(got.headers["webhook-id"])
        return Reply()

    port = free_port()
    with a_hook() as other:
        workspace = declare_receivers(tmp_path / "w", ana=f"http://127.0.0.1:{port}/x", jefa=other.url)
        ids = open_many(workspace, 5)
        notifier = start_sereno("notifications", "deliver", workspace=workspace)
        try:
            wait_until(lambda: len(other.keys) == 5)
            threading.Event().wait(30)
            with http_receiver(hear, port=port):
                wait_until(lambda: is_done(workspace), timeout=180)
        finally:
            notifier.kill()
            notifier.communicate()

    assert keys == [f"{one}:1:ana:0" for one in ids]
