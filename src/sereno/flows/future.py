"""Readings of what has not happened yet: a wrong clock must not move what counts as the latest reading."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from sereno.domain.issues import MAX_QUARANTINE_TEXT, DataIssue, QuarantinedRow
from sereno.domain.time import to_numpy
from sereno.ingest import Batch

__all__ = ["FUTURE", "without_future"]

FUTURE = "quality.future"
_CLOCKS, _ASSUMED_ZONE = timedelta(minutes=15), timedelta(days=1)
"""How far ahead of ours a clock may be, and a zone that nobody declared may be wrong."""


def without_future(
    batch: Batch,
    records: Sequence[Mapping[str, object]],
    *,
    now: datetime,
    is_zone_assumed: bool,
    where: str,
) -> Batch:
    """What has happened; records of later instants are quarantined and have no place.

    Args:
        records: Those that the batch is of.
        where: What the data issue names.
    """
    limit = to_numpy(now + (_ASSUMED_ZONE if is_zone_assumed else _CLOCKS))
    is_late = batch.readings.time > limit
    if not is_late.any():
        return batch
    lost = {row.line for row in batch.quarantine}
    late = {
        line for line, place in enumerate(batch.places, start=1) if place is not None and place[1] > limit
    }
    quarantine = [
        QuarantinedRow(line, FUTURE, repr(dict(records[line - 1]))[:MAX_QUARANTINE_TEXT])
        for line in sorted(late - lost)
    ]
    examples = ", ".join(str(time)[:16] for time in batch.readings.time[is_late][:3])
    issue = DataIssue(FUTURE, where, int(is_late.sum()), {"file": where, "examples": examples})
    return replace(
        batch,
        readings=batch.readings.take(np.flatnonzero(~is_late)),
        issues=(*batch.issues, issue),
        quarantine=(*batch.quarantine, *quarantine),
        places=tuple(None if n in late else place for n, place in enumerate(batch.places, start=1)),
    )
