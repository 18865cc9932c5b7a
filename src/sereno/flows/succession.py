"""Which of the trained models judges: promoted by a person, or taken back."""

from collections.abc import Mapping
from datetime import datetime

from sereno.domain.errors import NotFound
from sereno.domain.judgement import ModelCard
from sereno.domain.registry import ForecasterCard, RegistryEvent
from sereno.domain.time import isoformat
from sereno.store import StoredForecaster, StoredModel, Transaction

__all__ = [
    "RECALIBRATED_FROM",
    "find_version",
    "judged_before",
    "model_history",
    "model_line",
]

RECALIBRATED_FROM = "recalibrated_from"
"""Setting of a model card: the model whose thresholds were found anew."""


def find_version(tx: Transaction, version: str) -> StoredModel | StoredForecaster:
    """Any version, by its id or the beginning of it: a detector's or a forecaster's.

    Raises:
        NotFound: There is no such version, or several begin so.
    """
    found = [one for one in tx.versions() if one.card.id.startswith(version)]
    exact = [one for one in found if one.card.id == version] or found
    if len(exact) != 1:
        several = ", ".join(one.card.id for one in exact)
        hint = f"Several begin so: {several}." if several else "`sereno models versions` lists them."
        raise NotFound(what="model", id=version, hint=hint)
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


def model_history(tx: Transaction, card: ModelCard | ForecasterCard) -> list[dict[str, object]]:
    """What people and training decided about the models of a profile, oldest first.

    Models that began to judge, with the reason; what became of others; and verdicts that moved a threshold,
    or took that back.
    """
    told: list[dict[str, object]] = [
        _entry(one.at, one.actor, "judges", model=one.model_id, before=one.before_id, reason=one.reason)
        for one in tx.successions(card.profile)
    ]
    told += [
        _entry(one.at, one.actor, one.event.value, model=one.model_id, reason=one.reason, facts=one.facts)
        for one in tx.registry(card.profile)
        if one.event is not RegistryEvent.LEARNT
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


def judged_before(tx: Transaction, profile: str) -> list[str]:
    """Ids of the models that judged one after another, without those that were taken back; the last judges.

    A model that comes back takes back all that came after it.
    """
    chain: list[str] = []
    for one in tx.successions(profile):
        if not chain and one.before_id is not None:
            chain.append(one.before_id)
        if one.model_id in chain:
            del chain[chain.index(one.model_id) :]
        chain.append(one.model_id)
    return chain
