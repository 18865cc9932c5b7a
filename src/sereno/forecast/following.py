"""What the last hours were beside the first stage's opinion, and what that says of the hours to come."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.forecast.features import Single
from sereno.forecast.panel import blocks
from sereno.forecast.products import products_over_days, squares_over_days
from sereno.forecast.rolling import sums_of

__all__ = ["Following", "Recent", "add_following", "blank_sums", "part_of"]

_GROUPS = 12
"""Parts of the day that origins are learnt in, each with the parts beside it."""
_HOURS = (0.0, 0.5, 1.0, 3.0, 6.0, 24.0)
"""Spans of the last steps whose mean is told apart [h]; 0 is the last step alone."""
_DAY_HOURS = 24.0
_SHRINKAGE_ROWS = 10.0
_EPSILON = 1e-9


def spans(per_day: int) -> list[int]:
    """Numbers of last steps whose mean is told."""
    return sorted({max(1, round(hours * per_day / _DAY_HOURS)) for hours in _HOURS})


@dataclass(frozen=True, slots=True)
class Recent:
    """Means of the last steps before origins, (meters, origins, spans, ...); 0 where nothing is known."""

    means: Single

    @classmethod
    def of(cls, left: Single, per_day: int, origins: np.ndarray) -> "Recent":
        """Means of a series (meters, slots, ...) before slots of it."""
        known = ~np.isnan(left)
        is_complete = bool(known.all())
        sums = _sums_before(left if is_complete else np.where(known, left, np.float32(0)), per_day, origins)
        counts: Iterable[np.ndarray] = (
            np.minimum(origins, span).astype(np.float32).reshape(-1, *(1,) * (left.ndim - 2))
            for span in spans(per_day)
        )
        if not is_complete:
            counts = _sums_before(known.astype(np.float32), per_day, origins)
        shape = len(spans(per_day)), len(left), len(origins), *left.shape[2:]
        means = np.empty(shape, dtype=np.float32)
        for mean, total, count in zip(means, sums, counts, strict=True):
            np.divide(total, np.maximum(count, 1.0), out=mean)
        return cls(np.moveaxis(means, 0, 2))


def _sums_before(values: Single, per_day: int, origins: np.ndarray) -> Iterator[Single]:
    """Sums of the last steps before origins, span by span, shape (meters, origins) each."""
    wanted = spans(per_day)
    n_added = max(0, wanted[-1] - int(origins.min(initial=wanted[-1])))
    sums, length = np.pad(values, ((0, 0), (n_added, 0))) if n_added else values, 1
    steps = sums
    for span in wanted:
        if span % length:
            sums, length = steps, 1
        sums, length = sums_of(sums, span // length, length), span
        yield _at(sums, origins + n_added - span)


def _at(sums: Single, places: np.ndarray) -> Single:
    """Columns of sums; a view where they follow one another."""
    if len(places) and (np.diff(places) == 1).all():
        return sums[:, places[0] : places[-1] + 1]
    return np.take(sums, places, axis=1)


def blank_sums(n_meters: int, per_day: int, n_ahead: int) -> tuple[Single, Single]:
    """Sums of nothing yet: see `Following`."""
    groups, n_spans = min(_GROUPS, per_day), len(spans(per_day))
    gram = np.zeros((n_meters, groups, n_spans, n_spans), dtype=np.float32)
    return gram, np.zeros((n_meters, groups, n_spans, n_ahead * per_day), dtype=np.float32)


def add_following(series: Sequence[Single], gram: Single, cross: Single) -> None:
    """Add sums of products per meter and part of the day to those of other days.

    Args:
        series: What was left over by days ahead, shape (meters, slots of a day, days) each.
        gram, cross: See `Following`; changed.
    """
    per_day, n_days = series[0].shape[1:]
    n_rows = n_days - len(series) - 1
    if n_rows < 1:
        return
    means = Recent.of(_two_days(series[0], 0, n_rows), per_day, np.arange(per_day, 2 * per_day)).means
    squares = np.empty((*means.shape[:-1], means.shape[2]), dtype=np.float32)
    _add_by_part(squares_over_days(means, out=squares), gram)
    for ahead, left in enumerate(series):
        both = _two_days(left, ahead + 1, n_rows)
        both[np.isnan(both)] = 0.0
        later = np.lib.stride_tricks.sliding_window_view(both, per_day, axis=1)[:, :per_day].swapaxes(2, 3)
        _add_by_part(products_over_days(means, later), cross[..., ahead * per_day : (ahead + 1) * per_day])


def _two_days(left: Single, first: int, n_days: int) -> Single:
    """So many days, each with the slots of the day after behind its own, shape (meters, slots, days)."""
    stop = first + n_days
    return np.concatenate([left[:, :, first:stop], left[:, :, first + 1 : stop + 1]], axis=1)


def _add_by_part(products: Single, totals: Single) -> None:
    """Add products by slot of the day, shape (meters, slots, ...), to those of each slot's part."""
    per_day, groups = products.shape[1], totals.shape[1]
    if per_day % groups == 0:
        width = per_day // groups
        for slot in range(width):
            totals += products[:, slot::width]
        return
    for slot, part in enumerate(part_of(np.arange(per_day), per_day).tolist()):
        totals[:, part] += products[:, slot]


@dataclass(frozen=True, slots=True)
class Following:
    """What was learnt.

    Attributes:
        own: Shape (meters, parts, spans, steps); one row where it is that of the fleet.
        pooled: Shape (parts, spans, steps).
        gram, cross: The sums that it comes from: of the means among each other, shape (meters, parts, spans,
            spans), and with what followed, shape (meters, parts, spans, steps).
    """

    own: Single
    pooled: Single
    gram: Single
    cross: Single

    @classmethod
    def of(cls, gram: Single, cross: Single, *, is_pooled: bool) -> "Following":
        """Solved, each part of the day with those beside it."""
        size = np.einsum("mgii->m", gram, dtype=float)
        weight = np.where(size > _EPSILON, 1.0 / np.maximum(size, _EPSILON), 0.0)
        weight = weight / max(weight.max(initial=0.0), _EPSILON)
        shares = weight.astype(np.float32)
        fleet, fleet_cross = (
            _with_beside(np.tensordot(shares, one, 1)[None].astype(float))[0] for one in (gram, cross)
        )
        n_spans = gram.shape[-1]
        diagonal = np.einsum("gii->gi", fleet) / 100.0 + _EPSILON
        penalty = np.zeros_like(fleet)
        penalty[:, np.arange(n_spans), np.arange(n_spans)] = diagonal
        pooled = np.linalg.solve(fleet + penalty, fleet_cross)
        own = pooled[None].astype(np.float32)
        if not is_pooled and len(gram) > 1:
            own = np.empty(cross.shape, dtype=np.float32)
            for block in blocks(len(gram), cross[0].size):
                wide, wide_cross = (_with_beside(one[block].astype(float)) for one in (gram, cross))
                held = np.einsum("mgii->mgi", wide)[..., None] / 30.0 + _EPSILON
                # Few spans, held back, and a day of right sides: the inverse is as exact, and cheaper.
                inverse = np.linalg.inv(wide + held * np.eye(n_spans))
                own[block] = np.matmul(inverse, wide_cross + held * pooled)
        return cls(own, pooled.astype(np.float32), gram, cross)

    def correct(self, recent: Recent, parts: np.ndarray, rows: np.ndarray, n_steps: int) -> Single:
        """What to add to the first stage, shape (meters, origins, steps); 0 beyond what was learnt.

        Args:
            parts: Part of the day of each origin; see `part_of`.
            rows: See `RidgeModel.predict`.
        """
        n_learnt = min(n_steps, self.pooled.shape[-1])
        added = np.zeros((len(rows), len(parts), n_steps), dtype=np.float32)
        for part in np.unique(parts):
            chosen = np.flatnonzero(parts == part)
            coefficients = self.pooled[part]
            if len(self.own) > 1:
                coefficients = np.where((rows >= 0)[:, None, None], self.own[rows, part], coefficients)
            added[:, chosen, :n_learnt] = np.matmul(recent.means[:, chosen], coefficients[..., :n_learnt])
        return added


def part_of(slots: np.ndarray, per_day: int) -> np.ndarray:
    """Part of the day of slots of the day."""
    return slots * min(_GROUPS, per_day) // per_day


def _with_beside(sums: FloatArray) -> FloatArray:
    """Sums of each part of the day joined with those of the parts before and after it."""
    if sums.shape[1] < _GROUPS:
        return sums
    joined = sums.copy()
    joined[:, 1:] += sums[:, :-1]
    joined[:, 0] += sums[:, -1]
    joined[:, :-1] += sums[:, 1:]
    joined[:, -1] += sums[:, 0]
    return joined
