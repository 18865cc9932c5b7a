"""Small domain objects for the store's tests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import MetaData, create_engine, make_url, text

from sereno.domain.incidents import EventKind, IncidentEvent
from sereno.domain.judgement import Calibration, Detection, IncidentKind, ModelCard, Severity
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey, Profile, Signal
from sereno.domain.time import to_numpy
from sereno.store import Appended, Store, StoredRows
from sereno.store.migrate import run_migrations
from sereno.store.schema import metadata
from sereno.store.views import VIEWS

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
START = datetime(2025, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=15)
ROOF = AssetKey("Planta_10", "Planta_10")
PUMP = AssetKey("Bombeo", "Motor 1")
NAN = float("nan")

SOLAR = Profile(
    "solar", (Signal("generation", "energy", "kWh"), Signal("consumption", "energy", "kWh")), step=STEP
)
PROCESS = Profile("process", (), is_open=True)


def a_batch(
    values: Sequence[Sequence[float]],
    *,
    signals: Sequence[str] = SOLAR.signal_names,
    rows: Sequence[int] | None = None,
    key: AssetKey = ROOF,
    quality: Sequence[Sequence[int]] | None = None,
) -> Readings:
    """Rows of one asset; `rows` are their steps after START."""
    steps = np.arange(len(values)) if rows is None else np.asarray(rows)
    block = np.asarray(values, dtype=np.float64).reshape(len(values), len(signals))
    flags = np.zeros(block.shape) if quality is None else np.asarray(quality).reshape(block.shape)
    return Readings(
        profile="solar",
        assets=(key,),
        asset_index=np.zeros(len(values), dtype=np.int32),
        time=to_numpy(START) + steps * np.timedelta64(15 * 60, "s"),
        signals=tuple(signals),
        values=block,
        quality=flags.astype(np.int32),
    )


def append(
    store: Store, batch: Readings, profile: Profile = SOLAR, *, is_simulated: bool = False
) -> Appended:
    """Store a batch in a transaction of its own."""
    with store.begin() as tx:
        ids = tx.ensure_assets(batch.assets, profile=profile.name, zone="Europe/Madrid")
        return tx.append(batch, profile, ids, at=NOW, is_simulated=is_simulated)


def asset_id(store: Store, key: AssetKey = ROOF, profile: str = "solar") -> int:
    """The id of an asset, created when it is not there."""
    with store.begin() as tx:
        return tx.ensure_assets([key], profile=profile, zone="Europe/Madrid")[key]


def stored(store: Store, key: AssetKey = ROOF, profile: str = "solar") -> StoredRows:
    """All that is stored of an asset."""
    which = asset_id(store, key, profile)
    with store.read() as tx:
        return tx.rows(which, profile)


def query(url: str, statement: str) -> list[Mapping[str, object]]:
    """What plain SQL sees in, or does to, a database."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return [dict(row) for row in result.mappings()] if result.returns_rows else []
    finally:
        engine.dispose()


def take_back_to_first_version(url: str) -> None:
    """Leave of a store's tables and columns those that its first version had; their rows stay."""
    first = _first_version()
    for name in VIEWS:
        query(url, f"DROP VIEW IF EXISTS {name}")
    if url.startswith("sqlite"):
        # SQLite looks at triggers while it changes tables; the first version's knew no later table.
        query(url, "DROP TRIGGER incident_event_is_kept")
        query(url, first.info["incident_event_is_kept"])
    for table in reversed(metadata.sorted_tables):
        if table.name not in first.tables:
            query(url, f"DROP TABLE {table.name}")
            continue
        known = first.tables[table.name]
        if any(column.name not in known.columns for column in table.primary_key):
            _made_anew(url, table.name, known.columns.keys())
            continue
        for index in table.indexes:
            if index.name not in {one.name for one in known.indexes}:
                query(url, f"DROP INDEX {index.name}")
        for column in table.columns:
            if column.name not in known.columns:
                query(url, f'ALTER TABLE {table.name} DROP COLUMN "{column.name}"')
    query(url, "UPDATE alembic_version SET version_num = '0001'")


def _made_anew(url: str, table: str, columns: Sequence[str]) -> None:
    """A column of the primary key cannot be dropped: the table is replaced by one without it."""
    query(url, f"CREATE TABLE {table}_first AS SELECT {', '.join(columns)} FROM {table}")
    query(url, f"DROP TABLE {table}")
    query(url, f"ALTER TABLE {table}_first RENAME TO {table}")


def _first_version() -> MetaData:
    """The schema that the first migration makes."""
    found = MetaData()
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        run_migrations(connection, "0001")
        found.reflect(connection)
        triggers = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        found.info.update(dict(connection.execute(triggers).all()))
    engine.dispose()
    return found


def a_detection(
    *, start: int = 0, end: int | None = 4, check: str = "behaviour", **changes: object
) -> Detection:
    """An abnormal stretch of ROOF, in steps after START."""
    last = START + (3 if end is None else end - 1) * STEP
    found = Detection(
        asset=ROOF,
        check=check,
        kind=IncidentKind.BEHAVIOUR,
        cause="behaviour.low",
        severity=Severity.HIGH,
        started_at=START + start * STEP,
        ended_at=None if end is None else START + end * STEP,
        last_at=last,
        peak_at=START + start * STEP,
        signals=("generation", "consumption"),
        score=7.5,
        threshold=3.0,
        observed=0.0,
        expected=12.25,
        unit="kWh",
        impact=-49.0,
        impact_unit="kWh",
        n_rows=4,
        contributions={"generation": 0.9, "consumption": 0.1},
        model="m1",
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def an_event(kind: EventKind = EventKind.OPENED, *, after: int = 0, **changes: object) -> IncidentEvent:
    """An event of an incident, some hours after NOW; with a detection where judging would give one."""
    detection = a_detection(end=None) if kind in {EventKind.OPENED, EventKind.UPDATED} else None
    event = IncidentEvent(kind, NOW + timedelta(hours=after), START, detection=detection)
    return replace(event, **changes)  # type: ignore[arg-type]


def a_card(model_id: str = "solar-1", *, trained_at: datetime = NOW, profile: str = "solar") -> ModelCard:
    """The card of a trained model."""
    return ModelCard(
        id=model_id,
        profile=profile,
        detector="robust",
        trained_at=trained_at,
        settings={"components": 2},
        fingerprint="f" * 64,
        digest="d" * 64,
        assets=(ROOF,),
        signals=SOLAR.signal_names,
        calibration=Calibration(float("inf"), 0.8, 2, 3, 0.25, 0.2, 0.1, 52.0),
        metrics={"explained": 0.97},
        code_version="0.1.0",
    )
