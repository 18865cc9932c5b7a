"""Assets and signals by the names that people give them."""

import difflib
import unicodedata
from collections.abc import Sequence

from sereno.domain.errors import UnknownAsset, UnknownSignal
from sereno.domain.signals import AssetKey, Profile
from sereno.store import StoredAsset, Transaction

__all__ = ["named_assets", "named_places", "named_signal"]


def named_assets(tx: Transaction, name: str, *, profile: str | None = None) -> list[StoredAsset]:
    """The assets that a name stands for: `Site/Asset`, a site with all its assets, or an asset of any site.

    Raises:
        UnknownAsset: It stands for none; the nearest name is suggested.
    """
    known = tx.assets(profile)
    return [known[place] for place in named_places([one.key for one in known], name)]


def named_places(known: Sequence[AssetKey], name: str) -> list[int]:
    """As `named_assets`, of assets by their names: where they stand in the list.

    Raises:
        UnknownAsset: It stands for none; the nearest name is suggested.
    """
    wanted = name.strip().casefold()
    whole = (f"{key.site}/{key.asset}" for key in known)
    for names in (map(str, known), whole, (key.site for key in known), (key.asset for key in known)):
        found = [place for place, one in enumerate(names) if one.casefold() == wanted]
        if found:
            return found
    raise UnknownAsset(asset=name, hint=_near(name, sorted({str(key) for key in known})))


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
