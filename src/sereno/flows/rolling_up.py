"""Figures of hours and days, reckoned asset by asset from where each has them; nobody waits for long."""

import threading
import time
from datetime import datetime, timedelta

import numpy as np

from sereno.domain.arrays import micros_of
from sereno.domain.readings import TimeArray
from sereno.domain.rollups import RollUp, Span
from sereno.domain.time import from_numpy, to_numpy
from sereno.prepare.rollups import roll_up, span_starts
from sereno.store import Store, StoredAsset, StoredRows, Transaction

__all__ = ["REST", "roll_up_store"]

REST = timedelta(days=3)
"""The last days are not reckoned yet: most of what comes late comes within them."""
HOURLY_STEP = timedelta(minutes=5)
"""Signals that are read less often have no hours: an hour would take as much room as its readings."""
_CHUNK_ROWS = 20_000
"""About so many rows of an asset are reckoned in one transaction."""
_MOST_DAYS, _FEWEST_DAYS = 366, 2
_DAY = timedelta(days=1)


def roll_up_store(
    store: Store, *, now: datetime, stop: threading.Event | None = None, seconds: float | None = None
) -> bool:
    """Reckon the figures that are missing; whether all are there now.

    Each asset is locked for one stretch at a time, so whoever stores meanwhile hardly waits.

    Args:
        stop, seconds: End it between two stretches; the rest is done the next time.
    """
    begun = time.monotonic()
    with store.read() as tx:
        wanted = tx.assets_to_roll(now - REST - _DAY)
        assets = {one.id: one for one in tx.assets()} if wanted else {}
    for asset in (assets[one] for one in wanted):
        is_done = False
        while not is_done:
            is_late = seconds is not None and time.monotonic() - begun > seconds
            if is_late or (stop is not None and stop.is_set()):
                return False
            with store.begin() as tx:
                is_done = _roll_stretch(tx, asset, now - REST)
    return True


def _roll_stretch(tx: Transaction, asset: StoredAsset, end: datetime) -> bool:
    """Reckon the next days of an asset, whole ones that are over; whether none is left."""
    tx.lock_assets([asset.id])  # nothing comes late between reading and noting
    start = tx.first_instant(asset.id, asset.profile, start=tx.rolled_until(asset.id))
    span = tx.span(asset.id)
    if start is None or span is None:
        return True
    first = _midnight(start, asset.zone)
    until = min(_midnight(end, asset.zone), _midnight(span[1] + _DAY, asset.zone))
    stop = min(until, _midnight(first + _stretch(asset), asset.zone))
    if stop <= first:
        return True
    rows = tx.measured_rows(asset.id, asset.profile, start=first, end=stop)
    spans = [Span.DAY, Span.HOUR] if _is_hourly(rows.time) else [Span.DAY]
    for one in spans:
        tx.save_rollups(asset.id, one, _figures(rows, asset.zone, one))
    tx.set_rolled_until(asset.id, stop)
    return stop == until


def _figures(rows: StoredRows, zone: str, span: Span) -> dict[str, RollUp]:
    starts = span_starts(rows.time, zone, span)
    return {
        name: roll_up(starts, rows.values[:, place], rows.quality[:, place])
        for place, name in enumerate(rows.signals)
    }


def _is_hourly(time: TimeArray) -> bool:
    """Whether rows mostly come often enough for hours to be worth their room."""
    if len(time) < 2:
        return False
    return bool(np.median(np.diff(micros_of(time))) <= HOURLY_STEP // timedelta(microseconds=1))


def _stretch(asset: StoredAsset) -> timedelta:
    """Days that hold about `_CHUNK_ROWS`."""
    days = _CHUNK_ROWS * (asset.step or HOURLY_STEP) // _DAY
    return timedelta(days=min(max(days, _FEWEST_DAYS), _MOST_DAYS))


def _midnight(instant: datetime, zone: str) -> datetime:
    return from_numpy(span_starts(np.array([to_numpy(instant)]), zone, Span.DAY)[0])
