"""Versions that settings name: they judge and forecast, whatever is learnt or decided later."""

from collections.abc import Mapping

from sereno.domain.errors import NotFound, PinnedVersionMissing, SettingsError, VersionPinned
from sereno.flows.build import Setup
from sereno.flows.succession import find_version
from sereno.store import Store, StoredForecaster, StoredModel, Transaction

__all__ = ["MODEL_VERSION", "is_pinned", "pin_versions", "refuse_if_pinned"]

MODEL_VERSION = "MODEL_VERSION"
"""Who lets a pinned version judge, in its history: named after the variable that says so."""

_REASON = "pinned by settings"


def pin_versions(setup: Setup, store: Store) -> None:
    """Let the versions that settings name judge and forecast; nothing happens where they do already.

    Raises:
        PinnedVersionMissing: One of them is not there; nothing was changed.
        SettingsError: Two of them are for the same assets.
    """
    if not setup.settings.model_version:
        return
    with store.begin() as tx:
        for found in _pinned(setup, tx).values():
            if not found.is_active:
                tx.activate_model(found.card.id, actor=MODEL_VERSION, reason=_REASON)


def is_pinned(setup: Setup, tx: Transaction, profile: str) -> bool:
    """Whether settings say which version of a profile, or of a group that is forecast, is in use."""
    return bool(setup.settings.model_version) and profile in _pinned(setup, tx)


def refuse_if_pinned(setup: Setup, tx: Transaction, profile: str) -> None:
    """Do nothing where no version of a profile or group is pinned.

    Raises:
        VersionPinned: One is.
    """
    if is_pinned(setup, tx, profile):
        raise VersionPinned(model=_pinned(setup, tx)[profile].card.id, profile=profile)


def _pinned(setup: Setup, tx: Transaction) -> Mapping[str, StoredModel | StoredForecaster]:
    """The named versions, by their profile or group."""
    pinned: dict[str, StoredModel | StoredForecaster] = {}
    for version in setup.settings.model_version:
        try:
            found = find_version(tx, version)
        except NotFound as error:
            known = ", ".join(one.card.id for one in tx.versions())
            raise PinnedVersionMissing(version=version, known=known or "—") from error
        other = pinned.setdefault(found.card.profile, found)
        if other.card.id != found.card.id:
            where = setup.loaded.origins.get("model_version", "model_version")
            detail = f"{other.card.id} and {found.card.id} are both for {found.card.profile}"
            raise SettingsError(where=where, detail=detail, hint="Name one of them.")
    return pinned
