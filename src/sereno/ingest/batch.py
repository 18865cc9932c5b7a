"""What reading gives: the plan of a file, and its readings batch by batch."""

from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sereno.domain.issues import DataIssue, QuarantinedRow
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey, Profile, metered_name
from sereno.ingest.containers.held import Scratch
from sereno.ingest.dates import DateStyle
from sereno.ingest.dialect import Dialect
from sereno.ingest.headers import Role
from sereno.ingest.layout import Layout
from sereno.ingest.options import ReadOptions
from sereno.ingest.repeats import Repeats
from sereno.ingest.source_file import SourceFile
from sereno.ingest.table import TableReport

__all__ = ["Batch", "FilePlan", "Totals"]


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of one batch or file; a record is one asset (or register) at one instant."""

    records_good: int = 0
    records_quarantined: int = 0
    duplicates_identical: int = 0
    duplicates_conflicting: int = 0
    cells_missing: int = 0
    cells_converted: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a file, judged and converted.

    Attributes:
        readings: By asset and instant, in canonical units.
        issues: What somebody should know; those of a file come with its last batch, once each.
        quarantine: Rows that could not be used, as they came.
        is_last: Nothing follows.
        totals: Counts of this batch.
        places: Of records: asset and UTC instant of each, in their order; None for one without.
        table: Position in the plan's `each` of the table that it comes from.
        lines: 1-based line of each reading in its table, shape (rows,).
    """

    readings: Readings
    issues: tuple[DataIssue, ...]
    quarantine: tuple[QuarantinedRow, ...]
    is_last: bool
    totals: Totals = field(default_factory=Totals)
    places: tuple[tuple[AssetKey, np.datetime64] | None, ...] = ()
    table: int = 0
    lines: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class FilePlan:
    """How a file is to be read, decided on all of its content.

    Attributes:
        path: The file.
        sha256: Of its bytes as stored.
        profile: What its columns speak for.
        tables: What was understood, for people.
        source: Encoding and compression.
        dialect: Delimiter, header and unit row.
        layout: What each column is.
        dates: How its instants are written.
        site: Site of rows that name none.
        n_rows: Good lines.
        repeats: Which identities and instants come more than once.
        issues: Facts about the file as a whole.
        options: As asked.
        registers: Signals that the rows of a long table speak of.
        name: For people: the file's, with the sheet or member where there are several.
        asset: Asset of rows that name none; empty for the site itself.
        parts: One plan for each table where the file holds several; empty where it is one table.
        scratch: Keeps the text of what was unpacked as long as somebody may read it.
    """

    path: Path
    sha256: str
    profile: Profile
    tables: tuple[TableReport, ...]
    source: SourceFile
    dialect: Dialect
    layout: Layout
    dates: DateStyle
    site: str
    n_rows: int
    repeats: Repeats
    issues: tuple[DataIssue, ...]
    options: ReadOptions
    registers: tuple[str, ...] = ()
    name: str = ""
    asset: str = ""
    parts: tuple["FilePlan", ...] = ()
    scratch: Scratch | None = None

    @property
    def each(self) -> tuple["FilePlan", ...]:
        """The plans of its tables, in file order."""
        return self.parts or (self,)

    @property
    def signals(self) -> tuple[str, ...]:
        """The columns of its readings: the profile's signals that the table has, in the profile's order."""
        if self.layout.name == "long":
            return self.registers
        found = list(dict.fromkeys(c.signal for c in self.layout.of_role(Role.SIGNAL)))
        order = {name: i for i, name in enumerate(self.profile.signal_names)}
        return tuple(sorted(found, key=lambda name: order.get(name, len(order))))

    def no_readings(self) -> Readings:
        """Readings of its signals without any row."""
        shape = (0, len(self.signals))
        return Readings(
            profile=self.profile.name,
            assets=(),
            asset_index=np.empty(0, dtype=np.int32),
            time=np.empty(0, dtype="datetime64[us]"),
            signals=self.signals,
            values=np.empty(shape),
            quality=np.empty(shape, dtype=np.int32),
        )

    @property
    def assumed_units(self) -> dict[str, str]:
        """Column of each energy whose unit nothing in the file states."""
        columns = self.layout.of_role(Role.SIGNAL)
        energies = {signal.name for signal in self.profile.signals if signal.quantity == "energy"}
        return {
            c.signal: c.source for c in columns if c.is_unit_assumed and metered_name(c.signal) in energies
        }
