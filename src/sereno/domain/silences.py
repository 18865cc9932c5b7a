"""Who must not be told for a while: silences, and maintenance that comes back every week."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from sereno.domain.judgement import Severity

__all__ = ["DEFAULT_MUTES", "Matcher", "Recurrence", "Silence", "Subject"]

DEFAULT_MUTES = ("opened", "reopened", "updated", "escalated", "unacknowledged", "calmed")
"""Events that a silence keeps quiet: not the end of what was told."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a silence looks at."""

    site: str
    asset: str
    profile: str
    cause: str
    problem: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Matcher:
    """Which incidents; what is empty or None fits all.

    Attributes:
        site, asset, cause, problem: Shell patterns, upper and lower case alike.
        severity_at_most: Worse ones are told all the same.
    """

    site: str = ""
    asset: str = ""
    profile: str = ""
    cause: str = ""
    problem: str = ""
    severity_at_most: Severity | None = None

    def fits(self, subject: Subject) -> bool:
        """Whether all that is said is true of it."""
        said = ("site", "asset", "profile", "cause", "problem")
        are_alike = all(_is_like(getattr(subject, name), getattr(self, name)) for name in said)
        return are_alike and (self.severity_at_most is None or subject.severity <= self.severity_at_most)


def _is_like(text: str, pattern: str) -> bool:
    return not pattern or fnmatchcase(text.casefold(), pattern.casefold())


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Local hours that come back.

    An hour that the clock skips is not in it; one that it shows twice is in it twice. Hours that end before
    they begin go on into the next day.

    Attributes:
        begins, ends: Wall-clock time; the whole day where they are equal.
        zone: IANA name.
        days: Of the week, 1 for Monday to 7 for Sunday, on which the hours begin.
        dates: Further days on which they begin, as holidays.
    """

    begins: time
    ends: time
    zone: str
    days: frozenset[int] = frozenset()
    dates: frozenset[date] = frozenset()

    def covers(self, instant: datetime) -> bool:
        """Whether an instant lies in it."""
        local = instant.astimezone(ZoneInfo(self.zone))
        at = local.time()
        if self.begins < self.ends:
            return self._has(local.date()) and self.begins <= at < self.ends
        is_begun = self._has(local.date()) and at >= self.begins
        return is_begun or (self._has(local.date() - _DAY) and at < self.ends)

    def _has(self, day: date) -> bool:
        return day.isoweekday() in self.days or day in self.dates


@dataclass(frozen=True, slots=True)
class Silence:
    """Who is not told of what, when, and why.

    Attributes:
        starts_at, ends_at: It is in force in [start, end); without an end until somebody ends it.
        recurrence: Only then, between start and end; always without one.
        mutes: Names of the events that nobody hears of.
        ended_at, ended_by: When somebody ended it early.
    """

    id: str
    starts_at: datetime
    ends_at: datetime | None
    matcher: Matcher
    author: str
    comment: str
    at: datetime
    recurrence: Recurrence | None = None
    mutes: tuple[str, ...] = DEFAULT_MUTES
    ended_at: datetime | None = None
    ended_by: str | None = None
    is_declared: bool = field(default=False, compare=False)

    def covers(self, instant: datetime) -> bool:
        """Whether it is in force at an instant."""
        stops = [end for end in (self.ends_at, self.ended_at) if end is not None]
        is_within = self.starts_at <= instant and all(instant < stop for stop in stops)
        return is_within and (self.recurrence is None or self.recurrence.covers(instant))

    def covers_all(self, first: datetime, last: datetime) -> bool:
        """Whether it was in force all the time from an instant to another, to the quarter of an hour."""
        return all(self.covers(instant) for instant in _quarters(first, last))

    def to_json(self, now: datetime) -> dict[str, object]:
        """The object of `silences list --json`."""
        matcher: dict[str, object] = {
            name: getattr(self.matcher, name)
            for name in ("site", "asset", "profile", "cause", "problem")
            if getattr(self.matcher, name)
        }
        if self.matcher.severity_at_most is not None:
            matcher["severity_at_most"] = self.matcher.severity_at_most.name.lower()
        return {
            "id": self.id,
            "in_force": self.covers(now),
            "starts_at": _text(self.starts_at),
            "ends_at": _text(self.ends_at),
            "ended_at": _text(self.ended_at),
            "ended_by": self.ended_by,
            "matcher": matcher,
            "recurrence": None if self.recurrence is None else _recurrence_json(self.recurrence),
            "mutes": list(self.mutes),
            "author": self.author,
            "comment": self.comment,
            "declared": self.is_declared,
        }


_QUARTER = timedelta(minutes=15)
_MOST_QUARTERS = 4 * 24 * 31


def _quarters(first: datetime, last: datetime) -> Iterator[datetime]:
    """Instants a quarter of an hour apart, and the last; of a longer time than a month only the ends."""
    yield last
    yield first
    if last - first <= _MOST_QUARTERS * _QUARTER:
        count = int((last - first) / _QUARTER)
        yield from (first + number * _QUARTER for number in range(1, count + 1))


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _recurrence_json(one: Recurrence) -> Mapping[str, object]:
    return {
        "hours": f"{one.begins:%H:%M}-{one.ends:%H:%M}",
        "zone": one.zone,
        "days": sorted(one.days),
        "dates": [day.isoformat() for day in sorted(one.dates)],
    }
