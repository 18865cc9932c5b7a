"""The tables that the field's pipeline hands on: segments of clients, abnormal hours, performance."""

from pathlib import Path

from sereno.domain.segments import Segmentation
from sereno.report.exports import PLAIN, TableFormat, write_table

__all__ = ["CLUSTER_COLUMNS", "write_clusters"]

CLUSTER_COLUMNS = ("cliente_id", "cluster_id")


def write_clusters(path: Path, found: Segmentation, table_format: TableFormat = PLAIN) -> int:
    """Write `client_clusters.csv`, a row per client with a segment; returns the rows.

    Raises:
        OSError: The file cannot be written; no part of it stays.
    """
    members = found.members()
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ((str(asset), number) for asset, number in members.items())
    write_table(path, CLUSTER_COLUMNS, rows, table_format)
    return len(members)
