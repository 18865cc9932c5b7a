"""Files damaged as strangers' files are: twenty kinds in several dialects, the same for the same seed."""

import datetime as dt
import gzip
import io
import random
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.ingest.sheets import write_ods, write_xls, write_xlsx

MADRID = "Europe/Madrid"
HOUR = dt.timedelta(hours=1)
N_HOURS = 240
BOMB_BYTES = 300_000_000
Row = list[str]


def naive(*parts: int) -> dt.datetime:
    """A local time without its zone, as most files write it."""
    return dt.datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


FIRST_DAY = naive(2023, 6, 1)


@dataclass(frozen=True)
class Messy:
    """A damaged file.

    Attributes:
        name: File name; its first two figures are the kind.
        make: Writes it.
        good: Readings that it gives, where this is not the count of its kind.
    """

    name: str
    make: Callable[[Path], object]
    zone: str = MADRID
    good: int | None = None

    @property
    def kind(self) -> str:
        return self.name[:2]

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        self.make(path)
        return path


@dataclass(frozen=True)
class Dialect:
    """How one portal writes the five meters of a roof: time, generation … import, site."""

    name: str
    headers: tuple[str, ...]
    site: str
    stamp: str = "%d.%m.%Y %H:%M"
    delimiter: str = ";"
    decimal: str = ","
    start: dt.datetime = FIRST_DAY
    size: float = 1.0
    ending: str = "\r\n"
    is_quoted: bool = False

    def time(self, at: dt.datetime) -> str:
        return at.strftime(self.stamp)

    def number(self, value: float) -> str:
        return f"{value:.3f}".replace(".", self.decimal)

    def rows(self, rng: random.Random, n_rows: int = N_HOURS, *, step: dt.timedelta = HOUR) -> list[Row]:
        times = [self.start + i * step for i in range(n_rows)]
        return [
            self.row(at, values) for at, values in zip(times, a_house(rng, times, self.size), strict=True)
        ]

    def row(self, at: dt.datetime, values: Sequence[float]) -> Row:
        return [self.time(at), *(self.number(v) for v in values), self.site]

    def line(self, cells: Sequence[str]) -> str:
        if self.is_quoted:
            return self.delimiter.join(f'"{c}"' for c in cells)
        return self.delimiter.join(f'"{c}"' if self.delimiter in c else c for c in cells)

    def text(self, rows: Sequence[Sequence[str]]) -> str:
        return "".join(self.line(cells) + self.ending for cells in (self.headers, *rows))


SPANISH = Dialect(
    "es",
    (
        "Fecha y hora",
        "Generación total",
        "Consumo total",
        "Autoconsumo",
        "Energía suministrada a la red",
        "Energía obtenida de la red",
        "Empresa",
    ),
    "BODEGAS DEL SUR",
)
DIALECTS = (
    SPANISH,
    Dialect(
        "en",
        (
            "Date and time",
            "Total generation",
            "Total consumption",
            "Self-consumption",
            "Exported energy",
            "Imported energy",
            "Company",
        ),
        "Mill Lane Dairy",
        stamp="%Y-%m-%d %H:%M",
        delimiter=",",
        decimal=".",
        start=naive(2024, 2, 9),
        size=3.0,
        ending="\n",
    ),
    Dialect(
        "tab",
        (
            "Fecha",
            "Producción total",
            "Consumo",
            "Energía autoconsumida",
            "Excedentes",
            "Consumo de red",
            "Planta",
        ),
        "Frío Ñuble 2",
        stamp="%d/%m/%Y %H:%M:%S",
        delimiter="\t",
        start=naive(2022, 7, 14),
        size=0.4,
    ),
    Dialect(
        "us",
        ("Timestamp", "PV production", "Load", "Self consumed", "Feed-in", "Grid consumption", "Site"),
        "Plant 7",
        stamp="%m/%d/%Y %I:%M %p",
        delimiter=",",
        decimal=".",
        start=naive(2021, 8, 20),
        size=12.0,
        is_quoted=True,
    ),
    Dialect(
        "iso",
        (
            "timestamp",
            "generacion",
            "consumo",
            "autoconsumo",
            "energia vertida",
            "energia comprada",
            "instalacion",
        ),
        "nave-03",
        stamp="%Y-%m-%dT%H:%M:%S",
        decimal=".",
        start=naive(2025, 4, 2),
        size=40.0,
        ending="\n",
    ),
)


def a_house(
    rng: random.Random, times: Sequence[dt.datetime], size: float = 1.0
) -> Iterator[tuple[float, float, float, float, float]]:
    """The five meters of a roof at local times, in whole Wh [kWh]; they balance."""
    cloud, load = 0.8, 0.5
    for at in times:
        hour = at.hour + at.minute / 60
        cloud = min(1.0, max(0.1, cloud + rng.gauss(0, 0.12)))
        load = 0.6 * load + rng.lognormvariate(-1.6, 0.7) + (0.25 if 18 <= hour < 23 else 0.0)
        sun = max(0.0, 1 - ((hour - 13.5) / 7) ** 2)
        made, taken = round(4200 * size * sun * cloud), max(1, round(900 * size * load))
        used = min(made, taken)
        yield tuple(v / 1000 for v in (made, taken, used, made - used, taken - used))  # type: ignore[misc]


def damaged_files(seed: int = 0) -> list[Messy]:
    """All variants of all kinds."""
    return [messy for kind in KINDS for messy in kind(random.Random(f"{seed}/{kind.__name__}"))]


def _text(name: str, text: str, encoding: str = "utf-8", **more: object) -> Messy:
    return _bytes(name, text.encode(encoding), **more)


def _bytes(name: str, content: bytes, **more: object) -> Messy:
    return Messy(name, lambda path: path.write_bytes(content), **more)  # type: ignore[arg-type]


def several_sheets(rng: random.Random) -> Iterator[Messy]:
    """01: a cover, a hidden sheet, titles above the header, a row of units, sums below."""
    spanish, english = DIALECTS[:2]
    written = (
        ("es", spanish, "kWh", 1, ("Enero", "Febrero"), "TOTAL", "Portada", "_aux", "(hora local)"),
        ("mwh", spanish, "MWh", 1e-3, ("Q1", "Q2"), "Totales", "Índice", "_config", ""),
        ("wh", DIALECTS[2], "Wh", 1e3, ("Hoja1", "Hoja2"), "SUMA", "Resumen", "Datos internos", "dd/mm/aaaa"),
        ("en", english, "kWh", 1, ("Jan 24", "Feb 24"), "Subtotal", "Cover", "lists", "[local time]"),
        ("grand", english, "[kWh]", 1, ("North", "South"), "Grand total", "Read me", "_meta", "[yyyy-mm-dd]"),
        ("sum", DIALECTS[4], "MWh", 1e-3, ("a", "b"), "Suma total:", "Informe", "cálculo", "(UTC+1)"),
    )
    for name, dialect, unit, factor, sheets, word, cover, hidden, below in written:
        times = [dialect.start + i * HOUR for i in range(N_HOURS)]
        rows = [
            [at, *(round(v * factor, 6) for v in values), dialect.site]
            for at, values in zip(times, a_house(rng, times, dialect.size), strict=True)
        ]
        book: dict[str, list[list[object]]] = {cover: [["Informe mensual"], [], ["Emitido", "7 de marzo"]]}
        for k, sheet in enumerate(sheets):
            part = rows[120 * k : 120 * (k + 1)]
            sums = [round(sum(r[j] for r in part), 3) for j in range(1, 6)]  # type: ignore[misc]
            title = [[f"{dialect.site} – {sheet}"], []][: rng.choice((1, 2))]
            book[sheet] = [*title, dialect.headers, [below, *[unit] * 5, ""], *part, [word, *sums, ""]]  # type: ignore[list-item]
        book[hidden] = [["no leer", 1], ["lista", 2]]
        writers = {
            ".xlsx": lambda path, book=book, hidden=hidden: write_xlsx(path, book, hidden=(hidden,)),  # type: ignore[misc]
        }
        if name == "en":
            shown = {key: value for key, value in book.items() if key != hidden}
            writers[".xls"] = lambda path, book=shown: write_xls(path, book)  # type: ignore[misc]
            writers[".ods"] = lambda path, book=shown: write_ods(path, book)  # type: ignore[misc]
        for suffix, make in writers.items():
            yield Messy(f"01_{name}{suffix}", make)


def long_registers(rng: random.Random) -> Iterator[Messy]:
    """02: one line per register, decimal comma with thousands, ids as formulas, a blank line first."""
    heads = (
        "Desde (fecha);Desde (hora);Hasta (fecha);Hasta (hora);CUPS;Contador;Registro;Volumen;Unidad;Estado;",
    )
    written = (
        ("punto", heads[0], "\ufeff\r\n", ("Consumo", "Inyección"), ".", "Wh", 1000, "utf-8"),
        ("espacio", heads[0], "\r\n\r\n", ("Importación", "Exportación"), " ", "Wh", 1000, "utf-8"),
        ("tab", heads[0].replace(";", "\t"), "", ("Consumo", "Generación"), ".", "Wh", 1000, "cp1252"),
        (
            "corto",
            "Fecha;Hora;CUPS;Magnitud;Valor;Unidad;",
            "\ufeff\n",
            ("Energía generada", "Energía consumida"),
            ".",
            "Wh",
            1000,
            "utf-8",
        ),
        ("kwh", heads[0], "\ufeff", ("Consumo", "Vertido"), ".", "kWh", 40, "utf-8"),
        (
            "english",
            "Date|Time|Site|Register|Value|Unit|",
            "\n",
            ("Import", "Export"),
            ",",
            "Wh",
            2000,
            "utf-8-sig",
        ),
    )
    for name, head, before, registers, thousands, unit, scale, encoding in written:
        mark = next(m for m in ";\t|" if m in head)
        lines, start = [], naive(2023, rng.randint(1, 9), 1)
        for i in range(N_HOURS):
            begin, end = start + i * HOUR, start + (i + 1) * HOUR
            for register in registers:
                value = _grouped(rng.random() * 2 * scale, thousands)
                if len(head.split(mark)) > 8:
                    cells = [
                        *(f"{t:{form}}" for t in (begin, end) for form in ("%d/%m/%Y", "%H:%M:%S")),
                        '="ES0021000012345678AB"',
                        f"M{rng.randint(7, 7)}01",
                        register,
                        value,
                        unit,
                        "Leído",
                    ]
                else:
                    form = "%Y-%m-%d" if mark == "|" else "%d/%m/%Y"
                    cells = [f"{begin:{form}}", f"{begin:%H:%M}", '="0042"', register, value, unit]
                lines.append(mark.join([*cells, ""]))
        ending = "\r\n" if "\r" in before else "\n"
        yield _text(f"02_{name}.csv", before + ending.join([head, *lines, ""]), encoding)


def _grouped(value: float, thousands: str) -> str:
    text = f"{value:,.2f}"
    decimal = "." if thousands == "," else ","
    return text.translate(str.maketrans({",": thousands, ".": decimal}))


def accents(rng: random.Random) -> Iterator[Messy]:
    """03: headers with accents in the encodings of offices, and UTF-8 that was encoded twice."""
    head = ("Fecha", "Presión (bar)", "Temperatura (°C)", "Volumen (m³)", "Observación")
    notes = ("año nuevo: niño señaló avería", "medición válida", "«revisión» nº 3", "")
    for name, encoding in (
        ("latin1", "latin-1"),
        ("cp1252", "cp1252"),
        ("latin9", "iso8859-15"),
        ("utf8", "utf-8"),
        ("bom", "utf-8-sig"),
        ("utf16", "utf-16"),
        ("mojibake", "mojibake"),
        ("euro", "cp1252€"),
    ):
        start = naive(2022, 11, 3, 6)
        lines = [";".join(head)]
        for i in range(200):
            values = (17 + rng.gauss(0, 0.3), 20 + rng.gauss(0, 4), abs(rng.gauss(0.4, 0.3)))
            cells = [f"{v:.{k}f}".replace(".", ",") for v, k in zip(values, (2, 1, 3), strict=True)]
            lines.append(";".join([f"{start + i * HOUR:%d/%m/%Y %H:%M}", *cells, rng.choice(notes)]))
        text = "\r\n".join([*lines, ""])
        if name == "mojibake":
            yield _text("03_mojibake.csv", text.encode().decode("cp1252"))
        elif name == "euro":
            yield _text("03_euro.csv", text.replace("nº 3", "– “5 €”"), "cp1252")
        else:
            yield _text(f"03_{name}.csv", text, encoding)


MONTHS = (
    *("enero", "febrero", "marzo", "abril", "mayo", "junio"),
    *("julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
)
DAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")


def mixed_dates(rng: random.Random) -> Iterator[Messy]:
    """04: ten ways of writing times in one column, 24 rows each; one names a day that no month has."""

    def serial(at: dt.datetime) -> str:
        return f"{(at - naive(1899, 12, 30)) / dt.timedelta(days=1):.6f}"

    def epoch(at: dt.datetime) -> str:
        return str(int(at.replace(tzinfo=dt.UTC).timestamp()))

    def worded(at: dt.datetime) -> str:
        return f"{at.day} de {MONTHS[at.month - 1]} de {at:%Y %H:%M}"

    def short(at: dt.datetime) -> str:
        return f"{at:%d}-{MONTHS[at.month - 1][:3]}.-{at:%Y %H:%M}"

    def weekday(at: dt.datetime) -> str:
        return f"{DAYS[at.weekday()]}, {worded(at)}"

    def formed(form: str) -> Callable[[dt.datetime], str]:
        return lambda at: at.strftime(form)

    american, impossible = formed("%m/%d/%Y %I:%M %p"), formed("31/02/%Y %H:%M")
    first = (
        *map(formed, ("%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:00Z", "%d/%m/%y %H:%M")),
        *(worded, short, serial, formed("%Y%m%d%H%M"), american, epoch, impossible),
    )
    second = (
        *map(formed, ("%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M", "%d-%m-%Y %H:%M", "%Y/%m/%d %H:%M")),
        *(weekday, serial, formed("%Y%m%dT%H%M%S"), american, lambda at: epoch(at) + "000"),
        formed("30.02.%Y %H:%M"),
    )
    third = (
        *map(formed, ("%Y-%m-%d %H:%M:%S", "%d-%b-%Y %H:%M", "%d.%m.%y %H:%M", "%Y-%m-%dT%H:%M")),
        *(formed("%B %d, %Y %H:%M"), serial, formed("%Y%m%d%H%M%S"), formed("%m/%d/%Y %H:%M"), epoch),
        formed("%Y-02-30 %H:%M"),
    )
    for name, forms, start in (
        ("uno", first, naive(2024, 3, 5)),
        ("dos", second, naive(2023, 9, 12)),
        ("tres", third, naive(2022, 11, 1)),
        ("corto", first, naive(2023, 6, 1)),
        ("largo", second, naive(2025, 1, 13)),
    ):
        dialect = replace(SPANISH, start=start, decimal=".")
        rows = dialect.rows(rng)
        for i, row in enumerate(rows):
            row[0] = forms[i % len(forms)](start + i * HOUR)
        yield _text(f"04_{name}.csv", dialect.text(rows))


def duplicates(rng: random.Random) -> Iterator[Messy]:
    """05: shuffled, ten lines twice, ten times with two different values."""
    for dialect in DIALECTS:
        for conflict in ("999.999", "small", "first", "adjacent"):
            if conflict != "999.999" and dialect.name not in ("es", "en"):
                continue
            rows = dialect.rows(rng)
            chosen = rng.sample(range(N_HOURS), 20)
            same, other = [list(rows[i]) for i in chosen[:10]], [list(rows[i]) for i in chosen[10:]]
            for row in other:
                if conflict == "small":
                    row[2] = dialect.number(float(row[2].replace(",", ".")) + 0.5)
                else:
                    row[2] = dialect.number(999.999)
            both = [*rows, *same, *other]
            if conflict == "adjacent":
                order = {row[0]: i for i, row in enumerate(rows)}
                both.sort(key=lambda row, order=order: order[row[0]])  # type: ignore[misc]
            elif conflict == "first":
                both = [*other, *rows, *same]
            else:
                rng.shuffle(both)
            yield _text(f"05_{dialect.name}_{conflict}.csv", dialect.text(both))


def clock_changes(rng: random.Random) -> Iterator[Messy]:
    """06: naive local time over both clock changes, no hour left out."""
    changes = {
        MADRID: ((2024, 3, 30), (2024, 10, 26)),
        "America/Santiago": ((2023, 4, 1), (2023, 9, 2)),
        "America/Mexico_City": ((2022, 4, 2), (2022, 10, 29)),
        "Africa/Casablanca": ((2024, 3, 9), (2024, 4, 13)),
        "Europe/Lisbon": ((2023, 3, 25), (2023, 10, 28)),
    }
    for zone, days in changes.items():
        for minutes in (60, 30, 15):
            dialect = DIALECTS[{60: 0, 30: 1, 15: 4}[minutes]]
            rows = []
            for year, month, day in days:
                local = _local_times(naive(year, month, day), 3, minutes, zone)
                values = a_house(rng, local)
                rows += [dialect.row(at, v) for at, v in zip(local, values, strict=True)]
            name = f"06_{zone.split('/')[1]}_{minutes}"
            yield _text(f"{name}.csv", dialect.text(rows), zone=zone, good=len(rows))
            if minutes == 60:
                yield _text(f"{name}_reversed.csv", dialect.text(rows[::-1]), zone=zone, good=len(rows))


def _local_times(first: dt.datetime, n_days: int, minutes: int, zone: str) -> list[dt.datetime]:
    place, last = ZoneInfo(zone), first + dt.timedelta(days=n_days)
    at = first.replace(tzinfo=place).astimezone(dt.UTC)
    times = []
    while (local := at.astimezone(place).replace(tzinfo=None)) < last:
        times.append(local)
        at += dt.timedelta(minutes=minutes)
    return times


def missing_columns(rng: random.Random) -> Iterator[Messy]:
    """07: some columns away, the others renamed, in another order, one that nobody knows."""
    written = (
        (
            "es",
            DIALECTS[0],
            (6, 0, 2, 1, 4),
            (
                " EMPRESA ",
                "FECHA Y  HORA",
                "consumo total (kWh)",
                "Generacion Total",
                "energia suministrada a la red",
            ),
        ),
        (
            "red",
            DIALECTS[0],
            (0, 2, 5, 6),
            ("fecha_hora", "CONSUMO_TOTAL", "Energia  obtenida de la RED [kWh]", "Planta"),
        ),
        ("en", DIALECTS[1], (6, 1, 0, 2), ("SITE", "Total_Generation_kWh", "DATE/TIME", "total consumption")),
        ("fv", DIALECTS[2], (1, 4, 0, 6), ("PRODUCCIÓN FV (kWh)", "Vertidos", "Día y hora", "Instalación")),
        ("solo", DIALECTS[4], (0, 1, 6), ("Timestamp", "Energía generada kWh", "Sitio")),
        ("load", DIALECTS[3], (0, 2, 3, 6), ("Date Time", "LOAD", "SELF-CONSUMED", "Company")),
    )
    for name, dialect, order, headers in written:
        own = replace(dialect, headers=(*headers, "Columna rara"))
        rows = [[*(row[i] for i in order), "x"] for row in dialect.rows(rng)]
        yield _text(f"07_{name}.csv", own.text(rows))


MISSING_TEXTS = (
    ("##ERR", "#¡DIV/0!", "-", "Bad", "I/O Timeout", "N/D", "NaNStt", "Sin dato", "null", ""),
    ("#REF!", "#VALUE!", "---", "Comm Fail", "offline", "n/a", "No Data", "ERROR", "NULL", "?"),
    ("#¡VALOR!", "#N/D", "s/d", "Fallo", "sin lectura", "averiado", "Scan Off", "No Good Data", "*", "nd"),
)
CONVERTIBLE_TEXTS = (
    ("12,5 kWh", "1.234,56", "1 234,5", "  5  ", "(45)", "35%", "1e3", "−7,5"),
    ("3,25kWh", "2.000,5", "1\u00a0234,5", " 0,75", "(1,5)", "12 %", "2E1", "–0,5"),
    ("7500 Wh", "12.345,678", "1\u202f000,0", "\t4,0", "(0,125)", "100%", "1,5e1", "+6,5"),
)


def texts_for_numbers(rng: random.Random) -> Iterator[Messy]:
    """08: thirty cells of a column that are no numbers, thirty that are one after a rule."""
    for k, (missing, convertible) in enumerate(zip(MISSING_TEXTS, CONVERTIBLE_TEXTS, strict=True)):
        for dialect, column in ((DIALECTS[0], 2), (DIALECTS[1], 2), (DIALECTS[2], 5), (DIALECTS[4], 1)):
            rows = dialect.rows(rng)
            chosen = rng.sample(range(N_HOURS), 60)
            for i, place in enumerate(chosen):
                text = missing[i % 10] if i < 30 else convertible[i % 8]
                if dialect.decimal == ".":
                    text = text.translate(str.maketrans(",.", ".,"))
                rows[place][column] = text
            yield _text(f"08_{dialect.name}_{k}.csv", dialect.text(rows))


def nothing(rng: random.Random) -> Iterator[Messy]:
    """09: no bytes, or none that say anything."""
    yield _bytes("09_cero.csv", b"")
    yield _bytes("09_cero.txt", b"")
    yield _bytes("09_cero.xlsx", b"")
    yield _bytes("09_cero.csv.gz", b"")
    yield _bytes("09_vacio.csv.gz", gzip.compress(b"", mtime=0))
    yield _bytes("09_blancos.csv", b"\r\n \r\n\t\r\n" * rng.randint(2, 5))
    yield _bytes("09_marca.csv", b"\xef\xbb\xbf")


def truncated(rng: random.Random) -> Iterator[Messy]:
    """10: compressed files that end before their end."""
    for share in (0.6, 0.25, 0.9, 0.99):
        dialect = DIALECTS[round(share * 100) % 4]
        packed = gzip.compress(dialect.text(dialect.rows(rng)).encode(), mtime=0)
        yield _bytes(f"10_{dialect.name}_{share}.csv.gz", packed[: int(len(packed) * share)])
    yield _bytes("10_sin_cola.csv.gz", packed[:-5])
    yield _bytes("10_cabecera.csv.gz", packed[:8])


EXTREME_TEXTS = [
    texts.split()
    for texts in (
        "inf -inf NaN 1e308 -1e308 1e309 1.7976931348623157e308 -25.4 9999999999 0x1F ١٢٣ -0.0",
        "Infinity -Infinity nan 1E+300 -9.9e37 1e400 3.4028235e38 -99999 2147483647 0xFF １２３ 1.#INF",
        "INF +inf -nan 9e99 -1e200 5e350 -1.7976931348623157e308 -999 -9999999999 1.#QNAN #NUM! १२",
    )
]


def extremes(rng: random.Random) -> Iterator[Messy]:
    """11: numbers that no meter can show, three cells of each of twelve."""
    for k, texts in enumerate(EXTREME_TEXTS):
        for dialect, column in ((DIALECTS[1], 2), (DIALECTS[0], 2), (DIALECTS[4], 5), (DIALECTS[3], 1)):
            rows = dialect.rows(rng)
            for i, place in enumerate(rng.sample(range(N_HOURS), 36)):
                rows[place][column] = texts[i % 12].replace(".", dialect.decimal)
            yield _text(f"11_{dialect.name}_{k}.csv", dialect.text(rows))


def headers_only(rng: random.Random) -> Iterator[Messy]:
    """12: names and nothing below them."""
    for dialect in DIALECTS:
        yield _text(f"12_{dialect.name}.csv", dialect.text([]))
    yield _text("12_sin_fin.csv", DIALECTS[0].text([]).rstrip())
    yield _text("12_unidades.csv", DIALECTS[0].text([["", *["kWh"] * 5, ""]]))
    yield _text("12_marca.csv", DIALECTS[2].text([]) + "\r\n" * rng.randint(1, 3), "utf-16")
    yield Messy("12_libro.xlsx", lambda path: write_xlsx(path, {"Datos": [DIALECTS[1].headers]}))


HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1+1)",
    '=HYPERLINK("http://127.0.0.1/?x="&A1;"ver")',
    "\t=1+1",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "CON",
    "x'; DROP TABLE lecturas;--",
    "' OR '1'='1",
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1/a}",
    "%s%s%n",
    "A" * 5000,
    "\u202etxt.exe",
    "a\x1b[31mred",
    "NULL",
    "nombre\\nfalso",
    "🔥" * 300,
    "|net user",
    "%0d%0aSet-Cookie: a=b",
)
LINE_BREAKS = ("PLANTA\r\n2023-06-01 ERROR falso", "una\ndos\ntres", "\r=1+1")


def hostile_names(rng: random.Random) -> Iterator[Messy]:
    """13: names that spreadsheets, browsers, shells and databases would run."""
    for dialect in DIALECTS:
        quoted = replace(dialect, is_quoted=True)
        rows = quoted.rows(rng, 60)
        for name, row in zip(HOSTILE, rows[:: 60 // len(HOSTILE)], strict=False):
            row[6] = name.replace('"', '""')
        yield _text(f"13_{dialect.name}.csv", quoted.text(rows))
    rows = replace(SPANISH, is_quoted=True).rows(rng, 60)
    for name, row in zip(LINE_BREAKS, rows[5::20], strict=False):
        row[6] = name
    yield _text("13_lineas.csv", replace(SPANISH, is_quoted=True).text(rows))


def registers(rng: random.Random) -> Iterator[Messy]:
    """14: a counter that rolls over, is replaced, stands still and catches up; 400 readings."""
    written = (
        ("m3", "Fecha;Lectura (m³)", HOUR, 99990.0, 1e5, 3, "."),
        ("kwh", "Fecha y hora;Lectura contador (kWh)", HOUR, 99970.0, 99999.9 + 0.1, 1, ""),
        ("acum", "Timestamp;Energía consumida acumulada (kWh)", HOUR, 999960.0, 1e6, 2, "."),
        ("daily", "Fecha;Lectura del contador (m3)", dt.timedelta(days=1), 9700.0, 1e4, 2, ""),
        ("en", "Date;Meter reading (kWh)", HOUR, 42.0, 1e9, 3, ""),
        ("quarter", "Fecha;Lectura (kWh)", dt.timedelta(minutes=15), 5200.0, 1e5, 3, "."),
    )
    for name, head, step, first, capacity, decimals, thousands in written:
        scale = 20.0 if step >= dt.timedelta(days=1) else 1.0
        values = _counter(rng, first, capacity, scale, resets=(250,), stuck=300)
        form = "%d/%m/%Y" if step >= dt.timedelta(days=1) else "%d/%m/%Y %H:%M"
        lines = [
            f"{naive(2023, 10, 2) + i * step:{form}};{_figure(v, decimals, thousands)}"
            for i, v in enumerate(values)
        ]
        yield _text(f"14_{name}.csv", "\r\n".join([head, *lines, ""]))
    values = _counter(rng, 99990.0, 1e5, 1.0, resets=(120, 250), stuck=300)
    lines = [f"{naive(2024, 1, 8) + i * HOUR:%Y-%m-%d %H:%M},{v:.3f}" for i, v in enumerate(values)]
    yield _text("14_twice.csv", "\n".join(["Timestamp,Gas meter index (m3)", *lines, ""]))
    lines = [
        f"{naive(2024, 1, 8) + i * HOUR:%Y-%m-%d %H:%M};M{k};{v:.2f}".replace(".", ",")
        for k in (1, 2)
        for i, v in enumerate(_counter(rng, 5000.0 * k, 1e5, 1.0, resets=(125,), stuck=150, n_rows=200))
    ]
    yield _text("14_long.csv", "\r\n".join(["Fecha;Contador;Lectura (kWh)", *lines, ""]))
    twins = zip(
        _counter(rng, 99990.0, 1e5, 1.0, resets=(250,), stuck=300),
        _counter(rng, 800.0, 1e5, 2.0, resets=(), stuck=500),
        strict=True,
    )
    lines = [
        f"{naive(2024, 1, 8) + i * HOUR:%d/%m/%Y %H:%M};{a:.1f};{b:.1f}".replace(".", ",")
        for i, (a, b) in enumerate(twins)
    ]
    head = "Fecha;Lectura importación (kWh);Lectura exportación (kWh)"
    yield _text("14_wide.csv", "\r\n".join([head, *lines, ""]))


def _counter(
    rng: random.Random,
    first: float,
    capacity: float,
    scale: float,
    *,
    resets: Sequence[int],
    stuck: int,
    n_rows: int = 400,
) -> Iterator[float]:
    at, shown = first, first
    for i in range(n_rows):
        at = 0.0 if i in resets else (at + scale * (rng.random() if rng.random() < 0.6 else 0.0)) % capacity
        shown = shown if stuck <= i < stuck + 30 else at
        yield shown


def _figure(value: float, decimals: int, thousands: str) -> str:
    text = f"{value:,.{decimals}f}" if thousands else f"{value:.{decimals}f}"
    return text.translate(str.maketrans({",": ".", ".": ","}))


def matrices(rng: random.Random) -> Iterator[Messy]:
    """15: one line a day, one column a step."""
    hours = range(24)
    written = (
        ("spans", "Día", [f"{h:02}:00-{h + 1:02}:00" for h in hours], 60),
        ("ends", "Fecha", [f"{h + 1:02}:00" for h in hours], 60),
        ("starts", "Date", [f"{h:02}:00" for h in hours], 60),
        ("h01", "Fecha", [f"H{h + 1:02}" for h in hours], 60),
        ("h0", "Fecha", [f"H{h}" for h in hours], 60),
        ("hora", "FECHA", [f"Hora {h + 1}" for h in hours], 60),
        ("numbers", "Date", [str(h + 1) for h in hours], 60),
        ("words", "Fecha", [f"{h}h-{h + 1}h" for h in hours], 60),
        ("spaced", "Giorno", [f"{h:02}:00 - {(h + 1) % 24:02}:00" for h in hours], 60),
        ("halves", "Date", [f"{m // 60:02}:{m % 60:02}" for m in range(0, 1440, 30)], 30),
        ("quarters", "Fecha", [f"{m // 60:02}:{m % 60:02}" for m in range(15, 1441, 15)], 15),
        ("q96", "Fecha", [f"Q{k + 1}" for k in range(96)], 15),
        ("h25", "Fecha", [f"H{h + 1}" for h in range(25)], 60),
        ("kwh", "Fecha", [f"H{h + 1} (kWh)" for h in hours], 60),
        ("valor", "Fecha", [f"Valor H{h + 1:02}" for h in hours], 60),
        ("cups", "CUPS;Fecha", [f"H{h + 1}" for h in hours], 60),
    )
    for k, (name, head, steps, minutes) in enumerate(written):
        has_long_day = len(steps) == 25
        first = dt.date(2022, 10, 12) if has_long_day else dt.date(2023, 4 + k % 4, 2)
        lines, good = [";".join([head, *steps])], 0
        for day in range(30):
            at = first + dt.timedelta(days=day)
            n_steps = 25 if at == dt.date(2022, 10, 30) else 24 if has_long_day else len(steps)
            cells = [f"{rng.random() * 0.9:.3f}".replace(".", ",") for _ in range(n_steps)]
            cells += [""] * (len(steps) - n_steps)
            good += n_steps
            date = f"{at:%Y-%m-%d}" if head == "Date" else f"{at:%d/%m/%Y}"
            before = ["ES0021000012345678AB"] if "CUPS" in head else []
            quote = '"' if k % 2 else ""
            lines.append(";".join(f"{quote}{c}{quote}" for c in [*before, date, *cells]))
        assert good == (721 if has_long_day else 30 * 1440 // minutes)
        yield _text(f"15_{name}.csv", "\r\n".join([*lines, ""]), good=good)


def wide_characters(rng: random.Random) -> Iterator[Messy]:
    """16: UTF-16 in both orders, with and without its mark, under several separators."""
    tab = replace(SPANISH, delimiter="\t")
    for name, dialect, encoding, mark in (
        ("le_tab", tab, "utf-16-le", "\ufeff"),
        ("be_tab", tab, "utf-16-be", "\ufeff"),
        ("be_semicolon", DIALECTS[0], "utf-16-be", "\ufeff"),
        ("le_comma", DIALECTS[1], "utf-16-le", "\ufeff"),
        ("le_bare", DIALECTS[2], "utf-16-le", ""),
        ("be_bare", DIALECTS[4], "utf-16-be", ""),
        ("le_quoted", DIALECTS[3], "utf-16-le", "\ufeff"),
        ("utf32", DIALECTS[4], "utf-32-le", "\ufeff"),
        ("be_txt", tab, "utf-16-be", "\ufeff"),
    ):
        suffix = "txt" if name == "be_txt" else "csv"
        yield _bytes(f"16_{name}.{suffix}", (mark + dialect.text(dialect.rows(rng))).encode(encoding))


def broken_lines(rng: random.Random) -> Iterator[Messy]:
    """17: seven lines of a file that are none."""
    for dialect in DIALECTS:
        for k in range(3):
            plain = replace(dialect, is_quoted=dialect.is_quoted and k != 1)
            lines = [plain.line(row) for row in plain.rows(rng)]
            other = {";": "|", ",": ";", "\t": ";"}[plain.delimiter]
            places = sorted(rng.sample(range(5, 235), 7))
            short, long, quote, nul, comment, blank, wrong = rng.sample(places, 7)
            lines[short] = plain.delimiter.join(lines[short].split(plain.delimiter)[: 4 - k])
            lines[long] += plain.delimiter + plain.delimiter.join(["sobra"] * (2 + k))
            lines[quote] = _unclosed(lines[quote], plain, k)
            lines[nul] = lines[nul][:6] + "\0" * (1 + k) + lines[nul][6:]
            lines[comment] = ("# comentario", "#", "# a;b,c\td")[k]
            lines[blank] = ("", "   ", plain.delimiter * 6)[k]
            lines[wrong] = lines[wrong].replace(plain.delimiter, other)
            text = plain.ending.join([plain.line(plain.headers), *lines, ""])
            yield _text(f"17_{dialect.name}_{k}.csv", text)


def _unclosed(line: str, dialect: Dialect, k: int) -> str:
    if k == 0:
        return f'"sin cerrar{dialect.delimiter}{line}'
    cells = line.split(dialect.delimiter)
    if k == 1:
        cells[-1] = f'"{cells[-1].strip(chr(34))}'
    else:
        cells[0] = f'"{cells[0].strip(chr(34))}'
    return dialect.delimiter.join(cells)


def corrupt_containers(rng: random.Random) -> Iterator[Messy]:
    """18: workbooks and archives that are cut, overwritten or something else."""
    rows = [[naive(2024, 1, 1) + i * HOUR, *[rng.random() for _ in range(5)], "A"] for i in range(300)]
    sheets = {"Datos": [SPANISH.headers, *rows]}

    def cut(writer: Callable[..., Path], share: float) -> Callable[[Path], None]:
        def make(path: Path) -> None:
            writer(path, sheets)
            content = path.read_bytes()
            path.write_bytes(content[: int(len(content) * share)])

        return make

    for share in (0.3, 0.6, 0.95):
        yield Messy(f"18_cut_{share}.xlsx", cut(write_xlsx, share))
        yield Messy(f"18_cut_{share}.xls", cut(write_xls, share))
        yield Messy(f"18_cut_{share}.ods", cut(write_ods, share))
    packed = _zipped({"datos.csv": SPANISH.text(SPANISH.rows(rng))})
    yield _bytes("18_cut.zip", packed[: len(packed) // 2])
    middle = len(packed) // 3
    yield _bytes("18_overwritten.zip", packed[:middle] + bytes(200) + packed[middle + 200 :])
    yield _bytes("18_lying.zip", _lying(packed))
    yield _bytes("18_noise.xlsx", rng.randbytes(4000))
    yield _bytes("18_noise.xls", rng.randbytes(4000))
    yield _bytes("18_zeros.xlsx", bytes(4000))
    yield _bytes("18_only_start.xlsx", b"PK\x03\x04" + rng.randbytes(40))
    yield _bytes("18_page.xlsx", b"<html><body><h1>503 Service Unavailable</h1></body></html>")
    yield _bytes("18_noise.csv.gz", b"\x1f\x8b\x08" + bytes(7) + b"\x07" + rng.randbytes(900))
    yield _bytes("18_noise.parquet", b"PAR1" + rng.randbytes(900) + b"PAR1")


def _zipped(members: dict[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)
    return held.getvalue()


def bombs(rng: random.Random) -> Iterator[Messy]:
    """19: small files that would grow without end; made only when they are written."""
    head = SPANISH.text(SPANISH.rows(rng, 3)).encode()[:-4]
    for name, text in (("line", b"A"), ("zeros", b"\0"), ("commas", b";"), ("quote", b'"a;')):
        yield Messy(f"19_{name}.csv.gz", _bomb(head, text))
    yield Messy("19_line.zip", lambda path: path.write_bytes(_zipped({"a.csv": head + b"A" * BOMB_BYTES})))
    yield Messy("19_nested.csv.gz", _bomb(head, b"A", n_layers=2))
    yield Messy("19_sheet.xlsx", _swollen_workbook)


def _bomb(head: bytes, text: bytes, *, n_layers: int = 1) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        content = head + text * (BOMB_BYTES // len(text))
        for _ in range(n_layers):
            content = gzip.compress(content, 9, mtime=0)
        path.write_bytes(content)

    return make


def _lying(archive: bytes) -> bytes:
    """The archive with the expanded size of its only member declared as 1000 bytes."""
    where = archive.rindex(b"PK\x01\x02") + 24
    return archive[:where] + struct.pack("<I", 1000) + archive[where + 4 :]


def _swollen_workbook(path: Path) -> None:
    """A workbook whose only sheet is 1 GB of one text."""
    plain = io.BytesIO()
    write_xlsx(plain, {"Datos": [SPANISH.headers, ["x"] * 7]})  # type: ignore[arg-type]
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.namelist():
            if not member.startswith("xl/worksheets/sheet"):
                target.writestr(member, source.read(member))
                continue
            with target.open(member, "w", force_zip64=True) as sheet:
                before, after = source.read(member).split(b"</sheetData>")
                sheet.write(before + b'<row r="3"><c r="A3" t="inlineStr"><is><t>')
                for _ in range(1000):
                    sheet.write(b"A" * 1_000_000)
                sheet.write(b"</t></is></c></row></sheetData>" + after)


def future_and_units(rng: random.Random) -> Iterator[Messy]:
    """20: 24 rows of a year to come, 48 in another unit."""
    every = (1, 2, 3, 4, 5)
    for dialect, year, future, changed, columns, factor, step in (
        (DIALECTS[0], 2099, 96, 150, every, 1000, HOUR),
        (DIALECTS[1], 2077, 20, 130, every, 1000, HOUR),
        (DIALECTS[2], 2150, 200, 100, every, 1000, HOUR),
        (DIALECTS[3], 2099, 0, 192, every, 1000, HOUR),
        (DIALECTS[4], 2042, 216, 160, every, 0.001, HOUR),
        (DIALECTS[0], 2099, 80, 140, (2,), 1000, HOUR),
        (DIALECTS[1], 2099, 80, 110, (1,), 1000, HOUR),
        (DIALECTS[3], 2099, 200, 48, every, 1000, HOUR),
        (DIALECTS[4], 2099, 120, 60, every, 0.001, HOUR),
        (DIALECTS[2], 2099, 190, 72, every, 1000, HOUR),
        (DIALECTS[2], 2099, 96, 150, (2, 5), 1000, HOUR),
        (DIALECTS[0], 2099, 150, 24, every, 1000, HOUR),
        (DIALECTS[0], 2099, 150, 0, every, 1000, HOUR),
        (DIALECTS[1], 2099, 10, 180, every, 1000, dt.timedelta(days=1)),
    ):
        own = replace(dialect, start=naive(dialect.start.year, 3, 1)) if step > HOUR else dialect
        times = [own.start + i * step for i in range(N_HOURS)]
        rows = []
        for i, (at, values) in enumerate(zip(times, a_house(rng, times, own.size), strict=True)):
            if step > HOUR:
                values = _of_a_day(rng, own.size)  # noqa: PLW2901
            is_changed = changed <= i < changed + 48
            scales = [factor if is_changed and j in columns else 1 for j in every]
            late = at.replace(year=year) if future <= i < future + 24 else at
            rows.append(own.row(late, [v * s for v, s in zip(values, scales, strict=True)]))
            if factor < 1:
                digits = [
                    f"{v * s:.6f}".replace(".", own.decimal) for v, s in zip(values, scales, strict=True)
                ]
                rows[-1][1:6] = digits
        word = "all" if columns == every else "".join(map(str, columns))
        unit = f"{factor:.3g}"
        yield _text(f"20_{dialect.name}_{word}_{unit}_{changed}{'d' * (step > HOUR)}.csv", own.text(rows))


def _of_a_day(rng: random.Random, size: float) -> tuple[float, float, float, float, float]:
    made, taken = round(20_000 * size * rng.uniform(0.4, 1)), round(15_000 * size * rng.uniform(0.7, 1.2))
    used = round(min(made, taken) * 0.6)
    return tuple(v / 1000 for v in (made, taken, used, made - used, taken - used))  # type: ignore[return-value]


KINDS: tuple[Callable[[random.Random], Iterator[Messy]], ...] = (
    several_sheets,
    long_registers,
    accents,
    mixed_dates,
    duplicates,
    clock_changes,
    missing_columns,
    texts_for_numbers,
    nothing,
    truncated,
    extremes,
    headers_only,
    hostile_names,
    registers,
    matrices,
    wide_characters,
    broken_lines,
    corrupt_containers,
    bombs,
    future_and_units,
)
