"""Facts about the data that somebody should know."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sereno.domain.errors import Fact

__all__ = ["MAX_QUARANTINE_TEXT", "DataIssue", "QuarantinedRow"]

MAX_QUARANTINE_TEXT = 500


@dataclass(frozen=True, slots=True)
class DataIssue:
    """Something true about the data: stored, counted and shown, never only a log line.

    Attributes:
        code: Stable code of DESIGN's list, e.g. `quality.duplicate_conflicting`.
        where: Column, line or asset that it concerns, as a person would look for it.
        count: How many rows or cells.
        facts: What fills the placeholders of the catalogue's sentence for `code`.
    """

    code: str
    where: str
    count: int = 1
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that could not be used, kept as it came.

    Attributes:
        line: 1-based line (or row) number in the source.
        reason: Issue code that says why.
        text: The raw line, shortened to `MAX_QUARANTINE_TEXT` characters.
    """

    line: int
    reason: str
    text: str
