"""Which of the trained models judges: promoted by a person, or taken back."""

from collections.abc import Sequence

from sereno.domain.errors import NotFound
from sereno.domain.judgement import ModelCard
from sereno.store import Store, Transaction

__all__ = ["RECALIBRATED_FROM", "find_model", "promote_model", "roll_back_model"]

RECALIBRATED_FROM = "recalibrated_from"
"""Setting of a model card: the model whose thresholds were found anew."""


def find_model(tx: Transaction, model_id: str) -> ModelCard:
    """The card of a model, by its id or the beginning of it.

    Raises:
        NotFound: There is no such model, or several begin so.
    """
    found = [stored.card for stored in tx.models() if stored.card.id.startswith(model_id)]
    exact = [card for card in found if card.id == model_id] or found
    if len(exact) != 1:
        raise NotFound(what="model", id=model_id, hint=", ".join(card.id for card in exact))
    return exact[0]


def promote_model(store: Store, model_id: str) -> ModelCard:
    """Let a model judge its profile, by its id or the beginning of it.

    Raises:
        NotFound: There is no such model, or several begin so.
    """
    with store.begin() as tx:
        card = find_model(tx, model_id)
        tx.activate_model(card.id)
    return card


def roll_back_model(store: Store, profile: str | None) -> ModelCard:
    """Let the model judge again that was before the active one: the recalibrated one, or the older training.

    Raises:
        NotFound: There is no model before, or several profiles have models and none was named.
    """
    with store.begin() as tx:
        models = tx.models(profile)
        active = [stored.card for stored in models if stored.is_active]
        if len(active) != 1:
            hint = ", ".join(card.profile for card in active)
            raise NotFound(what="model", id=profile or "", hint=hint)
        before = _before(active[0], [stored.card for stored in models])
        tx.activate_model(before.id)
    return before


def _before(now: ModelCard, newest_first: Sequence[ModelCard]) -> ModelCard:
    named = now.settings.get(RECALIBRATED_FROM)
    ids = [card.id for card in newest_first]
    older = [card for card in newest_first[ids.index(now.id) + 1 :] if card.profile == now.profile]
    candidates = older if named is None else [card for card in newest_first if card.id == named]
    if not candidates:
        raise NotFound(what="model", id=now.profile, hint="")
    return candidates[0]
