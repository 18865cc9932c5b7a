"""The forecasters by name: each a pool, with one member or several."""

from collections.abc import Sequence
from dataclasses import dataclass

from sereno.domain.readings import Window
from sereno.forecast.boost import BoostOptions
from sereno.forecast.pool import Plan, learn
from sereno.forecast.ridge import RidgeOptions
from sereno.forecast.trained import TrainedPool, load_pool

__all__ = ["BoostForecaster", "MixedForecaster", "NaiveForecaster", "RidgeForecaster"]

_SHRINKAGE_DAYS, _DAMPING_DAYS = 10.0, 10.0


@dataclass(frozen=True, slots=True)
class NaiveForecaster:
    """The same time yesterday or last week, whichever erred less for the meter.

    Attributes:
        signal: What it forecasts.
        days_ahead: Days ahead for which errors are kept; the horizon may be longer.
    """

    signal: str
    days_ahead: int = 1

    def fit(self, history: Sequence[Window]) -> TrainedPool:
        """See `Forecaster`."""
        plan = _plan(self.signal, "seasonal_naive", ("seasonal_naive",), self.days_ahead)
        return TrainedPool(learn(history, plan))

    def load(self, state: bytes) -> TrainedPool:
        """See `Forecaster`."""
        return load_pool(state)


@dataclass(frozen=True, slots=True)
class RidgeForecaster:
    """A linear model per meter and time of day, drawn towards the fleet's; the naive where that is better.

    Attributes:
        days_ahead: Days ahead that are learnt, 1 to 8.
        shrinkage_days: Days of the fleet's opinion that a meter's own model begins with.
        damping_days: Days of "as the week before" that the fleet's model begins with.
        memory_days: Days that are remembered.
        covariates: Signals known ahead, as forecasts of the weather; used only where the backtest opts them
            in.
        country: ISO 3166 code of the public holidays; that of the time zone when empty.
    """

    signal: str
    days_ahead: int = 2
    shrinkage_days: float = _SHRINKAGE_DAYS
    damping_days: float = _DAMPING_DAYS
    memory_days: int = 400
    covariates: tuple[str, ...] = ()
    country: str = ""

    def fit(self, history: Sequence[Window]) -> TrainedPool:
        """See `Forecaster`."""
        plan = Plan(
            self.signal,
            "ridge",
            ("ridge", "seasonal_naive"),
            RidgeOptions(self.shrinkage_days, self.damping_days, self.days_ahead),
            BoostOptions(0, 0, self.days_ahead, 0),
            self.country,
            self.covariates,
            self.memory_days,
        )
        return TrainedPool(learn(history, plan))

    def load(self, state: bytes) -> TrainedPool:
        """See `Forecaster`."""
        return load_pool(state)


@dataclass(frozen=True, slots=True)
class BoostForecaster:
    """One gradient-boosted model of all meters (extra `boost`), with the naive beside it.

    Attributes:
        rows: Samples that it learns from.
        trees: Trees.
        seed: Of the samples.
    """

    signal: str
    days_ahead: int = 1
    rows: int = 150_000
    trees: int = 250
    seed: int = 0
    country: str = ""

    def fit(self, history: Sequence[Window]) -> TrainedPool:
        """See `Forecaster`."""
        plan = _plan(
            self.signal,
            "boost",
            ("boost", "seasonal_naive"),
            self.days_ahead,
            BoostOptions(self.rows, self.trees, self.days_ahead, self.seed),
            self.country,
        )
        return TrainedPool(learn(history, plan))

    def load(self, state: bytes) -> TrainedPool:
        """See `Forecaster`."""
        return load_pool(state)


@dataclass(frozen=True, slots=True)
class MixedForecaster:
    """Ridge, boosting and the naive, weighed by backtest per meter and part of the horizon (extra `boost`).

    Attributes: see `RidgeForecaster` and `BoostForecaster`.
    """

    signal: str
    days_ahead: int = 1
    rows: int = 150_000
    trees: int = 250
    seed: int = 0
    memory_days: int = 400
    covariates: tuple[str, ...] = ()
    country: str = ""

    def fit(self, history: Sequence[Window]) -> TrainedPool:
        """See `Forecaster`."""
        plan = Plan(
            self.signal,
            "mixed",
            ("ridge", "seasonal_naive", "boost"),
            RidgeOptions(_SHRINKAGE_DAYS, _DAMPING_DAYS, self.days_ahead),
            BoostOptions(self.rows, self.trees, self.days_ahead, self.seed),
            self.country,
            self.covariates,
            self.memory_days,
        )
        return TrainedPool(learn(history, plan))

    def load(self, state: bytes) -> TrainedPool:
        """See `Forecaster`."""
        return load_pool(state)


def _plan(
    signal: str,
    kind: str,
    members: tuple[str, ...],
    days_ahead: int,
    boost: BoostOptions | None = None,
    country: str = "",
) -> Plan:
    ridge = RidgeOptions(_SHRINKAGE_DAYS, _DAMPING_DAYS, days_ahead)
    return Plan(signal, kind, members, ridge, boost or BoostOptions(0, 0, days_ahead, 0), country)
