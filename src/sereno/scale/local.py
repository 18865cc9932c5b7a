"""A pool of processes on this machine, in which a lost process costs the one item that it had in hand."""

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TypeVar

from sereno.domain.errors import InternalFault, WorkerLost

__all__ = ["MOST_ATTEMPTS", "LocalExecutor", "with_one_thread"]

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_ATTEMPTS = 3
"""Workers that one item may end before it is given up."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """Processes of this machine, each with one thread.

    `concurrent.futures` gives up all that is under way when one process dies, and cannot say which item it
    was. Here each process has a pipe of its own, so that it is known what is lost with it.

    Attributes:
        workers: Processes; 0 works in this one.
    """

    workers: int = 0

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        told: Callable[[int, int], None] | None = None,
    ) -> Iterator[Result]:
        """See `Executor.map`; what the function raises is raised in its turn, and ends the work."""
        done = self._as_done(function, items) if self.workers else _here(function, items)
        waiting: dict[int, Result] = {}
        turn = 0
        for n_done, (place, result) in enumerate(done, start=1):
            waiting[place] = result
            if told is not None:
                told(n_done, len(items))
            while turn in waiting:
                yield waiting.pop(turn)
                turn += 1

    def _as_done(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[tuple[int, Result]]:
        pool = _Pool(function, items)
        try:
            yield from pool.run(min(self.workers, len(items)))  # type: ignore[misc]  # what the function gave
        finally:
            pool.end()


def _here(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
    for place, item in enumerate(items):
        yield place, function(item)


@dataclass(slots=True)
class _Worker:
    """A process, its pipe and the place of the item that it has in hand."""

    process: BaseProcess
    pipe: Connection
    place: int | None = None

    def end(self) -> None:
        """Whatever it does is not wanted any more."""
        self.process.terminate()
        self.process.join()
        self.pipe.close()


@dataclass(slots=True)
class _Pool:
    """Workers, what is left to do, and how often each item has been begun."""

    function: Callable[..., object]
    items: Sequence[object]
    workers: list[_Worker] = field(default_factory=list)
    left: deque[int] = field(default_factory=deque)
    attempts: dict[int, int] = field(default_factory=dict)

    def run(self, n_workers: int) -> Iterator[tuple[int, object]]:
        """Place and result of each item, as they end."""
        self.left.extend(range(len(self.items)))
        self.workers = [_start(self.function) for _ in range(n_workers)]
        for worker in list(self.workers):
            self._give(worker)
        while any(worker.place is not None for worker in self.workers):
            busy = {worker.pipe: worker for worker in self.workers if worker.place is not None}
            for pipe in connection.wait(list(busy)):
                worker = busy[pipe]  # type: ignore[index]  # what was waited for
                yield from self._hear(worker)

    def _hear(self, worker: _Worker) -> Iterator[tuple[int, object]]:
        place = worker.place
        assert place is not None
        try:
            is_fine, answer = pickle.loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            self._replace(worker, place)
            return
        worker.place = None
        if not is_fine:
            raise answer
        self._give(worker)
        yield place, answer

    def _give(self, worker: _Worker) -> None:
        """The next item to a worker that has none; a worker that has died meanwhile takes none."""
        if not self.left:
            return
        place = self.left.popleft()
        worker.place = place
        self.attempts[place] = self.attempts.get(place, 0) + 1
        with suppress(OSError):  # `_hear` finds the pipe broken
            worker.pipe.send_bytes(pickle.dumps(self.items[place]))

    def _replace(self, lost: _Worker, place: int) -> None:
        """Another worker for one that died; what it had is done again, and nothing else."""
        lost.end()
        self.workers.remove(lost)
        if self.attempts[place] >= MOST_ATTEMPTS:
            raise WorkerLost(block=str(self.items[place]), attempts=self.attempts[place])
        self.left.appendleft(place)
        self.workers.append(_start(self.function))
        self._give(self.workers[-1])

    def end(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.end()


def _start(function: Callable[..., object]) -> _Worker:
    # Spawned, not forked: a fork copies locks that other threads of polars and of ours hold.
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, pickle.dumps(function)), name="sereno-worker")
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _serve(pipe: Connection, pickled: bytes) -> None:
    """Answer items until nobody asks any more."""
    with_one_thread()
    function = pickle.loads(pickled)
    with suppress(EOFError, OSError):
        while True:
            item = pickle.loads(pipe.recv_bytes())
            pipe.send_bytes(_answer(function, item))


def _answer(function: Callable[..., object], item: object) -> bytes:
    try:
        return pickle.dumps((True, function(item)))
    except Exception as error:  # noqa: BLE001 - it is raised again where the results are wanted
        return _told(error)


def _told(error: Exception) -> bytes:
    """An error as it travels; one that cannot travel is told by its text."""
    try:
        data = pickle.dumps((False, error))
        pickle.loads(data)
    except Exception:  # noqa: BLE001 - errors of other packages may refuse in any way
        return pickle.dumps((False, InternalFault(id=f"{type(error).__name__}: {error}")))
    return data


def with_one_thread() -> None:
    """Let the libraries of this process compute with one thread: there is a process for each core.

    Those that are loaded later look at the environment; those that are here already are told.
    """
    for name in _THREADS:
        os.environ[name] = "1"
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
