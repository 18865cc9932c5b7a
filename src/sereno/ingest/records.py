"""Records, as dictionaries, through the same headers, numbers, dates and units as files.

One record costs microseconds: what its keys mean is decided once for each set of keys, and no frame is built.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from sereno.domain.errors import UsageError
from sereno.domain.issues import MAX_QUARANTINE_TEXT, DataIssue, QuarantinedRow
from sereno.domain.readings import MarkedValue, Quality, Readings
from sereno.domain.signals import AssetKey, Profile
from sereno.ingest.batch import Batch, Totals
from sereno.ingest.dates import DateEvidence, DateStyle, parse_count, parse_instant, parse_times
from sereno.ingest.duplicates import implausibility, resolve_duplicates
from sereno.ingest.headers import Role, parse_header
from sereno.ingest.hours import AMBIGUOUS, AMBIGUOUS_STEP, HourEvidence, join_hours
from sereno.ingest.identity import clean_name
from sereno.ingest.inspection import layout_issues
from sereno.ingest.layout import Column, choose_layout
from sereno.ingest.numbers import MAX_MAGNITUDE, CellKind, NumberStyle, is_ambiguous, parse_cell
from sereno.ingest.options import ReadOptions
from sereno.ingest.registers import settle_unseen
from sereno.ingest.rows import Asides
from sereno.ingest.settling import pressure_offset, settle_rates
from sereno.ingest.units import find_unit

__all__ = ["RecordPlan", "plan_record", "rows_from_records"]

SOURCE = "records"
DEFAULT_SITE = "site"
MAX_PLANS = 1024
_UTC_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """What the keys of a record mean.

    Attributes:
        profile: What the keys speak for.
        signals: Names of the result's columns, in the profile's order.
        values: Key, position among the signals, and column of each value.
        time_keys: Keys of the instant: one, or date and time of day.
        site_key: Key of the site; None where the record names none.
        asset_key: Key of the asset.
        issues: What the keys lack or leave open.
        referred: Columns of pressures whose unit says what they are above.
    """

    profile: Profile
    signals: tuple[str, ...]
    values: tuple[tuple[str, int, Column], ...]
    time_keys: tuple[str, ...]
    site_key: str | None
    asset_key: str | None
    issues: tuple[DataIssue, ...]
    referred: tuple[Column, ...] = ()


_PlanKey = tuple[tuple[str, ...], str | None, tuple[tuple[str, str], ...], int]
_PLANS: dict[_PlanKey, tuple[Mapping[str, Profile], RecordPlan]] = {}


def plan_record(
    record: Mapping[str, object],
    profiles: Mapping[str, Profile],
    *,
    profile: str | None = None,
    units: Mapping[str, str] | None = None,
) -> RecordPlan:
    """What the keys of a record mean; remembered for the next record with the same keys.

    Args:
        record: A record, whose values help to tell times from numbers.
        profiles: To choose from.
        profile: Name of the profile; None lets the keys decide.
        units: Unit of each key's values, over what the key itself says.

    Raises:
        MissingColumns: No key is a signal or a time.
        UsageError: `profile` is no profile.
    """
    key = (tuple(record), profile, tuple(units.items()) if units else (), id(profiles))
    known = _PLANS.get(key)
    if known is not None and known[0] is profiles:
        return known[1]
    plan = _plan(record, profiles, profile, units or {})
    if len(_PLANS) >= MAX_PLANS:
        _PLANS.clear()
    _PLANS[key] = (profiles, plan)
    return plan


def rows_from_records(
    records: Sequence[Mapping[str, object]],
    profiles: Mapping[str, Profile],
    options: ReadOptions,
    *,
    profile: str | None = None,
    units: Mapping[str, str] | None = None,
) -> Batch:
    """Records as one batch of readings, sorted by asset and instant.

    Records that cannot be read are quarantined by their 1-based position. All must speak for one profile.

    Args:
        records: One asset at one instant each.
        profiles: To choose from.
        options: Zone, site and what the texts cannot tell.
        profile: Name of the profile; None takes that of the options, or lets the keys decide.
        units: Unit of each key's values, over what the keys say.

    Raises:
        MissingColumns: The keys of a record hold no signal or no time.
        UsageError: The records speak for different profiles, or there are none.
    """
    name = profile or options.profile
    if not records:
        raise UsageError(detail="there are no records", command="score")
    plans = [plan_record(r, profiles, profile=name, units=units) for r in records]
    if any(p.profile is not plans[0].profile for p in plans):
        raise UsageError(detail="the records are of different profiles: name one", command="score")
    return _Conversion(records, plans, options).batch()


class _Row(NamedTuple):
    """A record as read: instant in microseconds since 1970 UTC, values and flags by signal."""

    asset: AssetKey
    stamp: int
    values: list[float]
    quality: list[int]


class _Conversion:
    """State of one call."""

    def __init__(
        self, records: Sequence[Mapping[str, object]], plans: Sequence[RecordPlan], options: ReadOptions
    ) -> None:
        self._records = records
        self._plans = plans
        self._options = options
        self._asides = Asides()
        self._profile = plans[0].profile
        is_uniform = all(p is plans[0] for p in plans)
        self._signals = plans[0].signals if is_uniform else _union(plans, self._profile)
        self._position = {name: i for i, name in enumerate(self._signals)}
        self._style, self._is_sure = _number_style(records, plans, options)
        self._dates = _date_style(records, plans, options)
        self._zone = _zone(options.timezone)
        self._stamps: dict[str | None, int] = {}
        """Instants of texts that were read before: a fleet's records come in rounds."""
        self._shown: Counter[tuple[AssetKey, datetime]] = Counter()

    def batch(self) -> Batch:
        """The batch of all records."""
        found = [self._row(record, plan) for record, plan in zip(self._records, self._plans, strict=True)]
        quarantine = [
            self._set_aside(line, one) for line, one in enumerate(found, start=1) if isinstance(one, str)
        ]
        for row in quarantine:
            self._asides.count(row.reason, SOURCE, 1, [str(row.line)])
        good = [(line, one) for line, one in enumerate(found, start=1) if not isinstance(one, str)]
        readings = self._readings([row for _, row in good])
        n_identical, losers = 0, list[int]()
        if len(good) > 1:
            readings, n_identical, losers = self._unique(readings, [line for line, _ in good])
        quarantine += [self._set_aside(line, "quality.duplicate_conflicting") for line in losers]
        return Batch(
            readings=readings,
            issues=self._issues(),
            quarantine=tuple(sorted(quarantine, key=lambda row: row.line)),
            is_last=True,
            totals=Totals(
                records_good=len(readings),
                records_quarantined=len(quarantine),
                duplicates_identical=n_identical,
                duplicates_conflicting=len(losers),
                cells_missing=int(np.count_nonzero(readings.quality & Quality.MISSING)),
                cells_converted=int(np.count_nonzero(readings.quality & Quality.CONVERTED)),
            ),
            places=tuple(
                None if isinstance(one, str) else (one.asset, np.datetime64(one.stamp, "us")) for one in found
            ),
        )

    def _row(self, record: Mapping[str, object], plan: RecordPlan) -> "_Row | str":
        """A record's row, or the reason why there is none."""
        asset = self._asset(record, plan)
        stamp = self._stamp(record, plan, asset)
        if isinstance(stamp, str):
            return stamp
        values, quality = self._values(record, plan)
        for column in plan.referred:
            self._refer(values, column, asset)
        return _Row(asset, stamp, values, quality)

    def _refer(self, values: list[float], column: Column, asset: AssetKey) -> None:
        """The pressure above what the asset declares; as written where nothing tells."""
        facts = self._profile.facts_of(asset)
        offset = pressure_offset(column.unit, self._profile.signal(column.signal).unit, facts)
        if offset is None:
            self._asides.count("read.pressure_contradicted", column.source, 1, [f"{asset}: {column.unit}"])
        else:
            values[self._position[column.signal]] += offset

    def _set_aside(self, line: int, reason: str) -> QuarantinedRow:
        return QuarantinedRow(line, reason, repr(dict(self._records[line - 1]))[:MAX_QUARANTINE_TEXT])

    def _readings(self, rows: Sequence["_Row"]) -> Readings:
        assets: dict[AssetKey, int] = {}
        codes = [assets.setdefault(row.asset, len(assets)) for row in rows]
        shape = (len(rows), len(self._signals))
        return Readings(
            profile=self._profile.name,
            assets=tuple(assets),
            asset_index=np.array(codes, dtype=np.int32),
            time=np.array([row.stamp for row in rows], dtype=np.int64).view("datetime64[us]"),
            signals=self._signals,
            values=np.array([row.values for row in rows], dtype=np.float64).reshape(shape),
            quality=np.array([row.quality for row in rows], dtype=np.int32).reshape(shape),
        )

    def _asset(self, record: Mapping[str, object], plan: RecordPlan) -> AssetKey:
        site = _name(record[plan.site_key]) if plan.site_key is not None else ""
        site = site or clean_name(self._options.site or DEFAULT_SITE)
        asset = _name(record[plan.asset_key]) if plan.asset_key is not None else ""
        return AssetKey(site, asset or site)

    def _stamp(self, record: Mapping[str, object], plan: RecordPlan, asset: AssetKey) -> int | str:
        """Microseconds since 1970 UTC, or the reason why there are none."""
        parts = tuple([record[k] for k in plan.time_keys])
        text = parts[0] if len(parts) == 1 and isinstance(parts[0], str) else None
        if text in self._stamps:
            return self._stamps[text]
        instant = _instant(parts, self._dates)
        if instant is None:
            return "read.broken_row" if self._dates is not None else "quality.ambiguous_date"
        is_plain = True
        if instant.tzinfo is None:
            instant, is_plain = self._localized(instant, asset)
        stamp = (instant - _UTC_EPOCH) // _MICROSECOND
        if text is not None and is_plain:
            self._stamps[text] = stamp
        return stamp

    def _localized(self, naive: datetime, asset: AssetKey) -> tuple[datetime, bool]:
        """The instant of a wall-clock time, and whether no clock change has a part in it."""
        first = naive.replace(tzinfo=self._zone, fold=0)
        second = first.replace(fold=1)
        gap = first.utcoffset(), second.utcoffset()
        if gap[0] == gap[1] or gap[0] is None or gap[1] is None:
            return first, True
        if gap[1] > gap[0]:  # the clock skipped this time: the earlier offset moves it forward
            self._asides.count("quality.ambiguous_date", SOURCE, 1)
            return first, False
        self._shown[asset, naive] += 1
        return (first if self._shown[asset, naive] % 2 else second), False

    def _values(self, record: Mapping[str, object], plan: RecordPlan) -> tuple[list[float], list[int]]:
        values = [math.nan] * len(self._signals)
        quality = [0] * len(self._signals)
        is_own = plan.signals is self._signals
        for key, own, column in plan.values:
            j = own if is_own else self._position[column.signal]
            value, flag = self._value(record[key], key, column)
            if not column.scale.is_identity:
                value = value * column.scale.factor + column.scale.offset
            values[j], quality[j] = value, flag
        return values, quality

    def _value(self, raw: object, key: str, column: Column) -> tuple[float, int]:
        if isinstance(raw, str):
            return self._text_value(raw, key, column)
        if isinstance(raw, MarkedValue):
            return self._marked_value(raw, key)
        if raw is None or isinstance(raw, bool):
            self._asides.count("quality.missing", key, 1)
            return math.nan, int(Quality.MISSING)
        try:
            value = float(raw)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            value = math.inf
        if not abs(value) <= MAX_MAGNITUDE:
            self._asides.count("quality.not_a_number", key, 1, [str(raw)])
            return math.nan, int(Quality.MISSING)
        return value, 0

    def _marked_value(self, raw: MarkedValue, key: str) -> tuple[float, int]:
        if abs(raw) <= MAX_MAGNITUDE:
            return float(raw), int(raw.quality)
        self._asides.count("quality.missing", key, 1)
        return math.nan, int(raw.quality | Quality.MISSING)

    def _text_value(self, raw: str, key: str, column: Column) -> tuple[float, int]:
        if not self._is_sure and is_ambiguous(raw):
            detail = f"'{key}': {raw.strip()} = ?"
            self._asides.count("read.ambiguous", key, 1, [detail])
            return math.nan, int(Quality.MISSING)
        value, kind = parse_cell(raw, self._style, unit=column.unit)
        if kind is CellKind.GOOD:
            return value, int(Quality.CONVERTED)
        codes = {
            CellKind.CONVERTED: "quality.converted_text",
            CellKind.MISSING: "quality.missing",
            CellKind.STATE: "quality.source_bad",
        }
        self._asides.count(codes.get(kind, "quality.not_a_number"), key, 1, [raw])
        return value, int(Quality.CONVERTED if kind is CellKind.CONVERTED else Quality.MISSING)

    def _unique(self, readings: Readings, lines: Sequence[int]) -> tuple[Readings, int, list[int]]:
        points = implausibility(readings.values, self._signals, self._profile)
        group = readings.asset_index.astype(np.int64)
        found = resolve_duplicates(group, readings.time, readings.values, points)
        quality = readings.quality[found.kept]
        quality[found.differs] |= np.int32(Quality.CONFLICT)
        unique = Readings(
            profile=readings.profile,
            assets=readings.assets,
            asset_index=readings.asset_index[found.kept],
            time=readings.time[found.kept],
            signals=readings.signals,
            values=readings.values[found.kept],
            quality=quality,
        )
        losers = [lines[i] for i in found.losers.tolist()]
        self._asides.count("quality.duplicate_identical", SOURCE, found.n_identical)
        self._asides.count("quality.duplicate_conflicting", SOURCE, len(losers), [str(n) for n in losers])
        return unique, found.n_identical, losers

    def _issues(self) -> tuple[DataIssue, ...]:
        distinct = {id(plan): plan for plan in self._plans}
        issues = [issue for plan in distinct.values() for issue in plan.issues]
        if self._options.is_timezone_assumed:
            facts = {"file": SOURCE, "zone": self._options.timezone}
            issues.append(DataIssue("quality.assumed_timezone", SOURCE, 1, facts))
        issues += [_with_setting(i) for i in self._asides.issues(SOURCE)]
        return tuple(issues)


def _with_setting(issue: DataIssue) -> DataIssue:
    if issue.code != "read.ambiguous":
        return issue
    setting = "--decimal . / --decimal ,"
    facts = {"file": SOURCE, "detail": str(issue.facts["examples"]), "setting": setting}
    return DataIssue(issue.code, issue.where, issue.count, facts)


def _plan(
    record: Mapping[str, object],
    profiles: Mapping[str, Profile],
    profile: str | None,
    units: Mapping[str, str],
) -> RecordPlan:
    if profile is not None and profile not in profiles:
        known = ", ".join(sorted(profiles))
        raise UsageError(detail=f"there is no profile '{profile}', there are {known}", command="score")
    keys = list(record)
    headers = [parse_header(key, units.get(key, "")) for key in keys]
    sample = [[_text(record[key]) for key in keys]]
    chosen = choose_layout(headers, sample, profiles, asked=profile, file=SOURCE)
    layout, settled = settle_rates(settle_unseen(chosen), None, SOURCE)
    found = layout.of_role(Role.SIGNAL)
    order = {name: i for i, name in enumerate(layout.profile.signal_names)}
    signals = tuple(sorted({c.signal for c in found}, key=lambda name: (order.get(name, len(order)), name)))
    sites, assets = layout.of_role(Role.SITE), layout.of_role(Role.ASSET)
    return RecordPlan(
        profile=layout.profile,
        signals=signals,
        values=tuple((keys[c.index], signals.index(c.signal), c) for c in found if not c.asset),
        time_keys=tuple(
            keys[c.index] for role in (Role.TIME, Role.TIME_OF_DAY) for c in layout.of_role(role)
        ),
        site_key=keys[sites[0].index] if sites else None,
        asset_key=keys[assets[0].index] if assets else None,
        issues=(*layout_issues(layout, SOURCE, DEFAULT_SITE), *settled),
        referred=tuple(
            c for c in found if not c.asset and (unit := find_unit(c.unit)) is not None and unit.reference
        ),
    )


def _text(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return "" if value is None else str(value)


def _union(plans: Sequence[RecordPlan], profile: Profile) -> tuple[str, ...]:
    names = {name for plan in plans for name in plan.signals}
    order = {name: i for i, name in enumerate(profile.signal_names)}
    return tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def _clean(text: str) -> str:
    return clean_name(text)


def _name(value: object) -> str:
    return "" if value is None else _clean(str(value))


def _number_style(
    records: Sequence[Mapping[str, object]], plans: Sequence[RecordPlan], options: ReadOptions
) -> tuple[NumberStyle, bool]:
    """The style of the numbers that come as texts, and whether anything tells it."""
    votes: Counter[str] = Counter()
    for record, plan in zip(records, plans, strict=True):
        for key, _, _ in plan.values:
            text = record[key]
            if isinstance(text, str) and not is_ambiguous(text):
                dot, comma = text.rfind("."), text.rfind(",")
                if dot != comma:
                    votes["." if dot > comma else ","] += 1
    decimal = max(votes, key=lambda sign: votes[sign]) if votes else options.decimal
    style = NumberStyle(decimal or ".", "," if (decimal or ".") == "." else ".")
    return style, decimal is not None


def _date_style(
    records: Sequence[Mapping[str, object]], plans: Sequence[RecordPlan], options: ReadOptions
) -> DateStyle | None:
    """The style of the dates that come as texts; None where day and month could be exchanged."""
    evidence = DateEvidence()
    for record, plan in zip(records, plans, strict=True):
        text = record[plan.time_keys[0]]
        if isinstance(text, str) and ("/" in text or "-" in text):
            evidence.add_text(text)
    style = evidence.decide(options.date_order, options.now) if evidence.distinct else DateStyle("dmy")
    return style if style is None else _with_hours(style, records, plans, options)


def _with_hours(
    style: DateStyle,
    records: Sequence[Mapping[str, object]],
    plans: Sequence[RecordPlan],
    options: ReadOptions,
) -> DateStyle | None:
    """The style with what numbers of hours mean; None where they leave two readings."""
    days = [
        [_text(record[key]) for key in plan.time_keys]
        for record, plan in zip(records, plans, strict=True)
        if len(plan.time_keys) > 1
    ]
    if not any(clock.strip().lstrip("Hh").rstrip("ABab").isdigit() for _, clock in days):
        return style
    evidence = HourEvidence()
    dates, clocks = (pl.Series(column, dtype=pl.String) for column in zip(*days, strict=True))
    evidence.add(join_hours(dates, clocks))
    hours = evidence.decide(
        options.timezone,
        options.stamp,
        lambda texts: parse_times(pl.Series(texts, dtype=pl.String), style).local,
    )
    return None if hours in (AMBIGUOUS, AMBIGUOUS_STEP) else replace(style, hours=hours)


def _instant(parts: Sequence[object], style: DateStyle | None) -> datetime | None:
    first = parts[0]
    if isinstance(first, datetime):
        return first
    if isinstance(first, np.datetime64):
        return None if np.isnat(first) else first.astype("datetime64[us]").item()
    if isinstance(first, date) and len(parts) == 1:
        return datetime(first.year, first.month, first.day)  # noqa: DTZ001 - naive until its zone is known
    text = " ".join(_text(p) for p in parts)
    if style is None:
        return None
    return (
        _numbered(parts, style)
        if style.hours is not None
        else parse_instant(text, style) or parse_count(text)
    )


def _numbered(parts: Sequence[object], style: DateStyle) -> datetime | None:
    """The start of a numbered hour of a day."""
    dates, clocks = (pl.Series([_text(part)], dtype=pl.String) for part in parts)
    times = parse_times(join_hours(dates, clocks), style)
    if np.isnat(times.local[0]):
        return None
    instant: datetime = times.local[0].item()
    return instant.replace(tzinfo=UTC) if times.is_utc[0] else instant
