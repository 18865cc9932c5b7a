"""Drifts that are put into the newest weeks on purpose, to see that the watch sees them."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

import numpy as np

from sereno.domain.drift import DriftKind, DriftLevel
from sereno.domain.readings import FloatArray, Window

__all__ = ["SCENARIOS", "FixedRule", "Scenario", "ScenarioName", "apply_scenario"]

_SEED = 42
_DEGREES = 5.0
_LOAD_FACTOR = 1.10
_SHIFT = timedelta(weeks=8)
_IMPUTED_SHARE, _IMPUTED_INPUTS = 0.3, 2
_PERCENT = 100.0


class ScenarioName(StrEnum):
    """The drifts by name."""

    TEMPERATURE_SHIFT = "temperature_shift"
    """The first input is five units higher than it was: of the temperature, 5 °C."""
    SEASONAL_DRIFT = "seasonal_drift"
    """Inputs are those of eight weeks before, and the model is told that calendar."""
    MISSING_FEATURES = "missing_features"
    """Three of ten values of two inputs are replaced by their median."""
    LOAD_INCREASE = "load_increase"
    """The signal is a tenth higher."""


@dataclass(frozen=True, slots=True)
class FixedRule:
    """A fixed share by which a figure of a model that does not learn on may get worse.

    Attributes:
        metric: `rmse`, `r2` or `mae`.
        percent: Beyond it the level is MEDIUM, beyond twice HIGH.
    """

    metric: str
    percent: float

    def level(self, change: float) -> DriftLevel:
        """Of a change for the worse [%]; LOW up to the threshold."""
        if not np.isfinite(change):
            return DriftLevel.UNKNOWN
        if change > 2.0 * self.percent:
            return DriftLevel.HIGH
        return DriftLevel.MEDIUM if change > self.percent else DriftLevel.LOW


@dataclass(frozen=True, slots=True)
class Scenario:
    """A drift, the verdict that is to see it, and the fixed rule beside it.

    Attributes:
        shift: Of the calendar that a model is told.
    """

    name: ScenarioName
    kind: DriftKind
    rule: FixedRule
    shift: timedelta = timedelta(0)


SCENARIOS = {
    one.name: one
    for one in (
        Scenario(ScenarioName.TEMPERATURE_SHIFT, DriftKind.INPUT, FixedRule("rmse", 10.0)),
        Scenario(ScenarioName.SEASONAL_DRIFT, DriftKind.INPUT, FixedRule("r2", 5.0), -_SHIFT),
        Scenario(ScenarioName.MISSING_FEATURES, DriftKind.QUALITY, FixedRule("mae", 15.0)),
        Scenario(ScenarioName.LOAD_INCREASE, DriftKind.CONCEPT, FixedRule("rmse", 10.0)),
    )
}


def apply_scenario(name: ScenarioName, window: Window, target: str, first: int) -> Window:
    """The window with a drift in its rows from `first` on; the rest is as it was."""
    values = window.values.copy()
    inputs = [place for place, signal in enumerate(window.signals) if signal != target]
    changed = slice(first, None)
    match name:
        case ScenarioName.TEMPERATURE_SHIFT:
            values[changed, _temperature(window, inputs)] += _DEGREES
        case ScenarioName.SEASONAL_DRIFT:
            values[changed, inputs] = _before(window, inputs, first)
        case ScenarioName.MISSING_FEATURES:
            random = np.random.default_rng(_SEED)
            for place in inputs[:_IMPUTED_INPUTS]:
                is_lost = random.random(len(values) - first) < _IMPUTED_SHARE
                values[first:, place][is_lost] = np.nanmedian(window.values[:, place])
        case ScenarioName.LOAD_INCREASE:
            values[changed, window.signals.index(target)] *= _LOAD_FACTOR
    return replace(window, values=values)


def _temperature(window: Window, inputs: list[int]) -> list[int]:
    named = [place for place in inputs if "temp" in window.signals[place]]
    return (named or inputs)[:1]


def _before(window: Window, inputs: list[int], first: int) -> FloatArray:
    """The inputs of eight weeks before; those of the first rows where the history does not reach so far."""
    assert window.step is not None
    back = _SHIFT // window.step
    rows = np.maximum(np.arange(first, len(window)) - back, 0)
    before: FloatArray = window.values[rows][:, inputs]
    return before
