"""What the fields of a guide's record mean: which is the date, the company, an energy, and in which unit."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, Protocol

from sereno.domain.errors import InvalidRecord
from sereno.domain.signals import Profile
from sereno.i18n.catalogue import sentence

__all__ = [
    "COMPANY",
    "LANGUAGE",
    "UNKNOWN_COMPANY",
    "HasItems",
    "Record",
    "as_fields",
    "number",
    "record_of",
    "shown_energies",
]

LANGUAGE = "es"
"""The guide is in Spanish, and so is all that this door says."""
COMPANY = "Empresa"
UNKNOWN_COMPANY = "DESCONOCIDA"
"""Company of a record that names none."""
UNIT = "Wh"
"""Unit of the guide's energies, per day."""
_SHOWN = {"generation": "Generación total", "consumption": "Consumo total", "self_consumption": "Autoconsumo"}
"""The three values that an alert carries, under the guide's names."""
_WH = {"wh": 1.0, "kwh": 1e3, "mwh": 1e6}
_UNIT_AT_END = re.compile(r" ?\b([km]?wh)$")
_AMBIGUOUS = re.compile(r"[+-]?\d{1,3}[.,]\d{3}")
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the scoring path wants it: values with the company in them, and the unit of each energy."""

    values: dict[str, object]
    units: dict[str, str]


class HasItems(Protocol):
    """A pandas Series, or anything else that gives names and values."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """The names and their values."""
        ...


def as_fields(given: object) -> dict[str, object]:
    """A copy of a mapping, a pandas Series or anything like them.

    Raises:
        InvalidRecord: It is none of these.
    """
    if hasattr(given, "to_dict"):
        return dict(given.to_dict())
    if hasattr(given, "items"):
        return dict(given.items())
    raise InvalidRecord(detail=sentence("compat.not_a_record", LANGUAGE, kind=type(given).__name__))


def record_of(
    fields: Mapping[str, object],
    company: str | None,
    profile: Profile,
    *,
    default_company: str = UNKNOWN_COMPANY,
) -> Record:
    """The record with its company and units said aloud.

    Args:
        company: Stands for whatever the fields say; None takes it from them.
        default_company: Where the fields say nothing either.

    Raises:
        InvalidRecord: There is no date, or a number can be read in two ways.
    """
    times, sites = _folded(profile.time_aliases), _folded(profile.site_aliases)
    own = _folded(profile.asset_aliases)
    if not any(fold(name) in times and fields[name] not in (None, "") for name in fields):
        raise InvalidRecord(detail=sentence("compat.no_date", LANGUAGE))
    values = {name: value for name, value in fields.items() if company is None or fold(name) not in sites}
    if company is not None or not any(
        fold(name) in sites and values[name] not in (None, "") for name in values
    ):
        values = {name: value for name, value in values.items() if fold(name) not in sites}
        values[COMPANY] = company or default_company
    energies = [name for name in values if fold(name) not in times | sites | own]
    _refuse_ambiguous({name: values[name] for name in energies})
    return Record(values, {name: UNIT for name in energies if not _UNIT_AT_END.search(fold(name))})


def shown_energies(fields: Mapping[str, object], profile: Profile) -> dict[str, float | None]:
    """The three values of an alert [Wh]; None where the record has none."""
    return {
        shown: _energy_wh(fields, _folded(profile.signal(name).aliases)) for name, shown in _SHOWN.items()
    }


def number(value: object) -> float | None:
    """A number, also as text with a decimal comma or thousands; None when it is none.

    Example:
        >>> number("1.234,5"), number("0.5"), number("x")
        (1234.5, 0.5, None)
    """
    if isinstance(value, str):
        text = value.strip().replace(" ", "")
        decimal = "," if text.rfind(",") > text.rfind(".") else "."
        other = "." if decimal == "," else ","
        value = (
            text.replace(other, "").replace(decimal, ".")
            if text.count(decimal) == 1
            else text.replace(decimal, "")
        )
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if isfinite(found) else None


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """A column name without accents, case, brackets and punctuation."""
    plain = unicodedata.normalize("NFKD", str(name)).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", plain).split())


@lru_cache(maxsize=64)
def _folded(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(fold(name) for name in names)


def _energy_wh(fields: Mapping[str, object], names: frozenset[str]) -> float | None:
    for name, value in fields.items():
        plain = fold(name)
        unit = _UNIT_AT_END.search(plain)
        if _UNIT_AT_END.sub("", plain) in names and (found := number(value)) is not None:
            return round(found * (_WH[unit[1]] if unit else 1.0), _DECIMALS)
    return None


def _refuse_ambiguous(energies: Mapping[str, object]) -> None:
    """A text such as `5.000` is refused unless another text of the record shows the decimal sign."""
    texts = {name: value.strip() for name, value in energies.items() if isinstance(value, str)}
    unclear = {name: text for name, text in texts.items() if _AMBIGUOUS.fullmatch(text)}
    speaking = [
        t for n, t in texts.items() if n not in unclear and ("." in t or "," in t) and number(t) is not None
    ]
    if unclear and not speaking:
        name, text = next(iter(unclear.items()))
        raise InvalidRecord(detail=sentence("compat.ambiguous", LANGUAGE, column=name, value=text))
