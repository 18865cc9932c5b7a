"""What parts by month cost and save on PostgreSQL, beside the same rows in one piece.

Years of hourly readings of some assets; then, on both, in turn: a record more, a month of one asset, the last
reading of each, and the oldest year taken out.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, create_engine, make_url

from benchmarks.common import MS_PER_S, parse_options, publish, tell
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey, Profile, Signal
from sereno.store import open_store
from sereno.store.months import drop_before, parts_of
from tests.support.postgres import PostgresMissing, fresh_database, running_postgres

__all__ = ["main"]

START = datetime(2022, 1, 1, tzinfo=UTC)
PROFILE = Profile("load", (Signal("power", "power", "kW"),), step=timedelta(hours=1))
YEARS, ASSETS = 3, 50
QUICK_YEARS, QUICK_ASSETS = 2, 10
HOURS_A_YEAR = 8_760
REPEATS = 200
PARTED, WHOLE = "reading_load", "whole"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish; without a server nothing but that."""
    options = parse_options("parts", str(__doc__), arguments)
    n_years, n_assets = (QUICK_YEARS, QUICK_ASSETS) if options.is_quick else (YEARS, ASSETS)
    try:
        with running_postgres() as server, fresh_database(server) as url:
            figures = _measured(url, n_years, n_assets)
    except PostgresMissing as missing:
        tell(str(missing))
        sys.exit(1)
    publish(options, figures, {})


def _measured(url: str, n_years: int, n_assets: int) -> dict[str, object]:
    tell(f"{n_assets} assets, {n_years} years")
    _fill(url, n_years * HOURS_A_YEAR, n_assets)
    with _connected(url) as connection:
        connection.exec_driver_sql(f"CREATE TABLE {WHOLE} (LIKE {PARTED} INCLUDING ALL)")
        connection.exec_driver_sql(f"INSERT INTO {WHOLE} SELECT * FROM {PARTED}")
        connection.exec_driver_sql("ANALYZE")
        n_parts = len(parts_of(connection, PARTED))
        asked = {name: _in_turn(connection, statement) for name, statement in STATEMENTS.items()}
        oldest = _oldest_year_ms(connection)
    return {"parts": n_parts, "rows": n_years * HOURS_A_YEAR * n_assets, **asked, "oldest_year_ms": oldest}


STATEMENTS: dict[str, Callable[[str, int], str]] = {
    "record_more_ms": lambda table, turn: (
        f"INSERT INTO {table} (asset_id, ts, revision, simulated, power) "
        f"VALUES (1, '2022-12-15 00:30+00'::timestamptz + interval '1 second' * {turn:d}, 1, false, 1.0)"
    ),
    "month_of_one_ms": lambda table, turn: (
        f"SELECT ts, power FROM {table} WHERE asset_id = {turn % QUICK_ASSETS + 1:d} "
        "AND ts >= '2022-12-01' AND ts < '2023-01-01' ORDER BY ts"
    ),
    "last_of_one_ms": lambda table, turn: (
        f"SELECT max(ts) FROM {table} WHERE asset_id = {turn % QUICK_ASSETS + 1:d}"
    ),
}
"""What is asked of a table, by name of its figure; `turn` makes each question another one."""


def _in_turn(connection: Connection, statement: Callable[[str, int], str]) -> dict[str, float]:
    """Median time on each table, asked alternately [ms], and how many times the one piece takes."""
    spent: dict[str, list[float]] = {PARTED: [], WHOLE: []}
    for turn in range(REPEATS):
        for table, found in spent.items():
            began = time.perf_counter()
            result = connection.exec_driver_sql(statement(table, turn))
            if result.returns_rows:
                result.all()
            found.append((time.perf_counter() - began) * MS_PER_S)
    return _beside(median(spent[PARTED]), median(spent[WHOLE]))


def _oldest_year_ms(connection: Connection) -> dict[str, float]:
    """Taken out by the part, and by the row."""
    end = START.replace(year=START.year + 1)
    began = time.perf_counter()
    drop_before(connection, PARTED, end)
    dropped = time.perf_counter()
    connection.exec_driver_sql(f"DELETE FROM {WHOLE} WHERE ts < '{end.isoformat()}'")
    return _beside((dropped - began) * MS_PER_S, (time.perf_counter() - dropped) * MS_PER_S)


def _beside(parts: float, whole: float) -> dict[str, float]:
    return {"parts": round(parts, 3), "whole": round(whole, 3), "ratio": round(whole / parts, 2)}


def _fill(url: str, n_hours: int, n_assets: int) -> None:
    rng = np.random.default_rng(0)
    keys = [AssetKey(f"Zona {number}", f"Zona {number}") for number in range(n_assets)]
    hours = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(n_hours) * np.timedelta64(1, "h")
    with open_store(url) as store:
        for key in keys:
            with store.begin() as tx:
                ids = tx.ensure_assets([key], profile=PROFILE.name, zone="UTC")
                tx.append(_batch(key, hours, rng), PROFILE, ids, at=START)


def _batch(key: AssetKey, hours: npt.NDArray[np.datetime64], rng: np.random.Generator) -> Readings:
    return Readings(
        profile=PROFILE.name,
        assets=(key,),
        asset_index=np.zeros(len(hours), dtype=np.int32),
        time=hours,
        signals=PROFILE.signal_names,
        values=rng.uniform(1, 2, (len(hours), 1)).round(3),
        quality=np.zeros((len(hours), 1), dtype=np.int32),
    )


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


if __name__ == "__main__":
    main()
