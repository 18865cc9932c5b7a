"""How much each member of a pool says, per meter and part of the horizon, by the errors that it made."""

from collections.abc import Sequence

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.forecast.features import Single

__all__ = ["mixed", "section_of", "weigh"]

_SECTION_HOURS = (0.35, 0.7, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0)
"""Where one part of the horizon ends and the next begins [h ahead]."""
_SHARES = (0.25, 0.5, 0.75, 1.0)
_WORTH = 0.985
"""A member comes in when the mean absolute error falls at least to this share."""
_AS_GOOD = 1.02
"""How many times the least error is as good as it: some weeks of errors do not tell such mixtures apart."""


def section_of(steps: np.ndarray, per_day: int) -> np.ndarray:
    """Part of the horizon that steps ahead are in."""
    return np.searchsorted(np.array(_SECTION_HOURS) * per_day / 24.0, steps, side="right")


def weigh(errors: Sequence[Single], per_day: int, usual: FloatArray | None = None) -> FloatArray:
    """Weights by meter, part of the horizon and member, shape (meters, parts, members); each part sums to 1.

    Members are taken in one after the other, each with the share that makes the mean absolute error least.
    What comes of it is drawn towards the usual weights as far as those are as good.

    Args:
        errors: Of each member, shape (meters, origins, steps); NaN where unknown.
        usual: Weights of a meter of which nothing is known, shape (parts, members).
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
            weights[:, section] = _drawn(weights[:, section], usual[section], made)
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
            is_better = error < _WORTH * least
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
        weights, usual: Shapes (meters, members) and (members,).
        errors: Of each member, shape (meters, values).
    """
    blend, apart = _blend(weights, errors), _blend(usual - weights, errors)
    most = _AS_GOOD * np.abs(blend).sum(axis=1)
    share = np.zeros(len(weights))
    for candidate in _SHARES:
        error = np.abs(blend + np.float32(candidate) * apart).sum(axis=1)
        share[error <= most] = candidate
    return weights + share[:, None] * (usual - weights)


def _blend(weights: FloatArray, errors: Sequence[Single]) -> Single:
    """Errors of a mixture, shape (meters, values)."""
    total = np.zeros_like(errors[0])
    for place, one in enumerate(errors):
        if weights[:, place].any():
            total += weights[:, place, None].astype(np.float32) * one
    return total


def mixed(said: Sequence[np.ndarray], weights: FloatArray, per_day: int, first_step: int = 0) -> FloatArray:
    """The weighted mean of what members say; those that say nothing leave their share to the others.

    Args:
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
