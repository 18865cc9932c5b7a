"""Abnormal hours: every criticality, dated as incidents are, told only when the alarm was raised."""

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import UsageError
from sereno.domain.time import from_numpy
from sereno.flows.abnormal import AbnormalRows, abnormal_rows
from sereno.flows.workspace import Workspace
from tests.flows.test_segments import readings
from tests.support.builders import a_workspace
from tests.support.gas_clients import ZONE, GasClients, gas_clients

FACTS = "assets: {'*': {pressure: gauge, volume: line, base_temperature_c: 0}}\n"
LEARNT = 24 * 45
FIRST = LEARNT + 100
SPREADS = np.array([-14.0] * 4 + [-4.8] * 6 + [-3.4] * 6 + [0.0] * 4 + [-14.0] * 3)
"""A pressure that falls, nearly recovers, recovers for four hours and falls again."""
FROZEN = slice(LEARNT + 60, LEARNT + 120)


@pytest.fixture(scope="module")
def clients() -> GasClients:
    found = gas_clients(4, days=60, seed=21, n_faults=0)
    days = found.courses[0][:LEARNT, 0].reshape(-1, 24)
    spread = 1.4826 * np.median(np.abs(np.diff(days, axis=0))) / np.sqrt(2)
    found.courses[0][FIRST : FIRST + len(SPREADS), 0] += SPREADS * spread
    found.courses[1][FROZEN, 1] = found.courses[1][FROZEN.start, 1]
    return found


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, clients: GasClients) -> Iterator[Workspace]:
    found = a_workspace(tmp_path_factory.mktemp("levels"), settings=FACTS)
    found.add(readings(clients, slice(0, None)), zone=ZONE)
    found.train(before=from_numpy(clients.time[LEARNT]))
    yield found
    found.close()


def rows_of(workspace: Workspace, client: int) -> AbnormalRows:
    with workspace.store.read() as tx:
        asset = tx.assets("gas")[client]
        return abnormal_rows(tx, asset, workspace.profiles["gas"], workspace.model("gas"))


def test_every_level_is_reached(workspace: Workspace, tmp_path: Path) -> None:
    report = workspace.export_anomalies(tmp_path / "anomalies_detected.csv")

    assert set(report.levels) == {"Alta", "Media", "Baja", "Muy Baja", "Indeterminada"}
    with report.file.open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == report.n_rows == sum(report.levels.values())
    for row in written:
        score = float(row["score_anomalia_final"] or "nan")
        if row["criticidad_predicha"] == "Alta":
            assert score >= 1.5
        elif row["criticidad_predicha"] == "Media":
            assert 1.0 <= score < 1.5


def test_bands_are_those_of_the_settings(workspace: Workspace, clients: GasClients, tmp_path: Path) -> None:
    settings = FACTS + "criticality: {detection: 2, high: 50, medium: 40, low: 30}\n"
    with a_workspace(tmp_path, settings=settings) as other:
        other.add(readings(clients, slice(0, None)), zone=ZONE)
        other.train(before=from_numpy(clients.time[LEARNT]))

        report = other.export_anomalies(tmp_path / "a.csv")

    assert set(report.levels) == {"Muy Baja", "Indeterminada"}


def test_row_is_told_only_from_the_alarm_on(workspace: Workspace) -> None:
    """Of hours two in a run raise the alarm: the first belongs to the anomaly, but nobody had been told."""
    found = rows_of(workspace, 0)

    assert found.is_abnormal[FIRST : FIRST + len(SPREADS)].all()
    assert found.is_told[FIRST : FIRST + 3].tolist() == [False, True, True]
    first, second = found.told_at[FIRST : FIRST + 2]
    assert first == second == found.window.time[FIRST + 2]


def test_standstill_is_told_when_it_has_lasted(workspace: Workspace) -> None:
    found = rows_of(workspace, 1)
    told = np.flatnonzero(found.is_told[FROZEN])

    assert found.is_abnormal[FROZEN].all()
    assert 3 < told[0] < 24
    assert np.isnan(found.graded[FROZEN][: told[0] - 2]).all()
    assert {found.checks[place] for place in found.check[FROZEN]} == {"quality.frozen"}
    assert found.named[FROZEN, 1].all()
    assert not found.named[FROZEN, 0].any()


def test_abnormal_rows_are_those_of_the_incidents(workspace: Workspace) -> None:
    workspace.score()
    found = [rows_of(workspace, client) for client in range(4)]

    for view in workspace.incidents():
        client = int(view.incident.asset.site.removeprefix("CLIENTE")) - 1
        time = found[client].window.time
        for detection in view.incident.evidence:
            start, last = (
                np.datetime64(at.replace(tzinfo=None)) for at in (detection.started_at, detection.last_at)
            )
            assert found[client].is_abnormal[(time >= start) & (time <= last)].all()


def test_only_hours_of_the_asked_span_are_written(workspace: Workspace, clients: GasClients) -> None:
    since = from_numpy(clients.time[FIRST + 2])
    path = workspace.folder / "span.csv"

    report = workspace.export_anomalies(
        path, assets=["CLIENTE1"], since=since, until=since + timedelta(hours=5)
    )

    assert (report.n_rows, report.n_assets) == (5, 1)


def test_nothing_is_exported_of_nothing(tmp_path: Path) -> None:
    with a_workspace(tmp_path) as empty:
        with pytest.raises(UsageError):
            empty.export_anomalies(tmp_path / "a.csv")
        with pytest.raises(UsageError):
            empty.export_clusters(tmp_path / "c.csv")
    assert not (tmp_path / "a.csv").exists()
