"""Jobs: what was asked for, who does it, what came of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from sereno.domain.changes import ChangeKind
from sereno.domain.errors import NotFound
from sereno.domain.jobs import Job, JobState
from sereno.store.schema import job
from sereno.store.session import Session

__all__ = ["JobSession"]

KEPT = 200
"""Jobs that are over and still known."""

_COLUMNS = [job.c[one.name] for one in fields(Job)]
_OPEN = (JobState.QUEUED.value, JobState.RUNNING.value)


class JobSession(Session):
    """The part of a transaction that keeps jobs."""

    def add_job(self, one: Job, *, request_key: str | None = None) -> None:
        """Keep a new job; the oldest of those that are over are forgotten."""
        row = {each.name: getattr(one, each.name) for each in fields(Job)}
        row |= {"organization_id": self._organization_id, "request_key": request_key}
        self._connection.execute(insert(job), row | {"state": one.state.value})
        self._note(one.id, one.kind, one.state)
        over = [each.id for each in self.jobs() if each.state.is_over]
        self._connection.execute(delete(job).where(job.c.id.in_(over[KEPT:])))

    def job(self, job_id: str) -> Job:
        """The job with this id.

        Raises:
            NotFound: There is none.
        """
        found = self._jobs(job.c.id == job_id)
        if not found:
            raise NotFound(what="job", id=job_id, hint="")
        return found[0]

    def job_of_request(self, request_key: str) -> Job | None:
        """The job that a request asked for; None where it was not heard before."""
        return next(iter(self._jobs(job.c.request_key == request_key)), None)

    def jobs(self, *, states: Collection[JobState] = ()) -> list[Job]:
        """The jobs in these states, or all, newest first."""
        return self._jobs(*([job.c.state.in_([one.value for one in states])] if states else []))

    def change_job(
        self, one: Job, values: Mapping[str, object], *, states: Sequence[str] = _OPEN, quiet: bool = False
    ) -> bool:
        """Note how a job goes on; returns whether it was still in one of these states.

        Args:
            quiet: Nobody needs to hear of it.
        """
        mine = (job.c.organization_id == self._organization_id, job.c.id == one.id, job.c.state.in_(states))
        changed = self._connection.execute(update(job).where(*mine).values(dict(values))).rowcount
        if changed and not quiet:
            self._note(one.id, one.kind, JobState(str(values.get("state", one.state.value))))
        return changed > 0

    def touch_jobs(self, owner: str, at: datetime) -> None:
        """Say that the process that does these jobs is there."""
        mine = (job.c.organization_id == self._organization_id, job.c.owner == owner, job.c.state.in_(_OPEN))
        self._connection.execute(update(job).where(*mine).values(alive_at=at))

    def _note(self, job_id: str, kind: str, state: JobState) -> None:
        self.note(ChangeKind.JOB, job_id, job=job_id, job_kind=kind, state=state.value)

    def _jobs(self, *conditions: ColumnElement[bool]) -> list[Job]:
        query = select(*_COLUMNS).where(job.c.organization_id == self._organization_id, *conditions)
        found = self._connection.execute(query.order_by(job.c.created_at.desc(), job.c.id)).mappings()
        return [_job_of(dict(row)) for row in found]


def _job_of(row: dict[str, Any]) -> Job:
    return Job(**{**row, "state": JobState(row["state"]), "progress": row["progress"] or {}})
