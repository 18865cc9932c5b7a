from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.calendar import local_time, step_end, to_utc
from sereno.domain.time import from_numpy
from tests.support.builders import steps

ZONES = ("Europe/Madrid", "America/Santiago", "UTC", "Asia/Kolkata")


@pytest.mark.parametrize("zone", ZONES)
@given(hours=st.lists(st.integers(0, 24 * 365 * 20), min_size=1, max_size=40))
def test_local_time_is_that_of_the_zone_database(zone: str, hours: list[int]) -> None:
    time = np.datetime64("2015-01-01", "us") + np.sort(hours) * np.timedelta64(3600, "s")

    local = local_time(time, zone)

    expected = [from_numpy(one).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for one in time]
    assert local.tolist() == expected


@pytest.mark.parametrize("zone", ZONES)
def test_local_days_return_to_their_utc_instants(zone: str) -> None:
    days = np.datetime64("2023-12-31", "us") + np.arange(400) * np.timedelta64(1, "D")

    assert (
        local_time(to_utc(days, zone), zone).astype("datetime64[D]") == days.astype("datetime64[D]")
    ).all()


def test_local_time_of_one_row_equals_that_of_many() -> None:
    time = steps(24 * 90, start="2024-02-01")

    one_by_one = np.concatenate([local_time(time[i : i + 1], "Europe/Madrid") for i in range(len(time))])

    assert (one_by_one == local_time(time, "Europe/Madrid")).all()


def test_local_time_is_empty_when_there_are_no_rows() -> None:
    assert len(local_time(steps(0), "Europe/Madrid")) == 0


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2024-03-31", 23), ("2024-10-27", 25), ("2024-07-01", 24)],
    ids=["short", "long", "plain"],
)
def test_step_of_a_day_ends_with_the_calendar_day(day: str, hours: int) -> None:
    start = to_utc(np.array([np.datetime64(day, "us")]), "Europe/Madrid")[0]

    end = step_end(start, timedelta(days=1), "Europe/Madrid")

    assert end - start == np.timedelta64(hours, "h")


def test_step_end_is_the_start_when_there_is_no_rhythm() -> None:
    start = np.datetime64("2024-01-01T10:00", "us")

    assert step_end(start, None, "UTC") == start
