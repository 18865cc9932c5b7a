"""The entry that `check` and `ingest` print for one file, built up batch by batch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sereno.domain.errors import SerenoError
from sereno.domain.issues import DataIssue
from sereno.ingest.batch import Batch, FilePlan, Totals
from sereno.ingest.table import TableReport

__all__ = ["HARMLESS_CODES", "FileReport", "merge_issues"]

HARMLESS_CODES = frozenset(
    {
        "quality.assumed_timezone",
        "quality.duplicate_identical",
        "quality.late",
        "quality.missing",
        "read.garbled_text",
        "read.mapping_used",
        "read.pressure_converted",
        "read.pressure_undeclared",
        "read.rate_converted",
        "read.interval_end",
        "read.note_row",
    }
)
"""Issues that are worth saying and need nobody's attention."""


@dataclass(slots=True)
class FileReport:
    """What is known of one file so far."""

    file: str
    tables: tuple[TableReport, ...] = ()
    totals: Totals = field(default_factory=Totals)
    issues: list[DataIssue] = field(default_factory=list)
    is_refused: bool = False

    @classmethod
    def start(cls, plan: FilePlan) -> "FileReport":
        """The report of a file whose batches are to come."""
        return cls(file=str(plan.path), tables=plan.tables)

    @classmethod
    def refused(cls, path: Path, error: SerenoError) -> "FileReport":
        """The report of a file that could not be read at all."""
        issue = DataIssue(error.code, where=Path(path).name, facts=error.facts)
        return cls(file=str(path), issues=[issue], is_refused=True)

    def add(self, batch: Batch) -> None:
        """Counts a batch in."""
        self.totals = self.totals + batch.totals
        self.issues = merge_issues([*self.issues, *batch.issues])

    @property
    def verdict(self) -> str:
        """`refused` when nothing is usable, `warnings` when somebody should look, else `ok`."""
        has_nothing = self.totals.records_good == 0 and self.totals.records_quarantined > 0
        if self.is_refused or has_nothing:
            return "refused"
        return "warnings" if any(i.code not in HARMLESS_CODES for i in self.issues) else "ok"

    def to_json(self) -> dict[str, object]:
        """DESIGN's entry; the flow adds the sentence of each issue and `readings_new`."""
        return {
            "file": self.file,
            "totals": asdict(self.totals),
            "tables": [_table_json(t) for t in self.tables],
            "issues": [{"code": i.code, "where": i.where, "count": i.count} for i in self.issues],
            "verdict": self.verdict,
        }


def merge_issues(issues: Sequence[DataIssue]) -> list[DataIssue]:
    """One issue for each code and place, counts added, the first one's facts kept."""
    merged: dict[tuple[str, str], DataIssue] = {}
    for issue in issues:
        key = (issue.code, issue.where)
        before = merged.get(key)
        count = issue.count + (before.count if before else 0)
        facts: Mapping[str, object] = before.facts if before else issue.facts
        merged[key] = DataIssue(issue.code, issue.where, count, facts)  # type: ignore[arg-type]
    return list(merged.values())


def _table_json(table: TableReport) -> dict[str, object]:
    entry = {**asdict(table), "columns": [asdict(c) for c in table.columns]}
    for name in ("asset", "mapping"):
        if not entry[name]:
            del entry[name]
    return entry
