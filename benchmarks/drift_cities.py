"""Two years of made-up cities in which nothing drifts, looked at every week: how many alarms that makes."""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np

from benchmarks.common import tell
from sereno.domain.drift import DriftKind
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.drift.monitor import judge_drift
from sereno.drift.weeks import Weeks, build_weeks

__all__ = ["weekly_looks"]

N_WEEKS, FIRST_LOOK, FIRST_YEAR = 104, 16, 52
JUDGED_WEEKS = 4
HOURS_PER_WEEK, SPELL_HOURS = 168, 72.0
WEEKS_PER_YEAR = 365.2425 / 7
FIRST_SEED = 200
"""Constants of the watch were chosen on other cities."""


def weekly_looks(n_cities: int, *, every: int) -> Mapping[str, Mapping[str, float]]:
    """By year: alarms that did not stand at the look before, and the meter-years that they are of."""
    alarms, looks = {"first": 0, "second": 0}, {"first": 0, "second": 0}
    for seed in range(FIRST_SEED, FIRST_SEED + n_cities):
        tell(f"weekly looks at made-up city {seed}")
        standing: set[DriftKind] = set()
        weeks = _weeks(seed)
        for end in range(FIRST_LOOK, len(weeks) + 1, every):
            year = "first" if end <= FIRST_YEAR else "second"
            cut = end - JUDGED_WEEKS
            verdicts = judge_drift(weeks, np.arange(cut), np.arange(cut, end)).verdicts
            now = {kind for kind, verdict in verdicts.items() if verdict.level.alarms}
            alarms[year] += len(now - standing)
            looks[year] += 1
            standing = now
    years = {year: count * every / WEEKS_PER_YEAR for year, count in looks.items()}
    return {
        year: {"alarms_per_meter_year": alarms[year] / years[year], "meter_years": years[year]}
        for year in alarms
    }


def _weeks(seed: int) -> Weeks:
    def no_holidays(_: int, count: int) -> np.ndarray:
        return np.zeros(count, dtype=bool)

    return build_weeks(_city(seed), "power", is_ratio=True, special_days=no_holidays, daily_errors={})


def _city(seed: int) -> Window:
    """Hours of power that follows day, week and temperature, and of humidity that follows nothing."""
    rng = np.random.default_rng(seed)
    hours = np.arange(N_WEEKS * HOURS_PER_WEEK)
    day, year = 2 * np.pi * hours / 24, 2 * np.pi * hours / (24 * 365.2425)
    temperature = 17 - 8 * np.cos(year) + 4 * np.sin(day - 2) + _spells(rng, len(hours), 1.6)
    humidity = 60 + 10 * np.cos(year) + _spells(rng, len(hours), 6.0)
    week = np.where(hours // 24 % 7 < 5, 1.0, 0.85)
    shape = 1 + 0.25 * np.sin(day - 1.5) + 0.1 * np.sin(2 * day)
    cooling = 0.015 * np.maximum(temperature - 18, 0)
    power = 5_000 * shape * week * (1 + cooling) * np.exp(_spells(rng, len(hours), 0.01))
    time = np.datetime64("2022-01-03T00", "us") + hours * np.timedelta64(1, "h")
    values = np.column_stack([power, temperature, humidity])
    return Window(
        AssetKey("City", str(seed)),
        "load",
        ("power", "temperature", "humidity"),
        time,
        values,
        np.zeros(values.shape, dtype=np.int32),
        timedelta(hours=1),
    )


def _spells(rng: np.random.Generator, n_rows: int, size: float) -> np.ndarray:
    """Noise that lasts for days, of a standard deviation, shape (rows,)."""
    from scipy.signal import lfilter

    keeps = np.exp(-1 / SPELL_HOURS)
    made: np.ndarray = lfilter([1.0], [1.0, -keeps], rng.normal(size=n_rows) * size * np.sqrt(1 - keeps**2))
    return made


if __name__ == "__main__":
    import json

    print(json.dumps(weekly_looks(8, every=1), indent=2))
