"""Principal components as a detector: rows whose signals are far along their relations, or off them.

For tables of records, and for processes whose correlation breaks before any signal leaves its range.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.detect.columns import as_in, columns_of
from sereno.detect.members import Fleet, Member, Members, calm_limits, learn_members
from sereno.detect.pca import Components, sum_in_order
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["PcaDetector", "TrainedPca", "fill_unknown"]

_FILL_STEPS = 25
_LEAST = np.array([0.1, 0.1, 0.5])
"""Least limits: distances in standard deviations, and the larger of them in units of its own limit."""


@dataclass(frozen=True, slots=True)
class PcaDetector:
    """T² and Q of standardised rows, each asset with components of its own.

    Attributes:
        profile: Says which signals are judged as ratios.
    """

    profile: Profile

    def fit(self, history: Sequence[Window]) -> "TrainedPca":
        """Learn each asset of `history`.

        Raises:
            HistoryTooShort: No asset has enough rows.
        """
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedPca":
        """As `fit`, from the rows marked in `use` alone."""
        members = learn_members(self.profile, history, use, statistics=_statistics, limits_of=_limits)
        return TrainedPca(self.profile, members)

    def load(self, state: bytes) -> "TrainedPca":
        """The trained detector that `TrainedPca.dump` wrote."""
        return TrainedPca.from_bytes(state, self.profile)


@dataclass(frozen=True, slots=True)
class TrainedPca:
    """Frozen; it remembers nothing: each row is judged by itself."""

    profile: Profile
    members: Members

    @property
    def lookback(self) -> timedelta:
        """None."""
        return timedelta(0)

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        return asset in self.members.assets

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:  # noqa: ARG002
        """The larger of T² and Q as distances, in units of the calm 99 % quantile.

        Cells that are missing are taken to be what the relations with the others of their row say. Where Q
        speaks, that is also what is expected of the others; where T² does, the signal's usual value.
        """
        member, _ = self.members.of(window)
        values = columns_of(window, member.signals)
        is_unknown = np.isnan(values)
        rows = fill_unknown(member.components, member.scale.standardise(values))
        along, off, leftover = member.components.measure(rows)
        leftover[is_unknown] = 0.0
        parts = np.stack([along, off], axis=1) / member.limits[:2]
        score = parts.max(axis=1) / member.limits[2]
        score[is_unknown.all(axis=1)] = np.nan
        is_off = (parts[:, 1] >= parts[:, 0])[:, None]
        guilt = np.where(is_off, leftover, np.where(is_unknown, 0.0, rows)) ** 2
        shares = guilt / np.maximum(sum_in_order(guilt)[:, None], 1e-300)
        expected = member.scale.restore(np.where(is_off, rows - leftover, 0.0))
        scores = Scores(
            window.time,
            score,
            as_in(window, member.signals, shares),
            as_in(window, member.signals, expected),
            np.ones(window.values.shape, dtype=bool),
        )
        return scores, Memory()

    def dump(self) -> bytes:
        """An archive of arrays and a JSON index; never a pickle."""
        return self.members.dump()

    @classmethod
    def from_bytes(cls, state: bytes, profile: Profile) -> "TrainedPca":
        """The detector that `dump` wrote.

        Raises:
            ArchiveError: The bytes are not such an archive.
        """
        return cls(profile, Members.from_bytes(state))


def fill_unknown(components: Components, rows: FloatArray) -> FloatArray:
    """Rows whose missing cells are what the components make of the others; 0 where nothing is known.

    Source:
        Nelson, Taylor, MacGregor, "Missing data methods in PCA and PLS: score calculations with incomplete
        observations", Chemometrics and Intelligent Laboratory Systems 35(1), 1996: single-component
        projection repeated, which converges to the least-squares fit of the known cells.
    """
    is_unknown = np.isnan(rows)
    filled = np.where(is_unknown, components.centre, rows)
    partial = np.flatnonzero(is_unknown.any(axis=1))
    if not len(partial):
        return filled
    some, missing = filled[partial], is_unknown[partial]
    for _ in range(_FILL_STEPS):
        _, _, residual = components.measure(some)
        some = np.where(missing, some - residual, some)
    filled[partial] = some
    return filled


def _limits(statistics: FloatArray) -> FloatArray:
    return calm_limits(statistics, _LEAST)


def _statistics(member: Member, _fleet: Fleet, rows: FloatArray) -> FloatArray:
    """Distance along and off the components, and the larger of them in units of their own limits."""
    along, off, _ = member.components.measure(fill_unknown(member.components, rows))
    both = np.stack([along, off], axis=1)
    larger = (both / calm_limits(both, _LEAST[:2])).max(axis=1, keepdims=True)
    return np.concatenate([both, larger], axis=1)
