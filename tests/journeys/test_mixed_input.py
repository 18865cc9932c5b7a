"""Promise: rows that come twice, in another order or a day late end as if they had come once and in order.

What only rows of yesterday tell is stored and judged, and never told to anybody.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.readings import Window
from sereno.domain.time import from_numpy
from sereno.flows.ingest import FileResult
from tests.flows.hooks import Hook, Site, a_hook, hook_settings, workspace_with
from tests.flows.reading_back import stored_detections, stored_readings, told_lives
from tests.flows.test_streamed_faults import course
from tests.journeys.worlds import HEADER, UNITS
from tests.support.builders import HOUR, with_cells
from tests.support.postgres import fresh_database

BATCH_ROWS = 12
DUPLICATED, REORDERED, LATE = 0.05, 0.05, 0.01
DAY_BATCHES = 24 // BATCH_ROWS + 1
"""After so many batches a row is more than a day late."""
YESTERDAY, BEFORE = 180, 250
"""Rows of which each alone opens an incident: one comes a day late, one a batch late."""
BUDGET = {"messages": 100_000, "per": "10min"}


def a_course(n_days: int) -> Window:
    """A roof with one fault after the other, and two single rows that do not balance in its calm days."""
    roof = course("roof of hours").window.rows(0, 24 * n_days)
    for row in (YESTERDAY, BEFORE):
        roof = with_cells(roof, row, "consumption", 99.0)
    return replace(roof, zone="UTC")


def mixed(n_rows: int, seed: int) -> list[list[int]]:
    """Row numbers by batch: most when they are due, some again, some later, a few a day later."""
    rng = np.random.default_rng(seed)
    n_batches = -(-n_rows // BATCH_ROWS)
    batches: list[list[int]] = [[] for _ in range(n_batches + DAY_BATCHES)]
    fate = rng.random((n_rows, 2))
    for row in range(n_rows):
        due = row // BATCH_ROWS
        wait = 0
        if row == YESTERDAY or fate[row, 0] < LATE:
            wait = DAY_BATCHES
        elif row == BEFORE or fate[row, 0] < LATE + REORDERED:
            wait = 1
        batches[due + wait].append(row)
        if fate[row, 1] < DUPLICATED:
            batches[due + wait + int(rng.integers(0, 2)) * (wait == 0)].append(row)
    return [rng.permutation(batch).tolist() for batch in batches]


def in_order(n_rows: int) -> list[list[int]]:
    return [list(range(n_rows))[first : first + BATCH_ROWS] for first in range(0, n_rows, BATCH_ROWS)]


def write_batch(path: Path, window: Window, rows: Sequence[int]) -> bool:
    """Rows as a rooftop's export, in the order given; False when there is nothing in them."""
    lines = [
        ",".join(
            [f"{from_numpy(window.time[row]):%d.%m.%Y %H:%M}", *(f"{1000 * cell:.0f}" for cell in cells)]
        )
        for row, cells in ((row, window.values[row].tolist()) for row in rows)
        if not np.isnan(cells).all()
    ]
    path.write_text("\n".join([HEADER, UNITS, *lines, ""]).replace("nan", ""), "utf-8")
    return bool(lines)


@contextmanager
def a_site(folder: Path, hook: Hook, url: str | None) -> Iterator[Site]:
    receivers = {"ana": hook_settings(hook.url, budget=BUDGET)}
    with workspace_with(folder / "w", receivers, url=url) as site:
        site.workspace.use_model(course("roof of hours").model)
        yield site


def fed(site: Site, window: Window, batches: Sequence[Sequence[int]], folder: Path) -> list[FileResult]:
    """Each batch is a file that comes when its newest row is due."""
    results: list[FileResult] = []
    for number, rows in enumerate(batches):
        site.clock.now = from_numpy(window.time[0]) + (number + 1) * BATCH_ROWS * HOUR
        path = folder / str(number) / "Planta_1.csv"
        path.parent.mkdir(parents=True)
        if write_batch(path, window, rows):
            results += site.workspace.ingest(path, timezone="UTC", stamp="start", judge=True)
        site.deliver()
    return results


def told_about(site: Site, window: Window, row: int) -> list[str]:
    """What was told of the incident that began with a row, which must be there."""
    began = from_numpy(window.time[row])
    views = [view for view in site.workspace.incidents() if view.incident.started_at == began]
    assert [view.incident.worst.check for view in views] == ["physics.consumption_balance"]
    return [str(one["event"]) for one in site.workspace.told_of(views[0].incident.id)]


def paged_for_the_past(site: Site) -> list[tuple[str, datetime]]:
    """Incidents whose beginning was told more than a day after their end."""
    found = []
    for view in site.workspace.incidents():
        incident = view.incident
        for one in site.workspace.told_of(incident.id):
            at = datetime.fromisoformat(str(one["created_at"]))
            until = incident.ended_at or at
            if one["event"] == "opened" and at - until > timedelta(days=1):
                found.append((incident.id, at))
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def two_stores(request: pytest.FixtureRequest) -> Iterator[tuple[str | None, str | None]]:
    """Two databases of a kind; None for the one in the workspace."""
    if request.param == "sqlite":
        yield None, None
    else:
        server = request.getfixturevalue("postgres_server")
        with fresh_database(server) as one, fresh_database(server) as other:
            yield one, other


@pytest.mark.parametrize(
    ("seed", "n_days"),
    [(0, 16), *(pytest.param(seed, 60, marks=pytest.mark.slow) for seed in range(1, 4))],
)
def test_mixed_rows_end_as_rows_in_their_order(
    two_stores: tuple[str | None, str | None], tmp_path: Path, seed: int, n_days: int
) -> None:
    window = a_course(n_days)
    batches = mixed(len(window), seed)
    with a_hook() as hook:
        with a_site(tmp_path / "sorted", hook, two_stores[0]) as ordered:
            fed(ordered, window, in_order(len(window)), tmp_path / "sorted")
            wanted = (
                stored_readings(ordered.workspace),
                stored_detections(ordered.workspace),
                told_lives(ordered.workspace),
            )
        with a_site(tmp_path / "mixed", hook, two_stores[1]) as site:
            results = fed(site, window, batches, tmp_path / "mixed")
            found = (
                stored_readings(site.workspace),
                stored_detections(site.workspace),
                told_lives(site.workspace),
            )
            yesterday = told_about(site, window, YESTERDAY)
            before = told_about(site, window, BEFORE)
            past = paged_for_the_past(site)

    assert len(wanted[2]) >= 5
    assert found == wanted
    assert any("quality.late" in str(result.entry["issues"]) for result in results)
    assert yesterday == []
    assert before[0] in {"opened", "opened_and_resolved"}
    assert past == []
