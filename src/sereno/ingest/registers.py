"""Whether a column holds the readings of a register or the amount of each step: its values decide.

A header that speaks of a register is believed unless its values fall as often as they rise; any other amount
is taken for a register when its values never fall and dwarf their differences.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from sereno.domain.readings import FloatArray
from sereno.domain.signals import SignalKind, metered_name, register_name
from sereno.ingest.dates import DateStyle, parse_times
from sereno.ingest.dialect import Dialect
from sereno.ingest.headers import TIME_ROLES, Role, is_surely_register
from sereno.ingest.layout import Column, Layout, register_signal
from sereno.ingest.numbers import parse_column
from sereno.ingest.table import TextTable, instant_texts
from sereno.ingest.units import are_kin

__all__ = ["settle_registers", "settle_unseen"]

MIN_RISES = 12
"""Rises without a fall that no series of amounts shows by chance: two in 10^9 orders of 13 values."""
MIN_CHANGES = 4
MAX_FALLS = 0.25
"""Share of falls among all changes that resets and jitter leave far behind."""
MIN_HEIGHT = 3.0
"""A register's reading over its usual difference, at least."""


def settle_registers(layout: Layout, dialect: Dialect, dates: DateStyle) -> Layout:
    """The layout with the signals of its register columns named as registers, and of the others as amounts.

    Args:
        dialect: Its sample of the file's first rows is looked at.
        dates: The order of the rows is that of their instants.
    """
    said = frozenset(c.signal for c in layout.columns if dialect.headers[c.index].declared is not None)
    if layout.name == "long":
        return replace(layout, metered=_growing_registers(layout, dialect, dates))
    columns = [
        c.signal
        for c in layout.of_role(Role.SIGNAL)
        if _is_metered(c.signal, layout) and not are_kin(c.unit, layout.profile.signal(c.signal).unit)
    ]
    if not columns or dialect.matrix is not None or not len(dialect.sample):
        return settle_unseen(layout, said)
    open_ones = dict.fromkeys(signal for signal in columns if signal not in said)
    return _renamed(layout, {signal: _name(signal, layout, dialect, dates) for signal in open_ones})


def settle_unseen(layout: Layout, said: Collection[str] = ()) -> Layout:
    """The same where no values can be looked at: only headers that are sure of it name a register.

    Args:
        said: Signals that a mapping names.
    """
    columns = [
        c for c in layout.of_role(Role.SIGNAL) if metered_name(c.signal) != c.signal and c.signal not in said
    ]
    return _renamed(layout, {c.signal: "" for c in columns if not is_surely_register(c.source)})


def _renamed(layout: Layout, named: Mapping[str, str]) -> Layout:
    """The layout with its signals renamed; one without a name is the amount, if no other column is read."""
    is_alone = len(layout.of_role(Role.SIGNAL)) == 1
    settled = []
    for column in layout.columns:
        name = named.get(column.signal, column.signal) if column.role is Role.SIGNAL else column.signal
        if column.role is Role.SIGNAL and not name:
            name = metered_name(column.signal) if is_alone else ""
        role = Role.UNKNOWN if column.role is Role.SIGNAL and not name else column.role
        settled.append(replace(column, signal=name, role=role))
    return replace(layout, columns=tuple(_once_each(settled)))


def _is_metered(signal: str, layout: Layout) -> bool:
    return layout.profile.signal(signal).kind in (SignalKind.INTERVAL, SignalKind.CUMULATIVE)


def _name(signal: str, layout: Layout, dialect: Dialect, dates: DateStyle) -> str:
    """The signal as a register or as an amount, by its header and the values of its columns.

    Empty for a `Total` whose values do not grow: it may be the sum of several.
    """
    columns = [c for c in layout.of_role(Role.SIGNAL) if c.signal == signal]
    series = [one for column in columns for one in _series(column, layout, dialect, dates)]
    metered = metered_name(signal)
    if metered == signal or not all(is_surely_register(c.source) for c in columns):
        if _only_grows(series):
            return register_name(metered)
        return metered if metered == signal else ""
    n_rises, n_falls = _n_changes(series)
    n_changes = n_rises + n_falls
    return metered if n_changes >= MIN_CHANGES and n_falls > MAX_FALLS * n_changes else signal


def _n_changes(series: Sequence[FloatArray]) -> tuple[int, int]:
    """Rises and falls from one value to the next."""
    steps = np.concatenate([np.empty(0), *(np.diff(one) for one in series)])
    return int(np.count_nonzero(steps > 0)), int(np.count_nonzero(steps < 0))


def _only_grows(series: Sequence[FloatArray]) -> bool:
    """The values never fall and dwarf their differences."""
    n_rises, n_falls = _n_changes(series)
    if n_falls or n_rises < MIN_RISES:
        return False
    rises = np.concatenate([np.diff(one) for one in series])
    return bool(np.median(np.abs(np.concatenate(series))) >= MIN_HEIGHT * np.median(rises[rises > 0]))


def _growing_registers(layout: Layout, dialect: Dialect, dates: DateStyle) -> frozenset[str]:
    """The amounts of a long table whose values are readings of registers, as the values say."""
    (value,), (register,) = layout.of_role(Role.VALUE), layout.of_role(Role.REGISTER)
    series: dict[str, list[FloatArray]] = {}
    for text in {row[register.index] for row in dialect.sample}:
        signal = register_signal(text, layout)
        if signal is None or not _is_metered(signal.name, layout):
            continue
        rows = tuple(row for row in dialect.sample if row[register.index] == text)
        own = _series(value, layout, replace(dialect, sample=rows), dates)
        series.setdefault(signal.name, []).extend(own)
    return frozenset(name for name, own in series.items() if _only_grows(own))


def _series(column: Column, layout: Layout, dialect: Dialect, dates: DateStyle) -> list[FloatArray]:
    """The values of a column in the sample, a series for each asset, in the order of their instants."""
    roles = (*TIME_ROLES, Role.SITE, Role.ASSET)
    wanted = dict.fromkeys([column.index, *(c.index for role in roles for c in layout.of_role(role))])
    cells = pl.DataFrame(
        {str(i): [row[i] for row in dialect.sample] for i in wanted},
        schema={str(i): pl.String for i in wanted},
    )
    table = TextTable(cells, np.arange(len(dialect.sample)))
    unit = column.unit or (layout.profile.signal(column.signal).unit if column.signal else "")
    values, _ = parse_column(cells[str(column.index)], column.style, unit=unit)
    instants = parse_times(instant_texts(table, layout), dates).local
    named = [str(c.index) for role in (Role.SITE, Role.ASSET) for c in layout.of_role(role)]
    asset = _codes([tuple(row) for row in cells.select(named).rows()] if named else [()] * len(values))
    is_known = ~np.isnan(values) & ~np.isnat(instants)
    order = np.lexsort((instants, asset))
    order = order[is_known[order]]
    cuts = np.flatnonzero(np.diff(asset[order])) + 1
    return np.split(values[order], cuts) if len(order) else []


def _codes(names: Sequence[tuple[str | None, ...]]) -> np.ndarray:
    known: dict[tuple[str | None, ...], int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def _once_each(columns: Sequence[Column]) -> list[Column]:
    """The columns with a signal that two of them would give left to the first."""
    taken: set[tuple[str, str]] = set()
    kept = []
    for column in columns:
        place = (column.signal, column.asset)
        is_again = column.role is Role.SIGNAL and place in taken
        kept.append(replace(column, role=Role.UNKNOWN, signal="") if is_again else column)
        taken.add(place)
    return kept
