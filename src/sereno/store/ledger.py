"""Files by content, what was wrong in them, and the figures of past analyses."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select

from sereno.domain.issues import MAX_QUARANTINE_TEXT, DataIssue, QuarantinedRow
from sereno.store.codec import none_if_nan
from sereno.store.records import FileEntry, StoredMetric
from sereno.store.schema import data_issue, file_ledger, metric, quarantined_row
from sereno.store.session import Session

__all__ = ["LedgerSession"]

MAX_WHERE = 500
"""Characters: a place is part of a key, and PostgreSQL's keys end at 2,700 bytes."""


class LedgerSession(Session):
    """The part of a transaction that remembers files."""

    def file(self, sha256: str) -> FileEntry | None:
        """What became of the file with this content; None when it was never seen."""
        table = file_ledger.c
        query = select(
            table.sha256, table.name, table.size, table.status, table.report, table.n_new, table.at
        ).where(table.organization_id == self._organization_id, table.sha256 == sha256)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else FileEntry(*row)

    def save_file(self, entry: FileEntry) -> None:
        """Note what became of a file; a file that is known is noted anew."""
        row = {
            "organization_id": self._organization_id,
            "sha256": entry.sha256,
            "name": entry.name,
            "size": entry.size,
            "status": entry.status,
            "report": dict(entry.report),
            "n_new": entry.n_new,
            "at": entry.at,
        }
        self._upsert(file_ledger, [row])

    def add_quarantine(self, sha256: str, rows: Sequence[QuarantinedRow]) -> None:
        """Keep rows that could not be used; a line that is kept already is replaced."""
        mine = {"organization_id": self._organization_id, "sha256": sha256}
        kept = [
            mine | {"line": row.line, "reason": row.reason, "text": row.text[:MAX_QUARANTINE_TEXT]}
            for row in {row.line: row for row in rows}.values()
        ]
        self._upsert(quarantined_row, kept)

    def add_issues(self, sha256: str, issues: Sequence[DataIssue]) -> None:
        """Keep what is wrong in a file; an issue of the same code and place is replaced."""
        mine = {"organization_id": self._organization_id, "sha256": sha256}
        kept = [
            mine | {"code": code, "where": where, "count": issue.count, "facts": dict(issue.facts)}
            for (code, where), issue in {(one.code, one.where[:MAX_WHERE]): one for one in issues}.items()
        ]
        self._upsert(data_issue, kept)

    def quarantine(self, sha256: str) -> list[QuarantinedRow]:
        """The rows of a file that could not be used, by line."""
        table = quarantined_row.c
        query = select(table.line, table.reason, table.text).order_by(table.line)
        mine = query.where(table.organization_id == self._organization_id, table.sha256 == sha256)
        return [QuarantinedRow(*row) for row in self._connection.execute(mine)]

    def issues(self, sha256: str) -> list[DataIssue]:
        """What is wrong in a file, by code and place."""
        table = data_issue.c
        query = select(table.code, table.where, table.count, table.facts).order_by(table.code, table.where)
        mine = query.where(table.organization_id == self._organization_id, table.sha256 == sha256)
        return [DataIssue(*row) for row in self._connection.execute(mine)]

    def add_metric(self, total: int, abnormal: int, percent: float, status: str, at: datetime) -> None:
        """Note how many of how many records an analysis found abnormal."""
        figures = {"total": total, "abnormal": abnormal, "percent": none_if_nan(percent)}
        row = {"organization_id": self._organization_id, "status": status, "at": at} | figures
        self._connection.execute(insert(metric), row)

    def metrics(self) -> list[StoredMetric]:
        """The noted analyses, newest first."""
        table = metric.c
        query = select(table.total, table.abnormal, table.percent, table.status, table.at)
        mine = query.where(table.organization_id == self._organization_id)
        newest_first = mine.order_by(table.at.desc(), table.id.desc())
        found = self._connection.execute(newest_first)
        return [
            StoredMetric(total, abnormal, float("nan") if percent is None else percent, status, at)
            for total, abnormal, percent, status, at in found
        ]
