"""Whose readings they are: the site in a file's name, and names made fit to be stored and shown."""

import hashlib
import re

__all__ = ["MAX_NAME_LENGTH", "clean_name", "site_from_file_name"]

MAX_NAME_LENGTH = 200
DIGEST_LENGTH = 8

_SUFFIXES = re.compile(r"(?:\.(?:csv|tsv|txt|dat|gz|zip|xlsx?|ods|parquet))+$", re.IGNORECASE)
_DATE = r"(?:\d{8}|\d{4}[-_.]?(?:0[1-9]|1[0-2])(?:[-_.]?\d{2})?|\d{2}[-_.]\d{2}[-_.]\d{4}|\d{4})"
_DATE_RANGE = re.compile(rf"(?:^|[-_ .]+){_DATE}(?:[-_ a]+(?:{_DATE}|\d{{2}}))?$", re.IGNORECASE)
_COMMISSIONING = re.compile(r"^\d{2}_(?:0[1-9]|1[0-2])_(?=\D)")
_GENERIC_WORDS = frozenset(
    [
        "datos",
        "data",
        "nuevos",
        "new",
        "energia",
        "energy",
        "empresa",
        "company",
        "planta_solar",
        "lecturas",
        "readings",
        "consumo",
        "consumos",
        "export",
        "exportacion",
        "informe",
        "report",
        "mediciones",
        "medidas",
        "csv",
        "diario",
        "daily",
        "horario",
        "hourly",
        "mensual",
        "monthly",
        "historico",
    ]
)
_WORD = re.compile(r"[^_\s-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def site_from_file_name(name: str) -> str:
    """The site that a file name speaks of.

    Commissioning prefix (`YY_MM_`), date range and words such as `datos` or `energia` are not part of it;
    when nothing else remains, the name without its dates is.

    Example:
        >>> site_from_file_name("22_10_PLANTA_10_01012023-01012024.csv")
        'PLANTA_10'
    """
    stem = _SUFFIXES.sub("", name).strip()
    undated = _COMMISSIONING.sub("", _DATE_RANGE.sub("", stem)).strip("_- .")
    words = list(_WORD.finditer(undated))
    while words and words[0].group().casefold() in _GENERIC_WORDS:
        words.pop(0)
    while words and words[-1].group().casefold() in _GENERIC_WORDS:
        words.pop()
    specific = undated[words[0].start() : words[-1].end()] if words else ""
    return clean_name(specific or undated or stem or name)


def clean_name(text: str) -> str:
    """A name on one line, without control characters, of bounded length; two long names stay two."""
    name = " ".join(_CONTROL.sub(" ", text).split())
    if len(name) <= MAX_NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{name[: MAX_NAME_LENGTH - DIGEST_LENGTH - 1]}~{digest}"
