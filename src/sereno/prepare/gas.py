"""How much gas there is: amount, volume at base conditions, and how far from ideal it behaves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sereno.domain.atmosphere import STANDARD_ATMOSPHERE_BAR, atmospheric_pressure
from sereno.domain.errors import SettingsError
from sereno.domain.facts import AssetFacts
from sereno.domain.readings import FloatArray

if TYPE_CHECKING:
    import pyaga8

__all__ = [
    "absolute_pressure",
    "amount_at_base",
    "amount_of_gas",
    "base_volume",
    "check_composition",
    "compressibility",
    "ideal_gas_error",
    "volume_at_base",
]

GAS_CONSTANT = 8.31446261815324
"""Molar gas constant [kJ/(kmol·K)] (SI 2019)."""
ZERO_C_K = 273.15
_KPA_PER_BAR = 100.0

PRESSURE_GRID_BAR, TEMPERATURE_GRID_K = 0.005, 0.05
"""States closer than this share one Z: its change over such a step is below 0.00005."""
IDEAL_ERROR_PER_BAR = 0.004
"""Most that 1/Z of a natural gas departs from 1, per absolute bar at 0 °C (a rich gas of ISO 12213-2)."""
IDEAL_ERROR_POWER = 3.0
"""How fast the departure falls as gas warms: with the third power of the absolute temperature."""


def absolute_pressure(pressure_bar: FloatArray, facts: AssetFacts, asset: str) -> FloatArray:
    """Pressure above vacuum [bar], shape (rows,), from readings above what `facts.pressure` says.

    Without a declared height the atmosphere is that of sea level: at 650 m that is 7.5 % too much of it.

    Raises:
        SettingsError: Nobody has declared whether the readings are gauge or absolute.
    """
    if facts.pressure is None:
        raise _undeclared(asset, "pressure", "gauge|absolute")
    if facts.pressure == "absolute":
        return pressure_bar
    return pressure_bar + atmospheric_pressure(facts.altitude_m or 0.0)


def amount_of_gas(
    pressure_bar: FloatArray, temperature_c: FloatArray, volume_m3: FloatArray, z: FloatArray | float
) -> FloatArray:
    """Amount of gas n = P V / (Z R T) [kmol], shape (rows,).

    Args:
        pressure_bar: Absolute [bar].
        z: Compressibility factor at that pressure and temperature.
    """
    kelvin = temperature_c + ZERO_C_K
    amount: FloatArray = _KPA_PER_BAR * pressure_bar * volume_m3 / (z * GAS_CONSTANT * kelvin)
    return amount


def amount_at_base(base_volume_m3: FloatArray, facts: AssetFacts, asset: str) -> FloatArray:
    """Amount of gas in a volume at the declared base conditions [kmol], shape (rows,).

    Z of the base conditions follows from the composition; without one it is 1, which a natural gas misses by
    at most 0.4 % there.
    """
    base_bar = facts.base_pressure_bar or STANDARD_ATMOSPHERE_BAR
    pressure, celsius = np.array([base_bar]), np.array([facts.base_temperature_c or 0.0])
    z: FloatArray | float = 1.0
    if facts.composition:
        z = compressibility(pressure, celsius, facts.composition, asset)
    return amount_of_gas(pressure, celsius, base_volume_m3, z)


def base_volume(
    pressure_bar: FloatArray,
    temperature_c: FloatArray,
    volume_m3: FloatArray,
    z_ratio: FloatArray | float,
    base: tuple[float, float],
) -> FloatArray:
    """V_b = V (P / P_b) (T_b / T) (Z_b / Z) [m³ at base conditions], shape (rows,).

    Source:
        EN 12405-1, conversion as a function of pressure, temperature and compressibility.

    Args:
        pressure_bar: Absolute [bar].
        volume_m3: As it flows [m³].
        z_ratio: Z at line conditions over Z at base conditions.
        base: Absolute pressure [bar] and temperature [°C] of the base conditions.
    """
    base_bar, base_c = base
    warmth = (base_c + ZERO_C_K) / (temperature_c + ZERO_C_K)
    volume: FloatArray = volume_m3 * (pressure_bar / base_bar) * warmth / z_ratio
    return volume


def volume_at_base(
    pressure_bar: FloatArray, temperature_c: FloatArray, volume_m3: FloatArray, facts: AssetFacts, asset: str
) -> tuple[FloatArray, FloatArray]:
    """Volume at the declared base conditions, and the share by which it may be wrong for want of Z.

    A volume declared `corrected` is at base conditions already and passes unchanged. Z comes from the
    composition if it is declared, else from the constant, else the gas is taken as ideal; the share is 0 in
    the first two cases and `ideal_gas_error` in the last.

    Args:
        pressure_bar: As read, gauge or absolute as declared, shape (rows,).

    Raises:
        SettingsError: The kind of volume or of pressure, or the base temperature, is not declared, or the
            composition cannot be a gas.
    """
    if facts.volume is None:
        raise _undeclared(asset, "volume", "line|corrected")
    if facts.volume == "corrected":
        return volume_m3, np.zeros(len(volume_m3))
    if facts.base_temperature_c is None:
        raise _undeclared(asset, "base_temperature_c", "0|15")
    base = (facts.base_pressure_bar or STANDARD_ATMOSPHERE_BAR, facts.base_temperature_c)
    pressure = absolute_pressure(pressure_bar, facts, asset)
    ratio: FloatArray | float = 1.0
    error = np.zeros(len(pressure))
    if facts.composition:
        at_base = compressibility(np.array([base[0]]), np.array([base[1]]), facts.composition, asset)
        ratio = compressibility(pressure, temperature_c, facts.composition, asset) / at_base
    elif facts.compressibility is not None:
        ratio = facts.compressibility
    else:
        error = ideal_gas_error(pressure, temperature_c)
    return base_volume(pressure, temperature_c, volume_m3, ratio, base), error


def ideal_gas_error(pressure_bar: FloatArray, temperature_c: FloatArray) -> FloatArray:
    """Largest share of the true base volume that is missed when Z = 1 is taken, shape (rows,).

    A bound for natural gases up to 80 bar and from -5 to 60 °C: 0.4 % per absolute bar at 0 °C.
    """
    cold = (ZERO_C_K / (temperature_c + ZERO_C_K)) ** IDEAL_ERROR_POWER
    bound: FloatArray = IDEAL_ERROR_PER_BAR * pressure_bar * cold
    return bound


def compressibility(
    pressure_bar: FloatArray, temperature_c: FloatArray, composition: Mapping[str, float], asset: str = "*"
) -> FloatArray:
    """Compressibility factor Z, shape (rows,); NaN where pressure or temperature is.

    Source:
        AGA Report No. 8, Part 1 (DETAIL), 2017; the same as ISO 12213-2.

    Args:
        pressure_bar: Absolute [bar].
        composition: Mole fractions by component, as `methane`, `n_butane`, `carbon_dioxide`.

    Raises:
        SettingsError: A component is unknown or the fractions do not add up to 1.
    """
    import pyaga8

    mixture = pyaga8.Composition()
    known = [name for name in dir(mixture) if not name.startswith("_")]
    for name, fraction in composition.items():
        if name not in known:
            raise SettingsError(
                where=f"assets.{asset}.composition",
                detail=f"'{name}' is not a component of a gas",
                hint=f"Components are {', '.join(known)}.",
            )
        setattr(mixture, name, fraction)
    detail = pyaga8.Detail()
    try:
        detail.set_composition(mixture)
    except ValueError as error:
        raise SettingsError(
            where=f"assets.{asset}.composition",
            detail=f"the fractions add up to {sum(composition.values()):g}",
            hint="They must add up to 1.",
        ) from error
    return _factors(detail, pressure_bar, temperature_c)


def check_composition(composition: Mapping[str, float], asset: str) -> None:
    """Refuse what cannot be a gas, before anything is judged with it.

    Raises:
        SettingsError: A component is unknown or the fractions do not add up to 1.
    """
    compressibility(np.empty(0), np.empty(0), composition, asset)


def _factors(detail: "pyaga8.Detail", pressure_bar: FloatArray, temperature_c: FloatArray) -> FloatArray:
    """Z of each row; rows of the same state to within the grid share one calculation."""
    factors = np.full(len(pressure_bar), np.nan)
    rows = np.flatnonzero(np.isfinite(pressure_bar) & np.isfinite(temperature_c) & (pressure_bar > 0))
    if not len(rows):
        return factors
    states = np.column_stack(
        (pressure_bar[rows] / PRESSURE_GRID_BAR, temperature_c[rows] / TEMPERATURE_GRID_K)
    )
    distinct, inverse = np.unique(np.maximum(np.round(states), [1, -np.inf]), axis=0, return_inverse=True)
    found = []
    for pressure, temperature in distinct.tolist():
        detail.pressure = pressure * PRESSURE_GRID_BAR * _KPA_PER_BAR
        detail.temperature = temperature * TEMPERATURE_GRID_K + ZERO_C_K
        detail.calc_density()
        found.append(detail.pressure / (detail.d * GAS_CONSTANT * detail.temperature))
    factors[rows] = np.array(found)[inverse.reshape(-1)]
    return factors


def _undeclared(asset: str, fact: str, choices: str) -> SettingsError:
    return SettingsError(
        where=f"assets.{asset}",
        detail=f"'{fact}' is not declared, and the amount of gas depends on it",
        hint=f"Write `{fact}: {choices}` under it in sereno.yaml, whichever is true.",
    )
