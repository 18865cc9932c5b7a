"""Which of the trained models judges: promoted by a person, or taken back."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sereno.domain.errors import NotFound
from sereno.domain.judgement import ModelCard
from sereno.domain.time import isoformat
from sereno.store import Store, Transaction

__all__ = [
    "RECALIBRATED_FROM",
    "find_model",
    "model_history",
    "model_line",
    "promote_model",
    "roll_back_model",
]

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


def model_line(card: ModelCard, active: Mapping[str, str]) -> dict[str, object]:
    """A model as `models list --json` shows it.

    Args:
        active: Id of the model that judges, by profile.
    """
    calibration = card.calibration
    return {
        "id": card.id,
        "profile": card.profile,
        "detector": card.detector,
        "trained_at": card.to_json()["trained_at"],
        "judges": active.get(card.profile) == card.id,
        "assets": len(card.assets),
        "requested": card.settings.get("budget", calibration.budget),
        "promised": calibration.budget,
        "realised": round(calibration.realised, 4),
        "asset_weeks": round(calibration.asset_weeks, 2),
        "threshold": calibration.threshold,
        "method": calibration.method,
        "claim": calibration.claim,
        "recalibrated_from": card.settings.get(RECALIBRATED_FROM),
    }


def model_history(tx: Transaction, card: ModelCard) -> list[dict[str, object]]:
    """What people and training decided about the models of a profile, oldest first.

    Models that began to judge, with the reason; and verdicts that moved a threshold, or took that back.
    """
    told: list[dict[str, object]] = [
        _entry(one.at, one.actor, "judges", model=one.model_id, before=one.before_id, reason=one.reason)
        for one in tx.successions(card.profile)
    ]
    names = {one.id: str(one.key) for one in tx.assets(card.profile)}
    for one in tx.adjustments(with_undone=True):
        if one.asset_id not in names:
            continue
        verdict = tx.incident(one.incident_id).verdict
        facts = {"asset": names[one.asset_id], "check": one.check, "incident": one.incident_id}
        reason = "" if verdict is None else verdict.value
        told.append(_entry(one.at, one.author, "verdict", factor=one.factor, reason=reason, **facts))
        if one.undone_at is not None:
            told.append(_entry(one.undone_at, one.undone_by or "", "undone", reason="", **facts))
    return sorted(told, key=lambda entry: str(entry["at"]))


def _entry(at: datetime, who: str, what: str, **facts: object) -> dict[str, object]:
    return {"at": isoformat(at), "who": who or "sereno", "event": what, **facts}


def promote_model(store: Store, model_id: str, *, actor: str = "", reason: str = "") -> ModelCard:
    """Let a model judge its profile, by its id or the beginning of it.

    Args:
        actor, reason: Who decided it and why; kept in its history.

    Raises:
        NotFound: There is no such model, or several begin so.
    """
    with store.begin() as tx:
        card = find_model(tx, model_id)
        tx.activate_model(card.id, actor=actor, reason=reason)
    return card


def roll_back_model(store: Store, profile: str | None, *, actor: str = "", reason: str = "") -> ModelCard:
    """Let the model judge again that was before the active one: the recalibrated one, or the older training.

    Args:
        actor, reason: Who decided it and why; kept in its history.

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
        tx.activate_model(before.id, actor=actor, reason=reason)
    return before


def _before(now: ModelCard, newest_first: Sequence[ModelCard]) -> ModelCard:
    named = now.settings.get(RECALIBRATED_FROM)
    ids = [card.id for card in newest_first]
    older = [card for card in newest_first[ids.index(now.id) + 1 :] if card.profile == now.profile]
    candidates = older if named is None else [card for card in newest_first if card.id == named]
    if not candidates:
        raise NotFound(what="model", id=now.profile, hint="")
    return candidates[0]
