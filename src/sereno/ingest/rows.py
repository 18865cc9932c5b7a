"""Text cells to rows of numbers, instants and assets; what cannot be read is set aside with its reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.domain.issues import DataIssue
from sereno.domain.readings import FloatArray, Quality, QualityArray, TimeArray
from sereno.domain.signals import AssetKey, Signal
from sereno.ingest.batch import FilePlan
from sereno.ingest.dates import ParsedTimes, parse_times
from sereno.ingest.headers import Role, key_of
from sereno.ingest.identity import clean_name
from sereno.ingest.layout import Column, register_signal
from sereno.ingest.marks import Mark, flags_of
from sereno.ingest.numbers import CellKind, parse_column
from sereno.ingest.ranges import SENTINEL, impossible_cells
from sereno.ingest.table import TextTable, instant_texts
from sereno.ingest.tags import split_tag
from sereno.ingest.titles import is_note
from sereno.ingest.units import conversion
from sereno.ingest.zones import to_utc

__all__ = ["Asides", "Rows", "convert_table", "is_total"]

MAX_EXAMPLES = 3
TOTAL_WORDS = frozenset(
    [
        "total",
        "totales",
        "suma",
        "sumatorio",
        "subtotal",
        "media",
        "promedio",
        "average",
        "mean",
        "sum",
        "acumulado",
        "totalgeneral",
        "maximo",
        "minimo",
        "max",
        "min",
    ]
)
TOTAL_QUALIFIERS = frozenset(["grand", "gran", "sub", "overall", "daily", "monthly", "annual"])
"""Words before one of them: `Grand total`."""
QUALITY_OF = np.zeros(len(CellKind), dtype=np.int32)
QUALITY_OF[CellKind.CONVERTED] = Quality.CONVERTED
QUALITY_OF[CellKind.MISSING] = Quality.MISSING
QUALITY_OF[CellKind.NOT_A_NUMBER] = Quality.MISSING
QUALITY_OF[CellKind.STATE] = Quality.MISSING
CLOCK_CHANGE = np.timedelta64(1, "h")
CODE_OF_MARK = {
    Mark.ESTIMATED: "quality.estimated",
    Mark.BAD: "quality.source_bad",
    Mark.UNKNOWN: "quality.unknown_mark",
}


@dataclass(slots=True)
class Rows:
    """Rows of one or more tables, not yet sorted or unique.

    Attributes:
        asset: Position in the reader's list of assets, shape (rows,).
        register: Position of the signal in long layouts, else 0, shape (rows,).
        time: UTC instants, shape (rows,).
        lines: Line numbers, shape (rows,).
        values: Canonical units, shape (rows, signals); one column in long layouts.
        quality: Shape of `values`.
    """

    asset: npt.NDArray[np.int64]
    register: npt.NDArray[np.int64]
    time: TimeArray
    lines: npt.NDArray[np.int64]
    values: FloatArray
    quality: QualityArray

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Rows":
        """Some of the rows."""
        return Rows(
            self.asset[rows], self.register[rows], self.time[rows], self.lines[rows], self.values[rows],
            self.quality[rows],
        )  # fmt: skip

    @staticmethod
    def concatenate(parts: Sequence["Rows"]) -> "Rows":
        """The rows of all parts, in their order."""
        if len(parts) == 1:
            return parts[0]
        names = ("asset", "register", "time", "lines", "values", "quality")
        return Rows(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


@dataclass(slots=True)
class Asides:
    """What happened on the way: counts by code and place, examples, rows set aside."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def count(self, code: str, where: str, number: int, examples: Sequence[str] = ()) -> None:
        """Counts `number` more cases of an issue."""
        if number:
            self.counts[code, where] += number
            kept = self.examples.setdefault((code, where), [])
            kept += [e for e in dict.fromkeys(examples) if e not in kept][: MAX_EXAMPLES - len(kept)]

    def issues(self, file: str) -> list[DataIssue]:
        """One issue for each code and place."""
        found = []
        for (code, where), number in self.counts.items():
            listed = ", ".join(e if e.isdecimal() else f"'{e[:40]}'" for e in self.examples[code, where])
            found.append(DataIssue(code, where, number, {"file": file, "examples": listed or "-"}))
        return found


@dataclass(slots=True)
class AssetIndex:
    """The assets met so far, numbered."""

    keys: list[AssetKey] = field(default_factory=list)
    _known: dict[AssetKey, int] = field(default_factory=dict)

    def number(self, key: AssetKey) -> int:
        """The asset's number; a new one for a new asset."""
        if key not in self._known:
            self._known[key] = len(self.keys)
            self.keys.append(key)
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Converted:
    """The rows of a table that can be used, those that cannot, and which of the former come back later.

    Attributes:
        rows: As many as can be used; in wide layouts one per line and asset.
        source: Row of the text table behind each, shape (rows,).
        bad: Quarantined rows as (position in the table, reason).
    """

    rows: Rows
    source: npt.NDArray[np.int64]
    bad: tuple[tuple[int, str], ...]


def convert_table(
    table: TextTable,
    plan: FilePlan,
    signals: Sequence[str],
    assets: AssetIndex,
    asides: Asides,
    *,
    is_backwards: bool | None = None,
) -> Converted:
    """The rows of a text table in canonical units and UTC.

    Args:
        table: Good lines.
        plan: How to read them.
        signals: Columns of the result.
        assets: Assets met so far; new ones are added.
        asides: Counts to add to.
        is_backwards: The file runs against time; None tells it from these rows.
    """
    texts = instant_texts(table, plan.layout)
    times = parse_times(texts, plan.dates)
    bad = _bad_rows(table, texts, times, plan)
    identity = _identity_cells(table, plan)
    registers, known = _registers(table, plan, signals)
    is_dated, is_reversed = ~np.isnat(times.local), _end_before_start(table, times, plan)
    is_usable = is_dated & known & ~is_reversed & ~_are_fillers(table, times, plan)
    bad += [(int(i), "read.unknown_signal") for i in np.flatnonzero(is_dated & ~known)]
    bad += [(int(i), "read.broken_row") for i in np.flatnonzero(is_dated & known & is_reversed)]
    source = np.flatnonzero(is_usable)
    codes = _asset_codes(identity, len(table.lines), plan, assets)[source]
    utc = _instants(times, source, codes, registers, plan, asides, is_backwards=is_backwards)
    kept = TextTable(table.cells[source], table.lines[source]) if len(source) < len(is_usable) else table
    if plan.layout.name == "long":
        rows = _long_rows(kept, plan, registers[source], codes, utc, signals, asides)
    else:
        rows = _table_rows(kept, plan, codes, utc, signals, asides)
    if plan.layout.name == "wide":
        rows, repeat = _split_assets(rows, kept, plan, signals, assets, asides)
        source = np.tile(source, repeat)
    _mark_rows(rows, kept, plan, asides)
    return Converted(rows, source, tuple(bad))


def _bad_rows(
    table: TextTable, texts: pl.Series, times: ParsedTimes, plan: FilePlan
) -> list[tuple[int, str]]:
    found = []
    names = table.cells.columns
    for i in np.flatnonzero(np.isnat(times.local)).tolist():
        reason = "quality.ambiguous_date" if times.is_ambiguous[i] else "read.broken_row"
        firsts = (
            texts[i],
            table.cells[names[0]][i],
            *(table.cells[str(c.index)][i] for c in _identity_columns(plan)),
        )
        if any(text and is_total(text) for text in firsts):
            reason = "read.total_row"
        elif is_note([cell or "" for cell in table.cells.row(i)]):
            reason = "read.note_row"
        found.append((i, reason))
    if plan.dialect.matrix is not None:
        # All readings of a day that cannot be read are one line of the file.
        found = list({int(table.lines[i]): (i, reason) for i, reason in reversed(found)}.values())[::-1]
    return found


def _are_fillers(table: TextTable, times: ParsedTimes, plan: FilePlan) -> npt.NDArray[np.bool_]:
    """Zeros in the column of an hour that the clock skips: no day has it, the table only needs a cell."""
    if plan.dialect.matrix is None:
        return np.zeros(len(table.lines), dtype=np.bool_)
    is_skipped = to_utc(times.local, plan.options.timezone).is_skipped & ~times.is_utc
    if not is_skipped.any():
        return is_skipped
    cells = table.cells[table.cells.columns[-1]]
    is_zero = cells.str.contains(r"^\s*[-+]?0+(?:[.,]0*)?\s*$").fill_null(value=False).to_numpy()
    is_filler: npt.NDArray[np.bool_] = is_skipped & is_zero
    return is_filler


def _end_before_start(table: TextTable, times: ParsedTimes, plan: FilePlan) -> npt.NDArray[np.bool_]:
    """Rows whose end lies before their start by more than a clock change explains, shape (rows,)."""
    is_reversed = np.zeros(len(table.lines), dtype=np.bool_)
    if plan.layout.of_role(Role.TIME_OF_DAY):
        return is_reversed
    for column in plan.layout.of_role(Role.END):
        cells = table.cells[str(column.index)]
        ends = parse_times(cells, plan.dates)
        has_clock = cells.str.contains(":", literal=True).fill_null(value=False).to_numpy()
        is_before = (ends.local + CLOCK_CHANGE < times.local) & (ends.is_utc == times.is_utc)
        is_reversed |= is_before & has_clock
    return is_reversed


def is_total(text: str) -> bool:
    """True for a cell such as `TOTAL`, `Media:` or `Grand total`, which heads a row that is no reading."""
    words = [key_of(w) for w in text.replace(":", " ").split()]
    while words and words[0] in TOTAL_QUALIFIERS:
        words = words[1:]
    return bool(words) and (words[0] in TOTAL_WORDS or key_of(text) in TOTAL_WORDS)


def _identity_columns(plan: FilePlan) -> tuple[Column, ...]:
    return (*plan.layout.of_role(Role.SITE), *plan.layout.of_role(Role.ASSET))


def _identity_cells(table: TextTable, plan: FilePlan) -> pl.DataFrame:
    """The texts that name the site and the asset of each row."""
    names = [pl.col(str(c.index)) for c in _identity_columns(plan)]
    separator = plan.layout.tag_separator
    if not separator:
        return table.cells.select(names)
    tags = table.cells[str(plan.layout.of_role(Role.REGISTER)[0].index)].fill_null("")
    distinct = tags.unique().to_list()
    owners = tags.replace_strict(
        distinct, [split_tag(t, separator)[0] for t in distinct], return_dtype=pl.String
    )
    return table.cells.select(*names, owners.alias("tag"))


def _asset_codes(
    identity: pl.DataFrame, n_rows: int, plan: FilePlan, assets: AssetIndex
) -> npt.NDArray[np.int64]:
    """The asset of each row; rows that name none are of the file's site."""
    has_site = bool(plan.layout.of_role(Role.SITE))
    if not identity.width:
        return np.full(n_rows, assets.number(AssetKey(plan.site, plan.asset or plan.site)), dtype=np.int64)
    joined = identity.select(pl.concat_str(pl.all().fill_null(""), separator="\x1f")).to_series()
    distinct = joined.unique(maintain_order=True)
    numbers = [
        assets.number(_asset_key(text.split("\x1f"), plan.site, has_site=has_site))
        for text in distinct.to_list()
    ]
    if len(numbers) == 1:
        return np.full(n_rows, numbers[0], dtype=np.int64)
    codes = joined.cast(pl.Enum(distinct)).to_physical().to_numpy().astype(np.int64)
    return np.take(np.array(numbers, dtype=np.int64), codes)


def _asset_key(parts: Sequence[str], file_site: str, *, has_site: bool) -> AssetKey:
    names = [clean_name(p) for p in parts]
    if has_site:
        site = names[0] or file_site
        asset = names[1] if len(names) > 1 else ""
    else:
        site, asset = file_site, names[0]
    return AssetKey(site, asset or site)


def _registers(
    table: TextTable, plan: FilePlan, signals: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The signal that each row of a long table speaks of, and whether it is known."""
    columns = plan.layout.of_role(Role.REGISTER)
    n_rows = len(table.lines)
    if not columns:
        return np.zeros(n_rows, dtype=np.int64), np.ones(n_rows, dtype=np.bool_)
    cells = table.cells[str(columns[0].index)].fill_null("")
    position = {}
    for text in cells.unique().to_list():
        signal = register_signal(text, plan.layout)
        position[text] = signals.index(signal.name) if signal and signal.name in signals else -1
    found = np.array([position[t] for t in cells.to_list()], dtype=np.int64)
    return np.maximum(found, 0), found >= 0


def _instants(
    times: ParsedTimes,
    source: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int64],
    registers: npt.NDArray[np.int64],
    plan: FilePlan,
    asides: Asides,
    *,
    is_backwards: bool | None,
) -> TimeArray:
    """UTC instants of the usable rows; of a repeated local time the second row is the second hour."""
    local, is_utc = times.local[source], times.is_utc[source]
    step = plan.dates.end_step
    if is_utc.all() and len(source):
        return local if step is None else local - step
    if step is not None and _ends_by_name(local, is_utc, codes, registers[source], plan):
        local, step = np.where(is_utc, local, local - step), None
    first = to_utc(local, plan.options.timezone)
    doubtful = first.is_repeated & ~is_utc
    utc = np.where(is_utc, local, first.utc)
    time_column = plan.layout.of_role(Role.TIME)[0].source
    skipped = local[first.is_skipped & ~is_utc]
    asides.count("quality.ambiguous_date", time_column, len(skipped), _clock(skipped))
    half = times.half[source]
    is_told = doubtful & (half > 0)
    if is_told.any():
        utc[is_told] = to_utc(local[is_told], plan.options.timezone, half[is_told] > 1).utc
        doubtful &= ~is_told
    if doubtful.any():
        rows = np.flatnonzero(doubtful)
        second, is_single = _second_occurrence(
            local, codes, registers[source], rows, is_backwards=is_backwards
        )
        utc[rows] = to_utc(local[rows], plan.options.timezone, second).utc
        single = local[rows[is_single]]
        asides.count("quality.ambiguous_date", time_column, len(single), _clock(single))
    return utc if step is None else np.subtract(utc, step)


def _ends_by_name(
    local: TimeArray,
    is_utc: npt.NDArray[np.bool_],
    codes: npt.NDArray[np.int64],
    registers: npt.NDArray[np.int64],
    plan: FilePlan,
) -> bool:
    """Whether ends are starts plus a step by name (`03:00` twice in autumn), not by the clock (`02:00`).

    Only an end that comes twice tells; elsewhere both ways give the same instants.
    """
    step, zone = plan.dates.end_step, plan.options.timezone
    if step is None or step >= np.timedelta64(1, "D"):
        return True
    is_told = to_utc(local - step, zone).is_repeated & ~to_utc(local, zone).is_repeated & ~is_utc
    keys = np.stack([codes[is_told], registers[is_told], local[is_told].astype(np.int64)])
    distinct = {tuple(key) for key in keys.T.tolist()}
    return len(distinct) < int(is_told.sum())


def _clock(local: TimeArray) -> list[str]:
    return [str(t)[:16].replace("T", " ") for t in local[:MAX_EXAMPLES]]


def _second_occurrence(
    local: TimeArray,
    codes: npt.NDArray[np.int64],
    registers: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    *,
    is_backwards: bool | None,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which rows are the second showing of their local time, and which times were shown only once.

    Rows are in file order; in a file that runs backwards the first row is the later hour.
    """
    stamps = local[rows].astype(np.int64)
    order = np.lexsort((np.arange(len(rows)), registers[rows], stamps, codes[rows]))
    keys = np.stack([codes[rows][order], stamps[order], registers[rows][order]])
    leads = np.concatenate(([True], (keys[:, 1:] != keys[:, :-1]).any(axis=0)))
    starts = np.maximum.accumulate(np.where(leads, np.arange(len(rows)), 0))
    occurrence = np.empty(len(rows), dtype=np.int64)
    occurrence[order] = np.arange(len(rows)) - starts
    sizes = np.diff(np.append(np.flatnonzero(leads), len(rows)))
    second = occurrence % 2 == 1
    size_of = np.empty(len(rows), dtype=np.int64)
    size_of[order] = np.repeat(sizes, sizes)
    if is_backwards is None:
        steps = np.diff(local.astype(np.int64))
        is_backwards = bool(np.count_nonzero(steps < 0) > np.count_nonzero(steps > 0))
    if is_backwards:
        second = np.where(size_of > 1, ~second, second)
    return second, size_of == 1


def _long_rows(
    table: TextTable,
    plan: FilePlan,
    registers: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int64],
    utc: TimeArray,
    signals: Sequence[str],
    asides: Asides,
) -> Rows:
    column = plan.layout.of_role(Role.VALUE)[0]
    values, kinds = parse_column(table.cells[str(column.index)], column.style)
    _count_kinds(table, column, kinds, asides)
    targets = [plan.profile.signal(name).unit for name in signals]
    values = _in_canonical_units(values, kinds, table, plan, registers, targets, asides)
    quality = QUALITY_OF[kinds]
    for position, name in enumerate(signals):
        own = np.where(registers == position, values, np.nan)
        quality |= _note_impossible(own, table, column, plan.profile.signal(name), asides)
    return Rows(codes, registers, utc, table.lines, values[:, None], quality[:, None])


def _in_canonical_units(
    values: FloatArray,
    kinds: npt.NDArray[np.uint8],
    table: TextTable,
    plan: FilePlan,
    registers: npt.NDArray[np.int64],
    targets: Sequence[str],
    asides: Asides,
) -> FloatArray:
    """Values converted from the unit that each row names; `kinds` is updated where that is impossible."""
    columns = plan.layout.of_role(Role.UNIT)
    if not columns:
        return values
    written = table.cells[str(columns[0].index)].fill_null("")
    values = values.copy()
    for text in written.unique().to_list():
        is_text = (written == text).to_numpy()
        for position in np.unique(registers[is_text]).tolist():
            target = targets[position]
            if not text.strip() or not target:
                continue
            own = is_text & (registers == position)
            scale = conversion(text.strip(), target)
            if scale is not None:
                values[own] = values[own] * scale.factor + scale.offset
            else:
                values[own], kinds[own] = np.nan, CellKind.NOT_A_NUMBER
                asides.count("quality.unit_change", columns[0].source, int(own.sum()), [text])
    return values


def _table_rows(
    table: TextTable,
    plan: FilePlan,
    codes: npt.NDArray[np.int64],
    utc: TimeArray,
    signals: Sequence[str],
    asides: Asides,
) -> Rows:
    """Rows with the shared columns filled; in wide layouts those of the assets follow."""
    n_rows = len(codes)
    values = np.full((n_rows, len(signals)), np.nan, order="F")
    quality = np.zeros((n_rows, len(signals)), dtype=np.int32, order="F")
    for column in plan.layout.of_role(Role.SIGNAL):
        if not column.asset:
            j = signals.index(column.signal)
            values[:, j], quality[:, j] = _signal_values(table, column, plan, asides)
    return Rows(codes, np.zeros(n_rows, dtype=np.int64), utc, table.lines, values, quality)


def _mark_rows(rows: Rows, table: TextTable, plan: FilePlan, asides: Asides) -> None:
    """Flags the values of rows that their source calls estimated or bad; the values stay."""
    for column in plan.layout.of_role(Role.QUALITY):
        flags, found = flags_of(table.cells[str(column.index)], column.marks)
        flags = np.tile(flags, len(rows) // max(1, len(flags)))
        rows.quality |= np.where(np.isnan(rows.values), 0, flags[:, None])
        for mark, texts in found.items():
            n_rows = sum(count for _, count in texts)
            asides.count(CODE_OF_MARK[mark], column.source, n_rows, [text for text, _ in texts])


def _split_assets(
    shared: Rows, table: TextTable, plan: FilePlan, signals: Sequence[str], assets: AssetIndex, asides: Asides
) -> tuple[Rows, int]:
    """One row per asset for each line: its own columns beside the shared ones."""
    by_asset: dict[str, list[Column]] = {}
    for column in plan.layout.of_role(Role.SIGNAL):
        if column.asset:
            by_asset.setdefault(column.asset, []).append(column)
    parts = []
    for asset, columns in by_asset.items():
        values, quality = shared.values.copy(), shared.quality.copy()
        for column in columns:
            j = signals.index(column.signal)
            values[:, j], quality[:, j] = _signal_values(table, column, plan, asides)
        sites = [assets.keys[i].site for i in np.unique(shared.asset).tolist()]
        known = {
            i: assets.number(AssetKey(s, asset))
            for i, s in zip(np.unique(shared.asset).tolist(), sites, strict=True)
        }
        codes = np.array([known[i] for i in shared.asset.tolist()], dtype=np.int64)
        parts.append(Rows(codes, shared.register, shared.time, shared.lines, values, quality))
    return Rows.concatenate(parts), len(parts)


def _signal_values(
    table: TextTable, column: Column, plan: FilePlan, asides: Asides
) -> tuple[FloatArray, QualityArray]:
    unit = column.unit or plan.profile.signal(column.signal).unit
    values, kinds = parse_column(table.cells[str(column.index)], column.style, unit=unit)
    _count_kinds(table, column, kinds, asides)
    if plan.layout.of_role(Role.UNIT):
        target = plan.profile.signal(column.signal).unit
        registers = np.zeros(len(values), dtype=np.int64)
        values = _in_canonical_units(values, kinds, table, plan, registers, [target], asides)
    elif not column.scale.is_identity:
        values = values * column.scale.factor + column.scale.offset
    flags = _note_impossible(values, table, column, plan.profile.signal(column.signal), asides)
    return values, QUALITY_OF[kinds] | flags


def _note_impossible(
    values: FloatArray, table: TextTable, column: Column, signal: Signal, asides: Asides
) -> QualityArray:
    """Counts the values that cannot be; flags those that mean "no value", shape (rows,)."""
    flags: QualityArray = np.zeros(len(values), dtype=np.int32)
    if signal.minimum is None and signal.maximum is None:
        return flags
    cells = table.cells[str(column.index)]
    for code, rows in impossible_cells(values, cells, signal).items():
        asides.count(code, column.source, len(rows), [t.strip() for t in cells.gather(rows[:50]).to_list()])
        if code == SENTINEL:
            flags[rows] = int(Quality.SENTINEL)
    return flags


def _count_kinds(table: TextTable, column: Column, kinds: npt.NDArray[np.uint8], asides: Asides) -> None:
    if not kinds.any():
        return
    cells = table.cells[str(column.index)]
    for kind, code in (
        (CellKind.CONVERTED, "quality.converted_text"),
        (CellKind.NOT_A_NUMBER, "quality.not_a_number"),
        (CellKind.MISSING, "quality.missing"),
        (CellKind.STATE, "quality.source_bad"),
    ):
        rows = np.flatnonzero(kinds == kind)
        if len(rows):
            examples = [t for t in cells.gather(rows[:50]).to_list() if t]
            asides.count(code, column.source, len(rows), examples)
