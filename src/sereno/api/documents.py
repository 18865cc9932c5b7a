"""The documents of the API: the fields are those that `--json` prints."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

__all__ = [
    "AssetDocument",
    "CorrectionDocument",
    "DetectionDocument",
    "EventDocument",
    "FullIncidentDocument",
    "IncidentDocument",
    "IssueDocument",
    "JobDocument",
    "ModelDocument",
    "NotificationDocument",
    "QualityDocument",
    "ReceiverDocument",
    "RegimeDocument",
    "SeriesDocument",
    "SeverityName",
    "SignalDocument",
    "SilenceDocument",
    "VerdictName",
    "WouldChangeDocument",
]

SeverityName = Literal["low", "medium", "high", "critical"]
VerdictName = Literal["real", "false_alarm", "expected", "data_problem"]
KindName = Literal["data", "physics", "behaviour"]
Time = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T08:00:00Z"]})
]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class AssetDocument(_Document):
    """Something that is watched."""

    id: int = Field(description="Its number, by which other resources name it.", examples=[1])
    site: str = Field(description="As in the file.", examples=["Planta 1"])
    asset: str = Field(description="As in the file.", examples=["Inversor 1"])
    profile: str = Field(description="What kind of asset it is.", examples=["solar"])
    zone: str = Field(description="IANA zone of its site.", examples=["Europe/Madrid"])
    step_s: float | None = Field(description="Its rhythm [s]; null where it has none.", examples=[3600])
    simulated: bool = Field(description="Whether all its readings come from a simulator.")
    signals: list[str] = Field(description="What it sends.", examples=[["generation", "consumption"]])
    first_reading_at: Time | None = Field(description="Its first instant.")
    last_reading_at: Time | None = Field(description="Its last instant.")


class SignalDocument(_Document):
    """One magnitude of an asset."""

    signal: str = Field(examples=["generation"])
    quantity: str = Field(examples=["energy"])
    unit: str = Field(description="Canonical unit.", examples=["kWh"])
    kind: Literal["instant", "interval", "cumulative"] = Field(
        description="A value at the instant, a total over the step that begins there, or a register."
    )
    minimum: float | None = Field(description="Below it a value is implausible.")
    maximum: float | None = Field(description="Above it a value is implausible.")
    label: str = Field(description="Its name in English.")
    label_es: str = Field(description="Its name in Spanish.")


class DetectionDocument(_Document):
    """An interval of an asset judged abnormal, with its evidence."""

    id: int
    site: str
    asset: str
    check: str = Field(description="What judged it.", examples=["behaviour"])
    kind: KindName
    cause: str = Field(examples=["behaviour.low"])
    severity: SeverityName
    started_at: Time = Field(description="Start of the first abnormal step.")
    ended_at: Time | None = Field(description="End of the last abnormal step; null while it goes on.")
    last_at: Time = Field(description="Start of the last abnormal step so far.")
    peak_at: Time = Field(description="Where it was worst.")
    signals: list[str] = Field(description="The most guilty first.")
    score: float | None
    threshold: float | None
    observed: float | None = Field(description="Of the first signal at the peak, in `unit`.")
    expected: float | None = Field(description="What it should have been, in `unit`.")
    unit: str
    impact: float | None = Field(description="Sum of observed - expected, in `impact_unit`.")
    impact_unit: str
    rows: int = Field(description="Abnormal steps.")
    contributions: dict[str, float | None] = Field(description="Share of each signal in the evidence.")
    model: str | None = Field(description="The model that judged; null for data and physics.")


class LineDocument(_Document):
    """The points of one signal."""

    signal: str
    unit: str
    kind: Literal["instant", "interval", "cumulative"]
    label: str
    label_es: str
    rows: int = Field(description="Instants that the points stand for.")
    time: list[Time] = Field(description="Ascending, UTC.")
    value: list[float | None] = Field(description="Raw; null draws a gap.")


class FlaggedDocument(_Document):
    """A run of readings with the same quality flags."""

    model_config = ConfigDict(populate_by_name=True)

    signal: str
    begin: Time = Field(alias="from")
    end: Time = Field(alias="to", description="The last flagged instant.")
    flags: list[str] = Field(examples=[["frozen"]])


class SeriesDocument(_Document):
    """A stretch of an asset's readings, few enough to be drawn."""

    model_config = ConfigDict(populate_by_name=True)

    asset_id: int
    site: str
    asset: str
    profile: str
    zone: str = Field(description="IANA zone of the site, for the axis.")
    step_s: float | None
    begin: Time = Field(alias="from")
    end: Time = Field(alias="to")
    points: int = Field(description="How many points of each signal were asked for at most.")
    decimation: Literal["min_max"] | None = Field(
        description="`min_max`: the lowest, the highest and a gap of each of equal spans; null: all points."
    )
    series: list[LineDocument]
    flagged: list[FlaggedDocument] = Field(description="By start; the first 1,000.")
    detections: list[DetectionDocument] = Field(description="Those that touch the stretch.")


class SpanDocument(_Document):
    """When an earlier incident began and ended."""

    started_at: Time
    ended_at: Time | None


class IncidentDocument(_Document):
    """Detections of one cause, and what people did about them; as `sereno incidents list --json`."""

    id: str = Field(examples=["6f1d9c0a2b7e4f53"])
    site: str
    asset: str
    signals: list[str] = Field(description="The most guilty first.", examples=[["generation"]])
    kind: KindName
    cause: str = Field(description="Stable code.", examples=["behaviour.low"])
    problem: str = Field(description="What kind of trouble it is.", examples=["underperformance"])
    severity: SeverityName
    condition: Literal["active", "cleared"]
    state: Literal["new", "acknowledged", "closed"]
    verdict: VerdictName | None
    visibility: Literal["shown", "silenced", "shelved", "inhibited"] = Field(
        description="Whether people are told of it, and why not."
    )
    chattering: bool
    unattended: bool = Field(description="Closed because nobody came.")
    parents: list[str] = Field(description="Incidents that explain it.")
    children: int = Field(description="How many it explains.")
    silences: list[str]
    escalated: int = Field(description="Last step of its escalation.")
    shelved_until: Time | None
    peak_at: Time
    recommendation: str
    recommendation_es: str
    opened_at: Time = Field(description="By the clock of the people.")
    started_at: Time = Field(description="In the time of the data.")
    ended_at: Time | None
    score: float | None
    threshold: float | None
    observed: float | None
    expected: float | None
    normal_to: float | None = Field(description="Edge of what is normal.")
    unit: str
    impact: float | None
    impact_unit: str
    cost: float | None = Field(description="null without a tariff.")
    cost_per_day: float | None
    currency: str | None
    sentence: str = Field(description="The incident in one sentence, in English.")
    sentence_es: str = Field(description="The same in Spanish.")
    model: str | None
    owner: str | None
    similar: list[SpanDocument] = Field(description="The last three of the same trouble.")
    similar_count: int
    recurrence: Literal["rising", "steady", "first"]
    contributions: dict[str, float]


class OutlookDocument(_Document):
    """Where an incident is heading."""

    course: str
    reaches: str | None
    after_hours: float | None
    sentence: str
    sentence_es: str


class EventDocument(_Document):
    """One entry of an incident's log."""

    at: Time
    event: str = Field(examples=["acknowledged"])
    who: str
    facts: dict[str, str]


class AttemptDocument(_Document):
    """One try to deliver a notification."""

    at: Time
    outcome: str
    code: str
    detail: str
    latency_ms: float | None


class NotificationDocument(_Document):
    """What somebody was told, and the proof of it."""

    id: int
    key: str = Field(description="The receiver knows it, too: a repeat has the same one.")
    incident: str | None
    receiver: str
    event: str
    status: Literal["queued", "held", "leased", "sent", "folded", "dead", "kept"]
    created_at: Time
    next_at: Time | None
    sent_at: Time | None
    carried_by: int | None = Field(description="The notification that told it, too.")
    reason: str | None
    attempts: list[AttemptDocument]


class FullIncidentDocument(IncidentDocument):
    """An incident with where it is heading, what it explains, its log and who was told."""

    outlook: OutlookDocument | None
    heading: str | None = Field(description="Where it is heading, or why nobody knows.")
    heading_es: str | None
    explains: list[str]
    events: list[EventDocument]
    notifications: list[NotificationDocument]


class WouldChangeDocument(_Document):
    """What a verdict would change of the last 90 days."""

    incident: str
    asset: str
    check: str
    verdict: VerdictName
    since: Time
    factor: float | None = Field(description="What would multiply the threshold; null: nothing would move.")
    threshold: float | None
    becomes: float | None
    kept_quiet: bool
    gone: list[str] = Field(description="Other incidents that would go.")
    shorter: list[str]
    kept: int
    real_that_would_be_lost: list[str]


class RecurrenceDocument(_Document):
    """Local hours that come back."""

    hours: str = Field(examples=["22:00-06:00"])
    zone: str
    days: list[int] = Field(description="1 for Monday.")
    dates: list[str]


class SilenceDocument(_Document):
    """Who must not be told for a while."""

    id: str
    in_force: bool
    starts_at: Time
    ends_at: Time | None
    ended_at: Time | None
    ended_by: str | None
    matcher: dict[str, str]
    recurrence: RecurrenceDocument | None
    mutes: list[str]
    author: str
    comment: str
    declared: bool = Field(description="In sereno.yaml, as maintenance.")
    incidents: int = Field(description="How many it keeps quiet, or kept to their end.")


class ReceiverDocument(_Document):
    """Somebody who is told, and how that goes; nothing of how to reach them."""

    name: str
    kind: str = Field(examples=["webhook"])
    condition: Literal["ok", "new", "waiting", "broken", "disabled"]
    reason: str | None
    accepted_at: Time | None
    tested_at: Time | None
    broken_since: Time | None
    disabled_at: Time | None
    blocked_until: Time | None
    queued: int
    held: int
    leased: int
    sent: int
    folded: int
    dead: int
    kept: int = Field(description="That a restore keeps until somebody releases them.")


class ModelDocument(_Document):
    """A trained model in a line; as `sereno models list --json`."""

    id: str
    profile: str
    detector: str
    trained_at: Time
    judges: bool
    assets: int
    requested: float = Field(description="False episodes per week and asset that were asked for.")
    promised: float
    realised: float
    asset_weeks: float
    threshold: float | None
    method: str
    claim: str
    recalibrated_from: str | None


class CorrectionDocument(_Document):
    """What a reading should have said, beside what it said."""

    id: str
    site: str
    asset: str
    signal: str
    kind: Literal["factor", "offset", "missing", "interpolate", "value"]
    started_at: Time
    ended_at: Time
    amount: float | None
    unit: str
    author: str
    reason: str
    at: Time
    undone_at: Time | None
    undone_by: str | None
    undone_reason: str | None
    values: int | None = Field(None, description="Raw values that it is about; only when it is made.")


class LevelDocument(_Document):
    """A signal that is at another level."""

    signal: str
    before: float
    after: float
    unit: str


class RegimeDocument(_Document):
    """A process line that runs otherwise from an instant on."""

    site: str
    asset: str
    at: Time
    kind: Literal["start", "stop", "set_point"]
    signals: list[LevelDocument]
    sentence: str
    sentence_es: str


class IssueDocument(_Document):
    """Something wrong in a file."""

    file: str
    sha256: str
    at: Time = Field(description="When the file was read.")
    code: str = Field(examples=["quality.duplicate_conflicting"])
    where: str
    count: int
    sentence: str
    sentence_es: str


class QualityDocument(_Document):
    """What there is of a signal over its last days."""

    model_config = ConfigDict(populate_by_name=True)

    site: str
    asset: str
    signal: str
    begin: Time = Field(alias="from")
    end: Time = Field(alias="to")
    due: int = Field(description="Instants of its rhythm.")
    values: int
    percent: float
    flags: dict[str, int] = Field(description="Values by quality flag.")


class JobErrorDocument(_Document):
    """Why a job failed."""

    code: str
    sentence: str
    sentence_es: str


class JobDocument(_Document):
    """Long work that goes on behind a request."""

    id: str
    kind: Literal[
        "train", "score", "recalibrate", "retrain", "drift", "segment", "report", "simulate", "reset"
    ]
    state: Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
    options: dict[str, JsonValue]
    author: str
    progress: dict[str, JsonValue]
    result: dict[str, Any] | None = Field(description="What the command of that name prints.")
    error: JobErrorDocument | None
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
