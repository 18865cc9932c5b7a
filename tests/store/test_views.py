"""Views for other tools follow the tables, say units and instants, use indexes, yield to what is there."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from sereno.domain.incidents import EventKind
from sereno.domain.judgement import Severity
from sereno.domain.readings import Quality
from sereno.domain.signals import AssetKey, Profile, Signal
from sereno.store import NewNotification, Store, open_store
from sereno.store.columns import MAX_SIGNALS
from sereno.store.views import VIEWS
from tests.store.builders import (
    NAN,
    NOW,
    PROCESS,
    PUMP,
    ROOF,
    START,
    STEP,
    a_batch,
    a_card,
    a_detection,
    an_event,
    append,
    asset_id,
    query,
)

MOTOR = Profile(
    "motor",
    (
        Signal("current", "current", "A"),
        Signal("voltage", "voltage", "V"),
        Signal("active_power", "power", "kW"),
        Signal("motor_temperature", "temperature", "°C"),
    ),
)
INSTANT_US = (START - datetime(1970, 1, 1, tzinfo=START.tzinfo)) // timedelta(microseconds=1)


def _values(url: str, signal: str) -> list[object]:
    rows = query(url, f"SELECT value FROM v_readings WHERE signal = '{signal}' ORDER BY ts")
    return [row["value"] for row in rows]


def _plan(url: str, statement: str) -> str:
    """How the database would answer; as it would where tables are large."""
    if url.startswith("sqlite"):
        rows = query(url, f"EXPLAIN QUERY PLAN {statement}")
        return "\n".join(str(row["detail"]) for row in rows)
    rows = query(url, f"EXPLAIN {statement}")
    return "\n".join(str(next(iter(row.values()))) for row in rows)


def test_views_of_an_empty_store_have_no_row(database_url: str) -> None:
    assert [name for name in VIEWS if query(database_url, f"SELECT * FROM {name}")] == []


def test_views_have_the_same_columns_before_and_after_the_first_reading(store: Store) -> None:
    before = {name: _columns(store, name) for name in VIEWS}

    append(store, a_batch([[1, 2, 3, 4]], signals=MOTOR.signal_names), MOTOR)

    assert {name: _columns(store, name) for name in VIEWS} == before


def _columns(store: Store, name: str) -> Sequence[str]:
    with store.read() as tx:
        return tuple(tx._connection.exec_driver_sql(f"SELECT * FROM {name}").keys())


def test_reading_is_a_row_with_its_unit_and_instant(database_url: str, store: Store) -> None:
    append(store, a_batch([[1.5, NAN]], quality=[[int(Quality.ESTIMATED), 0]]))

    (row,) = query(database_url, "SELECT * FROM v_readings")

    assert {name: row[name] for name in ("organization", "site", "asset", "profile", "signal", "unit")} == {
        "organization": "default",
        "site": ROOF.site,
        "asset": ROOF.asset,
        "profile": "solar",
        "signal": "generation",
        "unit": "kWh",
    }
    assert (row["value"], row["quality"], row["is_simulated"]) == (1.5, int(Quality.ESTIMATED), 0)
    assert row["ts_us"] == INSTANT_US
    assert row["ts"] in (START, "2025-01-01T00:00:00.000Z")


def test_readings_follow_columns_that_appear_later(database_url: str, store: Store) -> None:
    append(store, a_batch([[1, 2]]))
    append(store, a_batch([[7]], signals=["caudal extraño"], rows=[3]), PROCESS)

    append(store, a_batch([[9]], signals=["otra señal; --'"], rows=[4]), PROCESS)

    found = query(database_url, "SELECT profile, signal, value FROM v_readings ORDER BY value")
    assert [tuple(row.values()) for row in found] == [
        ("solar", "generation", 1.0),
        ("solar", "consumption", 2.0),
        ("process", "caudal extraño", 7.0),
        ("process", "otra señal; --'", 9.0),
    ]


def test_organizations_with_the_same_column_for_other_signals_are_told_apart(database_url: str) -> None:
    for organization, signal, value in (("a", "Caudal 1", 1.0), ("b", "caudal-1", 2.0)):
        with open_store(database_url, organization=organization) as store:
            append(store, a_batch([[value]], signals=[signal]), PROCESS)

    found = query(database_url, "SELECT organization, signal, value FROM v_readings ORDER BY organization")

    assert [tuple(row.values()) for row in found] == [("a", "Caudal 1", 1.0), ("b", "caudal-1", 2.0)]


def test_widest_table_can_be_read(database_url: str, store: Store) -> None:
    signals = [f"s{number}" for number in range(MAX_SIGNALS)]
    append(store, a_batch([list(range(MAX_SIGNALS))], signals=signals), PROCESS)

    assert query(database_url, "SELECT COUNT(*) AS n FROM v_readings") == [{"n": MAX_SIGNALS}]
    assert _values(database_url, "s789") == [789.0]


def test_unit_that_changes_in_the_profile_is_followed(database_url: str, store: Store) -> None:
    append(store, a_batch([[1.0]], signals=["x"]), PROCESS)
    assert query(database_url, "SELECT unit FROM v_readings") == [{"unit": ""}]

    append(store, a_batch([[1.0]], signals=["x"]), Profile("process", (Signal("x", "power", "kW"),)))

    assert query(database_url, "SELECT unit FROM v_readings") == [{"unit": "kW"}]


def test_asset_says_its_last_reading(database_url: str, store: Store) -> None:
    append(store, a_batch([[1, 2], [3, 4]]))
    asset_id(store, PUMP, "motor")

    rows = query(database_url, "SELECT site, profile, zone, last_reading_at_us FROM v_assets ORDER BY site")

    assert [tuple(row.values()) for row in rows] == [
        (PUMP.site, "motor", "Europe/Madrid", None),
        (ROOF.site, "solar", "Europe/Madrid", INSTANT_US + STEP // timedelta(microseconds=1)),
    ]


def test_incidents_detections_and_notifications_are_shown(database_url: str, store: Store) -> None:
    which = asset_id(store)
    with store.begin() as tx:
        tx.save_detection(which, a_detection())
        tx.open_incident("incident-1", "group", which, an_event())
        tx.open_incident("incident-2", "other", which, an_event())
        tx.append_event("incident-2", an_event(EventKind.WITHDRAWN, detection=a_detection(end=None)))
        told = NewNotification("key", "guardia", "opened", NOW, "incident-1", int(Severity.HIGH))
        tx.add_notifications([told])
        tx.save_model(a_card(), "models/x")
        tx.add_metric(200, 3, 1.5, "caution", NOW)

    (incident,) = query(database_url, "SELECT * FROM v_incidents")
    (detection,) = query(database_url, "SELECT * FROM v_detections")
    (notification,) = query(database_url, "SELECT * FROM v_notifications")
    (model,) = query(database_url, "SELECT * FROM v_models")
    (metric,) = query(database_url, "SELECT * FROM metricas")

    assert (incident["id"], incident["severity"], incident["severity_level"]) == ("incident-1", "high", 3)
    assert (incident["is_silenced"], incident["is_inhibited"], incident["ended_at"]) == (0, 0, None)
    assert (detection["check_name"], detection["signal"], detection["unit"]) == (
        "behaviour",
        "generation",
        "kWh",
    )
    assert (notification["receiver"], notification["severity"], notification["sent_at"]) == (
        "guardia",
        "high",
        None,
    )
    assert (model["detector"], model["n_assets"], model["n_signals"]) == ("robust", 1, 2)
    assert (metric["total"], metric["anomalias"], metric["porcentaje"], metric["estado"]) == (
        200,
        3,
        1.5,
        "Precaucion",
    )


def test_registros_are_a_motors_records_in_the_words_of_the_seed(database_url: str, store: Store) -> None:
    batch = a_batch([[25, 220, 4.5, 45]] * 6, signals=MOTOR.signal_names)
    append(store, batch, MOTOR)
    which = asset_id(store, ROOF, "motor")
    with store.begin() as tx:
        tx.save_detection(which, a_detection(start=2, end=4))

    rows = query(database_url, "SELECT * FROM registros ORDER BY id")

    assert [row["estado"] for row in rows] == ["Normal", "Normal", "Anomalo", "Anomalo", "Normal", "Normal"]
    assert [rows[0][name] for name in ("corriente", "voltaje", "potencia_activa", "temperatura_motor")] == [
        25,
        220,
        4.5,
        45,
    ]
    assert len({row["id"] for row in rows}) == 6
    assert list(rows[0])[:7] == [
        *("id", "timestamp", "corriente", "voltaje", "potencia_activa", "temperatura_motor", "estado")
    ]


def test_table_of_somebody_else_stays_and_ours_yields(empty_database_url: str) -> None:
    query(empty_database_url, "CREATE TABLE registros (id INTEGER PRIMARY KEY, corriente FLOAT)")
    query(empty_database_url, "INSERT INTO registros VALUES (1, 25.0)")

    with open_store(empty_database_url) as store:
        append(store, a_batch([[25, 220, 4.5, 45]], signals=MOTOR.signal_names), MOTOR)
        with store.read() as tx:
            yielded = tx.foreign_views()

    assert yielded == ["registros"]
    assert query(empty_database_url, "SELECT * FROM registros") == [{"id": 1, "corriente": 25.0}]
    assert query(empty_database_url, "SELECT corriente FROM v_registros") == [{"corriente": 25.0}]


def test_view_of_somebody_else_over_ours_survives_new_columns(database_url: str, store: Store) -> None:
    append(store, a_batch([[1, 2]]))
    query(
        database_url,
        "CREATE VIEW mine AS SELECT value FROM v_readings WHERE signal <> 'generation'",
    )

    append(store, a_batch([[9]], signals=["x"], rows=[4]), PROCESS)

    assert [row["value"] for row in query(database_url, "SELECT value FROM mine ORDER BY value")] == [2, 9]


def test_role_that_may_only_read_views_can_do_nothing_else(database_url: str, store: Store) -> None:
    if store.is_shared is False:
        pytest.skip("an embedded store has no roles")
    append(store, a_batch([[1, 2]]))
    role = f"reader_{database_url.rpartition('/')[2].partition('?')[0]}"
    query(database_url, f"CREATE ROLE {role} LOGIN")
    try:
        query(database_url, f"GRANT SELECT ON v_readings TO {role}")
        append(store, a_batch([[9]], signals=["x"], rows=[4]), PROCESS)
        theirs = database_url.replace("://sereno@", f"://{role}@")

        assert len(query(theirs, "SELECT * FROM v_readings")) == 3
        for refused in ("SELECT * FROM reading_solar", "SELECT * FROM v_incidents", "DELETE FROM v_readings"):
            with pytest.raises(Exception, match=r"permission denied|cannot delete"):
                query(theirs, refused)
    finally:
        query(database_url, f"DROP OWNED BY {role}")
        query(database_url, f"DROP ROLE {role}")


def test_series_of_an_asset_is_found_by_the_key_of_its_readings(database_url: str, store: Store) -> None:
    for number in range(40):
        key = AssetKey(f"s{number}", f"s{number}")
        append(store, a_batch([[1.0, 2.0]] * 500, key=key))
    if store.is_shared:
        query(database_url, "ANALYZE")
    between = f"ts_us BETWEEN {INSTANT_US} AND {INSTANT_US + 10_000_000}"
    if store.is_shared:
        between = "ts BETWEEN '2025-01-01T00:00Z' AND '2025-01-01T00:10Z'"

    which = f"site = 's3' AND asset = 's3' AND signal = 'generation' AND {between}"
    plan = _plan(database_url, f"SELECT ts, value FROM v_readings WHERE {which}")

    assert (
        "reading_solar_2025_01_pkey" in plan
        or "SEARCH r USING PRIMARY KEY (asset_id=? AND ts>? AND ts<?)" in plan
    )
    assert "Seq Scan on reading_solar" not in plan
    assert "SCAN r" not in plan


def test_newest_registros_are_judged_by_an_index(database_url: str, store: Store) -> None:
    append(store, a_batch([[25, 220, 4.5, 45]] * 6, signals=MOTOR.signal_names), MOTOR)

    plan = _plan(database_url, "SELECT estado FROM registros")

    if not store.is_shared:  # PostgreSQL does not use an index on a table of no rows
        assert "USING COVERING INDEX" in plan or "USING INDEX" in plan
        assert "SCAN d" not in plan
