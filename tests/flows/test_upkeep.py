"""Channels are tested, silence is told, and a sign of life goes out."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import NotFound
from sereno.domain.incidents import EventKind
from sereno.domain.judgement import Detection
from sereno.domain.signals import AssetKey
from sereno.flows.delivering import running
from sereno.flows.upkeep import Upkeep
from sereno.store import WatchState
from tests.flows.hooks import Site, a_hook, hook_settings, workspace_with
from tests.flows.outbox import DAY, HOUR, MINUTE, NOW, a_failure, happen, open_one, outbox
from tests.support.processes import wait_until

SECOND = timedelta(seconds=1)


def _judged(site: Site, name: str, until: object) -> None:
    """Let an asset have been judged until an instant of the data."""
    key = AssetKey(name, name)
    with site.workspace.store.begin() as tx:
        which = tx.ensure_assets([key], profile="solar", zone="UTC")[key]
        tx.save_watch_state(which, "judge", WatchState(until, b"", ""))  # type: ignore[arg-type]


def test_channel_that_nothing_came_through_for_a_week_is_tested(database_url: str, tmp_path: Path) -> None:
    with a_hook() as hook, a_hook() as used:
        receivers = {
            "ana": hook_settings(hook.url, self_test="7d"),
            "busy": hook_settings(used.url, self_test="7d"),
        }
        with workspace_with(tmp_path, receivers, routes=[{"to": ["busy"]}], url=database_url) as site:
            site.deliver()
            site.deliver(4 * DAY)
            open_one(site.workspace.store, at=site.clock.now, detection=a_failure(last=site.clock.now))
            site.deliver()
            site.deliver(3 * DAY - MINUTE)
            n_early = len(hook.keys)
            for _ in range(3):
                site.deliver(MINUTE)
            site.deliver(6 * DAY)
            site.deliver(DAY)
            (ana, _) = site.workspace.receivers()

    assert n_early == 0
    assert hook.events == ["test", "test"]
    assert used.events == ["opened", "test"]
    assert len(set(hook.keys)) == 2
    assert ana.condition == "ok"


def test_channel_without_self_test_is_left_alone(tmp_path: Path) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        site.deliver()
        site.deliver(99 * DAY)

    assert hook.events == []


def test_test_goes_out_at_once_whatever_waits(tmp_path: Path) -> None:
    with a_hook(503) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        open_one(site.workspace.store)
        site.deliver()
        answer = site.workspace.send_test("ana")
        site.deliver()

    assert answer.code == "200"
    assert hook.events == ["opened", "test", "opened"]  # what waited is tried at once


def test_receiver_that_cannot_be_reached_for_an_hour_is_told_to_others(tmp_path: Path) -> None:
    with a_hook(*[503] * 99) as hook, a_hook() as other:
        receivers = {"ana": hook_settings(hook.url), "luis": hook_settings(other.url)}
        with workspace_with(
            tmp_path, receivers, routes=[{"to": ["ana"]}], dead_man={"to": ["luis"], "after": "99d"}
        ) as site:
            open_one(site.workspace.store)
            site.deliver()
            n_early = len(other.keys)
            site.until(lambda: bool(other.keys), step=5 * MINUTE, most=3 * HOUR)
            (ana, _) = site.workspace.receivers()

    assert (n_early, other.events) == (0, ["channel_broken"])
    assert ana.condition == "broken"


def test_fault_of_ours_does_not_end_the_notifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        notifier = site.workspace.notifier()
        assert notifier is not None
        faults = [KeyError("a profile that left the settings")]
        look = Upkeep.look

        def faulty(upkeep: Upkeep, now: datetime) -> None:
            if faults:
                raise faults.pop()
            look(upkeep, now)

        monkeypatch.setattr(Upkeep, "look", faulty)
        with running(notifier):
            wait_until(lambda: not faults)
            open_one(site.workspace.store)
            notifier.wake()
            wait_until(lambda: bool(hook.keys))

    assert hook.events == ["opened"]


def test_test_that_is_not_taken_says_what_was_answered(tmp_path: Path) -> None:
    with a_hook(401) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        answer = site.workspace.send_test("ana")
        (ana,) = site.workspace.receivers()

        with pytest.raises(NotFound, match="ana"):
            site.workspace.send_test("anna")
    assert (answer.outcome.value, answer.code, ana.condition) == ("refused", "401", "broken")
    assert ana.to_json()["dead"] == 1


def test_silence_of_a_site_is_told_once(database_url: str, tmp_path: Path) -> None:
    with a_hook() as hook:
        settings = {"dead_man": {"to": ["ana"], "after": "6h"}}
        with workspace_with(
            tmp_path, {"ana": hook_settings(hook.url)}, routes=[], url=database_url, **settings
        ) as site:
            _judged(site, "Norte", NOW)
            _judged(site, "Sur", NOW)
            site.deliver()
            site.deliver(4 * HOUR)
            _judged(site, "Norte", site.clock.now)
            site.deliver(HOUR)
            n_early = len(hook.keys)
            for _ in range(3):
                site.deliver(90 * MINUTE)
            first = list(hook.data)
            _judged(site, "Sur", site.clock.now)
            _judged(site, "Norte", site.clock.now)
            site.deliver(5 * HOUR)
            n_calm = len(hook.keys)
            site.deliver(2 * HOUR)

    assert n_early == 0
    assert [one["sites"] for one in first] == [["Sur"]]
    assert "Sur" in str(first[0]["subject"])
    assert n_calm == 1
    assert hook.data[-1]["sites"] == ["Norte", "Sur"]
    assert set(hook.events) == {"dead_man"}


def test_silence_of_all_sites_at_once_is_one_message(tmp_path: Path) -> None:
    with a_hook() as hook:
        settings = {"dead_man": {"to": ["ana"], "after": "6h"}}
        with workspace_with(tmp_path, {"ana": hook_settings(hook.url)}, routes=[], **settings) as site:
            for number in range(30):
                _judged(site, f"Planta {number}", NOW)
            for _ in range(10):
                site.deliver(HOUR)

    assert len(hook.keys) == 1
    assert (hook.data[0]["sites_silent"], hook.data[0]["sites_total"]) == (30, 30)


def test_sign_of_life_is_sent_while_the_notifier_runs(tmp_path: Path) -> None:
    with a_hook() as hook:
        beat = {"dead_man": {"heartbeat": {"to": "watch", "every": "0.2s"}}}
        with workspace_with(tmp_path, {"watch": hook_settings(hook.url)}, routes=[], **beat) as site:
            notifier = site.workspace.notifier()
            assert notifier is not None
            stop = threading.Event()
            thread = threading.Thread(target=notifier.run, args=(stop,))
            thread.start()
            wait_until(lambda: len(hook.keys) >= 2)
            stop.set()
            thread.join()
            kept = outbox(site.workspace.store)

    assert set(hook.events) == {"heartbeat"}
    assert kept == []


def test_what_reaches_today_is_told_though_no_event_says_so(tmp_path: Path) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        store, old = site.workspace.store, a_failure(last=NOW - 9 * DAY)
        open_one(store, detection=old)
        site.deliver()
        n_early = len(hook.keys)
        with store.begin() as tx:
            which = tx.asset_of("incident-1")
            tx.save_detection(which.id, a_failure(started_at=old.started_at, last_at=NOW, n_rows=300))
        site.deliver(MINUTE)
        site.deliver(MINUTE)

    assert (n_early, hook.events) == (0, ["opened"])


def test_what_was_shelved_when_it_began_is_told_when_the_shelving_ends(tmp_path: Path) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}, routes=[]) as site:
        open_one(site.workspace.store)
        happen(site.workspace.store, EventKind.SHELVED, until=(NOW + 2 * HOUR).isoformat())
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        site.deliver(HOUR)
        n_early = len(hook.keys)
        site.deliver(HOUR + SECOND)

    assert (n_early, hook.events) == (0, ["opened"])


def _comes_back(site: Site, after: timedelta, **changes: object) -> Detection:
    """Trouble that was told to be over is back."""
    store, start = site.workspace.store, NOW + after
    open_one(store)
    site.deliver()
    happen(store, EventKind.CLEARED, detection=a_failure(hours=3))
    site.deliver()
    back = replace(a_failure(last=start), started_at=start, peak_at=start, **changes)  # type: ignore[arg-type]
    happen(store, EventKind.REOPENED, detection=back, at=start)
    site.clock.now = start
    return back


def _goes_on(site: Site, back: Detection, last: timedelta) -> None:
    """Its detection grows, which is no event, and time passes."""
    site.clock.now = NOW + last
    with site.workspace.store.begin() as tx:
        asset = tx.asset_of("incident-1")
        tx.save_detection(asset.id, replace(back, last_at=site.clock.now, n_rows=9))
    site.deliver()
    site.deliver()


def test_trouble_that_comes_back_soon_and_lasts_is_told_once_to_who_heard_that_it_was_over(
    database_url: str, tmp_path: Path
) -> None:
    with (
        a_hook() as hook,
        workspace_with(tmp_path, {"ana": hook_settings(hook.url)}, url=database_url) as site,
    ):
        back = _comes_back(site, 2 * HOUR)
        _goes_on(site, back, 4 * HOUR)
        early = list(hook.events)
        for hour in (5, 6, 9):
            _goes_on(site, back, hour * HOUR)
        over = replace(back, last_at=NOW + 9 * HOUR, ended_at=NOW + 10 * HOUR)
        happen(site.workspace.store, EventKind.CLEARED, detection=over, at=NOW + 10 * HOUR)
        site.deliver(2 * HOUR)

    assert early == ["opened", "resolved"]
    assert hook.events == ["opened", "resolved", "reopened", "resolved"]
    assert hook.data[2]["incidents"][0]["condition"] == "active"  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "facts", "is_told"),
    [
        (EventKind.ACKNOWLEDGED, {}, True),
        (EventKind.CLOSED, {"verdict": "expected"}, False),
        (EventKind.SHELVED, {"until": (NOW + DAY).isoformat(), "reason": "obra"}, False),
        (EventKind.SILENCED, {"silence": "obra", "mutes": "opened,reopened"}, False),
    ],
)
def test_what_lasts_is_told_unless_somebody_wants_to_hear_nothing(
    tmp_path: Path, kind: EventKind, facts: dict[str, str], is_told: bool
) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        back = _comes_back(site, 2 * HOUR)
        happen(site.workspace.store, kind, at=NOW + 2 * HOUR, **facts)
        _goes_on(site, back, 9 * HOUR)

    assert hook.events[2:] == (["reopened"] if is_told else [])


def test_what_comes_and_goes_every_hour_for_a_day_is_told_twice(tmp_path: Path) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        back = _comes_back(site, 2 * HOUR)
        for hour in range(3, 23, 2):
            _goes_on(site, back, hour * HOUR)
            over = replace(back, last_at=NOW + hour * HOUR, ended_at=NOW + (hour + 1) * HOUR)
            happen(site.workspace.store, EventKind.CLEARED, detection=over, at=NOW + (hour + 1) * HOUR)
            start = NOW + (hour + 1) * HOUR
            back = replace(back, started_at=start, peak_at=start, last_at=start)
            happen(site.workspace.store, EventKind.REOPENED, detection=back, at=start)
            site.deliver()

    assert hook.events == ["opened", "resolved"]
