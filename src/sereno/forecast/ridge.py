"""Hierarchical ridge: a linear model per meter, day ahead and time of day, drawn towards that of the fleet.

First, each value from the days before (`features`); then what the last hours were beside that, for the
hours to
come (`following`). Both are sums of products per day, so that a day is learnt by adding its own.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sereno.domain.readings import FloatArray
from sereno.forecast.features import LOOKBACK_DAYS, Design, Single, design, in_order, told_features
from sereno.forecast.following import Following, Recent, add_following, blank_sums, part_of
from sereno.forecast.panel import Panel, after, blocks
from sereno.forecast.products import squares_over_days

__all__ = [
    "AS_LAST_WEEK",
    "AS_USUAL",
    "AS_YESTERDAY",
    "FOLLOWING_DAYS",
    "OWN",
    "POOLED",
    "VARIANTS",
    "RidgeModel",
    "RidgeOptions",
    "Sums",
    "learn_model",
    "learn_sums",
]

OWN, POOLED = "own", "pooled"
AS_LAST_WEEK, AS_USUAL, AS_YESTERDAY = "as_last_week", "as_usual", "as_yesterday"
VARIANTS = (OWN, POOLED, AS_LAST_WEEK, AS_USUAL)
"""The last two repeat a day of the week before, or its mean; the last hours correct them, too."""
_REPEATS = {AS_LAST_WEEK: 2, AS_YESTERDAY: 0}
"""Feature that a variant repeats; models that were learnt before have the last one in place of `AS_USUAL`."""
_FEATURES_SHARE = 4
"""How many times fewer values are worked on together where features of many days are made of them."""
_NEIGHBOUR_HOURS = 0.5
_HOURLY = 24
_EPSILON = 1e-6
FOLLOWING_DAYS = 120
"""Last days from which the hours that follow others are learnt: many origins each, few coefficients."""


@dataclass(frozen=True, slots=True)
class RidgeOptions:
    """How strongly it is held back.

    Attributes:
        shrinkage: Days of the fleet's opinion that a meter's own model begins with.
        damping: Days of "as the week before" that the fleet's model begins with.
        days_ahead: Days ahead that are learnt, a model each.
    """

    shrinkage: float
    damping: float
    days_ahead: int


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of products of features and targets, per meter, day ahead and slot of the day.

    Attributes:
        products: Shape (days ahead, meters, slots of a day, features + 1, features + 1); the target is last.
        n_rows: Days that taught, shape (days ahead, meters, slots of a day).
        told: The features; see `told_features`.
    """

    products: Single
    n_rows: FloatArray
    told: npt.NDArray[np.int64]

    def widened(self, told: npt.NDArray[np.int64]) -> "Sums":
        """The same with features of which nothing was ever told."""
        if np.array_equal(told, self.told):
            return self
        places = np.append(np.searchsorted(told, self.told), len(told))
        products = np.zeros((*self.n_rows.shape, len(told) + 1, len(told) + 1), dtype=np.float32)
        products[..., places[:, None], places] = self.products
        return Sums(products, self.n_rows, told)


@dataclass(frozen=True, slots=True)
class RidgeModel:
    """What was learnt.

    Attributes:
        own: Shape (days ahead, meters, slots of a day, features).
        pooled: Of the fleet, shape (days ahead, slots of a day, features).
        following: What the last hours say of the next ones, by variant.
    """

    own: Single
    pooled: Single
    following: Mapping[str, Following]

    @property
    def _wanted(self) -> Collection[str]:
        """Variants that it is asked for; before it knows of the hours that follow others, all."""
        return self.following or VARIANTS

    @property
    def days_ahead(self) -> int:
        """Days ahead that were learnt."""
        return len(self.own)

    def predict(self, panel: Panel, rows: np.ndarray, origins: np.ndarray, n_steps: int) -> dict[str, Single]:
        """Values at the steps after each origin, by variant, shape (meters, origins, steps).

        Args:
            rows: Row of each meter of the panel in the model; -1 for one that it never saw, which has the
                fleet's model as its own.
            origins: Slots of the panel, counted from its first; only values before them are used.

        Returns:
            NaN where the days referred to hold nothing, or beyond the days that were learnt.
        """
        parts = [
            self._predict(panel.meters(block), rows[block], origins, n_steps)
            for block in blocks(len(rows), panel.values.shape[1])
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.following}

    def _predict(
        self, panel: Panel, rows: np.ndarray, origins: np.ndarray, n_steps: int
    ) -> dict[str, Single]:
        per_day = panel.per_day
        shape = len(rows), len(origins), n_steps
        found = {name: np.empty(shape, dtype=np.float32) for name in self.following}
        first = (int(origins.min()) // per_day - 1) * per_day
        corrections: dict[str, Single] = {}
        for days in range(1, min(self.days_ahead, -(-n_steps // per_day)) + 1):
            steps = np.arange((days - 1) * per_day, min(days * per_day, n_steps))
            start = first if days == 1 else int(origins.min()) // per_day * per_day
            stop = -(-(int(origins.max()) + int(steps[-1]) + 1) // per_day) * per_day
            made = self.deviations(panel, rows, days, max(start, 0), stop)
            places = origins + int(steps[0]) - max(start, 0)
            if days == 1:
                parts = part_of(origins % per_day, per_day)
                for name, left in made.left_over().items():
                    recent = Recent.of(in_order(left), per_day, origins - max(start, 0))
                    corrections[name] = self.following[name].correct(recent, parts, rows, n_steps)
            scale = after(in_order(made.design.scale), places, len(steps))
            for name, one in found.items():
                ahead = one[:, :, steps[0] : steps[-1] + 1]
                np.multiply(corrections[name][:, :, steps[0] : steps[-1] + 1], scale, out=ahead)
                ahead += after(in_order(made.values(name)), places, len(steps))
        for one in found.values():
            one[:, :, self.days_ahead * per_day :] = np.nan
        return found

    def learn_following(
        self, panel: Panel, first_day: int, last_day: int, kept: float = 0.0
    ) -> dict[str, Following]:
        """What the last hours say of the next ones, by the local days [first_day, last_day) of the panel.

        Args:
            kept: Share of what it knew already that stays.
        """
        per_day, n_meters = panel.per_day, len(panel.values)
        sums = {name: self._followed(name, n_meters, per_day, kept) for name in VARIANTS}
        for block in blocks(len(panel.values), (last_day - first_day + LOOKBACK_DAYS) * per_day):
            some, rows = panel.meters(block), np.arange(len(panel.values))[block]
            made = [
                self.deviations(some, rows, days, first_day * per_day, last_day * per_day)
                for days in _ahead(self.days_ahead)
            ]
            left = [one.left_over() for one in made]
            for name, (gram, cross) in sums.items():
                add_following([one[name] for one in left], gram[block], cross[block])
        return {name: Following.of(*both, is_pooled=name != OWN) for name, both in sums.items()}

    def _followed(self, name: str, n_meters: int, per_day: int, kept: float) -> tuple[Single, Single]:
        """What it knows already of the hours that follow others, so much of it as stays."""
        if not kept:
            return blank_sums(n_meters, per_day, self.days_ahead)
        known, share = self.following[name], np.float32(kept)
        return share * known.gram, share * known.cross

    def deviations(self, panel: Panel, rows: np.ndarray, days: int, start: int, stop: int) -> "Deviations":
        """What the first stage says of the slots [start, stop), whole days."""
        told = told_features(panel)
        made = design(panel, days, start, stop, told)
        pooled = self.pooled[days - 1][:, told]
        both = np.empty((len(rows), 2, *pooled.shape), dtype=np.float32)
        both[:, 0] = np.where((rows >= 0)[:, None, None], self.own[days - 1, rows][..., told], pooled)
        both[:, 1] = pooled
        totals = np.matmul(both.swapaxes(1, 2), made.features)
        said = {OWN: totals[:, :, 0], POOLED: totals[:, :, 1]}
        said |= {
            name: made.features[:, :, column] for name, column in _REPEATS.items() if name in self._wanted
        }
        if AS_USUAL in self._wanted:
            said[AS_USUAL] = np.zeros_like(said[OWN])
        return Deviations(said, made)


@dataclass(frozen=True, slots=True)
class Deviations:
    """What the first stage said, in mean sizes, by variant, shape (meters, slots of a day, days)."""

    said: Mapping[str, Single]
    design: Design

    def values(self, name: str) -> Single:
        """What a variant said, in the unit of the values; NaN where what it refers to is unknown."""
        found: Single = self.said[name] * self.design.scale
        found += self.design.profile
        return found

    def left_over(self) -> dict[str, Single]:
        """What was so beside each variant, in mean sizes; NaN where unknown."""
        deviations = self.design.deviations()
        left = {name: deviations - one for name, one in self.said.items()}
        return {name: np.clip(one, -1.0, 1.0, out=one) for name, one in left.items()}


def learn_sums(
    panel: Panel,
    days_ahead: int,
    first_day: int,
    last_day: int,
    *,
    known: Sums | None = None,
    is_taken_away: bool = False,
) -> Sums:
    """Sums over the local days [first_day, last_day), counted from the panel's first.

    Args:
        known: Sums of other days that they are added to.
        is_taken_away: Whether they are taken away from those instead.
    """
    per_day, told = panel.per_day, told_features(panel)
    if known is not None:
        told = np.union1d(told, known.told)
        known = known.widened(told)
    n_rows = np.empty((days_ahead, len(panel.values), per_day))
    products = np.empty((*n_rows.shape, len(told) + 1, len(told) + 1), dtype=np.float32)
    join = np.subtract if is_taken_away else np.add
    n_values = max(_FEATURES_SHARE * (last_day - first_day) * per_day, products[0, 0].size // _FEATURES_SHARE)
    for block in blocks(len(panel.values), n_values):
        some = panel.meters(block)
        for place, days in enumerate(_ahead(days_ahead)):
            here = place, block
            made = design(some, days, first_day * per_day, last_day * per_day, told)
            n_rows[here] = _write_sums(made, out=products[here])
            if known is not None:
                join(known.products[here], products[here], out=products[here])
                join(known.n_rows[here], n_rows[here], out=n_rows[here])
    return Sums(products, n_rows, told)


def _ahead(days_ahead: int) -> range:
    return range(1, days_ahead + 1)


def _write_sums(made: Design, *, out: Single) -> FloatArray:
    """Sums of products of a stretch; gives how many days taught."""
    targets = made.targets()
    use = ~np.isnan(targets)
    if not use.all():
        targets = np.where(use, targets, np.float32(0.0))
        made.features[:] *= use[:, :, None]
    made.table[:, :, -1] = targets
    squares_over_days(made.table, out=out)
    n_rows: FloatArray = use.sum(axis=2).astype(np.float64)
    return n_rows


def solve(sums: Sums, options: RidgeOptions) -> tuple[Single, Single]:
    """Coefficients of each meter and of the fleet; see `RidgeModel`."""
    solved = [_solve(sums, place, options) for place in range(len(sums.products))]
    own, pooled = zip(*solved, strict=True)
    return np.stack(own), np.stack(pooled)


def _with_neighbours(sums: np.ndarray) -> np.ndarray:
    """Sums joined with those of the slots around, over midnight too; the coefficients then are smooth.

    Args:
        sums: Shape (meters, slots of a day, ...).
    """
    per_day = sums.shape[1]
    radius = round(_NEIGHBOUR_HOURS * per_day / _HOURLY) if per_day > _HOURLY else int(per_day == _HOURLY)
    if not radius:
        return sums
    joined = sums.copy()
    for shift in range(1, radius + 1):
        joined[:, shift:] += sums[:, :-shift]
        joined[:, :shift] += sums[:, -shift:]
        joined[:, :-shift] += sums[:, shift:]
        joined[:, -shift:] += sums[:, :shift]
    joined /= 2 * radius + 1
    return joined


def _solve(sums: Sums, place: int, options: RidgeOptions) -> tuple[Single, Single]:
    """Coefficients of one day ahead; of features that are not told they are 0."""
    products, n_rows = sums.products[place], sums.n_rows[place]
    squares = products[:, :, -1, -1].sum(axis=1, dtype=float) / np.maximum(n_rows.sum(axis=1), 1.0)
    weight = np.where(squares > _EPSILON, 1.0 / np.maximum(squares, _EPSILON), 0.0)
    weight = weight / max(weight.max(initial=0.0), _EPSILON)
    parts = list(blocks(len(products), products[0].size))
    shares = weight.astype(np.float32)
    fleet = sum(np.tensordot(shares[one], products[one], 1).astype(float) for one in parts)
    fleet = _with_neighbours(np.asarray(fleet)[None])[0]
    n_fleet = np.maximum(_with_neighbours((weight @ n_rows)[None])[0], 1.0)
    gram, right = fleet[:, :-1, :-1], fleet[:, :-1, -1]
    diagonal = np.einsum("sii->si", gram) / n_fleet[:, None] + _EPSILON
    penalty = np.zeros_like(gram)
    penalty[:, np.arange(len(sums.told)), np.arange(len(sums.told))] = diagonal
    solved = np.linalg.solve(gram + options.damping * penalty, right[..., None])[..., 0]
    own = np.zeros((*n_rows.shape, sums.told[-1] + 1), dtype=np.float32)
    pooled = np.zeros(own.shape[1:], dtype=np.float32)
    pooled[:, sums.told] = solved
    for block in parts:
        joined = _with_neighbours(products[block]).astype(float)
        joined[:, :, :-1, :-1] += options.shrinkage * penalty
        wanted = joined[:, :, :-1, -1] + options.shrinkage * diagonal * solved
        own[block][..., sums.told] = np.linalg.solve(joined[:, :, :-1, :-1], wanted[..., None])[..., 0]
    return own, pooled


def learn_model(panel: Panel, sums: Sums, options: RidgeOptions, last_day: int) -> RidgeModel:
    """The model of sums, with what the days before `last_day` teach of the hours that follow others."""
    own, pooled = solve(sums, options)
    model = RidgeModel(own, pooled, {})
    first_day = max(min(LOOKBACK_DAYS, last_day - 1), last_day - FOLLOWING_DAYS, 0)
    return replace(model, following=model.learn_following(panel, first_day, last_day))
