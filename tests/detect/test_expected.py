"""The expected value: what calendar, weather and the last days say, and that a fault does not become it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sereno.calendars.days import are_holidays
from sereno.detect.expected import ExpectedDetector, TrainedExpected
from sereno.domain.calendar import local_time
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory
from sereno.domain.readings import FloatArray, Window
from sereno.settings.profiles import load_profiles
from tests.support.builders import MADRID, a_window

LOAD = load_profiles()["load"]
PER_DAY = 24
N_DAYS = 120
SHIFT = 20
"""Days after the history from which on a test changes something."""
HEATING_KW_PER_DEGREE = 3.0


def a_building(
    days: int, *, seed: int = 0, change: Callable[[np.ndarray], FloatArray] | None = None
) -> Window:
    """Hourly load of an office that is heated electrically below 16 °C; workdays differ from weekends."""
    rng = np.random.default_rng(seed)
    window = a_window(
        np.zeros((days * PER_DAY, 2)), signals=("power", "temperature"), zone=MADRID, profile="load"
    )
    local = local_time(window.time, MADRID)
    hour = local.astype("datetime64[h]").astype(np.int64) % PER_DAY
    day = np.arange(days * PER_DAY) / PER_DAY
    weekday = (local.astype("datetime64[D]").astype(np.int64) + 3) % 7
    slow = np.convolve(rng.normal(size=days * PER_DAY + 95), np.ones(96) / 10, "valid")
    temperature = 10 + 4 * np.sin(day / 9) + 3 * np.sin((hour - 9) / 24 * 2 * np.pi) + 2 * slow
    office = 60.0 * ((hour >= 8) & (hour < 19)) * np.where(weekday < 5, 1.0, 0.15)
    power = 40 + office + HEATING_KW_PER_DEGREE * np.maximum(16 - temperature, 0)
    power = power + rng.normal(size=len(power)) * 2.0
    if change is not None:
        power = power * change(day)
    return replace(window, values=np.stack([power, temperature], axis=1))


def sagging(from_day: float, factor: float, until: float = 1e9) -> Callable[[np.ndarray], FloatArray]:
    return lambda day: np.where((day >= from_day) & (day < until), factor, 1.0)


@pytest.fixture(scope="module")
def trained() -> TrainedExpected:
    return ExpectedDetector(LOAD).fit([a_building(N_DAYS)])


def after_history(change: Callable[[np.ndarray], FloatArray], days: int) -> Window:
    return a_building(N_DAYS + days, change=lambda day: change(day - N_DAYS))


def test_weather_explains_where_the_history_shows_it(trained: TrainedExpected) -> None:
    window = a_building(N_DAYS)
    blind = ExpectedDetector(LOAD, uses_weather=False).fit([window])

    errors = [
        np.nanmean(np.abs(one.score(window)[0].expected[:, 0] - window.values[:, 0]))
        for one in (trained, blind)
    ]

    assert errors[0] < 3.0
    assert errors[0] < 0.6 * errors[1]


def test_weather_that_says_nothing_is_left_out() -> None:
    window = a_building(N_DAYS)
    noise = np.random.default_rng(1).normal(size=len(window)) * 5
    unrelated = replace(window, values=np.stack([window.values[:, 0], noise], axis=1))

    learnt = ExpectedDetector(LOAD).fit([unrelated])

    assert not learnt.assets[window.asset].weather


def test_weather_itself_is_not_judged(trained: TrainedExpected) -> None:
    window = a_building(N_DAYS)
    frost = window.values.copy()
    frost[-PER_DAY:, 1] = -55.0

    scores, _ = trained.score(replace(window, values=frost))

    assert np.isnan(scores.expected[:, 1]).all()
    assert not scores.contributions[:, 1].any()


def test_a_fault_that_lasts_does_not_become_the_expected_value(trained: TrainedExpected) -> None:
    faulty, sound = (after_history(sagging(SHIFT, one), 20 + SHIFT) for one in (0.75, 1.0))

    said, right = (trained.score(one)[0] for one in (faulty, sound))

    last = slice((N_DAYS + SHIFT + 14) * PER_DAY, None)
    assert np.nanmean(said.expected[last, 0] / right.expected[last, 0]) == pytest.approx(1.0, abs=0.05)
    by_day = said.values[(N_DAYS + SHIFT + 1) * PER_DAY :].reshape(-1, PER_DAY)
    assert (by_day.max(axis=1) > 1.0).all()


def test_what_stays_long_enough_is_taken_for_normal() -> None:
    learnt = ExpectedDetector(LOAD, hold_days=10).fit([a_building(N_DAYS)])
    window = after_history(sagging(SHIFT, 0.75), 40 + SHIFT)

    scores, _ = learnt.score(window)

    last = slice(-10 * PER_DAY, None)
    assert np.nanmean(scores.expected[last, 0] / window.values[last, 0]) == pytest.approx(1.0, abs=0.03)
    assert (scores.values[last] > 1.0).mean() < 0.1


def test_slow_change_is_followed(trained: TrainedExpected) -> None:
    window = after_history(lambda day: 1.0 + 0.002 * np.maximum(day, 0.0), 90)

    scores, _ = trained.score(window)

    last = slice(-10 * PER_DAY, None)
    assert np.nanmean(scores.expected[last, 0] / window.values[last, 0]) == pytest.approx(1.0, abs=0.03)
    assert (scores.values[N_DAYS * PER_DAY :] > 1.0).mean() < 0.1


def test_after_weeks_of_silence_two_days_are_awaited(trained: TrainedExpected) -> None:
    window = a_building(N_DAYS + 40)
    values = window.values.copy()
    silent = slice(N_DAYS * PER_DAY, (N_DAYS + 30) * PER_DAY)
    values[silent] = np.nan

    scores, _ = trained.score(replace(window, values=values))

    awaited = slice((N_DAYS + 30) * PER_DAY + 1, (N_DAYS + 32) * PER_DAY - 1)
    assert np.isnan(scores.values[awaited]).all()
    assert np.isfinite(scores.values[(N_DAYS + 33) * PER_DAY :]).all()


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(HistoryTooShort):
        ExpectedDetector(LOAD).fit([a_building(2)])


def test_the_memory_goes_on_where_the_history_ended(trained: TrainedExpected) -> None:
    window = a_building(N_DAYS + 5)
    cut = N_DAYS * PER_DAY + 7

    whole, end = trained.score(window)
    _, memory = trained.score(window.rows(0, cut))
    rest, after = trained.score(window.rows(cut, len(window)), Memory.load(memory.dump()))

    assert rest.values.tobytes() == whole.values[cut:].tobytes()
    assert after.dump() == end.dump()


@pytest.mark.parametrize("option", [{"hold_days": 0}, {"sustain_hours": 0.0}], ids=["hold", "sustain"])
def test_options_out_of_bounds_are_refused(option: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        ExpectedDetector(LOAD, **option)  # type: ignore[arg-type]


FIRST_OF_MAY = np.datetime64("2025-05-01", "D").astype(np.int64)
"""A Thursday, and a holiday in Spain."""


def an_office(days: int, *, rests: bool, closed_on: int | None = None) -> Window:
    """Hourly load from 2024 on of an office that is closed at weekends and, where it rests, on holidays."""
    rng = np.random.default_rng(3)
    window = a_window(
        np.zeros((days * PER_DAY, 1)),
        signals=("power",),
        zone=MADRID,
        profile="load",
        start="2024-01-01T00",
    )
    local = local_time(window.time, MADRID)
    hour = local.astype("datetime64[h]").astype(np.int64) % PER_DAY
    day = local.astype("datetime64[D]").astype(np.int64)
    is_closed = (day + 3) % 7 >= 5
    if rests:
        is_closed |= are_holidays(day, "ES")
    is_closed |= day == closed_on
    power = 40 + 60.0 * ((hour >= 8) & (hour < 19)) * np.where(is_closed, 0.15, 1.0)
    return replace(window, values=(power + rng.normal(size=len(power)) * 2.0)[:, None])


def worst_on(detector: TrainedExpected, window: Window, day: int) -> float:
    scores, _ = detector.score(window)
    local = local_time(window.time, MADRID).astype("datetime64[D]").astype(np.int64)
    return float(np.nanmax(scores.values[local == day]))


def test_a_holiday_is_no_anomaly_where_holidays_were_sundays() -> None:
    history, later = an_office(400, rests=True), an_office(500, rests=True)

    knowing = ExpectedDetector(LOAD).fit([history])
    ignorant = ExpectedDetector(LOAD, country="ZZ").fit([history])

    limits = [model.limit for one in (knowing, ignorant) for model in one.assets.values()]
    assert (
        worst_on(knowing, later, FIRST_OF_MAY) * limits[0]
        < 0.4 * worst_on(ignorant, later, FIRST_OF_MAY) * limits[1]
    )
    assert worst_on(knowing, later, FIRST_OF_MAY) < 2.0
    assert worst_on(knowing, an_office(500, rests=False), FIRST_OF_MAY) > 6.0, "at work on a holiday"
    assert limits[0] < 0.5 * limits[1], "holidays in the history no longer hide other faults"


def test_a_closed_day_is_one_where_holidays_were_workdays() -> None:
    history = an_office(400, rests=False)
    closed = an_office(500, rests=False, closed_on=FIRST_OF_MAY)

    detector = ExpectedDetector(LOAD).fit([history])

    assert worst_on(detector, an_office(500, rests=False), FIRST_OF_MAY) < 2.0
    assert worst_on(detector, closed, FIRST_OF_MAY) > 6.0


def test_a_history_without_holidays_says_nothing_of_them() -> None:
    history = an_office(400, rests=True).rows(20 * PER_DAY, 60 * PER_DAY)

    (model,) = ExpectedDetector(LOAD).fit([history]).assets.values()

    assert not model.signals["power"].value.rests


def test_holidays_are_kept_with_what_was_learnt() -> None:
    learnt = ExpectedDetector(LOAD, country="ES-CT").fit([an_office(400, rests=True)])
    later = an_office(500, rests=True)

    again = TrainedExpected.from_bytes(learnt.dump(), LOAD)

    assert again.country == "ES-CT"
    np.testing.assert_array_equal(again.score(later)[0].values, learnt.score(later)[0].values)
