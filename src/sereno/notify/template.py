"""Templates without expressions: `${name}` in the texts of a JSON document stands for a fact."""

import re
from collections.abc import Callable, Iterator, Mapping

__all__ = ["fill", "names_in"]


_NAME = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")
"""Braces are needed, so that a price of `$5` is a price."""


def fill(document: object, facts: Mapping[str, str], *, quote: Callable[[str], str] = str) -> object:
    """A document whose texts are filled; a value stays text, whatever is in it.

    Args:
        quote: Applied to every fact, for places with rules of their own such as a URL.
    """
    if isinstance(document, Mapping):
        return {key: fill(inner, facts, quote=quote) for key, inner in document.items()}
    if isinstance(document, list):
        return [fill(inner, facts, quote=quote) for inner in document]
    if isinstance(document, str):
        return _NAME.sub(lambda found: quote(facts[found[1]]), document)
    return document


def names_in(document: object) -> Iterator[str]:
    """The names of the facts that a document asks for."""
    if isinstance(document, Mapping):
        for inner in document.values():
            yield from names_in(inner)
    elif isinstance(document, list):
        for inner in document:
            yield from names_in(inner)
    elif isinstance(document, str):
        yield from _NAME.findall(document)
