"""Savings of synthetic buildings whose savings are known."""

import numpy as np
import pytest

from sereno.domain.readings import FloatArray
from sereno.evaluate.baseline import DailyEnergy, fit_baseline
from sereno.evaluate.savings import Refusal, Savings, find_savings

YEAR = 365
FIRST_DAY = 18_993
"""2022-01-01, a Saturday."""
BASE, WEEKEND, HEATING, COOLING = 200.0, 0.6, 9.0, 6.0
HEATED_BELOW, COOLED_ABOVE = 15.0, 23.0


def a_building(
    n_days: int = 2 * YEAR,
    *,
    seed: int = 0,
    noise: float = 12.0,
    keeps: float = 0.4,
    measures: bool = True,
) -> DailyEnergy:
    """Days with heating and cooling, less on weekends, and autocorrelated errors."""
    rng = np.random.default_rng(seed)
    day = FIRST_DAY + np.arange(n_days)
    weather = 15 - 13 * np.cos(2 * np.pi * (np.arange(n_days) - 15) / 365.25)
    temperature = weather + autocorrelated(rng, n_days, 0.7) * 3.0
    weekday = (day + 3) % 7
    kind = np.where(weekday == 6, 2, np.where(weekday == 5, 1, 0))
    energy = BASE * np.where(kind > 0, WEEKEND, 1.0)
    energy = energy + HEATING * np.maximum(HEATED_BELOW - temperature, 0)
    energy = energy + COOLING * np.maximum(temperature - COOLED_ABOVE, 0)
    energy = energy + autocorrelated(rng, n_days, keeps) * noise
    if not measures:
        temperature = np.full(n_days, np.nan)
    return DailyEnergy(day, energy, temperature, kind)


def autocorrelated(rng: np.random.Generator, n_days: int, keeps: float) -> FloatArray:
    values = np.empty(n_days)
    last = rng.normal()
    for place in range(n_days):
        last = keeps * last + np.sqrt(1 - keeps**2) * rng.normal()
        values[place] = last
    return values


def periods(days: DailyEnergy, cut: int = YEAR, factor: float = 1.0) -> tuple[DailyEnergy, DailyEnergy]:
    place = np.arange(len(days))
    after = days.take(place >= cut)
    return days.take(place < cut), DailyEnergy(
        after.day, factor * after.energy, after.temperature, after.kind
    )


def found(*pair: DailyEnergy) -> Savings:
    savings = find_savings(*pair)
    assert isinstance(savings, Savings)
    return savings


def test_the_baseline_is_the_building() -> None:
    baseline, fit = fit_baseline(a_building(YEAR))

    assert baseline.heating == pytest.approx(HEATING, rel=0.06)
    assert baseline.heating_base == pytest.approx(HEATED_BELOW, abs=1.0)
    assert baseline.cooling == pytest.approx(COOLING, rel=0.2)
    assert baseline.cooling_base == pytest.approx(COOLED_ABOVE, abs=1.5)
    assert baseline.by_kind[2] / baseline.by_kind[0] == pytest.approx(WEEKEND, abs=0.03)
    assert fit.r2 > 0.95
    assert fit.cv_rmse == pytest.approx(12.0 / a_building(YEAR).energy.mean(), rel=0.15)
    assert abs(fit.nmbe) < 1e-6
    assert 0.25 < fit.autocorrelation < 0.55


def test_a_known_saving_is_found() -> None:
    savings = found(*periods(a_building(), factor=0.92))

    assert savings.share == pytest.approx(0.08, abs=0.015)
    assert savings.is_significant
    assert savings.refusals == ()


def test_intervals_hold_nine_times_of_ten() -> None:
    inside, claimed = 0, 0
    for seed in range(60):
        before, after = periods(a_building(YEAR + 180, seed=seed), factor=0.95)
        savings = found(before, after)
        true = 0.05 * (after.energy / 0.95).sum()
        inside += abs(savings.saved - true) <= savings.uncertainty
        none = found(*periods(a_building(YEAR + 180, seed=seed)))
        claimed += none.is_significant

    assert inside >= 0.83 * 60
    assert claimed <= 0.17 * 60


def test_the_running_sum_ends_at_what_was_saved_and_turns_where_it_began() -> None:
    days = a_building()
    begins = YEAR + 100
    energy = np.where(np.arange(len(days)) >= begins, 0.85, 1.0) * days.energy
    savings = found(*periods(DailyEnergy(days.day, energy, days.temperature, days.kind)))

    total, width = savings.cusum()

    assert total[-1] == pytest.approx(-savings.saved)
    assert abs(total[99]) < width[99]
    assert -total[-1] > width[-1]
    assert np.argmax(total) < 130
    assert width[-1] == pytest.approx(savings.uncertainty)


def test_days_without_a_value_are_compared_with_nothing() -> None:
    before, after = periods(a_building(), factor=0.9)
    energy = after.energy.copy()
    energy[::7] = np.nan
    holed = DailyEnergy(after.day, energy, after.temperature, after.kind)

    savings = found(before, holed)

    assert savings.n_compared == np.isfinite(energy).sum()
    assert savings.saved == pytest.approx(
        np.nansum(savings.expected[np.isfinite(energy)]) - np.nansum(energy)
    )
    assert savings.share == pytest.approx(0.10, abs=0.02)


def reasons(*pair: DailyEnergy) -> list[str]:
    got = find_savings(*pair)
    return [got.reason] if isinstance(got, Refusal) else [one.reason for one in got.refusals]


def test_a_short_baseline_and_a_short_comparison_are_refused() -> None:
    days = a_building()

    assert reasons(*periods(days.take(np.arange(len(days)) >= YEAR - 60), cut=60)) == ["baseline_days"]
    assert reasons(*periods(days.take(np.arange(len(days)) < YEAR + 5))) == ["reporting_days"]


def test_a_baseline_with_holes_is_refused() -> None:
    before, after = periods(a_building(), factor=0.9)
    energy = before.energy.copy()
    energy[50:100] = np.nan

    assert reasons(DailyEnergy(before.day, energy, before.temperature, before.kind), after) == [
        "baseline_sound"
    ]


def test_a_baseline_within_which_something_changed_is_refused() -> None:
    before, after = periods(a_building(), factor=0.9)
    energy = before.energy * np.where(np.arange(YEAR) >= 180, 0.7, 1.0)

    assert "bias" in reasons(DailyEnergy(before.day, energy, before.temperature, before.kind), after)


def test_scatter_that_hides_the_saving_is_refused() -> None:
    before, after = periods(a_building(YEAR + 60, noise=110.0, keeps=0.2), factor=0.97)

    assert "fit" in reasons(before, after)


def test_scatter_is_no_reason_where_the_saving_stands_out() -> None:
    before, after = periods(a_building(noise=80.0, keeps=0.0), factor=0.6)

    assert reasons(before, after) == []


def test_winter_says_nothing_of_summer_without_a_temperature() -> None:
    days = a_building(300, measures=False)

    assert "season" in reasons(*periods(days, cut=120))


def test_a_cold_never_seen_is_refused() -> None:
    days = a_building(YEAR + 40)
    before, after = periods(days)
    colder = DailyEnergy(after.day, after.energy + 200, after.temperature - 30, after.kind)

    assert "temperature" in reasons(before, colder)


def test_an_unexplained_meter_has_the_calendar_alone() -> None:
    rng = np.random.default_rng(3)
    days = a_building(YEAR)
    flat = DailyEnergy(days.day, 100 + rng.normal(size=YEAR), days.temperature, days.kind)

    baseline, _ = fit_baseline(flat)

    assert not baseline.knows_weather
    assert baseline.by_kind == pytest.approx((100, 100, 100), abs=0.5)
