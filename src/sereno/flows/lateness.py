"""Rows that come after newer ones of their asset: counted, and judged from their place on."""

from collections.abc import Iterable, Mapping

import numpy as np

from sereno.domain.issues import DataIssue
from sereno.domain.readings import TimeArray
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy, isoformat, to_numpy
from sereno.store import Appended, Transaction

__all__ = ["LATE", "NewestBefore"]

LATE = "quality.late"


class NewestBefore:
    """The newest reading that each asset had before a file came: a file that runs backwards is not late."""

    def __init__(self) -> None:
        self._newest: dict[int, np.datetime64 | None] = {}

    def look(self, tx: Transaction, asset_ids: Iterable[int]) -> None:
        """Note it for the assets of the next batch, before the batch is stored."""
        for asset_id in asset_ids:
            if asset_id not in self._newest:
                span = tx.span(asset_id)
                self._newest[asset_id] = None if span is None else to_numpy(span[1])

    def late_rows(
        self, ids: Mapping[AssetKey, int], appended: Appended, *, file: str
    ) -> tuple[DataIssue, ...]:
        """The issue of the batch's new rows that lie before the newest; none where no row does."""
        late = {key: self._before(ids[key], times) for key, times in appended.new_times.items()}
        late = {key: times for key, times in late.items() if len(times)}
        if not late:
            return ()
        count = sum(map(len, late.values()))
        key, first = min(((key, times[0]) for key, times in late.items()), key=lambda one: one[1])
        facts = {"file": file, "asset": str(key), "first": isoformat(from_numpy(first))}
        return (DataIssue(LATE, file, count, facts),)

    def _before(self, asset_id: int, times: TimeArray) -> TimeArray:
        newest = self._newest[asset_id]
        return times[:0] if newest is None else times[times < newest]
