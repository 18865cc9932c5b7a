"""What requests may say, with one meaning everywhere."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParameter
from fastapi.routing import APIRoute
from pydantic import BeforeValidator, WithJsonSchema

from sereno.domain.errors import InvalidQuery

__all__ = [
    "MAX_LIMIT",
    "AssetId",
    "Days",
    "IdempotencyKey",
    "IfMatch",
    "Instant",
    "KnownParameters",
    "Limit",
    "Name",
    "Since",
    "Text",
    "Until",
]

MAX_LIMIT = 1_000
MAX_ID = 2**31 - 1
MAX_KEY = 200
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_MAX_NAME = 500


def _instant(said: object) -> object:
    """An instant with its zone; a time without one could be any of 24."""
    if not isinstance(said, str):
        raise ValueError("write an instant as 2026-01-31T08:00:00Z")
    try:
        found = datetime.fromisoformat(said.strip())
    except ValueError:
        raise ValueError("write an instant as 2026-01-31T08:00:00Z") from None
    if found.tzinfo is None:
        raise ValueError(
            "say the zone, too: 2026-01-31T08:00:00Z, or +01:00 at the end (%2B01:00 in an address)"
        )
    if not _FIRST_YEAR <= found.year < _LAST_YEAR:
        raise ValueError(f"the year must be from {_FIRST_YEAR} to {_LAST_YEAR - 1}")
    return found.astimezone(UTC)


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T08:00:00Z"]}),
]
Name = Annotated[str, Query(min_length=1, max_length=_MAX_NAME)]
Text = Annotated[str, Query(min_length=1, max_length=_MAX_NAME)]
Since = Annotated[Instant | None, Query(description="Only what lasted beyond this instant of the data.")]
Until = Annotated[Instant | None, Query(description="Only what began before this instant of the data.")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="At most so many on a page.")]
Days = Annotated[int, Query(ge=1, le=3_660, description="Last days of the data.")]
AssetId = Annotated[int, Query(ge=1, le=MAX_ID, description="Number of the asset, as `assets` lists it.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY,
        description="Key of the request, made by who asks: one that was heard before does nothing again.",
        examples=["4f1c2a9e-acknowledge"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=MAX_KEY,
        description="`ETag` of the incident when it was last seen: if anybody has acted since, 412.",
    ),
]


async def _refuse_unknown(request: Request) -> None:
    """A parameter that is misspelt must not be taken for none; on the loop, for a thread would cost more."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    if not request.scope["query_string"]:
        return
    flat = get_flat_params(route.dependant)
    known = {one.alias for one in flat if isinstance(one.field_info, QueryParameter)}
    for name in request.query_params:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise InvalidQuery(where=f"query.{name[:_MAX_NAME]}", detail=f"unknown; there are: {listed}")


KnownParameters = Depends(_refuse_unknown)
