"""What a notification says, written when it leaves: the incident as it was when the event was recorded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sereno.contracts.notification import Message
from sereno.domain.incidents import Incident, apply
from sereno.domain.signals import Profile
from sereno.flows.attachments import FILES, read_attachments
from sereno.flows.incidents import up_to_date, view_of
from sereno.flows.lanes import DIGEST, Lane
from sereno.flows.models import TrainedModel
from sereno.flows.parts import APART, COPY_OF, for_address, receiver_of
from sereno.flows.pictures import picture_of
from sereno.i18n.catalogue import has, sentence
from sereno.notify.picture import Picture
from sereno.notify.rendering import render
from sereno.settings.tree import Tariff
from sereno.store import Store, StoredNotification, Transaction

__all__ = ["MessageWriter"]

_PICTURED = frozenset({"smtp"})
"""Kinds of receivers that show pictures."""
_INTERNAL = frozenset({"seq", "resolved", APART, COPY_OF, FILES})
"""What the outbox keeps for itself."""


@dataclass(frozen=True, slots=True)
class MessageWriter:
    """Writes messages from what the store knows.

    Attributes:
        language: Of receivers that have none of their own.
        model_of: The model that judges a profile, for what a picture shows as expected.
        folder: Of the workspace, where files that go along lie.
    """

    store: Store
    profiles: Mapping[str, Profile]
    tariff: Tariff | None
    language: str
    model_of: Callable[[str], TrainedModel | None]
    folder: Path

    def write(self, told: StoredNotification, lane: Lane) -> Message:
        """The message of a notification, in the language of its receiver; the same whenever it is written."""
        language = lane.settings.language or self.language
        with self.store.read() as tx:
            incidents = self._incidents(tx, told)
            pictures = self._pictures(tx, told, language) if lane.settings.kind in _PICTURED else {}
        facts = {name: value for name, value in told.body.items() if name not in _INTERNAL}
        extra = {"timezone": lane.zone, "receiver": receiver_of(lane.name), **facts}
        if not incidents:
            extra = _words(told.event, language, extra) | extra
        message = render(
            told.event,
            incidents,
            key=told.dedup_key,
            at=told.created_at,
            language=language,
            pictures=pictures,
            extra=extra,
        )
        files = read_attachments(self.folder, told.body)
        return for_address(replace(message, attachments=files) if files else message, told)

    def _incidents(self, tx: Transaction, told: StoredNotification) -> list[Mapping[str, object]]:
        members = [told] if told.event != DIGEST else tx.carried_by(int(str(told.body.get(COPY_OF, told.id))))
        last = {one.incident_id: one for one in members if one.incident_id is not None}
        return [self._facts(tx, one) for one in last.values()]

    def _pictures(self, tx: Transaction, told: StoredNotification, language: str) -> dict[str, Picture]:
        """The picture of what one incident is about; a digest goes without."""
        if told.incident_id is None:
            return {}
        incident = _incident_at(tx, told.incident_id, int(str(told.body["seq"])))
        asset = tx.asset_of(incident.id)
        current = up_to_date(tx, incident, {asset.key: asset.id})
        drawn = picture_of(tx, asset, self.profiles[asset.profile], self.model_of, current, language)
        return {} if drawn is None else {incident.id: drawn}

    def _facts(self, tx: Transaction, told: StoredNotification) -> Mapping[str, object]:
        incident = _incident_at(tx, str(told.incident_id), int(str(told.body["seq"])))
        view = view_of(tx, incident, self.profiles, self.tariff, lambda _: None)
        return view.to_json(told.created_at) | {"timezone": view.place.zone}


def _incident_at(tx: Transaction, incident_id: str, seq: int) -> Incident:
    """The incident after so many of its events."""
    known = tx.incident(incident_id)
    found: Incident | None = None
    for event in tx.events(incident_id)[:seq]:
        found = apply(found, event, incident_id=known.id, group_key=known.group_key)
    return known if found is None else found


def _words(event: str, language: str, facts: Mapping[str, object]) -> dict[str, object]:
    """Subject and text of what is about no incident."""
    parts: Sequence[str] = ("subject", "text")
    keys = {part: f"delivery.{event}.{part}" for part in parts}
    return {part: sentence(key, language, **facts) for part, key in keys.items() if has(key)}
