"""Branches of `sereno.yaml` for who is told: receivers, routes, and the watch over the watch itself."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, model_validator

from sereno.settings.branch import Branch, Duration

__all__ = [
    "DeadManSettings",
    "DeliveryBudget",
    "DigestSettings",
    "EscalationSettings",
    "HeartbeatSettings",
    "QuietHours",
    "ReceiverName",
    "ReceiverSettings",
    "RouteMatch",
    "RouteSettings",
]

ReceiverName = Annotated[str, Field(pattern=r"^[\w.-]+$", max_length=80)]
"""What stands in keys of messages: letters, digits, `_`, `-` and `.`."""

_WallClock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
_Weekday = Annotated[int, Field(ge=1, le=7)]
_Severity = Literal["low", "medium", "high", "critical"]

_TIMES = {"shift": ["06:00", "14:00", "22:00"], "weekly": ["08:00"]}
"""When digests leave that do not say it."""


class QuietHours(Branch):
    """Local hours in which a receiver wants no messages; they leave at the end."""

    model_config = ConfigDict(populate_by_name=True)

    begin: _WallClock = Field(alias="from", description="Local time at which quiet begins, as 22:00.")
    end: _WallClock = Field(
        alias="to",
        description="Local time at which it ends, as 07:00; the next day if not later than `from`.",
    )
    days: list[_Weekday] = Field(
        default_factory=list,
        description="Days on which quiet begins, 1 for Monday to 7 for Sunday; all when empty.",
    )
    unless: _Severity | None = Field(
        default="critical", description="Severity from which a message passes all the same; null for none."
    )


class DeliveryBudget(Branch):
    """How much a receiver is told at most; what is beyond it leaves together in one digest (EEMUA 191)."""

    messages: int = Field(default=10, ge=1, description="Messages at most in that time, digests included.")
    per: Duration = Field(default=timedelta(minutes=10), description="Time that it counts over, as 10min.")


class DigestSettings(Branch):
    """Whether messages leave one by one or together; a bare name stands for how often."""

    every: Literal["none", "hourly", "shift", "weekly"] = Field(
        default="none", description="How often a digest leaves: none, hourly, shift or weekly."
    )
    at: list[_WallClock] = Field(
        default_factory=list,
        description="Local times: of shift 06:00, 14:00 and 22:00 unless said; of weekly 08:00.",
    )
    day: _Weekday = Field(default=1, description="Day of a weekly digest, 1 for Monday to 7 for Sunday.")
    unless: _Severity | None = Field(
        default="critical", description="Severity from which a message leaves at once; null for none."
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, said: object) -> object:
        # YAML reads a bare `none` as text, and `off` as false.
        return {"every": said or "none"} if isinstance(said, str | bool) else said

    @property
    def times(self) -> list[str]:
        """The local times at which a digest leaves, ascending; without meaning where it is hourly."""
        return sorted(self.at or _TIMES.get(self.every, []))


class ReceiverSettings(Branch):
    """Somebody or something that is told."""

    kind: str = Field(description="What carries the messages: webhook, smtp, or another that is installed.")
    language: Literal["es", "en"] | None = Field(
        default=None, description="Language of its messages; without one, that of the workspace."
    )
    timezone: str | None = Field(
        default=None, description="IANA zone of its quiet hours and digests; that of the workspace otherwise."
    )
    quiet_hours: QuietHours | None = Field(default=None, description="Hours in which it wants no messages.")
    budget: DeliveryBudget = Field(
        default_factory=DeliveryBudget, description="How much it is told at most before it gets a digest."
    )
    digest: DigestSettings = Field(
        default_factory=DigestSettings, description="Whether its messages leave together, and when."
    )
    self_test: Duration | None = Field(
        default=timedelta(days=7),
        description="A test is sent when nothing has arrived for so long, as 7d; null for never.",
    )
    options: dict[str, JsonValue] = Field(
        default_factory=dict,
        repr=False,
        description="Options of its kind, as its page lists them; secrets as env:NAME or file:PATH.",
    )


class RouteMatch(Branch):
    """Which incidents a route is for; what is not said matches all."""

    sites: list[str] = Field(default_factory=list, description="Names of sites (shell patterns).")
    assets: list[str] = Field(
        default_factory=list, description="Assets as `Asset` or `Site/Asset` (shell patterns)."
    )
    profiles: list[str] = Field(default_factory=list, description="Profiles of the assets.")
    severity: _Severity = Field(default="low", description="Severity from which it is for the route.")
    kinds: list[Literal["data", "physics", "behaviour"]] = Field(
        default_factory=list, description="Kinds of incident: data, physics, behaviour."
    )
    problems: list[str] = Field(
        default_factory=list, description="Problems or causes, as leak or quality.* (shell patterns)."
    )


class EscalationSettings(Branch):
    """Who else is told of an incident that nobody acknowledges."""

    after: Duration = Field(description="Time from opening without an acknowledgement, as 30min.")
    to: list[str] = Field(min_length=1, description="Receivers that are told then.")


class RouteSettings(Branch):
    """Who is told of which incidents; an incident takes all the routes that match it."""

    match: RouteMatch = Field(default_factory=RouteMatch, description="Which incidents; all without it.")
    to: list[str] = Field(min_length=1, description="Receivers that are told.")
    resolved: bool = Field(
        default=True, description="Whether the end of an incident is told to those that heard of it."
    )
    escalate: list[EscalationSettings] = Field(
        default_factory=list, description="Further receivers, in the order of `after`."
    )


class HeartbeatSettings(Branch):
    """A sign of life, so that somebody else notices when sereno itself is gone."""

    to: str = Field(description="Receiver that gets it; best one that raises an alarm when it stays away.")
    every: Duration = Field(default=timedelta(minutes=5), description="Time between two of them, as 5min.")


class DeadManSettings(Branch):
    """What happens when nothing happens any more."""

    to: list[str] = Field(
        default_factory=list,
        description="Receivers told when readings stay away, and when another receiver cannot be reached.",
    )
    after: Duration = Field(
        default=timedelta(days=1), description="Time without readings of a site that is too long, as 6h."
    )
    heartbeat: HeartbeatSettings | None = Field(default=None, description="A sign of life for somebody else.")
