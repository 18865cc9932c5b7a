"""What a door shows of a version: its card, its lineage, where it stands, how it did beside the champion."""

from collections.abc import Mapping

from sereno.domain.judgement import ModelCard
from sereno.domain.registry import ForecasterCard, ModelState, RegistryEvent, Shadow
from sereno.domain.time import isoformat
from sereno.flows.forecast_shadows import forecast_shadow
from sereno.flows.judge import BEHAVIOUR, DRIFT
from sereno.flows.standings import last_comparison, states_of
from sereno.flows.succession import model_history
from sereno.store import StoredForecaster, StoredModel, Transaction

__all__ = ["seed_of", "shadow_of", "sheet_of", "version_lines"]

_LEARNT = (RegistryEvent.LEARNT,)


def version_lines(tx: Transaction) -> list[dict[str, object]]:
    """Every version of every detector and forecaster, newest first, with the state that it is in."""
    every = tx.versions()
    states: dict[str, ModelState] = {}
    for profile in {one.card.profile for one in every}:
        states |= states_of(tx, profile)
    newest_first = sorted(every, key=lambda one: one.card.trained_at, reverse=True)
    return [
        {
            "id": one.card.id,
            "family": _family(one),
            "profile": one.card.profile,
            "kind": one.card.detector,
            "state": states[one.card.id].value,
            "trained_at": isoformat(one.card.trained_at),
            "assets": len(one.card.assets),
        }
        for one in newest_first
    ]


def sheet_of(tx: Transaction, stored: StoredModel | StoredForecaster) -> dict[str, object]:
    """All that is known of a version."""
    card = stored.card
    entries = tx.registry(card.profile)
    learnt = [one for one in entries if one.model_id == card.id and one.event in _LEARNT]
    rows = card.metrics.get("rows")
    return {
        "id": card.id,
        "family": _family(stored),
        "state": states_of(tx, card.profile)[card.id].value,
        "lineage": {
            "profile": card.profile,
            "kind": card.detector,
            "fingerprint": card.fingerprint,
            "rows": None if rows is None else int(rows),
            "assets": [str(key) for key in card.assets],
            "until": isoformat(card.until) if isinstance(card, ForecasterCard) else None,
            "code_version": card.code_version,
            "settings": dict(card.settings),
            "seed": seed_of(card.settings),
            "digest": card.digest,
            "path": stored.path,
            "learnt_at": isoformat(card.trained_at),
            "learnt_by": (learnt[-1].actor if learnt else "") or "sereno",
        },
        "figures": _figures(card),
        "comparison": last_comparison(entries, card.id),
        "shadow": shadow_of(tx, card).to_json(),
        "history": model_history(tx, card),
    }


def shadow_of(tx: Transaction, card: ModelCard | ForecasterCard) -> Shadow:
    """What a version said beside the champion so far."""
    if isinstance(card, ForecasterCard):
        return forecast_shadow(tx, card)
    standings = tx.shadow_standings(card.id)
    if not standings:
        return Shadow(None, None, 0, 0)
    n_told, n_champion = tx.shadow_counts(card.id, (BEHAVIOUR, DRIFT))
    return Shadow(
        since=min(one.since for one in standings),
        until=max(one.until for one in standings),
        n_assets=len(standings),
        n_rows=sum(one.n_rows for one in standings),
        n_told=n_told,
        n_champion=n_champion,
    )


def _family(stored: StoredModel | StoredForecaster) -> str:
    return "detector" if isinstance(stored, StoredModel) else "forecaster"


def seed_of(settings: Mapping[str, object]) -> object:
    """The seed of a training, from its settings; None of what draws nothing."""
    options = settings.get("options")
    said = settings.get("seed")
    return said if said is not None or not isinstance(options, Mapping) else options.get("seed")


def _figures(card: ModelCard | ForecasterCard) -> dict[str, object]:
    """What was found in training: of a detector, the budget that was asked for, promised and realised."""
    figures: dict[str, object] = {
        name: None if value != value else value  # noqa: PLR0124 - NaN
        for name, value in card.metrics.items()
    }
    if isinstance(card, ModelCard):
        calibration = card.calibration
        figures |= {
            "requested": card.settings.get("budget", calibration.budget),
            "promised": calibration.budget,
            "realised": calibration.realised,
            "threshold": calibration.threshold,
            "claim": calibration.claim,
        }
    return figures
