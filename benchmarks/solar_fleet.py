"""The fleet that latency is measured on: daily solar plants, trained and judged, and their next records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.common import Options
from sereno import Workspace
from sereno.simulate import simulate_world

__all__ = ["UNITS", "Fleet", "build_fleet"]

ZONE = "Europe/Madrid"
SIGNALS = ("generation", "consumption", "self_consumption", "export", "import")
HEADERS = (
    "Generación total",
    "Consumo total",
    "Autoconsumo",
    "Energía suministrada a la red",
    "Energía obtenida de la red",
)
UNITS: Mapping[str, str] = dict.fromkeys(HEADERS, "Wh")
WH_PER_KWH = 1000.0

_SITES, _QUICK_SITES = 20, 6
_YEARS = timedelta(days=730)
_QUICK_DAYS = timedelta(days=120)
_FRESH_DAYS = 20
"""Days after the last one that records are made for."""
_ABNORMAL_EVERY = 8
_SPREAD = 0.05
_WEEK_DAYS = 7
_FEW_ROWS = 21


@dataclass(frozen=True, slots=True)
class Fleet:
    """What was built.

    Attributes:
        folder: The workspace's.
        rows: Stored rows of all sites in kWh, NaN left out, shape (rows, signals).
        records: As the guide writes them, in Wh; of every site, every eighth with a fault.
    """

    folder: Path
    rows: np.ndarray
    records: tuple[Mapping[str, object], ...]


def build_fleet(folder: Path, options: Options) -> Fleet:
    """A trained workspace: the files of `solar_daily` where they are given, simulated sites otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sereno.yaml").write_text(f"timezone: {ZONE}\n", "utf-8")
    with Workspace.open(folder, language="es") as workspace:
        files = None if options.data is None else options.data / "solar_daily"
        if files is not None and files.is_dir():
            list(workspace.ingest(files))
        else:
            _add_simulated(workspace, options)
        workspace.train()
        workspace.score()
        return _described(workspace)


def _add_simulated(workspace: Workspace, options: Options) -> None:
    start = datetime(2005, 1, 1, tzinfo=UTC)  # long ago: records that go on day by day must not reach today
    world = simulate_world(
        "solar",
        seed=1,
        start=start,
        end=start + (_QUICK_DAYS if options.is_quick else _YEARS),
        assets=_QUICK_SITES if options.is_quick else _SITES,
        step=timedelta(days=1),
        zone=ZONE,
    )
    workspace.add(world.readings, zone=world.zone)


def _described(workspace: Workspace) -> Fleet:
    rng = np.random.default_rng(1)
    rows, records = [], []
    with workspace.store.read() as tx:
        for asset in tx.assets("solar"):
            stored = tx.rows(asset.id, asset.profile)
            own = stored.values[:, [stored.signals.index(name) for name in SIGNALS]]
            own = own[~np.isnan(own).any(axis=1)]
            if len(own) < _FEW_ROWS:
                continue
            rows.append(own)
            last = stored.time[-1].astype("datetime64[D]")
            records.append(_next_days(own, asset.key.site, last, rng))
    by_day = [record for day in zip(*records, strict=True) for record in day]
    return Fleet(workspace.folder, np.concatenate(rows), tuple(by_day))


def _next_days(
    own: np.ndarray, site: str, last: np.datetime64, rng: np.random.Generator
) -> list[Mapping[str, object]]:
    """The days after the last one: like the same weekday of the weeks before, or with a fault."""
    records = []
    for day in range(_FRESH_DAYS):
        ago = _WEEK_DAYS * int(rng.integers(1, 3)) - (day + 2) % _WEEK_DAYS
        generation, consumption, own_use, *_ = own[-1 - ago] * rng.normal(1.0, _SPREAD)
        if (day + len(site)) % _ABNORMAL_EVERY == 0:
            generation, own_use, consumption = (
                (0.0, 0.0, consumption) if day % 2 else (generation, own_use, 9 * consumption)
            )
        own_use = min(own_use, generation, consumption)
        values = (generation, consumption, own_use, generation - own_use, consumption - own_use)
        date = (last + np.timedelta64(day + 2, "D")).item()
        energies = {name: round(float(v) * WH_PER_KWH, 4) for name, v in zip(HEADERS, values, strict=True)}
        records.append({"Fecha": date.strftime("%d.%m.%Y"), **energies, "Empresa": site})
    return records
