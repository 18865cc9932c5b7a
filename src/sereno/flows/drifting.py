"""The watch for drift over stored readings, and over drifts put into them on purpose."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import isfinite
from pathlib import Path

import numpy as np

from sereno.calendars.days import DAY_COLUMNS, country_of, day_types
from sereno.domain.calendar import DAY, local_time, to_utc
from sereno.domain.drift import AssetDrift, DriftLevel
from sereno.domain.errors import NoReadings
from sereno.domain.readings import BoolArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy
from sereno.drift.fleet import tell_shared
from sereno.drift.monitor import judge_drift
from sereno.drift.response import fit_response
from sereno.drift.scenarios import SCENARIOS, Scenario, ScenarioName, apply_scenario
from sereno.drift.weeks import Weeks, build_weeks, monday_of
from sereno.flows.build import Setup
from sereno.flows.forecasting import ForecastRequest, MeterGroup, meter_groups
from sereno.forecast.backtest import Backtest, dated, rolled
from sereno.forecast.registry import build_forecaster
from sereno.i18n.catalogue import sentence
from sereno.report.figures import line_figure, write_figure
from sereno.store import Store

__all__ = [
    "DriftReport",
    "DriftRequest",
    "ScenarioName",
    "ScenarioOutcome",
    "drift_workspace",
    "write_drift",
]

_FIRST_WEEKS = 8
"""Weeks that the forecaster learns from before its first forecast is counted."""
_MOST_WEEKS = 60
"""Of forecasts that are made again to know how the errors of a season are."""
_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class DriftRequest:
    """What to watch.

    Attributes:
        weeks: The last whole weeks that are judged, those of the settings when None; before is the reference.
        asset: Only the one of this name, or `Site/Asset`.
        signal: The one that is forecast; the first of the profile that each asset has when None.
        scenarios: Drifts to put into the judged weeks.
    """

    weeks: int | None = None
    profile: str | None = None
    asset: str | None = None
    signal: str | None = None
    scenarios: Sequence[ScenarioName] = ()


@dataclass(frozen=True, slots=True)
class ScenarioOutcome:
    """What a drift on purpose did to one asset.

    Attributes:
        before, after: The metric of the fixed rule, of a model of weather and calendar that does not learn
            on, over the judged weeks.
        change: For the worse [%].
        rule_level: By the fixed rule.
        drift: What the watch says with the drift in place.
    """

    scenario: Scenario
    before: float
    after: float
    change: float
    rule_level: DriftLevel
    drift: AssetDrift

    def to_json(self) -> dict[str, object]:
        """For `drift --json`."""
        figures = {"before": self.before, "after": self.after, "change_percent": self.change}
        return {
            "scenario": self.scenario.name.value,
            "fixed_rule": {
                "metric": self.scenario.rule.metric,
                **{name: one if isfinite(one) else None for name, one in figures.items()},
                "threshold_percent": self.scenario.rule.percent,
                "level": self.rule_level.name,
            },
            "expected_kind": self.scenario.kind.value,
            "alarms": self.drift.verdicts[self.scenario.kind].level.alarms,
            **self.drift.to_json(),
        }


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What the watch says.

    Attributes:
        watched: By profile.
        left_out: Why assets are not watched, a code by asset.
    """

    watched: Mapping[str, Sequence[AssetDrift]]
    outcomes: Sequence[ScenarioOutcome]
    left_out: Mapping[AssetKey, str]

    @property
    def assets(self) -> list[AssetDrift]:
        """Whatever the profile."""
        return [one for each in self.watched.values() for one in each]

    @property
    def level(self) -> DriftLevel:
        """The worst of all, without those on purpose."""
        return max((one.level for one in self.assets), default=DriftLevel.UNKNOWN)

    def to_json(self) -> dict[str, object]:
        """For `drift --json` and the report."""
        return {
            "level": self.level.name,
            "assets": [one.to_json() for one in self.assets],
            "scenarios": [one.to_json() for one in self.outcomes],
            "left_out": {str(key): reason for key, reason in self.left_out.items()},
        }


def drift_workspace(setup: Setup, store: Store, wanted: DriftRequest) -> DriftReport:
    """Judge the last weeks of the assets of a workspace against those before.

    Raises:
        NoReadings: Nothing is stored.
        UnknownAsset: Nothing has that name.
        UnknownSignal: No asset has the signal.
    """
    asked = ForecastRequest(DAY, profile=wanted.profile, asset=wanted.asset, signal=wanted.signal)
    groups, left_out = meter_groups(setup, store, asked)
    watched: dict[str, list[AssetDrift]] = {}
    outcomes: list[ScenarioOutcome] = []
    for group in groups:
        watch = _GroupWatch.of(setup, group, wanted)
        found = [one for one in watch.usual if one.asset in group.asked]
        watched.setdefault(group.profile, []).extend(found)
        for name in wanted.scenarios:
            outcomes += watch.outcomes(SCENARIOS[name])
    if not any(watched.values()):
        raise NoReadings(file=str(setup.folder), detail="no asset has readings in regular steps")
    return DriftReport(watched, outcomes, left_out)


def write_drift(report: DriftReport, folder: Path, language: str) -> list[Path]:
    """Write `drift_analysis.json`, and a figure of the weeks before and after each drift on purpose."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "drift_analysis.json"
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")
    partial.replace(path)
    return [path, *(write_figure(folder / "figures" / name, one) for name, one in _figures(report, language))]


@dataclass(frozen=True, slots=True)
class _GroupWatch:
    """Assets that are forecast together, and watched one by one.

    Attributes:
        windows: Of the signal that is forecast, and of what it may depend on.
        errors: Mean absolute error of each day's forecast, by asset and local day.
    """

    setup: Setup
    group: MeterGroup
    wanted: DriftRequest
    windows: Sequence[Window]
    errors: Mapping[AssetKey, Mapping[int, float]]

    @classmethod
    def of(cls, setup: Setup, group: MeterGroup, wanted: DriftRequest) -> "_GroupWatch":
        profile = setup.profiles[group.profile]
        windows = [_with_inputs(one, group.signal, profile) for one in group.windows if len(one)]
        return cls(setup, group, wanted, windows, _errors(setup, group.signal, windows))

    @property
    def n_weeks(self) -> int:
        """The last whole weeks that are judged."""
        return self.wanted.weeks or self.setup.settings.drift.weeks

    def judge(
        self, windows: Sequence[Window], errors: Mapping[AssetKey, Mapping[int, float]]
    ) -> list[AssetDrift]:
        """What the watch says of windows of the group."""
        found = []
        for window in windows:
            weeks = self._weeks(window, errors[window.asset])
            cut = max(0, len(weeks) - self.n_weeks)
            found.append(judge_drift(weeks, np.arange(cut), np.arange(cut, len(weeks))))
        return found

    @property
    def usual(self) -> list[AssetDrift]:
        """What the watch says of the group as it is."""
        return tell_shared(self.judge(self.windows, self.errors))

    def outcomes(self, scenario: Scenario) -> Iterator[ScenarioOutcome]:
        """What one drift on purpose does to each asset that was asked for and has what drifts.

        Weather drifts for all, a signal for one asset at a time.
        """
        chosen = [one for one in self.windows if not _lacks_inputs(scenario, one)]
        changed = [
            apply_scenario(scenario.name, one, self.group.signal, self._first_row(one)) for one in chosen
        ]
        errors = self.errors
        if scenario.name is ScenarioName.LOAD_INCREASE:
            errors = _errors(self.setup, self.group.signal, changed)
        usual_drifts = self.judge(self.windows, self.errors)
        drifts = self.judge(changed, errors)
        if scenario.name is not ScenarioName.LOAD_INCREASE:
            drifts = tell_shared(drifts)
        else:
            drifts = [_among(one, usual_drifts) for one in drifts]
        for usual, told, drift in zip(chosen, changed, drifts, strict=True):
            if usual.asset in self.group.asked:
                yield self._outcome(scenario, usual, told, drift)

    def _outcome(self, scenario: Scenario, usual: Window, told: Window, drift: AssetDrift) -> ScenarioOutcome:
        first = self._first_row(usual)
        response = fit_response(usual.rows(0, first), self.group.signal)
        usual, told = usual.rows(first, len(usual)), told.rows(first, len(told))
        rule = scenario.rule
        before = getattr(response.fit(usual, usual), rule.metric)
        after = getattr(response.fit(told, told, shift=scenario.shift), rule.metric)
        change = _PERCENT * ((before - after) / abs(before) if rule.metric == "r2" else after / before - 1.0)
        return ScenarioOutcome(scenario, before, after, change, rule.level(change), drift)

    def _first_row(self, window: Window) -> int:
        """The first row of the judged weeks."""
        local = local_time(window.time, window.zone)
        last_monday = monday_of(_week_of(local[-1] + np.timedelta64(self.group.step)))
        first = np.datetime64(last_monday, "us") - np.timedelta64(7 * self.n_weeks, "D")
        return int(np.searchsorted(window.time, to_utc(np.array([first]), window.zone)[0]))

    def _weeks(self, window: Window, errors: Mapping[int, float]) -> Weeks:
        country = self.setup.settings.forecast.country or country_of(window.zone)
        signal = self.setup.profiles[self.group.profile].signal(self.group.signal)
        return build_weeks(
            window,
            self.group.signal,
            is_ratio=signal.is_ratio_scaled,
            special_days=lambda first, count: _special_days(first, count, country),
            daily_errors=errors,
        )


def _among(one: AssetDrift, usual: Sequence[AssetDrift]) -> AssetDrift:
    """What is told of one asset that drifts while the others do what they do."""
    fleet = tell_shared([one if other.asset == one.asset else other for other in usual])
    return next(other for other in fleet if other.asset == one.asset)


def _with_inputs(window: Window, target: str, profile: Profile) -> Window:
    """The window of a signal and of what it may depend on: never another count of the same flow."""
    chosen = [
        place
        for place, name in enumerate(window.signals)
        if name == target or not profile.signal(name).is_ratio_scaled
    ]
    names = tuple(window.signals[place] for place in chosen)
    return replace(window, signals=names, values=window.values[:, chosen], quality=window.quality[:, chosen])


def _errors(setup: Setup, signal: str, windows: Sequence[Window]) -> dict[AssetKey, dict[int, float]]:
    """Of forecasts made at the beginning of each day, refitted every week."""
    found: dict[AssetKey, dict[int, float]] = {one.asset: {} for one in windows}
    plan = _plan(windows) if windows else None
    if plan is None:
        return found
    settings = setup.settings.forecast
    common = {"days_ahead": 1, "country": settings.country or ""}
    forecaster = build_forecaster(settings.kind, signal, settings.options, common=common)
    by_asset = {one.asset: one for one in windows}
    for made in rolled(forecaster, [dated(one) for one in windows], plan):
        for one in made:
            window = by_asset[one.asset]
            rows = np.minimum(np.searchsorted(window.time, one.time), len(window) - 1)
            actual = window.values[rows, window.signals.index(signal)]
            apart = np.abs(np.where(window.time[rows] == one.time, actual, np.nan) - one.median)
            day = int(local_time(one.time[:1], window.zone).astype("datetime64[D]").astype(np.int64)[0])
            if not np.isnan(apart).all():
                found[one.asset][day] = float(np.nanmean(apart))
    return found


def _plan(windows: Sequence[Window]) -> Backtest | None:
    """Days that are forecast again: from eight weeks after the beginning on, midnight to midnight."""
    first = min(one.time[0] for one in windows)
    longest = max(windows, key=len)
    last = max(one.time[-1] for one in windows)
    start = max(first + np.timedelta64(7 * _FIRST_WEEKS, "D"), last - np.timedelta64(7 * _MOST_WEEKS, "D"))
    midnight = local_time(np.array([start]), longest.zone)[0].astype("datetime64[D]") + np.timedelta64(1, "D")
    origin = from_numpy(to_utc(np.array([midnight]).astype("datetime64[us]"), longest.zone)[0])
    end = from_numpy(last) + (longest.step or timedelta(0))
    if origin + DAY > end:
        return None
    return Backtest(origin, end, DAY, DAY, refit_every=7 * DAY)


def _special_days(first: int, count: int, country: str) -> BoolArray:
    """Public holidays, and the days after them."""
    is_holiday = day_types(first - 1, count + 1, country)[:, DAY_COLUMNS.index("holiday")] > 0.0
    special: BoolArray = is_holiday[1:] | is_holiday[:-1]
    return special


def _week_of(local: np.datetime64) -> int:
    return int((local.astype("datetime64[D]").astype(np.int64) + 3) // 7)


def _lacks_inputs(scenario: Scenario, window: Window) -> bool:
    return scenario.name is not ScenarioName.LOAD_INCREASE and len(window.signals) < 2


def _figures(report: DriftReport, language: str) -> Iterator[tuple[str, str]]:
    usual = {one.asset: one for one in report.assets}
    axes = (sentence("figure_axis.weeks", language), sentence("figure_axis.drift", language))
    for one in report.outcomes:
        kind = one.scenario.kind
        after = one.drift.verdicts[kind].weeks
        before = {week.monday: week.value for week in usual[one.drift.asset].verdicts[kind].weeks}
        lines = {
            sentence("drift.before", language): [before.get(week.monday, float("nan")) for week in after],
            sentence("drift.after", language): [week.value for week in after],
            sentence("drift.threshold", language): [1.0] * len(after),
        }
        scenario = sentence(f"drift.scenario.{one.scenario.name.value}", language)
        title = sentence("figure_title.drift", language, scenario=scenario, asset=str(one.drift.asset))
        name = f"drift_{one.scenario.name.value}_{_slug(one.drift.asset)}.svg"
        yield name, line_figure(title, axes, [float(place + 1) for place in range(len(after))], lines)


def _slug(key: AssetKey) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in str(key)).strip("-").lower()
