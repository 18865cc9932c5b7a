"""K-Means over the profiles of assets, and how many segments there are.

Source:
    Rousseeuw 1987, "Silhouettes", doi 10.1016/0377-0427(87)90125-7 (k with the largest mean silhouette).
    Satopää et al. 2011, "Finding a Kneedle in a Haystack", doi 10.1109/ICDCSW.2011.20 (the elbow is the point
    of the normalised curve farthest below its chord; without the paper's smoothing, for a dozen points).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.domain.segments import KCurve, Segmentation, scaled_profiles
from sereno.domain.signals import AssetKey

__all__ = ["Method", "SegmentOptions", "elbow_of", "fit_segments", "robust_scale"]

Method = Literal["silhouette", "elbow", "fixed"]
_NORMAL_IQR = 1.349
"""Interquartile range of a normal variable of spread 1."""
_STARTS = 10
_MIN_ASSETS = 3
"""Of two assets nobody can say whether they are alike."""


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """How segments are found.

    Attributes:
        method: How their number is chosen.
        k_min, k_max: All numbers between these are tried, both included.
        n_segments: Their number where the method is `fixed`.
        seed: Of K-Means.
    """

    method: Method = "silhouette"
    k_min: int = 2
    k_max: int = 10
    n_segments: int = 2
    seed: int = 0


def fit_segments(
    profile: str,
    features: Sequence[str],
    profiles: Mapping[AssetKey, FloatArray],
    options: SegmentOptions,
    *,
    too_short: Mapping[AssetKey, int] | None = None,
) -> Segmentation:
    """The segments of assets by their profiles; one segment where there are too few of them to compare.

    Segments are numbered from 0 by the first feature of their centre, so that the order of the assets does
    not matter. A feature that is the same for all, or unknown, separates nobody.

    Args:
        profiles: Shape (features,) each; at least one.
        too_short: Assets left out, with the rows that they have.
    """
    assets = sorted(profiles)
    rows = np.array([profiles[asset] for asset in assets]).reshape(len(assets), len(features))
    center, spread = robust_scale(rows)
    scaled = scaled_profiles(rows, center, spread)
    n_distinct = len(np.unique(scaled, axis=0))
    if len(assets) < _MIN_ASSETS or n_distinct < 2:
        labels, curve, method = np.zeros(len(assets), dtype=int), KCurve((), (), ()), "single"
    else:
        labels, curve, method = _chosen(scaled, n_distinct, options)
    labels, centroids = _ordered(scaled, labels)
    return Segmentation(
        profile=profile,
        features=tuple(features),
        center=center,
        spread=spread,
        centroids=centroids,
        method=method,
        curve=curve,
        fitted=dict(zip(assets, labels.tolist(), strict=True)),
        too_short=dict(too_short or {}),
    )


def robust_scale(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Median and spread of each column, shape (features,) both.

    The spread is the interquartile range over that of a normal variable; where most assets are equal it is
    the standard deviation, and 1 where all are.
    """
    known = np.where(np.isfinite(rows), rows, np.nan)
    is_empty = np.isnan(known).all(axis=0)
    known = np.where(is_empty, 0.0, known)
    center = np.nanmedian(known, axis=0)
    quartiles = np.nanquantile(known, [0.25, 0.75], axis=0)
    spread = (quartiles[1] - quartiles[0]) / _NORMAL_IQR
    deviation = np.nanstd(known, axis=0)
    tiny = 1e-12 * np.maximum(np.abs(center), 1.0)
    spread = np.where(spread > tiny, spread, deviation)
    return center, np.where(spread > tiny, spread, 1.0)


def elbow_of(ks: Sequence[int], inertia: Sequence[float]) -> int:
    """The k at which the curve of inertia bends most: farthest below the chord from its first to its last."""
    x, y = np.array(ks, dtype=float), np.array(inertia, dtype=float)
    if len(ks) < 3 or y[0] <= y[-1]:
        return int(ks[0])
    below = (1 - (x - x[0]) / (x[-1] - x[0])) - (y - y[-1]) / (y[0] - y[-1])
    return int(ks[int(np.argmax(below))])


def _chosen(scaled: FloatArray, n_distinct: int, options: SegmentOptions) -> tuple[np.ndarray, KCurve, str]:
    """Label of each asset, the curve, and how the number was chosen."""
    if options.method == "fixed":
        k = min(options.n_segments, n_distinct)
        return _k_means(scaled, k, options.seed)[0], KCurve((), (), ()), "fixed"
    low = 1 if options.method == "elbow" else options.k_min
    # A silhouette needs a segment with a neighbour: at most one segment fewer than assets.
    high = max(min(options.k_max, n_distinct, len(scaled) - 1), low)
    runs = {k: _k_means(scaled, k, options.seed) for k in range(low, high + 1)}
    curve = KCurve(
        tuple(runs),
        tuple(inertia for _, inertia in runs.values()),
        tuple(_silhouette(scaled, labels) for labels, _ in runs.values()),
    )
    if options.method == "elbow":
        k = max(elbow_of(curve.ks, curve.inertia), min(options.k_min, high))
    else:
        k = curve.ks[int(np.nanargmax(curve.silhouette))]
    return runs[k][0], curve, options.method


def _k_means(scaled: FloatArray, k: int, seed: int) -> tuple[np.ndarray, float]:
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters=k, n_init=_STARTS, random_state=seed).fit(scaled)
    return fitted.labels_, float(fitted.inertia_)


def _silhouette(scaled: FloatArray, labels: np.ndarray) -> float:
    from sklearn.metrics import silhouette_score

    if not 1 < len(np.unique(labels)) < len(labels):
        return float("nan")
    return float(silhouette_score(scaled, labels))


def _ordered(scaled: FloatArray, labels: np.ndarray) -> tuple[np.ndarray, FloatArray]:
    """Labels from 0 by the centre of their segment, and the centres, shape (segments, features)."""
    centers = np.array([scaled[labels == label].mean(axis=0) for label in np.unique(labels)])
    order = np.lexsort(np.round(centers.T[::-1], 9))
    place = np.argsort(order)
    return place[np.searchsorted(np.unique(labels), labels)], centers[order]
