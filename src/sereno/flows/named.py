"""Assets and signals by the names that people give them."""

import difflib
import unicodedata
from collections.abc import Sequence

from sereno.domain.errors import UnknownAsset, UnknownSignal
from sereno.domain.signals import Profile
from sereno.store import StoredAsset, Transaction

__all__ = ["named_assets", "named_signal"]


def named_assets(tx: Transaction, name: str, *, profile: str | None = None) -> list[StoredAsset]:
    """The assets that a name stands for: `Site/Asset`, a site with all its assets, or an asset of any site.

    Raises:
        UnknownAsset: It stands for none; the nearest name is suggested.
    """
    known = tx.assets(profile)
    wanted = name.strip().casefold()
    for names in (
        {one.id: str(one.key) for one in known},
        {one.id: one.key.site for one in known},
        {one.id: one.key.asset for one in known},
    ):
        found = [one for one in known if names[one.id].casefold() == wanted]
        if found:
            return found
    raise UnknownAsset(asset=name, hint=_near(name, sorted({str(one.key) for one in known})))


def named_signal(profile: Profile, stored: Sequence[str], name: str, asset: str) -> str:
    """The signal of an asset that a name, a label or an alias stands for.

    Args:
        stored: Signals that the asset has.

    Raises:
        UnknownSignal: None of them has that name.
    """
    wanted = _plain(name)
    for signal in stored:
        known = profile.signal(signal)
        names = (signal, *(known.labels or {}).values(), *known.aliases)
        if wanted in {_plain(one) for one in names}:
            return signal
    raise UnknownSignal(asset=asset, signal=name, known=", ".join(stored))


def _plain(name: str) -> str:
    """A name without case, accents and the difference between a blank and an underscore."""
    letters = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(one for one in letters if not unicodedata.combining(one)).replace("_", " ")


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean '{near[0]}'?" if near else ""
