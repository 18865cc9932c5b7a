"""The one stretch of time that all pages show, as it stands in the URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sereno.domain.errors import UsageError

__all__ = ["LONGEST", "PRESETS", "DateRange"]

PRESETS: Mapping[str, timedelta] = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "365d": timedelta(days=365),
}
_USUAL = "7d"
LONGEST = timedelta(days=3660)
"""What a page shows at most."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DateRange:
    """Readings with start <= time < end.

    Attributes:
        preset: Name of a stretch that ends with the data; empty for two given days.
        first, last: Days by the calendar of the workspace, both inside.
    """

    start: datetime
    end: datetime
    preset: str
    first: date
    last: date

    @classmethod
    def of(cls, query: Mapping[str, str], *, until: datetime, zone: str) -> "DateRange":
        """The stretch that a query asks for: `range=7d`, or `from` and `to` as days.

        Args:
            until: End of the data, where a preset ends.

        Raises:
            UsageError: The days are none, or the wrong way round.
        """
        info = ZoneInfo(zone)
        if query.get("from") or query.get("to"):
            first, last = _day(query, "from"), _day(query, "to")
            last = last or until.astimezone(info).date()
            first = first or last - timedelta(days=6)
            if first > last or last - first > LONGEST:
                detail = f"'{first}' to '{last}' is no stretch of time"
                raise UsageError(detail=detail, command="console")
            start, end = (_midnight(day, info) for day in (first, last + _DAY))
            return cls(start, end, "", first, last)
        preset = query.get("range", _USUAL)
        if preset not in PRESETS:
            raise UsageError(detail=f"'{preset}' is none of {', '.join(PRESETS)}", command="console")
        end = until + timedelta(microseconds=1)
        start = end - PRESETS[preset]
        return cls(start, end, preset, start.astimezone(info).date(), until.astimezone(info).date())

    @property
    def query(self) -> dict[str, str]:
        """As it stands in a URL; nothing for the usual stretch."""
        if not self.preset:
            return {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return {} if self.preset == _USUAL else {"range": self.preset}


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(detail=f"'{text}' is not a day: write 2026-05-01", command="console") from None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
