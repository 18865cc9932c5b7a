"""What the meters of a motor or feeder must obey: power, balanced phases, warmth that needs load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

import numpy as np

from sereno.domain.facts import AssetFacts
from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.motor import percent_unbalance
from sereno.prepare.peaks import forgotten_peaks
from sereno.prepare.standstill import check_warmth

__all__ = ["ACTIVE_POWER", "CURRENT_UNBALANCE", "VOLTAGE_UNBALANCE", "check_motor"]

ACTIVE_POWER = "physics.active_power"
VOLTAGE_UNBALANCE = "physics.voltage_unbalance"
CURRENT_UNBALANCE = "physics.current_unbalance"

UNITS: Mapping[str, str] = {
    "current": "A",
    "voltage": "V",
    "active_power": "kW",
    "motor_temperature": "°C",
    "power_factor": "1",
    **{f"current_l{phase}": "A" for phase in (1, 2, 3)},
    **{f"voltage_l{phase}": "V" for phase in (1, 2, 3)},
}
"""The electric signals and their units: a signal of a profile that has both is one of them."""

POWER_SHARE = 0.05
"""What meters of power, current (1 % each) and power factor (±0.03) may differ by, over V I."""
CONSTANT_SHARE = 0.10
"""The same where the power factor is declared, not measured: it moves with the load."""
BOUND_SHARE = 0.02
"""What meters of power, current and voltage may show beyond V I: twice class 1."""
PEAK_SHARE = 0.02
"""What rounding and the lower end of a transformer's range may add, over the highest V I so far."""
LEAST_POWER_FACTOR, LEAST_LOAD = 0.02, 0.3
"""A machine at this share of its highest V I has losses: it takes at least this share of V I."""
LONGEST_PRODUCT = timedelta(minutes=1)
"""The mean of a product is the product of means only while the load is steady."""
VOLTAGE_LIMIT_PERCENT = 2.0
"""What a supply may show of its ten-minute means (EN 50160); a motor then carries 95 % of its rated load
(NEMA MG 1, 14.36)."""
CURRENT_LIMIT_PERCENT = 10.0
"""What 1 to 2 % of voltage unbalance causes: six to ten times as much of the currents (NEMA MG 1, 14.36)."""
LEAST_VOLTAGE, LEAST_CURRENT = 0.1, 0.3
"""Share of the highest mean of the phases below which their unbalance means nothing."""
SETTLING = timedelta(minutes=10)
"""Unbalance heats in minutes, and supplies are judged by means of ten minutes."""
_DELAY = 3
"""Rows: while a motor starts or stops its meters do not look at the same instant."""

_W_PER_KW = 1000.0
_SQRT_3 = float(np.sqrt(3.0))
_POWER_PEAK, _VOLTAGE_PEAK, _CURRENT_PEAK = "motor/apparent", "motor/voltage", "motor/current"


def check_motor(window: Window, profile: Profile, memory: Memory) -> tuple[list[Evidence], Memory]:
    """Evidence of what cannot be, as far as the window's signals and the asset's facts allow to say.

    Returns:
        The evidence of the checks that apply; and the memory for the next window.
    """
    facts = profile.facts_of(window.asset)
    columns = _columns(window.signals, profile, tuple(facts.signals.items()))
    if not columns:
        return [], Memory()
    machine = _Machine(window, facts, columns)
    found: list[Evidence] = []
    kept: dict[str, np.ndarray] = {}
    for check in (_check_power, _check_voltages, _check_currents, _check_warmth):
        evidence, carried = check(machine, memory)
        found += [] if evidence is None else [evidence]
        kept |= carried
    return found, Memory(kept)


@dataclass(frozen=True, slots=True)
class _Machine:
    """A window whose columns are known by their electric names."""

    window: Window
    facts: AssetFacts
    columns: Mapping[str, int]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> FloatArray:
        values: FloatArray = self.window.values[:, self.columns[name]]
        return values

    def phases(self, quantity: str) -> list[int]:
        """Columns of the three phases; empty unless all are there."""
        names = [f"{quantity}_l{phase}" for phase in (1, 2, 3)]
        return [self.columns[name] for name in names] if all(name in self for name in names) else []

    def mean(self, quantity: str) -> tuple[FloatArray, list[int]] | None:
        """The quantity of the whole machine and the columns that it comes from; None where there is none."""
        if quantity in self:
            return self[quantity], [self.columns[quantity]]
        phases = self.phases(quantity)
        return (self.window.values[:, phases].mean(axis=1), phases) if phases else None


_Found = tuple[Evidence | None, dict[str, np.ndarray]]


@lru_cache(maxsize=1_024)
def _columns(
    signals: tuple[str, ...], profile: Profile, declared: tuple[tuple[str, str], ...]
) -> dict[str, int]:
    """Where each electric signal stands: as the profile has it, or as the asset's facts declare."""
    own = {name: name for name in signals if UNITS.get(name) == profile.signal(name).unit}
    named = {**own, **dict(declared)}
    return {name: signals.index(column) for name, column in named.items() if column in signals}


def _check_power(machine: _Machine, memory: Memory) -> _Found:
    """Active power against V I pf, or within what V I allows where no power factor is known."""
    current, voltage = machine.mean("current"), machine.mean("voltage")
    if current is None or voltage is None or "active_power" not in machine:
        return None, {}
    apparent = np.abs(current[0] * voltage[0]) / _W_PER_KW
    peaks, kept = forgotten_peaks(machine.window.time, apparent, memory, _POWER_PEAK)
    power = machine["active_power"]
    factor, share = _power_factor(machine)
    size, wirings = np.abs(power), _wirings(machine)
    if factor is None:
        exceedance, expected = _beyond_bounds(size, apparent, peaks, wirings)
    else:
        exceedance, expected = _off_product(size, apparent, peaks, (wirings, factor, share))
    if factor is not None and np.isnan(factor).any():
        bounds, nearest = _beyond_bounds(size, apparent, peaks, wirings)
        is_unknown = np.isnan(factor)
        exceedance, expected = (
            np.where(is_unknown, bounds, exceedance),
            np.where(is_unknown, nearest, expected),
        )
    signs = np.where(power < 0, -1.0, 1.0)
    guilt = [([machine.columns["active_power"]], 0.5), (current[1], 0.3), (voltage[1], 0.2)]
    evidence = _evidence(machine.window, ACTIVE_POWER, exceedance, guilt)
    evidence.expected[:, machine.columns["active_power"]] = signs * expected
    return evidence, kept


def _power_factor(machine: _Machine) -> tuple[FloatArray | float | None, float]:
    """Power factor of each row and the share of V I that it may be wrong by; None where nobody knows it."""
    step = machine.window.step
    if "power_factor" in machine and step is not None and step <= LONGEST_PRODUCT:
        return np.abs(machine["power_factor"]), POWER_SHARE
    return machine.facts.power_factor, CONSTANT_SHARE


def _wirings(machine: _Machine) -> tuple[float, ...]:
    """What V I may have to be multiplied by, for all that is declared: 1 phase, or 3 by line or phase."""
    facts = machine.facts
    three = {"line": (_SQRT_3,), "phase": (3.0,)}.get(facts.voltage or "", (_SQRT_3, 3.0))
    if facts.phases == 1:
        return (1.0,)
    return three if facts.phases or machine.phases("current") else (1.0, *three)


def _off_product(
    power: FloatArray,
    apparent: FloatArray,
    peaks: FloatArray,
    known: tuple[tuple[float, ...], FloatArray | float, float],
) -> tuple[FloatArray, FloatArray]:
    """Exceedance and expected power under the wiring that fits each row best."""
    wirings, power_factor, share = known
    options = np.stack([apparent * wiring * power_factor for wiring in wirings])
    limits = np.stack([wiring * np.maximum(share * apparent, PEAK_SHARE * peaks) for wiring in wirings])
    exceedances = np.divide(
        np.abs(power - options), limits, out=np.full(options.shape, np.nan), where=limits > 0
    )
    best = np.where(np.isnan(exceedances), np.inf, exceedances).argmin(axis=0)
    rows = np.arange(len(power))
    return exceedances[best, rows], options[best, rows]


def _beyond_bounds(
    power: FloatArray, apparent: FloatArray, peaks: FloatArray, wirings: tuple[float, ...]
) -> tuple[FloatArray, FloatArray]:
    """Exceedance and the nearest possible power: no more than V I, and something under load."""
    most, least = apparent * max(wirings), LEAST_POWER_FACTOR * apparent * min(wirings)
    limit = max(wirings) * np.maximum(BOUND_SHARE * apparent, PEAK_SHARE * peaks)
    over = np.full(len(power), np.nan)
    np.divide(np.maximum(power - most, 0.0), limit, out=over, where=limit > 0)
    is_loaded = apparent >= LEAST_LOAD * peaks
    is_idle = is_loaded & (power < least) & (limit > 0)
    return np.where(is_idle, 1.0 + (least - power) / np.maximum(least, 1e-300), over), np.clip(
        power, least, most
    )


def _check_voltages(machine: _Machine, memory: Memory) -> _Found:
    """Unbalance of three voltages, where the machine is connected."""
    phases = machine.phases("voltage")
    limits = (VOLTAGE_LIMIT_PERCENT, LEAST_VOLTAGE)
    return _check_phases(machine, memory, (VOLTAGE_UNBALANCE, _VOLTAGE_PEAK), phases, limits)


def _check_currents(machine: _Machine, memory: Memory) -> _Found:
    """Unbalance of three currents of a machine that is declared to have three phases: feeders may show it."""
    phases = machine.phases("current") if machine.facts.phases == 3 else []
    limits = (CURRENT_LIMIT_PERCENT, LEAST_CURRENT)
    return _check_phases(machine, memory, (CURRENT_UNBALANCE, _CURRENT_PEAK), phases, limits)


def _check_phases(
    machine: _Machine, memory: Memory, names: tuple[str, str], phases: list[int], limits: tuple[float, float]
) -> _Found:
    if not phases:
        return None, {}
    (check, peak_name), (percent, least_load) = names, limits
    window = machine.window
    values = window.values[:, phases]
    mean = values.mean(axis=1)
    peaks, kept = forgotten_peaks(window.time, mean, memory, peak_name)
    unbalance = np.where(mean >= least_load * peaks, percent_unbalance(values), np.nan)
    evidence = _evidence(window, check, unbalance / percent, [(phases, 1.0)])
    rows = np.arange(len(window))
    worst = np.abs(values - mean[:, None]).argmax(axis=1)  # a row with a missing phase is not judged
    guilty = np.array(phases)[worst]
    evidence.expected[rows, guilty] = mean
    evidence.contributions[:] = 0.0
    evidence.contributions[rows, guilty] = 1.0
    step = window.step or SETTLING
    return replace(evidence, threshold=percent, on_delay=max(_DELAY, -(-SETTLING // step))), kept


def _check_warmth(machine: _Machine, memory: Memory) -> _Found:
    load = machine.mean("current") or machine.mean("active_power")
    if load is None or "motor_temperature" not in machine:
        return None, {}
    peaks, kept = forgotten_peaks(machine.window.time, np.abs(load[0]), memory, "motor/load")
    column = machine.columns["motor_temperature"]
    evidence, carried = check_warmth(machine.window, column, _is_still(np.abs(load[0]), peaks), memory)
    return evidence, kept | carried


def _is_still(load: FloatArray, peaks: FloatArray) -> BoolArray:
    """Where a machine that has run before takes (nearly) nothing; a missing reading is no standstill."""
    still: BoolArray = (peaks > 0) & (load <= PEAK_SHARE * peaks)
    return still


def _evidence(
    window: Window, check: str, exceedance: FloatArray, guilt: Sequence[tuple[Sequence[int], float]]
) -> Evidence:
    shares = np.zeros(window.values.shape)
    for columns, share in guilt:
        shares[:, columns] = share / len(columns)
    return Evidence(
        check=check,
        kind=IncidentKind.PHYSICS,
        exceedance=exceedance,
        threshold=1.0,
        contributions=shares,
        expected=np.full(window.values.shape, np.nan),
        on_delay=_DELAY,
        off_delay=_DELAY,
    )
