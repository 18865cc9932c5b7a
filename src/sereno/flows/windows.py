"""Quiet hours and digests by the clock on the wall, across changes of it."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sereno.settings.alerting import DigestSettings, QuietHours

__all__ = ["next_digest", "quiet_until"]

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_DAYS_AHEAD = 9
"""Days among which the next weekly digest surely is."""


def quiet_until(quiet: QuietHours | None, zone: str, at: datetime) -> datetime | None:
    """The end of the quiet hours that an instant is in, UTC; None where it is in none.

    Example:
        >>> night = QuietHours.model_validate({"from": "22:00", "to": "07:00"})
        >>> quiet_until(night, "Europe/Madrid", datetime(2025, 3, 29, 23, tzinfo=UTC))
        datetime.datetime(2025, 3, 30, 5, 0, tzinfo=datetime.timezone.utc)
    """
    if quiet is None:
        return None
    today = at.astimezone(ZoneInfo(zone)).date()
    for day in (today - _DAY, today):
        is_overnight = quiet.end <= quiet.begin
        begin = _instant(day, quiet.begin, zone)
        end = _instant(day + _DAY if is_overnight else day, quiet.end, zone)
        if begin <= at < end and (not quiet.days or day.isoweekday() in quiet.days):
            return end
    return None


def next_digest(digest: DigestSettings, zone: str, at: datetime) -> datetime:
    """When the next digest leaves after an instant, UTC."""
    if digest.every == "hourly":
        return at.replace(minute=0, second=0, microsecond=0) + _HOUR
    today = at.astimezone(ZoneInfo(zone)).date()
    days = (today + n * _DAY for n in range(_DAYS_AHEAD))
    instants = (
        _instant(day, clock, zone)
        for day in days
        if digest.every != "weekly" or day.isoweekday() == digest.day
        for clock in digest.times
    )
    return next(instant for instant in instants if instant > at)


def _instant(day: date, clock: str, zone: str) -> datetime:
    """When a clock on the wall shows a time; one that is skipped that day counts as if it were not."""
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone)).astimezone(UTC)
