"""What is queued arrives, once in effect, in order, whatever its receiver does meanwhile."""

import socket
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import StoreUnreachable, UsageError
from sereno.domain.incidents import EventKind
from sereno.domain.judgement import Severity
from sereno.flows import delivering
from sereno.flows.lanes import summed_up
from sereno.store.outbox import LEASED
from tests.flows.hooks import Reply, Site, a_hook, hook_settings, workspace_with
from tests.flows.outbox import HOUR, MINUTE, NOW, a_failure, happen, open_one, plants
from tests.notify.servers import Got, closed_port, hang, http_receiver, raw_server
from tests.support.processes import wait_until

SECOND = timedelta(seconds=1)
HOUR_AND_A_BIT = timedelta(hours=1, minutes=1)
DAYS_3 = timedelta(hours=72)


def test_opened_incident_arrives_with_key_sentence_and_facts(database_url: str, tmp_path: Path) -> None:
    with (
        a_hook() as hook,
        workspace_with(tmp_path, {"ana": hook_settings(hook.url)}, url=database_url) as site,
    ):
        open_one(site.workspace.store)
        report = site.deliver()
        again = site.deliver(DAYS_3)
        (proof,) = site.workspace.told_of("incident-1")

    assert hook.keys == ["incident-1:1:ana:0"]
    assert (hook.events, hook.data[0]["language"]) == (["opened"], "en")
    (incident,) = hook.data[0]["incidents"]  # type: ignore[misc]
    assert (incident["site"], incident["timezone"]) == ("Planta 1", "Europe/Madrid")
    assert incident["sentence"] in str(hook.data[0]["text"])
    assert report.to_json() == {"accepted": 1, "retry": 0, "refused": 0, "gone": 0}
    assert again.to_json()["accepted"] == 0
    assert (proof["receiver"], proof["event"], proof["status"], proof["sent_at"]) == (
        "ana",
        "opened",
        "sent",
        "2025-06-01T12:00:00Z",
    )
    (attempt,) = proof["attempts"]  # type: ignore[misc]
    assert (attempt["outcome"], attempt["code"], attempt["detail"]) == ("accepted", "200", "ok")


def test_language_of_the_workspace_is_that_of_receivers_without_one(tmp_path: Path) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"a": hook_settings(hook.url, language=None)}) as site:
        open_one(site.workspace.store)
        site.deliver()

    assert hook.data[0]["language"] == "es"
    assert hook.data[0]["incidents"][0]["sentence_es"] in str(hook.data[0]["text"])  # type: ignore[index]


@pytest.mark.parametrize("answer", [503, 500, 429, 425, 408])
def test_what_is_not_taken_is_tried_again_with_the_same_key_until_it_is(
    database_url: str, tmp_path: Path, answer: int
) -> None:
    with (
        a_hook(*[answer] * 4) as hook,
        workspace_with(tmp_path, {"ana": hook_settings(hook.url)}, url=database_url) as site,
    ):
        open_one(site.workspace.store)
        site.deliver()
        waited = site.until(lambda: len(hook.keys) == 5, step=5 * SECOND, most=HOUR)
        (proof,) = site.workspace.told_of("incident-1")

    assert set(hook.keys) == {"incident-1:1:ana:0"}
    assert 0.8 * 450 <= waited.total_seconds() <= 1.2 * 450 + 20  # 30 + 60 + 120 + 240 s
    assert [one["code"] for one in proof["attempts"]] == [str(answer)] * 4 + ["200"]  # type: ignore[union-attr]
    assert proof["status"] == "sent"


def test_receiver_that_was_down_for_a_day_is_told_within_an_hour_of_its_return(tmp_path: Path) -> None:
    with a_hook(always=503) as hook, workspace_with(tmp_path, {"a": hook_settings(hook.url)}) as site:
        open_one(site.workspace.store)
        site.deliver()
        for _ in range(24 * 4):
            site.deliver(15 * MINUTE)
        hook.always = Reply(200)
        n_before = len(hook.keys)
        waited = site.until(lambda: len(hook.keys) > n_before, step=MINUTE, most=2 * HOUR)
        statuses = site.statuses()

    assert waited <= HOUR_AND_A_BIT
    assert statuses == ["sent"]


@pytest.mark.parametrize("way", ["refused", "503"])
def test_what_fires_and_clears_while_its_receiver_is_down_is_one_message(
    database_url: str, tmp_path: Path, way: str
) -> None:
    with a_hook(*[503] * (2 if way == "503" else 0)) as hook:
        url = hook.url if way == "503" else f"http://127.0.0.1:{closed_port()}/x"
        with workspace_with(tmp_path, {"ana": hook_settings(url)}, url=database_url) as site:
            open_one(site.workspace.store)
            site.deliver()
            site.deliver(40 * SECOND)
            happen(site.workspace.store, EventKind.CLEARED, detection=a_failure(hours=4))
            before = len(hook.keys)
        with workspace_with(tmp_path, {"ana": hook_settings(hook.url)}, url=database_url) as site:
            site.deliver(10 * MINUTE)
            proof = site.workspace.told_of("incident-1")

    assert hook.events[before:] == ["opened_and_resolved"]
    assert hook.keys[-1] == "incident-1:2:ana:0"
    assert [one["status"] for one in proof] == ["folded", "sent"]
    assert {one["sent_at"] for one in proof} == {"2025-06-01T12:10:00Z"}


def test_what_came_and_went_many_times_is_one_message(tmp_path: Path) -> None:
    with a_hook(503) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        store = site.workspace.store
        open_one(store)
        site.deliver()
        happen(store, EventKind.UPDATED, detection=a_failure(severity=Severity.HIGH))
        happen(store, EventKind.CLEARED, detection=a_failure(severity=Severity.HIGH, hours=4))
        worse = a_failure(started_at=NOW + HOUR, last_at=NOW + HOUR, severity=Severity.CRITICAL)
        happen(store, EventKind.REOPENED, detection=worse)
        site.deliver(MINUTE)

    assert hook.events == ["opened", "opened"]
    assert hook.keys[1] == "incident-1:4:ana:0"
    assert hook.data[1]["incidents"][0]["severity"] == "critical"  # type: ignore[index]


def test_what_came_back_and_went_while_its_receiver_was_down_is_no_first_opening(tmp_path: Path) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        store = site.workspace.store
        open_one(store)
        site.deliver()
        happen(store, EventKind.CLEARED, detection=a_failure(hours=4))
        site.deliver(MINUTE)
        hook.always = Reply(503)
        back = NOW + 30 * HOUR
        worse = a_failure(started_at=back, last_at=back, severity=Severity.HIGH)
        happen(store, EventKind.REOPENED, detection=worse, at=back)
        site.deliver(30 * HOUR)
        ended = a_failure(started_at=back, last_at=back + HOUR, ended_at=back + 2 * HOUR)
        happen(store, EventKind.CLEARED, detection=ended, at=back + 2 * HOUR)
        hook.always = Reply(200)
        site.deliver(2 * HOUR)

    assert hook.events == ["opened", "resolved", "reopened", "reopened_and_resolved"]


@pytest.mark.parametrize(
    ("events", "amount"),
    [
        (("opened", "resolved"), "opened_and_resolved"),
        (("opened", "resolved", "reopened"), "opened"),
        (("opened_and_resolved", "reopened"), "opened"),
        (("opened", "resolved", "reopened", "resolved"), "opened_and_resolved"),
        (("reopened", "resolved"), "reopened_and_resolved"),
        (("reopened", "resolved", "reopened"), "reopened"),
        (("reopened_and_resolved", "reopened_and_resolved"), "reopened_and_resolved"),
        (("resolved", "reopened", "resolved"), "resolved"),
        (("resolved", "reopened_and_resolved"), "resolved"),
        (("opened", "escalated"), "escalated"),
        (("opened", "withdrawn"), "withdrawn"),
        (("updated", "updated"), "updated"),
    ],
)
def test_several_messages_amount_to_one_word(events: tuple[str, ...], amount: str) -> None:
    assert summed_up(events) == amount


def test_message_that_may_have_arrived_keeps_its_key_whatever_comes_of_it_later(tmp_path: Path) -> None:
    with a_hook(502, 503) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        open_one(site.workspace.store)
        site.deliver()
        site.deliver(HOUR)
        happen(site.workspace.store, EventKind.CLEARED, detection=a_failure(hours=4))
        site.deliver(HOUR)

    assert hook.events == ["opened", "opened", "opened", "resolved"]
    assert len(set(hook.keys[:3])) == 1


def test_message_that_may_have_arrived_keeps_its_key_and_its_words(tmp_path: Path) -> None:
    with raw_server(hang) as port:
        deaf = hook_settings(f"http://127.0.0.1:{port}/x")
        deaf["options"] = {**deaf["options"], "total_timeout": "0.3s"}  # type: ignore[dict-item]
        with workspace_with(tmp_path, {"ana": deaf}) as site:
            open_one(site.workspace.store)
            site.deliver()
            happen(site.workspace.store, EventKind.CLEARED, detection=a_failure(hours=4))
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        site.deliver(10 * MINUTE)

    assert hook.events == ["opened", "resolved"]
    assert hook.keys == ["incident-1:1:ana:0", "incident-1:2:ana:0"]


def test_retry_after_is_obeyed_by_the_whole_lane(tmp_path: Path) -> None:
    busy = Reply(429, headers={"Retry-After": "600"})
    with a_hook(busy) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        open_one(site.workspace.store)
        site.deliver()
        open_one(site.workspace.store, "incident-2", detection=a_failure(asset=plants(2)[1]))
        for _ in range(9):
            site.deliver(MINUTE)
        n_early = len(hook.keys)
        site.deliver(MINUTE)

    assert n_early == 1
    assert hook.keys[1:] == ["incident-1:1:ana:0", "incident-2:1:ana:0"]


def test_messages_leave_in_the_order_of_the_events(tmp_path: Path) -> None:
    with a_hook(200, 503, 503) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        for number, key in enumerate(plants(6)):
            open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
        site.until(lambda: len(hook.keys) == 8, step=10 * SECOND, most=HOUR)

    order = [f"incident-{n}:1:ana:0" for n in (0, 1, 1, 1, 2, 3, 4, 5)]
    assert hook.keys == order


def statuses_of(site: Site) -> dict[object, object]:
    return {one["receiver"]: one["status"] for one in site.workspace.notifications()}


def test_receiver_that_hangs_delays_nobody_else(tmp_path: Path) -> None:
    def never_answer(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65_536)
        over.wait()

    with raw_server(never_answer) as port, a_hook() as hook:
        patient = {"url": f"http://127.0.0.1:{port}/x", "read_timeout": "60s", "total_timeout": "60s"}
        deaf = hook_settings("", options={**patient, "allow_private": True})
        with workspace_with(tmp_path, {"deaf": deaf, "ana": hook_settings(hook.url)}) as site:
            open_one(site.workspace.store)
            notifier = site.workspace.notifier()
            assert notifier is not None
            stop = threading.Event()
            thread = threading.Thread(target=notifier.run, args=(stop,))
            thread.start()
            # Sent to one while the answer of the other is still awaited, whichever lane was begun first.
            wait_until(lambda: statuses_of(site) == {"ana": "sent", "deaf": "leased"}, timeout=30)
            stop.set()
            thread.join()

    assert hook.keys == ["incident-1:1:ana:0"]


def test_what_never_arrives_is_given_up_visibly_and_can_be_sent_again(
    database_url: str, tmp_path: Path
) -> None:
    with (
        a_hook(always=503) as hook,
        workspace_with(tmp_path, {"ana": hook_settings(hook.url)}, url=database_url) as site,
    ):
        open_one(site.workspace.store)
        waited = site.until(lambda: site.statuses() == ["dead"], step=30 * MINUTE, most=DAYS_3 + 2 * HOUR)
        (dead,) = site.workspace.notifications(statuses=["dead"])
        n_tries = len(hook.keys)
        hook.always = Reply(200)
        site.deliver(5 * HOUR)
        n_silent = len(hook.keys)
        site.workspace.resend([int(str(dead["id"]))])
        site.deliver()
        with pytest.raises(UsageError, match="not given up"):
            site.workspace.resend([int(str(dead["id"]))])

        assert site.statuses() == ["sent"]
    assert DAYS_3 <= waited <= DAYS_3 + 2 * HOUR
    assert n_tries == n_silent > 72
    assert set(hook.keys) == {"incident-1:1:ana:0"}


def test_refused_message_is_given_up_at_once_and_holds_up_nobody(tmp_path: Path) -> None:
    with a_hook(400) as hook, a_hook() as other:
        receivers = {"ana": hook_settings(hook.url), "jefa": hook_settings(other.url)}
        with workspace_with(
            tmp_path, receivers, routes=[{"to": ["ana"]}], dead_man={"to": ["jefa", "ana"]}
        ) as site:
            for number, key in enumerate(plants(2)):
                open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
            site.deliver()
            site.deliver()
            dead, sent = site.workspace.told_of("incident-0")[0], site.workspace.told_of("incident-1")[0]
            (ana, _) = site.workspace.receivers()

    assert (dead["status"], dead["reason"], sent["status"]) == ("dead", "400 ok", "sent")
    assert other.events == ["channel_broken"]
    assert "ana" in str(other.data[0]["subject"])
    assert (other.data[0]["broken"], other.data[0]["reason"]) == ("ana", "400 ok")
    assert ana.condition == "ok"  # the next message arrived


def test_message_that_its_receiver_cannot_digest_holds_up_the_others_for_an_hour_at_most(
    tmp_path: Path,
) -> None:
    """A receiver that fails on one message alone, as a parser does."""
    taken: list[str] = []

    def answer(got: Got) -> Reply:
        is_poison = got.headers["webhook-id"].startswith("incident-0:")
        if not is_poison:
            taken.append(got.headers["webhook-id"])
        return Reply(500 if is_poison else 200)

    with (
        http_receiver(answer) as receiver,
        workspace_with(tmp_path, {"ana": hook_settings(receiver.url)}) as site,
    ):
        for number, key in enumerate(plants(4)):
            open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
        waited = site.until(lambda: len(taken) == 3, step=MINUTE, most=3 * HOUR)
        late = a_failure(asset=plants(5)[4], last=site.clock.now)
        open_one(site.workspace.store, "incident-4", detection=late, at=site.clock.now)
        then = site.until(lambda: len(taken) == 4, step=MINUTE, most=HOUR)
        happen(site.workspace.store, EventKind.COMMENTED, "incident-1", text="visto")
        site.until(lambda: "dead" in site.statuses(), step=20 * MINUTE, most=DAYS_3 + 2 * HOUR)
        statuses = site.statuses()

    assert taken == [f"incident-{number}:1:ana:0" for number in (1, 2, 3, 4)]
    assert waited <= 75 * MINUTE
    assert then <= 2 * MINUTE
    assert sorted(statuses) == ["dead", *["sent"] * 4]


def test_end_overtakes_no_beginning_that_stepped_aside(tmp_path: Path) -> None:
    with a_hook(always=503) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        for number, key in enumerate(plants(2)):
            open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
        for _ in range(40):
            site.deliver(2 * MINUTE)
        over = a_failure(asset=plants(1)[0], hours=4)
        happen(site.workspace.store, EventKind.CLEARED, "incident-0", detection=over, at=site.clock.now)
        n_before, hook.always = len(hook.keys), Reply(200)
        site.until(lambda: len(hook.keys) - n_before >= 2, step=MINUTE, most=3 * HOUR)
        site.deliver(3 * HOUR)

    told = dict(zip(hook.keys[n_before:], hook.events[n_before:], strict=True))
    assert told == {"incident-1:1:ana:0": "opened", "incident-0:2:ana:0": "opened_and_resolved"}


def test_receiver_that_is_gone_is_told_nothing_more_and_says_so(tmp_path: Path) -> None:
    with a_hook(410) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        for number, key in enumerate(plants(3)):
            open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
        site.deliver()
        open_one(site.workspace.store, "incident-3", detection=a_failure(asset=plants(4)[3]))
        site.deliver(HOUR)
        n_told, statuses, (ana,) = len(hook.keys), site.statuses(), site.workspace.receivers()
        answer = site.workspace.send_test("ana")
        (dead, *_) = site.workspace.notifications(statuses=["dead"])
        site.workspace.resend([int(str(dead["id"]))])
        site.deliver()
        (after,) = site.workspace.receivers()

    assert (n_told, statuses, ana.condition) == (1, ["dead"] * 4, "disabled")
    assert (answer.code, after.condition) == ("200", "ok")
    assert hook.events[1:] == ["test", "opened"]


def test_receiver_that_left_the_settings_leaves_its_messages_visible(tmp_path: Path) -> None:
    with a_hook() as hook:
        with workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
            open_one(site.workspace.store)
        with workspace_with(tmp_path, {"luis": hook_settings(hook.url)}) as site:
            site.deliver()
            (dead,) = site.workspace.notifications()

    assert (dead["status"], hook.keys) == ("dead", [])
    assert "settings" in str(dead["reason"])


def test_answer_that_the_store_did_not_take_holds_up_the_lane_no_longer_than_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        notifier = site.workspace.notifier()
        assert notifier is not None
        open_one(site.workspace.store)
        with monkeypatch.context() as broken:
            broken.setattr(delivering, "settle", _refuse)
            notifier.deliver_due()
        notifier.deliver_due()
        notifier.deliver_due()

    assert hook.keys == ["incident-1:1:ana:0"] * 2


def _refuse(*_: object) -> None:
    raise StoreUnreachable(store="sqlite:///w", detail="database is locked")


def test_lost_lease_is_sent_again_with_its_key_by_the_next_process(tmp_path: Path) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        open_one(site.workspace.store)
        with site.workspace.store.begin() as tx:
            tx.lock_receiver("ana", NOW)
            tx.lease_head("ana", NOW, until=NOW + HOUR, owner="elsewhere/1/abc/def")
        site.deliver(50 * MINUTE)
        n_early, statuses = len(hook.keys), site.statuses()
        site.deliver(11 * MINUTE)

    assert (n_early, statuses) == (0, [LEASED])
    assert hook.keys == ["incident-1:1:ana:0"]


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forth"])
def test_clock_that_jumps_sends_nothing_twice_and_loses_nothing(tmp_path: Path, jump: timedelta) -> None:
    with a_hook(503) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        open_one(site.workspace.store)
        site.deliver()
        site.deliver(jump)
        for number in range(1, 4):
            detection = a_failure(asset=plants(4)[number], last=site.clock.now)
            open_one(site.workspace.store, f"incident-{number + 1}", detection=detection, at=site.clock.now)
        site.deliver(-jump)
        site.until(lambda: len(hook.keys) >= 5, step=10 * SECOND, most=2 * HOUR)
        site.deliver(2 * HOUR)

    assert hook.keys == ["incident-1:1:ana:0", *(f"incident-{n}:1:ana:0" for n in range(1, 5))]


def test_two_notifiers_on_one_store_send_everything_once_in_order(database_url: str, tmp_path: Path) -> None:
    many = {"messages": 1000, "per": "10min"}
    with a_hook() as one, a_hook() as two:
        hooks = {"one": one, "two": two}
        receivers = {name: hook_settings(hook.url, budget=many) for name, hook in hooks.items()}
        with workspace_with(tmp_path, receivers, url=database_url) as site:
            for number, key in enumerate(plants(25)):
                open_one(site.workspace.store, f"incident-{number:02d}", detection=a_failure(asset=key))
            notifiers = [site.workspace.notifier() for _ in range(2)]
            threads = [threading.Thread(target=one.deliver_due) for one in notifiers if one is not None]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            site.deliver()

    for name, hook in hooks.items():
        assert hook.keys == [f"incident-{number:02d}:1:{name}:0" for number in range(25)]


def test_nothing_is_sent_inside_a_transaction(tmp_path: Path) -> None:
    """The receiver itself writes to the store while it is being told: it must not wait for us."""
    with workspace_with(tmp_path, {"ana": hook_settings("http://127.0.0.1:1/x")}) as site:
        open_one(site.workspace.store)
        seen: list[str] = []

        def answer(_: object) -> Reply:
            happen(site.workspace.store, EventKind.COMMENTED, text="recibido")
            seen.extend(site.statuses())
            return Reply()

        with (
            http_receiver(answer) as receiver,
            workspace_with(tmp_path, {"ana": hook_settings(receiver.url)}) as telling,
        ):
            telling.deliver()
            statuses = telling.statuses()

    assert (seen, statuses) == (["leased"], ["sent"])
