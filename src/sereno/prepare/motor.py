"""Physics of electric motors: power from current and voltage, unbalance of phases, warming by current."""

from datetime import timedelta

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["derating", "electric_power", "percent_unbalance", "power_residual", "winding_temperature"]

_W_PER_KW = 1000.0
_PHASES = (1, 3)

VOLTAGE_UNBALANCE_LIMIT = 1.0
"""Unbalance of voltages up to which a motor may carry its rated load [%] (NEMA MG 1, 14.36)."""
VOLTAGE_UNBALANCE_STOP = 5.0
"""Unbalance of voltages beyond which a motor should not run at all [%] (NEMA MG 1, 14.36)."""
_DERATING = (
    (0.0, 1.0), (1.0, 1.0), (1.5, 0.97), (2.0, 0.95), (2.5, 0.93), (3.0, 0.89), (3.5, 0.85), (4.0, 0.82),
    (4.5, 0.78), (5.0, 0.76),
)  # fmt: skip
"""Unbalance [%] and the share of the rated load that is left: the curve of NEMA MG 1, figure 14-1, as The
Engineering ToolBox reads it (motor voltage imbalance, d_648); others read up to 0.02 more or less."""


def electric_power(
    current_a: FloatArray, voltage_v: FloatArray, power_factor: FloatArray, phases: int
) -> FloatArray:
    """Active power [kW], shape (rows,): V I pf for one phase, √3 V I pf for three.

    Source:
        IEC 60034-1: apparent power of a balanced machine.

    Args:
        current_a: Of one line.
        voltage_v: Between lines for three phases; of the phase for one.
        phases: 1 or 3.
    """
    factor = np.sqrt(3.0) if _known_phases(phases) == 3 else 1.0
    power: FloatArray = factor * voltage_v * current_a * power_factor / _W_PER_KW
    return power


def power_residual(
    power_kw: FloatArray,
    current_a: FloatArray,
    voltage_v: FloatArray,
    power_factor: FloatArray,
    phases: int,
) -> FloatArray:
    """What the meter shows beyond what current and voltage allow, over the latter, shape (rows,).

    0 is agreement, 1 is twice the power, NaN is a standstill (nothing to compare) or a missing reading.
    """
    expected = electric_power(current_a, voltage_v, power_factor, phases)
    share = np.full(len(power_kw), np.nan)
    np.divide(power_kw - expected, expected, out=share, where=np.abs(expected) > 0)
    return share


def percent_unbalance(phases: FloatArray) -> FloatArray:
    """Largest deviation of a phase from their mean, over the mean [%], shape (rows,).

    Source:
        NEMA MG 1, 14.36 (there for voltages; the same figure is used of currents).

    Args:
        phases: Shape (rows, 3); a row with a missing phase or a mean of 0 is NaN.
    """
    mean = phases.mean(axis=1)
    largest = np.abs(phases - mean[:, None]).max(axis=1)
    unbalance = np.full(len(phases), np.nan)
    np.divide(100.0 * largest, mean, out=unbalance, where=mean > 0)
    return unbalance


def derating(unbalance: FloatArray) -> FloatArray:
    """Share of the rated load that a motor may carry under an unbalance of voltages [%], shape (rows,).

    0 beyond `VOLTAGE_UNBALANCE_STOP`: it should not run.

    Source:
        NEMA MG 1, figure 14-1.
    """
    percents, shares = np.array(_DERATING).T
    left: FloatArray = np.where(
        unbalance > VOLTAGE_UNBALANCE_STOP, 0.0, np.interp(unbalance, percents, shares)
    )
    return left


def winding_temperature(
    current_share: FloatArray,
    rated_rise_k: float,
    time_constant: timedelta,
    step: timedelta,
    surroundings_c: FloatArray,
    initial_rise_k: float = 0.0,
) -> FloatArray:
    """Temperature at the end of each step [°C], shape (rows,): it follows I² with one time constant.

    A current that is missing holds the rise where it is.

    Source:
        IEC 60255-149 (thermal relays): θ' = (θ_rated (I / I_rated)² - θ) / τ, exact for a current that is
        constant over each step.

    Args:
        current_share: Current over rated current.
        rated_rise_k: Rise that rated current leads to.
        surroundings_c: Temperature of the surroundings.
        initial_rise_k: Rise at the start of the first step.
    """
    keep = float(np.exp(-(step / time_constant)))
    rise, rises = initial_rise_k, []
    for heat in (rated_rise_k * current_share**2).tolist():
        rise = rise if np.isnan(heat) else heat + (rise - heat) * keep
        rises.append(rise)
    temperature: FloatArray = surroundings_c + np.array(rises)
    return temperature


def _known_phases(phases: int) -> int:
    assert phases in _PHASES, f"a motor has 1 or 3 phases, not {phases}"
    return phases
