"""What is kept, for how long, who may be named, and what is written about the work."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from sereno.settings.branch import Branch, Duration

__all__ = ["LoggingSettings", "PrivacySettings", "RetentionSettings", "StatusSettings"]


class StatusSettings(Branch):
    """When the share of abnormal records is normal, a caution or critical; each `sereno score` notes it."""

    window: Duration = Field(
        default=timedelta(days=30), description="Last stretch of the data that is counted, as 30d."
    )
    caution: float = Field(
        default=1.0, ge=0, le=100, description="From this share of abnormal records on it is a caution [%]."
    )
    critical: float = Field(
        default=4.0, ge=0, le=100, description="Above this share of abnormal records it is critical [%]."
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.critical < self.caution:
            raise ValueError("critical is not below caution")
        return self


class RetentionSettings(Branch):
    """How long things are kept; for ever where nothing is said. `sereno privacy retain` deletes others."""

    readings: Duration | None = Field(
        default=None, description="Age of readings and of their figures by hour and day, by their instant."
    )
    thin: Duration | None = Field(
        default=None,
        description="Age from which, month by month, only figures by day stay of readings, and by hour of "
        "those that come at least every five minutes.",
    )
    hours: Duration | None = Field(default=None, description="Age of figures by hour; those by day stay.")
    incidents: Duration | None = Field(
        default=None,
        description="Age of closed incidents, by their end, with their log and their notifications.",
    )
    detections: Duration | None = Field(default=None, description="Age of ended detections, by their end.")
    notifications: Duration | None = Field(
        default=None, description="Age of notifications that arrived or were given up, by their creation."
    )
    quarantine: Duration | None = Field(
        default=None, description="Age of rows that could not be used, by when their file was read."
    )
    metrics: Duration | None = Field(default=None, description="Age of the figures that each score notes.")
    brought: Duration | None = Field(
        default=timedelta(days=90), description="Age of the entries that say who brought readings."
    )
    max_rows: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict,
        description="Most rows of a profile; the oldest are deleted: {motor: 20000}.",
    )


class PrivacySettings(Branch):
    """Names that say who somebody is: outside sereno they appear as pseudonyms."""

    names: list[str] = Field(
        default_factory=list,
        description="Names of sites and assets that are personal, * and ? stand for any text. Supply-point "
        "numbers of the form of a CUPS always are.",
    )
    key: SecretStr | None = Field(
        default=None,
        description="Key of the pseudonyms as env:NAME or file:PATH, 16 characters at least; otherwise a "
        "file privacy.key that is made in the workspace.",
    )


class LoggingSettings(Branch):
    """The log of long-running commands; secrets and personal names never stand in it."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is written."
    )
    format: Literal["text", "json"] = Field(default="text", description="Lines for people, or JSON.")
    file: str | None = Field(
        default="logs/sereno.log",
        description="File, relative to the workspace or absolute; none when null.",
    )
    max_bytes: int = Field(
        default=10_000_000, ge=1_000, description="Size at which a new file begins [bytes]."
    )
    backups: int = Field(default=5, ge=0, le=100, description="Files before it that are kept.")
