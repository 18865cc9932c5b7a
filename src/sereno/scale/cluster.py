"""Dask distributed (extra `dask`): the same map on workers of this or other machines.

The scheduler gives idle workers what busy ones have not begun (work stealing), and what a lost worker had
in hand to others. Results are taken as they come: a worker that is lost costs only what it had begun.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from sereno.domain.errors import ExecutorUnreachable, ExtraMissing, WorkerLost
from sereno.scale.local import MOST_ATTEMPTS

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

__all__ = ["DaskExecutor"]

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

_WORKER_ENVIRONMENT = {"POLARS_MAX_THREADS": "1"}
"""The other libraries are told by Dask's nanny."""

_WORKER_NAME = "Dask Worker"
"""Begins the name of each process that Dask starts for a worker."""

PATIENCE_S = 120.0
"""How long an engine may be without any worker, and a cluster of ours may take to begin [s]."""

END_S = 30
"""How long the workers of a cluster of ours may take to end [s]."""

_OWN_CLUSTER = MappingProxyType(
    {
        "distributed.comm.timeouts.connect": "5s",  # else what a dead worker has in hand is asked for 30 s
        "distributed.scheduler.no-workers-timeout": f"{PATIENCE_S:g}s",
    }
)
"""What holds where scheduler and workers are on this machine and nobody else's."""


@dataclass(frozen=True, slots=True)
class DaskExecutor:
    """Workers of a Dask cluster; each needs this version of sereno and sees the same lake.

    Attributes:
        address: Of the scheduler, as `tcp://10.0.0.1:8786`; without one a cluster on this machine lives as
            long as the work.
        workers: Processes of that cluster.
        patience_s: How long to wait for a first worker [s].
    """

    address: str = ""
    workers: int = 2
    patience_s: float = PATIENCE_S

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        *,
        told: Callable[[int, int], None] | None = None,
    ) -> Iterator[Result]:
        """See `Executor.map`.

        Raises:
            ExtraMissing: Dask is not installed.
            ExecutorUnreachable: There is no such scheduler, or it lost its workers or its life.
        """
        if not items:
            return
        with self._client() as client:
            yield from self._mapped(client, function, items, told or _nobody)

    def _mapped(
        self,
        client: "Client",
        function: Callable[[Item], Result],
        items: Sequence[Item],
        told: Callable[[int, int], None],
    ) -> Iterator[Result]:
        from distributed import CancelledError, KilledWorker, as_completed
        from distributed.scheduler import NoWorkerError

        futures = client.map(function, items, pure=False, retries=MOST_ATTEMPTS - 1)
        places = {future.key: place for place, future in enumerate(futures)}
        waiting: dict[int, Result] = {}
        turn = 0
        try:
            for n_done, future in enumerate(as_completed(futures), start=1):
                waiting[places[future.key]] = future.result()
                future.release()
                told(n_done, len(items))
                while turn in waiting:
                    yield waiting.pop(turn)
                    turn += 1
        except KilledWorker as error:
            raise WorkerLost(block=str(items[places[error.task]]), attempts=MOST_ATTEMPTS) from error
        except (NoWorkerError, CancelledError) as error:
            detail = str(error).splitlines()[0]
            raise ExecutorUnreachable(address=self.address or "dask", detail=detail) from error
        finally:
            client.cancel(futures[turn:])

    @contextmanager
    def _client(self) -> "Iterator[Client]":
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise ExtraMissing(feature="The executor 'dask'", extra="dask") from error
        if not self.address:
            with _own_cluster(LocalCluster, self.workers) as cluster, Client(cluster) as client:
                yield client
            return
        try:
            client = Client(self.address)
        except (OSError, TimeoutError, ValueError) as error:
            raise ExecutorUnreachable(address=self.address, detail=str(error)) from error
        with client:
            self._refuse_without_workers(client)
            yield client

    def _refuse_without_workers(self, client: "Client") -> None:
        """A scheduler keeps for ever what there is no worker for, and says nothing."""
        try:
            client.wait_for_workers(1, timeout=self.patience_s)
        except TimeoutError as error:
            detail = f"no worker within {self.patience_s:g} s"
            raise ExecutorUnreachable(address=self.address, detail=detail) from error


@contextmanager
def _own_cluster(make: "type[LocalCluster]", workers: int) -> "Iterator[LocalCluster]":
    """A cluster on this machine that neither begins nor ends for ever."""
    import dask

    before = set(active_children())
    with dask.config.set(_OWN_CLUSTER):
        cluster = make(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            env=_WORKER_ENVIRONMENT,
            silence_logs=logging.ERROR,
            death_timeout=PATIENCE_S,
        )
        try:
            yield cluster
        finally:
            _end(cluster, before)


def _end(cluster: "LocalCluster", before: Collection[BaseProcess]) -> None:
    """End a cluster; what does not end by itself is ended, but not what was there before."""
    try:
        cluster.close(timeout=END_S)
    except TimeoutError:
        left = [one for one in active_children() if one not in before and one.name.startswith(_WORKER_NAME)]
        log.warning("workers did not end", extra={"n_workers": len(left)})
        for one in left:
            one.kill()


def _nobody(_n_done: int, _n_items: int) -> None:
    """Hears nothing."""
