"""Which incidents a list shows and in which order, and where each stands in it."""

import heapq
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from sereno.domain.incidents import Incident
from sereno.domain.masking import is_in
from sereno.domain.ranking import Lost, lost_of
from sereno.domain.signals import AssetKey, Profile
from sereno.flows.exports import Cell, TableFormat, write_table
from sereno.flows.incidents import IncidentView, place_of, price_of, up_to_date
from sereno.settings.tree import Tariff
from sereno.store import Store, StoredAsset, Transaction
from sereno.store.incident_pages import IncidentQuery, Order, Prices

__all__ = ["IncidentBook", "IncidentQuery", "fits", "rank", "write_incidents"]

_CHUNK = 200
"""Incidents that are read at once where the database cannot say which of them fit."""


def fits(query: IncidentQuery, view: IncidentView, now: datetime) -> bool:
    """Whether an incident is one of those that are asked for."""
    incident = view.incident
    is_within = (query.since is None or incident.ended_at is None or incident.ended_at >= query.since) and (
        query.until is None or incident.started_at < query.until
    )
    if not is_within or (query.severity is not None and incident.severity < query.severity):
        return False
    facts = {
        "state": incident.state.value,
        "condition": incident.condition.value,
        "kind": incident.kind.value,
        "cause": incident.worst.cause,
        "problem": view.problem,
        "site": incident.asset.site,
        "asset": incident.asset.asset,
        "owner": incident.owner,
        "visibility": incident.visibility(now),
    }
    if any(getattr(query, name) not in (None, value) for name, value in facts.items()):
        return False
    return query.text is None or is_in(query.text, _words(view))


def rank(view: IncidentView, order: Order) -> list[object]:
    """Where an incident stands in a list, as values that JSON can hold; smaller comes first."""
    incident = view.incident
    lost = lost_of(incident) or Lost(0.0, "")
    price = price_of(lost, view.tariff) or 0.0
    worst: list[object] = [
        -int(incident.severity),
        int(incident.condition.value == "cleared"),
        -(lost.amount * price),
        -sum(one.n_rows for one in incident.evidence),
        incident.started_at.timestamp(),
        incident.id,
    ]
    if order == "newest":
        return [-incident.started_at.timestamp(), incident.id]
    if order == "cost":
        return [-(lost.amount / view.days_lasted * price), *worst]
    return worst


def write_incidents(
    views: Sequence[IncidentView], output: Path, table_format: TableFormat, now: datetime
) -> int:
    """Write incidents as CSV or XLSX, a row each, its cells as in `incidents list --json`; gives the rows."""
    rows = [view.to_json(now) for view in views]
    columns = list(rows[0]) if rows else ["id"]
    write_table(output, columns, ([_cell(value) for value in row.values()] for row in rows), table_format)
    return len(rows)


def _cell(value: object) -> Cell:
    """A value of the JSON document as one cell; lists and mappings as text."""
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return value if isinstance(value, str | float | int | bool | None) else str(value)


class IncidentBook:
    """The incidents of an organization, a page at a time; safe to share between threads.

    What goes on is kept as it stood after the last change: its evidence grows with every batch. What is over
    is asked of the database, which filters, sorts and cuts.
    """

    def __init__(
        self, store: Store, profiles: Mapping[str, Profile], tariff: Callable[[], Tariff | None]
    ) -> None:
        self._store, self._profiles, self._tariff = store, profiles, tariff
        self._lock = threading.Lock()
        self._read_at = -1
        self._active: Sequence[IncidentView] = ()

    def find(
        self,
        query: IncidentQuery,
        now: datetime,
        *,
        after: Sequence[object] | None = None,
        limit: int | None = None,
    ) -> list[IncidentView]:
        """Those that fit, in the order that was asked for.

        Args:
            after: Place in the list after which the page begins, as `rank` gives it.
            limit: Most that a page holds; all when None.
        """
        with self._store.read() as tx:
            going_on = [
                view
                for view in self._current(tx)
                if fits(query, view, now) and (after is None or rank(view, query.order) > list(after))
            ]
            going_on.sort(key=lambda view: rank(view, query.order))
            over = self._over(tx, query, now, after, limit)
            merged = heapq.merge(going_on, over, key=lambda view: rank(view, query.order))
            return self._explained(tx, list(islice(merged, limit)))

    def _current(self, tx: Transaction) -> Sequence[IncidentView]:
        """What goes on."""
        with self._lock:
            last = tx.last_change()
            if last != self._read_at:
                self._active = self._views(tx, tx.incidents(is_active=True))
                self._read_at = last
            return self._active

    def _over(
        self,
        tx: Transaction,
        query: IncidentQuery,
        now: datetime,
        after: Sequence[object] | None,
        limit: int | None,
    ) -> Iterator[IncidentView]:
        """What is over and fits, in order, read in portions as it is taken."""
        if query.condition == "active":
            return
        is_asked_of_people = query.problem is not None or query.text is not None
        portion = _CHUNK if limit is None or is_asked_of_people else min(limit, _CHUNK)
        tariff = self._tariff()
        prices = Prices() if tariff is None else Prices(tariff.prices, tariff.export_price)
        while True:
            found = tx.cleared_incidents(query, now=now, prices=prices, after=after, limit=portion)
            views = self._views(tx, found)
            yield from (view for view in views if fits(query, view, now))
            if len(found) < portion:
                return
            after = rank(views[-1], query.order)

    def _views(self, tx: Transaction, incidents: Sequence[Incident]) -> list[IncidentView]:
        """Incidents with the place that they are of, those that go on with their evidence as it is now."""
        assets = self._assets(tx, incidents)
        ids = {key: asset.id for key, asset in assets.items()}
        places = {key: place_of(asset, self._profiles) for key, asset in assets.items()}
        tariff = self._tariff()
        return [IncidentView(up_to_date(tx, one, ids), places[one.asset], tariff) for one in incidents]

    def _explained(self, tx: Transaction, views: Sequence[IncidentView]) -> list[IncidentView]:
        """The same with what came before of their kind, and what they explain."""
        incidents = [view.incident for view in views]
        assets = self._assets(tx, incidents)
        return [
            replace(
                view,
                similar=tx.earlier_incidents(view.incident, assets[view.incident.asset].id),
                children=tx.explained_by(view.incident),
            )
            for view in views
        ]

    @staticmethod
    def _assets(tx: Transaction, incidents: Sequence[Incident]) -> dict[AssetKey, StoredAsset]:
        sites = {one.asset.site for one in incidents}
        return {one.key: one for one in tx.assets(sites=sites, with_sources=True)} if sites else {}


def _words(view: IncidentView) -> str:
    incident = view.incident
    parts = (incident.id, str(incident.asset), incident.worst.cause, view.problem, incident.owner)
    return "\n".join([*parts, view.sentence("en"), view.sentence("es")])
