"""The tables that migrations own; the `reading_<profile>` tables are made on demand in `columns`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from sereno.store.column_types import CleanText, Instant, StrictJson

__all__ = [
    "IS_ACTIVE",
    "IS_CLEARED",
    "IS_INHIBITED",
    "adjustment",
    "api_key",
    "asset",
    "audit_entry",
    "change",
    "correction",
    "cursor",
    "data_issue",
    "delivery_attempt",
    "detection",
    "drift_standing",
    "erasure",
    "file_ledger",
    "forecast",
    "inbox",
    "incident",
    "incident_event",
    "job",
    "lease",
    "login_session",
    "metadata",
    "metric",
    "model",
    "notification",
    "one_time_link",
    "organization",
    "quarantined_row",
    "reading_table",
    "receiver_state",
    "regime_change",
    "registry_entry",
    "request",
    "rollup",
    "rollup_state",
    "shadow_detection",
    "shadow_standing",
    "signal_column",
    "silence",
    "site",
    "succession",
    "superseded_reading",
    "timer",
    "user_account",
    "watch_checkpoint",
    "watch_state",
]

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, CleanText, nullable=False)


def _number(name: str) -> Column[float]:
    """A figure that may have no meaning: NaN is stored as NULL."""
    return Column(name, Double)


def _organization() -> Column[int]:
    return Column("organization_id", Integer, ForeignKey("organization.id"), nullable=False)


def _asset() -> Column[int]:
    return Column("asset_id", Integer, ForeignKey("asset.id"), nullable=False)


organization = Table(
    "organization",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("name"),
    UniqueConstraint("name", name="one_organization"),
)

site = Table(
    "site",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    _text("name"),
    _text("zone"),
    UniqueConstraint("organization_id", "name", name="one_site"),
)

asset = Table(
    "asset",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    Column("site_id", Integer, ForeignKey("site.id"), nullable=False),
    _text("name"),
    _text("profile"),
    Column("step_us", BigInteger),
    Column("is_simulated", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("site_id", "name", "profile", name="one_asset"),
    Index("asset_of_organization", "organization_id", "profile"),
)

reading_table = Table(
    "reading_table",
    metadata,
    _organization(),
    _text("profile"),
    _text("table_name"),
    PrimaryKeyConstraint("organization_id", "profile"),
    UniqueConstraint("table_name", name="one_reading_table"),
)

signal_column = Table(
    "signal_column",
    metadata,
    _organization(),
    _text("profile"),
    _text("signal"),
    _text("column_name"),
    Column("position", Integer, nullable=False),
    Column("unit", CleanText),
    PrimaryKeyConstraint("organization_id", "profile", "signal"),
    UniqueConstraint("organization_id", "profile", "column_name", name="one_signal_column"),
)

superseded_reading = Table(
    "superseded_reading",
    metadata,
    _asset(),
    _text("profile"),
    Column("ts", Instant, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("values", StrictJson, nullable=False),
    Column("quality", StrictJson, nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("asset_id", "ts", "revision"),
)

rollup = Table(
    "rollup",
    metadata,
    _asset(),
    _text("span"),
    _text("signal"),
    Column("ts", Instant, nullable=False),
    Column("n_values", Integer, nullable=False),
    Column("n_bad", Integer, nullable=False),
    *(_number(name) for name in ("total", "low", "high", "last")),
    PrimaryKeyConstraint("asset_id", "span", "signal", "ts"),
    sqlite_with_rowid=False,
)

rollup_state = Table(
    "rollup_state",
    metadata,
    Column("asset_id", Integer, ForeignKey("asset.id"), primary_key=True),
    Column("until", Instant, nullable=False),
)

file_ledger = Table(
    "file_ledger",
    metadata,
    _organization(),
    _text("sha256"),
    _text("name"),
    Column("size", BigInteger, nullable=False),
    _text("status"),
    Column("report", StrictJson, nullable=False),
    Column("n_new", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("organization_id", "sha256"),
)

quarantined_row = Table(
    "quarantined_row",
    metadata,
    _organization(),
    _text("sha256"),
    Column("line", BigInteger, nullable=False),
    _text("reason"),
    _text("text"),
    PrimaryKeyConstraint("organization_id", "sha256", "line"),
)

data_issue = Table(
    "data_issue",
    metadata,
    _organization(),
    _text("sha256"),
    _text("code"),
    _text("where"),
    Column("count", BigInteger, nullable=False),
    Column("facts", StrictJson, nullable=False),
    PrimaryKeyConstraint("organization_id", "sha256", "code", "where"),
)

model = Table(
    "model",
    metadata,
    _organization(),
    _text("id"),
    _text("profile"),
    Column("trained_at", Instant, nullable=False),
    Column("card", StrictJson, nullable=False),
    _text("path"),
    Column("is_active", Boolean, nullable=False, server_default=text("false")),
    Column("family", CleanText, nullable=False, server_default=text("'detector'")),
    PrimaryKeyConstraint("organization_id", "id"),
)
Index(
    "one_active_model",
    model.c.organization_id,
    model.c.profile,
    unique=True,
    sqlite_where=model.c.is_active,
    postgresql_where=model.c.is_active,
)

succession = Table(
    "succession",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    _text("profile"),
    _text("model_id"),
    Column("before_id", CleanText),
    Column("at", Instant, nullable=False),
    _text("actor"),
    _text("reason"),
    Index("succession_of_profile", "organization_id", "profile", "id"),
    sqlite_autoincrement=True,
)

registry_entry = Table(
    "registry_entry",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    _text("profile"),
    _text("model_id"),
    _text("event"),
    Column("at", Instant, nullable=False),
    _text("actor"),
    _text("reason"),
    Column("facts", StrictJson, nullable=False),
    Index("registry_of_profile", "organization_id", "profile", "id"),
    sqlite_autoincrement=True,
)

shadow_detection = Table(
    "shadow_detection",
    metadata,
    _asset(),
    _text("model_id"),
    _text("check"),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("severity", Integer, nullable=False),
    PrimaryKeyConstraint("asset_id", "model_id", "check", "started_at"),
)

shadow_standing = Table(
    "shadow_standing",
    metadata,
    _asset(),
    _text("model_id"),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("n_rows", Integer, nullable=False),
    PrimaryKeyConstraint("asset_id", "model_id"),
)

drift_standing = Table(
    "drift_standing",
    metadata,
    _asset(),
    _text("signal"),
    Column("judged_at", Instant, nullable=False),
    Column("level", Integer, nullable=False),
    Column("verdicts", StrictJson, nullable=False),
    Column("replays", StrictJson, nullable=False),
    PrimaryKeyConstraint("asset_id", "signal"),
)

watch_state = Table(
    "watch_state",
    metadata,
    _asset(),
    _text("detector"),
    Column("last_ts", Instant),
    Column("memory", LargeBinary, nullable=False),
    _text("model"),
    Column("again_from", Instant),
    PrimaryKeyConstraint("asset_id", "detector"),
)
Index(
    "judge_again",
    watch_state.c.again_from,
    sqlite_where=watch_state.c.again_from.is_not(None),
    postgresql_where=watch_state.c.again_from.is_not(None),
)

watch_checkpoint = Table(
    "watch_checkpoint",
    metadata,
    _asset(),
    _text("detector"),
    Column("last_ts", Instant, nullable=False),
    Column("memory", LargeBinary, nullable=False),
    _text("model"),
    PrimaryKeyConstraint("asset_id", "detector", "last_ts"),
)

detection = Table(
    "detection",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    _asset(),
    _text("check"),
    _text("kind"),
    _text("cause"),
    Column("severity", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("last_at", Instant, nullable=False),
    Column("peak_at", Instant, nullable=False),
    Column("signals", StrictJson, nullable=False),
    _number("score"),
    _number("threshold"),
    _number("observed"),
    _number("expected"),
    _text("unit"),
    _number("impact"),
    _text("impact_unit"),
    Column("n_rows", Integer, nullable=False),
    Column("contributions", StrictJson, nullable=False),
    _text("model"),
    UniqueConstraint("asset_id", "check", "started_at", name="one_detection"),
    Index("detection_of_asset", "asset_id", "last_at"),
    Index("detection_by_end", "asset_id", "ended_at"),
    # An id that was given once is never given again.
    sqlite_autoincrement=True,
)
Index(
    "one_open_detection",
    detection.c.asset_id,
    detection.c.check,
    unique=True,
    sqlite_where=detection.c.ended_at.is_(None),
    postgresql_where=detection.c.ended_at.is_(None),
)

regime_change = Table(
    "regime_change",
    metadata,
    _asset(),
    Column("at", Instant, nullable=False),
    _text("signal"),
    Column("before", Double, nullable=False),
    Column("after", Double, nullable=False),
    PrimaryKeyConstraint("asset_id", "at", "signal"),
)

forecast = Table(
    "forecast",
    metadata,
    _asset(),
    _text("signal"),
    Column("origin", Instant, nullable=False),
    _text("model"),
    _text("model_id"),
    Column("cut_off", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("step_s", Double, nullable=False),
    _text("tier"),
    Column("steps", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
    Column("is_shadow", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("asset_id", "signal", "origin", "model"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", CleanText, primary_key=True),
    _organization(),
    _asset(),
    _text("group_key"),
    _text("kind"),
    _text("cause"),
    Column("severity", Integer, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    _text("condition"),
    _text("state"),
    Column("verdict", CleanText),
    _text("owner"),
    Column("shelved_until", Instant),
    Column("is_withdrawn", Boolean, nullable=False),
    Column("n_events", Integer, nullable=False),
    Column("evidence", StrictJson, nullable=False),
    Column("comments", StrictJson, nullable=False),
    Column("is_unattended", Boolean, nullable=False, server_default=text("false")),
    Column("acknowledged_severity", Integer),
    Column("escalated", Integer, nullable=False, server_default=text("0")),
    Column("silences", StrictJson, nullable=False, server_default=text("'{}'")),
    Column("inhibitors", StrictJson, nullable=False, server_default=text("'[]'")),
    Column("is_chattering", Boolean, nullable=False, server_default=text("false")),
    Column("n_rows", Integer, nullable=False, server_default=text("0")),
    Column("lost", Double, nullable=False, server_default=text("0")),
    Column("lost_per_day", Double, nullable=False, server_default=text("0")),
    Column("lost_unit", CleanText, nullable=False, server_default=text("''")),
    Column("trouble", CleanText, nullable=False, server_default=text("''")),
    Index("incident_of_trouble", "asset_id", "trouble", "started_at"),
    Index("incident_of_asset", "asset_id", "started_at"),
    Index("incident_of_group", "organization_id", "group_key"),
    Index("incident_of_cause", "organization_id", "cause", "started_at"),
    Index("incident_by_end", "asset_id", "ended_at"),
)
IS_ACTIVE = incident.c.condition == text("'active'")
"""Written out and not as a parameter: only so can a database use an index of the active ones."""
Index(
    "one_active_incident",
    incident.c.organization_id,
    incident.c.group_key,
    unique=True,
    sqlite_where=IS_ACTIVE,
    postgresql_where=IS_ACTIVE,
)
Index("active_incident_of_asset", incident.c.asset_id, sqlite_where=IS_ACTIVE, postgresql_where=IS_ACTIVE)

IS_CLEARED = incident.c.condition == text("'cleared'")
IS_INHIBITED = text("inhibitors <> '[]'")
for _name, _columns, _where in (
    ("cleared_by_start", (incident.c.started_at.desc(), incident.c.id), IS_CLEARED),
    (
        "cleared_by_severity",
        (incident.c.severity.desc(), incident.c.n_rows.desc(), incident.c.started_at, incident.c.id),
        IS_CLEARED,
    ),
    ("incident_inhibited", (incident.c.started_at,), IS_INHIBITED),
):
    Index(_name, incident.c.organization_id, *_columns, sqlite_where=_where, postgresql_where=_where)

incident_event = Table(
    "incident_event",
    metadata,
    Column("incident_id", CleanText, nullable=False),
    Column("seq", Integer, nullable=False),
    _text("kind"),
    Column("at", Instant, nullable=False),
    Column("event_time", Instant, nullable=False),
    _text("actor"),
    Column("detection", StrictJson),
    Column("facts", StrictJson, nullable=False),
    Column("request_key", CleanText),
    PrimaryKeyConstraint("incident_id", "seq"),
    ForeignKeyConstraint(["incident_id"], ["incident.id"]),
    UniqueConstraint("incident_id", "request_key", name="one_request"),
)

notification = Table(
    "notification",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    _text("dedup_key"),
    Column("incident_id", CleanText, ForeignKey("incident.id")),
    _text("receiver"),
    _text("event"),
    Column("severity", Integer, nullable=False),
    Column("body", StrictJson, nullable=False),
    _text("status"),
    Column("created_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("lease_until", Instant),
    Column("lease_owner", CleanText),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("is_uncertain", Boolean, nullable=False, server_default=text("false")),
    Column("last_error", CleanText, nullable=False, server_default=""),
    Column("sent_at", Instant),
    Column("carried_by", Integer, ForeignKey("notification.id")),
    UniqueConstraint("organization_id", "dedup_key", name="one_notification"),
    Index("notification_of_lane", "organization_id", "status", "receiver", "id"),
    Index("notification_of_incident", "incident_id", "receiver"),
    Index("sent_notification", "organization_id", "receiver", "sent_at"),
    Index("carried_notification", "carried_by"),
    # A lane is worked in the order of ids.
    sqlite_autoincrement=True,
)
delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    Column("notification_id", Integer, ForeignKey("notification.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    _text("outcome"),
    _text("code"),
    _number("latency_ms"),
    _text("detail"),
    PrimaryKeyConstraint("notification_id", "number"),
)

receiver_state = Table(
    "receiver_state",
    metadata,
    _organization(),
    _text("receiver"),
    Column("since", Instant, nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("blocked_until", Instant),
    Column("broken_since", Instant),
    Column("broken_reason", CleanText, nullable=False, server_default=""),
    Column("disabled_at", Instant),
    Column("accepted_at", Instant),
    Column("tested_at", Instant),
    Column("looked_at", Instant),
    PrimaryKeyConstraint("organization_id", "receiver"),
)

timer = Table(
    "timer",
    metadata,
    _organization(),
    Column("incident_id", CleanText, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    _text("kind"),
    Column("step", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("is_kept", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("incident_id", "kind", "step"),
    Index("timer_due", "organization_id", "due_at"),
)

silence = Table(
    "silence",
    metadata,
    Column("id", CleanText, primary_key=True),
    _organization(),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("matcher", StrictJson, nullable=False),
    Column("recurrence", StrictJson),
    Column("mutes", StrictJson, nullable=False),
    _text("author"),
    _text("comment"),
    Column("at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("ended_by", CleanText),
)

adjustment = Table(
    "adjustment",
    metadata,
    Column("id", CleanText, primary_key=True),
    _organization(),
    _asset(),
    _text("check"),
    Column("factor", Double, nullable=False),
    Column("incident_id", CleanText, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    _text("author"),
    Column("at", Instant, nullable=False),
    Column("undone_at", Instant),
    Column("undone_by", CleanText),
    Index("adjustment_of_asset", "asset_id"),
)

metric = Table(
    "metric",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    Column("total", BigInteger, nullable=False),
    Column("abnormal", BigInteger, nullable=False),
    _number("percent"),
    _text("status"),
    Column("at", Instant, nullable=False),
)

correction = Table(
    "correction",
    metadata,
    Column("id", CleanText, primary_key=True),
    _organization(),
    _asset(),
    _text("signal"),
    _text("kind"),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    _number("amount"),
    _text("author"),
    _text("reason"),
    Column("at", Instant, nullable=False),
    Column("undone_at", Instant),
    Column("undone_by", CleanText),
    Column("undone_reason", CleanText),
    Index("correction_of_asset", "asset_id", "signal"),
)

erasure = Table(
    "erasure",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    _text("kind"),
    _text("subject"),
    Column("before", Instant),
    Column("at", Instant, nullable=False),
    _text("actor"),
    _text("reason"),
    Column("counts", StrictJson, nullable=False),
    Column("open_site_id", Integer),
    Column("open_before", Instant),
    # A record that was made once is never replaced by another.
    sqlite_autoincrement=True,
)

lease = Table(
    "lease",
    metadata,
    _organization(),
    _text("name"),
    _text("owner"),
    Column("token", BigInteger, nullable=False),
    Column("until", Instant, nullable=False),
    PrimaryKeyConstraint("organization_id", "name"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    _text("source"),
    _text("item_key"),
    Column("received_at", Instant, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    _text("status"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("error", CleanText, nullable=False, server_default=""),
    UniqueConstraint("organization_id", "source", "item_key", name="one_item"),
    Index("inbox_of_source", "organization_id", "source", "status", "id"),
    # It is drained in the order of ids.
    sqlite_autoincrement=True,
)

cursor = Table(
    "cursor",
    metadata,
    _organization(),
    _text("source"),
    Column("position", CleanText),
    Column("heard_at", Instant),
    PrimaryKeyConstraint("organization_id", "source"),
)


user_account = Table(
    "user_account",
    metadata,
    Column("id", CleanText, primary_key=True),
    _organization(),
    _text("name"),
    _text("password_hash"),
    Column("role", Integer, nullable=False),
    Column("sees_personal", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    UniqueConstraint("organization_id", "name", name="one_user"),
)

one_time_link = Table(
    "one_time_link",
    metadata,
    Column("token_hash", CleanText, primary_key=True),
    _organization(),
    _text("user_name"),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

login_session = Table(
    "login_session",
    metadata,
    Column("token_hash", CleanText, primary_key=True),
    _organization(),
    Column("user_id", CleanText, ForeignKey("user_account.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    _text("address"),
    Index("session_of_user", "user_id"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("prefix", CleanText, primary_key=True),
    _organization(),
    _text("name"),
    _text("secret_hash"),
    Column("role", Integer, nullable=False),
    Column("sites", StrictJson),
    Column("sees_personal", Boolean, nullable=False),
    _text("author"),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Index("key_of_organization", "organization_id", "name"),
)

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    Column("at", Instant, nullable=False),
    _text("actor"),
    _text("address"),
    _text("door"),
    _text("action"),
    _text("subject"),
    Column("before", StrictJson),
    Column("after", StrictJson),
    Index("audit_of_organization", "organization_id", "id"),
    sqlite_autoincrement=True,
)

brought = Table(
    "brought",
    metadata,
    _organization(),
    Column("at", Instant, nullable=False),
    _text("actor"),
    _text("door"),
    _text("subject"),
    _text("address"),
    _text("writer"),
    Column("n_batches", BigInteger, nullable=False),
    Column("n_records", BigInteger, nullable=False),
    Column("n_stored", BigInteger, nullable=False),
    Column("last_at", Instant, nullable=False),
    PrimaryKeyConstraint("organization_id", "at", "actor", "door", "subject", "address", "writer"),
)

change = Table(
    "change",
    metadata,
    Column("id", Integer, primary_key=True),
    _organization(),
    _text("kind"),
    _text("subject"),
    Column("facts", StrictJson, nullable=False),
    Index("change_of_organization", "organization_id", "id"),
    Index("change_of_subject", "organization_id", "kind", "subject"),
    # Who listens goes on after the last id that they saw.
    sqlite_autoincrement=True,
)

job = Table(
    "job",
    metadata,
    Column("id", CleanText, primary_key=True),
    _organization(),
    _text("kind"),
    Column("options", StrictJson, nullable=False),
    _text("author"),
    _text("state"),
    Column("progress", StrictJson),
    Column("result", StrictJson),
    Column("error", StrictJson),
    _text("owner"),
    Column("created_at", Instant, nullable=False),
    Column("alive_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("request_key", CleanText),
    Index("job_of_organization", "organization_id", "created_at"),
    UniqueConstraint("organization_id", "request_key", name="one_job_request"),
)
Index(
    "one_running_job",
    job.c.organization_id,
    unique=True,
    sqlite_where=job.c.state == text("'running'"),
    postgresql_where=job.c.state == text("'running'"),
)


request = Table(
    "request",
    metadata,
    _organization(),
    _text("key"),
    _text("digest"),
    Column("answer", StrictJson, nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("organization_id", "key"),
)
Index("request_at", request.c.organization_id, request.c.at)
