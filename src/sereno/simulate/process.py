"""Plant lines at a constant operating point: temperature, pressure and flow rate, a minute apart."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import numpy as np

from sereno.domain.judgement import IncidentKind
from sereno.domain.readings import FloatArray
from sereno.domain.signals import AssetKey
from sereno.simulate.faults import Disturb, Episode, FaultRule, held
from sereno.simulate.grid import Grid, autoregressive
from sereno.simulate.recipe import Recipe, Streams, numbered

__all__ = ["PROCESS", "process_recipe"]

SIGNALS = ("temperature", "pressure", "flowrate")
SETPOINTS = np.array([25.0, 5.0, 100.0])
SPREADS = np.array([0.2, 0.05, 1.0])
"""Operating point and deviation [°C, bar, m³/h]."""
SHARED_SHARE = 0.3
"""Share of the variance that the three variables have in common: they hang on the same line."""
LINE_MEMORY = timedelta(minutes=20)
BLOCK = timedelta(minutes=15)


def _name_lines(n_assets: int) -> tuple[AssetKey, ...]:
    return numbered("Línea {n}", n_assets)


def _course(grid: Grid, n_signals: int, rng: np.random.Generator) -> FloatArray:
    line = autoregressive(len(grid), grid.step, LINE_MEMORY, rng)
    # All three are drawn whatever is asked for: one variable is the same alone as among three.
    own = rng.standard_normal((len(grid), len(SIGNALS)))
    noise = np.sqrt(SHARED_SHARE) * line[:, None] + np.sqrt(1 - SHARED_SHARE) * own
    return np.asarray((SETPOINTS + SPREADS * noise)[:, :n_signals])


def _temperature_block(episode: Episode) -> FloatArray:
    """Temperature at 45 to 50 °C."""
    rows = episode.inside()
    rows[:, 0] += episode.rng.uniform(45.0, 50.0) - SETPOINTS[0]
    return rows


def _small_shift(episode: Episode) -> FloatArray:
    """Temperature 6 to 10 deviations up: 1.2 to 2 °C, invisible to a fixed limit."""
    rows = episode.inside()
    rows[:, 0] += SPREADS[0] * episode.rng.uniform(6.0, 10.0)
    return rows


def _pressure_drop(episode: Episode) -> FloatArray:
    """A leak: pressure at 70 to 85 %, and a little more flow."""
    rows = episode.inside()
    rows[:, 1] *= episode.rng.uniform(0.70, 0.85)
    rows[:, 2] *= 1.04
    return rows


def _flow_loss(episode: Episode) -> FloatArray:
    """A blockage: flow at 50 to 80 %, pressure 10 % up."""
    rows = episode.inside()
    rows[:, 2] *= episode.rng.uniform(0.5, 0.8)
    rows[:, 1] *= 1.1
    return rows


def _block(kind: IncidentKind, signals: tuple[str, ...], disturb: Disturb) -> FaultRule:
    return FaultRule(kind, signals, BLOCK, BLOCK, disturb)


FAULTS: Mapping[str, FaultRule] = MappingProxyType(
    {
        "temperature_block": _block(IncidentKind.BEHAVIOUR, ("temperature",), _temperature_block),
        "small_shift": _block(IncidentKind.BEHAVIOUR, ("temperature",), _small_shift),
        "pressure_drop": _block(IncidentKind.BEHAVIOUR, ("pressure", "flowrate"), _pressure_drop),
        "flow_loss": _block(IncidentKind.BEHAVIOUR, ("flowrate", "pressure"), _flow_loss),
        "frozen": _block(IncidentKind.DATA, SIGNALS, held),
    }
)


def process_recipe(variables: int) -> Recipe:
    """Lines that measure the first `variables` of temperature, pressure and flow rate."""
    signals = SIGNALS[:variables]
    visible = {name: rule for name, rule in FAULTS.items() if set(rule.signals) <= set(signals)}
    frozen = _block(IncidentKind.DATA, signals, held)

    def courses(grid: Grid, streams: Streams) -> list[FloatArray]:
        return [_course(grid, variables, np.random.default_rng(stream)) for stream in streams.assets]

    return Recipe(
        profile="process",
        signals=signals,
        decimals=(4, 4, 4)[:variables],
        step=timedelta(minutes=1),
        n_assets=1,
        fault_ratio=0.03,
        name_assets=_name_lines,
        courses=courses,
        faults={**visible, "frozen": frozen},
    )


PROCESS = process_recipe(len(SIGNALS))
