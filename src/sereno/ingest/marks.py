"""What a source says of its own values: good, estimated or bad, in words, letters or codes.

Historians write `Good`, `Questionable`, `Bad`, an OPC code or a confidence; distributors write `R` and `E`.
One letter or number may mean different things in two of these ways: all marks of a column together choose.
"""

import re
from collections.abc import Collection
from enum import IntEnum, StrEnum

import numpy as np
import polars as pl

from sereno.domain.readings import Quality, QualityArray
from sereno.ingest.headers import key_of

__all__ = ["Mark", "MarkStyle", "choose_marks", "flags_of", "is_state", "mark_of", "speaks_of_marks"]


class Mark(IntEnum):
    """What a mark says, the worst last."""

    GOOD = 0
    ESTIMATED = 1
    BAD = 2
    UNKNOWN = 3


class MarkStyle(StrEnum):
    """How the marks of a column are written."""

    WORDS = "words"
    ENGLISH = "good, bad, questionable"
    SPANISH = "bueno, malo, dudoso"
    METERED = "real, estimado"
    IS_ESTIMATED = "1 = estimated"
    IS_REAL = "1 = real"
    IS_GOOD = "1 = good"
    IS_BAD = "1 = bad"
    OPC = "OPC 192"
    OPC_UA = "OPC UA 0"
    CONFIDENCE = "0-100 %"


FLAG_OF = {
    Mark.GOOD: Quality.GOOD,
    Mark.ESTIMATED: Quality.ESTIMATED,
    Mark.BAD: Quality.BAD,
    Mark.UNKNOWN: Quality.GOOD,
}
OPC_GOOD, OPC_UNCERTAIN = 192, 64
"""The upper two of eight bits: good, uncertain, bad (OPC Data Access 2.05a, section 6.8)."""
OPC_LAST = 255
OPC_UA_SHIFT = 30
"""The upper two of 32 bits: good, uncertain, bad (OPC UA part 4, section 7.39)."""
FULL_CONFIDENCE = 100
MIN_KNOWN_SHARE = 0.5

_WORDS = {
    Mark.GOOD: (
        "good bueno buena ok valid valido valida real reales actual medida medido measured leida leido read "
        "normal telemedida telegestion telegestionada firme correcto correcta"
    ),
    Mark.ESTIMATED: (
        "questionable uncertain dudoso dudosa doubtful suspect sospechoso sospechosa "
        "substituted sustituido sustituida estimated estimado estimada estim interpolated interpolado "
        "interpolada perfilado perfilada calculado calculada calculated substitute estimate"
    ),
    Mark.BAD: (
        "bad malo mala mal invalid invalido invalida error erroneo erronea fail failed failure "
        "fallo fault faulty incorrecto incorrecta"
    ),
}
_MARK_OF_WORD = {word: mark for mark, words in _WORDS.items() for word in words.split()}
_NEGATIONS = frozenset(["no", "not", "non"])
_LETTERS = {
    MarkStyle.ENGLISH: {
        "g": Mark.GOOD, "b": Mark.BAD, "q": Mark.ESTIMATED, "u": Mark.ESTIMATED, "s": Mark.ESTIMATED,
    },
    MarkStyle.SPANISH: {"b": Mark.GOOD, "m": Mark.BAD, "d": Mark.ESTIMATED},
    MarkStyle.METERED: {"r": Mark.GOOD, "e": Mark.ESTIMATED},
}  # fmt: skip
_YES = frozenset(["s", "si", "y", "yes", "1", "true", "t", "verdadero", "x"])
_NO = frozenset(["n", "no", "0", "false", "f", "falso"])
# A header that names both ways (`Real/Estimado`) says nothing of a yes.
_MEANT = (
    (MarkStyle.IS_ESTIMATED, re.compile(r"estim|substit|sustit|dudos|question|uncertain")),
    (MarkStyle.IS_BAD, re.compile(r"\bbad\b|malo|inval|error|fallo|fault")),
    (MarkStyle.IS_REAL, re.compile(r"real")),
    (MarkStyle.IS_GOOD, re.compile(r"good|buen|\bvalid|correct")),
)
_UNSAID = {
    MarkStyle.IS_ESTIMATED: (Mark.ESTIMATED, Mark.GOOD),
    MarkStyle.IS_BAD: (Mark.BAD, Mark.GOOD),
    MarkStyle.IS_REAL: (Mark.GOOD, Mark.ESTIMATED),
    MarkStyle.IS_GOOD: (Mark.GOOD, Mark.BAD),
}
"""What yes and no mean."""
# States that historians store where a number should be (system digital states of the PI archive among them).
_STATES = frozenset(
    key
    for line in (
        "nodata,badinput,iotimeout,ptcreated,shutdown,nogooddata,bad,badquality,badval,badvalue,configure",
        "notconnect,notconnected,underrange,overrange,scanoff,scantimeout,calcfailed,calcoff,calcoverflow",
        "intfshut,commfail,commerror,unitdown,settobad,arcoffline,arcoff,doubtful,equipfail,inpoutrange,noresult",
        "outofserv,outofservice,dcsfailed,failed,accessdenied,bado,badoutput,badtotal,nosample,noread,nolab",
        "invaliddata,invalidfloat,errorinvalid,ptnotfound,snapfix,noalarm,inhibit,trace,accessfail,sensorfail",
        "nogood,notavailable,sindatos,sindato,fueradeservicio,sincomunicacion,fallodecomunicacion,malo",
    )
    for key in line.split(",")
)
_ERROR_NUMBER = re.compile(r"\s*\[-\d{1,6}\]")


def is_state(text: str) -> bool:
    """True for a state that a historian writes in place of a number.

    Example:
        >>> is_state("[-11059] No Good Data"), is_state("I/O Timeout"), is_state("abierta")
        (True, True, False)
    """
    return _ERROR_NUMBER.match(text) is not None or key_of(text) in _STATES


def speaks_of_marks(header: str, texts: Collection[str], *, is_historian: bool) -> bool:
    """True where most of the texts of a column that may hold marks are marks.

    Args:
        header: Of the column.
        texts: Its filled cells.
        is_historian: Beside tag and value any code is a mark; elsewhere a number may be a measurement.
    """
    filled = [text for text in texts if text.strip()]
    style = choose_marks(header, filled)
    if not filled or style is None:
        return bool(filled) and is_historian
    if style is MarkStyle.CONFIDENCE and not is_historian and "confi" not in key_of(header):
        return False
    return sum(mark_of(t, style) is not Mark.UNKNOWN for t in filled) > MIN_KNOWN_SHARE * len(filled)


def choose_marks(header: str, texts: Collection[str]) -> MarkStyle | None:
    """How the marks of a column are written; None where two ways fit that disagree.

    Args:
        header: Of the column; it decides what a bare yes or a small number means.
        texts: Its distinct cells.
    """
    keys = {key_of(text) for text in texts} - {""}
    if keys and keys <= _YES | _NO:
        meant = [style for style, words in _MEANT if words.search(_plain(header))]
        if len(meant) == 1:
            return meant[0]
        if keys & {"1", "0"}:
            return _style_of_codes(header, texts)
    if keys and all(map(_is_number, texts)):
        return _style_of_codes(header, texts)
    letters = {key for key in keys if len(key) == 1}
    if not letters:
        return MarkStyle.WORDS
    fitting = [style for style, known in _LETTERS.items() if letters <= known.keys()]
    meanings = {tuple(_LETTERS[style][key] for key in sorted(letters)) for style in fitting}
    if len(meanings) > 1:
        return None
    return fitting[0] if fitting else MarkStyle.WORDS


def mark_of(text: str, style: MarkStyle) -> Mark:
    """What one mark says; an empty one says nothing against its value.

    Example:
        >>> mark_of("Good, Substituted", MarkStyle.WORDS), mark_of("24", MarkStyle.OPC)
        (<Mark.ESTIMATED: 1>, <Mark.BAD: 2>)
    """
    key = key_of(text)
    if not key:
        return Mark.GOOD
    if style in _UNSAID and key in _YES | _NO:
        return _UNSAID[style][key in _NO]
    if style in (MarkStyle.OPC, MarkStyle.OPC_UA, MarkStyle.CONFIDENCE):
        return _mark_of_code(text, style)
    letters = _LETTERS.get(style, {})
    return letters[key] if key in letters else _mark_of_words(text)


def flags_of(cells: pl.Series, style: MarkStyle) -> tuple[QualityArray, dict[Mark, list[tuple[str, int]]]]:
    """`Quality` bits of each row, shape (rows,), and the texts that are not good with their rows, by mark."""
    counts = cells.drop_nulls().value_counts().rows()
    marks = {text: mark_of(text, style) for text, _ in counts}
    flags = np.zeros(len(cells), dtype=np.int32)
    found: dict[Mark, list[tuple[str, int]]] = {}
    for text, count in counts:
        if marks[text] is not Mark.GOOD:
            found.setdefault(marks[text], []).append((text, count))
            flags[(cells == text).fill_null(value=False).to_numpy()] = FLAG_OF[marks[text]]
    return flags, found


def _plain(header: str) -> str:
    return " ".join(key_of(word) for word in re.split(r"[^\w]+|_", header))


def _is_number(text: str) -> bool:
    try:
        float(text.strip().replace(",", "."))
    except ValueError:
        return not text.strip()
    return True


def _style_of_codes(header: str, texts: Collection[str]) -> MarkStyle | None:
    name = key_of(header)
    numbers = {float(text.strip().replace(",", ".")) for text in texts if text.strip()}
    if "confi" in name:
        return MarkStyle.CONFIDENCE
    if any(number >= 1 << OPC_UA_SHIFT for number in numbers):
        return MarkStyle.OPC_UA
    if "opc" in name or any(OPC_GOOD <= number <= OPC_LAST for number in numbers):
        return MarkStyle.OPC
    if FULL_CONFIDENCE in numbers and max(numbers) == FULL_CONFIDENCE:
        return MarkStyle.CONFIDENCE
    # 64 to 99 is doubtful and 0 is bad in both ways; anything else is not the same in both.
    is_alike = all(number == 0 or OPC_UNCERTAIN <= number < FULL_CONFIDENCE for number in numbers)
    return MarkStyle.OPC if is_alike and max(numbers) > 0 else None


def _mark_of_code(text: str, style: MarkStyle) -> Mark:
    if not _is_number(text):
        return _mark_of_words(text)
    number = float(text.strip().replace(",", "."))
    if style is MarkStyle.CONFIDENCE:
        return Mark.BAD if number <= 0 else Mark.GOOD if number >= FULL_CONFIDENCE else Mark.ESTIMATED
    if style is MarkStyle.OPC_UA:
        return (Mark.GOOD, Mark.ESTIMATED, Mark.BAD, Mark.BAD)[int(number) >> OPC_UA_SHIFT & 3]
    code = int(number) & OPC_LAST
    return Mark.GOOD if code >= OPC_GOOD else Mark.ESTIMATED if code >= OPC_UNCERTAIN else Mark.BAD


def _mark_of_words(text: str) -> Mark:
    """The worst of what the words say; `not good` is bad."""
    words = [key_of(word) for word in re.split(r"[\W\d_]+", text)]
    found = []
    for before, word in zip(["", *words], words, strict=False):
        mark = _MARK_OF_WORD.get(word)
        if mark is not None:
            found.append(Mark.BAD if before in _NEGATIONS and mark is Mark.GOOD else mark)
    return max(found, default=Mark.BAD if is_state(text) else Mark.UNKNOWN)
