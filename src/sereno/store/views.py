"""The views for other tools: columns with plain names, units and instants, whatever the tables become.

`VIEWS` stay as they are documented; a later version may add columns at their end. They are made anew after
every migration, and those over readings whenever a reading table gets a column.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection, inspect, select, text

from sereno.store.isolation import all_organizations
from sereno.store.schema import reading_table, signal_column

__all__ = ["VIEWS", "drop_views", "foreign_names", "make_views", "refresh_reading_views"]

MARK = "sereno view"
"""Stands in the comment of each, so that nobody else's table or view is ever replaced."""

MOTOR = "motor"
SEED_COLUMNS = MappingProxyType(
    {
        "corriente": "current",
        "voltaje": "voltage",
        "potencia_activa": "active_power",
        "temperatura_motor": "motor_temperature",
    }
)
ID_SHIFT = 2**42
"""Milliseconds since 1970 stay below it until the year 2109."""

SEVERITIES = ("low", "medium", "high", "critical")
STATUSES = MappingProxyType({"normal": "Normal", "caution": "Precaucion", "critical": "Critico"})


@dataclass(frozen=True, slots=True)
class Stored:
    """A reading table as it is in the database: that of one organization and profile."""

    organization_id: int
    profile: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of database says what views need."""

    is_postgres: bool

    def instant(self, column: str, name: str) -> str:
        """A stored instant as one of the database: on SQLite as ISO 8601 text in UTC."""
        if self.is_postgres:
            return f'{column} AS "{name}"'
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1000000.0, 'unixepoch') AS \"{name}\""

    def both(self, column: str, name: str) -> str:
        """An instant, and the same in microseconds since 1970."""
        return f'{self.instant(column, name)}, {self.micros(column)} AS "{name}_us"'

    def micros(self, column: str) -> str:
        """A stored instant in microseconds since 1970."""
        return f"(extract(epoch FROM {column}) * 1000000)::bigint" if self.is_postgres else column

    def flag(self, condition: str) -> str:
        """A condition as 0 or 1, which every tool can show."""
        return f"CASE WHEN {condition} THEN 1 ELSE 0 END"

    def member(self, column: str, key: str) -> str:
        """A text inside a JSON column."""
        return f"{column} ->> '{key}'" if self.is_postgres else f"json_extract({column}, '$.{key}')"

    def first(self, column: str) -> str:
        """The first text of a JSON list."""
        return f"{column} ->> 0" if self.is_postgres else f"json_extract({column}, '$[0]')"

    def length(self, column: str, key: str) -> str:
        """How many items the list of a JSON column has."""
        if self.is_postgres:
            return f"jsonb_array_length({column} -> '{key}')"
        return f"json_array_length({column}, '$.{key}')"

    def is_empty(self, column: str, nothing: str) -> str:
        """Whether a JSON column holds nothing."""
        return f"{column} = '{nothing}'"

    def true(self, column: str) -> str:
        """A stored truth value as a condition."""
        return column if self.is_postgres else f"{column} <> 0"


Body = Callable[[Dialect, Sequence[Stored]], str]

OF_ASSET = (
    "JOIN asset a ON a.id = {of}.asset_id JOIN site s ON s.id = a.site_id "
    "JOIN organization o ON o.id = a.organization_id"
)
NAMES = "o.name AS organization, s.name AS site, a.name AS asset, a.profile AS profile"


def _severity(column: str) -> str:
    cases = " ".join(f"WHEN {level} THEN '{name}'" for level, name in enumerate(SEVERITIES, start=1))
    return f"CASE {column} {cases} END AS severity, {column} AS severity_level"


def _assets(dialect: Dialect, stored: Sequence[Stored]) -> str:
    last = " ".join(
        f'WHEN {_of(one)} THEN (SELECT MAX(r.ts) FROM "{one.name}" r WHERE r.asset_id = a.id)'
        for one in stored
    )
    nothing = "CAST(NULL AS timestamptz)" if dialect.is_postgres else "NULL"
    last_at = f"CASE {last} END" if last else nothing
    return f"""
        SELECT x.organization, x.site, x.asset, x.profile, x.asset_id, x.zone, x.step_s, x.is_simulated,
            {dialect.both("x.last_at", "last_reading_at")}, {dialect.both("x.judged", "judged_until")}
        FROM (SELECT {NAMES}, a.id AS asset_id, s.zone AS zone, a.step_us / 1000000.0 AS step_s,
            {dialect.flag(dialect.true("a.is_simulated"))} AS is_simulated, {last_at} AS last_at,
            (SELECT MAX(w.last_ts) FROM watch_state w WHERE w.asset_id = a.id) AS judged
            FROM asset a JOIN site s ON s.id = a.site_id
            JOIN organization o ON o.id = a.organization_id) x"""


def _readings(dialect: Dialect, stored: Sequence[Stored]) -> str:
    parts = [_unpivoted(dialect, one) for one in stored if one.columns]
    return " UNION ALL ".join(parts) or _nothing(
        dialect,
        dict.fromkeys(("organization", "site", "asset", "profile", "signal", "unit"), "text")
        | {"ts": "instant", "ts_us": "bigint", "value": "double precision"}
        | dict.fromkeys(("quality", "is_simulated", "asset_id"), "integer"),
    )


def _unpivoted(dialect: Dialect, stored: Stored) -> str:
    """One row per value, under the names that the organization has given them."""
    value = " ".join(f"WHEN '{column}' THEN r.\"{column}\"" for column in stored.columns)
    quality = " ".join(f"WHEN '{column}' THEN r.\"{column}__q\"" for column in stored.columns)
    return f"""
        SELECT {NAMES}, c.signal AS signal, c.unit AS unit, {dialect.both("r.ts", "ts")},
            CASE c.column_name {value} END AS value,
            COALESCE(CASE c.column_name {quality} END, 0) AS quality,
            {dialect.flag(dialect.true("r.simulated"))} AS is_simulated, a.id AS asset_id
        FROM "{stored.name}" r {OF_ASSET.format(of="r")}
        JOIN signal_column c ON c.organization_id = a.organization_id AND c.profile = a.profile
        WHERE {_of(stored)} AND CASE c.column_name {value} END IS NOT NULL"""


def _signals(_: Dialect, __: Sequence[Stored]) -> str:
    return """
        SELECT o.name AS organization, c.profile AS profile, c.signal AS signal, c.unit AS unit
        FROM signal_column c JOIN organization o ON o.id = c.organization_id"""


def _rollups(dialect: Dialect, _: Sequence[Stored]) -> str:
    """The unit is that of the signal; the mean is over the values that are fit."""
    return f"""
        SELECT {NAMES}, r.span AS span, r.signal AS signal, c.unit AS unit, {dialect.both("r.ts", "ts")},
            r.n_values AS n_values, r.n_bad AS n_bad, r.total / NULLIF(r.n_values - r.n_bad, 0) AS mean,
            r.total AS total, r.low AS low, r.high AS high, r."last" AS last_value, a.id AS asset_id
        FROM rollup r {OF_ASSET.format(of="r")}
        JOIN signal_column c ON c.organization_id = a.organization_id AND c.profile = a.profile
            AND c.signal = r.signal"""


def _incidents(dialect: Dialect, _: Sequence[Stored]) -> str:
    times = ", ".join(dialect.both(f"i.{name}", name) for name in ("opened_at", "started_at", "ended_at"))
    is_silenced = dialect.flag(f"NOT ({dialect.is_empty('i.silences', '{}')})")
    is_inhibited = dialect.flag(f"NOT ({dialect.is_empty('i.inhibitors', '[]')})")
    return f"""
        SELECT {NAMES}, i.id AS id, i.kind AS kind, i.cause AS cause, {_severity("i.severity")},
            i.condition AS condition, i.state AS state, i.verdict AS verdict, i.owner AS owner, {times},
            {dialect.instant("i.shelved_until", "shelved_until")}, {is_silenced} AS is_silenced,
            {is_inhibited} AS is_inhibited,
            {dialect.flag(dialect.true("i.is_chattering"))} AS is_chattering,
            {dialect.flag(dialect.true("i.is_unattended"))} AS is_unattended,
            i.escalated AS n_escalations, i.n_events AS n_events
        FROM incident i {OF_ASSET.format(of="i")}
        WHERE NOT ({dialect.true("i.is_withdrawn")})"""


def _detections(dialect: Dialect, _: Sequence[Stored]) -> str:
    times = ", ".join(
        dialect.both(f"d.{name}", name) for name in ("started_at", "ended_at", "last_at", "peak_at")
    )
    return f"""
        SELECT {NAMES}, d.id AS id, d."check" AS check_name, d.kind AS kind, d.cause AS cause,
            {_severity("d.severity")}, {times}, {dialect.first("d.signals")} AS signal, d.score AS score,
            d.threshold AS threshold, d.observed AS observed, d.expected AS expected, d.unit AS unit,
            d.impact AS impact, d.impact_unit AS impact_unit, d.n_rows AS n_rows, d.model AS model
        FROM detection d {OF_ASSET.format(of="d")}"""


def _notifications(dialect: Dialect, _: Sequence[Stored]) -> str:
    times = ", ".join(dialect.both(f"n.{name}", name) for name in ("created_at", "sent_at"))
    return f"""
        SELECT o.name AS organization, n.id AS id, n.incident_id AS incident_id, n.receiver AS receiver,
            n.event AS event, {_severity("n.severity")}, n.status AS status, {times}, n.attempts AS attempts,
            n.last_error AS last_error
        FROM notification n JOIN organization o ON o.id = n.organization_id"""


def _models(dialect: Dialect, _: Sequence[Stored]) -> str:
    return f"""
        SELECT o.name AS organization, m.id AS id, m.profile AS profile,
            {dialect.both("m.trained_at", "trained_at")},
            {dialect.flag(dialect.true("m.is_active"))} AS is_active,
            {dialect.member("m.card", "detector")} AS detector,
            {dialect.length("m.card", "assets")} AS n_assets,
            {dialect.length("m.card", "signals")} AS n_signals
        FROM model m JOIN organization o ON o.id = m.organization_id"""


def _metrics(dialect: Dialect, _: Sequence[Stored]) -> str:
    return f"""
        SELECT o.name AS organization, m.id AS id, m.total AS total, m.abnormal AS abnormal,
            m.percent AS percent, m.status AS status, {dialect.both("m.at", "at")}
        FROM metric m JOIN organization o ON o.id = m.organization_id"""


def _files(dialect: Dialect, _: Sequence[Stored]) -> str:
    return f"""
        SELECT o.name AS organization, f.name AS name, f.sha256 AS sha256, f.size AS size_bytes,
            f.status AS status, f.n_new AS readings_new, {dialect.both("f.at", "at")}
        FROM file_ledger f JOIN organization o ON o.id = f.organization_id"""


def _data_issues(_: Dialect, __: Sequence[Stored]) -> str:
    return """
        SELECT o.name AS organization, f.name AS file, i.code AS code, i."where" AS place, i.count AS count
        FROM data_issue i JOIN organization o ON o.id = i.organization_id
        JOIN file_ledger f ON f.organization_id = i.organization_id AND f.sha256 = i.sha256"""


def _registros(dialect: Dialect, stored: Sequence[Stored]) -> str:
    """The seed's table: a motor's records in its own words, and whether any detection covers them."""
    parts = [_registros_of(dialect, one) for one in stored if one.profile == MOTOR]
    kinds = dict.fromkeys(SEED_COLUMNS, "double precision")
    return " UNION ALL ".join(parts) or _nothing(
        dialect,
        {"id": "bigint", "timestamp": "instant", **kinds}
        | dict.fromkeys(("estado", "organization", "site", "asset"), "text")
        | {"timestamp_us": "bigint"},
    )


def _registros_of(dialect: Dialect, stored: Stored) -> str:
    figures = ", ".join(
        f'r."{signal}" AS {name}' if signal in stored.columns else f"CAST(NULL AS double precision) AS {name}"
        for name, signal in SEED_COLUMNS.items()
    )
    micros = dialect.micros("r.ts")
    number = f"CAST(a.id AS bigint) * {ID_SHIFT} + {micros} / 1000"
    covered = "d.asset_id = r.asset_id AND d.last_at >= r.ts AND d.started_at <= r.ts"
    return f"""
        SELECT {number} AS id, {dialect.instant("r.ts", "timestamp")}, {figures},
            CASE WHEN EXISTS (SELECT 1 FROM detection d WHERE {covered}) THEN 'Anomalo' ELSE 'Normal' END
            AS estado, o.name AS organization, s.name AS site, a.name AS asset, {micros} AS timestamp_us
        FROM "{stored.name}" r {OF_ASSET.format(of="r")}"""


def _metricas(dialect: Dialect, _: Sequence[Stored]) -> str:
    """The seed's table: one row per `score`."""
    cases = " ".join(f"WHEN '{ours}' THEN '{theirs}'" for ours, theirs in STATUSES.items())
    return f"""
        SELECT m.id AS id, m.total AS total, m.abnormal AS anomalias, m.percent AS porcentaje,
            CASE m.status {cases} ELSE m.status END AS estado, {dialect.instant("m.at", "fecha")},
            o.name AS organization
        FROM metric m JOIN organization o ON o.id = m.organization_id"""


VIEWS: Mapping[str, Body] = MappingProxyType(
    {
        "v_assets": _assets,
        "v_signals": _signals,
        "v_readings": _readings,
        "v_rollups": _rollups,
        "v_incidents": _incidents,
        "v_detections": _detections,
        "v_notifications": _notifications,
        "v_models": _models,
        "v_metrics": _metrics,
        "v_files": _files,
        "v_data_issues": _data_issues,
        "v_registros": _registros,
        "v_metricas": _metricas,
        "registros": _registros,
        "metricas": _metricas,
    }
)
"""By name, what gives the query of a view."""

_OVER_READINGS = ("v_assets", "v_readings", "v_registros", "registros")


def make_views(connection: Connection) -> None:
    """Make every view as this version documents it, in the caller's transaction."""
    _make(connection, tuple(VIEWS))


def refresh_reading_views(connection: Connection) -> None:
    """Make the views over readings anew: a reading table was made, or got a column."""
    _make(connection, _OVER_READINGS)


def drop_views(connection: Connection) -> None:
    """Take our views away; what bears their names and is not ours stays."""
    for name in _ours(connection):
        connection.exec_driver_sql(f'DROP VIEW "{name}"')


def foreign_names(connection: Connection) -> list[str]:
    """Names of views that something else in the database bears, so that ours yielded."""
    taken = _taken(connection)
    ours = _ours(connection)
    return [name for name in VIEWS if name in taken and name not in ours]


def _make(connection: Connection, names: Sequence[str]) -> None:
    dialect = Dialect(connection.dialect.name == "postgresql")
    stored = _stored(connection)
    yielded = set(foreign_names(connection))
    for name in names:
        if name in yielded:
            continue
        body = VIEWS[name](dialect, stored)
        if dialect.is_postgres:
            # Replaced, not dropped: grants and views of others over it stay.
            escaped = body.replace("%", "%%")  # the driver would take it for a parameter
            connection.exec_driver_sql(f'CREATE OR REPLACE VIEW "{name}" AS {escaped}')
            connection.exec_driver_sql(f"COMMENT ON VIEW \"{name}\" IS '{MARK}'")
        else:
            connection.exec_driver_sql(f'DROP VIEW IF EXISTS "{name}"')
            connection.exec_driver_sql(f'CREATE VIEW "{name}" AS /* {MARK} */ {body}')


def _stored(connection: Connection) -> list[Stored]:
    """The reading tables of every organization that are there, with their value columns."""
    order = (reading_table.c.profile, reading_table.c.organization_id)
    names = select(signal_column.c.organization_id, signal_column.c.profile, signal_column.c.column_name)
    columns: dict[tuple[int, str], list[str]] = {}
    with all_organizations(connection):
        tables = connection.execute(select(reading_table).order_by(*order)).mappings().all()
        for whose, profile, column in connection.execute(names.order_by(signal_column.c.column_name)):
            columns.setdefault((whose, profile), []).append(column)
    there = inspect(connection)
    found = [
        (row["organization_id"], row["profile"], row["table_name"])
        for row in tables
        if there.has_table(row["table_name"])
    ]
    return [Stored(*one, tuple(columns.get(one[:2], ()))) for one in found]


def _of(stored: Stored) -> str:
    """Whether an asset is one whose readings lie in a table."""
    return f"a.organization_id = {stored.organization_id:d} AND a.profile = {_quoted(stored.profile)}"


def _taken(connection: Connection) -> set[str]:
    """Names of views of ours that anything in the database bears."""
    if connection.dialect.name == "postgresql":
        query = (
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
            "AND relname = ANY(:names)"
        )
        return set(connection.execute(text(query), {"names": list(VIEWS)}).scalars())
    found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    return {name for (name,) in found if name in VIEWS}


def _ours(connection: Connection) -> list[str]:
    if connection.dialect.name == "postgresql":
        query = (
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
            "AND relkind = 'v' AND relname = ANY(:names) AND obj_description(oid, 'pg_class') = :mark"
        )
        given = {"names": list(VIEWS), "mark": MARK}
        return list(connection.execute(text(query), given).scalars())
    query = "SELECT name FROM sqlite_master WHERE type = 'view' AND sql LIKE ?"
    found = connection.exec_driver_sql(query, (f"%/* {MARK} */%",))
    return [name for (name,) in found if name in VIEWS]


def _nothing(dialect: Dialect, columns: Mapping[str, str]) -> str:
    """A query of no rows with these columns."""
    instant = "timestamptz" if dialect.is_postgres else "text"
    kinds = {name: instant if kind == "instant" else kind for name, kind in columns.items()}
    return "SELECT " + ", ".join(f'CAST(NULL AS {k}) AS "{n}"' for n, k in kinds.items()) + " WHERE 1 = 0"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
