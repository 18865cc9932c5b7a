"""Where each version stands, told from the log and from who judged when."""

from collections.abc import Mapping, Sequence

from sereno.domain.registry import ModelState, RegistryEntry, RegistryEvent
from sereno.store import Transaction

__all__ = ["last_comparison", "shadows_of", "states_of"]

_AFTER: Mapping[RegistryEvent, ModelState] = {
    RegistryEvent.LEARNT: ModelState.CANDIDATE,
    RegistryEvent.SHADOW: ModelState.SHADOW,
    RegistryEvent.REJECTED: ModelState.REJECTED,
}


def states_of(tx: Transaction, profile: str) -> dict[str, ModelState]:
    """The state of each version of a profile, or of a group that is forecast together, by id."""
    versions = tx.versions(profile)
    once = {one.model_id for one in tx.successions(profile)}
    once |= {one.before_id for one in tx.successions(profile) if one.before_id is not None}
    told = _last_states(tx.registry(profile))
    return {
        one.card.id: ModelState.CHAMPION
        if one.is_active
        else ModelState.RETIRED
        if one.card.id in once
        else told.get(one.card.id, ModelState.CANDIDATE)
        for one in versions
    }


def shadows_of(tx: Transaction, profile: str) -> list[str]:
    """Ids of the versions in the shadow."""
    return [name for name, state in states_of(tx, profile).items() if state is ModelState.SHADOW]


def last_comparison(entries: Sequence[RegistryEntry], version: str) -> Mapping[str, object] | None:
    """What the newest comparison of a version said; None before any."""
    said = [
        one.facts["comparison"] for one in entries if one.model_id == version and "comparison" in one.facts
    ]
    return said[-1] if said else None  # type: ignore[return-value]  # as it was written


def _last_states(entries: Sequence[RegistryEntry]) -> dict[str, ModelState]:
    return {one.model_id: _AFTER[one.event] for one in entries if one.event in _AFTER}
