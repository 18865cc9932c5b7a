"""Trained models: their cards, where they lie, and which one judges."""

from sqlalchemy import ColumnElement, select, update

from sereno.domain.changes import ChangeKind
from sereno.domain.errors import NotFound
from sereno.domain.judgement import ModelCard
from sereno.store.codec import card_document, card_of
from sereno.store.records import StoredModel
from sereno.store.schema import model
from sereno.store.session import Session

__all__ = ["ModelSession"]


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
            actor, reason: Who decided it and why; told to those who listen.

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
        self.note(ChangeKind.MODEL, profile, model=model_id, actor=actor, reason=reason)

    def _models(self, *where: ColumnElement[bool]) -> list[StoredModel]:
        mine = model.c.organization_id == self._organization_id
        query = select(model.c.card, model.c.path, model.c.is_active).where(mine, *where)
        found = self._connection.execute(query.order_by(model.c.trained_at.desc(), model.c.id.desc()))
        return [StoredModel(card_of(card), path, is_active) for card, path, is_active in found]
