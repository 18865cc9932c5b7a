"""A workspace of two zones of which one grows: learnt before, looked at after."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sereno.domain.readings import Window
from sereno.domain.time import from_numpy
from sereno.flows.workspace import Workspace
from tests.drift.cities import HOURS_PER_WEEK, a_city
from tests.support.builders import a_workspace, readings_of

__all__ = ["N_WEEKS", "beginning_of", "drifted_city", "in_week"]

LEARNT, GROWN, N_WEEKS = 64, 66, 70
WEEK = timedelta(days=7)
SETTINGS = "drift: {every: 7d}\nretrain: {min_new_days: 5, shadow: 8d}\n"


def a_growing_city() -> list[Window]:
    """Two zones; one takes a quarter more from some week on."""
    windows = [a_city(n_weeks=N_WEEKS, seed=seed, name=name) for seed, name in enumerate(("Norte", "Sur"))]
    values = windows[0].values.copy()
    values[GROWN * HOURS_PER_WEEK :, 0] *= 1.25
    return [replace(windows[0], values=values), windows[1]]


CITY = a_growing_city()


def beginning_of(week: int) -> datetime:
    """When some week begins."""
    return from_numpy(CITY[0].time[0]) + week * WEEK


def drifted_city(folder: Path) -> Path:
    """A forecaster learnt before the growth, and a look for drift after it."""
    with in_week(folder, LEARNT, since=0) as workspace:
        workspace.forecast()
    with in_week(folder, N_WEEKS, since=LEARNT) as workspace:
        workspace.drift()
    return folder


@contextmanager
def in_week(
    folder: Path, week: int, *, since: int | None = None, settings: str = SETTINGS
) -> Iterator[Workspace]:
    """The workspace at the beginning of some week, with the readings since another one brought in."""
    with a_workspace(folder, settings=settings, now=beginning_of(week)) as workspace:
        if since is not None:
            rows = [one.rows(HOURS_PER_WEEK * since, HOURS_PER_WEEK * week) for one in CITY]
            workspace.add(readings_of(*rows), zone="UTC")
        yield workspace
