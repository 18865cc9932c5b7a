"""The store: readings, judgement and incidents in SQLite or PostgreSQL, one transaction per batch."""

from sereno.store.erasing import ErasureRecord, SiteNames
from sereno.store.hand import Look
from sereno.store.inbox import SourceState, StoredItem
from sereno.store.listing import DetectionQuery, NotificationQuery
from sereno.store.opening import BeforeCommit, Store, open_store
from sereno.store.records import (
    Appended,
    FileEntry,
    FileIssue,
    FoundFlags,
    NewNotification,
    ReceiverState,
    Recorded,
    Spell,
    StoredAsset,
    StoredAttempt,
    StoredDetection,
    StoredForecaster,
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
    "ErasureRecord",
    "DetectionQuery",
    "FileEntry",
    "FileIssue",
    "FoundFlags",
    "Look",
    "NewNotification",
    "NotificationQuery",
    "ReceiverState",
    "Recorded",
    "SourceState",
    "SiteNames",
    "Spell",
    "Store",
    "StoredAsset",
    "StoredAttempt",
    "StoredDetection",
    "StoredForecaster",
    "StoredItem",
    "StoredMetric",
    "StoredModel",
    "StoredNotification",
    "StoredRows",
    "Transaction",
    "WatchState",
    "open_store",
]
