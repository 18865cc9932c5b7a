"""Principal components of standardised residuals: how far along them (T²), how far off them (Q).

Source:
    Jackson, Mudholkar, "Control procedures for residuals associated with principal component analysis",
    Technometrics 21(3), 1979. The limits are empirical quantiles of calm rows, not the F and chi² forms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["Components", "fit_components", "measure_each", "sum_in_order"]

_FEW_ROWS = 256
"""Up to so many rows are measured row by row, beyond that column by column: the same to the last bit."""
_BLOCK_ROWS = 4_096
"""Rows whose columns stay in the processor's cache."""
_KEPT_VARIANCE = 0.9
_MIN_VARIANCE = 1e-3
"""A direction with less variance than this (of standardised signals) is a constraint, not a behaviour."""


@dataclass(frozen=True, slots=True)
class Components:
    """The kept directions and their variances.

    Attributes:
        centre: Shape (signals,).
        axes: Orthonormal rows, shape (kept, signals).
        variances: Shape (kept,).
    """

    centre: FloatArray
    axes: FloatArray
    variances: FloatArray

    def measure(self, rows: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Distance along the components, distance off them, and the residual that the latter is made of.

        Returns:
            sqrt(T²) (rows,), sqrt(Q) (rows,), residual (rows, signals).
        """
        if len(rows) <= _FEW_ROWS:
            return self._measure_few(rows)
        distances = np.empty((2, len(rows)))
        residual = np.empty(rows.shape)
        for first in range(0, len(rows), _BLOCK_ROWS):
            block = slice(first, first + _BLOCK_ROWS)
            distances[0, block], distances[1, block], left = self._measure_columns(rows[block].T)
            residual[block] = left.T
        return distances[0], distances[1], residual

    def _measure_few(self, rows: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What counts is the number of NumPy calls."""
        residual = rows - self.centre
        centred, squared = residual.copy(), np.zeros(len(rows))
        for axis, variance in zip(self.axes, self.variances, strict=True):
            along = sum_in_order(centred * axis)
            residual -= along[:, None] * axis
            squared += along * along / variance
        return np.sqrt(squared), np.sqrt(sum_in_order(residual * residual)), residual

    def _measure_columns(self, columns: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The same sums, in the same order, over whole columns (signals, rows)."""
        residual = np.ascontiguousarray(columns) - self.centre[:, None]
        centred, squared = residual.copy(), np.zeros(residual.shape[1])
        for axis, variance in zip(self.axes, self.variances, strict=True):
            along = _sum_of_columns(centred, axis)
            for place, weight in enumerate(axis):
                residual[place] -= along * weight
            squared += along * along / variance
        total = residual[0] * residual[0]
        for column in residual[1:]:
            total += column * column
        return np.sqrt(squared), np.sqrt(total), residual

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that `from_arrays` needs."""
        return {"centre": self.centre, "axes": self.axes, "variances": self.variances}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Components":
        """The components that `to_arrays` described."""
        return cls(arrays["centre"], arrays["axes"], arrays["variances"])


def measure_each(
    rows: FloatArray, components: Sequence[Components], n_rows: Sequence[int]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """As `Components.measure`, to the last bit, of rows of which some belong to each of several components.

    Args:
        components: With the same number of axes.
        n_rows: Rows of each, one after the other.
    """
    centres = np.repeat(np.array([one.centre for one in components]), n_rows, axis=0)
    axes = np.repeat(np.array([one.axes for one in components]), n_rows, axis=0)
    variances = np.repeat(np.array([one.variances for one in components]), n_rows, axis=0)
    residual = rows - centres
    centred, squared = residual.copy(), np.zeros(len(rows))
    for kept in range(axes.shape[1]):
        axis = axes[:, kept]
        along = sum_in_order(centred * axis)
        residual -= along[:, None] * axis
        squared += along * along / variances[:, kept]
    return np.sqrt(squared), np.sqrt(sum_in_order(residual * residual)), residual


def sum_in_order(parts: FloatArray) -> FloatArray:
    """Sum over the signals (rows, signals), added from left to right: the same to the last bit in any batch.

    `sum`, `@` and `einsum` add in an order that depends on the shape, and so on how many rows came together.
    """
    total: FloatArray = np.add.accumulate(parts, axis=1)[:, -1]
    return total


def _sum_of_columns(columns: FloatArray, weights: FloatArray) -> FloatArray:
    total: FloatArray = columns[0] * weights[0]
    for column, weight in zip(columns[1:], weights[1:], strict=True):
        total += column * weight
    return total


def fit_components(rows: FloatArray) -> Components:
    """The directions that hold `_KEPT_VARIANCE` of the variance of finite rows (rows, signals)."""
    centre = np.median(rows, axis=0)
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    if len(rows) > 1:
        covariance += np.cov(rows - centre, rowvar=False)
    variances, axes = np.linalg.eigh(covariance)
    variances, axes = variances[::-1], axes[:, ::-1].T
    share = np.cumsum(variances) / max(variances.sum(), _MIN_VARIANCE)
    n_kept = max(1, min(int(np.searchsorted(share, _KEPT_VARIANCE)) + 1, len(variances) - 1))
    n_kept = max(1, min(n_kept, int((variances > _MIN_VARIANCE).sum())))
    axes = np.ascontiguousarray(_fixed_sign(axes[:n_kept]))  # sums depend on the layout in the last digit
    return Components(centre, axes, np.maximum(variances[:n_kept], _MIN_VARIANCE))


def _fixed_sign(axes: FloatArray) -> FloatArray:
    """Eigenvectors have no sign of their own: the largest entry is made positive, so runs agree."""
    lead = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    return axes * np.where(lead < 0, -1.0, 1.0)[:, None]
