"""Savings of the meters of a site against a baseline period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sereno.domain.calendar import DAY
from sereno.domain.errors import UnknownSignal, UsageError
from sereno.domain.readings import Window
from sereno.domain.signals import Signal
from sereno.evaluate.baseline import DailyEnergy
from sereno.evaluate.savings import Refusal, Savings, find_savings
from sereno.flows.assets import whole_window
from sereno.flows.build import Setup
from sereno.flows.daily_energy import daily_energy, energy_unit, metered_signal, outside_temperature
from sereno.flows.named import named_assets
from sereno.flows.train import sound_window
from sereno.store import Store, StoredAsset, Transaction

__all__ = ["MeterSavings", "SavingsReport", "SavingsRequest", "savings_of"]

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class SavingsRequest:
    """What is to be compared.

    Attributes:
        site: Of a site all its meters, or one as `Site/Asset`.
        start, end: The baseline, [start, end); whole local days.
        since: First day of the reporting period; the end of the baseline when None.
        until: End of the reporting period; the last reading when None.
        signal: What is metered; the consumption, import, energy, power or volume of the profile when None.
    """

    site: str
    start: datetime
    end: datetime
    since: datetime | None = None
    until: datetime | None = None
    signal: str | None = None


@dataclass(frozen=True, slots=True)
class MeterSavings:
    """One meter.

    Attributes:
        unit: Of the energy or volume.
        found: What was computed; a refusal alone where there is too little.
        price, co2_kg: Of one unit; None without a tariff.
    """

    asset: StoredAsset
    signal: Signal
    unit: str
    found: Savings | Refusal
    price: float | None
    co2_kg: float | None

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Why nothing is claimed; empty where the baseline carries it."""
        return (self.found,) if isinstance(self.found, Refusal) else self.found.refusals


@dataclass(frozen=True, slots=True)
class SavingsReport:
    """All meters that were asked for; their savings are not added up, for one may measure what others do."""

    meters: Sequence[MeterSavings]
    currency: str

    @property
    def is_refused(self) -> bool:
        """Whether nothing at all can be claimed."""
        return all(one.refusals for one in self.meters)


def savings_of(setup: Setup, store: Store, wanted: SavingsRequest) -> SavingsReport:
    """The savings of each meter.

    Raises:
        UsageError: The baseline ends before it begins, or the reporting period begins before it ends.
        UnknownAsset: There is no site or asset of that name.
        UnknownSignal: None of them has the signal, or anything that could be saved.
    """
    since = wanted.since or wanted.end
    if not wanted.start < wanted.end <= since:
        raise UsageError(
            detail="A baseline begins before it ends, and ends before the reporting period begins",
            command="savings",
        )
    with store.read() as tx:
        assets = named_assets(tx, wanted.site)
        meters = [found for one in assets if (found := _meter(tx, setup, one, wanted, since)) is not None]
    if not meters:
        known = {name for one in assets for name in setup.profiles[one.profile].signal_names}
        raise UnknownSignal(asset=wanted.site, signal=wanted.signal or "", known=", ".join(sorted(known)))
    tariff = setup.settings.tariff
    return SavingsReport(meters, tariff.currency if tariff else "")


def _meter(
    tx: Transaction, setup: Setup, asset: StoredAsset, wanted: SavingsRequest, since: datetime
) -> MeterSavings | None:
    profile, window = setup.profiles[asset.profile], whole_window(tx, asset)
    name = wanted.signal or metered_signal(profile, window.signals)
    if name is None or name not in window.signals or not len(window) or not _has_days(window):
        return None
    signal = profile.signal(name)
    weather = outside_temperature(tx, asset, dict(setup.profiles))
    country = setup.settings.forecast.country or ""
    days = daily_energy(sound_window(window, profile), signal, weather, country)
    before = _between(days, wanted.start, wanted.end, window.zone)
    after = _between(days, since, wanted.until, window.zone)
    unit, tariff = energy_unit(signal), setup.settings.tariff
    return MeterSavings(
        asset=asset,
        signal=signal,
        unit=unit,
        found=find_savings(before, after),
        price=tariff.prices.get(unit) if tariff else None,
        co2_kg=tariff.co2_kg.get(unit) if tariff else None,
    )


def _has_days(window: Window) -> bool:
    return window.step is not None and window.step <= DAY and DAY % window.step == timedelta(0)


def _between(days: DailyEnergy, start: datetime, end: datetime | None, zone: str) -> DailyEnergy:
    """The local days from that of `start` to the one before that of `end`."""
    rows = days.day >= _local_day(start, zone)
    if end is not None:
        rows &= days.day < _local_day(end, zone)
    return days.take(rows)


def _local_day(instant: datetime, zone: str) -> int:
    return (instant.astimezone(ZoneInfo(zone)).date() - _EPOCH).days
