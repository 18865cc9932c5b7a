"""Incidents, what people do about them, and who is left in peace."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from sereno.domain.adjustments import Adjustment
from sereno.domain.incidents import EventKind, Incident, IncidentEvent, Verdict
from sereno.domain.silences import Silence
from sereno.flows.build import life_policy
from sereno.flows.desks.lookups import LookupDesk
from sereno.flows.feedback import WouldChange, apply_verdict, would_change
from sereno.flows.health import WAITED_FOR, Health, health_of, told_since
from sereno.flows.incident_lists import IncidentQuery
from sereno.flows.incidents import IncidentView, find_incidents, human_event, summarise, view_of
from sereno.flows.life import LifePolicy
from sereno.flows.people import act, shelve
from sereno.flows.silencing import SilenceRequest, add_silence
from sereno.flows.timers import fire_due, review_visibility, tending
from sereno.store import StoredAsset, Transaction
from sereno.store.incident_pages import Order

__all__ = ["IncidentDesk"]


class IncidentDesk(LookupDesk):
    """Shows incidents and takes what people say of them."""

    def incidents(self, *, since: datetime | None = None, order: Order = "worst") -> list[IncidentView]:
        """All incidents, worst first."""
        with self._store.read() as tx:
            return find_incidents(
                tx, self._setup.incident_profiles, self.settings.tariff, since=since, order=order
            )

    def incident(self, incident_id: str) -> IncidentView:
        """One incident, by its id or the beginning of it.

        Raises:
            NotFound: No incident, or several, begin like that.
        """
        with self._store.read() as tx:
            incident = tx.incident(incident_id)
            profiles = self._setup.incident_profiles
            return view_of(tx, incident, profiles, self.settings.tariff, self.usable_model)

    def find_incidents(
        self,
        query: IncidentQuery,
        *,
        after: Sequence[object] | None = None,
        limit: int | None = None,
    ) -> list[IncidentView]:
        """The incidents that fit, in the order that was asked for; see `IncidentBook.find`."""
        return self._book.find(query, self.now(), after=after, limit=limit)

    def events(self, incident_id: str) -> list[IncidentEvent]:
        """The log of an incident, oldest first."""
        with self._store.read() as tx:
            return tx.events(incident_id)

    def health(self, *, days: int = 30) -> Health:
        """How much incidents ask of people over the last days of the data, and what would help most."""
        until = self.last_reading_at() or self.now()
        since = until - timedelta(days=days)
        views = self.incidents(since=since)
        with self._store.read() as tx:
            events = tx.events_of([view.incident.id for view in views], WAITED_FOR)
            told = told_since(tx, self.now() - timedelta(days=days))
        return health_of(views, events, since=since, until=until, told=told, now=self.now())

    def summary(self, *, days: int = 7) -> dict[str, object]:
        """Counts of incidents over the last days of the data."""
        views = self.incidents()
        return summarise(views, days=days, until=self.last_reading_at() or self._setup.clock())

    def acknowledge(
        self, incident_id: str, *, actor: str, request_key: str | None = None, version: int | None = None
    ) -> Incident:
        """Say that somebody has seen it.

        Args:
            request_key: Of the request, as of all that people do: one heard before changes nothing.
            version: How many events it had when the actor last saw it: if more, nothing is done.

        Raises:
            IncidentChanged: It has more by now.
        """
        return self._act(incident_id, EventKind.ACKNOWLEDGED, actor, request_key, version)

    def unacknowledge(
        self, incident_id: str, *, actor: str, request_key: str | None = None, version: int | None = None
    ) -> Incident:
        """Take an acknowledgement back: somebody else has to see to it.

        Raises:
            UsageError: Nobody has acknowledged it.
        """
        return self._act(incident_id, EventKind.UNACKNOWLEDGED, actor, request_key, version)

    def comment(
        self,
        incident_id: str,
        text: str,
        *,
        actor: str,
        request_key: str | None = None,
        version: int | None = None,
    ) -> Incident:
        """Add a remark."""
        return self._act(incident_id, EventKind.COMMENTED, actor, request_key, version, text=text)

    def assign(
        self,
        incident_id: str,
        owner: str,
        *,
        actor: str,
        request_key: str | None = None,
        version: int | None = None,
    ) -> Incident:
        """Give it to somebody."""
        return self._act(incident_id, EventKind.ASSIGNED, actor, request_key, version, owner=owner)

    def shelve(
        self,
        incident_id: str,
        length: timedelta,
        reason: str,
        *,
        actor: str,
        request_key: str | None = None,
        version: int | None = None,
    ) -> Incident:
        """Put it aside for a day at most; it returns by itself.

        Raises:
            ShelvingTooLong, ReasonMissing: It may not be put aside so.
        """
        facts = shelve(incident_id, length, reason, now=self.now())
        return self._act(incident_id, EventKind.SHELVED, actor, request_key, version, **facts)

    def unshelve(
        self, incident_id: str, *, actor: str, request_key: str | None = None, version: int | None = None
    ) -> Incident:
        """Take it back before its time."""
        return self._act(incident_id, EventKind.UNSHELVED, actor, request_key, version)

    def close_incident(
        self,
        incident_id: str,
        verdict: Verdict,
        *,
        actor: str,
        request_key: str | None = None,
        version: int | None = None,
        is_applied: bool = False,
    ) -> Incident:
        """Close it, saying what it was.

        Args:
            is_applied: Also move the threshold as `preview_verdict` says.

        Raises:
            UsageError: It is closed, or the verdict would move nothing and should.
        """
        event = human_event(EventKind.CLOSED, at=self.now(), actor=actor, verdict=verdict.value)
        with self._records.changing(), self._store.begin() as tx:
            incident = tx.locked_incident(incident_id)
            is_new = request_key is None or not tx.was_heard(incident.id, request_key)
            if is_applied and is_new:
                asset = self._asset_of(tx, incident)
                apply_verdict(tx, self._would_change(tx, incident, verdict), asset, at=self.now(), by=actor)
            return act(tx, self.policy, incident.id, event, request_key=request_key, version=version)

    def preview_verdict(self, incident_id: str, verdict: Verdict) -> WouldChange:
        """What a verdict would change: the last 90 days judged again; nothing is stored."""
        with self._store.read() as tx:
            return self._would_change(tx, tx.incident(incident_id), verdict)

    def _would_change(self, tx: Transaction, incident: Incident, verdict: Verdict) -> WouldChange:
        asset = self._asset_of(tx, incident)
        model = self.usable_model(asset.profile)
        return would_change(tx, incident, verdict, asset, self.profiles[asset.profile], model)

    @staticmethod
    def _asset_of(tx: Transaction, incident: Incident) -> StoredAsset:
        found = tx.assets(sites=[incident.asset.site], with_sources=True)
        return next(one for one in found if one.key == incident.asset)

    def undo_verdict(self, incident_id: str, *, actor: str) -> list[Adjustment]:
        """Take back the threshold that an incident's verdict moved; gives what was taken back."""
        with self._records.changing(), self._store.begin() as tx:
            return tx.undo_adjustments(tx.incident(incident_id).id, at=self.now(), by=actor)

    def reopen(
        self, incident_id: str, *, actor: str, request_key: str | None = None, version: int | None = None
    ) -> Incident:
        """Look at a closed one again."""
        return self._act(incident_id, EventKind.REOPENED, actor, request_key, version)

    def silences(self, *, with_ended: bool = False) -> list[Silence]:
        """The silences of people and of the settings that are in force or will be.

        Args:
            with_ended: Those that are over, too.
        """
        with self._store.read() as tx:
            kept = tx.silences(not_over=None if with_ended else self.now())
        return [*kept, *self.policy.silences]

    def silenced_counts(self) -> dict[str, int]:
        """How many incidents each silence keeps quiet, or kept quiet to their end."""
        with self._store.read() as tx:
            return dict(Counter(name for one in tx.incidents() for name in one.silences))

    def add_silence(self, request: SilenceRequest) -> Silence:
        """Let nobody be told for a while; what happens is recorded and shown all the same.

        Raises:
            InvalidSilence: It makes no sense.
        """
        with self._store.begin() as tx:
            silence = add_silence(tx, request, now=self.now())
        review_visibility(self._store, self.policy, now=self.now())
        return silence

    def end_silence(self, silence_id: str, *, actor: str) -> Silence:
        """End a silence early, by its id or the beginning of it; what goes on is then told.

        Raises:
            NotFound: There is none, or it is declared in the settings.
        """
        with self._store.begin() as tx:
            silence = tx.end_silence(silence_id, at=self.now(), by=actor)
        review_visibility(self._store, self.policy, now=self.now())
        return silence

    @property
    def policy(self) -> LifePolicy:
        """What follows from events of incidents."""
        return life_policy(self._setup)

    def fire_timers(self) -> int:
        """Do what is due, once; returns how many incidents changed."""
        changed = review_visibility(self._store, self.policy, now=self.now())
        return changed + fire_due(self._store, self.policy, now=self.now())

    def tending(self) -> AbstractContextManager[None]:
        """Do what is due as long as the context lasts, in a thread of its own."""
        return tending(self._store, self.policy, self._setup.clock)

    def _act(
        self,
        incident_id: str,
        kind: EventKind,
        actor: str,
        request_key: str | None,
        version: int | None,
        **facts: str,
    ) -> Incident:
        event = human_event(kind, at=self._setup.clock(), actor=actor, **facts)
        with self._store.begin() as tx:
            return act(tx, self.policy, incident_id, event, request_key=request_key, version=version)
