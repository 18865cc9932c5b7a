"""How people write units, in Spanish and English: each spelling names a definition of `units.txt`.

Looking a unit up needs no arithmetic, so it needs no pint: only a conversion between two units loads it.
"""

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["ATOMS", "PRESSURE_REFERENCES", "UNITS", "Entry"]


class Entry(NamedTuple):
    """A unit: its name on screens, its quantity, its expression in `units.txt`, and other spellings."""

    name: str
    quantity: str
    expression: str
    spellings: tuple[str, ...] = ()
    reference: str = ""


def _of(quantity: str, *entries: tuple[str, ...]) -> tuple[Entry, ...]:
    """Entries of one quantity: name, expression, spellings."""
    return tuple(Entry(name, quantity, expression, tuple(more)) for name, expression, *more in entries)


PRESSURE_REFERENCES = {
    "gauge": ("g", "(g)", "[g]", "gauge", "rel", "(rel)", "relativa", "relativo", "relativos", "man", "(man)",
              "manometrica", "manometrico", "manometricos"),
    "absolute": ("a", "(a)", "[a]", "abs", "(abs)", "absoluta", "absoluto", "absolutos", "absolute"),
}  # fmt: skip
"""Words behind a unit of pressure that say what it is above: the atmosphere, or vacuum."""

_PRESSURES = _of(
    "pressure",
    ("bar", "bar", "bares", "bars"),
    ("mbar", "millibar", "hpa", "milibar", "milibares", "mb"),
    ("Pa", "pascal", "pascal", "pascales"),
    ("kPa", "kilopascal", "kpa", "kilopascal", "kilopascales"),
    ("MPa", "megapascal", "MPa", "megapascal"),
    ("psi", "psi", "lb/in2", "lbf/in2", "libras/pulgada2"),
    ("kgf/cm2", "kilogram_force_per_square_centimeter", "kg/cm2", "kgf/cm^2", "kg/cm^2", "kp/cm2"),
    ("mca", "meter_of_water", "m.c.a", "m.c.a.", "mh2o", "mwc", "metros columna de agua"),
    ("mmca", "millimeter_of_water", "mmh2o", "mm.c.a.", "mmwc", "mm h2o"),
    ("mmHg", "millimeter_of_mercury", "mmhg", "mm hg", "torr"),
    ("atm", "atmosphere", "atmosfera", "atmosferas"),
)


def _with_references(entries: tuple[Entry, ...]) -> Iterator[Entry]:
    for entry in entries:
        yield entry
        bases = (entry.name, *entry.spellings)
        for reference, words in PRESSURE_REFERENCES.items():
            letter = reference[0]
            spellings = [base + gap + word for base in bases for word in words for gap in ("", " ", "_")]
            name = f"{entry.name}({letter})"
            yield Entry(name, entry.quantity, entry.expression, tuple(spellings), reference)


UNITS: tuple[Entry, ...] = (
    *_of(
        "energy",
        ("Wh", "watt_hour", "wh", "w h", "w·h", "w*h", "vatio hora", "vatios hora", "watt hour",
         "watt hours"),
        ("kWh", "kilowatt_hour", "kwh", "kw h", "kw*h", "kw/h", "kilovatio hora", "kilovatios hora",
         "kilowatt hour", "kilowatt hours", "kilovatiohora"),
        ("MWh", "megawatt_hour", "MWh", "MW h", "MW*h", "megavatio hora", "megavatios hora"),
        ("GWh", "gigawatt_hour", "gwh", "gw h", "gigavatio hora", "gigavatios hora"),
        ("J", "joule", "J", "julio", "julios", "joule", "joules"),
        ("kJ", "kilojoule", "kj"),
        ("MJ", "megajoule", "MJ", "megajulio", "megajulios", "megajoule", "megajoules"),
        ("GJ", "gigajoule", "GJ", "gigajulio", "gigajulios", "gigajoule", "gigajoules"),
        ("kcal", "kilocalorie", "kcal", "kilocaloria", "kilocalorias"),
        ("th", "thermie", "th", "termia", "termias", "mcal", "thermie", "thermies"),
        ("therm", "therm", "therms", "thm"),
        ("BTU", "british_thermal_unit", "btu", "btus"),
        ("MMBtu", "million_british_thermal_units", "mmbtu", "mmbtus", "millon btu", "millones de btu"),
        ("tep", "tonne_of_oil", "tep", "toe"),
    ),
    *_of(
        "power",
        ("W", "watt", "w", "watt", "watts", "vatio", "vatios"),
        ("kW", "kilowatt", "kw", "kilovatio", "kilovatios", "kilowatt", "kilowatts"),
        ("MW", "megawatt", "MW", "megavatio", "megavatios", "megawatt", "megawatts"),
        ("GW", "gigawatt", "GW", "gigavatio", "gigavatios", "gigawatt", "gigawatts"),
        ("CV", "metric_horsepower", "cv", "caballos", "caballos de vapor", "ps"),
        ("HP", "horsepower", "hp", "horsepower"),
        ("kcal/h", "kilocalorie / hour", "kcal/h"),
        ("BTU/h", "british_thermal_unit / hour", "btu/h", "btuh"),
    ),
    *_of("reactive_power", ("var", "var", "VAr"), ("kvar", "kilovar"), ("Mvar", "megavar", "MVAr")),
    *_of(
        "reactive_energy",
        ("varh", "var_hour", "var h", "VArh"),
        ("kvarh", "kilovar_hour", "kvar h", "kvar*h"),
        ("Mvarh", "megavar_hour", "MVArh", "Mvar h"),
    ),
    *_of("apparent_power", ("VA", "volt_ampere"), ("kVA", "kilovolt_ampere", "kva"),
         ("MVA", "megavolt_ampere", "MVA")),
    *_of("apparent_energy", ("kVAh", "kilovolt_ampere_hour", "kvah", "kva h")),
    *_with_references(_PRESSURES),
    *_of(
        "temperature",
        ("°C", "celsius", "c", "degc", "deg c", "grados", "grado", "grados c", "celsius", "grados celsius",
         "grados centigrados", "centigrados", "ºc", "oc"),
        ("°F", "fahrenheit", "f", "degf", "deg f", "fahrenheit", "grados f", "grados fahrenheit", "of"),
        ("K", "kelvin", "K", "kelvin"),
    ),
    *_of(
        "current",
        ("A", "ampere", "a", "amp", "amps", "amperio", "amperios", "ampere", "amperes"),
        ("mA", "milliampere", "mA", "miliamperio", "miliamperios"),
        ("kA", "kiloampere", "ka", "kiloamperio", "kiloamperios"),
    ),
    *_of(
        "voltage",
        ("V", "volt", "v", "volt", "volts", "voltio", "voltios"),
        ("mV", "millivolt", "mV", "milivoltio", "milivoltios"),
        ("kV", "kilovolt", "kv", "kilovoltio", "kilovoltios"),
    ),
    *_of(
        "volume",
        ("m³", "cubic_meter", "m3", "m^3", "mc", "metros cubicos", "metro cubico", "cubic meters",
         "cubic metres", "cubic meter", "cubic metre"),
        ("dm³", "liter", "dm3", "dm^3"),
        ("l", "liter", "l", "litro", "litros", "liter", "litre", "liters", "litres"),
        ("ml", "milliliter", "ml", "cm3", "mililitro", "mililitros"),
        ("ft³", "cubic_foot", "ft3", "ft^3", "cf", "cu ft", "cuft", "pie cubico", "pies cubicos", "pie3",
         "pies3", "cubic foot", "cubic feet"),
        ("CCF", "hundred_cubic_feet", "ccf", "hcf"),
        ("MCF", "thousand_cubic_feet", "mcf", "kcf"),
        ("MMCF", "million_cubic_feet", "mmcf"),
        ("gal", "us_gallon", "gal", "galon", "galones", "gallon", "gallons", "us gal"),
    ),
    *_of(
        "normal_volume",
        ("Nm³", "normal_cubic_meter", "nm3", "nm^3", "n m3", "m3(n)", "m3n", "m3 n", "m3 (n)", "m3_n",
         "metros cubicos normales", "normal cubic meters", "normal cubic metres"),
    ),
    *_of(
        "standard_volume",
        ("Sm³", "standard_cubic_meter", "sm3", "sm^3", "s m3", "m3(s)", "m3s", "m3 (s)", "m3(st)", "stm3",
         "metros cubicos estandar", "standard cubic meters", "standard cubic metres"),
    ),
    *_of("us_standard_volume", ("scf", "standard_cubic_foot", "scf", "sft3")),
    *_of(
        "flow",
        ("m³/h", "cubic_meter / hour", "m3/h", "m^3/h", "m3h", "mc/h"),
        ("m³/s", "cubic_meter / second", "m3/s"),
        ("m³/d", "cubic_meter / day", "m3/d", "m3/dia", "m3/day"),
        ("l/h", "liter / hour", "l/h", "lph", "litros/hora"),
        ("l/min", "liter / minute", "l/min", "lpm", "litros/minuto"),
        ("l/s", "liter / second", "l/s", "lps", "litros/segundo"),
        ("gpm", "us_gallon / minute", "gpm", "gal/min"),
        ("cfm", "cubic_foot / minute", "cfm", "ft3/min"),
        ("cfh", "cubic_foot / hour", "cfh", "ft3/h"),
    ),
    *_of("normal_flow", ("Nm³/h", "normal_cubic_meter / hour", "nm3/h", "m3(n)/h", "m3n/h")),
    *_of("standard_flow", ("Sm³/h", "standard_cubic_meter / hour", "sm3/h", "m3(s)/h")),
    *_of("mass", ("kg", "kilogram", "kg", "kilogramo", "kilogramos"), ("ton", "tonne", "tonelada"),
         ("lb", "pound", "lb", "lbs", "libra", "libras")),
    *_of("mass_flow", ("kg/h", "kilogram / hour", "kg/h"), ("kg/s", "kilogram / second", "kg/s"),
         ("t/h", "tonne / hour", "t/h")),
    *_of(
        "ratio",
        ("%", "percent", "%", "porcentaje", "percent", "pct", "por ciento"),
        ("‰", "per_mille", "‰"),
        ("1", "one", "1", "pu", "p.u."),
    ),
    *_of(
        "duration",
        ("s", "second", "s", "seg", "segundo", "segundos", "second", "seconds"),
        ("min", "minute", "min", "minuto", "minutos", "minute", "minutes"),
        ("h", "hour", "h", "hr", "hrs", "horas", "hours"),
    ),
    *_of("velocity", ("mm/s", "millimeter / second", "mm/s"), ("m/s", "meter / second", "m/s"),
         ("km/h", "kilometer / hour", "km/h", "kph")),
    *_of("frequency", ("Hz", "hertz", "hz", "hercio", "hercios", "hertz"), ("kHz", "kilohertz", "khz")),
    *_of("rotation", ("rpm", "rotation_per_minute", "rpm", "r/min", "min-1")),
    *_of("irradiance", ("W/m²", "watt / meter ** 2", "w/m2", "w/m^2"),
         ("kW/m²", "kilowatt / meter ** 2", "kw/m2", "kw/m^2")),
    *_of("irradiation", ("Wh/m²", "watt_hour / meter ** 2", "wh/m2", "wh/m^2"),
         ("kWh/m²", "kilowatt_hour / meter ** 2", "kwh/m2", "kwh/m^2")),
    *_of("acceleration", ("g", "standard_gravity", "g"), ("m/s²", "meter / second ** 2", "m/s2", "m/s^2")),
    *_of("level", ("dB", "decibel", "db")),
)  # fmt: skip

ATOMS = {"d": "day", "dia": "day", "day": "day", "hora": "hour", "hour": "hour", "minuto": "minute",
         "segundo": "second", "ms": "millisecond", "m": "meter", "m2": "meter ** 2", "km": "kilometer",
         "mm": "millimeter", "ft": "foot", "t": "tonne", "gr": "gram"}  # fmt: skip
"""Words that are units only inside a compound such as `kWh/día`; alone they are names of columns."""
