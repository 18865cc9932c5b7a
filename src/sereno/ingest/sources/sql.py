"""Tables and queries of PostgreSQL and SQLite, asked again and again.

Rows are read above a high-water mark that reaches back by an overlap, for rows that came late; what was
read before changes nothing, because readings are known by asset and instant. With a flag, rows are read while
it is 0 and marked once they are stored; a crash between the two repeats the batch, which is harmless.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr, ValidationInfo
from sqlalchemy import Connection, Engine, TextClause, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.types import NULLTYPE, Date, DateTime

from sereno.contracts.options import Place
from sereno.contracts.source import Polled, Record
from sereno.domain.errors import SourceUnreachable
from sereno.ingest.headers import GENERIC, Role, key_of

__all__ = ["SqlSource"]

BATCH, FLAGGED_BATCH = 1_000, 100
MAX_BATCH = 1_000_000
"""Rows of one instant that are read at once at most."""
KEY_OVERLAP = 1_000
"""Rows that are read again where the mark is a key and not an instant."""
CONNECT_TIMEOUT_S = 10
_SQLITE = "sqlite:///"
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_MILLISECONDS_FROM = 100_000_000_000
"""Greater numbers count milliseconds since 1970, not seconds."""
_MAX_DETAIL = 300
_TIMES = frozenset(key_of(name) for name in GENERIC[Role.TIME])
_KEYS = frozenset({"id", "rowid", "key", "clave"})

Mark = datetime | date | int | float | str


def _from_folder(given: object, info: ValidationInfo) -> object:
    place = info.context if isinstance(info.context, Place) else Place()
    plain = given.get_secret_value() if isinstance(given, SecretStr) else given
    if isinstance(plain, str) and plain.startswith(_SQLITE) and not plain.startswith(f"{_SQLITE}/"):
        return f"{_SQLITE}{(place.folder / plain.removeprefix(_SQLITE)).resolve()}"
    return plain


DatabaseUrl = Annotated[SecretStr, BeforeValidator(_from_folder)]
"""An address; the path of a SQLite file is relative to the workspace or absolute."""


@dataclass(frozen=True)
class SqlSource:
    """A table, view or query."""

    url: DatabaseUrl
    table: str | None = None
    query: str | None = None
    time_column: str | None = None
    key_column: str | None = None
    processed_flag: str | None = None
    signal_column: str | None = None
    value_column: str | None = None
    interval: timedelta = timedelta(minutes=1)
    overlap: timedelta = timedelta(hours=1)
    batch: int | None = None

    @contextmanager
    def connect(self) -> Iterator["SqlLink"]:
        """A connection pool of one, and what the table looks like."""
        address = _address(self.url.get_secret_value())
        try:
            engine = _engine(self.url.get_secret_value(), is_writing=self.processed_flag is not None)
            try:
                with _reading(engine) as connection:
                    shape = _shape_of(self, connection)
                yield SqlLink(self, engine, shape, address)
            finally:
                engine.dispose()
        except (SQLAlchemyError, ArgumentError, OSError, LookupError, ImportError) as error:
            raise _unreachable(address, error) from error


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a table looks like.

    Attributes:
        mark: Column by which rows are read in order; empty where there is none.
        is_instant: The mark is an instant, so that an overlap in time has a meaning.
        key: Column by which single rows are known; empty where there is none.
    """

    mark: str
    is_instant: bool
    key: str


class SqlLink:
    """A connection to a database."""

    def __init__(self, source: SqlSource, engine: Engine, shape: _Shape, address: str) -> None:
        self._source = source
        self._engine = engine
        self._shape = shape
        self._address = address
        self._rows = source.batch or (FLAGGED_BATCH if source.processed_flag else BATCH)

    def poll(self, after: str | None) -> Polled:
        """The next rows."""
        try:
            if self._source.processed_flag is not None:
                return self._unprocessed(self._source.processed_flag)
            return self._above(_Place.load(after))
        except SQLAlchemyError as error:
            raise _unreachable(self._address, error) from error

    def settle(self, polled: Polled) -> None:
        """Mark stored rows as processed."""
        flag = self._source.processed_flag
        if flag is None or not polled.keys:
            return
        table, key = _quoted_table(self._source.table or ""), _quoted(self._shape.key)
        change = text(f"UPDATE {table} SET {_quoted(flag)} = 1 WHERE {key} = :key")
        try:
            with self._engine.begin() as connection:
                connection.execute(change, [{"key": one} for one in polled.keys])
        except SQLAlchemyError as error:
            raise _unreachable(self._address, error) from error

    def _unprocessed(self, flag: str) -> Polled:
        key = self._shape.key
        statement = text(
            f"SELECT * FROM {_quoted_table(self._source.table or '')} WHERE {_quoted(flag)} = 0 "
            f"ORDER BY {_quoted(key)} LIMIT :rows"
        )
        rows = self._read(statement, {"rows": self._rows})
        return Polled(
            records=[self._record(row, without=flag) for row in rows],
            is_last=len(rows) < self._rows,
            keys=[row[key] for row in rows],
        )

    def _above(self, place: "_Place") -> Polled:
        """Rows at and above a mark; so many that the mark moves on, however many share one."""
        shape, n_rows = self._shape, self._rows
        start = place.mark if place.is_under_way else self._back(place.mark)
        while True:
            rows = self._read(*self._statement(start, n_rows))
            is_last = len(rows) < n_rows
            if is_last or n_rows >= MAX_BATCH or rows[-1][shape.mark] != rows[0][shape.mark]:
                break
            n_rows *= 2
        found = [mark for mark in (row[shape.mark] for row in rows) if mark is not None]
        mark = _greater(place.mark, _plain(found[-1])) if found else place.mark
        cursor = _Place(mark, is_under_way=not is_last).dump()
        records = [self._record(row) for row in rows]
        return Polled(records=records, cursor=cursor, is_last=is_last)

    def _statement(self, start: Mark | None, n_rows: int) -> tuple[TextClause, dict[str, object]]:
        source, mark = self._source, _quoted(self._shape.mark)
        origin = (
            _quoted_table(source.table) if source.table else f"({(source.query or '').rstrip('; ')}) AS q"
        )
        where = f"{mark} IS NOT NULL" if start is None else f"{mark} >= :start"
        values: dict[str, object] = {"rows": n_rows} | ({} if start is None else {"start": start})
        return text(f"SELECT * FROM {origin} WHERE {where} ORDER BY {mark} LIMIT :rows"), values

    def _read(self, statement: TextClause, values: Mapping[str, object]) -> list[dict[str, object]]:
        with _reading(self._engine) as connection:
            found = connection.execute(statement, values).mappings()
            return [dict(row) for row in found]

    def _record(self, row: Mapping[str, object], *, without: str = "") -> Record:
        kept = {name: _cell(value) for name, value in row.items() if name != without}
        signal, value = self._source.signal_column, self._source.value_column
        if signal is None or value is None:
            return kept
        name, number = str(kept.pop(signal)), kept.pop(value)
        return {**kept, name: number}

    def _back(self, mark: Mark | None) -> Mark | None:
        if mark is None:
            return None
        if not self._shape.is_instant:
            return mark - KEY_OVERLAP if isinstance(mark, int | float) else mark
        return _earlier(mark, self._source.overlap)


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a table has been read.

    Attributes:
        is_under_way: More rows above the mark were ready, so that no overlap is due yet.
    """

    mark: Mark | None = None
    is_under_way: bool = False

    @classmethod
    def load(cls, cursor: str | None) -> "_Place":
        if cursor is None:
            return cls()
        kind, value, is_under_way = json.loads(cursor)
        if kind == "instant":
            value = datetime.fromisoformat(value)
        elif kind == "date":
            value = date.fromisoformat(value)
        return cls(value, is_under_way)

    def dump(self) -> str:
        mark = self.mark
        if isinstance(mark, datetime):
            return json.dumps(["instant", mark.isoformat(), self.is_under_way])
        if isinstance(mark, date):
            return json.dumps(["date", mark.isoformat(), self.is_under_way])
        return json.dumps(["plain", mark, self.is_under_way])


def _engine(url: str, *, is_writing: bool) -> Engine:
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if parsed.database and not Path(parsed.database).is_file():
            raise LookupError("there is no such file")
        return create_engine(parsed, connect_args={"timeout": CONNECT_TIMEOUT_S})
    if backend not in ("postgresql", "postgres"):
        raise LookupError("only sqlite:/// and postgresql:// addresses are known")
    parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed, pool_size=1, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
    )
    return engine if is_writing else engine.execution_options(postgresql_readonly=True)


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    """A transaction in which nothing is written."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only=1")
        try:
            yield connection
        finally:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only=0")


def _shape_of(source: SqlSource, connection: Connection) -> _Shape:
    """The columns by which rows are read in order and known."""
    if source.table is not None:
        schema, _, name = source.table.rpartition(".")
        looking = inspect(connection)
        columns = {one["name"]: one["type"] for one in looking.get_columns(name, schema=schema or None)}
        primary = looking.get_pk_constraint(name, schema=schema or None)["constrained_columns"]
    else:
        found = connection.execute(text(f"SELECT * FROM ({(source.query or '').rstrip('; ')}) AS q LIMIT 0"))
        columns, primary = dict.fromkeys(found.keys(), NULLTYPE), []
    if not columns:
        raise LookupError(f"there is no table '{source.table}'")
    for said in (source.time_column, source.key_column, source.processed_flag, source.signal_column):
        if said is not None and said not in columns:
            raise LookupError(f"there is no column '{said}', there are {', '.join(columns)}")
    key = source.key_column or _key(columns, primary)
    if source.processed_flag is not None:
        if not key:
            raise LookupError("rows that are to be marked need a primary key, or key_column")
        return _Shape("", is_instant=False, key=key)
    time = source.time_column or _time(columns)
    if time and _is_in_order(source, connection, time):
        return _Shape(time, is_instant=True, key=key)
    if not key:
        raise LookupError("no column says in which order rows came: name time_column or key_column")
    return _Shape(key, is_instant=False, key=key)


def _key(columns: Mapping[str, object], primary: Sequence[str]) -> str:
    if len(primary) == 1:
        return primary[0]
    return next((name for name in columns if key_of(name) in _KEYS), "")


def _time(columns: Mapping[str, object]) -> str:
    typed = [name for name, kind in columns.items() if isinstance(kind, DateTime | Date)]
    named = [name for name in columns if key_of(name) in _TIMES]
    return next((name for name in typed if name in named), next(iter([*named, *typed]), ""))


def _is_in_order(source: SqlSource, connection: Connection, time: str) -> bool:
    """Whether instants sort as they follow each other: 15.01.2025 comes before 16.12.2024 in no text."""
    origin = _quoted_table(source.table) if source.table else f"({(source.query or '').rstrip('; ')}) AS q"
    column = _quoted(time)
    sample = connection.execute(text(f"SELECT {column} FROM {origin} WHERE {column} IS NOT NULL LIMIT 100"))
    return all(not isinstance(one, str) or _ISO.match(one) for one in sample.scalars())


def _earlier(mark: Mark, overlap: timedelta) -> Mark:
    match mark:
        case datetime():
            return mark - overlap
        case date():
            return mark - max(overlap, timedelta(days=1))
        case int() | float():
            seconds = overlap.total_seconds()
            return mark - (1000 * seconds if mark > _MILLISECONDS_FROM else seconds)
        case _:
            return _earlier_text(mark, overlap)


def _earlier_text(mark: str, overlap: timedelta) -> str:
    """An ISO text so much earlier, written in the same way, so that texts compare as instants do."""
    try:
        instant = datetime.fromisoformat(mark) - overlap
    except ValueError:
        return mark
    date_length = len("2025-01-01")
    if len(mark) <= date_length:
        return instant.date().isoformat()
    text_of_it = instant.isoformat(sep=mark[date_length], timespec="microseconds")
    is_utc = mark.endswith("Z") and instant.utcoffset() == timedelta(0)
    return text_of_it.replace("+00:00", "Z") if is_utc else text_of_it


def _greater(one: Mark | None, other: Mark) -> Mark:
    if one is None:
        return other
    return max(one, other)


def _plain(value: object) -> Mark:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC)
    return value if isinstance(value, date | int | float) else str(value)


def _cell(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""').replace(":", "\\:")
    return f'"{doubled}"'


def _quoted_table(name: str) -> str:
    return ".".join(_quoted(part) for part in name.split("."))


def _address(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return f"{url.partition(':')[0][:20]}://…"


def _unreachable(address: str, error: BaseException) -> SourceUnreachable:
    cause = getattr(error, "orig", None) or error
    detail = " ".join(str(cause).split()).rstrip(".")[:_MAX_DETAIL] or type(cause).__name__
    return SourceUnreachable(address=address, detail=detail)
