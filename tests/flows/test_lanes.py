"""Budgets, quiet hours and digests: less is told at a time, nothing is lost."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sereno.domain.incidents import EventKind
from sereno.domain.judgement import Severity
from sereno.flows.lanes import retry_delay
from sereno.flows.windows import next_digest, quiet_until
from sereno.settings.alerting import DigestSettings, QuietHours
from tests.flows.hooks import Hook, Site, a_hook, hook_settings, workspace_with
from tests.flows.outbox import HOUR, MINUTE, a_failure, happen, open_one, plants
from tests.notify.servers import Reply

SECOND = timedelta(seconds=1)
NIGHT = {"from": "22:00", "to": "07:00"}


def _open_many(
    site: Site, count: int, *, first: int = 0, severity: Severity = Severity.MEDIUM, tag: str = "i"
) -> None:
    now = site.clock.now
    for number, key in enumerate(plants(first + count)[first:], start=first):
        detection = a_failure(asset=key, last=now, severity=severity)
        open_one(site.workspace.store, f"{tag}-{number:04d}", detection=detection, at=now)


def _told_ids(hook: Hook) -> list[str]:
    """The incidents of all messages that were taken."""
    return [str(one) for data in hook.data for one in data["incident_ids"]]  # type: ignore[attr-defined]


def _most_in(times: list[datetime], span: timedelta) -> int:
    return max(sum(begin <= at < begin + span for at in times) for begin in times)


def test_flood_is_ten_messages_of_which_the_last_is_a_digest_and_nothing_is_lost(
    database_url: str, tmp_path: Path
) -> None:
    with (
        a_hook() as hook,
        workspace_with(tmp_path, {"ana": hook_settings(hook.url)}, url=database_url) as site,
    ):
        _open_many(site, 120)
        site.deliver()
        with site.workspace.store.read() as tx:
            told = tx.told_since(site.clock.now)

    assert hook.events == ["opened"] * 9 + ["digest"]
    assert Counter(told) == {("ana", f"i-{n:04d}", site.clock.now): 1 for n in range(120)}
    assert Counter(_told_ids(hook)) == {f"i-{n:04d}": 1 for n in range(120)}
    assert hook.data[-1]["incidents_total"] == 111


def test_storm_that_goes_on_keeps_to_the_budget_in_every_stretch_of_time(tmp_path: Path) -> None:
    taken: list[datetime] = []
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        for minute in range(40):
            _open_many(site, 3, first=3 * minute)
            before = len(hook.keys)
            site.deliver()
            taken += [site.clock.now] * (len(hook.keys) - before)
            site.clock.move(MINUTE)
        for _ in range(12):
            before = len(hook.keys)
            site.deliver(MINUTE)
            taken += [site.clock.now] * (len(hook.keys) - before)
        statuses = set(site.statuses())

    assert Counter(_told_ids(hook)) == {f"i-{n:04d}": 1 for n in range(120)}
    assert _most_in(taken, 10 * MINUTE) <= 10
    assert statuses == {"sent", "folded"}


@pytest.mark.slow
def test_flood_of_ten_thousand_detections_over_500_assets_is_ten_messages(tmp_path: Path) -> None:
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        _open_many(site, 500)
        for round_ in range(19):
            for number, key in enumerate(plants(500)):
                detection = a_failure(asset=key, n_rows=2 ** (round_ + 1))
                happen(site.workspace.store, EventKind.UPDATED, f"i-{number:04d}", detection=detection)
        site.deliver(MINUTE)

    assert len(hook.keys) <= 10
    assert Counter(_told_ids(hook)) == {f"i-{n:04d}": 1 for n in range(500)}


def test_digest_that_is_not_taken_is_tried_again_with_its_key(tmp_path: Path) -> None:
    budget = {"messages": 1, "per": "10min"}
    with (
        a_hook(503, 503) as hook,
        workspace_with(tmp_path, {"ana": hook_settings(hook.url, budget=budget)}) as site,
    ):
        _open_many(site, 4)
        site.until(lambda: len(hook.keys) == 3, step=10 * SECOND, most=HOUR)
        proof = site.workspace.told_of("i-0002")[0]

    assert hook.events == ["digest"] * 3
    assert len(set(hook.keys)) == 1
    assert hook.data[-1]["incidents_total"] == 4
    assert (proof["status"], proof["sent_at"] is not None) == ("folded", True)
    assert [one["code"] for one in proof["attempts"]] == ["503", "503", "200"]  # type: ignore[union-attr]


def test_digest_shows_the_latest_of_each_incident_once(tmp_path: Path) -> None:
    with (
        a_hook() as hook,
        workspace_with(tmp_path, {"ana": hook_settings(hook.url, digest="hourly")}) as site,
    ):
        _open_many(site, 2)
        over = a_failure(asset=plants(1)[0], hours=4, severity=Severity.HIGH)
        happen(site.workspace.store, EventKind.CLEARED, "i-0000", detection=over)
        site.deliver(MINUTE)
        n_early = len(hook.keys)
        site.deliver(HOUR)

    assert (n_early, hook.events) == (0, ["digest"])
    incidents = hook.data[0]["incidents"]
    found = {one["id"]: (one["condition"], one["severity"]) for one in incidents}  # type: ignore[attr-defined]
    assert found == {"i-0000": ("cleared", "high"), "i-0001": ("active", "medium")}


@pytest.mark.parametrize("unless", ["critical", "high", None])
def test_severe_ones_do_not_wait_for_the_digest(tmp_path: Path, unless: str | None) -> None:
    digest = {"every": "shift", "unless": unless}
    with a_hook() as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url, digest=digest)}) as site:
        for number, severity in enumerate(Severity):
            _open_many(site, 1, first=number, severity=severity)
        site.deliver()
        at_once = _told_ids(hook)
        site.deliver(8 * HOUR)  # 22:00 in Madrid
        digests = hook.events.count("digest")

    wanted = {"critical": 1, "high": 2, None: 0}[unless]
    assert at_once == [f"i-{n:04d}" for n in range(4 - wanted, 4)]
    assert digests == 1
    assert sorted(_told_ids(hook)) == [f"i-{n:04d}" for n in range(4)]


def test_quiet_hours_hold_what_is_not_severe_until_they_end(database_url: str, tmp_path: Path) -> None:
    quiet = hook_settings("", quiet_hours={**NIGHT, "unless": "critical"})
    with a_hook() as hook:
        quiet["options"] = {**quiet["options"], "url": hook.url}  # type: ignore[dict-item]
        with workspace_with(tmp_path, {"ana": quiet}, url=database_url) as site:
            site.clock.now = datetime(2025, 6, 1, 21, tzinfo=UTC)  # 23:00 in Madrid
            _open_many(site, 3)
            _open_many(site, 1, first=3, severity=Severity.CRITICAL)
            site.deliver()
            at_night = _told_ids(hook)
            for _ in range(7):
                site.deliver(HOUR)
            before_seven = _told_ids(hook)
            site.deliver(HOUR)
            statuses = site.statuses()

    assert at_night == before_seven == ["i-0003"]
    assert hook.events == ["opened", "digest"]
    assert sorted(_told_ids(hook)) == [f"i-{n:04d}" for n in range(4)]
    assert sorted(statuses) == ["folded"] * 3 + ["sent"] * 2


def test_one_that_was_held_alone_leaves_as_itself(tmp_path: Path) -> None:
    receiver = hook_settings("", quiet_hours=NIGHT)
    with a_hook() as hook:
        receiver["options"] = {**receiver["options"], "url": hook.url}  # type: ignore[dict-item]
        with workspace_with(tmp_path, {"ana": receiver}) as site:
            site.clock.now = datetime(2025, 6, 1, 22, tzinfo=UTC)
            _open_many(site, 1)
            site.deliver()
            site.deliver(8 * HOUR)

    assert hook.keys == ["i-0000:1:ana:0"]


def test_what_began_and_ended_in_quiet_hours_is_one_message(tmp_path: Path) -> None:
    receiver = hook_settings("", quiet_hours=NIGHT)
    with a_hook() as hook:
        receiver["options"] = {**receiver["options"], "url": hook.url}  # type: ignore[dict-item]
        with workspace_with(tmp_path, {"ana": receiver}) as site:
            site.clock.now = datetime(2025, 6, 1, 22, tzinfo=UTC)
            _open_many(site, 1)
            site.deliver()
            over = a_failure(asset=plants(1)[0], last=site.clock.now, hours=4)
            happen(site.workspace.store, EventKind.CLEARED, "i-0000", detection=over, at=site.clock.now)
            site.deliver(HOUR)
            site.deliver(8 * HOUR)
            statuses = site.statuses()

    assert len(hook.keys) == 1
    assert hook.data[0]["incidents"][0]["condition"] == "cleared"  # type: ignore[index]
    assert "queued" not in statuses


def test_what_retries_when_quiet_begins_waits_for_its_end(tmp_path: Path) -> None:
    receiver = hook_settings("", quiet_hours=NIGHT)
    with a_hook(503) as hook:
        receiver["options"] = {**receiver["options"], "url": hook.url}  # type: ignore[dict-item]
        with workspace_with(tmp_path, {"ana": receiver}) as site:
            site.clock.now = datetime(2025, 6, 1, 19, 59, 50, tzinfo=UTC)  # 21:59:50 in Madrid
            _open_many(site, 1)
            site.deliver()
            site.deliver(MINUTE)
            n_early = len(hook.keys)
            site.deliver(9 * HOUR + 10 * MINUTE)

    assert (n_early, hook.keys) == (1, ["i-0000:1:ana:0"] * 2)


def test_digest_that_is_due_in_quiet_hours_leaves_at_their_end(tmp_path: Path) -> None:
    receiver = hook_settings("", quiet_hours=NIGHT, digest={"every": "shift", "at": ["23:30"]})
    with a_hook() as hook:
        receiver["options"] = {**receiver["options"], "url": hook.url}  # type: ignore[dict-item]
        with workspace_with(tmp_path, {"ana": receiver}) as site:
            _open_many(site, 2)
            site.deliver()
            site.deliver(10 * HOUR)  # midnight in Madrid
            n_early = len(hook.keys)
            site.deliver(7 * HOUR)

    assert (n_early, hook.events) == (0, ["digest"])


def test_big_flood_that_meets_a_receiver_that_is_down_is_told_whole(tmp_path: Path) -> None:
    with a_hook(always=503) as hook, workspace_with(tmp_path, {"ana": hook_settings(hook.url)}) as site:
        _open_many(site, 30)
        for _ in range(10):
            site.deliver(10 * MINUTE)
        hook.always = Reply(200)
        n_before = len(hook.keys)
        for _ in range(20):
            site.deliver(10 * MINUTE)
        taken = [one for data in hook.data[n_before:] for one in data["incident_ids"]]  # type: ignore[attr-defined]
        statuses = set(site.statuses())

    assert Counter(taken) == {f"i-{n:04d}": 1 for n in range(30)}
    assert statuses == {"sent", "folded"}


QUIET = [
    ("2025-06-02T20:30+00:00", {}, "2025-06-03T05:00+00:00"),
    ("2025-06-02T19:59+00:00", {}, None),
    ("2025-06-02T04:59+00:00", {}, "2025-06-02T05:00+00:00"),
    ("2025-06-02T05:00+00:00", {}, None),
    # Sunday's night begins on Sunday and goes on on Monday.
    ("2025-06-02T04:00+00:00", {"days": [7]}, "2025-06-02T05:00+00:00"),
    ("2025-06-02T04:00+00:00", {"days": [1]}, None),
    ("2025-06-02T12:00+00:00", {"from": "13:00", "to": "16:00"}, "2025-06-02T14:00+00:00"),
    # 23 and 25 hours.
    ("2025-03-30T00:30+00:00", {}, "2025-03-30T05:00+00:00"),
    ("2025-10-26T00:30+00:00", {}, "2025-10-26T06:00+00:00"),
    # An end in the hour that is skipped.
    ("2025-03-30T00:30+00:00", {"to": "02:30"}, "2025-03-30T01:30+00:00"),
]


@pytest.mark.parametrize(("at", "changes", "until"), QUIET)
def test_quiet_hours_follow_the_clock_on_the_wall(
    at: str, changes: dict[str, object], until: str | None
) -> None:
    quiet = QuietHours.model_validate({**NIGHT, **changes})

    found = quiet_until(quiet, "Europe/Madrid", datetime.fromisoformat(at))

    assert found == (None if until is None else datetime.fromisoformat(until))


@pytest.mark.parametrize(
    ("said", "at", "wanted"),
    [
        ("hourly", "2025-06-02T12:00+00:00", "2025-06-02T13:00+00:00"),
        ("hourly", "2025-06-02T12:59+00:00", "2025-06-02T13:00+00:00"),
        ("shift", "2025-06-02T12:00+00:00", "2025-06-02T20:00+00:00"),
        ("shift", "2025-06-02T20:00+00:00", "2025-06-03T04:00+00:00"),
        ("weekly", "2025-06-02T05:59+00:00", "2025-06-02T06:00+00:00"),
        ("weekly", "2025-06-02T06:00+00:00", "2025-06-09T06:00+00:00"),
        ("weekly", "2025-10-25T12:00+00:00", "2025-10-27T07:00+00:00"),
    ],
)
def test_digests_leave_by_the_clock_on_the_wall(said: str, at: str, wanted: str) -> None:
    digest = DigestSettings.model_validate(said)

    assert next_digest(digest, "Europe/Madrid", datetime.fromisoformat(at)) == datetime.fromisoformat(wanted)


def test_delays_double_to_an_hour_and_keep_receivers_apart() -> None:
    delays = [retry_delay("a", n) / SECOND for n in range(1, 40)]
    ideal = [min(30 * 2 ** (n - 1), 3600) for n in range(1, 40)]

    assert all(0.8 * want <= one <= min(1.2 * want, 3600) for one, want in zip(delays, ideal, strict=True))
    assert delays == [retry_delay("a", n) / SECOND for n in range(1, 40)]
    assert len({retry_delay(str(n), 1) for n in range(50)}) == 50
