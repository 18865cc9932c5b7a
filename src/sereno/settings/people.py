"""What people agree on beforehand: maintenance that nobody is called for, and how long things may wait."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sereno.settings.branch import Branch, Duration

__all__ = ["HOURS", "IncidentSettings", "MaintenanceSettings"]

HOURS = r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$"
_MutedEvent = Literal["opened", "reopened", "updated", "escalated", "unacknowledged", "calmed", "cleared"]


class MaintenanceSettings(Branch):
    """Work that is planned: what it disturbs is recorded and shown, and nobody is told meanwhile."""

    site: str = Field(default="", description="Site, * and ? stand for any text; all sites when empty.")
    asset: str = Field(default="", description="Asset, * and ? stand for any text; all when empty.")
    profile: str = Field(default="", description="Profile of the assets; all when empty.")
    cause: str = Field(default="", description="Cause as quality.missing or physics.*; all when empty.")
    problem: str = Field(default="", description="Problem as leak; all when empty.")
    severity_at_most: Literal["low", "medium", "high", "critical"] | None = Field(
        default=None, description="Worse incidents are told all the same."
    )
    start: datetime | None = Field(
        default=None, description="Begin, as 2026-03-01T08:00 (local time); since ever without one."
    )
    end: datetime | None = Field(
        default=None, description="End, itself not in it (local time); for ever without one."
    )
    hours: Annotated[str, Field(pattern=HOURS)] | None = Field(
        default=None, description="Local hours, as 22:00-06:00; the whole day without them."
    )
    days: list[Annotated[int, Field(ge=1, le=7)]] = Field(
        default_factory=list, description="Days on which they begin, 1 for Monday to 7 for Sunday."
    )
    dates: list[date] = Field(
        default_factory=list, description="Further days on which they begin, as holidays: 2026-12-25."
    )
    timezone: str | None = Field(
        default=None, description="IANA zone of the hours; without one, that of the workspace."
    )
    mutes: list[_MutedEvent] = Field(
        default_factory=list,
        description="Events that nobody hears of; when empty all but the end of what was told.",
    )
    comment: str = Field(default="", description="What the work is.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("maintenance ends after it starts: correct start or end")
        if self.hours is not None and not self.days and not self.dates:
            raise ValueError("hours need days or dates on which they begin")
        return self


class IncidentSettings(Branch):
    """How long incidents may wait for people."""

    acknowledge_for: Duration | None = Field(
        default=timedelta(days=7),
        description="How long an acknowledgement lasts while the trouble goes on, as 7d; for ever if null.",
    )
    unattended_after: Duration | None = Field(
        default=timedelta(days=14),
        description="How long an incident that is over waits for somebody before it is closed by itself.",
    )
