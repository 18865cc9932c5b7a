"""Column types that mean the same on SQLite and PostgreSQL."""

import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import BigInteger, Dialect, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.types import JSON, TypeEngine

from sereno.domain.time import EPOCH

__all__ = ["CleanText", "MICROSECOND", "Instant", "StrictJson", "clean_text", "dump_json", "to_microseconds"]

MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware instant: microseconds since 1970 on SQLite, timestamptz on PostgreSQL."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        """The database's own type where it has one with microseconds."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return cast("TypeEngine[datetime]", dialect.type_descriptor(BigInteger()))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        """What the driver takes."""
        if value is None or dialect.name == "postgresql":
            return value
        return to_microseconds(value)

    def process_result_value(self, value: datetime | int | None, _: Dialect) -> datetime | None:
        """Aware, in UTC, whatever zone the session has."""
        if isinstance(value, int):
            return EPOCH + value * MICROSECOND
        return None if value is None else value.astimezone(EPOCH.tzinfo)


class CleanText(TypeDecorator[str]):
    """Text that every database accepts: NUL and lone surrogates of broken files become U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Dialect) -> str | None:
        """What the driver takes."""
        return None if value is None else clean_text(value)


class StrictJson(TypeDecorator[object]):
    """JSON, JSONB on PostgreSQL; the engine writes it with `dump_json`, so it has no NaN."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[object]:
        """The database's own type."""
        kind = JSONB if dialect.name == "postgresql" else JSON
        return cast("TypeEngine[object]", dialect.type_descriptor(kind(none_as_null=True)))


_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
_NUL = "\\u0000"


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    return (instant - EPOCH) // MICROSECOND


def clean_text(text: str) -> str:
    """The text without the two things that a database may refuse."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def dump_json(value: object) -> str:
    """Compact strict JSON; NaN and infinities become null."""
    try:
        text = _JSON.encode(value)
    except (TypeError, ValueError):  # a mapping that is no dictionary, or what is no number
        return _JSON.encode(_clean(value))
    return text if _NUL not in text and clean_text(text) == text else _JSON.encode(_clean(value))


def _clean(value: object) -> object:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean_text(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
