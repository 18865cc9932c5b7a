"""Reports that leave by themselves: made when their time has come, then queued for their receivers.

The file is made once and kept until it has left, so that every attempt brings the same; the outbox does the
rest. What could not leave while nothing ran leaves later, for as long as a message is tried.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from sereno.domain.errors import LeaseTaken, NotFound, PdfUnavailable, SerenoError, StoreError
from sereno.domain.time import isoformat
from sereno.flows.attachments import FILES, drop_old, new_folder
from sereno.flows.papers import Subject, paper_of, write_paper
from sereno.flows.workspace import Workspace
from sereno.report.papers import Paper
from sereno.settings.reports import ReportSettings
from sereno.store import NewNotification, NotificationQuery, StoredNotification
from sereno.store.outbox import PATIENCE

__all__ = [
    "REPORT",
    "ReportPeriod",
    "ScheduledReport",
    "keep_mailed",
    "last_period",
    "mail_reports",
    "next_due",
    "queue_report",
    "scheduled_reports",
]

log = logging.getLogger(__name__)

REPORT = "report"
"""The event of a notification that brings one."""
_LOOK_S = 60.0
_DIGEST_LENGTH = 24
_DAY = timedelta(days=1)
_LOOKED_THROUGH = 100
"""Messages of a receiver among which the last report is looked for."""


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """When a report leaves, and the time that it is about, [start, end), UTC."""

    due: datetime
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ScheduledReport:
    """A report that leaves by itself.

    Attributes:
        last: The newest message that brought it, by receiver; those that got none are missing.
    """

    name: str
    settings: ReportSettings
    next_at: datetime
    last: Mapping[str, StoredNotification]


def scheduled_reports(workspace: Workspace) -> list[ScheduledReport]:
    """The reports of the settings, and what became of their last messages."""
    reports, now = workspace.settings.reports, workspace.now()
    receivers = {to for one in reports.values() for to in one.to}
    last: dict[str, dict[str, StoredNotification]] = {name: {} for name in reports}
    with workspace.store.read() as tx:
        for to in receivers:
            for told in tx.find_notifications(NotificationQuery(receiver=to), limit=_LOOKED_THROUGH):
                if told.event == REPORT:
                    last.get(str(told.body.get("report")), {}).setdefault(to, told)
    return [
        ScheduledReport(name, one, next_due(one, workspace.zone, now), last[name])
        for name, one in reports.items()
    ]


def last_period(report: ReportSettings, zone: str, now: datetime) -> ReportPeriod:
    """The last time that a report was due, by the clock on the wall.

    Example:
        >>> weekly = ReportSettings(to=["correo"])
        >>> last_period(weekly, "Europe/Madrid", datetime(2025, 6, 2, 5, tzinfo=UTC)).start.isoformat()
        '2025-05-25T22:00:00+00:00'
    """
    today = now.astimezone(ZoneInfo(zone)).date()
    day = _on_or_before(today, report)
    if _instant(day, report.at, zone) > now:
        day = _before(day, report)
    start = _before(day, report)
    return ReportPeriod(
        _instant(day, report.at, zone), _instant(start, "00:00", zone), _instant(day, "00:00", zone)
    )


def next_due(report: ReportSettings, zone: str, now: datetime) -> datetime:
    """When it leaves next."""
    today = now.astimezone(ZoneInfo(zone)).date()
    day = _on_or_before(today, report)
    while (due := _instant(day, report.at, zone)) <= now:
        day = _on_or_before(day + {"day": 1, "week": 7, "month": 31}[report.every] * _DAY, report)
    return due


def mail_reports(workspace: Workspace) -> int:
    """Queue the reports that are due and were not queued yet; returns how many messages there are.

    Raises:
        StoreError: The store refused.
    """
    now, n_queued = workspace.now(), 0
    drop_old(workspace.folder, now)
    for name, report in workspace.settings.reports.items():
        period = last_period(report, workspace.zone, now)
        if now - period.due >= PATIENCE:
            continue
        try:
            n_queued += queue_report(workspace, name, period)
        except StoreError:
            raise
        except (SerenoError, OSError) as error:
            log.warning("report not mailed, trying again", extra={"report": name, "error": str(error)})
    return n_queued


def queue_report(workspace: Workspace, name: str, period: ReportPeriod | None = None) -> int:
    """Make a report and queue it for its receivers, those excepted that it was queued for before.

    Args:
        period: Of a schedule; without one the report leaves now, about the last period.

    Raises:
        NotFound: There is no such report in the settings.
        UnknownAsset: It is about a site that does not exist.
        SystemRefused: Its file cannot be written.
    """
    reports, now = workspace.settings.reports, workspace.now()
    if name not in reports:
        raise NotFound(what="report", id=name, hint="")
    report = reports[name]
    found = period or last_period(report, workspace.zone, now)
    at = found.due if period is not None else now
    keys = {to: f"{REPORT}:{name}:{isoformat(at)}:{to}" for to in report.to}
    with workspace.store.read() as tx:
        missing = {to: key for to, key in keys.items() if tx.notification_by_key(key) is None}
    bodies = {
        language: _body(workspace, name, found, language) for language in _languages(workspace, missing)
    }
    new = [
        NewNotification(key, to, REPORT, now, body=bodies[_language(workspace, to)])
        for to, key in missing.items()
    ]
    if new:
        with workspace.store.begin() as tx:
            tx.add_notifications(new)
    return len(new)


def keep_mailed(workspace: Workspace, stop: threading.Event | None = None) -> None:
    """Queue what is due; until stopped, or once without an event."""
    while workspace.settings.reports:
        try:
            with workspace.duty("reports"):
                mail_reports(workspace)
        except LeaseTaken:
            log.debug("another process mails the reports")
        except StoreError as error:
            if not error.is_retriable:
                raise
            log.warning("reports not mailed, trying again", extra={"error": str(error)})
        if stop is None or stop.wait(_LOOK_S):
            return


def _languages(workspace: Workspace, receivers: Mapping[str, str]) -> Sequence[str]:
    return list(dict.fromkeys(_language(workspace, to) for to in receivers))


def _language(workspace: Workspace, receiver: str) -> str:
    return workspace.settings.receivers[receiver].language or workspace.language


def _body(workspace: Workspace, name: str, period: ReportPeriod, language: str) -> dict[str, object]:
    """What a notification says, with its files written."""
    report = workspace.settings.reports[name]
    paper = paper_of(
        workspace,
        Subject(report.about),
        report.site or "",
        start=period.start,
        end=period.end,
        language=language,
    )
    last = (period.end - timedelta(microseconds=1)).astimezone(ZoneInfo(workspace.zone)).date()
    made = isoformat(workspace.now())
    digest = sha256(f"{name}|{made}|{language}".encode()).hexdigest()[:_DIGEST_LENGTH]
    folder = new_folder(workspace.folder, digest)
    files = [_written(paper, folder / f"sereno-{name}-{last.isoformat()}.{kind}") for kind in report.formats]
    relative = [path.relative_to(workspace.folder).as_posix() for path in dict.fromkeys(files)]
    told = "\n\n".join(paper.lead)
    first = period.start.astimezone(ZoneInfo(workspace.zone)).date()
    days = first.isoformat() if first == last else f"{first.isoformat()} – {last.isoformat()}"
    facts = {"title": paper.title, "days": days, "about": paper.about, "told": told}
    return {"report": name, **facts, FILES: relative}


def _written(paper: Paper, path: Path) -> Path:
    try:
        write_paper(paper, path)
    except PdfUnavailable as error:
        log.warning("report leaves as HTML", extra={"report": path.name, "error": str(error)})
        path = path.with_suffix(".html")
        write_paper(paper, path)
    return path


def _on_or_before(day: date, report: ReportSettings) -> date:
    """The last day up to this one on which a report leaves."""
    if report.every == "day":
        return day
    if report.every == "week":
        return day - ((day.isoweekday() - report.day) % 7) * _DAY
    return day.replace(day=report.day) if day.day >= report.day else _before(day, report)


def _before(day: date, report: ReportSettings) -> date:
    """The day on which it left before."""
    if report.every == "month":
        return (day.replace(day=1) - _DAY).replace(day=report.day)
    return day - (1 if report.every == "day" else 7) * _DAY


def _instant(day: date, clock: str, zone: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone)).astimezone(UTC)
