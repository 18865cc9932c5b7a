"""Workspaces with live sources, and the tables of the first systems."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import isnan
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import create_engine, make_url, text

from sereno.flows.sources import run_sources
from sereno.flows.workspace import Workspace

__all__ = [
    "BEGIN",
    "add_registros",
    "declare_sources",
    "execute",
    "make_energia",
    "make_registros",
    "query",
    "running_sources",
    "stored_values",
]

BEGIN = datetime(2025, 3, 1, tzinfo=UTC)


def declare_sources(folder: Path, sources: dict[str, Any], **settings: object) -> Path:
    """A workspace with these sources."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"timezone": "UTC", "language": "en", "sources": sources, **settings}
    (folder / "sereno.yaml").write_text(yaml.safe_dump(said, sort_keys=False), "utf-8")
    return folder


@contextmanager
def running_sources(folder: Path) -> Iterator[Workspace]:
    """The sources of a workspace at work in a thread, until the context ends."""
    stop, failures = threading.Event(), list[Exception]()

    def run(workspace: Workspace) -> None:
        try:
            run_sources(workspace, stop)
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            failures.append(error)

    with Workspace.open(folder) as workspace:
        thread = threading.Thread(target=run, args=(workspace,))
        thread.start()
        try:
            yield workspace
        finally:
            stop.set()
            thread.join(60)
        assert not thread.is_alive()
        assert not failures, failures


def stored_values(workspace: Workspace, signal: str) -> dict[tuple[str, datetime], float]:
    """The stored values of a signal, by asset and instant."""
    found = {}
    with workspace.store.read() as tx:
        for asset in tx.assets():
            rows = tx.rows(asset.id, asset.profile)
            if signal in rows.signals:
                column = rows.values[:, rows.signals.index(signal)]
                for time, value in zip(rows.time.tolist(), column.tolist(), strict=True):
                    if not isnan(value):
                        found[str(asset.key), time.replace(tzinfo=UTC)] = value
    return found


def execute(url: str, statement: str, *rows: dict[str, object]) -> None:
    """Run a statement on a database, once for each of the rows."""
    engine = create_engine(_with_driver(url))
    try:
        with engine.begin() as connection:
            if rows or ":at" not in statement:
                connection.execute(text(statement), list(rows) or None)
    finally:
        engine.dispose()


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows that a query gives."""
    engine = create_engine(_with_driver(url))
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()


def make_registros(url: str, n_rows: int) -> None:
    """The table of the second system's motor, as its own statement makes it."""
    serial = "SERIAL PRIMARY KEY" if url.startswith("postgres") else "INTEGER PRIMARY KEY"
    execute(
        url,
        f"CREATE TABLE registros (id {serial}, timestamp TIMESTAMP, corriente FLOAT, voltaje FLOAT, "
        "potencia_activa FLOAT, temperatura_motor FLOAT, estado VARCHAR(20))",
    )
    add_registros(url, range(n_rows))


def add_registros(url: str, numbers: range) -> None:
    """Rows of a motor, one a minute."""
    rows = [
        {
            "at": (BEGIN + timedelta(minutes=n)).replace(tzinfo=None).isoformat(sep=" "),
            "current": 20 + n % 7 / 10,
            "voltage": 400.0,
            "power": 11 + n % 5 / 10,
            "temperature": 60.0 + n % 3,
            "state": "normal" if n % 9 else "anomalia",
        }
        for n in numbers
    ]
    execute(
        url,
        "INSERT INTO registros (timestamp, corriente, voltaje, potencia_activa, temperatura_motor, estado) "
        "VALUES (:at, :current, :voltage, :power, :temperature, :state)",
        *rows,
    )


def make_energia(url: str, n_rows: int) -> None:
    """The table of the first system's guide: days as texts, and a flag."""
    execute(
        url,
        'CREATE TABLE energia (id INTEGER PRIMARY KEY, "Fecha" TEXT, "Generación total" REAL, '
        '"Consumo total" REAL, "Autoconsumo" REAL, "Energía suministrada a la red" REAL, '
        '"Energía obtenida de la red" REAL, "Empresa" TEXT, procesado INTEGER DEFAULT 0)',
    )
    rows = [
        {
            "id": n,
            "day": f"{BEGIN + timedelta(days=n):%d.%m.%Y}",
            "generation": 5_000.0 + n,
            "consumption": 15_000.0,
            "own": 4_000.0,
            "sent": 1_000.0 + n,
            "got": 11_000.0,
            "company": "NEUROCIENCIAS",
        }
        for n in range(n_rows)
    ]
    execute(
        url,
        "INSERT INTO energia VALUES (:id, :day, :generation, :consumption, :own, :sent, :got, :company, 0)",
        *rows,
    )


def _with_driver(url: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)
