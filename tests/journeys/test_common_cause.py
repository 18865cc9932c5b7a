"""Promise: what many meters of a site have in common is one incident to people, whoever read them."""

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
import yaml

from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.flows.workspace import Workspace
from tests.flows.hooks import hook_settings
from tests.support.postgres import fresh_database

N_ENGINES, N_METERS = 2, 3
HOURS = 27
"""Two troubles of one meter lie so far apart that they are two incidents."""
START = np.datetime64("2026-01-01", "us")
IMPOSSIBLE_C, USUAL_C = 150.0, 15.0
WORK_S = 300.0
_FORKS = multiprocessing.get_context("forkserver")


def declare(folder: Path, url: str) -> Path:
    folder.mkdir()
    tree = {
        "timezone": "UTC",
        "notify_horizon": "36500d",
        "store": {"url": url},
        "receivers": {"ana": hook_settings("http://127.0.0.1:9/")},
        "routes": [{"to": ["ana"]}],
    }
    (folder / "sereno.yaml").write_text(yaml.safe_dump(tree), "utf-8")
    return folder


def trouble(engine: int, number: int) -> Readings:
    """The number-th stretch of hours of an engine's meters: what they say at first cannot be."""
    names = [f"Meter {engine}.{meter}" for meter in range(N_METERS)]
    hours = START + (number * HOURS + np.arange(HOURS)) * np.timedelta64(1, "h")
    values = np.where(np.arange(HOURS) < 2, IMPOSSIBLE_C, USUAL_C + np.arange(HOURS) / 10)
    return Readings(
        profile="gas",
        assets=tuple(AssetKey("Site", name) for name in names),
        asset_index=np.repeat(np.arange(N_METERS, dtype=np.int32), HOURS),
        time=np.tile(hours, N_METERS),
        signals=("temperature",),
        values=np.tile(values, N_METERS)[:, None],
        quality=np.zeros((N_METERS * HOURS, 1), dtype=np.int32),
    )


def work(folder: Path, engine: int, rounds: int, together: Barrier) -> None:
    """What an engine does with its meters, each round at the same moment as the others."""
    with Workspace.open(folder) as workspace:
        for number in range(rounds):
            together.wait(WORK_S)
            workspace.add(trouble(engine, number), zone="UTC", judge=True)


@pytest.mark.parametrize("rounds", [25, pytest.param(300, marks=pytest.mark.slow)])
def test_common_cause_that_two_engines_open_at_once_is_told_once(
    postgres_server: str, tmp_path: Path, rounds: int
) -> None:
    together = _FORKS.Barrier(N_ENGINES, timeout=60)
    with fresh_database(postgres_server) as url:
        folders = [declare(tmp_path / f"{engine}", url) for engine in range(N_ENGINES)]
        Workspace.open(folders[0]).close()
        engines = [
            _FORKS.Process(target=work, args=(folder, engine, rounds, together), daemon=True)
            for engine, folder in enumerate(folders)
        ]
        for one in engines:
            one.start()
        for one in engines:
            one.join(WORK_S)
        with Workspace.open(folders[0]) as workspace:
            incidents = [view.incident for view in workspace.incidents()]
            shown = [incident for incident in incidents if not incident.inhibitors]
            told = {incident.id for incident in incidents if workspace.told_of(incident.id)}

    assert [one.exitcode for one in engines] == [0] * N_ENGINES
    assert len(incidents) == rounds * N_ENGINES * N_METERS
    assert len(shown) == rounds
    assert len({one.started_at for one in shown}) == rounds
    assert told == {one.id for one in shown}
