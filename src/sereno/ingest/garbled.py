"""UTF-8 that was taken for Windows-1252 and encoded once more: `PresiÃ³n` is `Presión`."""

import re

__all__ = ["count_garbled", "repaired"]

LEADS = (0xC2, 0xC3)
"""First bytes of the Latin letters and signs that Western readings hold: °, ³, µ, á, ñ, Ó …"""
CONTINUATIONS = range(0x80, 0xC0)


def _shown(byte: int) -> str:
    """The character that Windows-1252 shows for a byte; undefined ones pass as they are."""
    text = bytes([byte]).decode("cp1252", "ignore")
    return text or chr(byte)


_REPAIRS = {
    (_shown(lead) + _shown(follow)).encode(): bytes([lead, follow])
    for lead in LEADS
    for follow in CONTINUATIONS
}
_REPAIRS |= {chr(a).encode() + chr(b).encode(): bytes([a, b]) for a in LEADS for b in CONTINUATIONS}
_LEAD_BYTES = tuple(chr(lead).encode() for lead in LEADS)
_PATTERN = re.compile(b"|".join(re.escape(pair) for pair in _REPAIRS))


def count_garbled(data: bytes) -> int:
    """How many characters of UTF-8 text were encoded twice."""
    if not any(lead in data for lead in _LEAD_BYTES):
        return 0
    return sum(1 for _ in _PATTERN.finditer(data))


def repaired(data: bytes) -> bytes:
    """The text with those characters encoded once; everything else stays.

    Example:
        >>> repaired("PresiÃ³n (Â°C)".encode()).decode()
        'Presión (°C)'
    """
    return _PATTERN.sub(lambda match: _REPAIRS[match.group()], data)
