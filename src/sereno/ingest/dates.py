"""Texts to instants: every format that is read, and the order of day and month by evidence.

Dates such as `03/04/2025` fit two readings. Each way of writing them in a column (separator, digits of the
year, AM/PM) is decided apart: first by what cannot be otherwise (a 13th month), then by the rhythm of the
distinct dates, read both ways. Ways that contradict the majority are not read at all.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.ingest.hours import HourEvidence, HourStyle, instants_of_hours, split_hours, without_hour
from sereno.ingest.stamps import StampEvidence

__all__ = [
    "DateEvidence",
    "DateStyle",
    "ParsedTimes",
    "Style",
    "parse_count",
    "parse_instant",
    "parse_times",
    "time_shape",
]

FIRST_YEAR, LAST_YEAR = 1970, 2199
CENTURY = 2000
N_SAMPLE = 2000
N_FAST_FORMATS = 3
MAX_DISTINCT_DATES = 200_000
NOON = 12
LAST_HOUR = 24
MONTHS_PER_YEAR = 12
ONE_DAY = np.timedelta64(1, "D")
MISSING_TIME = np.datetime64("NaT", "us")

Triple = tuple[int, int, int]
"""First, second and year of a date as it is written."""

_TIME = (
    r"(?:[T\s,]+(?P<h>\d{1,2})(?P<half>[AaBb])?:(?P<mi>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"(?:\s*(?P<ap>[AaPp])\.?\s?[Mm]\.?)?\s*(?:(?P<tz>Z|UTC|[+-]\d{2}:?\d{2})"
    # Building systems write the city of the zone behind the offset, Java its full name in brackets.
    r"(?:\s?\[?[A-Z][A-Za-z_]+(?:/[A-Za-z_]+)*\]?)?)?)?"
)
_NUMERIC = re.compile(rf"(?P<a>\d{{1,4}})(?P<sep>[./-])(?P<b>\d{{1,2}})(?P=sep)(?P<c>\d{{1,4}}){_TIME}\Z")
_TEXTUAL = re.compile(
    rf"(?:[^\W\d_]+\.?,?\s+)?(?P<a>\d{{1,2}})[\s./-]+(?:de\s+)?(?P<m>[^\W\d_]{{3,10}})\.?[\s./,-]+(?:del?\s+)?(?P<c>\d{{4}}|\d{{2}})"
    rf"{_TIME}\Z",
    re.IGNORECASE,
)
_COMPACT = re.compile(
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:T?(?P<h>\d{2})(?P<mi>\d{2})(?P<s>\d{2})?)?(?P<tz>Z)?\Z"
)
# Seconds or milliseconds since 1970, from September 2001 to May 2033: all of them have as many digits.
_EPOCH = re.compile(r"^\s*1\d{9}(?:\d{3}|[.,]\d{1,6})?\s*$")
# Days of a spreadsheet since 1899-12-30, from 1982 to 2064, local time.
_SERIAL = re.compile(r"^\s*[345]\d{4}(?:[.,]\d+)?\s*$")
SERIAL_ORIGIN = np.datetime64("1899-12-30", "us")
S_PER_DAY = 86_400
FIRST_MILLISECONDS = 1e12
US_PER_S, US_PER_MS = 1e6, 1e3
_MONTH_WORDS = (
    "ene jan enero january", "feb febrero february", "mar marzo march", "abr apr abril april", "may mayo",
    "jun junio june", "jul julio july", "ago aug agosto august",
    "sep sept set septiembre setiembre september", "oct octubre october",
    "nov noviembre november", "dic dec diciembre december",
)  # fmt: skip
_MONTHS = {word: i for i, words in enumerate(_MONTH_WORDS, start=1) for word in words.split()}
_CLOCK = re.compile(r"(?:\d{1,2}[ABab]?:\d{2}(?::\d{2})?(?:\s*[APap]\.?\s?[Mm]\.?)?|[HMQ]\d{1,3}[ABab]?)\Z")
_HALF = re.compile(r"\d([ABab]):\d\d")
_ORDERED = r"^\s*(\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2}))(?:\D.*)?$"


@dataclass(frozen=True, slots=True, order=True)
class Style:
    """One way of writing dates whose day and month could be exchanged."""

    separator: str
    n_year_digits: int
    is_twelve_hour: bool


@dataclass(frozen=True, slots=True)
class DateStyle:
    """How the instants of a column are written.

    Attributes:
        order: `dmy`, `mdy` or `ymd`: that of most cells.
        orders: Order of each way of writing; None where it contradicts the majority and is not read.
        formats: Formats of the fast path, the commonest first.
        hours: How numbers of hours are meant; None where there are none.
        is_epoch: Every cell is a number of seconds or milliseconds since 1970, UTC.
        is_serial: Every cell is a number of days as spreadsheets count them, local time.
        end_step: Length of the step that ends at each instant; None where one starts there.
        end_reason: What says so.
        closes_day: A midnight ends the date that it is written with.
        maybe_ends: What makes the instants look like ends without proving it; they are kept as starts.
        is_proven: The dates themselves tell their order.
    """

    order: str
    orders: Mapping[Style, str | None] = field(default_factory=dict)
    formats: tuple[str, ...] = ()
    hours: HourStyle | None = None
    is_epoch: bool = False
    is_serial: bool = False
    end_step: np.timedelta64 | None = None
    end_reason: str = ""
    closes_day: bool = False
    maybe_ends: str = ""
    is_proven: bool = False

    @property
    def end_minutes(self) -> str:
        """Length of the step that ends at each instant [min]; empty where one starts there."""
        return "" if self.end_step is None else f"{self.end_step / np.timedelta64(1, 'm'):g}"


@dataclass(frozen=True, slots=True)
class ParsedTimes:
    """The instants of a column.

    Attributes:
        local: Naive local time, or UTC where `is_utc`, datetime64[us], shape (rows,); NaT where unreadable.
        is_utc: The text names its offset, shape (rows,).
        is_ambiguous: The text contradicts the order of the majority, shape (rows,).
        half: Of an hour that the clock shows twice: 1 or 2 where the text says so (`2A:00`), else 0,
            shape (rows,).
    """

    local: npt.NDArray[np.datetime64]
    is_utc: npt.NDArray[np.bool_]
    is_ambiguous: npt.NDArray[np.bool_]
    half: npt.NDArray[np.int8]


def parse_instant(text: str, style: DateStyle) -> datetime | None:
    """The instant that a text names: aware where it names its offset, else naive; None when it names none.

    `24:00` is the midnight that ends the day. A way of writing whose order was decided against is not read.

    Example:
        >>> parse_instant("15.01.2025 24:00", DateStyle("dmy"))
        datetime.datetime(2025, 1, 16, 0, 0)
    """
    text = text.strip()
    match = _NUMERIC.match(text)
    if match:
        parts = _numeric_parts(match, style)
        return None if parts is None else _assemble(*parts, match)
    match = _TEXTUAL.match(text)
    if match:
        month = _MONTHS.get(_fold(match["m"]))
        return None if month is None else _assemble(_year(match["c"]), month, int(match["a"]), match)
    match = _COMPACT.match(text)
    if match:
        return _assemble_compact(match)
    return None


def parse_count(text: str) -> datetime | None:
    """The instant of a number: seconds or milliseconds since 1970 (aware), or days of a spreadsheet (naive).

    Example:
        >>> parse_count("1735689600").isoformat(), parse_count("45658,5").isoformat()
        ('2025-01-01T00:00:00+00:00', '2025-01-01T12:00:00')
    """
    series = pl.Series([text], dtype=pl.String)
    found: datetime | None = None
    if _EPOCH.match(text):
        found = _parse_epochs(series).local[0].item().replace(tzinfo=UTC)
    elif _SERIAL.match(text):
        found = _parse_serials(series).local[0].item()
    return found


def time_shape(text: str) -> str | None:
    """The order and shape of a date text, `time` for a lone time of day, None for no date at all."""
    text = text.strip()
    if _NUMERIC.match(text) or _TEXTUAL.match(text):
        return "date"
    compact = _COMPACT.match(text)
    if compact and FIRST_YEAR <= int(compact["y"]) <= LAST_YEAR and _assemble_compact(compact):
        return "date"
    return "time" if _CLOCK.match(text) else None


def parse_times(texts: pl.Series, style: DateStyle) -> ParsedTimes:
    """The instants of a text column, whole: fast where a common format fits, the scalar rules elsewhere."""
    if style.hours is None:
        times = _parse_texts(texts, style)
        return _with_closing_midnights(times) if style.closes_day else times
    parts = split_hours(texts)
    days = _parse_texts(parts.dates, style)
    local, is_utc = instants_of_hours(days.local, parts, style.hours)
    return ParsedTimes(local, days.is_utc | is_utc, days.is_ambiguous, days.half)


def _with_closing_midnights(times: ParsedTimes) -> ParsedTimes:
    is_midnight = (times.local == times.local.astype("datetime64[D]")) & ~times.is_utc
    return replace(times, local=np.where(is_midnight, times.local + ONE_DAY, times.local))


def _parse_epochs(texts: pl.Series) -> ParsedTimes:
    seconds, is_epoch = _counts(texts, _EPOCH)
    us = np.round(seconds * np.where(seconds >= FIRST_MILLISECONDS, US_PER_MS, US_PER_S)).astype(np.int64)
    local = np.where(is_epoch, us.astype("datetime64[us]"), MISSING_TIME)
    is_utc, is_no = np.ones(len(texts), dtype=np.bool_), np.zeros(len(texts), dtype=np.bool_)
    return ParsedTimes(local, is_utc, is_no, is_no.astype(np.int8))


def _parse_serials(texts: pl.Series) -> ParsedTimes:
    """To the second: nobody means the millionths that a fraction of a day leaves."""
    days, is_serial = _counts(texts, _SERIAL)
    seconds = np.round(days * S_PER_DAY).astype(np.int64).astype("timedelta64[s]")
    local = np.where(is_serial, SERIAL_ORIGIN + seconds, MISSING_TIME)
    is_no = np.zeros(len(texts), dtype=np.bool_)
    return ParsedTimes(local, is_no, is_no, is_no.astype(np.int8))


def _counts(
    texts: pl.Series, pattern: re.Pattern[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Numbers of a column and which of them have the form that is wanted, shapes (rows,)."""
    is_fit = texts.str.contains(pattern.pattern).fill_null(value=False).to_numpy()
    numbers = texts.str.strip_chars().str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    return np.where(is_fit, numbers.fill_null(0.0).to_numpy(), 0.0), is_fit


def _parse_texts(texts: pl.Series, style: DateStyle) -> ParsedTimes:
    if style.is_serial:
        return _parse_serials(texts)
    if style.is_epoch:
        return _parse_epochs(texts)
    n_rows = len(texts)
    local = np.full(n_rows, MISSING_TIME)
    is_utc = np.zeros(n_rows, dtype=np.bool_)
    is_ambiguous = np.zeros(n_rows, dtype=np.bool_)
    half = np.zeros(n_rows, dtype=np.int8)
    is_open = texts.is_not_null().to_numpy().copy()
    for form in style.formats:
        if not is_open.any():
            break
        found, has_offset = _fast(texts, form)
        is_hit = is_open & ~np.isnat(found)
        local[is_hit] = found[is_hit]
        is_utc[is_hit] = has_offset
        is_open &= ~is_hit
    rows = np.flatnonzero(is_open)
    known: dict[str, tuple[np.datetime64, bool, bool, int]] = {}
    for row, text in zip(rows.tolist(), texts.gather(rows).to_list(), strict=True):
        if text not in known:
            known[text] = _slow(text, style)
        local[row], is_utc[row], is_ambiguous[row], half[row] = known[text]
    return ParsedTimes(local, is_utc, is_ambiguous, half)


@dataclass(slots=True)
class DateEvidence:
    """What the whole column says about its dates; the order of rows plays no part.

    Attributes:
        distinct: By way of writing, the distinct (first, second, year) triples.
        n_cells: By way of writing, cells.
        sample: The first texts, for the fast formats.
        declared: Order that the unit row declares, e.g. `[dd.MM.yyyy]`.
        hours: Numbers of hours beside the dates.
        forced: Order that a mapping says, over all evidence.
        stamps: What the times of day say about the steps.
        ends: By way of writing, the distinct triples of a column beside it, written by the same hand.
    """

    distinct: dict[Style, set[Triple]] = field(default_factory=dict)
    n_cells: Counter[Style] = field(default_factory=Counter)
    sample: list[str] = field(default_factory=list)
    declared: str | None = None
    hours: HourEvidence = field(default_factory=HourEvidence)
    forced: str | None = None
    stamps: StampEvidence = field(default_factory=StampEvidence)
    ends: dict[Style, set[Triple]] = field(default_factory=dict)

    def add(self, texts: pl.Series) -> None:
        """Takes in more cells of the column."""
        self.hours.add(texts)
        self.stamps.add(texts)
        if len(self.sample) < N_SAMPLE:
            self.sample += texts.drop_nulls().head(N_SAMPLE - len(self.sample)).to_list()
        for style, triple, count in _ordered_dates(texts):
            self.n_cells[style] += count
            _remember(self.distinct, style, triple)

    def add_ends(self, texts: pl.Series) -> None:
        """Takes in cells of the column that says where steps end: they only prove an order."""
        for style, triple, _ in _ordered_dates(texts):
            _remember(self.ends, style, triple)

    def add_text(self, text: str) -> None:
        """Takes in one cell."""
        self.sample.append(text)
        match = _NUMERIC.match(text.strip())
        if match and len(match["a"]) <= 2:
            found = _ordered_date(text.strip()[: match.end("c")], is_twelve_hour=bool(match["ap"]))
            if found is not None:
                self.n_cells[found[0]] += 1
                _remember(self.distinct, *found)

    def decide(self, asked: str | None, now: datetime | None) -> DateStyle | None:
        """The column's style; None when day and month could be exchanged and nothing tells.

        Args:
            asked: Order that the caller declares, for what the column cannot tell.
            now: The current instant: dates beyond it speak against an order.
        """
        has_clock = len({_without_date(t) for t in self.sample}) > 1
        orders: dict[Style, str | None] = {
            s: self.forced
            or _proven_order(t | self.ends.get(s, set()))
            or _order_of(s, t, now, has_clock=has_clock)
            for s, t in self.distinct.items()
        }
        weights: Counter[str] = Counter()
        for style, order in orders.items():
            if order is not None:
                weights[order] += self.n_cells[style]
        majority = max(weights, key=lambda o: (weights[o], o)) if weights else None
        chosen = majority or asked or self.declared
        if chosen is None and orders:
            if any(_differs(t) for t in self.distinct.values()):
                return None
            chosen = "dmy"  # every date reads the same both ways
        final = {s: (chosen if o in (None, chosen) else None) for s, o in orders.items()}
        n_year_first = sum(1 for t in self.sample if re.match(r"\s*\d{4}", t))
        order = "ymd" if chosen is None or n_year_first * 2 > len(self.sample) else chosen
        if not self.sample:
            order = asked or ""
        if self.sample and all(map(_EPOCH.match, self.sample)):
            return DateStyle("ymd", is_epoch=True)
        if self.sample and all(map(_SERIAL.match, self.sample)):
            return DateStyle("ymd", is_serial=True)
        sample = [without_hour(t) for t in self.sample]
        formats = _fast_formats(sample, DateStyle(order, final))
        return DateStyle(order, final, formats, is_proven=majority is not None)


def _ordered_dates(texts: pl.Series) -> Iterator[tuple[Style, Triple, int]]:
    """Way of writing, parts and count of the distinct dates whose day and month could be exchanged."""
    dates = texts.str.extract(_ORDERED, 1)
    if dates.null_count() == len(dates):
        return
    is_twelve = texts.str.contains(r"(?i)[ap]\.?\s?m\.?\s*$")
    for flag in (False, True):
        chosen = dates.filter(is_twelve if flag else ~is_twelve).drop_nulls()
        for text, count in chosen.value_counts().iter_rows():
            found = _ordered_date(text, is_twelve_hour=flag)
            if found is not None:
                yield (*found, int(count))


def _ordered_date(text: str, *, is_twelve_hour: bool) -> tuple[Style, Triple] | None:
    separator = next(c for c in text if not c.isdigit())
    parts = text.strip().split(separator)
    if len(parts) != len("dmy"):
        return None
    style = Style(separator, len(parts[2]), is_twelve_hour)
    return style, (int(parts[0]), int(parts[1]), _year(parts[2]))


def _remember(found: dict[Style, set[Triple]], style: Style, triple: Triple) -> None:
    triples = found.setdefault(style, set())
    if len(triples) < MAX_DISTINCT_DATES:
        triples.add(triple)


def _without_date(text: str) -> str:
    """What follows the date in a text; all of it where it begins with none."""
    match = _NUMERIC.match(text.strip())
    return text.strip()[match.end("c") :] if match else text


def _proven_order(triples: set[Triple]) -> str | None:
    """The order that a 13th month excludes the other of, or None when no date does."""
    n_dmy = sum(1 for a, b, _ in triples if a > NOON >= b)
    n_mdy = sum(1 for a, b, _ in triples if b > NOON >= a)
    if n_dmy or n_mdy:
        return "dmy" if n_dmy >= n_mdy else "mdy"
    return None


def _order_of(style: Style, triples: set[Triple], now: datetime | None, *, has_clock: bool) -> str | None:
    """The order of one way of writing whose dates could all be exchanged, or None when both fit."""
    if style.separator == ".":
        return "dmy"  # nobody writes the month first with dots
    day_first = {d for a, b, y in triples if (d := _date(y, b, a))}
    month_first = {d for a, b, y in triples if (d := _date(y, a, b))}
    if now is not None:
        limit = now.date() + timedelta(days=1)
        n_late = sum(d > limit for d in day_first), sum(d > limit for d in month_first)
        if (n_late[0] == 0) != (n_late[1] == 0):
            return "dmy" if n_late[0] == 0 else "mdy"
    return _more_regular(day_first, month_first, has_clock=has_clock)


def _more_regular(day_first: set[date], month_first: set[date], *, has_clock: bool) -> str | None:
    """The reading whose distinct dates follow each other at an even pace, if only one does.

    A date a month is as even as one a day, unless the dates hold times of day: nobody meters one day a month.
    Month first, where few people write like that, only the first of each month counts as such.
    """
    if day_first == month_first:
        return None
    irregular = [_n_irregular(d) for d in (day_first, month_first)]
    if not has_clock:
        months = (_n_irregular_months(day_first), _n_irregular_months(month_first, only_firsts=True))
        irregular = [min(pair) for pair in zip(irregular, months, strict=True)]
    n_steps = len(day_first) - 1
    if n_steps < 2 or irregular[0] == irregular[1]:
        return None
    best = min(irregular)
    # A rhythm that most steps break is none, however much worse the other reading is.
    if best * 2 > n_steps or max(irregular) < 2 * best + 1:
        return None
    return "dmy" if irregular[0] == best else "mdy"


def _n_irregular(dates: set[date]) -> int:
    days = np.sort(np.array([d.toordinal() for d in dates]))
    steps = np.diff(days)
    if not len(steps):
        return 0
    _, counts = np.unique(steps, return_counts=True)
    return int(len(steps) - counts.max())


def _n_irregular_months(dates: set[date], *, only_firsts: bool = False) -> int:
    """Steps that are not as many months as most, between dates of one day of the month."""
    days = {d.day for d in dates}
    if len(days) > 1 or (only_firsts and days != {1}):
        return len(dates)
    months = np.sort(np.array([MONTHS_PER_YEAR * d.year + d.month for d in dates]))
    _, counts = np.unique(np.diff(months), return_counts=True)
    return int(len(months) - 1 - counts.max(initial=0))


def _differs(triples: set[Triple]) -> bool:
    return any(a != b for a, b, _ in triples)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _fast_formats(sample: list[str], style: DateStyle) -> tuple[str, ...]:
    forms = Counter(f for t in sample if (f := _format_of(t.strip(), style)))
    return tuple(form for form, _ in forms.most_common(N_FAST_FORMATS))


def _format_of(text: str, style: DateStyle) -> str | None:
    """The strptime format of a text that the fast path can read; `%z` stands for any offset."""
    match = _NUMERIC.match(text)
    if match is None or match["f"] or match["half"] or match["tz"] not in (None, "Z"):
        return None
    sep = match["sep"]
    if len(match["a"]) == len("yyyy"):
        form = f"%Y{sep}%m{sep}%d"
    else:
        way = Style(sep, len(match["c"]), bool(match["ap"]))
        order = style.orders.get(way, style.order)
        if order not in ("dmy", "mdy"):
            return None
        year = "%Y" if way.n_year_digits == len("yyyy") else "%y"
        form = f"%d{sep}%m{sep}{year}" if order == "dmy" else f"%m{sep}%d{sep}{year}"
    if match["h"] is None:
        return form
    joint = text[match.start("h") - 1]
    if match.start("h") - match.end("c") != 1 or joint not in "T ":
        return None
    hour = "%I" if match["ap"] else "%H"
    form += f"{joint}{hour}:%M" + (":%S" if match["s"] else "")
    if match["ap"]:
        if text[match.end("s") if match["s"] else match.end("mi") :] not in (" AM", " PM", " am", " pm"):
            return None
        form += " %p"
    return form + (match["tz"] or "")


def _fast(texts: pl.Series, form: str) -> tuple[npt.NDArray[np.datetime64], bool]:
    found = texts.str.to_datetime(form, time_unit="us", strict=False, exact=True)
    local = found.to_numpy().astype("datetime64[us]")
    # `%Y` also reads `23` as the year 23: such a row is for the scalar rules.
    early = local < np.datetime64(f"{FIRST_YEAR}-01-01", "us")
    if early.any():
        local = np.where(early, MISSING_TIME, local)
    return local, form.endswith("Z")


def _slow(text: str, style: DateStyle) -> tuple[np.datetime64, bool, bool, int]:
    """Instant, whether it is UTC, whether its order is refused, and which of two hours it names."""
    instant = parse_instant(text, style)
    if instant is None:
        match = _NUMERIC.match(text.strip())
        refused = False
        if match and len(match["a"]) != len("yyyy"):
            way = Style(match["sep"], len(match["c"]), bool(match["ap"]))
            refused = way in style.orders and style.orders[way] is None
        return MISSING_TIME, False, refused, 0
    if instant.tzinfo is not None:
        return np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us"), True, False, 0
    half = _HALF.search(text)
    return np.datetime64(instant, "us"), False, False, "AB".index(half[1].upper()) + 1 if half else 0


def _numeric_parts(match: re.Match[str], style: DateStyle) -> tuple[int, int, int] | None:
    a, b, c = match["a"], int(match["b"]), match["c"]
    if len(a) == len("yyyy"):
        return int(a), b, int(c)
    if len(c) not in (2, len("yyyy")):
        return None
    way = Style(match["sep"], len(c), bool(match["ap"]))
    order = style.orders.get(way, style.order)
    if order is None or order == "ymd":
        order = "dmy" if order == "ymd" and way.separator == "." else None
    if order is None:
        return None
    return (_year(c), b, int(a)) if order == "dmy" else (_year(c), int(a), b)


def _year(text: str) -> int:
    return int(text) if len(text) == len("yyyy") else CENTURY + int(text)


def _fold(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word)
    return "".join(c for c in plain.casefold() if not unicodedata.combining(c))


def _assemble(year: int, month: int, day: int, match: re.Match[str]) -> datetime | None:
    hour = int(match["h"] or 0)
    if match["ap"]:
        if not 1 <= hour <= NOON:
            return None
        hour = hour % NOON + (NOON if match["ap"] in "pP" else 0)
    fraction = int((match["f"] or "0").ljust(6, "0")[:6])
    instant = _instant((year, month, day), (hour, int(match["mi"] or 0), int(match["s"] or 0), fraction))
    return _with_offset(instant, match["tz"])


def _assemble_compact(match: re.Match[str]) -> datetime | None:
    day = (int(match["y"]), int(match["m"]), int(match["d"]))
    clock = (int(match["h"] or 0), int(match["mi"] or 0), int(match["s"] or 0), 0)
    return _with_offset(_instant(day, clock), match["tz"])


def _instant(day: tuple[int, int, int], clock: tuple[int, int, int, int]) -> datetime | None:
    if not FIRST_YEAR <= day[0] <= LAST_YEAR:
        return None
    ends_day = clock[0] == LAST_HOUR and not any(clock[1:])
    try:
        instant = datetime(*day, *((0, 0, 0, 0) if ends_day else clock))  # noqa: DTZ001 - naive until its zone is known
    except ValueError:
        return None
    return instant + timedelta(days=1) if ends_day else instant


def _with_offset(instant: datetime | None, offset: str | None) -> datetime | None:
    if instant is None or offset is None:
        return instant
    if offset in ("Z", "UTC"):
        return instant.replace(tzinfo=UTC)
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    shift = timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
    try:
        return instant.replace(tzinfo=timezone(shift))
    except ValueError:
        return None
