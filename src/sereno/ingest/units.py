"""Units as people write them, and the conversion between those of one quantity, by pint.

Which unit a text names is looked up in `unit_names`; pint, with the definitions of `units.txt` and exact
rational arithmetic, is loaded by the first conversion. Quantities that share a dimension stay apart where
a factor would lie: volumes at line, normal (0 °C, 1.01325 bar) and standard conditions (15 °C), and pressures
written as gauge or absolute.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from sereno.ingest.unit_names import ATOMS, UNITS

if TYPE_CHECKING:
    import pint

__all__ = [
    "IDENTITY",
    "Conversion",
    "Unit",
    "are_kin",
    "conversion",
    "conversion_over",
    "find_unit",
    "nearest_units",
    "unit_of_cell",
]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure.

    Attributes:
        name: As it is shown.
        quantity: What it measures; only units of one quantity convert.
        expression: Its definition, for pint.
        reference: Of a pressure: `gauge` or `absolute` where the unit says so, else empty.
    """

    name: str
    quantity: str
    expression: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A linear conversion: target value = value x factor + offset."""

    factor: float = 1.0
    offset: float = 0.0

    @property
    def is_identity(self) -> bool:
        """True when values stay as they are."""
        return self.factor == 1.0 and self.offset == 0.0


IDENTITY = Conversion()

TOTALS = {
    "power": "energy",
    "reactive_power": "reactive_energy",
    "apparent_power": "apparent_energy",
    "flow": "volume",
    "normal_flow": "normal_volume",
    "standard_flow": "standard_volume",
    "irradiance": "irradiation",
}
"""Of each rate, what it adds up to over time."""
VOLUMES = frozenset({"volume", "normal_volume", "standard_volume", "us_standard_volume"})
# Compounds outside the table, by the dimensions that pint finds in them.
_COMPOUNDS = {
    "energy": "joule",
    "power": "watt",
    "volume": "cubic_meter",
    "flow": "cubic_meter / second",
    "normal_flow": "normal_cubic_meter / second",
    "standard_flow": "standard_cubic_meter / second",
    "mass_flow": "kilogram / second",
    "velocity": "meter / second",
    "irradiation": "joule / meter ** 2",
    "irradiance": "watt / meter ** 2",
    "calorific_value": "joule / cubic_meter",
    "normal_calorific_value": "joule / normal_cubic_meter",
}
_SUPERSCRIPTS = str.maketrans({"²": "2", "³": "3", "·": " ", "⋅": " ", "*": " "})
_BRACKETS = re.compile(r"^[\[({<]\s*(.*?)\s*[\])}>]$")
_CELL_UNIT = re.compile(r"^([-+(−–]?\s*[\d.,'’\s   ]*\d\)?)\s*([^\d\s].{0,15})$")


@lru_cache(maxsize=4096)
def find_unit(text: str) -> Unit | None:
    """The unit that a text such as `[kWh]`, `m³`, `bar(g)` or `kWh/día` names; None when it names none."""
    text = text.strip()
    bracketed = _BRACKETS.match(text)
    key = _key(bracketed.group(1) if bracketed else text)
    if key.count("(") > key.count(")"):
        key += ")"  # brackets within brackets lose their last one on the way: `Presión (bar(g))`
    exact, folded = _tables()
    return exact.get(key) or folded.get(key.casefold()) or (_compound(key) if "/" in key else None)


@lru_cache(maxsize=4096)
def conversion(source: str, target: str) -> Conversion | None:
    """How to turn values in `source` into `target`; None when they are of different quantities.

    Normal, standard and line volume, power and energy are different quantities, and so are gauge and absolute
    pressure where both units say which they are; a unit that does not say takes what the asset declares.
    """
    if source == target:
        return IDENTITY
    a, b = find_unit(source), find_unit(target)
    if a is None or b is None or a.quantity != b.quantity:
        return None
    if a.reference and b.reference and a.reference != b.reference:
        return None
    return IDENTITY if a.expression == b.expression else _converted(a.expression, b.expression)


@lru_cache(maxsize=1024)
def conversion_over(source: str, target: str, step_s: float) -> Conversion | None:
    """How to turn a mean rate into the total of its step, or a total into the mean rate; None for others.

    A mean power of 4 kW over 15 min is 1 kWh; a total of 2 m³ in 30 min is a mean flow of 4 m³/h.

    Args:
        step_s: Length of the step [s].
    """
    a, b = find_unit(source), find_unit(target)
    if a is None or b is None:
        return None
    step = Fraction(step_s)
    if TOTALS.get(a.quantity) == b.quantity:
        return _converted(f"({a.expression}) * second", b.expression, step)
    if TOTALS.get(b.quantity) == a.quantity:
        return _converted(f"({a.expression}) / second", b.expression, 1 / step)
    return None


def are_kin(source: str, target: str) -> bool:
    """True for units of different quantities that one column may be meant in: a rate and its total, volumes.

    They never convert by a factor of their own: the step, or the conditions of the gas, must be known.
    """
    a, b = find_unit(source), find_unit(target)
    if a is None or b is None or a.quantity == b.quantity:
        return False
    is_rate = TOTALS.get(a.quantity) == b.quantity or TOTALS.get(b.quantity) == a.quantity
    return is_rate or {a.quantity, b.quantity} <= VOLUMES


def unit_of_cell(text: str) -> tuple[str, Unit] | None:
    """The number and the unit of a cell such as `12,5 kWh`; None when it has not that shape."""
    match = _CELL_UNIT.match(text)
    unit = find_unit(match.group(2)) if match else None
    return (match.group(1).strip(), unit) if match and unit else None


def nearest_units(text: str) -> Sequence[str]:
    """Units that a misspelt text may have meant, the nearest first."""
    import difflib

    _, folded = _tables()
    close = difflib.get_close_matches(_key(text).casefold(), list(folded), n=3)
    return tuple(dict.fromkeys(folded[word].name for word in close))


def _key(text: str) -> str:
    text = text.translate(_SUPERSCRIPTS).replace("°", "").replace("º", "")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(text.replace("-", " ").split()).strip(" .") or ("%" if "%" in text else "")


@cache
def _tables() -> tuple[dict[str, Unit], dict[str, Unit]]:
    """Units by their spelling, exact and folded."""
    exact: dict[str, Unit] = {}
    folded: dict[str, Unit] = {}
    for entry in UNITS:
        unit = Unit(entry.name, entry.quantity, entry.expression, entry.reference)
        for spelling in (entry.name, *entry.spellings):
            exact.setdefault(_key(spelling), unit)
            folded.setdefault(_key(spelling).casefold(), unit)
    # Capitals that only mean shouting: "KWH", "WH", "BAR"; a lone "MWH" means mega, "mw" would be a guess.
    for word in ("mw", "mj", "mpa", "mva", "mvar"):
        folded.pop(word, None)
    return exact, folded


def _compound(key: str) -> Unit | None:
    """A quotient of two units; None where one is unknown or the quotient measures nothing we know."""
    parts = [part.strip() for part in key.split("/")]
    if len(parts) != 2:
        return None
    expressions = [_atom(part) for part in parts]
    if None in expressions:
        return None
    expression = "({}) / ({})".format(*expressions)
    registry = _registry()
    found = registry.get_dimensionality(expression)
    for quantity, base in _COMPOUNDS.items():
        if registry.get_dimensionality(base) == found:
            return Unit(key, quantity, expression)
    return None


def _atom(word: str) -> str | None:
    exact, folded = _tables()
    unit = exact.get(word) or folded.get(word.casefold())
    return unit.expression if unit and not unit.reference else ATOMS.get(word.casefold())


@cache
def _registry() -> "pint.UnitRegistry[Fraction]":
    """The definitions of `units.txt` alone: pint's own would take a second and bring units nobody means."""
    import pint

    text = resources.files("sereno.ingest").joinpath("units.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    registry: pint.UnitRegistry[Fraction] = pint.UnitRegistry(
        None, non_int_type=Fraction, cache_folder=None, autoconvert_offset_to_baseunit=True
    )
    registry.load_definitions(lines)
    return registry


def _converted(source: str, target: str, amount: Fraction = Fraction(1)) -> Conversion:
    """The conversion of `amount` of one expression into another, exact until the last rounding."""
    registry = _registry()
    at_zero, at_one = (registry.convert(x, source, target) for x in (Fraction(0), amount))
    return Conversion(float(at_one - at_zero), float(at_zero))
