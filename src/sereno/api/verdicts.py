"""What was thought of a record, as documents."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from sereno.domain.issues import DataIssue, QuarantinedRow
from sereno.flows.records import RowJudgement
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import issue_sentence

__all__ = ["VerdictDocument", "verdict_document", "why_lost"]


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
    return VerdictDocument.model_validate(row.to_json(workspace.describe(row)))


def why_lost(row: QuarantinedRow, issues: Sequence[DataIssue], language: str) -> str:
    """Why a record is in quarantine, to stand within a sentence; by code and content where there is none."""
    told = next((one for one in issues if one.code == row.reason), None)
    return f"{row.reason}: {row.text}" if told is None else issue_sentence(told, language).removesuffix(".")
