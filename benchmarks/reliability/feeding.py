"""What arrives while the watch is killed: hourly roofs with faults, a file per roof and day, up to today."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from sereno import Workspace
from sereno.simulate import simulate_world

__all__ = ["Feed", "build_feed", "drop"]

SIGNALS = ("generation", "consumption", "self_consumption", "export", "import")
HEADER = (
    "Fecha y hora,Generación total,Consumo total,Autoconsumo,"
    "Energía suministrada a la red,Energía obtenida de la red"
)
UNITS = "[dd.MM.yyyy HH:mm],[Wh],[Wh],[Wh],[Wh],[Wh]"
WH_PER_KWH = 1000.0
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONG_AGO_S = 1_700_000_000
"""File times in the past, ascending: every file is at rest, and their order is that of their days."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Where every run starts, and what arrives.

    Attributes:
        start: A workspace that has learnt and judged the history.
        files: In the order in which they arrive.
    """

    start: Path
    files: Sequence[Path]


def build_feed(folder: Path, *, roofs: int, history: int, days: int, seed: int, settings: str) -> Feed:
    """Simulate roofs up to the last midnight; learn the first days and keep the rest as files.

    Args:
        history: Days that are learnt.
        days: Days that arrive; each gives a file per roof.
        settings: Text of `sereno.yaml` besides the zone.
    """
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - (history + days) * DAY
    world = simulate_world("solar", seed=seed, start=start, end=end, assets=roofs, step=HOUR, zone="UTC")
    readings = world.readings
    lines: dict[tuple[int, int], list[str]] = {}
    columns = [readings.signals.index(name) for name in SIGNALS]
    order = np.lexsort((readings.time, readings.asset_index))
    for row in order.tolist():
        at = readings.time[row].astype(object)
        cells = [_cell(readings.values[row, column]) for column in columns]
        day = (at.replace(tzinfo=UTC) - start) // DAY
        lines.setdefault((day, int(readings.asset_index[row])), []).append(
            ",".join([f"{at:%d.%m.%Y %H:%M}", *cells])
        )
    paths = {key: _write(folder / "files", start, *key, rows) for key, rows in sorted(lines.items())}
    workspace = folder / "start"
    workspace.mkdir(parents=True)
    (workspace / "sereno.yaml").write_text(f"timezone: UTC\n{settings}", "utf-8")
    with Workspace.open(workspace, language="en") as opened:
        opened.ingest(*[path for (day, _), path in paths.items() if day < history])
        opened.train()
        opened.score()
    return Feed(workspace, [path for (day, _), path in paths.items() if day >= history])


def drop(files: Sequence[Path], inbox: Path, *, first: int) -> None:
    """Rename files into a folder that is watched.

    Args:
        first: Number of the first of them among all that arrive.
    """
    inbox.mkdir(exist_ok=True)
    for number, file in enumerate(files, start=first):
        there = inbox / f"{file.name}.part"
        shutil.copyfile(file, there)
        os.utime(there, (LONG_AGO_S + number, LONG_AGO_S + number))
        there.replace(inbox / file.name)


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{WH_PER_KWH * value:.0f}"


def _write(folder: Path, start: datetime, day: int, roof: int, rows: Sequence[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"Planta_{roof + 1}_{start + day * DAY:%Y-%m-%d}.csv"
    path.write_text("\n".join([HEADER, UNITS, *rows, "99.99.2024 00:00,1,1,1,1,1", ""]), "utf-8")
    return path
