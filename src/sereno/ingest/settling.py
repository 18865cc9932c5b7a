"""Units that no factor settles: rates and totals by the step, gas volumes and pressures by declared facts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from sereno.domain.atmosphere import atmospheric_pressure
from sereno.domain.errors import AmbiguousData
from sereno.domain.facts import AssetFacts
from sereno.domain.issues import DataIssue
from sereno.domain.signals import ANY, AssetKey, metered_name
from sereno.ingest.dates import DateStyle, parse_times
from sereno.ingest.headers import Role
from sereno.ingest.layout import Column, Layout
from sereno.ingest.table import TextTable, instant_texts
from sereno.ingest.units import conversion, conversion_over, find_unit, nearest_units

__all__ = ["pressure_offset", "sampled_step", "settle_rates", "unit_issues"]

MIN_STEP_SHARE = 0.9
"""Share of the intervals that must be one step before rates are turned into totals with it."""
MIN_INTERVALS = 2
STEP_SETTING = "mappings.….step"
BASE_TEMPERATURES_C = {"normal_volume": 0.0, "standard_volume": 15.0}
"""Of a cubic metre that says at which base conditions it is (ISO 13443: 15 °C; DIN 1343: 0 °C)."""


def sampled_step(layout: Layout, sample: Sequence[Sequence[str]], dates: DateStyle) -> float | None:
    """The step between the instants of the first rows [s]; None where there is no regular one.

    Args:
        sample: Cells of the first rows, shape (rows, columns).
    """
    columns = {str(i): [row[i] for row in sample] for i in range(len(layout.columns))}
    cells = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    table = TextTable(cells, np.arange(len(sample), dtype=np.int64))
    local = parse_times(instant_texts(table, layout), dates).local
    intervals = np.diff(np.unique(local[~np.isnat(local)])).astype("timedelta64[us]").astype(np.int64)
    if len(intervals) < MIN_INTERVALS:
        return None
    step, count = Counter(intervals.tolist()).most_common(1)[0]
    return step / 1e6 if count >= MIN_STEP_SHARE * len(intervals) else None


def settle_rates(layout: Layout, step_s: float | None, file: str) -> tuple[Layout, tuple[DataIssue, ...]]:
    """The layout with power in energy columns (or the reverse) scaled by the step, and what to say of it.

    Without a step such a column is not read: any factor would be a guess.

    Raises:
        AmbiguousData: No other column is left.
    """
    issues, columns = list[DataIssue](), list[Column]()
    for column in layout.columns:
        target = layout.profile.signal(column.signal).unit if column.role is Role.SIGNAL else ""
        is_rate = bool(column.doubt and target) and conversion_over(column.unit, target, 1.0) is not None
        columns.append(_settled(column, target, step_s, file, issues) if is_rate else column)
    settled = replace(layout, columns=tuple(columns))
    if issues and not settled.of_role(Role.SIGNAL) and not settled.of_role(Role.VALUE):
        raise AmbiguousData(file=file, detail=str(issues[0].facts["detail"]), setting=STEP_SETTING)
    return settled, tuple(issues)


def _settled(column: Column, target: str, step_s: float | None, file: str, issues: list[DataIssue]) -> Column:
    scale = conversion_over(column.unit, target, step_s) if step_s else None
    if scale is None or step_s is None:
        detail = f"'{column.source}': {column.unit} × ? h = {target}"
        facts = {"file": file, "detail": detail, "setting": STEP_SETTING}
        issues.append(DataIssue("read.ambiguous", column.source, 1, facts))
        return replace(column, role=Role.UNKNOWN, signal="")
    detail = f"{column.unit} × {scale.factor:g} = {target}"
    facts = {"file": file, "detail": detail, "minutes": f"{step_s / 60:g}"}
    issues.append(DataIssue("read.rate_converted", column.source, 1, facts))
    return replace(column, scale=scale, doubt="")


def pressure_offset(unit: str, target: str, facts: AssetFacts) -> float | None:
    """What to add to a pressure so that it is above what the asset declares, in the unit `target`.

    Zero where unit and declaration agree or one of them says nothing; None where the atmosphere lies between
    them and nobody has declared the altitude that it follows from.
    """
    found = find_unit(unit)
    reference = found.reference if found else ""
    if not reference or facts.pressure in (None, reference):
        return 0.0
    scale = conversion("bar", target)
    if facts.altitude_m is None or scale is None:
        return None
    sign = 1.0 if reference == "gauge" else -1.0
    return sign * atmospheric_pressure(facts.altitude_m) * scale.factor


def unit_issues(layout: Layout, file: str, site: str) -> Iterator[DataIssue]:
    """Units that nothing states, that are not known, or that say at other conditions than the signal."""
    yield from _assumed(layout, file)
    for column in layout.columns:
        if not column.doubt:
            continue
        if column.role is Role.UNKNOWN and find_unit(column.doubt) is None:
            yield _unknown_unit(column, file)
        elif column.role is Role.SIGNAL and not _is_declared(layout, column, site):
            unit = layout.profile.signal(column.signal).unit
            detail = f"'{column.source}' = {column.doubt} / {unit} → {column.doubt}"
            setting = "`volume: corrected` / `volume: line` (assets, sereno.yaml)"
            yield DataIssue(
                "read.ambiguous", column.source, 1, {"file": file, "detail": detail, "setting": setting}
            )


def _assumed(layout: Layout, file: str) -> Iterator[DataIssue]:
    """Written so that the sentence reads alike in every language."""
    energies = {s.name for s in layout.profile.signals if s.quantity == "energy"}
    assumed = [
        c for c in layout.of_role(Role.SIGNAL) if c.is_unit_assumed and metered_name(c.signal) in energies
    ]
    if assumed:
        unit = layout.profile.signal(assumed[0].signal).unit
        listed = ", ".join(f"'{c.source}'" for c in assumed)
        other = "Wh" if unit != "Wh" else "kWh"
        facts = {"file": file, "detail": f"{listed} = {unit} / {other} → {unit}", "setting": f"'… ({unit})'"}
        yield DataIssue("read.ambiguous", where=file, count=len(assumed), facts=facts)


def _unknown_unit(column: Column, file: str) -> DataIssue:
    near = ", ".join(nearest_units(column.doubt))
    facts = {"file": file, "unit": column.doubt, "near": f"≈ {near}." if near else ""}
    return DataIssue("read.unknown_unit", column.source, 1, facts)


def _is_declared(layout: Layout, column: Column, site: str) -> bool:
    """The asset's facts say that its volumes are at the conditions that the unit names."""
    has_names = bool(layout.of_role(Role.SITE) or layout.of_role(Role.ASSET) or column.asset)
    facts = layout.profile.facts_of(AssetKey(ANY, ANY) if has_names else AssetKey(site, site))
    unit = find_unit(column.doubt)
    base = BASE_TEMPERATURES_C.get(unit.quantity if unit else "")
    return facts.volume == "corrected" and base is not None and facts.base_temperature_c in (None, base)
