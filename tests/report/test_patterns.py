"""Usual patterns against figures worked out by hand."""

from datetime import timedelta

import numpy as np
import pytest

from sereno.domain.signals import SignalKind
from sereno.report.patterns import (
    HOURS,
    WEEKDAYS,
    Course,
    calendar_of,
    carpet_of,
    correlation_of,
    course_of,
    duration_of,
    histogram_of,
    hour_of,
    month_of,
    response_of,
    spread_by,
    week_of,
    weekday_of,
)

QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
NAN = float("nan")


def _time(first: str, n_rows: int, step: timedelta) -> np.ndarray:
    return np.datetime64(first, "us") + np.arange(n_rows) * np.timedelta64(step)


def _course(first: str, values: list[float], *, is_daily: bool = False) -> Course:
    step = np.timedelta64(24 if is_daily else 1, "h")
    return Course(np.datetime64(first, "h") + np.arange(len(values)) * step, np.array(values), is_daily)


def test_energy_of_an_hour_is_the_sum_of_its_quarters() -> None:
    found = course_of(
        _time("2025-06-01T00:00", 4, QUARTER),
        np.array([1.0, 2.0, 3.0, 4.0]),
        zone="UTC",
        kind=SignalKind.INTERVAL,
        step=QUARTER,
    )

    assert found.values.tolist() == [10.0]


def test_power_of_an_hour_is_the_mean_of_its_quarters() -> None:
    found = course_of(
        _time("2025-06-01T00:00", 4, QUARTER),
        np.array([1.0, 2.0, NAN, 3.0]),
        zone="UTC",
        kind=SignalKind.INSTANT,
        step=QUARTER,
    )

    assert found.values.tolist() == [2.0]


@pytest.mark.parametrize(("quarters", "hour"), [([2.0, NAN, 4.0, NAN], 12.0), ([2.0, NAN, NAN, NAN], NAN)])
def test_missing_quarters_are_stood_for_by_half_of_them_and_not_by_fewer(
    quarters: list[float], hour: float
) -> None:
    found = course_of(
        _time("2025-06-01T00:00", 4, QUARTER),
        np.array(quarters),
        zone="UTC",
        kind=SignalKind.INTERVAL,
        step=QUARTER,
    )

    assert np.array_equal(found.values, [hour], equal_nan=True)


def test_hours_are_those_of_the_site_and_the_repeated_one_is_one() -> None:
    """On 26 October 2025 the clock of Madrid goes back at 01:00 UTC: 02:00 is there twice."""
    found = course_of(
        _time("2025-10-25T23:00", 4, HOUR),
        np.array([1.0, 2.0, 4.0, 5.0]),
        zone="Europe/Madrid",
        kind=SignalKind.INTERVAL,
        step=HOUR,
    )

    assert hour_of(found).tolist() == [1, 2, 3]
    assert found.values.tolist() == [1.0, 3.0, 5.0]


def test_daily_readings_stay_days() -> None:
    found = course_of(
        _time("2025-06-01T22:00", 2, DAY),
        np.array([7.0, 9.0]),
        zone="Europe/Madrid",
        kind=SignalKind.INTERVAL,
        step=DAY,
    )

    assert found.is_daily
    assert found.at.astype("datetime64[D]").astype(str).tolist() == ["2025-06-02", "2025-06-03"]
    assert found.values.tolist() == [7.0, 9.0]


def test_parts_of_the_calendar() -> None:
    course = _course("2025-06-01T23", [0.0, 0.0])

    assert weekday_of(course).tolist() == [6, 0]
    assert hour_of(course).tolist() == [23, 0]
    assert month_of(course).tolist() == [5, 5]


def test_spread_is_of_each_kind_without_what_is_missing() -> None:
    found = spread_by(np.array([0, 0, 2, 2]), np.array([1.0, 3.0, 5.0, NAN]), 3)

    assert np.array_equal(found.mean, [2.0, NAN, 5.0], equal_nan=True)
    assert np.array_equal(found.std, [1.0, NAN, 0.0], equal_nan=True)
    assert found.count.tolist() == [2, 0, 1]
    low, high = found.band(1.5)
    assert (low[0], high[0]) == (0.5, 3.5)


def test_carpet_has_a_column_for_days_without_readings() -> None:
    course = Course(
        np.array(["2025-06-01T03", "2025-06-03T00"], dtype="datetime64[h]"), np.array([1.0, 2.0]), False
    )
    days, found = carpet_of(course)

    assert days.astype(str).tolist() == ["2025-06-01", "2025-06-02", "2025-06-03"]
    assert found.shape == (HOURS, 3)
    assert (found[3, 0], found[0, 2]) == (1.0, 2.0)
    assert np.isfinite(found).sum() == 2


def test_week_is_the_mean_of_the_same_hour_of_several_weeks() -> None:
    values = [NAN] * (2 * WEEKDAYS * HOURS)
    values[5], values[5 + WEEKDAYS * HOURS] = 2.0, 4.0
    found = week_of(_course("2025-06-02T00", values))

    assert found[0, 5] == 3.0
    assert np.isfinite(found).sum() == 1


def test_calendar_adds_hours_of_days_that_are_half_there() -> None:
    """Wednesday whole, Thursday with twelve hours, Friday with eleven."""
    values = [1.0] * 24 + [2.0] * 12 + [NAN] * 12 + [3.0] * 11
    mondays, found = calendar_of(_course("2025-06-04T00", values), is_added=True)

    assert mondays.astype(str).tolist() == ["2025-06-02"]
    assert np.array_equal(found[:, 0], [NAN, NAN, 24.0, 48.0, NAN, NAN, NAN], equal_nan=True)


def test_duration_curve_falls_from_the_peak_to_the_base() -> None:
    share, values = duration_of(np.array([4.0, NAN, 1.0, 3.0, 2.0, 5.0]), points=5)

    assert share.tolist() == [0.0, 25.0, 50.0, 75.0, 100.0]
    assert values.tolist() == [5.0, 4.0, 3.0, 2.0, 1.0]


def test_histogram_counts_every_value_once() -> None:
    edges, counts = histogram_of(np.array([0.0, 1.0, 1.5, 4.0, NAN]), bins=4)

    assert edges.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert counts.tolist() == [1, 2, 0, 1]


def test_correlation_is_of_rows_that_have_both() -> None:
    values = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 1.0], [3.0, 6.0, 1.0], [9.0, NAN, 1.0]])
    found = correlation_of(values)

    assert found[0, 1] == pytest.approx(1.0)
    assert np.isnan(found[0, 2])


def test_response_leaves_out_temperatures_of_a_single_day() -> None:
    middle, mean = response_of(np.array([0.5, 1.0, 5.0, 8.1, 9.9]), np.array([10.0, 20.0, 1.0, 4.0, 6.0]))

    assert middle.tolist() == [1.0, 9.0]
    assert mean.tolist() == [15.0, 5.0]
