"""The balances that a workspace declares, put beside those of the profiles."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sereno.domain.errors import SettingsError
from sereno.domain.signals import Identity, Profile
from sereno.settings.reading import SETTINGS_FILE, LoadedSettings
from sereno.settings.tree import IdentitySettings

__all__ = ["with_identities"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def with_identities(profiles: Mapping[str, Profile], loaded: LoadedSettings) -> Mapping[str, Profile]:
    """The profiles with the block `identities:` over their own balances; one of the same name replaces it.

    Signals are checked against the profile's; those of an open profile are known once a file is read.

    Raises:
        SettingsError: A profile or a signal does not exist, a signal stands twice, a factor is of no part, or
            a name is no code; names the line.
    """
    found = dict(profiles)
    for profile_name, declared in loaded.tree.identities.items():
        if profile_name not in profiles:
            raise _wrong(loaded, profile_name, f"'{profile_name}' is not a profile", profile_name, profiles)
        profile = profiles[profile_name]
        for name, settings in declared.items():
            _check(settings, profile, loaded, f"{profile_name}.{name}")
        own = {identity.name: identity for identity in profile.identities}
        own |= {name: _identity(name, settings) for name, settings in declared.items()}
        found[profile_name] = replace(profile, identities=tuple(own.values()))
    return found


def _identity(name: str, settings: IdentitySettings) -> Identity:
    return Identity(
        name,
        settings.total,
        tuple(settings.parts),
        factors=tuple(settings.factors.get(part, 1.0) for part in settings.parts),
        tolerance=settings.tolerance,
        resolution=settings.resolution,
    )


def _check(settings: IdentitySettings, profile: Profile, loaded: LoadedSettings, key: str) -> None:
    name = key.rpartition(".")[2]
    if not _NAME.fullmatch(name):
        raise _wrong(loaded, key, f"'{name}' is not a name of lower-case letters, digits and _")
    signals = [settings.total, *settings.parts]
    for signal in signals:
        where = f"{key}.total" if signal == settings.total else f"{key}.parts"
        if not profile.is_open and signal not in profile.signal_names:
            detail = f"'{signal}' is not a signal of the profile"
            raise _wrong(loaded, where, detail, signal, profile.signal_names)
        if signals.count(signal) > 1:
            raise _wrong(loaded, where, f"'{signal}' stands twice in the balance")
    for part, factor in settings.factors.items():
        if part not in settings.parts:
            detail = f"'{part}' is not a part of the balance"
            raise _wrong(loaded, f"{key}.factors.{part}", detail, part, settings.parts)
        if factor == 0:
            raise _wrong(loaded, f"{key}.factors.{part}", "a factor of 0 takes the part out of the balance")


def _wrong(
    loaded: LoadedSettings, key: str, detail: str, name: str = "", known: Iterable[str] = ()
) -> SettingsError:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known names there: {', '.join(names)}."
    where = loaded.origins.get(f"identities.{key}", SETTINGS_FILE)
    return SettingsError(where=f"{where}: identities.{key}", detail=detail, hint=hint if names else "")
