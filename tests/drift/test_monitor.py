"""The four verdicts: quiet on seasons, loud on what is put in."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from sereno.domain.drift import AssetDrift, DriftKind, DriftLevel, DriftVerdict
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.drift.fleet import tell_shared
from sereno.drift.monitor import judge_drift
from sereno.drift.scenarios import SCENARIOS, ScenarioName, apply_scenario
from sereno.drift.weeks import Weeks
from tests.drift.cities import HOURS_PER_WEEK, a_city
from tests.drift.test_weeks import weeks_of

LAST = 6
N_WEEKS = 104


@cache
def quiet_weeks(seed: int) -> Weeks:
    return weeks_of(a_city(n_weeks=N_WEEKS, seed=seed))


def judged(window: Window) -> AssetDrift:
    weeks = weeks_of(window)
    cut = len(weeks) - LAST
    return judge_drift(weeks, np.arange(cut), np.arange(cut, len(weeks)))


def changed(window: Window, column: int, *, add: float = 0.0, times: float = 1.0) -> Window:
    values = window.values.copy()
    values[-LAST * HOURS_PER_WEEK :, column] = values[-LAST * HOURS_PER_WEEK :, column] * times + add
    return replace(window, values=values)


@pytest.mark.parametrize("n_weeks", [24, 40, N_WEEKS])
def test_nothing_drifts_through_the_seasons_however_short_the_history(n_weeks: int) -> None:
    n_alarms, n_years = 0, 0.0
    places = np.arange(N_WEEKS - n_weeks, N_WEEKS)
    for seed in range(20):
        found = judge_drift(quiet_weeks(seed), places[::2], places[1::2])
        n_alarms += sum(verdict.n_alarms for verdict in found.verdicts.values())
        n_years += n_weeks / 2 / 52.18
        assert found.verdicts[DriftKind.QUALITY].n_alarms == 0

    assert n_alarms / n_years <= 2.0  # of a budget of one, and few years


def test_the_last_weeks_of_a_first_year_are_quiet() -> None:
    n_alarms, n_years = 0, 0.0
    for seed in range(20):
        for n_weeks in (36, 44):
            found = judge_drift(quiet_weeks(seed), np.arange(n_weeks - 4), np.arange(n_weeks - 4, n_weeks))
            n_alarms += sum(verdict.n_alarms for verdict in found.verdicts.values())
            n_years += 4 / 52.18

    assert n_alarms / n_years <= 2.5  # of a budget of one, that a first year does not keep


def test_looks_of_a_second_year_are_quiet() -> None:
    n_alarms, n_looks = 0, 0
    for seed in range(6):
        for n_weeks in range(56, N_WEEKS + 1, 4):
            found = judge_drift(quiet_weeks(seed), np.arange(n_weeks - 4), np.arange(n_weeks - 4, n_weeks))
            n_alarms += sum(verdict.level.alarms for verdict in found.verdicts.values())
            n_looks += 1

    assert n_alarms / n_looks <= 4.0 / 52.18  # looks that alarm; of weeks told as too usual it was ten


@pytest.mark.parametrize(
    ("kind", "signal", "column", "change"),
    [
        (DriftKind.INPUT, "temperature", 1, {"add": 5.0}),
        (DriftKind.INPUT, "humidity", 2, {"add": 20.0}),
        (DriftKind.CONCEPT, "power", 0, {"times": 1.10}),
        (DriftKind.CONCEPT, "power", 0, {"times": 0.85}),
    ],
)
def test_drift_is_seen_named_and_dated(
    kind: DriftKind, signal: str, column: int, change: dict[str, float]
) -> None:
    city = a_city(n_weeks=N_WEEKS, seed=1)

    verdict = judged(changed(city, column, **change)).verdicts[kind]

    assert (verdict.level, verdict.signal) == (DriftLevel.HIGH, signal)
    assert verdict.since <= "2023-12-04"
    assert np.sign(verdict.change) == np.sign(change.get("add", change.get("times", 1.0) - 1.0))
    assert len(verdict.replays) == verdict.n_reference
    assert max(verdict.replays) <= 1.0


def test_warmer_weather_is_no_change_of_behaviour() -> None:
    city = a_city(n_weeks=N_WEEKS, seed=1)
    warm = changed(city, 1, add=3.0)
    follows = 1 + 0.015 * (np.maximum(warm.values[:, 1] - 18, 0) - np.maximum(city.values[:, 1] - 18, 0))
    values = warm.values.copy()
    values[:, 0] *= follows

    found = judged(replace(warm, values=values))

    assert not found.verdicts[DriftKind.CONCEPT].level.alarms


def test_filled_in_values_are_of_the_data() -> None:
    city = a_city(n_weeks=N_WEEKS)
    first = len(city) - LAST * HOURS_PER_WEEK

    found = judged(apply_scenario(ScenarioName.MISSING_FEATURES, city, "power", first))

    assert found.verdicts[DriftKind.QUALITY].level is DriftLevel.HIGH
    assert found.action == "quality"


@pytest.mark.parametrize("name", list(ScenarioName))
def test_every_scenario_alarms_where_the_season_is_known(name: ScenarioName) -> None:
    city = a_city(n_weeks=N_WEEKS, seed=1)
    first = len(city) - LAST * HOURS_PER_WEEK

    verdict = judged(apply_scenario(name, city, "power", first)).verdicts[SCENARIOS[name].kind]

    assert verdict.level is DriftLevel.HIGH
    assert verdict.is_season_known


def test_a_sensor_that_is_warm_alone_is_seen_sooner_than_warm_weather() -> None:
    city = a_city(n_weeks=N_WEEKS, seed=4)
    values = city.values.copy()
    hours = 2 * np.pi * np.arange(len(values)) / (24 * 365.2425)
    values[:, 2] = 60.0 - 3.0 * (values[:, 1] - 17 + 8 * np.cos(hours)) + 0.1 * (values[:, 2] - 60.0)
    city = replace(city, values=values)
    weather = changed(changed(city, 1, add=2.0), 2, add=-6.0)

    alone, together = (
        judged(window).verdicts[DriftKind.INPUT] for window in (changed(city, 1, add=2.0), weather)
    )

    assert alone.weeks[0].level.alarms
    assert alone.weeks[0].signal in ("temperature", "humidity")
    assert together.weeks[0].value < alone.weeks[0].value


@pytest.mark.parametrize("n_before", [0, 1, 2, 7])
def test_a_few_weeks_are_too_few_and_it_is_said(n_before: int) -> None:
    weeks = weeks_of(a_city(n_weeks=n_before + 2))

    found = judge_drift(weeks, np.arange(n_before), np.arange(n_before, n_before + 2))

    assert found.level is DriftLevel.UNKNOWN
    assert {one.reason for one in found.verdicts.values()} == {"not_enough_history"}
    assert found.action == "wait"


def test_a_signal_alone_has_no_inputs_that_could_drift() -> None:
    found = judged(a_city(n_weeks=N_WEEKS, signals=1))

    assert found.verdicts[DriftKind.INPUT].reason == "nothing_to_judge"
    assert found.verdicts[DriftKind.CONCEPT].level is DriftLevel.NONE


def test_a_season_nobody_has_seen_is_said() -> None:
    city = a_city(n_weeks=40)

    assert not judged(city).verdicts[DriftKind.INPUT].is_season_known
    assert judged(a_city(n_weeks=N_WEEKS)).verdicts[DriftKind.INPUT].is_season_known


def test_worse_forecasts_are_seen_where_errors_are_known() -> None:
    city = a_city(n_weeks=60, signals=1)
    rng = np.random.default_rng(0)
    first = int(city.time[0].astype("datetime64[D]").astype(int))
    errors = {first + day: 200 * (1 + 0.2 * rng.random()) * (1 + (day >= 56 * 7)) for day in range(60 * 7)}
    weeks = weeks_of(city, errors=errors)

    found = judge_drift(weeks, np.arange(56), np.arange(56, 60)).verdicts

    assert found[DriftKind.PERFORMANCE].level is DriftLevel.HIGH
    assert found[DriftKind.PERFORMANCE].since == found[DriftKind.PERFORMANCE].weeks[0].monday
    assert not found[DriftKind.CONCEPT].level.alarms


def test_a_second_week_beyond_the_threshold_makes_it_high() -> None:
    city = a_city(n_weeks=N_WEEKS, seed=2)

    weeks = judged(changed(city, 0, times=1.3)).verdicts[DriftKind.CONCEPT].weeks

    assert [one.level for one in weeks[:2]] == [DriftLevel.MEDIUM, DriftLevel.HIGH]


def _alarming(name: str, change: float, *, is_season_known: bool) -> AssetDrift:
    quiet = {kind: DriftVerdict(kind, DriftLevel.NONE, [], [], 20) for kind in DriftKind}
    loud = replace(
        quiet[DriftKind.CONCEPT], level=DriftLevel.HIGH, change=change, is_season_known=is_season_known
    )
    return AssetDrift(AssetKey("S", name), "power", {**quiet, DriftKind.CONCEPT: loud})


@pytest.mark.parametrize(
    ("changes", "is_season_known", "level", "is_shared"),
    [
        ((0.1, 0.1, 0.1), True, DriftLevel.HIGH, True),
        ((0.1, 0.1, 0.1), False, DriftLevel.LOW, True),
        ((0.1, -0.1, 0.0), False, DriftLevel.HIGH, False),
        ((0.1, 0.1), False, DriftLevel.HIGH, False),
    ],
)
def test_what_the_fleet_does_at_once_is_no_drift_of_one(
    changes: tuple[float, ...], is_season_known: bool, level: DriftLevel, is_shared: bool
) -> None:
    fleet = [_alarming(str(n), change, is_season_known=is_season_known) for n, change in enumerate(changes)]

    verdict = tell_shared(fleet)[0].verdicts[DriftKind.CONCEPT]

    assert (verdict.level, verdict.is_shared) == (level, is_shared)


@pytest.mark.parametrize("name", list(ScenarioName))
def test_scenarios_change_the_judged_weeks_only(name: ScenarioName) -> None:
    city = a_city(n_weeks=20)
    first = 16 * HOURS_PER_WEEK

    found = apply_scenario(name, city, "power", first)

    assert np.array_equal(found.values[:first], city.values[:first])
    assert not np.array_equal(found.values[first:], city.values[first:])


@pytest.mark.parametrize(
    ("change", "level"),
    [
        (-3.0, DriftLevel.LOW),
        (9.9, DriftLevel.LOW),
        (10.1, DriftLevel.MEDIUM),
        (20.1, DriftLevel.HIGH),
        (float("nan"), DriftLevel.UNKNOWN),
    ],
)
def test_the_fixed_rule(change: float, level: DriftLevel) -> None:
    assert SCENARIOS[ScenarioName.TEMPERATURE_SHIFT].rule.level(change) is level
