"""Trained models: their cards, where they lie, and which one judges."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import ColumnElement, insert, select, update

from sereno.domain.audit import current_act
from sereno.domain.changes import ChangeKind
from sereno.domain.errors import NotFound
from sereno.domain.judgement import ModelCard
from sereno.domain.registry import ForecasterCard, RegistryEntry, RegistryEvent
from sereno.domain.time import system_clock
from sereno.store.codec import (
    Document,
    card_document,
    card_of,
    forecaster_document,
    forecaster_of,
)
from sereno.store.records import StoredForecaster, StoredModel
from sereno.store.schema import model, registry_entry, succession
from sereno.store.session import Session

__all__ = ["ModelSession", "Succession"]

DETECTOR, FORECASTER = "detector", "forecaster"
"""Families of models."""


@dataclass(frozen=True, slots=True)
class Succession:
    """That a model began to judge.

    Attributes:
        before_id: The model that judged until then; None for the first.
        actor: Who decided it; empty where training did.
    """

    profile: str
    model_id: str
    before_id: str | None
    at: datetime
    actor: str
    reason: str


class ModelSession(Session):
    """The part of a transaction that knows the models."""

    def save_model(self, card: ModelCard, path: str, *, reason: str = "") -> None:
        """Register a model and where its artefact lies; it judges only once it is activated.

        Args:
            reason: Where it comes from, if not from a training here; kept in the log.
        """
        self._register(card, card_document(card), (path, DETECTOR, reason))

    def save_forecaster(self, card: ForecasterCard, path: str, *, reason: str = "") -> None:
        """As `save_model`, of what forecasts a group of assets."""
        self._register(card, forecaster_document(card), (path, FORECASTER, reason))

    def models(self, profile: str | None = None) -> list[StoredModel]:
        """The models of one profile or of all, newest first."""
        where = [] if profile is None else [model.c.profile == profile]
        return [StoredModel(card_of(card), *rest) for card, rest in self._cards(DETECTOR, *where)]

    def active_model(self, profile: str) -> StoredModel | None:
        """The model that judges assets of a profile; None before one was activated."""
        found = self._cards(DETECTOR, model.c.profile == profile, model.c.is_active)
        return next((StoredModel(card_of(card), *rest) for card, rest in found), None)

    def forecasters(self, profile: str | None = None) -> list[StoredForecaster]:
        """The forecasters of one group or of all, newest first."""
        where = [] if profile is None else [model.c.profile == profile]
        found = self._cards(FORECASTER, *where)
        return [StoredForecaster(forecaster_of(card), *rest) for card, rest in found]

    def versions(self, profile: str | None = None) -> list[StoredModel | StoredForecaster]:
        """Every version of one profile or group, or of all: detectors, then forecasters."""
        return [*self.models(profile), *self.forecasters(profile)]

    def activate_model(self, model_id: str, *, actor: str = "", reason: str = "") -> None:
        """Let a model judge, instead of the one that judged its profile before.

        Args:
            actor, reason: Who decided it and why; kept, and told to those who listen.

        Raises:
            NotFound: There is no such model.
        """
        mine = model.c.organization_id == self._organization_id
        query = select(model.c.profile).where(mine, model.c.id == model_id)
        profile = self._connection.execute(query).scalar()
        if profile is None:
            raise NotFound(what="model", id=model_id, hint="")
        judging = select(model.c.id).where(mine, model.c.profile == profile, model.c.is_active)
        judged = self._connection.execute(judging).scalar()
        before = None if judged is None else {"model": judged}
        self.audit_change(f"profile {profile}", before, {"model": model_id})
        change = update(model).where(mine, model.c.profile == profile)
        self._connection.execute(change.where(model.c.is_active).values(is_active=False))
        self._connection.execute(change.where(model.c.id == model_id).values(is_active=True))
        row = {"profile": profile, "model_id": model_id, "before_id": before and before["model"]}
        row |= {"organization_id": self._organization_id, "at": system_clock()}
        self._connection.execute(insert(succession), row | {"actor": actor, "reason": reason})
        self.note(ChangeKind.MODEL, profile, model=model_id, actor=actor, reason=reason)

    def successions(self, profile: str) -> list[Succession]:
        """Which models judged assets of a profile, since when and why, oldest first."""
        table = succession.c
        columns = (table.profile, table.model_id, table.before_id, table.at, table.actor, table.reason)
        mine = (table.organization_id == self._organization_id, table.profile == profile)
        rows = self._connection.execute(select(*columns).where(*mine).order_by(table.id))
        return [Succession(*row) for row in rows]

    def add_registry_entry(self, entry: RegistryEntry) -> None:
        """Add to the log of what became of models."""
        row = {one.name: getattr(entry, one.name) for one in fields(RegistryEntry)}
        row |= {"event": entry.event.value, "facts": dict(entry.facts)}
        self._connection.execute(insert(registry_entry), row | {"organization_id": self._organization_id})
        self.audit_change(f"profile {entry.profile}", None, {"model": entry.model_id, "event": row["event"]})
        self.note(ChangeKind.MODEL, entry.profile, model=entry.model_id, event=row["event"])

    def registry(self, profile: str | None = None) -> list[RegistryEntry]:
        """What became of the models of a profile or group, or of all, oldest first."""
        table = registry_entry.c
        columns = [table[one.name] for one in fields(RegistryEntry)]
        where = [table.organization_id == self._organization_id]
        if profile is not None:
            where.append(table.profile == profile)
        rows = self._connection.execute(select(*columns).where(*where).order_by(table.id)).mappings()
        return [RegistryEntry(**{**row, "event": RegistryEvent(row["event"])}) for row in rows]

    def _register(
        self, card: ModelCard | ForecasterCard, document: Mapping[str, object], origin: tuple[str, str, str]
    ) -> None:
        path, family, reason = origin
        row = {
            "organization_id": self._organization_id,
            "id": card.id,
            "profile": card.profile,
            "trained_at": card.trained_at,
            "card": document,
            "path": path,
            "family": family,
        }
        self._upsert(model, [row])
        act = current_act()
        self.add_registry_entry(
            RegistryEntry(
                card.profile,
                card.id,
                RegistryEvent.LEARNT,
                card.trained_at,
                "" if act is None else act.actor,
                reason,
                {"digest": card.digest, "fingerprint": card.fingerprint, "detector": card.detector},
            )
        )

    def _cards(self, family: str, *where: ColumnElement[bool]) -> list[tuple[Document, tuple[str, bool]]]:
        mine = (model.c.organization_id == self._organization_id, model.c.family == family)
        query = select(model.c.card, model.c.path, model.c.is_active).where(*mine, *where)
        found = self._connection.execute(query.order_by(model.c.trained_at.desc(), model.c.id.desc()))
        return [(card, (path, is_active)) for card, path, is_active in found]
