"""From deviations of rows to their scores: of one asset, or of many in one call.

What an asset's rows are measured by is its own, but the sums are the same: on a few rows the number of NumPy
calls counts and not their size. Every row comes out the same to the last bit whoever is weighed beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sereno.detect.baseline import Residuals
from sereno.detect.columns import as_in
from sereno.detect.pca import Components, measure_each, sum_in_order
from sereno.domain.arrays import some
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window

__all__ = ["CLIP", "Draft", "Odd", "scores_of"]

CLIP = 8.0
"""Deviations beyond this look alike to the components and the forest."""
UNCONFIRMED = 0.85
CONSULT_FROM = 0.5
"""Below this score the forest is not asked: its vote could not make the row abnormal."""
_STILL_SHARE = 1.0
"""What a standing vital signal adds to its share of the contributions, so that it leads."""
_FEW_ROWS = 256
"""Rows that are measured in one call."""

Odd = Callable[[FloatArray], BoolArray]
"""Whether a forest finds rows of clipped deviations (rows, signals) odd, shape (rows,)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Rows of an asset, and what they are to be weighed by.

    Attributes:
        signals: Columns of all arrays here; those of the window may be others.
        limits: Calm limits of the parts, see `AssetModel`, shape (4,).
        is_vital: Shape (signals,).
        is_absent: Rows in which nothing was read, shape (rows,).
        deviations: Beyond their precedent, NaN where unknown, shape (rows, signals).
        standing: Rows for which a vital signal has stood still, shape (rows,).
        memory: After the last row.
    """

    window: Window
    signals: tuple[str, ...]
    components: Components
    limits: FloatArray
    is_vital: BoolArray
    is_absent: BoolArray
    residuals: Residuals
    deviations: FloatArray
    standing: FloatArray
    memory: Memory

    @property
    def kind(self) -> tuple[tuple[str, ...], int]:
        """Drafts with the same can be weighed in one call: signals, and how many components."""
        return self.signals, len(self.components.axes)

    def scores(self, values: FloatArray, shares: FloatArray) -> Scores:
        """What was found of the rows, in the columns of the window."""
        window, found = self.window, self.residuals
        telling = as_in(window, self.signals, found.is_telling.astype(float)) > 0
        shares, expected = (as_in(window, self.signals, part) for part in (shares, found.expected))
        return Scores(window.time, values, shares, expected, telling)


def scores_of(drafts: Sequence[Draft], is_gain: BoolArray, is_odd: Odd) -> list[Scores]:
    """The scores of each draft; all of one kind.

    Args:
        is_gain: Signals of which more is welcome and that are not vital, shape (signals,).
        is_odd: Asked about rows that may be abnormal.
    """
    raw = _joined([one.deviations for one in drafts])
    limits = _each([one.limits for one in drafts], drafts)
    standing = _joined([one.standing for one in drafts])
    running = _joined([one.residuals.is_running for one in drafts])
    is_unknown = np.isnan(raw)
    deviations, clipped, parts, leftover = _weighed(
        drafts, limits[:, :3], np.where(is_unknown, 0.0, raw), is_gain
    )
    leftover[is_unknown] = 0.0  # what was not read is not guilty
    score = np.maximum.reduce(parts, axis=1)
    asked = np.flatnonzero(score >= CONSULT_FROM)
    if len(asked):
        score[asked] *= np.where(is_odd(clipped[asked]), 1.0, UNCONFIRMED)
    score = np.maximum(score, np.where(running, 0.0, standing / limits[:, 3]))
    score[_joined([one.is_absent for one in drafts])] = np.nan
    vital = _each([one.is_vital for one in drafts], drafts)
    stands = ((standing > 0) & ~running)[:, None] & vital
    still = _joined([one.residuals.is_still for one in drafts]) | stands
    shares = _shares(np.abs(deviations), leftover, parts[:, 2] >= parts[:, 0], still)
    ends = np.cumsum([len(one.window) for one in drafts]).tolist()
    return [
        one.scores(score[end - len(one.window) : end], shares[end - len(one.window) : end])
        for one, end in zip(drafts, ends, strict=True)
    ]


def _weighed(
    drafts: Sequence[Draft], limits: FloatArray, deviations: FloatArray, is_gain: BoolArray
) -> tuple[FloatArray, ...]:
    """The deviations and what `_measured` makes of them.

    They go without more of a gain that is not vital where a row is less strange without it: a house at
    rest exports more, and that is no news.
    """
    is_welcome = is_gain & (deviations > 0)
    if not some(is_welcome):
        return deviations, *_measured(drafts, limits, deviations)
    without = np.where(is_welcome, 0.0, deviations)
    both = np.concatenate((deviations, without))
    if len(drafts) > 1:  # of one draft the limits are those of all rows, however many
        drafts, limits = [*drafts, *drafts], np.concatenate((limits, limits))
    clipped, parts, leftover = _measured(drafts, limits, both)
    n_rows = len(deviations)
    strangeness = np.maximum.reduce(parts, axis=1)
    chosen = np.arange(n_rows) + n_rows * (strangeness[n_rows:] < strangeness[:n_rows])
    return both[chosen], clipped[chosen], parts[chosen], leftover[chosen]


def _measured(
    drafts: Sequence[Draft], limits: FloatArray, deviations: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Clipped deviations, three parts over their limits (rows, 3), and what the third is made of.

    Args:
        limits: Of each row, or of all, shape (rows or 1, 3).
    """
    clipped = np.minimum(np.maximum(deviations, -CLIP), CLIP)
    if len(drafts) == 1:
        along, off, leftover = drafts[0].components.measure(clipped)
    elif len(clipped) <= _FEW_ROWS:
        n_rows = [len(one.window) for one in drafts]
        along, off, leftover = measure_each(clipped, [one.components for one in drafts], n_rows)
    else:
        cuts = np.cumsum([len(one.window) for one in drafts])[:-1]
        pairs = zip(drafts, np.split(clipped, cuts), strict=True)
        along, off, leftover = map(
            np.concatenate, zip(*(one.components.measure(rows) for one, rows in pairs), strict=True)
        )
    parts = np.array((np.maximum.reduce(np.abs(deviations), axis=1), along, off)).T / limits
    return clipped, parts, leftover


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _each(parts: Sequence[np.ndarray], drafts: Sequence[Draft]) -> np.ndarray:
    """Something of each draft for each of its rows; one row where there is one draft."""
    if len(parts) == 1:
        return parts[0][None]
    return np.repeat(np.array(parts), [len(one.window) for one in drafts], axis=0)


def _shares(
    deviations: FloatArray, leftover: FloatArray, is_off: BoolArray, is_still: BoolArray
) -> FloatArray:
    """What each signal contributes: its squared deviation, or its part of Q where the relation broke."""
    # A signal near its own expected value is not to blame for a relation that another one broke.
    parts = np.where(is_off[:, None], leftover**2 * np.minimum(deviations, 1.0), deviations**2)
    total = sum_in_order(parts)[:, None]
    shares = parts / np.where(total > 0, total, 1.0) + _STILL_SHARE * is_still
    shared: FloatArray = shares / np.maximum(sum_in_order(shares)[:, None], 1e-300)
    return shared
