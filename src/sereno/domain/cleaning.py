"""How values are prepared for profiles and exports; what is judged is never touched."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Self

__all__ = ["RAW", "Cleaning", "Imputation", "Normalization", "OutlierRule", "OutlierTreatment"]


class _Method(StrEnum):
    """A named method; other names for it, as other tools write them, are understood."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        known = _OTHER_NAMES.get(str(value).strip().lower().replace("-", "_"))
        return next((method for method in cls if method.value == known), None)


class Imputation(_Method):
    """What stands in for a value that is missing."""

    NONE = "none"
    INTERPOLATION = "interpolation"
    """The straight line in time between the values on both sides."""
    FFILL = "ffill"
    """The last value before."""
    BFILL = "bfill"
    """The first value after."""
    MEAN = "mean"
    """The mean of the asset."""


class OutlierRule(_Method):
    """Which values are outliers."""

    NONE = "none"
    IQR = "iqr"
    """Beyond the quartiles by a multiple of the distance between them."""
    ROBUST_ZSCORE = "robust_zscore"
    """Farther from the median than a multiple of the robust standard deviation."""


class OutlierTreatment(_Method):
    """What becomes of an outlier."""

    CLIP = "clip"
    """The limit takes its place (winsorizing)."""
    MISSING = "missing"
    """It is missing, and may be imputed."""


class Normalization(_Method):
    """The scale of the additional columns for learning."""

    NONE = "none"
    STANDARD = "standard"
    """Mean 0 and standard deviation 1 over the training rows."""
    MIN_MAX = "min_max"
    """0 and 1 at the extremes of the training rows."""


_OTHER_NAMES = {
    "ninguno": "none",
    "interpolacion_temporal": "interpolation",
    "interpolación_temporal": "interpolation",
    "media_cliente": "mean",
    "media": "mean",
    "recortar": "clip",
    "faltante": "missing",
    "standard_scaler": "standard",
    "min_max_scaler": "min_max",
}


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What is done to the values of an export, in this order: outliers, missing values, scale.

    Attributes:
        max_gap: Longest stretch that is imputed; a longer one stays a gap. None for a day, or three steps
            where that is longer.
        factor: Multiple in the rule for outliers; None for the usual one (1.5 IQR, 3.5 robust z).
        test_size: Share of an asset's rows, the last ones, that are for testing.
        validation_size: Share of the remaining rows, again the last ones, that are for validation.
    """

    imputation: Imputation = Imputation.NONE
    max_gap: timedelta | None = None
    outliers: OutlierRule = OutlierRule.NONE
    treatment: OutlierTreatment = OutlierTreatment.CLIP
    factor: float | None = None
    normalization: Normalization = Normalization.NONE
    test_size: float = 0.2
    validation_size: float = 0.15


RAW = Cleaning()
"""Nothing is done to the values."""
