"""Names that say who somebody is, and what stands for them outside."""

import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import translate
from functools import cache, cached_property

__all__ = ["PSEUDONYM", "SUPPLY_POINT", "Pseudonyms"]

_IBERIAN = r"(?:ES|PT)[ -]?\d{4}(?:[ -]?\d{4}){3}[ -]?[A-Z]{2}(?:[ -]?\d[FPCRXYZ])?"
_ITALIAN = r"IT[ -]?\d{3}[ -]?E[ -]?\d{8}\d?"
SUPPLY_POINT = re.compile(rf"(?<![A-Za-z0-9])(?:{_IBERIAN}|{_ITALIAN})(?![A-Za-z0-9])", re.IGNORECASE)
"""Number of a supply point: CUPS (ES, 16 digits, two control letters, perhaps more), CPE (the same after PT),
POD (IT, distributor, E, 8 digits).

Source: Resolución de 19 de noviembre de 2009 (BOE-A-2009-18984), annex: structure of the CUPS.
"""
_CUT_SHORT = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:ES|PT)(?:[ -]?\d{4}){2}(?:[ -]?\d){1,8}(?:[ -]?[A-Z])?"
    r"|IT[ -]?\d{3}[ -]?E[ -]?\d{3,7})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
"""The beginning of such a number, as where a text was shortened: with what is the client's own."""
_PREFIX = "p-"
_DIGITS = 12
"""Of a keyed digest: two of 100,000 names share one in 1 of 50,000 organizations."""
PSEUDONYM = re.compile(rf"\b{_PREFIX}[0-9a-f]{{{_DIGITS}}}\b")
_SPACES = re.compile(r"[ -]")
_MIN_NAME = 3
"""Shorter names are replaced only where they stand alone in a cell: in sentences they are parts of words."""


class Pseudonyms:
    """What stands for personal names: stable within an organization, and of no use without its key.

    Args:
        key: Gives the key when the first personal name is met.
        organization: The same name has another pseudonym in another one.
        patterns: Names that are personal, `*` and `?` stand for any text. Supply-point numbers always are.
        known: Names of sites and assets, so that the personal ones are found inside sentences, too.
    """

    def __init__(
        self,
        key: Callable[[], bytes],
        organization: str,
        patterns: Sequence[str] = (),
        known: Collection[str] = (),
    ) -> None:
        self._key = cache(key)
        self._organization = organization
        self._personal = [re.compile(translate(one), re.IGNORECASE) for one in patterns]
        self._known = frozenset(known)

    def of(self, name: str) -> str:
        """The pseudonym of a name, personal or not; a supply-point number has one however it is written.

        Example:
            >>> names = Pseudonyms(lambda: b"k" * 32, "acme")
            >>> names.of("ES0021000000000001AB") == names.of("ES 0021 0000 0000 0001 AB")
            True
        """
        plain = _SPACES.sub("", name).upper() if SUPPLY_POINT.fullmatch(name) else name
        said = f"{self._organization}\0{plain}".encode("utf-8", "replace")
        return _PREFIX + hmac.new(self._key(), said, hashlib.sha256).hexdigest()[:_DIGITS]

    def is_personal(self, name: str) -> bool:
        """Whether a name of a site or an asset is to be replaced as a whole."""
        return any(one.match(name) for one in self._personal)

    def name(self, name: str) -> str:
        """What is shown of something that is known to be the name of a site or an asset."""
        return self.of(name) if self.is_personal(name) else self.text(name)

    def text(self, text: str) -> str:
        """A text without personal names and supply-point numbers."""
        if text in self._known and self.is_personal(text):
            return self.of(text)
        if self._inside is not None:
            text = self._inside.sub(lambda found: self.of(found[0]), text)
        text = SUPPLY_POINT.sub(lambda found: self.of(found[0]), text)
        return _CUT_SHORT.sub(lambda found: self.of(found[0]), text)

    def document(self, value: object) -> object:
        """A JSON document without personal names, in its keys neither."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.document(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.document(inner) for inner in value]
        return value

    def instead(self) -> dict[str, str]:
        """What stands for each known name that is personal, and for each supply-point number in one."""
        personal = [name for name in self._known if self.is_personal(name)]
        numbers = (found[0] for name in self._known for found in SUPPLY_POINT.finditer(name))
        return {name: self.of(name) for name in (*personal, *numbers)}

    @cached_property
    def _inside(self) -> re.Pattern[str] | None:
        """Finds the personal ones of the known names, the longest first."""
        names = [name for name in self._known if len(name) >= _MIN_NAME and self.is_personal(name)]
        if not names:
            return None
        parts = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        return re.compile(rf"(?<!\w)(?:{parts})(?!\w)")
