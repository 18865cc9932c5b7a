"""The store: readings, judgement and incidents in SQLite or PostgreSQL, one transaction per batch."""

from sereno.store.opening import Store, open_store
from sereno.store.records import (
    Appended,
    FileEntry,
    StoredAsset,
    StoredDetection,
    StoredMetric,
    StoredModel,
    StoredRows,
    WatchState,
)
from sereno.store.transaction import Transaction

__all__ = [
    "Appended",
    "FileEntry",
    "Store",
    "StoredAsset",
    "StoredDetection",
    "StoredMetric",
    "StoredModel",
    "StoredRows",
    "Transaction",
    "WatchState",
    "open_store",
]
