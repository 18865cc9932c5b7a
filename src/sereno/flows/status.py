"""How much of the last data is abnormal, in one word; it needs no labels, and labels do not change it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sereno.settings.keeping import StatusSettings
from sereno.store import Store

__all__ = ["Status", "note_status", "status_of"]

_PERCENT = 100.0
_Word = Literal["normal", "caution", "critical"]


@dataclass(frozen=True, slots=True)
class Status:
    """What was counted.

    Attributes:
        total: Records: an asset at an instant each.
        abnormal: Those that a detection covers.
        percent: Abnormal ones of all [%].
    """

    total: int
    abnormal: int
    percent: float
    word: _Word

    def to_json(self) -> dict[str, object]:
        """For `score --json`."""
        figures = {"total": self.total, "abnormal": self.abnormal, "percent": round(self.percent, 4)}
        return {**figures, "status": self.word}


def status_of(total: int, abnormal: int, settings: StatusSettings) -> Status:
    """The status of so many abnormal records.

    Example:
        >>> [status_of(1000, n, StatusSettings()).word for n in (9, 10, 40, 41)]
        ['normal', 'caution', 'caution', 'critical']
    """
    percent = _PERCENT * abnormal / total
    if percent < settings.caution:
        return Status(total, abnormal, percent, "normal")
    return Status(total, abnormal, percent, "caution" if percent <= settings.critical else "critical")


def note_status(store: Store, settings: StatusSettings, *, at: datetime) -> Status | None:
    """Count the judged records and note what was found; None, and no note, where nothing has been judged."""
    with store.begin() as tx:
        total, abnormal = tx.count_abnormal(settings.window)
        if not total:
            return None
        status = status_of(total, abnormal, settings)
        tx.add_metric(status.total, status.abnormal, status.percent, status.word, at)
    return status
