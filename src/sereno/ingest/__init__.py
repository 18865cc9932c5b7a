"""Files and records to readings: dialect, units, time zone and identity, each decided by evidence."""

from sereno.ingest.batch import Batch, FilePlan, Totals
from sereno.ingest.inspection import inspect_file
from sereno.ingest.options import ReadOptions
from sereno.ingest.reader import read_batches
from sereno.ingest.records import RecordPlan, plan_record, rows_from_records
from sereno.ingest.report import HARMLESS_CODES, FileReport
from sereno.ingest.source_file import TruncatedFile, content_sha256
from sereno.ingest.table import ColumnReport, TableReport

__all__ = [
    "HARMLESS_CODES",
    "Batch",
    "ColumnReport",
    "FilePlan",
    "FileReport",
    "ReadOptions",
    "RecordPlan",
    "TableReport",
    "Totals",
    "TruncatedFile",
    "content_sha256",
    "inspect_file",
    "plan_record",
    "read_batches",
    "rows_from_records",
]
