"""How much each member of a pool says, per meter and part of the horizon: weights that follow the errors.

Every day of errors moves weight towards the members that would have made the mixture better, and away from
those that made it worse: exponentiated gradient, the mixing of experts that load forecasters use. Of members
nothing is believed of, those are taken that make the error of some weeks least.

Source:
    Kivinen, Warmuth, "Exponentiated gradient versus gradient descent for linear predictors", Information and
        Computation 132(1), 1997.
    Gaillard, Goude, "Forecasting electricity consumption by aggregating experts", in: Modeling and Stochastic
        Learning for Forecasting in High Dimensions, 2015.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.forecast.features import Single

__all__ = ["begun", "effective", "follow", "mixed", "section_of", "typical_sizes", "weigh"]

_SECTION_HOURS = (0.35, 0.7, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0)
"""Where one part of the horizon ends and the next begins [h ahead]."""
_RATE = 0.15
"""How far a day moves the logarithm of a weight, per typical error that a member adds to the mixture."""
_DAYS_TOGETHER = 4
"""Days of errors that move the weights at once, where there are many."""
_MOST = 2.0
"""Typical errors that a day counts as, at most, in what a member adds and in what is typical since."""
_KEPT_SIZE = 0.8
"""Share of what an error typically was that stays when a day comes: some five days are remembered."""
_LEAST = 0.002
"""Weight that every member keeps, so that it can come back."""
_WORTH = 0.01
"""Weight below which a member says nothing."""
_SHARES = (0.25, 0.5, 0.75, 1.0)
_CLEARLY = 0.985
"""A member is taken in when the mean absolute error falls at least to this share."""
_AS_GOOD = 1.02
"""How many times the least error is as good as it: some weeks of errors do not tell such mixtures apart."""
_TINY = 1e-9


def section_of(steps: np.ndarray, per_day: int) -> np.ndarray:
    """Part of the horizon that steps ahead are in."""
    return np.searchsorted(np.array(_SECTION_HOURS) * per_day / 24.0, steps, side="right")


def begun(members: Sequence[str], believed: Mapping[str, float], n_meters: int) -> FloatArray:
    """Weights before any error is known, shape (meters, parts, members); each part sums to 1.

    Args:
        believed: Relative weight of a member by its name; of others as little as counts.
    """
    of_each = np.array([believed.get(name, _WORTH) for name in members])
    shape = n_meters, len(_SECTION_HOURS) + 1, len(members)
    weights: FloatArray = np.broadcast_to(of_each / of_each.sum(), shape).copy()
    return weights


def effective(weights: FloatArray) -> FloatArray:
    """What weights are as they are used: without members that hardly count."""
    used = np.where(weights < _WORTH, 0.0, weights)
    used /= used.sum(axis=-1, keepdims=True)
    return used


def typical_sizes(errors: Single, per_day: int) -> FloatArray:
    """Mean absolute errors of a mixture by part of the horizon, shape (meters, parts); NaN where unknown.

    Args:
        errors: Shape (meters, days, origins, steps); NaN where unknown.
    """
    sections = section_of(np.arange(errors.shape[3]), per_day)
    sizes = np.full((len(errors), len(_SECTION_HOURS) + 1), np.nan)
    for section in np.unique(sections):
        some = np.abs(errors[..., sections == section]).reshape(len(errors), -1)
        count = np.count_nonzero(~np.isnan(some), axis=1)
        with np.errstate(invalid="ignore"):
            sizes[:, section] = np.nansum(some, axis=1, dtype=float) / np.where(count, count, np.nan)
    return sizes


def follow(
    weights: FloatArray, errors: Sequence[Single], per_day: int, sizes: FloatArray | None = None
) -> FloatArray:
    """Weights after some more days of errors, in the shape of `weights`; each part sums to 1.

    Args:
        weights: Shape (meters, parts of the horizon, members).
        errors: Of each member, shape (meters, days, origins, steps), days in order; NaN where unknown, 0 of
            all of them where nothing is to be learnt.
        sizes: What errors of the mixture typically were before, see `typical_sizes`.
    """
    sections = section_of(np.arange(errors[0].shape[3]), per_day)
    parts, starts = np.unique(sections, return_index=True)
    moved, some = weights.copy(), weights[:, parts]
    size = np.full(some.shape[:2], np.nan) if sizes is None else sizes[:, parts]
    for day in range(0, errors[0].shape[1], _DAYS_TOGETHER):
        some, size = _moved(some, [one[:, day : day + _DAYS_TOGETHER] for one in errors], starts, size)
    moved[:, parts] = some
    return _like_those_before(moved, sections)


def _moved(
    weights: FloatArray, errors: Sequence[Single], starts: np.ndarray, size: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Weights after some days, (meters, parts, members), and what an error of the mixture typically is since.

    Args:
        errors: Of each member, shape (meters, days, origins, steps); NaN where unknown.
        starts: First step of each part.
        size: Shape (meters, parts); NaN where unknown.
    """
    n_meters, n_days, n_origins, n_steps = errors[0].shape
    errors = [one.reshape(n_meters, n_days * n_origins, n_steps) for one in errors]
    lengths = np.diff(np.append(starts, n_steps))
    used = np.repeat(effective(weights).astype(np.float32), lengths, axis=1)
    known = [None if use.all() else use for use in map(np.isfinite, errors)]
    blend = _blend(used, errors, known)
    side = np.sign(blend)
    n_values = n_days * n_origins * lengths
    total, n_errors = (_by_part(side, one, starts) for one in (blend, side))
    typical = np.fmin(total / np.maximum(n_errors, 1.0), _MOST * size)
    usual = np.where(np.isnan(size), typical, size)
    made = total / n_values
    added = np.empty_like(weights)
    for place, (one, use) in enumerate(zip(errors, known, strict=True)):
        # What a member would make of the error; where it says nothing it makes nothing of it.
        towards = one if use is None else np.where(use, one, blend)
        added[:, :, place] = _by_part(side, towards, starts) / n_values - made
    added /= np.maximum(usual, _TINY)[:, :, None]
    moved = weights * np.exp(-_RATE * n_days * np.clip(added, -_MOST, _MOST))
    moved /= moved.sum(axis=2, keepdims=True)
    moved = np.maximum(moved, _LEAST)
    moved /= moved.sum(axis=2, keepdims=True)
    later = typical + _KEPT_SIZE**n_days * (usual - typical)
    return moved, np.where(n_errors > 0.0, later, size)


def _by_part(side: Single, errors: Single, starts: np.ndarray) -> FloatArray:
    """Sums of products by meter and part of the horizon."""
    sums: FloatArray = np.add.reduceat(np.einsum("mos,mos->ms", side, errors), starts, axis=1, dtype=float)
    return sums


def _blend(weights: Single, errors: Sequence[Single], known: Sequence[np.ndarray | None]) -> Single:
    """Errors of a mixture, (meters, origins, steps); 0 where no member with a weight says anything.

    Args:
        weights: Shape (meters, steps, members).
        known: Where the errors are; None where everywhere.
    """
    total, share = np.zeros(errors[0].shape, dtype=np.float32), np.zeros((), dtype=np.float32)
    for place, (one, use) in enumerate(zip(errors, known, strict=True)):
        weight = weights[:, None, :, place]
        total += weight * one if use is None else np.where(use, weight * one, np.float32(0.0))
        share = share + (weight if use is None else weight * use)
    if all(use is None for use in known):
        return total
    blend: Single = np.divide(total, share, out=np.zeros_like(total), where=share > _TINY)
    return blend


def weigh(errors: Sequence[Single], per_day: int, usual: FloatArray | None = None) -> FloatArray:
    """Weights by meter, part of the horizon and member, shape (meters, parts, members); each part sums to 1.

    Members are taken in one after the other, each with the share that makes the mean absolute error least.
    What comes of it is drawn towards the usual weights as far as those are as good.

    Args:
        errors: Of each member, shape (meters, origins, steps); NaN where unknown.
        usual: Weights that some weeks of errors are to speak against, in the shape of the result.
    """
    n_meters, _, n_steps = errors[0].shape
    sections = section_of(np.arange(n_steps), per_day)
    weights = np.zeros((n_meters, len(_SECTION_HOURS) + 1, len(errors)))
    weights[:, :, 0] = 1.0
    filled = [np.where(np.isnan(one), np.float32(0.0), one) for one in errors]
    for section in np.unique(sections):
        steps = slice(*np.searchsorted(sections, (section, section + 1)))
        made = [one[:, :, steps].reshape(n_meters, -1) for one in filled]
        weights[:, section] = _weights(made)
        if usual is not None:
            weights[:, section] = _drawn(weights[:, section], usual[:, section], made)
    return _like_those_before(weights, sections)


def _like_those_before(weights: FloatArray, sections: np.ndarray) -> FloatArray:
    """Weights in which parts that are not forecast have those of the part before."""
    for section in range(1, len(_SECTION_HOURS) + 1):
        if section not in sections:
            weights[:, section] = weights[:, section - 1]
    return weights


def _weights(errors: Sequence[Single]) -> FloatArray:
    """Of the members by their errors, shape (meters, values) each."""
    n_meters = len(errors[0])
    weights = np.zeros((n_meters, len(errors)))
    weights[:, 0] = 1.0
    blend, *others = errors
    least = np.abs(blend).sum(axis=1)
    for place, other in enumerate(others, start=1):
        apart = other - blend
        share = np.zeros(n_meters, dtype=np.float32)
        for candidate in _SHARES:
            tried = candidate * apart
            tried += blend
            error = np.abs(tried, out=tried).sum(axis=1)
            is_better = error < _CLEARLY * least
            share[is_better] = candidate
            least = np.where(is_better, error, least)
        if share.any():
            apart *= share[:, None]
            blend = blend + apart
        weights *= (1 - share)[:, None]
        weights[:, place] = share
    return weights


def _drawn(weights: FloatArray, usual: FloatArray, errors: Sequence[Single]) -> FloatArray:
    """Of the mixtures between one's own and the usual, the nearest to the usual that is as good.

    Args:
        weights, usual: Shape (meters, members).
        errors: Of each member, shape (meters, values).
    """
    blend, apart = np.zeros_like(errors[0]), np.zeros_like(errors[0])
    for place, one in enumerate(errors):
        blend += weights[:, place, None].astype(np.float32) * one
        apart += (usual - weights)[:, place, None].astype(np.float32) * one
    most = _AS_GOOD * np.abs(blend).sum(axis=1)
    share = np.zeros(len(weights))
    for candidate in _SHARES:
        error = np.abs(blend + np.float32(candidate) * apart).sum(axis=1)
        share[error <= most] = candidate
    return weights + share[:, None] * (usual - weights)


def mixed(said: Sequence[np.ndarray], weights: FloatArray, per_day: int, first_step: int = 0) -> FloatArray:
    """The weighted mean of what members say; those that say nothing leave their share to the others.

    Args:
        weights: As they are used; see `effective`.
        said: Shape (meters, origins, steps) each.
        first_step: Steps ahead of the first.

    Returns:
        Shape (meters, origins, steps); NaN where no member with a weight says anything.
    """
    sections = section_of(np.arange(said[0].shape[2]) + first_step, per_day)
    total = np.zeros(said[0].shape, dtype=np.result_type(*said))
    shares = weights[:, sections].astype(total.dtype)
    for place, one in enumerate(said):
        if weights[:, :, place].any():
            total += shares[:, None, :, place] * one
    lost = np.nonzero(np.isnan(total))
    if len(lost[0]):
        total[lost] = _left([one[lost] for one in said], shares[lost[0], lost[2]])
    return total


def _left(said: Sequence[np.ndarray], shares: FloatArray) -> FloatArray:
    """The weighted mean of the members that say something, (values,); NaN where none with a weight does."""
    total, share = np.zeros(len(shares)), np.zeros(len(shares))
    for place, one in enumerate(said):
        known = ~np.isnan(one)
        weight = np.where(known, shares[:, place], 0.0)
        total += weight * np.where(known, one, 0.0)
        share += weight
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: FloatArray = np.where(share > 0, total / share, np.nan)
    return mean
