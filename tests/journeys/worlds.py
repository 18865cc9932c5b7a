"""Files that the journeys share, and work on them that other processes can be told to do."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from sereno.domain.readings import Window
from sereno.domain.time import from_numpy
from sereno.flows.build import open_setup, open_workspace_store, read_options
from sereno.flows.ingest import Ingestion, expand_paths, ingest_file
from sereno.flows.learning import ModelShelf
from sereno.flows.scoring import Scoring
from sereno.flows.watching import WatchedFolder, watch_folders
from sereno.flows.workspace import Workspace
from tests.support.builders import a_roof

HOUR = timedelta(hours=1)
ZONE = "UTC"
HEADER = (
    "Fecha y hora,Generación total,Consumo total,Autoconsumo,"
    "Energía suministrada a la red,Energía obtenida de la red"
)
UNITS = "[dd.MM.yyyy HH:mm],[Wh],[Wh],[Wh],[Wh],[Wh]"
MONTH_ROWS = 30 * 24
SMALL_BATCH = 150
"""Rows per transaction: a file of a month then takes five."""


def roofs(*, months: int, sites: int = 3) -> list[Window]:
    """Hourly rooftops with a gap each; late on, one makes nothing for a week, one consumes thrice as much."""
    rows = months * MONTH_ROWS
    week = (rows - 400, rows - 232)
    faults: list[dict[str, object]] = [{} for _ in range(sites)]
    faults[0] = {"generation": {week: 0.0}}
    faults[-1] = {"consumption": {week: 3.0}}
    return [
        a_roof(
            f"Planta {i + 1}",
            rows=rows,
            step=HOUR,
            zone=ZONE,
            size=20.0 * (i + 1),
            missing=[slice(400 + i, 460)],
            **faults[i],  # type: ignore[arg-type]
        )
        for i in range(sites)
    ]


def write_months(folder: Path, windows: Sequence[Window], *, first: int = 0) -> list[Path]:
    """One file per roof and month, oldest first; each has a broken row and repeats its last one."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for start in range(first * MONTH_ROWS, len(windows[0]), MONTH_ROWS):
        for window in windows:
            path = folder / f"{window.asset.site.replace(' ', '_')}_{window.time[start].astype('M8[D]')}.csv"
            write_rows(path, window.rows(start, start + MONTH_ROWS))
            paths.append(path)
    return paths


def write_rows(path: Path, window: Window, *, tail: Sequence[str] = ("99.99.2024 00:00,1,1,1,1,1",)) -> Path:
    """The rows of a window as a rooftop's export, hours in UTC, and some lines after them."""
    stamps = [f"{from_numpy(at):%d.%m.%Y %H:%M}" for at in window.time]
    lines = [
        ",".join([stamp, *(f"{1000 * cell:.0f}" for cell in row)])
        for stamp, row in zip(stamps, window.values.tolist(), strict=True)
        if not np.isnan(row).all()
    ]
    path.write_text("\n".join([HEADER, UNITS, *lines, lines[-1], *tail, ""]), "utf-8")
    return path


def declare(folder: Path, *, url: str | None = None) -> Path:
    """A workspace with its zone declared and a small forest."""
    folder.mkdir(parents=True, exist_ok=True)
    store = "" if url is None else f"store: {{url: '{url}'}}\n"
    (folder / "sereno.yaml").write_text(f"timezone: {ZONE}\ndetector: {{trees: 10}}\n{store}", "utf-8")
    return folder


def ingest_and_score(workspace: Path, files: Path) -> None:
    """What `ingest` and `score` do, in small transactions."""
    setup = open_setup(workspace)
    store = open_workspace_store(setup)
    into = Ingestion(setup, store, replace(read_options(setup), batch_rows=SMALL_BATCH))
    for path in expand_paths([files]):
        ingest_file(path, into)
    Scoring(setup, store, ModelShelf(setup, store)).score_all()
    store.close()


def watch_once(workspace: Path, files: Path) -> None:
    """What `watch --once` does."""
    with Workspace.open(workspace) as opened:
        _watch(opened, files, is_once=True)


def watch_on(workspace: Path, files: Path) -> None:
    """What `watch` does until it is killed."""
    with Workspace.open(workspace) as opened:
        _watch(opened, files, is_once=False)


def _watch(workspace: Workspace, files: Path, *, is_once: bool) -> None:
    folder = WatchedFolder(files, "*.csv", 0.1)
    watch_folders(workspace, [folder], is_once=is_once, stop=threading.Event(), on_file=lambda _: None)
