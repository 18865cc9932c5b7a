"""Motors on shifts: current, voltage, power that follows from both, and a winding that warms with I²."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import numpy as np

from sereno.domain.judgement import IncidentKind
from sereno.domain.readings import FloatArray
from sereno.domain.signals import AssetKey
from sereno.simulate.faults import Episode, FaultRule
from sereno.simulate.grid import Grid, autoregressive, first_order_lag
from sereno.simulate.recipe import Recipe, Streams, numbered

__all__ = ["MOTOR"]

SIGNALS = ("current", "voltage", "active_power", "motor_temperature", "power_factor")
CURRENT, VOLTAGE, POWER, TEMPERATURE, POWER_FACTOR = range(5)

CURRENT_A, CURRENT_SPREAD_A = 25.0, 3.0
VOLTAGE_V, VOLTAGE_SPREAD_V = 220.0, 5.0
LOWEST_POWER_FACTOR, HIGHEST_POWER_FACTOR = 0.8, 0.95
HALL_C = 35.0
RATED_RISE_C = 10.0
"""Warming of the winding at rated current: 45 °C in all."""
WINDING_MEMORY = timedelta(minutes=30)
SIZES = (1.0, 1.3, 0.8, 1.1, 0.9, 1.5)
"""Rated current of the motors in turn, relative to `CURRENT_A`."""
REDUCED_LOAD = 0.55
"""Load at night and at weekends, relative to the two day shifts (6 to 22 h)."""
NEARBY_ROWS = 2016
"""Rows around an overload that tell its motor's rated current: a week of 5-minute steps."""
W_PER_KW = 1000.0


def _name_motors(n_assets: int) -> tuple[AssetKey, ...]:
    return numbered("MOTOR-{n:02d}", n_assets)


def _courses(grid: Grid, streams: Streams) -> list[FloatArray]:
    hour = grid.local_hour
    on_shift = (hour >= 6) & (hour < 22) & ~grid.is_weekend
    load = np.where(on_shift, 1.0, REDUCED_LOAD)
    rngs = [np.random.default_rng(stream) for stream in streams.assets]
    return [_course(grid, load, SIZES[i % len(SIZES)], rng) for i, rng in enumerate(rngs)]


def _course(grid: Grid, load: FloatArray, size: float, rng: np.random.Generator) -> FloatArray:
    n_rows = len(grid)
    current = size * (CURRENT_A * load + CURRENT_SPREAD_A * rng.standard_normal(n_rows))
    current = np.maximum(current, 0.1)
    voltage = VOLTAGE_V + VOLTAGE_SPREAD_V * rng.standard_normal(n_rows)
    factor = rng.uniform(LOWEST_POWER_FACTOR, HIGHEST_POWER_FACTOR, n_rows)
    heat = RATED_RISE_C * (current / (size * CURRENT_A)) ** 2
    start = float(heat[:60].mean()) if n_rows else 0.0
    warming = first_order_lag(heat, grid.step, WINDING_MEMORY, initial=start)
    hall = HALL_C + 1.8 * autoregressive(n_rows, grid.step, timedelta(hours=2), rng)
    winding = hall + warming + 0.5 * rng.standard_normal(n_rows)
    return np.column_stack((current, voltage, _power(current, voltage, factor), winding, factor))


def _power(current: FloatArray, voltage: FloatArray, factor: FloatArray) -> FloatArray:
    return current * voltage * factor / W_PER_KW


def _follow(rows: FloatArray) -> FloatArray:
    """Power again from the disturbed current and voltage, as its meter would see it."""
    rows[:, POWER] = _power(rows[:, CURRENT], rows[:, VOLTAGE], rows[:, POWER_FACTOR])
    return rows


def _corriente_alta(episode: Episode) -> FloatArray:
    """Overload: 2.5 to 4 times the current; the winding follows, and cools before the episode ends."""
    rows = episode.inside()
    before = rows[:, CURRENT].copy()
    cooling = min(len(rows) // 2, round(4 * WINDING_MEMORY / episode.step))
    rows[: len(rows) - cooling, CURRENT] *= episode.rng.uniform(2.5, 4.0)
    nearby = episode.course[max(episode.first - NEARBY_ROWS, 0) : episode.stop + NEARBY_ROWS, CURRENT]
    rated = np.quantile(nearby, 0.75)
    extra = RATED_RISE_C * (rows[:, CURRENT] ** 2 - before**2) / rated**2
    rows[:, TEMPERATURE] += first_order_lag(extra, episode.step, WINDING_MEMORY, initial=0.0)
    return _follow(rows)


def _voltaje_bajo(episode: Episode) -> FloatArray:
    """Undervoltage: 40 to 60 % of the voltage."""
    rows = episode.inside()
    rows[:, VOLTAGE] *= episode.rng.uniform(0.4, 0.6)
    return _follow(rows)


def _temperatura_alta(episode: Episode) -> FloatArray:
    """Lost cooling: 50 to 100 °C more at the same current, reached within an eighth of the episode."""
    rows = episode.inside()
    rows[:, TEMPERATURE] += episode.rng.uniform(50.0, 100.0) * episode.ramp()
    return rows


def _potencia_irregular(episode: Episode) -> FloatArray:
    """Half the current with 2 to 3 times the power: P = V·I·pf is broken, so it must not follow."""
    rows = episode.inside()
    rows[:, CURRENT] *= 0.5
    rows[:, POWER] *= episode.rng.uniform(2.0, 3.0)
    return rows


def _ruido_extremo(episode: Episode) -> FloatArray:
    """Current and voltage 4 to 10 deviations off, up or down, anew in every row."""
    rows = episode.inside()
    for column, spread in ((CURRENT, CURRENT_SPREAD_A), (VOLTAGE, VOLTAGE_SPREAD_V)):
        size = spread * episode.rng.uniform(4.0, 10.0, len(rows))
        rows[:, column] += size * episode.rng.choice((-1.0, 1.0), len(rows))
        rows[:, column] = np.maximum(rows[:, column], 0.0)
    return _follow(rows)


def _fallo_comb_inicial(episode: Episode) -> FloatArray:
    """Heavy start: 2 to 3 times the current, voltage sags to 70-85 %, the winding 20 to 40 °C warmer."""
    rows = episode.inside()
    rows[:, CURRENT] *= episode.rng.uniform(2.0, 3.0)
    rows[:, VOLTAGE] *= episode.rng.uniform(0.70, 0.85)
    rows[:, TEMPERATURE] += episode.rng.uniform(20.0, 40.0)
    return _follow(rows)


_HOUR = timedelta(hours=1)
_BEHAVIOUR = IncidentKind.BEHAVIOUR
_ELECTRIC = ("current", "voltage", "active_power")

FAULTS: Mapping[str, FaultRule] = MappingProxyType(
    {
        "corriente_alta": FaultRule(
            _BEHAVIOUR,
            ("current", "active_power", "motor_temperature"),
            3 * _HOUR,
            8 * _HOUR,
            _corriente_alta,
        ),
        "voltaje_bajo": FaultRule(
            _BEHAVIOUR, ("voltage", "active_power"), _HOUR / 2, 3 * _HOUR, _voltaje_bajo
        ),
        "temperatura_alta": FaultRule(
            _BEHAVIOUR, ("motor_temperature",), 2 * _HOUR, 12 * _HOUR, _temperatura_alta
        ),
        "potencia_irregular": FaultRule(
            IncidentKind.PHYSICS, ("active_power", "current"), _HOUR, 6 * _HOUR, _potencia_irregular
        ),
        "ruido_extremo": FaultRule(_BEHAVIOUR, _ELECTRIC, _HOUR / 2, 3 * _HOUR, _ruido_extremo),
        "fallo_comb_inicial": FaultRule(
            _BEHAVIOUR, (*_ELECTRIC, "motor_temperature"), _HOUR / 4, _HOUR, _fallo_comb_inicial
        ),
    }
)

MOTOR = Recipe(
    profile="motor",
    signals=SIGNALS,
    decimals=(3, 2, 4, 2, 4),
    step=timedelta(seconds=1),
    n_assets=1,
    fault_ratio=0.1,
    name_assets=_name_motors,
    courses=_courses,
    faults=FAULTS,
)
