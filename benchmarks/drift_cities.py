"""Two years of made-up cities in which nothing drifts, looked at every week: how many alarms that makes."""

from collections.abc import Mapping

import numpy as np

from benchmarks.common import tell
from sereno.domain.drift import DriftKind
from sereno.drift.monitor import judge_drift
from sereno.drift.weeks import Weeks, build_weeks
from tests.drift.cities import a_city

__all__ = ["weekly_looks"]

N_WEEKS, FIRST_LOOK, FIRST_YEAR = 104, 16, 52
JUDGED_WEEKS = 4
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
    city = a_city(n_weeks=N_WEEKS, seed=seed)

    def no_holidays(_: int, count: int) -> np.ndarray:
        return np.zeros(count, dtype=bool)

    return build_weeks(city, "power", is_ratio=True, special_days=no_holidays, daily_errors={})


if __name__ == "__main__":
    import json

    print(json.dumps(weekly_looks(8, every=1), indent=2))
