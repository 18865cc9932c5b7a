"""One gradient-boosted model of all meters: bends where a straight line cannot (extra `boost`)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sereno.domain.errors import ExtraMissing
from sereno.domain.readings import FloatArray
from sereno.forecast.features import Design, Single, design, feature_names, in_order
from sereno.forecast.following import Recent
from sereno.forecast.panel import Panel, blocks

__all__ = ["BOOST", "BoostModel", "BoostOptions", "learn_boost"]

BOOST = "boost"
_SHORT_HOURS = 3.0
"""A third of the samples are of the first hours, where the last values matter most."""
_MIN_ROWS_IN_LEAF = 60
_METERS = 100
"""Meters that samples are drawn for at once, of the same steps."""
_LEAVES = 48
_RATE = 0.06


@dataclass(frozen=True, slots=True)
class BoostOptions:
    """How much it learns.

    Attributes:
        rows: Samples drawn from all meters, origins and steps.
        trees: Trees.
        days_ahead: Days ahead that it learns.
    """

    rows: int
    trees: int
    days_ahead: int
    seed: int


@dataclass(frozen=True, slots=True)
class BoostModel:
    """What was learnt, as LightGBM writes it."""

    text: str
    days_ahead: int

    def predict(self, panel: Panel, origins: np.ndarray, n_steps: int) -> FloatArray:
        """Values after each origin, shape (meters, origins, steps); NaN beyond what was learnt."""
        booster = _lightgbm().Booster(model_str=self.text)
        found = np.full((len(panel.values), len(origins), n_steps), np.nan)
        steps = np.arange(min(n_steps, self.days_ahead * panel.per_day))
        for place, origin in enumerate(origins.tolist()):
            for block in blocks(len(panel.values), panel.values.shape[1]):
                table = _Table(panel.meters(block), origin, origin + len(steps), self.days_ahead)
                rows, profile, scale = table.rows(np.full(len(steps), origin), origin + steps)
                shape = rows.shape[:2]
                said = booster.predict(rows.reshape(-1, rows.shape[2]), num_threads=1).reshape(shape)
                found[block, place, : len(steps)] = profile + scale * said
        return found


def learn_boost(panel: Panel, options: BoostOptions, first_day: int, last_day: int) -> BoostModel:
    """A model of the local days [first_day, last_day), counted from the panel's first.

    Raises:
        ExtraMissing: LightGBM is not installed.
    """
    lightgbm = _lightgbm()
    rng = np.random.default_rng([options.seed, len(panel.values)])
    n_meters = len(panel.values)
    parts, targets = [], []
    for begin in range(0, n_meters, _METERS):
        some = panel.meters(slice(begin, begin + _METERS))
        n_rows = max(1, options.rows // n_meters)
        rows, wanted = _sample(some, options, first_day, last_day, n_rows, rng)
        parts.append(rows)
        targets.append(wanted)
    settings = {
        "objective": "regression_l1",
        "num_leaves": _LEAVES,
        "learning_rate": _RATE,
        "min_data_in_leaf": min(_MIN_ROWS_IN_LEAF, max(1, sum(map(len, targets)) // 20)),
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": options.seed,
        "verbosity": -1,
    }
    table = lightgbm.Dataset(np.concatenate(parts), np.concatenate(targets), params={"verbosity": -1})
    booster = lightgbm.train(settings, table, num_boost_round=options.trees)
    return BoostModel(booster.model_to_string(), options.days_ahead)


class _Table:
    """Features of a stretch of slots for any origin in it."""

    def __init__(self, panel: Panel, start: int, stop: int, days_ahead: int) -> None:
        self._panel, self._per_day = panel, panel.per_day
        self._start = max(0, start // panel.per_day - 1) * panel.per_day
        stop = -(-stop // panel.per_day) * panel.per_day
        wanted = range(1, min(days_ahead, -(-(stop - self._start) // self._per_day) + 1) + 1)
        every = np.arange(len(feature_names(tuple(panel.covariates))))
        self._designs: dict[int, Design] = {
            days: design(panel, days, self._start, stop, every) for days in wanted
        }
        self._left = np.clip(in_order(self._designs[1].deviations()), -1.0, 1.0)

    def rows(self, origins: np.ndarray, slots: np.ndarray) -> tuple[Single, FloatArray, FloatArray]:
        """Features (meters, rows, features), profile and scale (meters, rows) of pairs of origin and slot."""
        recent = Recent.of(self._left, self._per_day, origins - self._start).means
        ahead = (slots - origins) // self._per_day + 1
        shape = (len(self._left), len(slots))
        n_own = self._designs[1].features.shape[2]
        table = np.empty((*shape, n_own + recent.shape[2] + 4), dtype=np.float32)
        profile, scale = np.full(shape, np.nan), np.full(shape, np.nan)
        for days, made in self._designs.items():
            chosen = np.flatnonzero(ahead == days)
            places = slots[chosen] - self._start
            day, slot = np.divmod(places, self._per_day)
            table[:, chosen, :n_own] = made.features[:, slot, :, day].swapaxes(0, 1)
            profile[:, chosen] = made.profile[:, slot, day]
            scale[:, chosen] = made.scale[:, slot, day]
        table[:, :, n_own : n_own + recent.shape[2]] = recent
        angle = 2 * np.pi * (slots % self._per_day) / self._per_day
        for column, one in enumerate((np.sin(angle), np.cos(angle), slots % self._per_day, slots - origins)):
            table[:, :, n_own + recent.shape[2] + column] = one
        return table, profile, scale


def _sample(
    panel: Panel, options: BoostOptions, first_day: int, last_day: int, n_rows: int, rng: np.random.Generator
) -> tuple[Single, Single]:
    """Rows and targets of random origins and steps, as many of each meter."""
    per_day = panel.per_day
    start, stop = first_day * per_day, last_day * per_day
    steps = rng.integers(0, options.days_ahead * per_day, n_rows)
    n_short = max(1, round(_SHORT_HOURS * per_day / 24.0))
    is_short = rng.random(n_rows) < 1 / 3
    steps[is_short] = rng.integers(0, n_short, int(is_short.sum()))
    slots = rng.integers(min(start + per_day, stop - 1), stop, n_rows)
    origins = np.maximum(slots - steps, start)
    table, profile, scale = _Table(panel, start, stop, options.days_ahead).rows(origins, slots)
    wanted = (panel.values[:, slots] - profile) / scale
    use = np.isfinite(wanted)
    return table[use], np.clip(wanted[use], -5.0, 5.0).astype(np.float32)


def _lightgbm() -> Any:  # noqa: ANN401 - a module that may be absent
    try:
        import lightgbm
    except ImportError as error:
        raise ExtraMissing(feature="The forecaster 'boost'", extra="boost") from error
    return lightgbm
