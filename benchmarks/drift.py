"""The watch for drift on a city: false alarms through the seasons, weeks until a drift is seen.

There is no second year, so replays are interleaved: every other week is the reference, the weeks between are
judged, and nothing drifts in them but what is put in. Beside sereno stand two-sample tests on the same weeks.
The drifts of `sereno drift --scenario all` are run through a workspace, as a user runs them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np

from benchmarks.common import Goal, Options, parse_options, publish, tell
from benchmarks.drift_cities import weekly_looks
from benchmarks.forecast import COUNTRY, STEP, WEATHER, ZONES, City, read_city
from sereno import Workspace
from sereno.calendars.days import DAY_COLUMNS, day_types
from sereno.domain.drift import DriftKind
from sereno.domain.readings import BoolArray, FloatArray, Readings, Window
from sereno.domain.signals import AssetKey
from sereno.drift.monitor import judge_drift
from sereno.drift.weeks import Weeks, build_weeks
from sereno.flows.drifting import DriftRequest, ScenarioName

__all__ = ["main"]

SIGNALS = ("power", "temperature", "humidity", "wind_speed", "general_diffuse_flows", "diffuse_flows")
LOOK_AHEAD_WEEKS = 6
"""Judged weeks that must be left for a drift to be counted."""
WARM_UP_WEEKS = 6
_DRIFTED_SHARE = 0.5
"""Of the columns: from here on the preset calls a data set drifted."""
NEVER = 99
WEEKS_PER_YEAR = 365.2425 / 7
FALSE_PER_YEAR = 1.0
N_CITIES = 8
LIMITS = {"t_plus_5": 2.0, "t_plus_2": 6.0, "load_plus_10": 1.0}
PROTOCOL = (
    "Reference: every other whole week; judged: those between. A drift begins at each judged week in turn "
    "and lasts; weeks are counted among the judged ones, the median over beginnings and zones is told. "
    "Alarms are MEDIUM and beyond; a stretch of alarming weeks is one. Weekly: made-up cities of two years "
    "looked at every week as `drift.every: 7d` does, the last four weeks against all before; an alarm is one "
    "that did not stand a week ago."
)


@dataclass(frozen=True, slots=True)
class Drift:
    """One that is put in."""

    kind: DriftKind
    signal: str
    add: float = 0.0
    times: float = 1.0

    def apply(self, window: Window) -> Window:
        """The whole window with it."""
        values = window.values.copy()
        column = window.signals.index(self.signal)
        values[:, column] = values[:, column] * self.times + self.add
        return replace(window, values=values)


DRIFTS: Mapping[str, Drift] = {
    "t_plus_5": Drift(DriftKind.INPUT, "temperature", add=5.0),
    "t_plus_2": Drift(DriftKind.INPUT, "temperature", add=2.0),
    "humidity_plus_10": Drift(DriftKind.INPUT, "humidity", add=10.0),
    "load_plus_10": Drift(DriftKind.CONCEPT, "power", times=1.10),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    options = parse_options("drift", "the watch for drift on a city", arguments)
    if options.data is None:
        raise SystemExit("no data: --data names a folder with tetuan/*.csv")
    city = read_city(options.data / "tetuan")
    windows = _windows(city)
    weeks = [_weeks(one) for one in windows]
    began = process_time()
    tell(f"{len(weeks[0])} whole weeks of {len(weeks)} zones")
    false, n_judged = _false_alarms(weeks)
    judging_s = process_time() - began
    years = n_judged * len(weeks) / WEEKS_PER_YEAR
    found = {name: _detection(windows, weeks, drift, options) for name, drift in DRIFTS.items()}
    per_year = sum(false.values()) / years
    document: dict[str, object] = {
        "protocol": PROTOCOL,
        "false_alarms_per_meter_year": per_year,
        "false_alarms": false,
        "meter_years": years,
        "judging_cpu_s": judging_s,
        "detect_weeks": {name: one["median_weeks"] for name, one in found.items()},
        "detection": found,
        "imputed": _imputed(windows, weeks),
        "weekly": weekly_looks(1 if options.is_quick else N_CITIES, every=8 if options.is_quick else 1),
        "peers": _peers(windows[0]),
        "scenarios": _scenarios(city, options),
    }
    goals = {"false_alarms_per_meter_year": Goal(per_year, FALSE_PER_YEAR)}
    weekly: Mapping[str, Mapping[str, float]] = document["weekly"]  # type: ignore[assignment]
    for year, one in weekly.items():
        goals[f"weekly_alarms_{year}"] = Goal(one["alarms_per_meter_year"], FALSE_PER_YEAR)
    for name, limit in LIMITS.items():
        goals[name] = Goal(found[name]["median_weeks"], limit)
    publish(options, document, goals)


def _windows(city: City) -> list[Window]:
    n_rows = city.values.shape[1]
    time = np.datetime64(city.start.replace(tzinfo=None), "us") + np.arange(n_rows) * np.timedelta64(STEP)
    columns = [np.column_stack([one, city.weather.T]) for one in city.values]
    quality = np.zeros((n_rows, 1 + len(WEATHER)), dtype=np.int32)
    return [
        Window(AssetKey("Tetuan", zone), "load", SIGNALS, time, one, quality, STEP)
        for zone, one in zip(ZONES, columns, strict=True)
    ]


def _weeks(window: Window) -> Weeks:
    return build_weeks(window, "power", is_ratio=True, special_days=_special_days, daily_errors={})


def _special_days(first: int, count: int) -> BoolArray:
    is_holiday = day_types(first - 1, count + 1, COUNTRY)[:, DAY_COLUMNS.index("holiday")] > 0.0
    special: BoolArray = is_holiday[1:] | is_holiday[:-1]
    return special


def _mixed(weeks: Weeks, other: Weeks, chosen: BoolArray) -> Weeks:
    """Weeks with some replaced by those of another, which has the same weeks."""
    mixed: dict[str, Any] = {}
    for name in ("level", "means", "degrees", "quantiles", "faults", "errors"):
        mixed[name] = getattr(weeks, name).copy()
        mixed[name][chosen] = getattr(other, name)[chosen]
    return replace(weeks, **mixed)


def _split(weeks: Weeks) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(0, len(weeks), 2), np.arange(1, len(weeks), 2)


def _false_alarms(fleet: Sequence[Weeks]) -> tuple[dict[str, int], int]:
    """Alarms by kind where nothing drifts, and the judged weeks of one zone."""
    found = {kind.value: 0 for kind in DriftKind}
    for weeks in fleet:
        for kind, verdict in judge_drift(weeks, *_split(weeks)).verdicts.items():
            found[kind.value] += verdict.n_alarms
    return found, len(_split(fleet[0])[1])


def _detection(
    windows: Sequence[Window], fleet: Sequence[Weeks], drift: Drift, options: Options
) -> dict[str, Any]:
    """Weeks until the drift is seen, over all beginnings."""
    waits: dict[str, list[int]] = {}
    for window, weeks in zip(windows, fleet, strict=True):
        drifted = _weeks(drift.apply(window))
        reference, judged = _split(weeks)
        beginnings = range(len(judged) - LOOK_AHEAD_WEEKS)
        for begin in list(beginnings)[:: 4 if options.is_quick else 1]:
            chosen = np.zeros(len(weeks), dtype=bool)
            chosen[judged[begin:]] = True
            warm = max(0, begin - WARM_UP_WEEKS)
            found = judge_drift(_mixed(weeks, drifted, chosen), reference, judged[warm:])
            seen = [one.level.alarms for one in found.verdicts[drift.kind].weeks][begin - warm :]
            waits.setdefault(window.asset.asset, []).append(seen.index(True) + 1 if True in seen else NEVER)
    every = [one for several in waits.values() for one in several]
    return {
        "kind": drift.kind.value,
        "median_weeks": float(np.median(every)),
        "median_weeks_by_zone": {name: float(np.median(several)) for name, several in waits.items()},
        "first_week_share": float(np.mean(np.array(every) == 1)),
        "never_share": float(np.mean(np.array(every) == NEVER)),
        "beginnings": len(every),
    }


def _imputed(windows: Sequence[Window], fleet: Sequence[Weeks]) -> dict[str, object]:
    """Three of ten values of two inputs replaced by their median: the share of weeks in which it is seen."""
    seen: list[bool] = []
    for window, weeks in zip(windows, fleet, strict=True):
        values = window.values.copy()
        rng = np.random.default_rng(0)
        for column in (1, 2):
            lost = rng.random(len(values)) < 0.3
            values[lost, column] = np.median(values[:, column])
        spoilt = _weeks(replace(window, values=values))
        reference, judged = _split(weeks)
        chosen = np.zeros(len(weeks), dtype=bool)
        chosen[judged] = True
        found = judge_drift(_mixed(weeks, spoilt, chosen), reference, judged)
        seen += [one.level.alarms for one in found.verdicts[DriftKind.QUALITY].weeks]
    return {"weeks_seen_share": float(np.mean(seen)), "weeks": len(seen)}


def _peers(window: Window) -> dict[str, object]:
    """Share of weeks without drift in which common monitors alarm, on the same reference."""
    rows = _weekly_rows(window)
    reference = np.concatenate(rows[::2])
    judged = rows[1::2]
    monitors: dict[str, Callable[[FloatArray], bool] | None] = {
        "ks_bonferroni": _ks(reference) if find_spec("scipy") else None,
        "normed_wasserstein_0.1": _wasserstein(reference),
        "psi_0.2": _psi(reference),
        "evidently_data_drift_preset": _evidently(reference),
    }
    return {
        name: None if alarms is None else float(np.mean([alarms(week) for week in judged]))
        for name, alarms in monitors.items()
    }


def _weekly_rows(window: Window) -> list[FloatArray]:
    per_week = timedelta(weeks=1) // STEP
    n_weeks = len(window) // per_week
    return list(window.values[: n_weeks * per_week, 1:].reshape(n_weeks, per_week, -1))


def _evidently(reference: FloatArray) -> Callable[[FloatArray], bool] | None:
    """Its preset as it comes: half of the columns drift. None where it is not here, or does not import."""
    try:
        from evidently import Report
        from evidently.presets import DataDriftPreset
        from pandas import DataFrame
    except Exception:  # noqa: BLE001 - with pandas 3 it fails with an AttributeError of its own
        return None

    table = partial(DataFrame, columns=list(SIGNALS[1:]))
    before = table(reference)

    def alarms(week: FloatArray) -> bool:
        said = Report([DataDriftPreset()]).run(table(week), before).dict()["metrics"]
        counts = [one["value"] for one in said if "DriftedColumnsCount" in one["metric_name"]]
        return bool(counts[0]["share"] >= _DRIFTED_SHARE)

    return alarms


def _ks(reference: FloatArray) -> Callable[[FloatArray], bool]:
    from scipy.stats import ks_2samp

    def alarms(week: FloatArray) -> bool:
        p_values = [ks_2samp(a, b).pvalue for a, b in zip(week.T, reference.T, strict=True)]
        return min(p_values) < 0.05 / len(p_values)

    return alarms


def _wasserstein(reference: FloatArray) -> Callable[[FloatArray], bool]:
    levels = (np.arange(200) + 0.5) / 200
    known = np.quantile(reference, levels, axis=0)
    spread = reference.std(axis=0)

    def alarms(week: FloatArray) -> bool:
        apart = np.abs(np.quantile(week, levels, axis=0) - known).mean(axis=0) / spread
        return bool((apart > 0.1).any())

    return alarms


def _psi(reference: FloatArray) -> Callable[[FloatArray], bool]:
    edges = np.quantile(reference, np.linspace(0, 1, 11)[1:-1], axis=0)

    def shares(values: FloatArray, column: int) -> FloatArray:
        counts = np.bincount(np.searchsorted(edges[:, column], values[:, column]), minlength=10)
        found: FloatArray = np.maximum(counts / len(values), 1e-4)
        return found

    def alarms(week: FloatArray) -> bool:
        for column in range(week.shape[1]):
            a, b = shares(week, column), shares(reference, column)
            if float(((a - b) * np.log(a / b)).sum()) > 0.2:
                return True
        return False

    return alarms


def _scenarios(city: City, options: Options) -> dict[str, object]:
    """What `sereno drift --scenario all` says of the last four weeks."""
    windows = _windows(city)[:1] if options.is_quick else _windows(city)
    with TemporaryDirectory() as folder:
        (Path(folder) / "sereno.yaml").write_text(
            f"timezone: UTC\nforecast: {{country: {COUNTRY}}}\n", "utf-8"
        )
        with Workspace.open(folder) as workspace:
            workspace.add(_readings(windows), zone="UTC")
            report = workspace.drift(DriftRequest(scenarios=tuple(ScenarioName)))
    told: dict[str, object] = {"without": {str(one.asset): one.level.name for one in report.assets}}
    for one in report.outcomes:
        entry = told.setdefault(one.scenario.name.value, {})
        assert isinstance(entry, dict)
        entry[one.drift.asset.asset] = {
            "metric": one.scenario.rule.metric,
            "change_percent": one.change,
            "fixed_rule": one.rule_level.name,
            "watch": one.drift.verdicts[one.scenario.kind].level.name,
        }
    return told


def _readings(windows: Sequence[Window]) -> Readings:
    return Readings(
        profile="load",
        assets=tuple(one.asset for one in windows),
        asset_index=np.repeat(np.arange(len(windows), dtype=np.int32), [len(one) for one in windows]),
        time=np.concatenate([one.time for one in windows]),
        signals=SIGNALS,
        values=np.concatenate([one.values for one in windows]),
        quality=np.concatenate([one.quality for one in windows]),
    )


if __name__ == "__main__":
    main()
