"""Files that hold other tables: workbooks, archives and Parquet, each turned into plain text tables."""

from sereno.ingest.containers.held import HeldTable, Opened, PassedOver, Scratch
from sereno.ingest.containers.opening import open_container

__all__ = ["HeldTable", "Opened", "PassedOver", "Scratch", "open_container"]
