"""Where texts and documents speak of somebody, and what stands there instead."""

import re
from collections.abc import Collection, Mapping
from functools import cached_property

__all__ = ["Mentions"]

_MIN_INSIDE = 3
"""Shorter names are found only as the whole of a text: inside others they are parts of anything."""


class Mentions:
    """Names and what is put in their place.

    Args:
        instead: By name, what stands for it.
        kept: Other names, which stay even where they hold one of these.

    Example:
        >>> Mentions({"Casa Ruiz": "p-1"}).replaced({"file": "in/Casa Ruiz_2024.csv", "rows": 3})
        {'file': 'in/p-1_2024.csv', 'rows': 3}
    """

    def __init__(self, instead: Mapping[str, str], kept: Collection[str] = ()) -> None:
        self.names = tuple(instead)
        self._instead = {**dict.fromkeys(kept), **instead}

    def are_in(self, value: object) -> bool:
        """Whether a text, or any text of a document, has one of the names."""
        return self.replaced(value) != value

    def replaced(self, value: object) -> object:
        """A text or a document without the names; anything else as it is."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.replaced(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.replaced(inner) for inner in value]
        return value

    def text(self, text: str) -> str:
        """A text without the names."""
        if text in self._instead:
            return self._put(text)
        return text if self._inside is None else self._inside.sub(lambda one: self._put(one[0]), text)

    def _put(self, name: str) -> str:
        instead = self._instead[name]
        return name if instead is None else instead

    @cached_property
    def _inside(self) -> re.Pattern[str] | None:
        names = sorted((one for one in self._instead if len(one) >= _MIN_INSIDE), key=len, reverse=True)
        if not names:
            return None
        # An underscore ends a name, as in names of files.
        return re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, names))})(?![^\W_])")
