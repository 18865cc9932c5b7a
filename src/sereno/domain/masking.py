"""Text of any notation without the names of people: JSON, HTML, CSV, addresses, as it is written out."""

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from itertools import chain
from urllib.parse import quote, quote_plus

__all__ = ["Mask", "MaskedStream", "has_words", "is_in", "set_reader"]

_APART = r"(?:[ +_-]|%(?:25)?20|&nbsp;|\\u00a0|\u00a0)?"
"""What may stand between the groups of a number, as spaces are written in addresses and pages."""

_IBERIAN = rf"(?:ES|PT){_APART}\d{{4}}(?:{_APART}\d{{4}}){{3}}{_APART}[A-Z]{{2}}(?:{_APART}\d[FPCRXYZ])?"
_ITALIAN = rf"IT{_APART}\d{{3}}{_APART}E{_APART}\d{{8}}\d?"
_NUMBER = re.compile(rf"{_IBERIAN}|{_ITALIAN}", re.IGNORECASE)
"""A supply-point number wherever it stands: what comes before it may be part of `\n`, `%20` or `&gt;`."""

_APARTS = re.compile(_APART)
_FIRST = r"(?:(?<![^\W_])|(?<=\\[bfnrt])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2})|(?<=\\u[0-9a-f]{4}))"
_BEGIN = re.compile(rf"{_FIRST}(?=[^\s<>{{}},])")
"""Where a name may begin."""

_CUT_SHORT = re.compile(
    rf"{_FIRST}(?:(?:ES|PT)(?:{_APART}\d{{4}}){{2}}(?:{_APART}\d){{1,8}}(?:{_APART}[A-Z])?"
    rf"|IT{_APART}\d{{3}}{_APART}E{_APART}\d{{3,7}})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
"""The beginning of such a number, as where a text was shortened."""

_CONTEXT = 6
"""Characters before a place that say whether a name may begin there."""

_KEY = 3
_LONGEST_NUMBER = 160


_READER: ContextVar[Callable[[], "Mask"] | None] = ContextVar("reader", default=None)


def set_reader(mask: Callable[[], "Mask"] | None) -> None:
    """Let what is searched from here on be what somebody may read.

    Args:
        mask: Gives what hides the names from them, asked once at most; None for who may see all.
    """
    _READER.set(None if mask is None else cache(mask))


def is_in(text: str, said: str) -> bool:
    """Whether a text stands in what is said, as who asks reads it; upper and lower case alike.

    What is hidden is not found by a part of it, so nobody learns a number digit by digit. Its pseudonym is.
    """
    return _as_read(text).casefold() in _as_read(said).casefold()


def has_words(text: str, said: str) -> bool:
    """As `is_in`, of every word of a text; a text without words is in everything."""
    words, read = _as_read(text).casefold().split(), _as_read(said).casefold()
    return all(word in read for word in words)


def _as_read(text: str) -> str:
    mask = _READER.get()
    return text if mask is None else mask().text(text)


class Mask:
    """Puts pseudonyms where names of people and supply-point numbers stand.

    Args:
        instead: What stands for each name.
        of_number: Gives what stands for a supply-point number that is not among the names.

    Example:
        >>> mask = Mask({"Casa Ruiz": "p-1"}, lambda number: "p-2")
        >>> mask.text('{"site": "Casa Ruiz", "next": "/x?site=Casa%20Ruiz&cups=ES0021000000000001AB"}')
        '{"site": "p-1", "next": "/x?site=p-1&cups=p-2"}'
    """

    def __init__(self, instead: Mapping[str, str], of_number: Callable[[str], str]) -> None:
        self._of_number = of_number
        self._instead = {way: put for name, put in instead.items() for way in _ways(name) if len(way) >= _KEY}
        self._lengths: dict[str, list[int]] = {}
        for way in self._instead:
            self._lengths.setdefault(way[:_KEY], []).append(len(way))
        self._lengths = {key: sorted(set(found), reverse=True) for key, found in self._lengths.items()}
        self.longest = max(_LONGEST_NUMBER, *(len(way) for way in self._instead), 0)

    def text(self, text: str) -> str:
        """A text without them."""
        return MaskedStream(self).feed(text, is_last=True)

    def spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where they stand, in their order, and what is put there."""
        found = sorted([*self._names(text), *self._numbers(text)], key=lambda one: (one[0], -one[1]))
        until = 0
        for start, end, put in found:
            if start >= until:
                yield start, end, put
                until = end

    def _numbers(self, text: str) -> Iterator[tuple[int, int, str]]:
        for found in chain(_NUMBER.finditer(text), _CUT_SHORT.finditer(text)):
            yield found.start(), found.end(), self._of_number(_APARTS.sub("", found[0]).upper())

    def _names(self, text: str) -> Iterator[tuple[int, int, str]]:
        if not self._lengths:
            return
        for begin in _BEGIN.finditer(text):
            at = begin.start()
            for length in self._lengths.get(text[at : at + _KEY], ()):
                put = self._instead.get(text[at : at + length])
                if put is not None and not text[at + length : at + length + 1].isalnum():
                    yield at, at + length, put
                    break


class MaskedStream:
    """A text that comes in pieces; what is kept back between them is as long as the longest name."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._kept, self._n_written = "", 0

    def feed(self, piece: str, *, is_last: bool = False) -> str:
        """What can be written now that this piece has come."""
        whole, at = self._kept + piece, self._n_written
        end = len(whole) if is_last else max(at, len(whole) - self._mask.longest - 1)
        parts = []
        for start, stop, put in self._mask.spans(whole):
            if start < at:
                continue
            if start >= end:
                break
            parts += [whole[at:start], put]
            at = stop
        if at < end:
            parts.append(whole[at:end])
            at = end
        kept = max(0, at - _CONTEXT)
        self._kept, self._n_written = whole[kept:], at - kept
        return "".join(parts)


def _ways(name: str) -> set[str]:
    """How a name is written in JSON, HTML, XML, addresses and names of files."""
    plain = {name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]}
    pages = {html.escape(one, quote=quotes) for one in plain for quotes in (True, False)}
    pages |= {one.replace("&quot;", "&#34;").replace("&#x27;", "&#39;") for one in pages}
    scripts = {re.sub(r"[<>&']", lambda found: f"\\u{ord(found[0]):04x}", one) for one in plain}
    addresses = {quote(name), quote(name, safe=""), quote_plus(name)}
    addresses |= {quote(one, safe="") for one in addresses}  # an address in an address, to come back to
    files = {re.sub(r"[^\w.-]", "_", name), re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)}
    return {*plain, *pages, *scripts, *addresses, *files}
