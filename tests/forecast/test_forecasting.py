"""What forecasts keep, whatever the clock, the gaps and the origin."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.calendars.days import day_types, is_ramadan
from sereno.domain.errors import ForecasterMisconfigured, ForecasterUnknown, SplitRefused, StepUnsupported
from sereno.domain.forecasts import Forecast, Tier
from sereno.domain.readings import Quality, Window
from sereno.domain.signals import AssetKey
from sereno.forecast.backtest import Backtest, backtest, dated, known_at
from sereno.forecast.forecasters import NaiveForecaster, RidgeForecaster
from sereno.forecast.mixing import effective
from sereno.forecast.naive import WEEK_BEFORE
from sereno.forecast.panel import build_panel
from sereno.forecast.pool import WEATHER
from sereno.forecast.registry import build_forecaster
from sereno.forecast.ridge import AS_USUAL, AS_YESTERDAY
from sereno.forecast.trained import TrainedPool, load_pool
from sereno.testing.forecasters import a_metered_history

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
HISTORY = a_metered_history("power", n_days=80)
RIDGE = RidgeForecaster("power", days_ahead=1).fit([one.rows(0, 70 * 24) for one in HISTORY])
START = datetime(2024, 1, 1, tzinfo=UTC)


def the_day(day: str) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))


@settings(max_examples=25, deadline=None)
@given(hour=st.integers(0, 9 * 24), minute=st.integers(0, 59), ahead=st.integers(1, 7 * 24))
def test_any_origin_is_forecast_from_what_was_over_then(hour: int, minute: int, ahead: int) -> None:
    origin = START + 70 * DAY + hour * HOUR + timedelta(minutes=minute)

    made = RIDGE.forecast(HISTORY[0], origin, ahead * HOUR)

    assert made.cut_off == origin.replace(minute=0)
    assert made.time[0] >= np.datetime64(origin.replace(tzinfo=None))
    assert len(made.time) == ahead
    assert np.isfinite(made.quantiles).all()
    assert (np.diff(made.quantiles, axis=1) >= 0).all()


@settings(max_examples=15, deadline=None)
@given(row=st.integers(0, 10 * 24 - 1), value=st.floats(-1e6, 1e6))
def test_a_value_after_the_cut_off_changes_nothing(row: int, value: float) -> None:
    window = HISTORY[1]
    values = window.values.copy()
    values[70 * 24 + row] = value

    poisoned = RIDGE.forecast(replace(window, values=values), START + 70 * DAY, DAY)

    clean = RIDGE.forecast(window, START + 70 * DAY, DAY)
    assert poisoned.quantiles.tobytes() == clean.quantiles.tobytes()


@pytest.mark.parametrize(("change", "n_hours"), [("2024-03-31", 23), ("2024-10-27", 25)])
def test_days_of_23_and_25_hours_keep_their_hours(change: str, n_hours: int) -> None:
    window = in_madrid(until=change)
    trained = RidgeForecaster("power", days_ahead=1).fit([window])
    midnight = window.time[-1] + np.timedelta64(1, "h")

    made = trained.forecast(window, utc(midnight), n_hours * HOUR)

    local = [one.astype("datetime64[h]").astype(int) % 24 for one in madrid(made.time)]
    assert len(made.time) == n_hours
    assert (local[0], local[-1]) == (0, 23)
    assert np.abs(made.median - pattern(madrid(made.time))).max() < 0.15


def test_the_clock_on_the_wall_is_followed_after_a_change() -> None:
    window = in_madrid(until="2024-04-02")
    trained = RidgeForecaster("power", days_ahead=1).fit([window])

    made = trained.forecast(window, utc(window.time[-1] + np.timedelta64(1, "h")), DAY)

    assert np.abs(made.median - pattern(madrid(made.time))).max() < 0.15


def test_flagged_values_teach_nothing() -> None:
    spoilt, gaps = [], []
    for window in HISTORY:
        values, quality, without = window.values.copy(), window.quality.copy(), window.values.copy()
        values[500:540] *= 40.0
        quality[500:540] = int(Quality.SPIKE)
        without[500:540] = np.nan
        spoilt.append(replace(window, values=values, quality=quality))
        gaps.append(replace(window, values=without))

    forecaster = RidgeForecaster("power", days_ahead=1)

    assert forecaster.fit(spoilt).dump() == forecaster.fit(gaps).dump()


def test_a_new_meter_starts_from_the_fleet_and_a_nearly_empty_one_from_less() -> None:
    newcomer = replace(HISTORY[0], asset=AssetKey("Site", "New"))
    origin = START + 70 * DAY

    tiers = [RIDGE.forecast(newcomer.rows((70 - days) * 24, 70 * 24), origin, DAY).tier for days in (14, 2)]
    few = RIDGE.forecast(newcomer.rows(70 * 24 - 5, 70 * 24), origin, DAY)

    assert RIDGE.forecast(HISTORY[0], origin, DAY).tier == Tier.HIERARCHICAL
    assert tiers == [Tier.POOLED, Tier.POOLED]
    assert few.tier == Tier.CONSTANT


def test_a_meter_of_two_weeks_is_nearly_as_good_as_one_of_many() -> None:
    fleet = a_metered_history("power", n_meters=9, n_days=80)
    young = [*(one.rows(56 * 24, len(one)) for one in fleet[:3]), *fleet[3:]]
    origins = [START + (70 + day) * DAY for day in range(10)]

    errors = []
    for taught in (young, fleet):
        trained = RidgeForecaster("power", days_ahead=1).fit([upto(one, origins[0]) for one in taught])
        made = [(trained.forecast(one, origin, DAY), one) for one in fleet[:3] for origin in origins]
        errors.append(np.mean([error(*one) for one in made]))

    assert errors[0] <= 1.15 * errors[1]


def test_learning_a_day_more_is_learning_all_of_them() -> None:
    forecaster = RidgeForecaster("power", days_ahead=1)
    stepwise: TrainedPool = forecaster.fit([one.rows(0, 70 * 24) for one in HISTORY])
    for day in (71, 72, 73):
        stepwise = stepwise.refit([one.rows(0, day * 24) for one in HISTORY])  # type: ignore[assignment]

    at_once = forecaster.fit([one.rows(0, 73 * 24) for one in HISTORY])

    own, again = (one.learnt.taught.ridges[""].own for one in (stepwise, at_once))
    assert stepwise.learnt.until == at_once.learnt.until
    assert np.abs(own - again).max() < 1e-3


def test_weights_move_with_each_day_once() -> None:
    stepwise: TrainedPool = RIDGE
    for day in range(71, 79):
        stepwise = stepwise.refit([one.rows(0, day * 24) for one in HISTORY])  # type: ignore[assignment]
    at_once = RIDGE.refit([one.rows(0, 78 * 24) for one in HISTORY])

    assert isinstance(at_once, TrainedPool)
    before, after, again = (one.learnt.weights for one in (RIDGE, stepwise, at_once))
    np.testing.assert_allclose(after.sum(axis=2), 1.0)
    assert np.abs(after - before).max() > 0.01
    assert np.abs(after - again).max() < 0.5 * np.abs(after - before).max()


def test_model_with_the_members_of_before_forecasts_and_is_learnt_anew_with_its_next_day() -> None:
    learnt = RIDGE.learnt
    renamed = {AS_USUAL: AS_YESTERDAY}
    ridge = learnt.taught.ridges[""]
    following = {renamed.get(name, name): one for name, one in ridge.following.items()}
    older = replace(
        learnt,
        members=tuple(renamed.get(name, name) for name in learnt.members),
        taught=replace(learnt.taught, ridges={"": replace(ridge, following=following)}),
    )

    read = load_pool(TrainedPool(older).dump())
    made = read.forecast_many(HISTORY, START + 70 * DAY, DAY)
    later = read.refit([one.rows(0, 71 * 24) for one in HISTORY])

    assert AS_YESTERDAY in read.learnt.members
    assert all(np.isfinite(one.quantiles).all() for one in made)
    assert isinstance(later, TrainedPool)
    assert later.learnt.members == learnt.members
    assert later.learnt.until == learnt.until + 1


def test_where_no_model_says_anything_the_naive_does_and_the_tier_tells() -> None:
    counts = effective(RIDGE.learnt.weights)
    naive = RIDGE.learnt.members.index(WEEK_BEFORE)
    weighed = replace(RIDGE.learnt, weights=0.9 * counts + 0.1 * np.eye(counts.shape[2])[naive])

    (made,) = TrainedPool(weighed).forecast_many([HISTORY[0].rows(0, 70 * 24)], START + 74 * DAY, DAY)

    assert made.tier is Tier.SEASONAL_NAIVE
    np.testing.assert_array_equal(np.diff(made.quantiles, axis=1) >= 0, True)


def test_days_beyond_the_memory_are_forgotten() -> None:
    forecaster = RidgeForecaster("power", days_ahead=1, memory_days=65)
    trained = forecaster.fit([one.rows(0, 70 * 24) for one in HISTORY])

    later = trained.refit([one.rows(0, 74 * 24) for one in HISTORY])

    assert isinstance(later, TrainedPool)
    before, after = (one.learnt.taught.sums[""].n_rows.sum() for one in (trained, later))
    assert (later.learnt.n_taught, after) == (65, before)


@pytest.mark.parametrize("step", [timedelta(minutes=10), timedelta(minutes=15), timedelta(hours=3), DAY])
def test_any_step_that_parts_a_day(step: timedelta) -> None:
    n_days = 120 if step == DAY else 40
    history = a_metered_history("power", n_meters=2, n_days=n_days, step=step)
    trained = RidgeForecaster("power", days_ahead=2).fit(
        [upto(one, START + (n_days - 7) * DAY) for one in history]
    )

    made = trained.forecast_many(history, START + (n_days - 7) * DAY, 7 * DAY)

    assert [len(one.time) for one in made] == [7 * DAY // step] * 2
    assert all(error(one, window) < 0.2 for one, window in zip(made, history, strict=True))


def test_steps_that_do_not_part_a_day_are_refused() -> None:
    uneven = a_metered_history("power", n_days=20, step=timedelta(minutes=7))

    with pytest.raises(StepUnsupported):
        RidgeForecaster("power").fit(uneven)
    with pytest.raises(StepUnsupported):
        RidgeForecaster("power").fit([HISTORY[0], a_metered_history("power", step=DAY)[1]])


def test_the_naive_wins_where_it_is_better() -> None:
    rng = np.random.default_rng(0)
    week = rng.uniform(1.0, 3.0, 7 * 24)
    window = replace(HISTORY[0], values=np.resize(week, (len(HISTORY[0]), 1)))

    made = RidgeForecaster("power", days_ahead=1).fit([upto(window, START + 70 * DAY)])

    assert error(made.forecast(window, START + 70 * DAY, DAY), window) < 1e-6


def test_weather_comes_in_only_where_it_helps() -> None:
    rng = np.random.default_rng(1)
    used = []
    for effect in (1.0, 0.0):
        windows = []
        for window in HISTORY:
            weather = np.repeat(rng.normal(size=len(window) // 24), 24)
            values = window.values[:, 0] * (1 + 0.3 * effect * weather)
            table = np.stack([values, weather], axis=1)
            windows.append(
                replace(
                    window,
                    signals=("power", "temperature"),
                    values=table,
                    quality=np.zeros(table.shape, np.int32),
                )
            )
        forecaster = RidgeForecaster("power", days_ahead=1, covariates=("temperature",))
        trained = forecaster.fit([upto(one, START + 70 * DAY) for one in windows])
        used.append(trained.learnt.members)

    assert WEATHER in used[0]
    assert WEATHER not in used[1]


def test_bands_hold_what_they_promise() -> None:
    plan = Backtest(START + 60 * DAY, START + 80 * DAY, DAY, DAY, refit_every=DAY)

    figures = backtest(RidgeForecaster("power", days_ahead=1), [dated(one) for one in HISTORY], plan)

    assert 0.85 <= np.mean([one.coverage for one in figures]) <= 0.97
    assert all(one.mase < 1.0 for one in figures)
    assert all(len(one.mae_by_hour) == 24 for one in figures)


def test_a_backtest_uses_only_what_was_available() -> None:
    late = dated(HISTORY[0], delay=2 * DAY)

    known = known_at(late, START + 50 * DAY, "power")

    last = np.flatnonzero(~np.isnan(known.values[:, 0]))[-1]
    assert known.time[last] + np.timedelta64(1, "h") == np.datetime64("2024-02-18T00", "us")
    made = RIDGE.forecast(known, START + 50 * DAY, DAY)
    assert made.cut_off == START + 48 * DAY
    assert np.isfinite(made.quantiles).all()


def test_a_random_split_is_refused() -> None:
    plan = Backtest(START + 60 * DAY, START + 70 * DAY, DAY, DAY, split="random")

    with pytest.raises(SplitRefused, match="rolling"):
        backtest(NaiveForecaster("power"), [dated(HISTORY[0])], plan)


def test_holidays_are_sundays_and_ramadan_is_told_where_it_matters() -> None:
    spain = day_types(the_day("2024-01-01"), 7, "ES")
    ramadan = np.flatnonzero(is_ramadan(np.arange(the_day("2017-01-01"), the_day("2018-01-01"))))

    assert spain[:, 3].tolist() == [1, 0, 0, 0, 0, 1, 1]  # New Year's Day, Epiphany, a Sunday
    assert (ramadan[0], len(ramadan)) == (the_day("2017-05-27") - the_day("2017-01-01"), 30)
    assert day_types(the_day("2017-06-01"), 1, "MA")[0, 5] == 1
    assert day_types(the_day("2017-06-01"), 1, "ES")[0, 5] == 0


def test_a_repeated_hour_shares_a_slot() -> None:
    window = in_madrid(until="2024-10-28")

    panel = build_panel([window], "power", days_ahead=0)

    day = panel.values.reshape(-1, 24)[-1]
    assert np.isfinite(day).all()
    assert panel.n_days == 90


def test_names_and_options_that_are_not_there_are_told() -> None:
    with pytest.raises(ForecasterUnknown, match="ridge"):
        build_forecaster("rigde", "power")
    with pytest.raises(ForecasterMisconfigured, match="shrinkage_days"):
        build_forecaster("ridge", "power", {"shrinkage": 3})


def upto(window: Window, instant: datetime) -> Window:
    return window.rows(0, int(np.searchsorted(window.time, np.datetime64(instant.replace(tzinfo=None)))))


def error(made: Forecast, window: Window) -> float:
    place = np.searchsorted(window.time, made.time)
    actual = window.values[place, 0]
    return float(np.abs(made.median - actual).mean() / np.abs(actual).mean())


def utc(instant: np.datetime64) -> datetime:
    moment: datetime = instant.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)


def madrid(time: np.ndarray) -> np.ndarray:
    from sereno.domain.calendar import local_time

    return local_time(time, "Europe/Madrid")


def pattern(local: np.ndarray) -> np.ndarray:
    hour = local.astype("datetime64[h]").astype(int) % 24
    return np.where((hour >= 8) & (hour < 20), 3.0, 1.0)


def in_madrid(until: str, n_days: int = 90) -> Window:
    """A meter whose people follow the clock on the wall, up to a local midnight."""
    from sereno.domain.calendar import to_utc

    midnights = np.array([np.datetime64(until) - np.timedelta64(n_days, "D"), np.datetime64(until)]).astype(
        "datetime64[us]"
    )
    first, last = to_utc(midnights, "Europe/Madrid")
    time = np.arange(first, last, np.timedelta64(1, "h")).astype("datetime64[us]")
    values = pattern(madrid(time))[:, None]
    quality = np.zeros(values.shape, dtype=np.int32)
    return Window(
        AssetKey("Madrid", "Shop"), "load", ("power",), time, values, quality, HOUR, "Europe/Madrid"
    )


def test_bands_are_wider_on_public_holidays() -> None:
    history = a_metered_history("power", n_meters=2, n_days=100, zone="Europe/Madrid")
    past = [one.rows(0, 87 * 24) for one in history]
    trained = RidgeForecaster("power", days_ahead=3, country="ES").fit(past)
    elsewhere = replace(trained.learnt, plan=replace(trained.learnt.plan, country="FR"))
    thursday = datetime(2024, 3, 27, 23, tzinfo=UTC)

    here, there = (
        one.forecast(past[0], thursday, timedelta(days=2)) for one in (trained, TrainedPool(elsewhere))
    )

    widths = [np.subtract(*one.band[::-1]) for one in (here, there)]
    assert widths[0][:24] == pytest.approx(widths[1][:24])
    assert widths[0][24:] == pytest.approx(2.0 * widths[1][24:])
