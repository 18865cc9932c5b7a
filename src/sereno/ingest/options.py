"""What a caller may decide about reading; everything else is decided by evidence."""

from dataclasses import dataclass
from datetime import datetime

from sereno.ingest.file_mapping import FileMapping

__all__ = ["BYTES_PER_MIB", "ReadOptions"]

BYTES_PER_MIB = 1024 * 1024
DEFAULT_EXPANDED_BYTES = 8 * 1024 * BYTES_PER_MIB
DEFAULT_BATCH_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file or a record.

    Attributes:
        timezone: IANA name of the zone that naive times are in.
        is_timezone_assumed: Nobody declared the zone; it is reported.
        profile: Name of the profile; None lets the columns decide.
        site: Site of files that name none in a column; None takes it from the file name.
        decimal: `.` or `,` where the file itself cannot tell; None refuses such files.
        date_order: `dmy` or `mdy` where the file itself cannot tell; None refuses such files.
        stamp: `start` or `end`: what a time says of its step where the file itself cannot tell.
        max_expanded_bytes: Limit on the content after decompression [B].
        max_line_bytes: Limit on one line [B].
        batch_rows: Rows of a batch at most.
        mappings: Saved readings of files, and those of portals.
        mapping: Name of the one that must be used; None lets the file decide.
        said: Names of the options above that the caller himself says; a mapping leaves them alone.
        now: The current instant, for readings that claim to come from the future; None skips that check.
    """

    timezone: str
    is_timezone_assumed: bool = False
    profile: str | None = None
    site: str | None = None
    decimal: str | None = None
    date_order: str | None = None
    stamp: str | None = None
    max_expanded_bytes: int = DEFAULT_EXPANDED_BYTES
    max_line_bytes: int = BYTES_PER_MIB
    batch_rows: int = DEFAULT_BATCH_ROWS
    mappings: tuple[FileMapping, ...] = ()
    mapping: str | None = None
    said: frozenset[str] = frozenset()
    now: datetime | None = None
