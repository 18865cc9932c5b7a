"""Silences and maintenance: from what people write to what is kept quiet."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sereno.domain.errors import InvalidSilence, SettingsError
from sereno.domain.judgement import Severity
from sereno.domain.silences import DEFAULT_MUTES, Matcher, Recurrence, Silence
from sereno.settings.people import MaintenanceSettings
from sereno.store import Transaction

__all__ = ["SilenceRequest", "add_silence", "declared_silences"]

_ID_LENGTH = 12
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SilenceRequest:
    """What somebody wants to be quiet.

    Attributes:
        starts_at, ends_at: Naive times are of `zone`; from now on without a start.
        hours: Local hours as `22:00-06:00`, on `days` (1 for Monday) and `dates`.
    """

    matcher: Matcher
    author: str
    comment: str
    zone: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    hours: str = ""
    days: Sequence[int] = ()
    dates: Sequence[date] = ()
    mutes: Sequence[str] = field(default=DEFAULT_MUTES)


def add_silence(tx: Transaction, request: SilenceRequest, *, now: datetime) -> Silence:
    """Keep a silence.

    Raises:
        InvalidSilence: It has no comment, ends before it begins, would never end, or its hours make no sense.
    """
    starts, ends = _aware(request.starts_at, request.zone) or now, _aware(request.ends_at, request.zone)
    if not request.comment.strip():
        raise InvalidSilence(detail="it needs a comment that says why")
    if ends is not None and ends <= max(starts, now):
        raise InvalidSilence(detail="it ends before it begins, or is over already")
    if ends is None and not request.hours:
        raise InvalidSilence(detail="it would never end: give an end, or hours that come back")
    recurrence = _recurrence(request)
    told = f"{tx.namespace}|{starts.isoformat()}|{ends}|{request}|{now.isoformat()}|{len(tx.silences())}"
    silence = Silence(
        id=hashlib.sha256(told.encode()).hexdigest()[:_ID_LENGTH],
        starts_at=starts,
        ends_at=ends,
        matcher=request.matcher,
        author=request.author,
        comment=request.comment,
        at=now,
        recurrence=recurrence,
        mutes=tuple(request.mutes),
    )
    tx.add_silence(silence)
    return silence


def declared_silences(maintenance: Mapping[str, MaintenanceSettings], zone: str) -> list[Silence]:
    """The silences that the settings declare, each known as `maintenance.NAME`.

    Args:
        zone: Of the workspace, for those that name none.

    Raises:
        SettingsError: A time zone is none.
    """
    return [_declared(name, said, zone) for name, said in maintenance.items()]


def _declared(name: str, said: MaintenanceSettings, zone: str) -> Silence:
    where = f"maintenance.{name}"
    own = said.timezone or zone
    worst = said.severity_at_most
    matcher = Matcher(
        site=said.site,
        asset=said.asset,
        profile=said.profile,
        cause=said.cause,
        problem=said.problem,
        severity_at_most=None if worst is None else Severity[worst.upper()],
    )
    request = SilenceRequest(
        matcher,
        author="sereno.yaml",
        comment=said.comment or name,
        zone=own,
        hours=said.hours or ("00:00-24:00" if said.days or said.dates else ""),
        days=said.days,
        dates=said.dates,
    )
    try:
        return Silence(
            id=where,
            starts_at=_aware(said.start, own) or _EVER,
            ends_at=_aware(said.end, own),
            matcher=matcher,
            author=request.author,
            comment=request.comment,
            at=_EVER,
            recurrence=_recurrence(request),
            mutes=tuple(said.mutes) or DEFAULT_MUTES,
            is_declared=True,
        )
    except InvalidSilence as error:
        hint = "Correct it in sereno.yaml."
        raise SettingsError(where=where, detail=str(error.facts["detail"]), hint=hint) from error


def _recurrence(request: SilenceRequest) -> Recurrence | None:
    if not request.hours:
        return None
    _zone(request.zone)
    if not request.days and not request.dates:
        raise InvalidSilence(detail="hours need days or dates on which they begin")
    try:
        begins, ends = (_clock(part) for part in request.hours.split("-"))
    except ValueError as error:
        raise InvalidSilence(detail=f"'{request.hours}' are no hours: write 22:00-06:00") from error
    return Recurrence(begins, ends, request.zone, frozenset(request.days), frozenset(request.dates))


def _clock(text: str) -> time:
    return time() if text.strip() == "24:00" else time.fromisoformat(text.strip())


def _aware(instant: datetime | None, zone: str) -> datetime | None:
    if instant is None or instant.tzinfo is not None:
        return instant
    return instant.replace(tzinfo=_zone(zone)).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        detail = f"'{name}' is not a time zone: write one as Europe/Madrid"
        raise InvalidSilence(detail=detail) from error
