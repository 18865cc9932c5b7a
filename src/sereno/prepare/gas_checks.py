"""What a gas client's meters must obey: a kind of pressure that can be, one amount of gas, agreeing twins."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate

import numpy as np

from sereno.domain.atmosphere import atmospheric_pressure
from sereno.domain.facts import AssetFacts
from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.gas import volume_at_base

__all__ = ["BASE_VOLUME", "PRESSURE_KIND", "TWIN_METER", "check_gas", "check_twin", "twin_excess"]

PRESSURE_KIND = "physics.pressure_kind"
BASE_VOLUME = "physics.base_volume"
TWIN_METER = "physics.twin_meter"

UNITS: Mapping[str, str] = {
    "pressure": "bar",
    "temperature": "°C",
    "volume": "m³",
    "base_volume": "m³",
    "twin_volume": "m³",
}
"""The signals of a gas client and their units: a signal of a profile that has both is one of them."""

HIGHEST_SITE_M = 4_000.0
"""Where no height is declared: the highest towns [m]."""
WEATHER_SHARE = 0.1
"""How much lower than its mean the pressure of the atmosphere may be: twice the deepest cyclone."""
CONVERTER_SHARE = 0.02
"""What a converter of class 0.5 and meters of class 1 may differ by (EN 12405-1, EN 12261), doubled."""
RESOLUTION_M3 = 1.0
"""Pulse of a large meter [m³]: it may fall into any step."""
TWIN_SHARE = 0.02
"""What two meters of class 1 in series may differ by (EN 12261, EN 12480)."""
TWIN_MEMORY = timedelta(days=3)
"""The time constant of the sums that twins are compared by: rounding and lag between them cancel."""
TWIN_LEAST_M3 = 50.0
"""Volume in those sums below which pulses of 1 m³ would count [m³]."""
_WORST = 10.0
_DELAY = 3
_TWINS = "twin/sums"


def check_gas(window: Window, profile: Profile, memory: Memory) -> tuple[list[Evidence], Memory]:
    """Evidence of what cannot be, as far as the asset's facts declare how its meters count.

    Returns:
        The evidence of the checks that apply; and the memory for the next window.
    """
    columns = {
        name: place
        for place, name in enumerate(window.signals)
        if name in UNITS and UNITS[name] == profile.signal(name).unit
    }
    facts = profile.facts_of(window.asset)
    found = _check_volumes(window, columns, facts)
    if "volume" in columns and "twin_volume" in columns:
        other = columns["twin_volume"]
        twins, memory = _check_twins(window, columns["volume"], window.values[:, other], memory)
        twins.contributions[:, [columns["volume"], other]] = 0.5
        return [*found, twins], memory
    return found, Memory()


def _check_volumes(window: Window, columns: Mapping[str, int], facts: AssetFacts) -> list[Evidence]:
    """The kind of pressure, and the base volume against pressure, temperature and line volume."""
    if facts.pressure is None or "pressure" not in columns:
        return []
    kind = _too_low(window, columns["pressure"], facts)
    is_comparable = facts.volume == "line" and facts.base_temperature_c is not None
    if not is_comparable or not {"temperature", "volume", "base_volume"} <= columns.keys():
        return [] if kind is None else [kind]
    volume, fitting = _compare_volumes(window, columns, facts)
    pressure = window.values[:, columns["pressure"]]
    kind = kind or _blank(window, PRESSURE_KIND, {columns["pressure"]: 1.0})
    kind = replace(kind, exceedance=np.fmax(kind.exceedance, fitting))
    atmosphere = atmospheric_pressure(facts.altitude_m or 0.0)
    sign = -1.0 if facts.pressure == "gauge" else 1.0
    kind.expected[:, columns["pressure"]] = np.where(fitting >= 1, pressure + sign * atmosphere, np.nan)
    return [kind, volume]


def _too_low(window: Window, column: int, facts: AssetFacts) -> Evidence | None:
    """Absolute pressures of a pipe are never below the atmosphere: such readings are of a gauge."""
    if facts.pressure != "absolute":
        return None
    height = HIGHEST_SITE_M if facts.altitude_m is None else facts.altitude_m
    lowest = (1.0 - WEATHER_SHARE) * atmospheric_pressure(height)
    pressure = window.values[:, column]
    evidence = _blank(window, PRESSURE_KIND, {column: 1.0})
    excess = np.clip(lowest / np.maximum(pressure, 1e-9), 0.0, _WORST)
    return replace(evidence, exceedance=np.where(np.isnan(pressure), np.nan, excess))


def _compare_volumes(
    window: Window, columns: Mapping[str, int], facts: AssetFacts
) -> tuple[Evidence, FloatArray]:
    """Evidence about the base volume, and how sure it is that only the kind of pressure is declared wrongly.

    Where the other kind of pressure explains the base volume, the volumes themselves are not accused.
    """
    shares = {columns["base_volume"]: 0.4, columns["volume"]: 0.4}
    shares |= {columns["pressure"]: 0.1, columns["temperature"]: 0.1}
    evidence = _blank(window, BASE_VOLUME, shares)
    excess, expected = _volume_excess(window, columns, facts)
    fitting = np.where(np.isnan(excess), np.nan, 0.0)
    if (excess >= 1.0).any():
        other = replace(facts, pressure="absolute" if facts.pressure == "gauge" else "gauge")
        is_other: BoolArray = np.less(_volume_excess(window, columns, other)[0], 1.0) & (excess >= 1.0)
        fitting = np.where(is_other, excess, fitting)
        excess = np.where(is_other, np.nan, excess)
    evidence.expected[:, columns["base_volume"]] = expected
    return replace(evidence, exceedance=excess), fitting


def _volume_excess(
    window: Window, columns: Mapping[str, int], facts: AssetFacts
) -> tuple[FloatArray, FloatArray]:
    """How far the base volume is from what follows from the line's, over what meters allow; and the latter.

    Without Z the true volume lies between that of an ideal gas and the bound above it.
    """
    pressure, temperature, volume, read = (
        window.values[:, columns[name]] for name in ("pressure", "temperature", "volume", "base_volume")
    )
    low, error = volume_at_base(pressure, temperature, volume, facts, str(window.asset))
    high = low * (1.0 + error)
    per_m3 = np.divide(low, volume, out=np.ones(len(volume)), where=volume > 0)
    limit = np.maximum(CONVERTER_SHARE * low, RESOLUTION_M3 * (per_m3 + 1.0))
    nearest = np.clip(read, low, high)
    return np.abs(read - nearest) / limit, nearest


def check_twin(window: Window, twin: FloatArray, memory: Memory) -> tuple[list[Evidence], Memory]:
    """As `check_gas` of two volumes in one file, where the twin is an asset of its own.

    Args:
        twin: What that asset read in the same steps [m³ per step], shape (rows,).

    Returns:
        The evidence, nothing where the file itself brings the twin; and the memory for the next window.
    """
    if "volume" not in window.signals or "twin_volume" in window.signals:
        return [], Memory()
    evidence, memory = _check_twins(window, window.signals.index("volume"), twin, memory)
    return [evidence], memory


def _check_twins(window: Window, column: int, twin: FloatArray, memory: Memory) -> tuple[Evidence, Memory]:
    """Two meters of the same flow."""
    pair = np.column_stack((window.values[:, column], twin))
    excess, sums = twin_excess(pair, window.step, memory.arrays.get(_TWINS, np.zeros(2)))
    evidence = _blank(window, TWIN_METER, {column: 1.0})
    evidence.expected[:, column] = twin
    return replace(evidence, exceedance=excess), Memory({_TWINS: sums})


def twin_excess(
    pair: FloatArray, step: timedelta | None, before: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """How far two meters of one flow differ in the last days, over what their class allows, shape (rows,).

    Compared are sums that forget with `TWIN_MEMORY`; a step that one of them lacks counts for neither.

    Args:
        pair: Volumes of both [m³ per step], shape (rows, 2).
        before: Sums that the rows before left, shape (2,).

    Returns:
        NaN where a reading is missing or too little has flowed; and the sums after the last row.
    """
    keep = float(np.exp(-((step or timedelta(0)) / TWIN_MEMORY)))
    is_there: BoolArray = np.isfinite(pair.sum(axis=1))
    known = np.where(is_there[:, None], pair, 0.0)
    sums = np.column_stack(
        [list(accumulate(known[:, one].tolist(), lambda total, new: keep * total + new, initial=before[one]))
         for one in (0, 1)]
    )  # fmt: skip
    larger = sums[1:].max(axis=1)
    apart = np.abs(sums[1:, 0] - sums[1:, 1])
    is_telling = is_there & (larger >= TWIN_LEAST_M3)
    excess = np.full(len(pair), np.nan)
    np.divide(apart, TWIN_SHARE * larger, out=excess, where=is_telling)
    return excess, sums[-1]


def _blank(window: Window, check: str, shares: Mapping[int, float]) -> Evidence:
    """Evidence that says nothing yet."""
    contributions = np.zeros(window.values.shape)
    for column, share in shares.items():
        contributions[:, column] = share
    return Evidence(
        check=check,
        kind=IncidentKind.PHYSICS,
        exceedance=np.full(len(window), np.nan),
        threshold=1.0,
        contributions=contributions,
        expected=np.full(window.values.shape, np.nan),
        on_delay=_DELAY,
        off_delay=_DELAY,
    )
