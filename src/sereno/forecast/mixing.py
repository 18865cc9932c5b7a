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


def section_of(steps: np.ndarray, per_day: int) -> np.ndarray:
    """Part of the horizon that steps ahead are in."""
    return np.searchsorted(np.array(_SECTION_HOURS) * per_day / 24.0, steps, side="right")


def weigh(errors: Sequence[Single], per_day: int) -> FloatArray:
    """Weights by meter, part of the horizon and member, shape (meters, parts, members); each part sums to 1.

    Members are taken in one after the other, each with the share that makes the mean absolute error least.

    Args:
        errors: Of each member, shape (meters, origins, steps); NaN where unknown.
    """
    n_meters, _, n_steps = errors[0].shape
    sections = section_of(np.arange(n_steps), per_day)
    weights = np.zeros((n_meters, len(_SECTION_HOURS) + 1, len(errors)))
    weights[:, :, 0] = 1.0
    for section in np.unique(sections):
        chosen = np.flatnonzero(sections == section)
        weights[:, section] = _weights([one[:, :, chosen] for one in errors])
    for section in range(1, len(_SECTION_HOURS) + 1):
        if section not in sections:
            weights[:, section] = weights[:, section - 1]
    return weights


def _weights(errors: Sequence[Single]) -> FloatArray:
    weights = np.zeros((len(errors[0]), len(errors)))
    weights[:, 0] = 1.0
    blend: np.ndarray = np.nan_to_num(errors[0])
    least = np.abs(blend).mean(axis=(1, 2))
    for place, one in enumerate(errors[1:], start=1):
        other = np.nan_to_num(one)
        share = np.zeros(len(blend))
        for candidate in _SHARES:
            error = np.abs((1 - candidate) * blend + candidate * other).mean(axis=(1, 2))
            is_better = error < _WORTH * least
            share = np.where(is_better, candidate, share)
            least = np.where(is_better, error, least)
        blend = (1 - share)[:, None, None] * blend + share[:, None, None] * other
        weights *= (1 - share)[:, None]
        weights[:, place] = share
    return weights


def mixed(said: Sequence[FloatArray], weights: FloatArray, per_day: int, first_step: int = 0) -> FloatArray:
    """The weighted mean of what members say; those that say nothing leave their share to the others.

    Args:
        said: Shape (meters, origins, steps) each.
        first_step: Steps ahead of the first.

    Returns:
        Shape (meters, origins, steps); NaN where no member with a weight says anything.
    """
    sections = section_of(np.arange(said[0].shape[2]) + first_step, per_day)
    total = np.zeros(said[0].shape)
    share = np.zeros(said[0].shape)
    for place, one in enumerate(said):
        known = ~np.isnan(one)
        weight = np.where(known, weights[:, sections, place][:, None, :], 0.0)
        total += weight * np.where(known, one, 0.0)
        share += weight
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: FloatArray = np.where(share > 0, total / share, np.nan)
    return mean
