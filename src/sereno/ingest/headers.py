"""Header texts as people write them, matched to the names that a profile knows.

Matching ignores accents, case, punctuation, spaces and units; it never guesses: near names are only
suggested. A unit may stand in brackets (`Presión (bar)`), behind the name (`Consumo kWh`) or in its own row.
"""

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from sereno.domain.signals import Profile, Signal, SignalKind, metered_name, register_name
from sereno.ingest.units import are_kin, conversion, find_unit

__all__ = [
    "Declared",
    "Header",
    "Match",
    "Role",
    "TIME_ROLES",
    "is_surely_register",
    "key_of",
    "match_header",
    "nearest_hint",
    "nearest_names",
    "parse_header",
    "repair_text",
    "split_unit",
]


class Role(StrEnum):
    """What a column is for."""

    YEAR = "year"
    MONTH = "month"
    TIME = "time"
    TIME_OF_DAY = "time_of_day"
    STEP = "step"
    END = "end"
    SITE = "site"
    ASSET = "asset"
    REGISTER = "register"
    POINT = "point"
    VALUE = "value"
    UNIT = "unit"
    QUALITY = "quality"
    SIGNAL = "signal"
    IGNORED = "ignored"
    UNKNOWN = "unknown"


TIME_ROLES = (Role.YEAR, Role.MONTH, Role.TIME, Role.TIME_OF_DAY)
"""Columns that together say the instant of a row; beside a year, the time is the day or the month."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a mapping says that a column is; `signal` and `asset` are empty for other roles."""

    role: Role
    signal: str = ""
    asset: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """A header text taken apart.

    Attributes:
        source: The text, mojibake repaired, as a person would write it.
        key: All its letters and digits, folded.
        bare_key: The same without the bracketed part.
        unit: What stands in the brackets or in the unit row; empty when nothing does.
        is_unit_explicit: The unit stands apart (brackets, unit row) and so must be understood.
        declared: What a mapping says of it; None leaves that to the names.
    """

    source: str
    key: str
    bare_key: str
    unit: str = ""
    is_unit_explicit: bool = False
    declared: Declared | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What a header means under one profile.

    Attributes:
        roles: Possible roles, the likeliest first.
        signal: Of a signal column.
        unit: Unit of its values; empty when none is written.
        asset: Name of the asset whose signal it is, in wide layouts.
        is_name_only: The header is only the asset's name; the signal is the profile's main one.
        is_device: The asset is the device behind a bar (`Energía | Symo 10.0`).
        second: Signal of the same name that it may be where another column is `signal`.
    """

    roles: tuple[Role, ...]
    signal: Signal | None = None
    unit: str = ""
    asset: str = ""
    is_name_only: bool = False
    is_device: bool = False
    second: Signal | None = None


ROW_NAMES = ("id", "name", "nombre", "descripción", "description", "signal id", "variable id", "id señal",
             "id variable", "id punto")  # fmt: skip
"""What may head a column of points, or of anything else: the cells decide."""
GENERIC: Mapping[Role, tuple[str, ...]] = {
    Role.YEAR: ("año", "anio", "ano", "ejercicio", "year", "yr", "yyyy", "aaaa"),
    Role.MONTH: ("mes", "nº mes", "número de mes", "month", "month number", "mm"),
    Role.TIME: (
        "fecha", "fecha hora", "fecha y hora", "fecha/hora", "fechahora", "date", "datetime", "date time",
        "timestamp", "time stamp", "ts", "instante", "día", "desde", "desde fecha", "inicio",
        "fecha inicio", "fecha de inicio", "hora inicio", "fecha desde", "fecha hora inicio",
        "fecha y hora inicio",
        "fecha/hora inicio", "inicio del periodo", "inicio periodo", "inicio intervalo",
        "inicio del intervalo",
        "fecha inicial", "start date", "start datetime", "start timestamp", "interval start", "from date",
        "period beginning", "date start", "time start", "start", "start time", "from", "period start",
        "periodo", "momento", "fecha lectura", "fecha de lectura", "local time", "utc", "time",
    ),
    Role.TIME_OF_DAY: ("hora", "hour", "time", "desde hora", "hora local", "time of day"),
    Role.STEP: (
        "periodo", "period", "intervalo", "interval", "cuarto", "cuarto de hora", "cuarto hora",
        "cuarto horario",
        "cuartohorario", "quarter", "quarter hour", "qh", "media hora", "half hour", "nº hora",
        "número de hora",
        "num hora", "hora del día", "hour of day", "hour number", "he", "periodo horario",
    ),
    Role.END: (
        "hasta", "hasta fecha", "hasta hora", "fin", "fecha fin", "fecha de fin", "hora fin", "end",
        "end time", "to", "period end", "fecha hasta", "fecha hora fin", "fecha y hora fin", "fecha/hora fin",
        "fecha final", "hora final", "hora hasta", "final", "final del periodo", "fin del periodo",
        "fin periodo",
        "fin de periodo", "fin intervalo", "fin del intervalo", "end date", "date end", "end datetime",
        "end timestamp",
        "interval end", "end of interval", "end of period", "period ending", "time end", "to date",
        "hour ending",
        "fecha hora hasta", "fecha y hora final", "fecha hora final", "fecha y hora hasta", "hora de fin",
    ),
    Role.SITE: (
        "empresa", "planta", "emplazamiento", "instalación", "sitio", "sede", "site", "site id", "plant",
        "company", "installation", "location", "cliente", "cliente id", "client", "client id", "customer",
        "customer id", "cups", "punto de suministro", "ciudad", "city", "edificio", "building",
    ),
    Role.ASSET: (
        "motor", "equipo", "zona", "zone", "contador", "medidor", "meter", "meter id", "asset",
        "asset id", "máquina", "machine", "device", "dispositivo", "inversor", "inverter", "bomba",
        "pump", "línea", "line", "feeder", "motor id", "equipo id", "tag id",
    ),
    Role.REGISTER: (
        "registro", "register", "variable", "magnitud", "señal", "signal", "tag", "parámetro",
        "parameter", "concepto", "medida", "measure", "measurement", "canal", "channel",
    ),
    Role.POINT: (
        "tag name", "nombre del tag", "nombre de tag", "point", "point name", "point id", "punto",
        "nombre del punto",
        "item", "item name", "item id", "sensor", "sensor name", "punto de medida", "etiqueta", "tags",
        *ROW_NAMES,
    ),
    Role.VALUE: (
        "valor", "value", "lectura", "reading", "volumen", "volume", "cantidad", "amount", "energía",
        "energy", "consumo", "consumption", "medida", "val",
    ),
    Role.UNIT: ("unidad", "unidades", "unit", "units", "uom", "unidad de medida"),
    Role.QUALITY: (
        "quality", "calidad", "status", "estado", "good bad questionable", "confidence", "confianza",
        "quality code",
        "código de calidad", "value quality", "calidad del dato", "data quality", "opc quality",
        "calidad opc",
        "quality detail", "is good", "good", "valid", "válido", "validez", "bad", "questionable",
        "substituted",
        "real/estimado", "real estimado", "real o estimado", "r/e", "estimado", "estimada", "estimated",
        "is estimated",
        "lectura estimada", "lectura real", "dato estimado", "consumo estimado", "estimated reading",
        "método de obtención", "método obtención", "metodo obtencion", "obtain method",
        "forma de obtención", "tipo",
        "tipo lectura", "tipo de lectura", "tipo dato", "tipo de dato", "tipo medida", "tipo de medida",
        "tipo consumo", "tipo de consumo", "reading type", "type", "origen", "origen del dato",
        "origen lectura", "procedencia",
        "situación", "marca", "flag", "bandera", "validación", "state",
    ),
}  # fmt: skip
REGISTER_WORDS = frozenset(
    [
        *("lectura", "lecturas", "contador", "registro", "indice", "totalizador", "totalizado", "totalizada"),
        *("acumulado", "acumulada", "acumulados", "acumuladas", "acum", "register", "reading", "readings"),
        *("counter", "cumulative", "index", "totalizer", "totaliser", "totalized"),
    ]
)
"""Words of a header that say that its values only grow."""
TOTAL_WORDS = frozenset({"total", "totales"})
"""Words that may say so, and may also name the sum of several."""
_FILLERS = frozenset(["de", "del", "la", "el", "los", "of", "the", "meter", "medidor", "valor", "value"])
MIN_LIKENESS = 0.7
ANY_DEVICE = "*"
"""Ends an alias such as `energía | symo*`: the name of a signal, a bar, and how names of devices begin."""
MAX_KNOWN_PROFILES = 256
IGNORED_NAMES = ("id", "nº", "no", "num", "index", "unnamed 0")

_BRACKETED = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")
_MOJIBAKE = re.compile("[ÃÂâ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]")
_TRAILING_UNIT = re.compile(r"^(.*?\S)[\s_,;:/|-]+(\S+(?: h)?)$")
_LEADING_UNIT = re.compile(r"(\w{3,})\s")
"""A word before the name; shorter ones are seldom units."""
_ASSET_TOKEN = re.compile(
    r"\b(zone|zona|line|línea|linea|motor|meter|medidor|contador|equipo|pump|bomba|client|cliente|site|planta|plant|"
    r"inverter|inversor|feeder|building|edificio)[\s_-]*(\d+|[a-z])(?![a-z0-9])",
    re.IGNORECASE,
)
_TEMPERATURE = re.compile(r"\bT\.?ª", re.IGNORECASE)
"""How Spanish people write it in a narrow column."""
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u00ad"))


def repair_text(text: str) -> str:
    """The text with UTF-8 that was once read as Windows-1252 put right (`PresiÃ³n` → `Presión`)."""
    if _MOJIBAKE.search(text):
        for encoding in ("cp1252", "latin-1"):
            try:
                text = text.encode(encoding).decode("utf-8")
                break
            except (UnicodeEncodeError, UnicodeDecodeError):
                continue
    return text.translate(_INVISIBLE)


@lru_cache(maxsize=16384)
def key_of(text: str) -> str:
    """Letters and digits alone, folded: what two spellings of one name share; `Tª` is temperature."""
    spelt = _TEMPERATURE.sub("temperatura", text)
    plain = unicodedata.normalize("NFKD", spelt.translate(str.maketrans("²³", "23")))
    return "".join(c for c in plain.casefold() if c.isalnum() and not unicodedata.combining(c))


@lru_cache(maxsize=4096)
def parse_header(text: str, unit_cell: str = "") -> Header:
    """A header text taken apart, with the cell of the unit row when there is one."""
    source = " ".join(repair_text(text).split()).strip("\"' ")
    written = " ".join(repair_text(unit_cell).split()).strip("\"'[](){}<> ")
    brackets = _BRACKETED.findall(source)
    bare = _BRACKETED.sub(" ", source)
    unit = written
    if not unit and brackets:
        unit = next((b.strip() for b in brackets if find_unit(b)), brackets[-1].strip())
    return Header(source, key_of(source), key_of(bare), unit, is_unit_explicit=bool(unit))


def split_unit(header: Header) -> tuple[str, str]:
    """What a header says without its unit, and the unit; empty where none is written that is understood."""
    bare = " ".join(_BRACKETED.sub(" ", header.source).split())
    if header.unit:
        return (bare, header.unit) if find_unit(header.unit) else (header.source, "")
    behind = _TRAILING_UNIT.match(bare)
    return (behind.group(1), behind.group(2)) if behind and find_unit(behind.group(2)) else (bare, "")


def match_header(header: Header, profile: Profile) -> Match:
    """What a header means under a profile; role `UNKNOWN` when it says nothing."""
    if header.declared is not None:
        return _declared_match(header, header.declared, profile)
    names = _names_of(profile)
    named = _named_match(header, names)
    if named is not None and named.signal is not None:
        return named
    return (
        _register_match(header, profile)
        or named
        or _device_match(header, names)
        or _wide_match(header, profile, names)
    )


def _named_match(header: Header, names: "_Names") -> Match | None:
    """What the profile's own names say of a header; None when they say nothing."""
    for key in dict.fromkeys((header.key, header.bare_key)):
        if key in names.signals:
            found = _signal_match(header, names.signals[key], key)
            if found:
                return replace(found, second=names.seconds.get(key))
        if key in names.roles:
            return Match(names.roles[key], unit=header.unit)
    stripped = _TRAILING_UNIT.match(_BRACKETED.sub(" ", header.source).strip())
    if stripped and find_unit(stripped.group(2)):
        signal = names.signals.get(key_of(stripped.group(1)))
        if signal and _is_fit(stripped.group(2), signal.unit):
            return Match((Role.SIGNAL,), signal, header.unit or stripped.group(2))
    return None


def is_surely_register(text: str) -> bool:
    """True for a header such as `Lectura (m³)`; `Total (m³)` may also be the sum of several."""
    return any(word in REGISTER_WORDS for _, word in _words(text))


def _declared_match(header: Header, declared: Declared, profile: Profile) -> Match:
    if declared.role is not Role.SIGNAL:
        return Match((declared.role,), unit=header.unit)
    if not profile.is_open and metered_name(declared.signal) not in profile.signal_names:
        return Match((Role.UNKNOWN,), unit=header.unit)
    return Match((Role.SIGNAL,), profile.signal(declared.signal), header.unit, declared.asset)


def nearest_names(found: Sequence[str], profile: Profile, *, n_names: int = 3) -> list[tuple[str, str]]:
    """Pairs of a found header and the name it may have meant, the nearest first."""
    by_key = {key_of(a): a for s in profile.signals for a in (*s.aliases, s.name)}
    by_key |= {key_of(a): a for a in profile.time_aliases}
    pairs = []
    for text in found:
        key = parse_header(text).bare_key
        close = difflib.get_close_matches(key, list(by_key), n=1, cutoff=MIN_LIKENESS)
        pairs += [(difflib.SequenceMatcher(None, key, c).ratio(), text, by_key[c]) for c in close if c != key]
    pairs.sort(reverse=True)
    return [(text, name) for _, text, name in pairs[:n_names]]


def nearest_hint(pairs: Sequence[tuple[str, str]]) -> str:
    """What the found headers may have meant, in a sentence; nothing where nothing is near."""
    meant = "; ".join(f"'{text}' → '{name}'" for text, name in pairs)
    return f"Nearest names: {meant}." if meant else ""


@dataclass(frozen=True, slots=True)
class _Names:
    signals: Mapping[str, Signal]
    seconds: Mapping[str, Signal]
    devices: Mapping[str, Signal]
    roles: Mapping[str, tuple[Role, ...]]
    main: Signal | None
    assets: frozenset[str]


_NAMES: dict[int, tuple[Profile, _Names]] = {}


def _names_of(profile: Profile) -> _Names:
    """The folded names of a profile, built once per profile object."""
    known = _NAMES.get(id(profile))
    if known is None or known[0] is not profile:
        if len(_NAMES) >= MAX_KNOWN_PROFILES:
            _NAMES.clear()
        known = _NAMES[id(profile)] = (profile, _build_names(profile))
    return known[1]


def _build_names(profile: Profile) -> _Names:
    signals: dict[str, Signal] = {}
    seconds: dict[str, Signal] = {}
    devices: dict[str, Signal] = {}
    for signal in profile.signals:
        for name in (signal.name, *signal.aliases, *(signal.labels or {}).values()):
            if name.endswith(ANY_DEVICE):
                devices[key_of(name)] = signal
            else:
                signals.setdefault(key_of(name), signal)
        seconds |= {key_of(name): signal for name in signal.beside}
    roles: dict[str, tuple[Role, ...]] = {}
    own = (
        (Role.TIME, profile.time_aliases),
        (Role.SITE, profile.site_aliases),
        (Role.ASSET, profile.asset_aliases),
        (Role.IGNORED, (*profile.ignored, *IGNORED_NAMES)),
        *GENERIC.items(),
    )
    for role, names in own:
        for name in names:
            key = key_of(name)
            roles[key] = tuple(dict.fromkeys((*roles.get(key, ()), role)))
    main = next((s for s in profile.signals if s.is_ratio_scaled), None)
    assets = frozenset(key_of(a) for a in (*profile.site_aliases, *profile.asset_aliases))
    return _Names(signals, seconds, devices, roles, main, assets)


def _signal_match(header: Header, signal: Signal, key: str) -> Match | None:
    """The signal with its unit, or None when the written unit is of another quantity."""
    unit = header.unit
    if unit and key == header.key and key != header.bare_key and not find_unit(unit):
        unit = ""  # the bracketed word was part of the name
    if not unit:
        trailing = _TRAILING_UNIT.match(header.source)
        word = trailing.group(2) if trailing else header.source
        leading = _LEADING_UNIT.match(header.source)
        for candidate in (word, leading.group(1) if leading else ""):
            if not unit and find_unit(candidate) and _is_fit(candidate, signal.unit):
                unit = candidate
    if unit and find_unit(unit) and not _is_fit(unit, signal.unit):
        return None
    return Match((Role.SIGNAL, *_other_roles(key)), signal, unit)


def _is_fit(unit: str, target: str) -> bool:
    """Units of one quantity, or of two that one column may be meant in: then the reader settles which."""
    return conversion(unit, target) is not None or are_kin(unit, target)


def _register_match(header: Header, profile: Profile) -> Match | None:
    """The register of an amount, where the header speaks of one: by the amount's name, else by the unit."""
    words = _words(_BRACKETED.sub(" ", header.source))
    rest = [text for text, word in words if word not in REGISTER_WORDS | TOTAL_WORDS | _FILLERS]
    if len(rest) == len(words) or not any(word in REGISTER_WORDS | TOTAL_WORDS for _, word in words):
        return None
    unit = header.unit or next((text for text in reversed(rest) if find_unit(text)), "")
    named = " ".join(text for text in rest if text != unit)
    if named:
        says_register = any(word in REGISTER_WORDS | TOTAL_WORDS for _, word in _words(unit))
        texts = (named,) if says_register else (named, f"{named} {unit}")
        written = [parse_header(text, unit) for text in texts]
        found = next((m for m in (match_header(h, profile) for h in written) if m.signal), None)
        signal = found.signal if found is not None and not found.asset else None
    else:
        amounts = [s for s in profile.signals if s.kind is SignalKind.INTERVAL and conversion(unit, s.unit)]
        usual = [s for s in amounts if not s.is_optional] or amounts
        signal = usual[0] if unit and len(usual) == 1 else None
    if signal is None or signal.kind is not SignalKind.INTERVAL:
        return None
    register = profile.signal(register_name(signal.name))
    return Match((Role.SIGNAL, *_other_roles(header.bare_key)), register, unit)


def _words(text: str) -> list[tuple[str, str]]:
    """The words of a header, as written and folded."""
    return [(word, key_of(word)) for word in re.split(r"[\s_,;:/|.-]+", text) if key_of(word)]


def _other_roles(key: str) -> tuple[Role, ...]:
    return (Role.VALUE,) if key in {key_of(n) for n in GENERIC[Role.VALUE]} else ()


def _device_match(header: Header, names: _Names) -> Match | None:
    """The signal of a device behind a bar, where the name before it and the device's make begin an alias."""
    name, bar, device = header.source.partition("|")
    key = key_of(_BRACKETED.sub(" ", header.source))
    found = [signal for start, signal in names.devices.items() if bar and key.startswith(start)]
    if not found or not key_of(name):
        return None
    device = re.sub(rf"[(\[]{re.escape(header.unit)}[)\]]", " ", device) if find_unit(header.unit) else device
    unit = header.unit if find_unit(header.unit) else ""
    return Match((Role.SIGNAL,), found[0], unit, asset=" ".join(device.split()), is_device=True)


def _wide_match(header: Header, profile: Profile, names: _Names) -> Match:
    token = _ASSET_TOKEN.search(header.source)
    if token is None:
        return Match((Role.UNKNOWN,), unit=header.unit)
    rest = (header.source[: token.start()] + " " + header.source[token.end() :]).strip()
    asset = " ".join(token.group(0).replace("_", " ").split())
    if not key_of(_BRACKETED.sub(" ", rest)):
        if names.main is not None and key_of(token.group(1)) in names.assets:
            unit_fits = not header.unit or conversion(header.unit, names.main.unit)
            if unit_fits:
                return Match((Role.SIGNAL,), names.main, header.unit, asset, is_name_only=True)
        return Match((Role.UNKNOWN,), unit=header.unit)
    inner = match_header(
        parse_header(rest, header.unit if "(" not in rest and "[" not in rest else ""), profile
    )
    if inner.signal is None or inner.asset:
        return Match((Role.UNKNOWN,), unit=header.unit)
    return Match((Role.SIGNAL,), inner.signal, inner.unit, asset)
