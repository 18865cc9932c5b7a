"""What is asked of the store grows neither with the assets of a transaction nor with history."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, create_engine, text

from sereno.detect.peering import Peering
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.flows.taking import Submission
from sereno.flows.workspace import Workspace
from sereno.prepare.checks import check_window
from tests.flows.hooks import Site, a_hook, hook_settings, workspace_with
from tests.flows.test_fleet import a_fleet
from tests.flows.test_taking import FIRST, HEADERS, LAST, a_record, judged_by
from tests.support.builders import a_workspace
from tests.support.stores import sqlite_address
from tests.support.work import calls_made, calls_of, database_work

FEW, MANY = 3, 60
DAYS_OF_HISTORY, MINUTE = 12, timedelta(minutes=1)


def records(n_assets: int, day: int) -> list[Submission]:
    """One record of each of so many assets, each in a request of its own; every other one cannot be."""
    return [
        Submission(
            [
                {
                    "Empresa": f"Nave {i}",
                    "Fecha": f"2025-05-{day:02d}",
                    **dict.fromkeys(HEADERS, -5.0 if day == DAYS_OF_HISTORY and i % 2 else 1.0 + i),
                }
            ]
        )
        for i in range(n_assets)
    ]


def statements_of_a_group(folder: Path, n_assets: int) -> int:
    """After some days that each asset has told one by one."""
    with a_workspace(folder) as workspace:
        for day in range(1, DAYS_OF_HISTORY):
            workspace.take(records(n_assets, day))
        with database_work() as work:
            answers, _ = workspace.take(records(n_assets, DAYS_OF_HISTORY))
    assert [one.n_new for one in answers] == [1] * n_assets  # type: ignore[union-attr]
    return len(work.statements)


def test_group_of_many_assets_costs_as_many_statements_as_one_of_few(tmp_path: Path) -> None:
    few = statements_of_a_group(tmp_path / "few", FEW)
    many = statements_of_a_group(tmp_path / "many", MANY)

    assert many <= few + 5
    assert many <= 45


def test_fleet_with_peers_and_a_model_is_judged_with_few_statements(tmp_path: Path) -> None:
    fleet = a_fleet()
    with judged_by(tmp_path, fleet) as workspace, database_work() as work:
        for row in range(FIRST, LAST):
            workspace.take([Submission([a_record(window, row)]) for window in fleet])

    assert len(work.statements) <= 45 * (LAST - FIRST)


def test_record_that_comes_alone_to_a_fleet_is_asked_and_judged_for_itself(tmp_path: Path) -> None:
    fleet = a_fleet()
    with judged_by(tmp_path, fleet) as workspace:
        for row in range(FIRST, LAST - 1):
            workspace.take([Submission([a_record(window, row)]) for window in fleet])
        n_judged: list[int] = []

        with database_work() as work:
            for window in fleet:
                one = [Submission([a_record(window, LAST - 1)])]
                n_judged.append(calls_of(check_window, lambda one=one: workspace.take(one)))

    assert len(work.statements) <= 35 * len(fleet)
    assert n_judged == [1] * len(fleet)


def test_rows_of_a_group_are_judged_in_one_window_and_peers_are_looked_at_once(tmp_path: Path) -> None:
    fleet = a_fleet()
    records = [Submission([a_record(window, row)]) for row in range(FIRST, FIRST + 5) for window in fleet]
    with judged_by(tmp_path / "judged", fleet) as workspace:
        n_judged = calls_of(check_window, lambda: workspace.take(records))
    with judged_by(tmp_path / "moved", fleet) as workspace:
        n_moved = calls_of(Peering.movement, lambda: workspace.take(records))

    assert n_judged == len(fleet)
    assert 0 < n_moved <= len(fleet)


def alerts(n_clients: int, number: int) -> Readings:
    """Hours of some clients of whom each reports one temperature that cannot be, at a time of its own."""
    n_hours = 90
    start = np.datetime64("2025-01-01T00", "us") + number * n_hours * np.timedelta64(1, "h")
    is_wrong = np.arange(n_hours) == (7 * np.arange(n_clients)[:, None]) % (n_hours - 1)
    values = np.where(is_wrong, 150.0, 15.0 + np.arange(n_hours) % 24 / 10).reshape(-1, 1)
    return Readings(
        profile="gas",
        assets=tuple(AssetKey(f"Casa {n}", f"Casa {n}") for n in range(n_clients)),
        asset_index=np.repeat(np.arange(n_clients, dtype=np.int32), n_hours),
        time=np.tile(start + np.arange(n_hours) * np.timedelta64(1, "h"), n_clients),
        signals=("temperature",),
        values=values,
        quality=np.zeros(values.shape, dtype=np.int32),
    )


def told(site: Site, number: int) -> tuple[int, int]:
    """Statements and steps of one more alert of each of a few clients, from the reading to its answer."""
    with database_work() as work:
        site.workspace.add(alerts(FEW, number), zone="UTC", judge=True)
        site.deliver(MINUTE)
    return len(work.statements), work.steps


def repeated(connection: Connection, table: str, change: Callable[[str], str], times: int) -> None:
    """Every row of a table so many times more, as older rows of the same kind."""
    names = [row[1] for row in connection.execute(text(f'PRAGMA table_info("{table}")'))]
    columns = ", ".join(f'"{name}"' for name in names)
    cells = ", ".join(change(name) for name in names)
    numbers = f"WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < {times})"
    connection.execute(
        text(f'{numbers} INSERT INTO "{table}" ({columns}) SELECT {cells} FROM copy, "{table}"')
    )


def with_history(folder: Path, times: int) -> None:
    """As if all that happened so far had happened so many times before, long ago."""
    changed = {
        "id": "CASE typeof(id) WHEN 'text' THEN id || '-' || n ELSE id + n * 900 END",
        "number": "number",
        **{name: f"{name} || '-' || n" for name in ("group_key", "incident_id", "dedup_key", "subject")},
        "notification_id": "notification_id + n * 900",
        **{name: f"{name} - n * 400000000000" for name in ("started_at", "ended_at", "last_at", "peak_at")},
        "kind": "kind",
    }
    engine = create_engine(sqlite_address(folder))
    with engine.begin() as connection:
        for table in (
            "detection",
            "incident",
            "incident_event",
            "notification",
            "delivery_attempt",
            "change",
        ):
            repeated(connection, table, lambda name: changed.get(name, f'"{name}"'), times)
    engine.dispose()


def test_alert_costs_the_same_after_ten_thousand_others(tmp_path: Path) -> None:
    with a_hook() as hook:
        receivers = {"one": hook_settings(hook.url, budget={"messages": 100000, "per": "1s"})}
        with workspace_with(tmp_path, receivers, notify_horizon="36500d") as site:
            for number in range(33):
                told(site, number)
            before = told(site, 33)
            with_history(tmp_path, 100)
            after = told(site, 34)
            with site.workspace.store.read() as tx:
                n_incidents = len(tx.incidents())

    assert n_incidents > 10_000
    assert len(set(hook.keys)) == len(hook.keys) == 35 * FEW
    assert after[0] <= before[0] + 3
    assert after[1] <= 1.2 * before[1]


@pytest.mark.parametrize("days_ahead", [9, 4000])
def test_record_of_the_future_is_quarantined_and_costs_nothing(tmp_path: Path, days_ahead: int) -> None:
    fleet = a_fleet()[:1]

    def take(workspace: Workspace, row: int, *others: dict[str, object]) -> None:
        (answer,), _ = workspace.take([Submission([a_record(fleet[0], row), *others])])
        assert [one.reason for one in answer.quarantined] == ["quality.future"] * len(others)  # type: ignore[union-attr]

    with judged_by(tmp_path, fleet) as workspace:
        alone = calls_made(lambda: take(workspace, FIRST))
        ahead = workspace.now() + timedelta(days=days_ahead)
        late = a_record(fleet[0], FIRST) | {"Fecha": ahead.isoformat()}
        together = calls_made(lambda: take(workspace, FIRST + 1, late))

    assert together <= 1.5 * alone
