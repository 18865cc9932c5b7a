"""Branches of `sereno.yaml` for the whole journey: segments, `sereno run`, criticality, acceptance."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from sereno.settings.branch import Branch, Duration

__all__ = ["AcceptanceSettings", "CriticalitySettings", "RunSettings", "SegmentSettings"]


class SegmentSettings(Branch):
    """Which assets behave alike, so that they share shape, threshold and a start for new ones."""

    enabled: bool = Field(
        default=True, description="Whether training pools by segment once `sereno segment` has found them."
    )
    features: list[str] = Field(
        default_factory=list,
        description="Columns of an asset's profile, as Volumen_mean: a signal and mean, std, median, sum, "
        "min, max, range, cv or weekend_ratio. Without any, mean and spread of each signal.",
    )
    method: Literal["silhouette", "elbow", "fixed"] = Field(
        default="silhouette", description="How the number of segments is chosen."
    )
    k_min: int = Field(default=2, ge=2, le=100, description="Fewest segments that are tried.")
    k_max: int = Field(default=10, ge=2, le=100, description="Most segments that are tried.")
    n_segments: int = Field(
        default=2, ge=1, le=100, description="Number of segments where `method` is fixed."
    )
    min_history: Duration = Field(
        default=timedelta(days=7),
        description="History below which an asset is too new to be fitted or assigned, as 7d.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of K-Means.")

    @model_validator(mode="after")
    def _range(self) -> "SegmentSettings":
        if self.k_max < self.k_min:
            raise ValueError(f"k_max is below k_min ({self.k_min})")
        return self


class CriticalitySettings(Branch):
    """Criticality of one abnormal hour, in sigmas; the calibrated threshold is worth `detection` of them."""

    detection: float = Field(default=2.0, gt=0, description="Sigmas that the threshold is worth.")
    high: float = Field(default=3.0, gt=0, description="Sigmas from which an hour is Alta.")
    medium: float = Field(default=2.0, gt=0, description="Sigmas from which an hour is Media.")
    low: float = Field(default=1.5, gt=0, description="Sigmas from which an hour is Baja; below, Muy Baja.")

    @model_validator(mode="after")
    def _order(self) -> "CriticalitySettings":
        if not self.high > self.medium > self.low:
            raise ValueError("high, medium and low must fall in this order")
        return self


class AcceptanceSettings(Branch):
    """What `sereno evaluate` compares its figures with."""

    false_positive_rate: float = Field(
        default=0.15, ge=0, le=1, description="Largest share of normal rows that may be flagged."
    )
    recall: float = Field(default=0.80, ge=0, le=1, description="Smallest share of abnormal rows found.")
    recall_by_variable: float = Field(
        default=0.80, ge=0, le=1, description="Smallest share found and named of the rows of any variable."
    )
    severity: float = Field(
        default=0.90, ge=0, le=1, description="Smallest share of found rows whose criticality agrees."
    )
    latency: Duration = Field(
        default=timedelta(minutes=10), description="Longest that judging all rows may take, as 10min."
    )


class RunSettings(Branch):
    """What `sereno run` reads, holds back and writes."""

    inputs: list[str] = Field(
        default_factory=list,
        description="Files and folders to ingest, relative to the workspace or absolute.",
    )
    truth: str | None = Field(
        default=None, description="Table of known anomalies to evaluate against, relative or absolute."
    )
    output: str = Field(default="reports", description="Folder of all results, relative or absolute.")
    test_size: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Share of the time span, the last part, that nothing learns from and evaluation judges.",
    )
    preprocessed: bool = Field(
        default=False, description="Whether preprocessed.csv is written too (large: all rows)."
    )
