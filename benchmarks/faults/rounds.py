"""Workspaces: one that has learnt the clean history, and a copy of it for each round of faults."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.faults.placing import Event, rest_of
from benchmarks.faults.scoring import Found
from benchmarks.faults.series import Series
from benchmarks.faults.writing import write_series
from sereno import Workspace

__all__ = ["Base", "Round", "learn_history", "run_round"]


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
        refused: Files that were refused, by series.
        is_faithful: Whether all readings are stored as they were planned.
    """

    incidents: tuple[Found, ...]
    refused: tuple[str, ...]
    is_faithful: bool


def learn_history(folder: Path, series: Sequence[Series]) -> Base:
    """Read the clean history as files, train, and judge it."""
    with Workspace.open(folder / "workspace", language="en") as workspace:
        for number, one in enumerate(series):
            rows = slice(0, rest_of(one))
            _ingest(workspace, one, rows, one.values[rows], folder / "history" / str(number))
        workspace.train()
        workspace.score()
    return Base(folder, tuple(series))


def run_round(base: Base, number: int, events: Sequence[Event]) -> Round:
    """Read the rest of all series, with these faults in it, judge it, and say what incidents there are."""
    folder = base.folder / f"round-{number}"
    shutil.copytree(base.folder / "workspace", folder / "workspace")
    refused, is_faithful = [], True
    try:
        with Workspace.open(folder / "workspace", language="en") as workspace:
            for place, one in enumerate(base.series):
                values = _with_faults(one, events)
                rows = slice(rest_of(one), len(one.time))
                is_stored = _ingest(workspace, one, rows, values[rows], folder / "rest" / str(place))
                if not is_stored:
                    refused.append(one.name)
                is_faithful &= _is_stored(workspace, one, values)
            workspace.score()
            now = workspace.now()
            found = tuple(Found.of(view.to_json(now)) for view in workspace.incidents())
    finally:
        shutil.rmtree(folder)
    return Round(found, tuple(refused), is_faithful)


def _with_faults(series: Series, events: Sequence[Event]) -> np.ndarray:
    values = series.values.copy()
    for event in events:
        if event.series == series.name:
            values[event.start : event.stop] = event.values
    return values


def _ingest(workspace: Workspace, series: Series, rows: slice, values: np.ndarray, folder: Path) -> bool:
    path = write_series(series, rows, values, workspace.profiles[series.profile], folder)
    (result,) = workspace.ingest(path, timezone=series.zone, profile=series.profile)
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
        and bool(np.allclose(own, values[kept], rtol=1e-9, atol=1e-9, equal_nan=True))
    )
