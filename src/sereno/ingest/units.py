"""Units as people write them, and the linear conversion between those of one quantity."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["IDENTITY", "Conversion", "Unit", "conversion", "find_unit", "unit_of_cell"]

PA_PER_BAR = 1e5
PA_PER_PSI = 6894.757293168
PA_PER_KGF_CM2 = 98066.5
PA_PER_ATM = 101325.0
KELVIN_AT_0_C = 273.15
J_PER_WH = 3600.0


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as its quantity's base: base value = value x factor + offset."""

    name: str
    quantity: str
    factor: float
    offset: float = 0.0


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


def _u(name: str, quantity: str, factor: float, offset: float = 0.0) -> Unit:
    return Unit(name, quantity, factor, offset)


_UNITS: tuple[tuple[Unit, tuple[str, ...]], ...] = (
    (_u("Wh", "energy", 1.0), ("wh", "vatio hora", "vatios hora", "watt hour", "w h")),
    (_u("kWh", "energy", 1e3), ("kwh", "kw h", "kw/h", "kilovatio hora", "kilovatios hora")),
    (_u("MWh", "energy", 1e6), ("MWh", "MW h", "megavatio hora", "megavatios hora")),
    (_u("GWh", "energy", 1e9), ("gwh",)),
    (_u("MJ", "energy", 1e6 / J_PER_WH), ("MJ",)),
    (_u("GJ", "energy", 1e9 / J_PER_WH), ("GJ",)),
    (_u("W", "power", 1.0), ("w", "watt", "watts", "vatio", "vatios")),
    (_u("kW", "power", 1e3), ("kw", "kilovatio", "kilovatios", "kilowatt", "kilowatts")),
    (_u("MW", "power", 1e6), ("MW", "megavatio", "megavatios", "megawatt")),
    (_u("kvar", "reactive_power", 1e3), ("kvar",)),
    (_u("kVA", "apparent_power", 1e3), ("kva",)),
    (_u("bar", "pressure", PA_PER_BAR), ("bar", "bares", "bars", "barg", "bar(g)", "bara", "bar(a)")),
    (_u("mbar", "pressure", 100.0), ("mbar", "hpa", "milibar", "milibares")),
    (_u("Pa", "pressure", 1.0), ("pa", "pascal")),
    (_u("kPa", "pressure", 1e3), ("kpa",)),
    (_u("MPa", "pressure", 1e6), ("MPa",)),
    (_u("psi", "pressure", PA_PER_PSI), ("psi", "psig", "lb/in2")),
    (_u("kgf/cm2", "pressure", PA_PER_KGF_CM2), ("kgf/cm2", "kg/cm2", "kgf/cm^2", "kg/cm^2")),
    (_u("atm", "pressure", PA_PER_ATM), ("atm",)),
    (
        _u("°C", "temperature", 1.0),
        ("c", "degc", "deg c", "grados c", "celsius", "grados centigrados", "ºc", "oc"),
    ),
    (_u("°F", "temperature", 5 / 9, -160 / 9), ("f", "degf", "deg f", "fahrenheit", "grados f")),
    (_u("K", "temperature", 1.0, -KELVIN_AT_0_C), ("K", "kelvin")),
    (_u("A", "current", 1.0), ("a", "amp", "amps", "amperio", "amperios", "ampere")),
    (_u("mA", "current", 1e-3), ("mA",)),
    (_u("kA", "current", 1e3), ("ka",)),
    (_u("V", "voltage", 1.0), ("v", "volt", "volts", "voltio", "voltios")),
    (_u("mV", "voltage", 1e-3), ("mV",)),
    (_u("kV", "voltage", 1e3), ("kv",)),
    (
        _u("m³", "volume", 1.0),
        ("m3", "m^3", "metros cubicos", "metro cubico", "cubic meters", "cubic metres"),
    ),
    (_u("dm³", "volume", 1e-3), ("dm3", "dm^3")),
    (_u("l", "volume", 1e-3), ("l", "litro", "litros", "liter", "litre", "liters", "litres")),
    (_u("Nm³", "normal_volume", 1.0), ("nm3", "nm^3", "n m3", "sm3", "m3(n)", "m3n", "m3 n")),
    (_u("m³/h", "flow", 1.0), ("m3/h", "m^3/h")),
    (_u("l/min", "flow", 0.06), ("l/min", "lpm")),
    (_u("l/s", "flow", 3.6), ("l/s",)),
    (_u("%", "ratio", 1e-2), ("%", "porcentaje", "percent", "pct")),
    (_u("1", "ratio", 1.0), ("1", "pu", "p.u.")),
    (_u("s", "duration", 1.0), ("s", "seg", "segundos", "seconds")),
    (_u("min", "duration", 60.0), ("min", "minutos", "minutes")),
    (_u("h", "duration", 3600.0), ("h", "hr", "hrs", "horas", "hours")),
    (_u("mm/s", "velocity", 1e-3), ("mm/s",)),
    (_u("m/s", "velocity", 1.0), ("m/s",)),
    (_u("km/h", "velocity", 1 / 3.6), ("km/h",)),
    (_u("Hz", "frequency", 1.0), ("hz", "hercios", "hertz")),
    (_u("rpm", "rotation", 1.0), ("rpm",)),
    (_u("W/m²", "irradiance", 1.0), ("w/m2", "w/m^2")),
    (_u("kW/m²", "irradiance", 1e3), ("kw/m2",)),
    (_u("g", "acceleration", 1.0), ("g",)),
    (_u("dB", "level", 1.0), ("db",)),
)

_SUPERSCRIPTS = str.maketrans("²³·⋅", "23  ")
_BRACKETS = re.compile(r"^[\[({<]\s*(.*?)\s*[\])}>]$")
_CELL_UNIT = re.compile(r"^([-+(−–]?\s*[\d.,'’\s   ]*\d\)?)\s*([^\d\s].{0,15})$")


def _key(text: str) -> str:
    text = text.translate(_SUPERSCRIPTS).replace("°", "").replace("º", "")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(text.replace("-", " ").split()).strip(" .")


def _build_tables() -> tuple[dict[str, Unit], dict[str, Unit]]:
    exact: dict[str, Unit] = {}
    folded: dict[str, Unit] = {}
    for unit, spellings in _UNITS:
        for spelling in (unit.name, *spellings):
            exact[_key(spelling)] = unit
            folded.setdefault(_key(spelling).casefold(), unit)
    return exact, folded


_EXACT, _FOLDED = _build_tables()
# Capitals that only mean shouting: "KWH", "WH", "BAR"; a lone "MWH" means mega, "mw" would be a guess.
_FOLDED.update({"mwh": _EXACT["MWh"]})
for _word in ("mw", "mj", "mpa"):
    _FOLDED.pop(_word, None)


@lru_cache(maxsize=4096)
def find_unit(text: str) -> Unit | None:
    """The unit that a text such as `[kWh]`, `m³` or `°C` names; None when it names none."""
    text = text.strip()
    bracketed = _BRACKETS.match(text)
    key = _key(bracketed.group(1) if bracketed else text)
    if not key:
        return _EXACT["%"] if "%" in text else None
    return _EXACT.get(key) or _FOLDED.get(key.casefold())


@lru_cache(maxsize=4096)
def conversion(source: str, target: str) -> Conversion | None:
    """How to turn values in `source` into `target`; None when they are of different quantities.

    Normal and actual volume, power and energy, gauge and absolute pressure are different quantities; gauge
    and absolute are told apart by the profile's declaration, not by the unit.
    """
    if source == target:
        return IDENTITY
    a, b = find_unit(source), find_unit(target)
    if a is None or b is None or a.quantity != b.quantity:
        return None
    return Conversion(a.factor / b.factor, (a.offset - b.offset) / b.factor)


def unit_of_cell(text: str) -> tuple[str, Unit] | None:
    """The number and the unit of a cell such as `12,5 kWh`; None when it has not that shape."""
    match = _CELL_UNIT.match(text)
    unit = find_unit(match.group(2)) if match else None
    return (match.group(1).strip(), unit) if match and unit else None
