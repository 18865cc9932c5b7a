"""The same readings in several tables of one file: sheets of a workbook, members of an archive.

What repeats inside a table is settled where the table is read. Tables that may speak of the same signals of
the same asset are read once more before, and of each reading two hashes wait outside of memory: of asset and
instant, and of the values. Equal readings are read from the first table and counted in the others; those that
contradict each other wait until all tables are read, and one of them is kept by the rule of `duplicates`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.domain.issues import MAX_QUARANTINE_TEXT, DataIssue, QuarantinedRow
from sereno.domain.readings import Quality, Readings
from sereno.domain.signals import AssetKey
from sereno.ingest.batch import Batch, FilePlan, Totals
from sereno.ingest.duplicates import Resolution, implausibility, resolve_duplicates
from sereno.ingest.headers import Role
from sereno.ingest.repeats import MARK_WIDTH, Hashes, Repeats, is_among, judge_marks
from sereno.ingest.spill import KeySpill

__all__ = ["Overlaps"]

ReadTable = Callable[[FilePlan], Iterator[Batch]]
Lines = npt.NDArray[np.int64]
N_EXAMPLES = 3
_KEPT, _LOST, _AGAIN = range(3)


class Overlaps:
    """What the tables of a file have in common.

    Args:
        plan: Of several parts.
        read_table: Reads one of them by itself.
    """

    def __init__(self, plan: FilePlan, read_table: ReadTable) -> None:
        self._plan = plan
        self._families: dict[int, _Family] = {}
        for tables in _families(plan.parts):
            parts = [plan.parts[i] for i in tables]
            family = _Family(parts[0], _find_repeats(parts, read_table))
            self._families |= dict.fromkeys(tables, family)

    def settle(self, batch: Batch) -> Batch:
        """The batch without readings that repeat those of another table, or wait for them.

        Batches must come in the order of the tables.
        """
        family = self._families.get(batch.table)
        return batch if family is None else family.settle(batch)

    def remaining(self) -> Iterator[Batch]:
        """The readings that waited, one of each instant; the last batch says what repeats."""
        families = tuple(dict.fromkeys(self._families.values()))
        settled = [batch for family in families for batch in family.resolve()]
        yield from settled
        n_identical = sum(family.n_identical for family in families)
        issues = tuple(_issues(self._plan, settled, n_identical))
        if issues:
            nothing = self._plan.parts[-1].no_readings()
            yield Batch(nothing, issues, (), is_last=False, table=len(self._plan.parts) - 1)


@dataclass(slots=True, eq=False)
class _Family:
    """Tables that may hold readings of one asset, like the first one of them."""

    plan: FilePlan
    repeats: Repeats
    n_identical: int = 0
    _n_seen: int = 0
    _held: list[tuple[int, Readings, Lines]] = field(default_factory=list)

    def settle(self, batch: Batch) -> Batch:
        readings = batch.readings
        if not len(readings):
            return batch
        is_dropped = self.repeats.dropped.has(np.arange(self._n_seen, self._n_seen + len(readings)))
        is_held = is_among(self.repeats.held, _instances(readings)) & ~is_dropped
        self._n_seen += len(readings)
        if not (is_dropped | is_held).any():
            return batch
        waiting = np.flatnonzero(is_held)
        self._held.append((batch.table, readings.take(waiting), batch.lines[waiting]))
        rows = np.flatnonzero(~is_dropped & ~is_held)
        kept = readings.take(rows)
        n_dropped = self._count(readings.take(np.flatnonzero(is_dropped))).records_good
        self.n_identical += n_dropped
        totals = batch.totals - self._count(readings) + self._count(kept)
        return replace(
            batch,
            readings=kept,
            lines=batch.lines[rows],
            totals=totals + Totals(duplicates_identical=n_dropped),
        )

    def resolve(self) -> Iterator[Batch]:
        """The readings that waited, table by table, each with those of its readings that lost."""
        if not self._held:
            return
        table = np.concatenate([np.full(len(lines), number) for number, _, lines in self._held])
        lines = np.concatenate([lines for *_, lines in self._held])
        readings = _joined([readings for _, readings, _ in self._held])
        points = implausibility(readings.values, readings.signals, self.plan.profile)
        group = readings.asset_index.astype(np.int64)
        found = resolve_duplicates(group, readings.time, readings.values, points)
        readings = _marked(readings, found)
        fate = np.full(len(table), _AGAIN)
        fate[found.kept], fate[found.losers] = _KEPT, _LOST
        for number in np.unique(table).tolist():
            own = [np.flatnonzero((table == number) & (fate == one)) for one in (_KEPT, _LOST, _AGAIN)]
            yield self._settled(number, *(readings.take(rows) for rows in own), lines=lines[own[1]])

    def _settled(self, table: int, kept: Readings, lost: Readings, again: Readings, *, lines: Lines) -> Batch:
        quarantine = tuple(
            QuarantinedRow(line, "quality.duplicate_conflicting", f"{time} {values}"[:MAX_QUARANTINE_TEXT])
            for line, time, values in zip(lines.tolist(), lost.time, lost.values.tolist(), strict=True)
        )
        n_again = self._count(again).records_good
        self.n_identical += n_again
        totals = self._count(kept) + Totals(
            records_quarantined=len(quarantine),
            duplicates_identical=n_again,
            duplicates_conflicting=self._count(lost).records_good,
        )
        return Batch(kept, (), quarantine, is_last=False, totals=totals, table=table)

    def _count(self, readings: Readings) -> Totals:
        """Records and cells; in long tables a record is a register that is there."""
        is_there = ~np.isnan(readings.values) | (readings.quality != 0)
        is_long = self.plan.layout.name == "long"
        return Totals(
            records_good=int(np.count_nonzero(is_there)) if is_long else len(readings),
            cells_missing=int(np.count_nonzero(readings.quality & Quality.MISSING)),
            cells_converted=int(np.count_nonzero(readings.quality & Quality.CONVERTED)),
        )


def _issues(plan: FilePlan, settled: Sequence[Batch], n_identical: int) -> Iterator[DataIssue]:
    if n_identical:
        facts = {"file": plan.name, "examples": "-"}
        yield DataIssue("quality.duplicate_identical", plan.name, n_identical, facts)
    n_conflicting = sum(batch.totals.duplicates_conflicting for batch in settled)
    if n_conflicting:
        places = [f"'{plan.parts[b.table].name}': {row.line}" for b in settled for row in b.quarantine]
        facts = {"file": plan.name, "examples": ", ".join(places[:N_EXAMPLES])}
        yield DataIssue("quality.duplicate_conflicting", plan.name, n_conflicting, facts)


def _families(parts: Sequence[FilePlan]) -> Iterator[list[int]]:
    """Tables that may hold the same signals of one asset; none where each has an asset of its own."""
    by_signals = defaultdict[tuple[str, tuple[str, ...]], list[int]](list)
    for number, part in enumerate(parts):
        by_signals[part.profile.name, part.signals].append(number)
    for tables in by_signals.values():
        assets = [_only_asset(parts[i]) for i in tables]
        count = Counter(assets)
        may_meet = [i for i, asset in zip(tables, assets, strict=True) if None in count or count[asset] > 1]
        if len(may_meet) > 1:
            yield may_meet


def _only_asset(plan: FilePlan) -> tuple[str, str] | None:
    """Whose readings all of a table's are; None where its columns say it."""
    has_column = plan.layout.of_role(Role.SITE) or plan.layout.of_role(Role.ASSET)
    is_told = bool(has_column or plan.layout.name == "wide" or plan.layout.tag_separator)
    return None if is_told else (plan.site, plan.asset)


def _find_repeats(parts: Sequence[FilePlan], read_table: ReadTable) -> Repeats:
    """Readings that come in more than one table; their numbers count through all tables."""
    n_readings = 0
    with KeySpill(sum(part.n_rows for part in parts), MARK_WIDTH) as spill:
        for part in parts:
            for batch in read_table(part):
                n_rows = len(batch.readings)
                if not n_rows:
                    continue
                numbers = np.arange(n_readings, n_readings + n_rows, dtype=np.uint64)
                marks = (_instances(batch.readings), _contents(batch.readings), numbers)
                spill.add(np.column_stack(marks))
                n_readings += n_rows
        return judge_marks(spill, n_readings)


def _instances(readings: Readings) -> Hashes:
    """A hash of asset and instant of each reading, shape (rows,)."""
    names = pl.Series([f"{key.site}\x1f{key.asset}" for key in readings.assets], dtype=pl.String)
    assets = names.hash().gather(readings.asset_index)
    return pl.DataFrame({"asset": assets, "time": readings.time.astype(np.int64)}).hash_rows().to_numpy()


def _contents(readings: Readings) -> Hashes:
    """A hash of the values of each reading, shape (rows,); every NaN is the same, and so is zero."""
    values = np.where(np.isnan(readings.values), np.nan, readings.values + 0.0)
    columns = {str(j): np.ascontiguousarray(values[:, j]).view(np.uint64) for j in range(values.shape[1])}
    return pl.DataFrame(columns).hash_rows().to_numpy()


def _joined(parts: Sequence[Readings]) -> Readings:
    """The readings of all parts, which have the same signals."""
    assets: dict[AssetKey, int] = {}
    codes = [
        np.array([assets.setdefault(key, len(assets)) for key in part.assets])[part.asset_index]
        for part in parts
    ]
    return replace(
        parts[0],
        assets=tuple(assets),
        asset_index=np.concatenate(codes).astype(np.int32),
        time=np.concatenate([part.time for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
    )


def _marked(readings: Readings, found: Resolution) -> Readings:
    """The readings with a mark where the one that is kept was contradicted."""
    quality = readings.quality.copy()
    quality[found.kept] |= np.where(found.differs, np.int32(Quality.CONFLICT), np.int32(0))
    return replace(readings, quality=quality)
