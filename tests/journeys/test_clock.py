"""Promise: wrong clocks and changes of the hour move nothing that was right."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sereno.domain.time import from_numpy
from sereno.flows.workspace import Workspace
from tests.journeys.worlds import HOUR, ZONE, declare, write_rows
from tests.support.builders import MADRID, a_roof
from tests.support.stores import differences, dump, sqlite_address

WINDOW = a_roof("Planta 1", rows=30 * 24, step=HOUR, zone=ZONE)
LAST = datetime(2024, 1, 30, 23, tzinfo=UTC)
"""Start of the last row."""


def _ingested(folder: Path, file: Path, now: datetime) -> tuple[int, dict[str, int]]:
    """Rows that are stored, and how many rows each issue is about."""
    with Workspace.open(declare(folder), clock=lambda: now) as workspace:
        (result,) = workspace.ingest(file, judge=True)
        with workspace.store.read() as tx:
            n_rows = tx.n_rows()
    return n_rows, {one["code"]: one["count"] for one in result.entry["issues"]}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("ahead", "n_future"),
    [(timedelta(minutes=15), 0), (timedelta(minutes=16), 1), (timedelta(hours=2), 2)],
    ids=["15 min", "16 min", "a device that is two hours ahead"],
)
def test_readings_of_the_future_are_put_aside(tmp_path: Path, ahead: timedelta, n_future: int) -> None:
    file = write_rows(tmp_path / "Planta_1.csv", WINDOW, tail=())

    n_rows, issues = _ingested(tmp_path / "w", file, LAST - ahead)

    assert issues.get("quality.future", 0) == n_future
    assert n_rows == len(WINDOW) - n_future


def test_readings_put_aside_come_when_their_time_has_come(tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    file = write_rows(tmp_path / "Planta_1.csv", WINDOW, tail=())
    again = write_rows(tmp_path / "later" / "Planta_1.csv", WINDOW, tail=("",))
    _ingested(tmp_path / "w", file, LAST - timedelta(hours=2))

    n_rows, issues = _ingested(tmp_path / "w", again, LAST + timedelta(hours=1))

    assert n_rows == len(WINDOW)
    assert "quality.future" not in issues


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_clock_of_the_machine_that_jumps_changes_nothing(tmp_path: Path, jump: timedelta) -> None:
    calm, shaken = [], []
    for folder, jumps in ((tmp_path / "calm", calm), (tmp_path / "shaken", shaken)):
        for day in range(20, 30):
            rows = WINDOW.rows(24 * day, 24 * day + 24)
            (tmp_path / "files").mkdir(exist_ok=True)
            file = write_rows(tmp_path / "files" / f"Planta_1_{day:02d}.csv", rows, tail=())
            now = LAST + timedelta(days=1) + (jump if jumps is shaken and day % 2 else timedelta(0))
            jumps.append(_ingested(folder, file, now))

    assert calm == shaken
    found, wanted = (dump(sqlite_address(tmp_path / name)) for name in ("shaken", "calm"))
    assert differences(found, wanted) == {}


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25)])
def test_day_of_a_changed_hour_has_its_hours(tmp_path: Path, day: str, hours: int) -> None:
    """Files in local time, as meters write them: an hour is missing, or stands there twice."""
    roof = a_roof("Planta 1", rows=hours, step=HOUR, start=f"{day}T00", zone=MADRID)
    text = write_rows(tmp_path / "utc.csv", roof, tail=()).read_text("utf-8").splitlines()
    zone = ZoneInfo(MADRID)
    local = [f"{from_numpy(at).astimezone(zone):%d.%m.%Y %H:%M}" for at in roof.time]
    rows = [",".join([stamp, line.partition(",")[2]]) for stamp, line in zip(local, text[2:], strict=False)]
    file = tmp_path / "Planta_1.csv"
    file.write_text("\n".join([*text[:2], *rows, ""]), "utf-8")

    with Workspace.open(tmp_path / "w") as workspace:
        workspace.ingest(file, timezone=MADRID, judge=True)
        with workspace.store.read() as tx:
            (asset,) = tx.assets()
            stored = tx.rows(asset.id, asset.profile)

    assert stored.time.tolist() == roof.time.tolist()
    assert set(np.diff(stored.time).tolist()) == {timedelta(hours=1)}
