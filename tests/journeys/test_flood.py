"""Promise: however many detections come at once, a person hears of each cause once, in few messages.

Readings take the whole way: judged, grouped, recorded, queued, and posted to receivers on this machine.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.incidents import Incident
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.flows.workspace import Workspace
from tests.flows.hooks import Hook, Site, a_hook, hook_settings, workspace_with
from tests.support.builders import NOW, between

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SIGNALS = ("pressure", "temperature")
IMPOSSIBLE = np.array([900.0, 150.0])
APART_H = 5
"""Between the troubles of two sites: too far apart to have one cause."""
BUDGET = 10


def a_flood(n_sites: int, n_meters: int, n_cycles: int) -> Readings:
    """Hours in which one signal of each meter comes and goes, then the other, at its site's own time."""
    turn = 2 * n_cycles + 2
    n_rows = APART_H * n_sites + 2 * turn
    hours = np.arange(n_rows)
    values = np.empty((n_sites, n_meters, n_rows, len(SIGNALS)))
    values[...] = (np.array([4.0, 15.0]) + hours[:, None] % 24 / 10)[None, None]
    for site in range(n_sites):
        for column, impossible in enumerate(IMPOSSIBLE):
            first = APART_H * site + turn * column
            values[site, :, first : first + 2 * n_cycles : 2, column] = impossible
    start = np.datetime64(NOW.replace(tzinfo=None), "us") - n_rows * np.timedelta64(1, "h")
    n_assets = n_sites * n_meters
    return Readings(
        profile="gas",
        assets=tuple(
            AssetKey(f"Site {s}", f"Meter {s}.{m}") for s in range(n_sites) for m in range(n_meters)
        ),
        asset_index=np.tile(np.arange(n_assets, dtype=np.int32), n_rows),
        time=np.repeat(start + hours * np.timedelta64(1, "h"), n_assets),
        signals=SIGNALS,
        values=values.reshape(n_assets, n_rows, 2).transpose(1, 0, 2).reshape(-1, 2),
        quality=np.zeros((n_assets * n_rows, 2), dtype=np.int32),
    )


def by_hours(readings: Readings, hours: int) -> Iterator[Readings]:
    """The readings in batches of so many hours."""
    edges = np.arange(
        readings.time.min(), readings.time.max() + np.timedelta64(1, "us"), np.timedelta64(hours, "h")
    )
    for first in edges:
        yield between(readings, first, first + np.timedelta64(hours, "h"))


def by_meter(readings: Readings) -> Iterator[Readings]:
    """The readings in batches of one meter each, whole."""
    for number, asset in enumerate(readings.assets):
        mine = readings.asset_index == number
        yield Readings(
            profile=readings.profile,
            assets=(asset,),
            asset_index=np.zeros(mine.sum(), dtype=np.int32),
            time=readings.time[mine],
            signals=readings.signals,
            values=readings.values[mine],
            quality=readings.quality[mine],
        )


def flooded(site: Site, hooks: Sequence[Hook], batches: Iterator[Readings]) -> list[list[datetime]]:
    """Take the batches within a minute, then let time pass; gives when each receiver got its messages."""
    times: list[list[datetime]] = [[] for _ in hooks]

    def deliver(after: timedelta) -> None:
        before = [len(hook.keys) for hook in hooks]
        site.deliver(after)
        for own, hook, known in zip(times, hooks, before, strict=True):
            own.extend([site.clock.now] * (len(hook.keys) - known))

    parts = list(batches)
    for part in parts:
        site.workspace.add(part, zone="UTC", judge=True)
        deliver(MINUTE / len(parts))
    while "held" in site.statuses() or "queued" in site.statuses():
        deliver(MINUTE)
    return times


def trouble(incident: Incident) -> tuple[str, str, str]:
    """Site, cause and signal."""
    return incident.asset.site, incident.worst.cause, incident.worst.signals[0]


def told(hook: Hook) -> set[str]:
    return {str(one) for data in hook.data for one in data["incident_ids"]}  # type: ignore[attr-defined]


def known_of(workspace: Workspace) -> tuple[list[Incident], int]:
    """All incidents, and how many detections there are."""
    with workspace.store.read() as tx:
        return tx.incidents(), sum(len(tx.detections(asset.id)) for asset in tx.assets())


def most_in(times: Sequence[datetime], span: timedelta) -> int:
    return max(sum(begin <= at < begin + span for at in times) for begin in times)


@pytest.mark.parametrize(
    ("n_sites", "n_meters", "n_cycles"),
    [(10, 5, 10), pytest.param(50, 10, 10, marks=pytest.mark.slow)],
    ids=["1,000 over 50", "10,000 over 500"],
)
def test_flood_is_one_message_per_site_and_cause_within_the_budget(
    database_url: str, tmp_path: Path, n_sites: int, n_meters: int, n_cycles: int
) -> None:
    readings = a_flood(n_sites, n_meters, n_cycles)
    with a_hook() as one, a_hook() as two:
        receivers = {"one": hook_settings(one.url), "two": hook_settings(two.url)}
        with workspace_with(tmp_path, receivers, url=database_url, notify_horizon="30d") as site:
            times = flooded(site, (one, two), by_hours(readings, 24))
            incidents, n_detections = known_of(site.workspace)

    shown = [incident for incident in incidents if incident.visibility(NOW) == "shown"]
    assert n_detections == n_sites * n_meters * len(SIGNALS) * n_cycles
    assert len(incidents) == n_sites * n_meters * len(SIGNALS)
    assert set(Counter(map(trouble, shown)).values()) == {1}
    assert len(shown) == n_sites * len(SIGNALS)
    for hook, own in zip((one, two), times, strict=True):
        assert told(hook) == {incident.id for incident in shown}
        assert most_in(own, 10 * MINUTE) <= BUDGET
        assert Counter(hook.keys).most_common(1)[0][1] == 1


def test_flood_that_comes_meter_by_meter_tells_what_began_before_it_was_known_to_be_common(
    tmp_path: Path,
) -> None:
    """Two meters may be a coincidence, the third is none: those after it are not told."""
    readings = a_flood(4, 8, 3)
    with a_hook() as hook:
        receivers = {"one": hook_settings(hook.url)}
        with workspace_with(tmp_path, receivers, notify_horizon="30d") as site:
            (times,) = flooded(site, [hook], by_meter(readings))
            incidents, _ = known_of(site.workspace)

    shown = [incident for incident in incidents if incident.visibility(NOW) == "shown"]
    heard = Counter(trouble(incident) for incident in incidents if incident.id in told(hook))
    assert set(Counter(map(trouble, shown)).values()) == {1}
    assert {incident.id for incident in shown} <= told(hook)
    assert max(heard.values()) <= 2
    assert most_in(times, 10 * MINUTE) <= BUDGET
