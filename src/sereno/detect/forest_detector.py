"""The isolation forest as a detector of its own: joint oddities of rows whose order says nothing.

One forest over all assets with the same signals, on rows standardised by asset, with a few rows scattered
about so that what lies outside counts as far. Its raw score says how short a row's path is; here it is
counted from the asset's usual score, in units of its calm 99 % quantile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.detect.columns import as_in, columns_of
from sereno.detect.forest import Forest, fit_forest
from sereno.detect.members import CLIP, Fleet, Member, Members, calm_limits, learn_members
from sereno.detect.pca import sum_in_order
from sereno.detect.pca_detector import fill_unknown
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["ForestDetector", "TrainedForest"]

_LEAST = np.array([0.02])
"""Least distance of the calm limit from the usual score, which lies in (0, 1]."""
_SCATTERED = 0.05
"""Share of rows anywhere in the range of deviations that a forest is grown from besides the calm ones: a tree
only knows what lies between its rows, and a far row would end where the outermost calm one does."""
_MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class ForestDetector:
    """An isolation forest over standardised rows.

    Attributes:
        profile: Says which signals are judged as ratios.
        seed: Of the forest.
        n_trees: Trees of the forest.
        n_samples: Rows that each tree is grown from, at most.
    """

    profile: Profile
    seed: int = 0
    n_trees: int = 100
    n_samples: int = 256

    def fit(self, history: Sequence[Window]) -> "TrainedForest":
        """Learn the assets of `history`.

        Raises:
            HistoryTooShort: No asset has enough rows.
        """
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedForest":
        """As `fit`, from the rows marked in `use` alone."""
        members = learn_members(
            self.profile, history, use, statistics=_statistics, limits_of=_limits, plant=self._plant
        )
        return TrainedForest(self.profile, members)

    def _plant(self, rows: FloatArray) -> Forest:
        rng = np.random.default_rng(self.seed)
        if len(rows) > _MAX_ROWS:
            rows = rng.choice(rows, _MAX_ROWS, replace=False)
        n_scattered = max(1, round(_SCATTERED * len(rows)))
        scattered = rng.uniform(-CLIP, CLIP, size=(n_scattered, rows.shape[1]))
        rows = np.concatenate([rows, scattered])
        return fit_forest(rows, seed=self.seed, n_trees=self.n_trees, n_samples=self.n_samples)

    def load(self, state: bytes) -> "TrainedForest":
        """The trained detector that `TrainedForest.dump` wrote."""
        return TrainedForest.from_bytes(state, self.profile)


@dataclass(frozen=True, slots=True)
class TrainedForest:
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
        """How odd each row is as a whole.

        A signal's share is what the oddity loses when that signal is at its usual value and the others stay.
        Cells that are missing are taken to be what the relations with the others of their row say.
        """
        member, fleet = self.members.of(window)
        values = columns_of(window, member.signals)
        is_unknown = np.isnan(values)
        rows = _bounded(member, member.scale.standardise(values))
        usual, limit = member.limits.tolist()
        raw = _raw(fleet, rows)
        score = np.maximum(raw - usual, 0.0) / limit
        score[is_unknown.all(axis=1)] = np.nan
        guilt = np.where(is_unknown, 0.0, rows) ** 2
        asked = np.flatnonzero(score >= 1.0)
        losses = _losses(fleet, rows[asked], raw[asked])
        losses[is_unknown[asked]] = 0.0
        is_split = np.asarray(losses.any(axis=1))[:, None]
        guilt[asked] = np.where(is_split, losses, guilt[asked])
        shares = guilt / np.maximum(sum_in_order(guilt)[:, None], 1e-300)
        centre = np.broadcast_to(member.scale.restore(np.zeros(len(member.signals))), rows.shape)
        scores = Scores(
            window.time,
            score,
            as_in(window, member.signals, shares),
            as_in(window, member.signals, centre.copy()),
            np.ones(window.values.shape, dtype=bool),
        )
        return scores, Memory()

    def dump(self) -> bytes:
        """An archive of arrays and a JSON index; never a pickle."""
        return self.members.dump()

    @classmethod
    def from_bytes(cls, state: bytes, profile: Profile) -> "TrainedForest":
        """The detector that `dump` wrote.

        Raises:
            ArchiveError: The bytes are not such an archive.
        """
        return cls(profile, Members.from_bytes(state))


def _bounded(member: Member, rows: FloatArray) -> FloatArray:
    return np.clip(fill_unknown(member.components, rows), -CLIP, CLIP)


def _raw(fleet: Fleet, rows: FloatArray) -> FloatArray:
    """Score of the forest, shape (rows,)."""
    if fleet.forest is None or not len(rows):
        return np.zeros(len(rows))
    return fleet.forest.score(rows)


def _losses(fleet: Fleet, rows: FloatArray, raw: FloatArray) -> FloatArray:
    """What the score of rows loses as each signal comes to its usual value, shape (rows, signals)."""
    losses = np.zeros(rows.shape)
    for signal in range(rows.shape[1]):
        usual = rows.copy()
        usual[:, signal] = 0.0
        losses[:, signal] = np.maximum(raw - _raw(fleet, usual), 0.0)
    return losses


def _statistics(member: Member, fleet: Fleet, rows: FloatArray) -> FloatArray:
    return _raw(fleet, _bounded(member, rows))[:, None]


def _limits(raw: FloatArray) -> FloatArray:
    """The usual score, and how far above it the calm 99 % quantile lies."""
    usual = np.median(raw, axis=0)
    return np.concatenate([usual, calm_limits(raw - usual, _LEAST)])
