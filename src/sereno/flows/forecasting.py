"""Forecasts of stored meters: what is needed is learnt, and what is said is kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sereno.contracts import TrainedForecaster
from sereno.domain.archive import digest_of
from sereno.domain.calendar import DAY, step_end
from sereno.domain.errors import HistoryTooShort, NoReadings, NothingToForecast, UnknownSignal
from sereno.domain.forecasts import Forecast
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy
from sereno.flows.assets import whole_window
from sereno.flows.build import Setup
from sereno.flows.forecast_shadows import keep_shadows
from sereno.flows.forecasters import ForecasterGroup, ForecasterShelf
from sereno.flows.named import named_places
from sereno.flows.train import sound_window
from sereno.settings.forecasting import ForecastSettings
from sereno.store import Store, StoredAsset

__all__ = [
    "LONGEST_HORIZON",
    "ForecastReport",
    "ForecastRequest",
    "MeterGroup",
    "forecast_windows",
    "forecast_workspace",
    "group_windows",
    "meter_groups",
]

LEARNT, ADDED, KNOWN, AS_OF = "learnt", "days added", "known", "learnt as of the origin"
LONGEST_HORIZON = 7 * DAY
_SPARE_DAYS = 1
"""Days ahead that are learnt beyond the horizon: for readings that come late."""


@dataclass(frozen=True, slots=True)
class ForecastRequest:
    """What to forecast.

    Attributes:
        horizon: Up to seven days.
        origin: When from; after the last reading of each group of assets when None.
        asset: Only the one of this name, or `Site/Asset`.
        signal: Of the assets that have it; otherwise the first of their profile that they have.
        forecaster: Its name; that of the settings when None.
    """

    horizon: timedelta
    origin: datetime | None = None
    profile: str | None = None
    asset: str | None = None
    signal: str | None = None
    forecaster: str | None = None


@dataclass(frozen=True, slots=True)
class ForecastReport:
    """What was forecast.

    Attributes:
        learnt: What became of each model, by its name: `learnt`, `days added`, `known`, or `learnt as of the
            origin`, for this once.
        left_out: Why assets have no forecast, by asset.
    """

    forecasts: Sequence[Forecast]
    units: Mapping[AssetKey, str]
    learnt: Mapping[str, str]
    left_out: Mapping[AssetKey, str]

    def to_json(self) -> dict[str, object]:
        """For `forecast --json`."""
        return {
            "forecasts": [one.to_json() | {"unit": self.units[one.asset]} for one in self.forecasts],
            "models": dict(self.learnt),
            "left_out": {str(key): reason for key, reason in self.left_out.items()},
        }


def forecast_workspace(setup: Setup, store: Store, wanted: ForecastRequest) -> ForecastReport:
    """Forecast the assets of a workspace; those that learn together are of one profile, signal and step.

    Raises:
        NoReadings: Nothing is stored.
        UnknownAsset: Nothing has that name.
        UnknownSignal: No asset has the signal.
        HistoryTooShort: No asset has readings of two days.
    """
    groups, left_out = meter_groups(setup, store, wanted)
    forecasts: list[Forecast] = []
    units: dict[AssetKey, str] = {}
    learnt: dict[str, str] = {}
    problem: HistoryTooShort | None = None
    shelf = ForecasterShelf(setup, store)
    for group in groups:
        asked = _asked_for(setup.settings.forecast, group, wanted)
        try:
            history = [_until(window, wanted.origin) for window in group.windows]
            trained, version, how = _trained(shelf, asked, history, wanted.origin)
        except HistoryTooShort as error:
            problem = error
            left_out |= dict.fromkeys(group.ids, error.code)
            continue
        learnt[asked.name] = how
        made = _forecast(group, trained, wanted)
        left_out |= {key: NothingToForecast.code for key in group.asked if key not in {m.asset for m in made}}
        with store.begin() as tx:
            said = [(group.ids[one.asset], one) for one in made]
            tx.add_forecasts(said, model_id=version, at=setup.clock())
        if how != AS_OF:
            keep_shadows(shelf, store, asked.name, made, group.ids, history, at=setup.clock())
        forecasts += made
        units |= {one.asset: setup.profiles[group.profile].signal(group.signal).unit for one in made}
    if not forecasts and problem is not None:
        raise problem
    return ForecastReport(forecasts, units, learnt, left_out)


@dataclass(frozen=True, slots=True)
class MeterGroup:
    """Assets that learn together."""

    profile: str
    signal: str
    step: timedelta
    windows: Sequence[Window]
    ids: Mapping[AssetKey, int]
    asked: frozenset[AssetKey]


def meter_groups(
    setup: Setup, store: Store, wanted: ForecastRequest
) -> tuple[list[MeterGroup], dict[AssetKey, str]]:
    """The assets that learn together, and why others are left out, a code by asset.

    Raises:
        NoReadings: Nothing is stored.
        UnknownAsset: Nothing has that name.
        UnknownSignal: No asset has the signal.
    """
    with store.read() as tx:
        assets = tx.assets(wanted.profile)
    if not assets:
        raise NoReadings(file=str(setup.folder), detail="nothing has been ingested yet")
    keys = [asset.key for asset in assets]
    asked = frozenset(keys if wanted.asset is None else (keys[i] for i in named_places(keys, wanted.asset)))
    ids = {(asset.profile, asset.key): asset.id for asset in assets}
    windows = (_window(store, asset, setup.profiles[asset.profile]) for asset in assets)
    grouped, left_out = group_windows(windows, setup.profiles, wanted.signal)
    if not grouped and not left_out:
        raise UnknownSignal(
            asset=wanted.asset or str(setup.folder),
            signal=wanted.signal or "",
            known=_known_signals(setup, assets),
        )
    groups = [
        MeterGroup(
            *key,
            windows=members,
            ids={one.asset: ids[one.profile, one.asset] for one in members},
            asked=asked & {one.asset for one in members},
        )
        for key, members in sorted(grouped.items())
    ]
    return [one for one in groups if one.asked], {key: why for key, why in left_out.items() if key in asked}


def group_windows(
    windows: Iterable[Window], profiles: Mapping[str, Profile], signal: str | None
) -> tuple[dict[tuple[str, str, timedelta], list[Window]], dict[AssetKey, str]]:
    """Windows by profile, signal and step, and why others cannot be forecast, a code by asset.

    Args:
        signal: Only of those that have it; otherwise the first of the profile that each has.
    """
    grouped: dict[tuple[str, str, timedelta], list[Window]] = {}
    left_out: dict[AssetKey, str] = {}
    for window in windows:
        own = _signal(profiles[window.profile], window, signal)
        if own is None:
            continue
        if window.step is None or DAY % window.step:
            left_out[window.asset] = "forecast.step"
            continue
        grouped.setdefault((window.profile, own, window.step), []).append(window)
    return grouped, left_out


def forecast_windows(
    windows: Sequence[Window], profile: Profile, settings: ForecastSettings, wanted: ForecastRequest
) -> tuple[list[Forecast], dict[AssetKey, str]]:
    """Learn and forecast assets of one profile that are in memory, and why others have no forecast.

    Args:
        windows: As `sound_window` gives them.
    """
    grouped, left_out = group_windows(windows, {profile.name: profile}, wanted.signal)
    forecasts: list[Forecast] = []
    for key, members in sorted(grouped.items()):
        keys = frozenset(one.asset for one in members)
        group = MeterGroup(*key, windows=members, ids={}, asked=keys)
        history = [_until(window, wanted.origin) for window in members]
        try:
            trained = _asked_for(settings, group, wanted).forecaster().fit(history)
        except HistoryTooShort as error:
            left_out |= dict.fromkeys(keys, error.code)
            continue
        made = _forecast(group, trained, wanted)
        left_out |= dict.fromkeys(keys - {one.asset for one in made}, NothingToForecast.code)
        forecasts += made
    return forecasts, left_out


def _known_signals(setup: Setup, assets: Sequence[StoredAsset]) -> str:
    names = {name for asset in assets for name in setup.profiles[asset.profile].signal_names}
    return ", ".join(sorted(names))


def _window(store: Store, asset: StoredAsset, profile: Profile) -> Window:
    with store.read() as tx:
        window = whole_window(tx, asset)
    return sound_window(window, profile) if len(window) and window.signals else window


def _signal(profile: Profile, window: Window, name: str | None) -> str | None:
    """The signal to forecast; the first of the profile that the window has."""
    if name is not None:
        return name if name in window.signals else None
    ordered = [*(one for one in profile.signal_names if one in window.signals), *window.signals]
    return ordered[0] if ordered else None


def _asked_for(settings: ForecastSettings, group: MeterGroup, wanted: ForecastRequest) -> ForecasterGroup:
    kind = wanted.forecaster or settings.kind
    return ForecasterGroup(
        profile=group.profile,
        signal=group.signal,
        step=group.step,
        kind=kind,
        options=settings.options if kind == settings.kind else {},
        days_ahead=int(-(-wanted.horizon // DAY)) + _SPARE_DAYS,
        country=settings.country or "",
    )


def _trained(
    shelf: ForecasterShelf, asked: ForecasterGroup, history: Sequence[Window], origin: datetime | None
) -> tuple[TrainedForecaster, str, str]:
    """What forecasts a group, its version, and how it became ready.

    A version goes on with the days since while the settings are the same. From an origin in the past nothing
    is kept: what was learnt from later days must not forecast it.
    """
    asked.forecaster()
    champion = shelf.champion(asked.name)
    if champion is None or not shelf.stands(champion, asked):
        stored, trained = shelf.learn(asked, history)
        return trained, stored.card.id, LEARNT
    if origin is not None and shelf.knows_until(champion) > origin:
        once = asked.forecaster().fit(history)
        return once, digest_of(once.dump()), AS_OF
    before = shelf.current(champion)
    if shelf.is_pinned(champion):
        before = before or shelf.as_learnt(champion)
        history = [one for one in history if before.knows(one.asset)]
    if before is None or not all(before.knows(one.asset) for one in history if len(one)):
        stored, trained = shelf.learn(asked, history)
        return trained, stored.card.id, LEARNT
    trained, is_other = shelf.add_days(champion, before, history)
    return trained, champion.card.id, ADDED if is_other else KNOWN


def _until(window: Window, origin: datetime | None) -> Window:
    """The rows that were over at an origin."""
    if origin is None or not len(window):
        return window
    stop = len(window)
    while stop and from_numpy(step_end(window.time[stop - 1], window.step, window.zone)) > origin:
        stop -= 1
    return window.rows(0, stop)


def _forecast(group: MeterGroup, trained: TrainedForecaster, wanted: ForecastRequest) -> list[Forecast]:
    windows = [
        one for one in group.windows if one.asset in group.asked and len(one) and trained.knows(one.asset)
    ]
    ends = [from_numpy(step_end(one.time[-1], one.step, one.zone)) for one in windows]
    if not ends:
        return []
    return trained.forecast_many(windows, wanted.origin or max(ends), wanted.horizon)
