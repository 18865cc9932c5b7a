"""Work that goes on behind a request: asked for once, looked at later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sereno.domain.time import isoformat

__all__ = ["Job", "JobState"]


class JobState(StrEnum):
    """How far a job has come."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The process that did it, or was to, is gone; what it had not committed did not happen."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    Attributes:
        options: What was asked for, JSON.
        author: Who asked.
        progress: How far it has come, JSON; empty before it says anything.
        result: The document that the command of that name prints; None before the end.
        error: Code and sentences of what went wrong.
        owner: The process that does it.
        alive_at: When that process last said that it is there.
    """

    id: str
    kind: str
    options: Mapping[str, object]
    author: str
    owner: str
    created_at: datetime
    alive_at: datetime
    state: JobState = JobState.QUEUED
    progress: Mapping[str, object] = field(default_factory=dict)
    result: Mapping[str, object] | None = None
    error: Mapping[str, object] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def to_json(self) -> dict[str, object]:
        """As the API shows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state.value,
            "options": dict(self.options),
            "author": self.author,
            "progress": dict(self.progress),
            "result": None if self.result is None else dict(self.result),
            "error": None if self.error is None else dict(self.error),
            "created_at": isoformat(self.created_at),
            "started_at": isoformat(self.started_at),
            "ended_at": isoformat(self.ended_at),
        }
