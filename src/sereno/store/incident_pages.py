"""Pages of incidents that are over, in the order of a list: filtered, sorted and cut by the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Double,
    Text,
    and_,
    bindparam,
    case,
    cast,
    false,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from sereno.domain.incidents import Incident, Verdict
from sereno.domain.judgement import Severity
from sereno.domain.ranking import trouble_of
from sereno.domain.time import EPOCH
from sereno.store.codec import EXPORTED, incident_of
from sereno.store.incidents import CHILDREN_WITHIN
from sereno.store.schema import IS_CLEARED, IS_INHIBITED, asset, incident, site
from sereno.store.session import Session

__all__ = ["REMEMBERED", "Earlier", "IncidentPageSession", "IncidentQuery", "Order", "Prices"]

Order = Literal["worst", "newest", "cost"]
REMEMBERED = 50
"""Earlier incidents of the same trouble that are looked at."""
_NOTHING, _NOBODY = "[]", "{}"
_EARLIER = (
    select(*(incident.c[name] for name in ("id", "started_at", "ended_at", "severity", "verdict")))
    .where(
        incident.c.asset_id == bindparam("asset_id"),
        incident.c.trouble == bindparam("trouble"),
        tuple_(incident.c.started_at, incident.c.id)
        < tuple_(bindparam("before", type_=incident.c.started_at.type), bindparam("than")),
        incident.c.is_withdrawn.is_(False),
    )
    .order_by(incident.c.started_at.desc(), incident.c.id.desc())
    .limit(REMEMBERED)
)
_EXPLAINED = (
    select(incident.c.id)
    .where(
        incident.c.organization_id == bindparam("mine"),
        IS_INHIBITED,
        incident.c.is_withdrawn.is_(False),
        incident.c.started_at.between(bindparam("first"), bindparam("last")),
        cast(incident.c.inhibitors, Text).like(bindparam("parent")),
    )
    .order_by(incident.c.started_at, incident.c.id)
)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Which incidents; what is None fits all.

    Attributes:
        severity: This or worse, 1 to 4.
        problem, text: Not asked of the database: they are of what people read.
        since, until: Only those that lasted beyond `since` and began before `until`, in the time of the data.
        text: In the sentence, the names, the cause or the owner, upper and lower case alike.
    """

    order: Order = "worst"
    state: str | None = None
    condition: str | None = None
    severity: int | None = None
    kind: str | None = None
    cause: str | None = None
    problem: str | None = None
    site: str | None = None
    asset: str | None = None
    owner: str | None = None
    visibility: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """What a unit that was lost costs.

    Attributes:
        export: Of what was not sold, where that has a price of its own.
    """

    by_unit: Mapping[str, float] = field(default_factory=dict)
    export: float | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier incident of the same trouble."""

    id: str
    started_at: datetime
    ended_at: datetime | None
    severity: Severity
    verdict: Verdict | None


class IncidentPageSession(Session):
    """The part of a transaction that lists incidents."""

    def cleared_incidents(
        self,
        query: IncidentQuery,
        *,
        now: datetime,
        prices: Prices,
        after: Sequence[Any] | None = None,
        limit: int,
    ) -> list[Incident]:
        """Incidents that are over and fit, in the order that is asked for.

        Args:
            after: Place in the list after which they come, as `rank` gives it; it may be of an active one.
        """
        table = incident.c
        wanted = select(table.id).where(
            table.organization_id == self._organization_id, IS_CLEARED, table.is_withdrawn.is_(False)
        )
        if query.site is not None or query.asset is not None:
            wanted = wanted.join(asset, table.asset_id == asset.c.id).join(site, asset.c.site_id == site.c.id)
        wanted = wanted.where(*_conditions(query, now)).order_by(*_order(query.order, prices)).limit(limit)
        if after is not None:
            wanted = wanted.where(_comes_after(query.order, prices, after))
        # Only the chosen ones are read whole: their evidence is most of a row.
        ids = list(self._connection.execute(wanted).scalars())
        rows = self._connection.execute(select(incident).where(table.id.in_(ids))).mappings()
        found = {row["id"]: incident_of(dict(row)) for row in rows}
        return [found[one] for one in ids]

    def earlier_incidents(self, one: Incident, asset_id: int) -> tuple[Earlier, ...]:
        """The last earlier incidents of the same trouble of the same asset, newest first; 50 at most."""
        self._check_asset(asset_id)
        rows = self._connection.execute(
            _EARLIER,
            {
                "asset_id": asset_id,
                "trouble": trouble_of(one),
                "before": one.started_at,
                "than": one.id,
            },
        )
        return tuple(
            Earlier(id_, start, end, Severity(severity), None if verdict is None else Verdict(verdict))
            for id_, start, end, severity, verdict in rows
        )

    def explained_by(self, one: Incident) -> tuple[str, ...]:
        """Ids of the incidents that one explains, by start: they begin near to it, or while it lasts."""
        first = one.started_at - CHILDREN_WITHIN
        last = _NEVER if one.ended_at is None else one.ended_at + CHILDREN_WITHIN
        which = {"mine": self._organization_id, "first": first, "last": last, "parent": f'%"{one.id}"%'}
        return tuple(self._connection.execute(_EXPLAINED, which).scalars())


def _conditions(query: IncidentQuery, now: datetime) -> list[ColumnElement[bool]]:
    table = incident.c
    same = {
        table.condition: query.condition,
        table.state: query.state,
        table.kind: query.kind,
        table.cause: query.cause,
        table.owner: query.owner,
        site.c.name: query.site,
        asset.c.name: query.asset,
    }
    found = [column == value for column, value in same.items() if value is not None]
    if query.severity is not None:
        found.append(table.severity >= query.severity)
    if query.since is not None:
        found.append(or_(table.ended_at.is_(None), table.ended_at >= query.since))
    if query.until is not None:
        found.append(table.started_at < query.until)
    if query.visibility is not None:
        found.append(_visibility(now).get(query.visibility, false()))
    return found


def _visibility(now: datetime) -> dict[str, ColumnElement[bool]]:
    """As `Incident.visibility`: the first that holds."""
    table = incident.c
    is_shelved = and_(table.shelved_until.is_not(None), table.shelved_until > now)
    is_silenced = cast(table.silences, Text) != _NOBODY
    is_inhibited = cast(table.inhibitors, Text) != _NOTHING
    return {
        "shelved": is_shelved,
        "silenced": and_(~is_shelved, is_silenced),
        "inhibited": and_(~is_shelved, ~is_silenced, is_inhibited),
        "shown": and_(~is_shelved, ~is_silenced, ~is_inhibited),
    }


def _cost(amount: ColumnElement[float], prices: Prices) -> ColumnElement[float] | None:
    """Money of a loss; None where nothing has a price: an index then gives the order."""
    unit = incident.c.lost_unit
    priced: dict[str, float] = dict(prices.by_unit)
    if prices.export is None:
        priced |= {f"{EXPORTED}{name}": price for name, price in prices.by_unit.items()}
    whens = [(unit == name, literal(price, Double)) for name, price in priced.items()]
    if prices.export is not None:
        whens.append((unit.startswith(EXPORTED), literal(prices.export, Double)))
    return amount * case(*whens, else_=literal(0.0, Double)) if whens else None


def _keys(order: Order, prices: Prices) -> list[tuple[ColumnElement[Any] | None, bool]]:
    """What a list is sorted by, and whether the largest comes first; None is the same for all."""
    table = incident.c
    worst: list[tuple[ColumnElement[Any] | None, bool]] = [
        (table.severity, True),
        (None, False),  # active before cleared
        (_cost(table.lost, prices), True),
        (table.n_rows, True),
        (table.started_at, False),
        (table.id, False),
    ]
    if order == "newest":
        return [(table.started_at, True), (table.id, False)]
    return [(_cost(table.lost_per_day, prices), True), *worst] if order == "cost" else worst


def _order(order: Order, prices: Prices) -> list[ColumnElement[Any]]:
    return [
        key.desc() if is_descending else key.asc()
        for key, is_descending in _keys(order, prices)
        if key is not None
    ]


def _comes_after(order: Order, prices: Prices, after: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a row comes after a place, compared key by key as the list is sorted."""
    keys = _keys(order, prices)
    constant = 1 if order == "worst" else 2
    found: ColumnElement[bool] = false()
    for place in range(len(keys) - 1, -1, -1):
        key, is_descending = keys[place]
        value = after[place]
        if key is None:
            own = 1.0 if order != "newest" and place == constant else 0.0
            if own != value:
                found = true() if own > value else false()
            continue
        if key is incident.c.started_at:
            value = EPOCH + timedelta(seconds=-value if is_descending else value)
        elif is_descending:
            value = -value
        beyond = key < value if is_descending else key > value
        found = or_(beyond, and_(key == value, found))
        if place == 0:
            # Says nothing new, but where to begin in an index.
            found = and_(key <= value if is_descending else key >= value, found)
    return found
