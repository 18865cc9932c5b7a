"""Whole local weeks of a window, and what of them is watched."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from sereno.domain.readings import Window
from sereno.drift.season import Pool, Season, anomaly, nearest
from sereno.drift.weeks import FAULTS, Weeks, build_weeks, monday_of
from tests.drift.cities import HOURS_PER_WEEK, a_city

WEEK = HOURS_PER_WEEK


def weeks_of(
    window: Window, *, special: tuple[int, ...] = (), errors: dict[int, float] | None = None
) -> Weeks:
    return build_weeks(
        window,
        "power",
        is_ratio=True,
        special_days=lambda first, count: np.isin(np.arange(first, first + count), special),
        daily_errors=errors or {},
    )


def test_only_whole_weeks_count() -> None:
    city = a_city(n_weeks=5)

    found = weeks_of(city.rows(30, 4 * WEEK + 50))

    assert len(found) == 3
    assert monday_of(found.first) == "2022-01-10"


def test_weeks_are_those_of_the_place() -> None:
    city = replace(a_city(n_weeks=3), zone="America/Lima")

    assert monday_of(weeks_of(city).first) == "2022-01-03"
    assert len(weeks_of(city)) == 2


def test_no_rows_are_no_weeks() -> None:
    assert len(weeks_of(a_city(n_weeks=1).rows(0, 0))) == 0


def test_level_is_of_usual_days_whatever_weekday_they_are() -> None:
    city = a_city(n_weeks=8, seed=3)
    values = city.values.copy()
    values[3 * WEEK : 3 * WEEK + 24, 0] *= 0.5
    monday = int(city.time[3 * WEEK].astype("datetime64[D]").astype(int))
    plain = weeks_of(city).level

    with_holiday = weeks_of(replace(city, values=values), special=(monday,)).level
    unknown = weeks_of(replace(city, values=values)).level

    assert abs(with_holiday[3] - plain[3]) < 0.01
    assert abs(unknown[3] - plain[3]) > 0.05


@pytest.mark.parametrize(
    ("fault", "spoil"),
    [
        ("missing", lambda column: np.where(np.arange(len(column)) % 10 < 3, np.nan, column)),
        ("standing", lambda column: np.where(np.arange(len(column)) < 60, column[0] + 1, column)),
        ("repeated", lambda column: np.where(np.arange(len(column)) % 10 < 3, np.median(column), column)),
    ],
)
def test_faults_are_shares_of_the_week(fault: str, spoil: object) -> None:
    city = a_city(n_weeks=3)
    values = city.values.copy()
    values[WEEK : 2 * WEEK, 1] = spoil(values[WEEK : 2 * WEEK, 1])  # type: ignore[operator]

    found = weeks_of(replace(city, values=values)).faults[:, 1, FAULTS.index(fault)]

    assert 0.25 < found[1] < 0.4
    assert max(found[0], found[2]) < 0.05


def test_radiation_that_is_nothing_at_night_does_not_stand_still() -> None:
    city = a_city(n_weeks=2)
    values = city.values.copy()
    values[:, 1] = np.maximum(values[:, 1] - 10, 0) * (np.arange(len(city)) % 24 > 12)

    assert weeks_of(replace(city, values=values)).faults[:, 1].max() < 0.05


def test_errors_are_shares_of_the_level() -> None:
    city = a_city(n_weeks=2)
    first = int(city.time[0].astype("datetime64[D]").astype(int))

    found = weeks_of(city, errors={first + day: 500.0 for day in range(7)}).errors

    assert 0.05 < found[0] < 0.2
    assert np.isnan(found[1])


def test_season_goes_round_the_year() -> None:
    weeks, offsets = nearest(104, np.arange(0, 100), 3)

    assert weeks.tolist() == [52, 0, 51]
    assert np.abs(offsets).max() < 2


def test_a_line_through_the_season_is_no_anomaly() -> None:
    weeks = np.array([0, 2, 4, 6, 8])
    values = np.column_stack([3.0 + 0.5 * weeks, np.full(5, np.nan)])

    found = anomaly(np.array([3.0 + 0.5 * 5 + 1.0, 0.0]), 5, values, weeks, 4)

    assert found[0] == pytest.approx(1.0)
    assert np.isnan(found[1])


def test_spread_is_that_of_the_season_drawn_towards_that_of_all() -> None:
    weeks = np.arange(40)
    wild = np.where(weeks < 20, 0.1, 1.0) * np.where(weeks % 4 < 2, 1.0, -1.0)
    season = Season(2.0 * weeks + wild, 8)
    usual = season.usual([(week, weeks[weeks != week]) for week in range(40)])

    calm, wandering = (season.spread(week, weeks[weeks != week], usual, 2.0) for week in (8, 30))

    assert 0.1 < calm < 0.5
    assert 0.8 < wandering < 1.5
    assert season.spread(8, weeks[weeks != 8], usual, 1e9) == pytest.approx(np.sqrt(usual))
    assert season.spread(8, weeks[:2], usual, 2.0) == pytest.approx(np.sqrt(usual))


def test_replays_are_made_as_a_new_week_is() -> None:
    pool = Pool(np.arange(20))

    between = Pool(np.arange(0, 40, 2)).replays(0, 6)
    after = pool.replays(pool.gap(22, 6), 6)

    assert pool.gap(22, 6) == 3
    assert all(others.max() <= week - 3 for week, others in after if len(others))
    assert {week for week, _ in between}.isdisjoint({0, 38})
    assert all(week not in others for week, others in between)


def test_a_run_is_compared_as_a_whole() -> None:
    pool = Pool(np.arange(20))
    judged = np.arange(20, 23)

    runs = pool.runs(judged, 4)

    assert [run.tolist() for run, _ in runs[:2]] == [[0, 1, 2], [1, 2, 3]]
    assert runs[-1][0].tolist() == [17, 18, 19]
    assert runs[-1][1].tolist() == list(range(17))
    assert not Pool(np.arange(0, 40, 2)).runs(np.arange(1, 39, 2), 4)


def test_a_run_has_its_season_on_both_sides_where_a_year_is_known() -> None:
    runs = Pool(np.arange(80)).runs(np.arange(80, 84), 4)

    run, others = runs[30]

    assert run.tolist() == [30, 31, 32, 33]
    assert sorted(set(range(80)) - set(others.tolist())) == [29, 30, 31, 32, 33, 34]


def test_weeks_beside_a_replay_are_as_far_as_they_are_beside_a_new_week() -> None:
    year, interleaved = Pool(np.arange(52)), Pool(np.arange(0, 40, 2))

    replays = year.replays(0, 4, year.apart(60, 4))

    assert year.apart(60, 4) == 2
    assert all(np.abs(others - week).min() == 2 for week, others in replays)
    assert interleaved.apart(7, 4) == 1
    assert [week for week, _ in interleaved.replays(0, 4, 1)] == list(range(2, 38, 2))


def test_last_years_season_serves_both_sides() -> None:
    assert Pool(np.arange(80)).gap(80, 6) == 0


def test_step_of_a_day_works() -> None:
    city = a_city(n_weeks=6)
    daily = replace(
        city,
        time=city.time[::24],
        values=city.values.reshape(-1, 24, 3).mean(axis=1),
        quality=city.quality[::24],
        step=timedelta(days=1),
    )

    assert np.allclose(weeks_of(daily).means, weeks_of(city).means)
