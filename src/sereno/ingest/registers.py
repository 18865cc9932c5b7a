"""Whether a column holds the readings of a register or the amount of each step: its values decide.

A header that speaks of a register is believed unless its values fall as often as they rise; any other amount
is taken for a register when its values never fall and dwarf their differences.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from sereno.domain.readings import FloatArray
from sereno.domain.signals import SignalKind, metered_name, register_name
from sereno.ingest.dates import DateStyle, parse_times
from sereno.ingest.dialect import Dialect
from sereno.ingest.headers import Role, is_surely_register
from sereno.ingest.layout import Column, Layout
from sereno.ingest.numbers import parse_column
from sereno.ingest.table import TextTable, instant_texts

__all__ = ["settle_registers"]

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
    columns = {c.signal: c for c in layout.of_role(Role.SIGNAL) if _is_metered(c, layout)}
    if not columns or dialect.matrix is not None or not len(dialect.sample):
        return layout
    named = {signal: _name(signal, layout, dialect, dates) for signal in columns}
    settled = [
        replace(column, signal=named[column.signal])
        if column.role is Role.SIGNAL and column.signal in named
        else column
        for column in layout.columns
    ]
    return replace(layout, columns=tuple(_once_each(settled)))


def _is_metered(column: Column, layout: Layout) -> bool:
    return layout.profile.signal(column.signal).kind in (SignalKind.INTERVAL, SignalKind.CUMULATIVE)


def _name(signal: str, layout: Layout, dialect: Dialect, dates: DateStyle) -> str:
    """The signal's name as a register or as an amount, by its header and the values of its columns."""
    columns = [c for c in layout.of_role(Role.SIGNAL) if c.signal == signal]
    series = [one for column in columns for one in _series(column, layout, dialect, dates)]
    rises = np.concatenate([np.diff(one) for one in series]) if series else np.empty(0)
    n_rises, n_falls = int(np.count_nonzero(rises > 0)), int(np.count_nonzero(rises < 0))
    metered = metered_name(signal)
    if metered == signal or not all(is_surely_register(c.source) for c in columns):
        height = np.median(np.abs(np.concatenate(series))) if series else 0.0
        is_high = n_rises >= MIN_RISES and height >= MIN_HEIGHT * np.median(rises[rises > 0])
        return register_name(metered) if is_high and not n_falls else metered
    n_changes = n_rises + n_falls
    return metered if n_changes >= MIN_CHANGES and n_falls > MAX_FALLS * n_changes else signal


def _series(column: Column, layout: Layout, dialect: Dialect, dates: DateStyle) -> list[FloatArray]:
    """The values of a column in the sample, a series for each asset, in the order of their instants."""
    cells = pl.DataFrame(
        {str(i): [row[i] for row in dialect.sample] for i in range(dialect.n_columns)},
        schema={str(i): pl.String for i in range(dialect.n_columns)},
    )
    table = TextTable(cells, np.arange(len(dialect.sample)))
    unit = column.unit or layout.profile.signal(column.signal).unit
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
