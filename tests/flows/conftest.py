"""Trained workspaces: made once, copied for each test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sereno.domain.readings import Window
from sereno.flows.workspace import Workspace
from tests.support.builders import (
    HOUR,
    a_roof,
    a_solar_workspace,
    a_workspace,
    readings_of,
)

TRAINED_ROWS = 200
HOURLY_TRAINED_ROWS = 24 * 60


def daily_year() -> list[Window]:
    """A year of three roofs: learnt from the calm first part, disturbed in the second."""
    return [
        a_roof(
            "Planta 1",
            rows=365,
            size=5.0,
            generation={(230, 260): 0.0, (300, 304): 0.2},
            missing=[slice(210, 213), slice(280, 281), slice(320, 330)],
        ),
        a_roof(
            "Planta 2",
            rows=365,
            size=20.0,
            generation={(220, None): 4.0},
            consumption={(340, 344): 4.0, (346, 350): 4.0},
        ),
        a_roof(
            "Planta 3", rows=365, size=80.0, generation={(250, 252): 0.1, (256, 262): 0.0, (275, 280): 0.05}
        ),
    ]


def hourly_months() -> list[Window]:
    """Ninety days of hours of two roofs, with gaps and a dead stretch in the last thirty."""
    first = 24 * 60
    return [
        a_roof(
            "Tejado 1",
            rows=24 * 90,
            step=HOUR,
            size=10.0,
            generation={(first + 100, first + 220): 0.0},
            consumption={(first + 480, first + 500): 5.0},
            missing=[
                slice(first + 30, first + 32),
                slice(first + 300, first + 340),
                slice(first + 130, first + 138),
            ],
        ),
        a_roof("Tejado 2", rows=24 * 90, step=HOUR, size=40.0, missing=[slice(first + 400, first + 405)]),
    ]


@pytest.fixture(scope="session")
def daily_windows() -> list[Window]:
    return daily_year()


@pytest.fixture(scope="session")
def hourly_windows() -> list[Window]:
    return hourly_months()


@pytest.fixture(scope="session")
def _daily_template(tmp_path_factory: pytest.TempPathFactory, daily_windows: list[Window]) -> Path:
    folder = tmp_path_factory.mktemp("daily")
    a_solar_workspace(folder, daily_windows, trained_on=TRAINED_ROWS).close()
    return folder


@pytest.fixture(scope="session")
def _hourly_template(tmp_path_factory: pytest.TempPathFactory, hourly_windows: list[Window]) -> Path:
    folder = tmp_path_factory.mktemp("hourly")
    a_solar_workspace(folder, hourly_windows, trained_on=HOURLY_TRAINED_ROWS).close()
    return folder


@pytest.fixture
def trained_daily(_daily_template: Path, tmp_path: Path) -> Iterator[Callable[[str], Workspace]]:
    """Copies, by name, of a workspace that has learnt the first rows of the year and judged nothing."""
    yield from _copies(_daily_template, tmp_path)


@pytest.fixture
def trained_hourly(_hourly_template: Path, tmp_path: Path) -> Iterator[Callable[[str], Workspace]]:
    """As `trained_daily`, of hours."""
    yield from _copies(_hourly_template, tmp_path)


@pytest.fixture
def judged_daily(trained_daily: Callable[[str], Workspace], daily_windows: list[Window]) -> Workspace:
    """A workspace with the whole year in it, judged."""
    workspace = trained_daily("judged")
    workspace.add(readings_of(*daily_windows), zone=daily_windows[0].zone)
    workspace.score()
    return workspace


def _copies(template: Path, tmp_path: Path) -> Iterator[Callable[[str], Workspace]]:
    opened: list[Workspace] = []

    def copy(name: str) -> Workspace:
        folder = tmp_path / name
        shutil.copytree(template, folder)
        opened.append(a_workspace(folder))
        return opened[-1]

    yield copy
    for workspace in opened:
        workspace.close()
