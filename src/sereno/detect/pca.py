"""Principal components of standardised residuals: how far along them (T²), how far off them (Q).

Source:
    Jackson, Mudholkar, "Control procedures for residuals associated with principal component analysis",
    Technometrics 21(3), 1979. The limits are empirical quantiles of calm rows, not the F and chi² forms.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["Components", "fit_components", "sum_in_order"]

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
        residual = rows - self.centre
        centred, squared = residual.copy(), np.zeros(len(rows))
        for axis, variance in zip(self.axes, self.variances, strict=True):
            along = sum_in_order(centred * axis)
            residual -= along[:, None] * axis
            squared += along * along / variance
        return np.sqrt(squared), np.sqrt(sum_in_order(residual * residual)), residual

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that `from_arrays` needs."""
        return {"centre": self.centre, "axes": self.axes, "variances": self.variances}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Components":
        """The components that `to_arrays` described."""
        return cls(arrays["centre"], arrays["axes"], arrays["variances"])


def sum_in_order(parts: FloatArray) -> FloatArray:
    """Sum over the signals (rows, signals), added from left to right: the same to the last bit in any batch.

    `sum`, `@` and `einsum` add in an order that depends on the shape, and so on how many rows came together.
    """
    total: FloatArray = np.add.accumulate(parts, axis=1)[:, -1]
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
