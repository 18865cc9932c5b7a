"""Isolation forest, fitted by scikit-learn and scored from flat arrays without it.

Source:
    Liu, Ting, Zhou, "Isolation Forest", ICDM 2008, equations 1 and 2; scores equal
    `sklearn.ensemble.IsolationForest.score_samples` (which is their negative).
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sereno.domain.readings import FloatArray

__all__ = ["Forest", "fit_forest"]

_HEAP = "sereno.detect.heap"
_EULER_GAMMA = 0.5772156649015329
_BLOCK_ROWS = 8_192
"""Rows scored at once: their positions in all trees stay in the processor's cache."""
_FEW_ROWS = 256
"""Up to so many rows all trees are walked at once, beyond that one tree after the other is faster."""
_WORTH_COMPILING = 16_384
"""Rows from which compiled code is loaded where the extra `speed` is there: that takes half a second."""
_DEEPEST_HEAP = 12
"""A heap has 2 ** depth nodes; trees of 256 samples are 8 deep."""


class _Walk(Protocol):
    """What the compiled walk takes and gives."""

    def __call__(
        self,
        rows: npt.NDArray[np.float32],
        feature: npt.NDArray[np.int32],
        threshold: npt.NDArray[np.float32],
        path: FloatArray,
    ) -> FloatArray: ...


@dataclass(frozen=True)
class Forest:
    """Trees laid end to end: node arrays of all trees.

    `child` is the absolute position of a node's left child; the right one stands behind it. A leaf is its own
    child and has an infinite threshold, so that every row may walk `depth` steps. `path` is the depth of a
    node plus the mean path of the samples left in it (zero for inner nodes, which no walk ends in).
    """

    feature: np.ndarray
    threshold: FloatArray
    child: np.ndarray
    path: FloatArray
    roots: np.ndarray
    depth: int
    normaliser: float

    def score(self, rows: FloatArray) -> FloatArray:
        """Strangeness in (0, 1], higher is stranger, shape (rows,).

        The same to the last bit whether compiled code walks the trees or not.

        Args:
            rows: Finite features, shape (rows, features); compared in float32 as scikit-learn does.
        """
        features = np.asarray(rows, dtype=np.float32)
        walk = _compiled_walk(len(features)) if self.depth <= _DEEPEST_HEAP else None
        if walk is not None:
            total = walk(np.ascontiguousarray(features), *self._heaps)
            score: FloatArray = np.exp2(-total / self.normaliser)
            return score
        if len(features) <= _FEW_ROWS:
            return self._score_few(features)
        blocks = [
            self._score_block(features[i : i + _BLOCK_ROWS]) for i in range(0, len(features), _BLOCK_ROWS)
        ]
        return np.concatenate(blocks)

    def _score_few(self, features: np.ndarray) -> FloatArray:
        """All trees at once: what counts is the number of NumPy calls."""
        width = features.shape[1]
        flat = features.ravel()
        first = np.repeat(np.arange(len(features)) * width, len(self.roots))
        node = np.tile(self.roots, len(features))
        for _ in range(self.depth):
            is_right = flat.take(first + self.feature.take(node)) > self.threshold.take(node)
            node = self.child.take(node) + is_right
        path = self.path.take(node).reshape(len(features), len(self.roots))
        total = path.cumsum(axis=1)[:, -1]  # tree by tree, as a block adds: equal to the last bit
        score: FloatArray = np.exp2(-total / self.normaliser)
        return score

    def _score_block(self, features: np.ndarray) -> FloatArray:
        rows = np.arange(len(features))
        total = np.zeros(len(features))
        for root in self.roots.tolist():
            node = np.full(len(features), root)
            for _ in range(self.depth):
                node = self.child[node] + (features[rows, self.feature[node]] > self.threshold[node])
            total += self.path[node]
        return np.exp2(-total / self.normaliser)

    @cached_property
    def _heaps(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], FloatArray]:
        """Feature and threshold of the inner nodes, path of the leaves, of each tree as a perfect heap."""
        nodes = self.roots[:, None]
        inner = []
        for _ in range(self.depth):
            inner.append(nodes)
            left = self.child[nodes]
            right = left + (self.threshold[nodes] < np.inf)
            nodes = np.stack([left, right], axis=2).reshape(len(nodes), -1)
        place = np.concatenate(inner, axis=1) if inner else nodes[:, :0]
        return (
            np.ascontiguousarray(self.feature[place], dtype=np.int32),
            _rounded_down(self.threshold[place]),
            np.ascontiguousarray(self.path[nodes]),
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that `from_arrays` needs."""
        return {
            "feature": self.feature,
            "threshold": self.threshold,
            "child": self.child,
            "path": self.path,
            "roots": self.roots,
            "shape": np.array([self.depth, self.normaliser]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Forest":
        """The forest that `to_arrays` described."""
        depth, normaliser = arrays["shape"].tolist()
        return cls(
            feature=arrays["feature"],
            threshold=arrays["threshold"],
            child=arrays["child"],
            path=arrays["path"],
            roots=arrays["roots"],
            depth=int(depth),
            normaliser=normaliser,
        )


def _compiled_walk(n_rows: int) -> _Walk | None:
    """The compiled walk where it is loaded or worth loading; None without the extra `speed`."""
    if n_rows < _WORTH_COMPILING and _HEAP not in sys.modules:
        return None
    return _loaded_walk()


@cache
def _loaded_walk() -> _Walk | None:
    try:
        walk: _Walk = import_module(_HEAP).walk
    except ImportError:
        return None
    return walk


def _rounded_down(threshold: FloatArray) -> npt.NDArray[np.float32]:
    """The largest float32 not above: features, which are float32, compare with it as with the threshold."""
    nearest = threshold.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > threshold, below, nearest)


def fit_forest(rows: FloatArray, *, seed: int, n_trees: int = 100, n_samples: int = 256) -> Forest:
    """A forest of `n_trees`, each of at most `n_samples` rows.

    Args:
        rows: Finite features, shape (rows, features).
    """
    from sklearn.ensemble import IsolationForest  # takes seconds to import: only where it is used

    fitted = IsolationForest(n_estimators=n_trees, max_samples=min(n_samples, len(rows)), random_state=seed)
    return flatten(fitted.fit(np.asarray(rows, dtype=np.float32)))


def flatten(fitted: object) -> Forest:
    """The flat form of a fitted `sklearn.ensemble.IsolationForest` that uses all features in every tree."""
    trees = [estimator.tree_ for estimator in fitted.estimators_]  # type: ignore[attr-defined]
    offsets = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])
    parts = [_flatten_tree(tree, int(offset)) for tree, offset in zip(trees, offsets[:-1], strict=True)]
    feature, threshold, child, path = (np.concatenate(column) for column in zip(*parts, strict=True))
    n_samples = int(fitted._max_samples)  # type: ignore[attr-defined]
    return Forest(
        feature=feature,
        threshold=threshold,
        child=child,
        path=path,
        roots=offsets[:-1].astype(np.int64),
        depth=max(int(tree.max_depth) for tree in trees),
        normaliser=float(len(trees) * _mean_path(np.array([n_samples]))[0]),
    )


def _flatten_tree(tree: object, offset: int) -> tuple[np.ndarray, ...]:
    left, right = tree.children_left, tree.children_right  # type: ignore[attr-defined]
    is_leaf = left < 0
    depth = np.zeros(len(left))
    place = np.zeros(len(left), dtype=np.int64)  # siblings side by side
    for number, node in enumerate(np.flatnonzero(~is_leaf).tolist()):  # children stand after their parent
        depth[left[node]] = depth[right[node]] = depth[node] + 1
        place[left[node]], place[right[node]] = 2 * number + 1, 2 * number + 2
    columns = (
        np.where(is_leaf, 0, tree.feature).astype(np.int64),  # type: ignore[attr-defined]
        np.where(is_leaf, np.inf, tree.threshold),  # type: ignore[attr-defined]
        np.where(is_leaf, place, place[left]) + offset,
        np.where(is_leaf, depth + _mean_path(tree.n_node_samples), 0.0),  # type: ignore[attr-defined]
    )
    order = np.argsort(place)
    return tuple(column[order] for column in columns)


def _mean_path(n_samples: np.ndarray) -> FloatArray:
    """Mean path of an unsuccessful search in a binary tree of so many samples (equation 1)."""
    n = np.asarray(n_samples, dtype=float)
    long = n > 2
    safe = np.where(long, n, 3.0)
    mean = 2.0 * (np.log(safe - 1.0) + _EULER_GAMMA) - 2.0 * (safe - 1.0) / safe
    return np.where(long, mean, np.where(n == 2, 1.0, 0.0))
