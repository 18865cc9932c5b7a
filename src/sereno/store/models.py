"""Trained models: their cards, where they lie, and which one judges."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, insert, select, update

from sereno.domain.changes import ChangeKind
from sereno.domain.errors import NotFound
from sereno.domain.judgement import ModelCard
from sereno.domain.time import system_clock
from sereno.store.codec import card_document, card_of
from sereno.store.records import StoredModel
from sereno.store.schema import model, succession
from sereno.store.session import Session

__all__ = ["ModelSession", "Succession"]


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

    def save_model(self, card: ModelCard, path: str) -> None:
        """Register a model and where its artefact lies; it judges only once it is activated."""
        row = {
            "organization_id": self._organization_id,
            "id": card.id,
            "profile": card.profile,
            "trained_at": card.trained_at,
            "card": card_document(card),
            "path": path,
        }
        self._upsert(model, [row])
        self.note(ChangeKind.MODEL, card.profile, model=card.id)

    def models(self, profile: str | None = None) -> list[StoredModel]:
        """The models of one profile or of all, newest first."""
        where = [] if profile is None else [model.c.profile == profile]
        return self._models(*where)

    def active_model(self, profile: str) -> StoredModel | None:
        """The model that judges assets of a profile; None before one was activated."""
        found = self._models(model.c.profile == profile, model.c.is_active)
        return found[0] if found else None

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
        judged = self.active_model(profile)
        before = None if judged is None else {"model": judged.card.id}
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

    def _models(self, *where: ColumnElement[bool]) -> list[StoredModel]:
        mine = model.c.organization_id == self._organization_id
        query = select(model.c.card, model.c.path, model.c.is_active).where(mine, *where)
        found = self._connection.execute(query.order_by(model.c.trained_at.desc(), model.c.id.desc()))
        return [StoredModel(card_of(card), path, is_active) for card, path, is_active in found]
