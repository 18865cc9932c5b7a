"""A small world with something of everything that screens show, built once and copied for each server."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.domain.incidents import Verdict
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.domain.time import to_numpy
from sereno.flows.workspace import Workspace
from sereno.simulate import demo_worlds

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
LONG = AssetKey(
    "Cooperativa <b>Villanueva</b> & Serena, nave de almacenamiento 3/B",
    "Cooperativa <b>Villanueva</b> & Serena, nave de almacenamiento 3/B",
)
"""A name as long as real ones, with what HTML and addresses give a meaning to."""
FAILED = AssetKey("Cubierta Sur 06", "Cubierta Sur 06")
LEAKING = AssetKey("CLIENTE03", "CLIENTE03")
SETTINGS = """\
timezone: Europe/Madrid
detector: {trees: 10}
tariff: {currency: EUR, prices: {kWh: 0.16, m³: 0.45}}
assets:
  CLIENTE03: {volume: line, pressure: gauge}
receivers:
  guardia: {kind: files, options: {folder: avisos}}
routes:
  - {to: [guardia]}
"""
_REPLAYED = timedelta(days=7)
_HISTORY = timedelta(days=35)
_CHOSEN = {"solar": (0, 1, 2, 5), "gas": (1, 2)}


def build_world(folder: Path) -> None:
    """Rooftops and gas clients, trained; in the last week a plant failed and a leak began."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sereno.yaml").write_text(SETTINGS, "utf-8")
    worlds = [one for one in demo_worlds(0, NOW) if one.readings.profile in {"solar", "gas"}]
    with Workspace.open(folder, clock=lambda: NOW, language="es") as workspace:
        batches = [_few(_renamed(one.readings)) for one in worlds]
        batches = [_rows(one, one.time >= to_numpy(NOW - _HISTORY)) for one in batches]
        begins = to_numpy(NOW - _REPLAYED)
        for batch in batches:
            workspace.add(_rows(batch, batch.time < begins), zone="Europe/Madrid", is_simulated=True)
        workspace.train()
        workspace.score()
        for batch in batches:
            late = _rows(batch, batch.time >= begins)
            workspace.add(late, zone="Europe/Madrid", judge=True, is_simulated=True)
        workspace.drift()
        workspace.deliver_due()
        old = [one for one in workspace.incidents() if one.incident.ended_at is not None]
        workspace.close_incident(old[-1].incident.id, Verdict.FALSE_ALARM, actor="ana")


def _renamed(readings: Readings) -> Readings:
    keys = [LONG if one.site == "Cubierta Norte 01" else one for one in readings.assets]
    return replace(readings, assets=tuple(keys))


def _few(readings: Readings) -> Readings:
    """Some of the assets: enough for peers, little to train."""
    return readings.take(np.flatnonzero(np.isin(readings.asset_index, _CHOSEN[readings.profile])))


def _rows(readings: Readings, wanted: np.ndarray) -> Readings:
    return readings.take(np.flatnonzero(wanted))
