"""What was thought of a record, as documents."""

from math import isfinite

from pydantic import BaseModel, Field

from sereno.domain.time import isoformat
from sereno.flows.records import RowJudgement
from sereno.flows.workspace import Workspace

__all__ = ["VerdictDocument", "verdict_document"]

_DECIMALS = 6


class VerdictDocument(BaseModel):
    """The judgement of one record; the fields of `sereno score FILE --json`."""

    site: str
    asset: str
    time: str = Field(description="UTC, ISO 8601.", examples=["2025-01-15T00:00:00Z"])
    is_abnormal: bool
    score: float | None = Field(None, description="Strangeness; null where nothing could be judged.")
    threshold: float | None = Field(None, description="Score from which a record is abnormal.")
    kind: str | None = Field(None, description="data, physics or behaviour.")
    cause: str | None = None
    severity: str | None = Field(None, description="low, medium, high or critical.")
    signal: str | None = Field(None, description="The signal that shows it most.")
    observed: float | None = None
    expected: float | None = None
    unit: str | None = None
    sentence: str | None = Field(None, description="What is abnormal, in the language of the workspace.")


def verdict_document(row: RowJudgement, workspace: Workspace) -> VerdictDocument:
    """The document of a judgement."""
    shown = VerdictDocument(
        site=row.asset.site,
        asset=row.asset.asset,
        time=isoformat(row.time),
        is_abnormal=row.is_abnormal,
        score=_finite(row.score),
        threshold=_finite(row.threshold),
    )
    detection = row.detection
    if detection is None:
        return shown
    return shown.model_copy(
        update={
            "kind": detection.kind.value,
            "cause": detection.cause,
            "severity": detection.severity.name.lower(),
            "signal": detection.signals[0],
            "observed": _finite(detection.observed),
            "expected": _finite(detection.expected),
            "unit": detection.unit,
            "sentence": workspace.describe(row),
        }
    )


def _finite(value: float) -> float | None:
    return round(value, _DECIMALS) if isfinite(value) else None
