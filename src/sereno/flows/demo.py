"""The demonstration: bundled worlds and one real rooftop, trained, with the last week replayed day by day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from sereno.domain.errors import UsageError
from sereno.domain.readings import Readings
from sereno.domain.time import to_numpy
from sereno.flows.incidents import IncidentView
from sereno.flows.workspace import Workspace
from sereno.simulate import World, demo_worlds, real_slice

__all__ = ["DemoResult", "run_demo"]

REPLAYED = timedelta(days=7)
_REAL_ZONE = "Europe/Amsterdam"
_DAY = timedelta(days=1)

Progress = Callable[[str, dict[str, object]], None]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demonstration found.

    Attributes:
        recent: Incidents of the replayed week, worst first.
    """

    n_assets: int
    n_readings: int
    views: list[IncidentView]
    recent: list[IncidentView]
    attribution: str


def run_demo(workspace: Workspace, *, seed: int, now: datetime, tell: Progress) -> DemoResult:
    """Build, train, replay.

    Args:
        tell: Told about each stage: a catalogue key and its facts.

    Raises:
        UsageError: The workspace already holds readings.
    """
    if workspace.asset_keys():
        raise UsageError(
            detail=f"'{workspace.folder}' already holds readings: give the demo a folder of its own",
            command="demo",
        )
    worlds = demo_worlds(seed, now)
    end = max(world.readings.time.max() for world in worlds)
    begins = end - np.timedelta64(REPLAYED)
    slice_path, attribution = real_slice()
    list(workspace.ingest(slice_path, timezone=_REAL_ZONE))
    for world in worlds:
        workspace.add(_between(world, None, begins), zone=world.zone, is_simulated=True)
    tell("demo.loaded", {"assets": len(workspace.asset_keys()), "readings": _n_values(workspace)})
    for card in workspace.train():
        tell("demo.trained", {"model": card.id, "assets": len(card.assets)})
    workspace.score()
    _replay(workspace, worlds, begins, tell)
    views = workspace.incidents()
    since = begins.astype("datetime64[us]")
    recent = [view for view in views if to_numpy(view.incident.worst.last_at) >= since]
    return DemoResult(len(workspace.asset_keys()), _n_values(workspace), views, recent, attribution)


def _replay(workspace: Workspace, worlds: list[World], begins: np.datetime64, tell: Progress) -> None:
    for day in range(REPLAYED // _DAY):
        first = begins + np.timedelta64(day, "D")
        for world in worlds:
            batch = _between(world, first, first + np.timedelta64(1, "D"))
            if len(batch):
                workspace.add(batch, zone=world.zone, judge=True, is_simulated=True)
        tell("demo.replayed", {"day": day + 1, "days": REPLAYED // _DAY})


def _between(world: World, after: np.datetime64 | None, until: np.datetime64) -> Readings:
    """The world's readings in (after, until]."""
    readings = world.readings
    keep = readings.time <= until
    if after is not None:
        keep &= readings.time > after
    return Readings(
        profile=readings.profile,
        assets=readings.assets,
        asset_index=readings.asset_index[keep],
        time=readings.time[keep],
        signals=readings.signals,
        values=readings.values[keep],
        quality=readings.quality[keep],
    )


def _n_values(workspace: Workspace) -> int:
    with workspace.store.read() as tx:
        return tx.n_values()
