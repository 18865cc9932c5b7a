"""Features against what they are by definition, and columns that are left out against those that are not."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from sereno.calendars.days import DAY_COLUMNS
from sereno.domain.archive import pack, unpack
from sereno.domain.readings import FloatArray, Window
from sereno.forecast.features import WEEK, design, feature_names, told_features
from sereno.forecast.forecasters import RidgeForecaster
from sereno.forecast.panel import Panel, build_panel
from sereno.forecast.ridge import RidgeOptions, learn_sums, solve
from sereno.forecast.trained import TrainedPool, load_pool
from sereno.testing.forecasters import a_metered_history

NAMES = feature_names(())
EVERY = np.arange(len(NAMES))
OPTIONS = RidgeOptions(shrinkage=10.0, damping=5.0, days_ahead=1)
HOUR = timedelta(hours=1)


def a_panel(*, zone: str = "UTC", missing: float = 0.0, step: timedelta = HOUR, n_days: int = 70) -> Panel:
    """Two meters from 2024-01-01, the second of values that may be negative."""
    history = a_metered_history("power", n_meters=2, n_days=n_days, zone=zone, step=step)
    panel = build_panel(history, "power", days_ahead=0)
    values = panel.values.copy()
    values[1] -= np.nanmean(values[1])
    values[np.random.default_rng(0).random(values.shape) < missing] = np.nan
    return replace(panel, values=values)


def mean(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


@pytest.mark.parametrize("days", [1, 3])
@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["complete", "gaps"])
@pytest.mark.parametrize("step", [HOUR, timedelta(hours=3), timedelta(days=1)], ids=str)
def test_features_are_deviations_from_the_week_before(step: timedelta, missing: float, days: int) -> None:
    panel = a_panel(missing=missing, step=step, n_days=30)
    per_day, first, meter = panel.per_day, 20, 1

    made = design(panel, days, first * per_day, 28 * per_day, EVERY)

    for slot, day in ((0, 0), (per_day // 2, 3), (per_day - 1, 7)):
        now = (first + day) * per_day + slot
        values = panel.values[meter]
        week = values[now - (days + WEEK) * per_day + 1 : now - days * per_day + 1]
        profile, centre, scale = mean(week[per_day - 1 :: per_day]), mean(week), mean(np.abs(week))
        lags = [values[now - lag * per_day] - profile for lag in (days, days + 1, WEEK, 2 * WEEK)]
        means = [
            mean(values[now - (lag + 1) * per_day + 1 : now - lag * per_day + 1]) - centre
            for lag in (days, WEEK, WEEK + 1)
        ]
        wanted = np.clip(np.nan_to_num(np.array([*lags, *means, profile - centre]) / scale), -5.0, 5.0)
        np.testing.assert_allclose(made.features[meter, slot, : len(wanted), day], wanted, atol=3e-5)
        np.testing.assert_allclose(made.profile[meter, slot, day], profile, rtol=1e-5)
        np.testing.assert_allclose(made.scale[meter, slot, day], scale, rtol=1e-5)
        deviation = (values[now] - profile) / scale
        np.testing.assert_allclose(made.deviations()[meter, slot, day], deviation, atol=3e-5)


def test_nothing_is_known_without_a_day_of_the_week_before() -> None:
    panel = a_panel(n_days=40)
    values = panel.values.copy()
    values[0, 20 * 24 : 28 * 24 - 20] = np.nan

    made = design(replace(panel, values=values), 1, 28 * 24, 30 * 24, EVERY)

    assert np.isnan(made.deviations()[0, :3, 0]).all()
    assert np.isfinite(made.deviations()[1]).all()
    assert np.isfinite(made.features).all()


@pytest.mark.parametrize(
    ("zone", "untold"),
    [
        ("UTC", {"holiday", "ramadan"}),
        ("Europe/Madrid", {"ramadan"}),
        ("Africa/Casablanca", set()),
    ],
)
def test_what_no_day_is_is_not_told(zone: str, untold: set[str]) -> None:
    told = told_features(a_panel(zone=zone, n_days=90))

    left_out = {name.split("_")[0] for name in np.array(NAMES)[np.setdiff1d(EVERY, told)]}
    assert left_out == untold
    assert told[-1] == EVERY[-1]


def test_zones_beside_one_another_keep_their_days() -> None:
    zones = "Europe/Madrid", "UTC", "Europe/Madrid"
    history = [a_metered_history("power", n_meters=1, zone=zone)[0] for zone in zones]

    types = build_panel(history, "power", days_ahead=0).day_types

    np.testing.assert_array_equal(types[0], types[2])
    assert types[:, :, DAY_COLUMNS.index("holiday")].any(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize("missing", [0.0, 0.2], ids=["complete", "gaps"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid"])
def test_a_model_without_columns_that_say_nothing_is_that_with_them(zone: str, missing: float) -> None:
    sums = learn_sums(a_panel(zone=zone, missing=missing), 1, 15, 70)

    without, with_all = (solve(one, OPTIONS) for one in (sums, sums.widened(EVERY)))

    assert len(sums.told) < len(EVERY)
    for one, other in zip(without, with_all, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)
        assert not one[..., np.setdiff1d(EVERY, sums.told)].any()


def test_a_first_holiday_joins_what_was_learnt_without_any() -> None:
    whole = a_panel(zone="Europe/Madrid", n_days=95).days(7, 95)  # after Epiphany, beyond Good Friday
    before = learn_sums(whole.days(0, 74), 1, 15, 74)

    joined = learn_sums(whole, 1, 74, 88, known=before)
    at_once = learn_sums(whole, 1, 15, 88)

    assert len(before.told) < len(joined.told)
    np.testing.assert_array_equal(joined.told, at_once.told)
    np.testing.assert_allclose(joined.products, at_once.products, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(joined.n_rows, at_once.n_rows)


def test_a_forecaster_that_kept_all_columns_is_read_and_learns_on() -> None:
    history = a_metered_history("power", n_meters=2, n_days=42)
    trained = RidgeForecaster("power", days_ahead=1).fit([one.rows(0, 40 * 24) for one in history])
    header, arrays = unpack(trained.dump())
    arrays["ridge/products"] = trained.learnt.taught.sums[""].widened(EVERY).products
    del arrays["ridge/told"]

    read = load_pool(pack(header, arrays))

    assert len(read.learnt.taught.sums[""].told) == len(EVERY)
    np.testing.assert_allclose(_own_after(read, history), _own_after(trained, history), atol=2e-6)


def _own_after(trained: TrainedPool, history: list[Window]) -> np.ndarray:
    """Coefficients after two days more."""
    later = trained.refit(history)
    assert isinstance(later, TrainedPool)
    return later.learnt.taught.ridges[""].own
