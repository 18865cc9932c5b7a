"""Figures of alarm management, counted by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from sereno.incidents.health import Rates, Waits, rates_of, waits_of

START = datetime(2025, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def rates(*minutes: float, days: int = 1) -> Rates:
    return rates_of([START + m * MINUTE for m in minutes], since=START, until=START + days * DAY)


def test_averages_count_all_the_time() -> None:
    found = rates(*(60 * hour for hour in range(24)))

    assert (found.count, found.per_day, found.per_hour) == (24, 24.0, 1.0)
    assert found.per_10_min == pytest.approx(1 / 6, abs=1e-4)
    assert (found.peak_10_min, found.peak_hour, found.peak_day) == (1, 1, 24)
    assert (found.flood_percent, found.above_target_percent) == (0.0, 0.0)


def test_ten_in_ten_minutes_are_a_flood() -> None:
    nine, ten = rates(*range(9)), rates(*range(10))

    assert (nine.flood_percent, ten.flood_percent) == (0.0, pytest.approx(100 / 144, abs=1e-3))
    assert (nine.peak_10_min, ten.peak_10_min) == (9, 10)


def test_what_lies_outside_is_not_counted() -> None:
    assert rates(-1, 0, 24 * 60).count == 1


def test_nothing_has_figures_too() -> None:
    found = rates(days=30)

    assert (found.count, found.per_day, found.peak_hour) == (0, 0.0, 0)


def test_waits_have_a_median_and_a_late_quantile() -> None:
    assert waits_of([n * MINUTE for n in range(101)]) == Waits(101, 50.0, 95.0)
    assert waits_of([]) == Waits(0, None, None)
