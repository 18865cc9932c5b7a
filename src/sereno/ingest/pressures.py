"""Gauge and absolute pressures: read as the asset declares them, where the unit says what they are above."""

from collections.abc import Sequence

import numpy as np

from sereno.domain.signals import AssetKey
from sereno.ingest.batch import FilePlan
from sereno.ingest.headers import Role
from sereno.ingest.layout import Column
from sereno.ingest.rows import Asides, Rows
from sereno.ingest.settling import pressure_offset
from sereno.ingest.units import find_unit

__all__ = ["refer_pressures"]


def refer_pressures(
    rows: Rows, plan: FilePlan, signals: Sequence[str], keys: Sequence[AssetKey], asides: Asides
) -> None:
    """Adds or takes the atmosphere, in place, where an asset declares another reference than the unit.

    Without a declared altitude, or without a declared reference, values stay as written; both are counted.

    Args:
        signals: Columns of the rows.
        keys: Assets by number.
    """
    for column in plan.layout.of_role(Role.SIGNAL):
        unit = find_unit(column.unit)
        if unit is None or not unit.reference:
            continue
        for number in np.unique(rows.asset).tolist():
            if column.asset in ("", keys[number].asset):
                is_own = rows.asset == number
                _refer(rows, is_own, signals.index(column.signal), column, plan, keys[number], asides)


def _refer(
    rows: Rows, is_own: np.ndarray, j: int, column: Column, plan: FilePlan, key: AssetKey, asides: Asides
) -> None:
    facts = plan.profile.facts_of(key)
    offset = pressure_offset(column.unit, plan.profile.signal(column.signal).unit, facts)
    n_rows = int(np.count_nonzero(is_own))
    if offset is None:
        asides.count("read.pressure_contradicted", column.source, n_rows, [f"{key}: {column.unit}"])
    elif offset:
        rows.values[is_own, j] += offset
        asides.count("read.pressure_converted", column.source, n_rows, [f"{key}: {offset:+.4f} bar"])
    elif facts.pressure is None:
        asides.count("read.pressure_undeclared", column.source, n_rows, [f"{key}: {column.unit}"])
