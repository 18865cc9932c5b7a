"""Workspaces: one that has learnt the clean history, and a copy of it for each round of faults.

A round feeds each series in pieces that end ever later after the start of a fault, so that it is known how
much of the fault had been read when its incident was there. A piece repeats the rows before it, as the
rolling exports of portals do, and is judged as it is stored, as `watch` does.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.faults.placing import Event, rest_of
from benchmarks.faults.scoring import Found
from benchmarks.faults.series import Series
from benchmarks.faults.writing import write_series
from sereno import Workspace

__all__ = ["DAILY_PIECES", "FINE_PIECES", "Base", "Round", "learn_history", "run_round"]

DAILY_PIECES = (1, 2, 3, 5, 8, 13, 21)
"""Rows of a fault after which a daily series is judged."""
FINE_PIECES = (1, 3, 8, 24, 72, 216, 432)
"""The same of a finer one."""
REPEATED_DAYS = 31
"""A piece begins so much earlier than its news: a handful of rows does not show a file's unit."""
WRITTEN = 1e-6
"""Decimals that a file holds."""


@dataclass(frozen=True, slots=True)
class Base:
    """A workspace that knows the history of all series.

    Attributes:
        folder: Where it lies, with `workspace` in it.
    """

    folder: Path
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """What a round found.

    Attributes:
        incidents: Worst first.
        read: For each incident that was not there at first, by id: the row of its series up to which rows
            had been read when it was.
        refused: Series of which a file was refused.
        is_faithful: Whether all readings are stored as they were planned.
    """

    incidents: tuple[Found, ...]
    read: Mapping[str, int]
    refused: tuple[str, ...]
    is_faithful: bool


def learn_history(folder: Path, series: Sequence[Series]) -> Base:
    """Read the clean history as files, train, and judge it."""
    with Workspace.open(folder / "workspace", language="en") as workspace:
        for number, one in enumerate(series):
            _ingest(workspace, one, slice(0, rest_of(one)), one.values, folder / "history" / str(number))
        workspace.train()
        workspace.score()
    return Base(folder, tuple(series))


def run_round(base: Base, number: int, events: Sequence[Event], *, in_pieces: bool) -> Round:
    """Read the rest of all series, with these faults in it, judge it, and say what incidents there are."""
    folder = base.folder / f"round-{number}"
    shutil.copytree(base.folder / "workspace", folder / "workspace")
    try:
        with Workspace.open(folder / "workspace", language="en") as workspace:
            feeds = [_Feed.of(one, events, in_pieces=in_pieces) for one in base.series]
            refused: set[str] = set()
            read: dict[str, int] = {}
            for step in range(max(len(feed.ends) for feed in feeds)):
                refused |= _feed(workspace, feeds, step, folder / f"rest-{step}")
                _note_new(workspace, feeds, step, read)
            workspace.score()
            now = workspace.now()
            found = tuple(Found.of(view.to_json(now)) for view in workspace.incidents())
            is_faithful = all(_is_stored(workspace, feed.series, feed.values) for feed in feeds)
    finally:
        shutil.rmtree(folder)
    return Round(found, read, tuple(sorted(refused)), is_faithful)


@dataclass(frozen=True, slots=True)
class _Feed:
    """A series with its faults, and the rows before which its pieces end."""

    series: Series
    values: np.ndarray
    ends: tuple[int, ...]

    @classmethod
    def of(cls, series: Series, events: Sequence[Event], *, in_pieces: bool) -> "_Feed":
        own = [event for event in events if event.series == series.name]
        values = series.values.copy()
        for event in own:
            values[event.start : event.stop] = event.values
        lengths = (DAILY_PIECES if series.is_daily else FINE_PIECES) if in_pieces else ()
        ends = {event.start + length for event in own for length in lengths}
        return cls(series, values, (*sorted(end for end in ends if end < len(values)), len(values)))

    def rows(self, step: int) -> slice:
        """The rows of a piece."""
        first = rest_of(self.series) if step == 0 else self.ends[step - 1]
        repeated = REPEATED_DAYS * self.series.rows_per_day if step else 0
        return slice(first - min(first, repeated), self.ends[step])


def _feed(workspace: Workspace, feeds: Sequence[_Feed], step: int, folder: Path) -> set[str]:
    """Read and judge one piece of each series that has so many; the series that were refused."""
    refused = set()
    for place, feed in enumerate(feeds):
        if step >= len(feed.ends):
            continue
        path = folder / str(place)
        if not _ingest(workspace, feed.series, feed.rows(step), feed.values, path, judge=True):
            refused.add(feed.series.name)
    return refused


def _note_new(workspace: Workspace, feeds: Sequence[_Feed], step: int, read: dict[str, int]) -> None:
    ends = {feed.series.key: feed.ends[min(step, len(feed.ends) - 1)] for feed in feeds}
    for view in workspace.incidents():
        read.setdefault(view.incident.id, ends[view.incident.asset])


def _ingest(
    workspace: Workspace,
    series: Series,
    rows: slice,
    values: np.ndarray,
    folder: Path,
    *,
    judge: bool = False,
) -> bool:
    """Write some rows as a file and read it; whether it was accepted."""
    path = write_series(series, rows, values[rows], workspace.profiles[series.profile], folder)
    (result,) = workspace.ingest(path, timezone=series.zone, profile=series.profile, judge=judge)
    return not result.is_refused


def _is_stored(workspace: Workspace, series: Series, values: np.ndarray) -> bool:
    """Whether the store holds these values, and nothing else, of the series."""
    kept = ~np.isnan(values).all(axis=1)
    with workspace.store.read() as tx:
        asset = next((one for one in tx.assets(series.profile) if one.key == series.key), None)
        if asset is None:
            return False
        stored = tx.rows(asset.id, asset.profile)
    own = stored.values[:, [stored.signals.index(name) for name in series.signals]]
    return (
        len(own) == int(kept.sum())
        and bool((stored.time.astype("datetime64[us]") == series.time[kept]).all())
        and bool(np.allclose(own, values[kept], rtol=WRITTEN, atol=WRITTEN, equal_nan=True))
    )
