"""Principal components of standardised residuals: how far along them (T²), how far off them (Q).

Source:
    Jackson, Mudholkar, "Control procedures for residuals associated with principal component analysis",
    Technometrics 21(3), 1979. The limits are empirical quantiles of calm rows, not the F and chi² forms.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["Components", "fit_components"]

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
        centred = rows - self.centre
        along = np.einsum("rs,ks->rk", centred, self.axes)
        residual = centred - np.einsum("rk,ks->rs", along, self.axes)
        distance = np.sqrt(np.einsum("rk,rk,k->r", along, along, 1.0 / self.variances))
        return distance, np.sqrt(np.einsum("rs,rs->r", residual, residual)), residual

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that `from_arrays` needs."""
        return {"centre": self.centre, "axes": self.axes, "variances": self.variances}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Components":
        """The components that `to_arrays` described."""
        return cls(arrays["centre"], arrays["axes"], arrays["variances"])


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
