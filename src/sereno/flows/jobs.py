"""Jobs: long work that a request asks for and others look at, one at a time, in a process of its own.

A process can be ended without a trace: what it had not committed did not happen. It computes beside the
service and not within it, and gives its memory back.
"""

import json
import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from sereno.domain.errors import JobBroken, JobOver, SerenoError, StoreError, TooManyJobs
from sereno.domain.jobs import Job, JobState
from sereno.domain.time import Clock
from sereno.i18n.catalogue import error_sentence
from sereno.store import Store, Transaction

__all__ = ["JobRunner", "job_report_path", "told_error"]

log = logging.getLogger(__name__)

MAX_WAITING = 16
BEAT_S = 5.0
SILENT_FOR = timedelta(seconds=60)
"""A process that has said nothing for so long is gone."""

END_WITHIN_S = 10.0
_ID_BYTES = 8
REPORTS = "reports"


def job_report_path(folder: Path, job_id: str) -> Path:
    """Where a job puts the file that it makes."""
    return folder / REPORTS / f"{job_id}.html"


def told_error(error: SerenoError) -> dict[str, object]:
    """What went wrong, as a job keeps it."""
    return {
        "code": error.code,
        "sentence": error_sentence(error, "en"),
        "sentence_es": error_sentence(error, "es"),
    }


class JobRunner:
    """Runs the jobs of a workspace; safe to share between threads.

    Args:
        folder: The workspace.
        done: Called when a job has ended, so that what is kept in memory is looked at again.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        *,
        clock: Clock,
        language: str,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder, self._store, self._clock = folder, store, clock
        self._language, self._done = language, done
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(_ID_BYTES)}"
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._running: tuple[str, subprocess.Popen[str]] | None = None

    def submit(
        self, kind: str, options: Mapping[str, object], *, author: str, request_key: str | None = None
    ) -> Job:
        """Ask for a job; a request that was heard before gives the job that it asked for.

        Raises:
            TooManyJobs: Too many wait already.
        """
        now = self._clock()
        job = Job(secrets.token_hex(_ID_BYTES), kind, dict(options), author, self._owner, now, now)
        with self._store.begin() as tx:
            known = None if request_key is None else tx.job_of_request(request_key)
            if known is not None:
                return known
            waiting = len(self._open(tx, now))
            if waiting >= MAX_WAITING:
                raise TooManyJobs(count=waiting)
            tx.add_job(job, request_key=request_key)
        self._work()
        return job

    def job(self, job_id: str) -> Job:
        """The job with this id, as it stands.

        Raises:
            NotFound: There is none.
        """
        self._mark_interrupted()
        with self._store.read() as tx:
            return tx.job(job_id)

    def jobs(self) -> list[Job]:
        """All jobs that are known, newest first."""
        self._mark_interrupted()
        with self._store.read() as tx:
            return tx.jobs()

    def cancel(self, job_id: str) -> Job:
        """End a job that waits or runs; nothing of what it had not committed happens.

        Raises:
            NotFound: There is none.
            JobOver: It has ended already.
        """
        self._mark_interrupted()
        with self._store.begin() as tx:
            job = tx.job(job_id)
            ended = {"state": JobState.CANCELLED.value, "ended_at": self._clock()}
            if not tx.change_job(job, ended):
                raise JobOver(id=job_id, state=job.state.value)
        with self._lock:
            if self._running is not None and self._running[0] == job_id:
                self._running[1].kill()
        return self.job(job_id)

    def close(self) -> None:
        """End what runs; what waits is interrupted."""
        self._stop.set()
        with self._lock:
            thread = self._thread
            if self._running is not None:
                self._running[1].kill()
        if thread is not None:
            thread.join(END_WITHIN_S)
            with suppress(StoreError), self._store.begin() as tx:
                for job in tx.jobs(states=[JobState.QUEUED, JobState.RUNNING]):
                    if job.owner == self._owner:
                        self._interrupt(tx, job)

    def _work(self) -> None:
        with self._lock:
            if self._stop.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run_all, name="jobs", daemon=True)
            self._thread.start()

    def _run_all(self) -> None:
        while not self._stop.is_set():
            try:
                job = self._next()
                if job is not None:
                    self._run(job)
                    continue
            except StoreError as error:
                log.warning("jobs not looked at", extra={"error": str(error)})
                self._stop.wait(BEAT_S)
                continue
            with self._lock, self._store.read() as tx:
                if not any(one.owner == self._owner for one in tx.jobs(states=[JobState.QUEUED])):
                    self._thread = None
                    return
            self._stop.wait(BEAT_S)
            self._beat()

    def _next(self) -> Job | None:
        """The oldest of ours that waits, now running; None while another process runs one."""
        self._mark_interrupted()
        with self._store.begin() as tx:
            open_jobs = self._open(tx, self._clock())
            if any(one.state is JobState.RUNNING for one in open_jobs):
                return None
            ours = [one for one in open_jobs if one.owner == self._owner]
            if not ours:
                return None
            begun = {"state": JobState.RUNNING.value, "started_at": self._clock(), "alive_at": self._clock()}
            tx.change_job(ours[0], begun)
            return tx.job(ours[0].id)

    def _run(self, job: Job) -> None:
        log.info("job begun", extra={"job": job.id, "kind": job.kind})
        with self._lock:
            if self._stop.is_set():
                return
            process = self._started(job)
            self._running = (job.id, process)
        said: dict[str, dict[str, object]] = {}
        with process, self._beating():
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    self._hear(job, json.loads(line), said)
                process.wait()
            finally:
                process.kill()
                with self._lock:
                    self._running = None
        self._end(job, said, process.returncode)
        self._done()

    def _started(self, job: Job) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "sereno.flows.job_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        asked = {
            "folder": str(self._folder.resolve()),
            "language": self._language,
            "job": job.id,
            "kind": job.kind,
            "options": dict(job.options),
        }
        assert process.stdin is not None
        # It stays open: when it closes, this process is gone, and the job ends, too.
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        return process

    def _hear(
        self, job: Job, line: Mapping[str, dict[str, object]], said: dict[str, dict[str, object]]
    ) -> None:
        said.update(line)
        if "progress" in line:
            with self._store.begin() as tx:
                tx.change_job(job, {"progress": line["progress"], "alive_at": self._clock()})

    def _end(self, job: Job, said: Mapping[str, object], code: int) -> None:
        if self._stop.is_set() and "result" not in said:
            return
        now = self._clock()
        if "result" in said:
            values: dict[str, object] = {"state": JobState.DONE.value, "result": said["result"]}
        else:
            broken = told_error(JobBroken(code=code))
            values = {"state": JobState.FAILED.value, "error": said.get("error", broken)}
        with self._store.begin() as tx:
            tx.change_job(job, {**values, "ended_at": now})
        log.info("job ended", extra={"job": job.id, "state": values["state"]})

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Say that this process is there as long as the context lasts."""
        over = threading.Event()
        beat = threading.Thread(target=self._beat_until, args=(over,), name="jobs-beat", daemon=True)
        beat.start()
        try:
            yield
        finally:
            over.set()
            beat.join()

    def _beat_until(self, stop: threading.Event) -> None:
        while not stop.wait(BEAT_S):
            self._beat()

    def _beat(self) -> None:
        try:
            with self._store.begin() as tx:
                tx.touch_jobs(self._owner, self._clock())
        except StoreError as error:
            log.warning("jobs not kept alive", extra={"error": str(error)})

    def _open(self, tx: Transaction, now: datetime) -> list[Job]:
        """Those that wait or run, oldest first."""
        found = tx.jobs(states=[JobState.QUEUED, JobState.RUNNING])
        return [one for one in reversed(found) if not self._is_gone(one, now)]

    def _is_gone(self, job: Job, now: datetime) -> bool:
        """Whether the process that has a job in hand does not live any more."""
        if job.owner == self._owner:
            return False
        host, process, _ = job.owner.rsplit(":", 2)
        if host == socket.gethostname() and (int(process) == os.getpid() or not _is_alive(int(process))):
            return True
        return now - job.alive_at > SILENT_FOR

    def _mark_interrupted(self) -> None:
        now = self._clock()
        with self._store.read() as tx:
            open_jobs = tx.jobs(states=[JobState.QUEUED, JobState.RUNNING])
        gone = [one for one in open_jobs if self._is_gone(one, now)]
        if gone:
            with self._store.begin() as tx:
                for one in gone:
                    self._interrupt(tx, one)

    def _interrupt(self, tx: Transaction, job: Job) -> None:
        tx.change_job(job, {"state": JobState.INTERRUPTED.value, "ended_at": self._clock()})


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
