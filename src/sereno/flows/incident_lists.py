"""Which incidents a list shows and in which order, and where each stands in it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sereno.domain.signals import Profile
from sereno.flows.exports import Cell, TableFormat, write_table
from sereno.flows.incidents import IncidentView, Order, cost_of, find_incidents
from sereno.settings.tree import Tariff
from sereno.store import Store

__all__ = ["IncidentBook", "IncidentQuery", "rank", "write_incidents"]


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Which incidents; what is None fits all.

    Attributes:
        severity: This or worse, 1 to 4.
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

    def fits(self, view: IncidentView, now: datetime) -> bool:
        """Whether an incident is one of these."""
        incident = view.incident
        is_within = (self.since is None or incident.ended_at is None or incident.ended_at >= self.since) and (
            self.until is None or incident.started_at < self.until
        )
        if not is_within or (self.severity is not None and incident.severity < self.severity):
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
        if any(getattr(self, name) not in (None, value) for name, value in facts.items()):
            return False
        return self.text is None or self.text.casefold() in _words(view)


def rank(view: IncidentView, order: Order) -> list[object]:
    """Where an incident stands in a list, as values that JSON can hold; smaller comes first."""
    incident = view.incident
    cost = cost_of(incident, view.tariff)
    worst: list[object] = [
        -int(incident.severity),
        int(incident.condition.value == "cleared"),
        -(cost[0] if cost else 0.0),
        -sum(one.n_rows for one in incident.evidence),
        incident.started_at.timestamp(),
        incident.id,
    ]
    if order == "newest":
        return [-incident.started_at.timestamp(), incident.id]
    if order == "cost":
        return [-(view.cost_per_day or 0.0), *worst]
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
    """The incidents of an organization as they stood after the last change; safe to share between threads."""

    def __init__(
        self, store: Store, profiles: Mapping[str, Profile], tariff: Callable[[], Tariff | None]
    ) -> None:
        self._store, self._profiles, self._tariff = store, profiles, tariff
        self._lock = threading.Lock()
        self._read_at = -1
        self._views: Sequence[IncidentView] = ()

    def find(self, query: IncidentQuery, now: datetime) -> list[IncidentView]:
        """Those that fit, in the order that was asked for."""
        found = [view for view in self._current() if query.fits(view, now)]
        return sorted(found, key=lambda view: rank(view, query.order))

    def _current(self) -> Sequence[IncidentView]:
        with self._lock, self._store.read() as tx:
            last = tx.last_change()
            if last != self._read_at:
                self._views = find_incidents(tx, self._profiles, self._tariff())
                self._read_at = last
            return self._views


def _words(view: IncidentView) -> str:
    incident = view.incident
    parts = (incident.id, str(incident.asset), incident.worst.cause, view.problem, incident.owner)
    return " ".join([*parts, view.sentence("en"), view.sentence("es")]).casefold()
