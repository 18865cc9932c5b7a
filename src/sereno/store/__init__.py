"""The store: readings, judgement and incidents in SQLite or PostgreSQL, one transaction per batch."""

from sereno.store.opening import BeforeCommit, Store, open_store
from sereno.store.records import (
    Appended,
    FileEntry,
    NewNotification,
    ReceiverState,
    Recorded,
    Spell,
    StoredAsset,
    StoredAttempt,
    StoredDetection,
    StoredMetric,
    StoredModel,
    StoredNotification,
    StoredRows,
    WatchState,
)
from sereno.store.transaction import Transaction

__all__ = [
    "Appended",
    "BeforeCommit",
    "FileEntry",
    "NewNotification",
    "ReceiverState",
    "Recorded",
    "Spell",
    "Store",
    "StoredAsset",
    "StoredAttempt",
    "StoredDetection",
    "StoredMetric",
    "StoredModel",
    "StoredNotification",
    "StoredRows",
    "Transaction",
    "WatchState",
    "open_store",
]
