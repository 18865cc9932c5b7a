"""A judgement in the words and numbers of the guide: lower scores are stranger, severities are Spanish."""

from dataclasses import dataclass
from math import nan

from sereno.domain.guide import SEVERITY_NAMES, guide_score
from sereno.domain.judgement import IncidentKind
from sereno.flows.records import RowJudgement

__all__ = ["NORMAL", "UNJUDGED", "Verdict", "verdict_of"]

NORMAL = "NORMAL"
"""Severity of a record that is no anomaly; the guide has no word for it."""
UNJUDGED = "SIN JUICIO"
"""Severity of a row of a file that has no usable date or values."""
_DATA_FLOOR = -0.5
"""A data problem is never critical, so its score does not fall below the limit of that."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of one record.

    Attributes:
        score: scikit-learn's sign, lower is stranger; NaN where there was nothing to judge.
    """

    is_anomaly: bool
    score: float
    severity: str


def verdict_of(row: RowJudgement | None) -> Verdict:
    """The judgement of a row; None is a row that could not be read."""
    if row is None:
        return Verdict(is_anomaly=False, score=nan, severity=UNJUDGED)
    score = guide_score(row.score / row.threshold)
    if row.detection is None:
        return Verdict(is_anomaly=False, score=score, severity=NORMAL)
    if row.detection.kind is IncidentKind.DATA:
        score = max(score, _DATA_FLOOR)
    return Verdict(is_anomaly=True, score=score, severity=SEVERITY_NAMES[row.detection.severity])
