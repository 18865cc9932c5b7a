"""Dask distributed (extra `dask`): the same map on workers of this or other machines.

The scheduler gives idle workers what busy ones have not begun (work stealing), and what a lost worker had
in hand to others. Results are taken as they come: a worker that is lost costs only what it had begun.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sereno.domain.errors import ExecutorUnreachable, ExtraMissing, WorkerLost
from sereno.scale.local import MOST_ATTEMPTS

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["DaskExecutor"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_WORKER_ENVIRONMENT = {"POLARS_MAX_THREADS": "1"}
"""The other libraries are told by Dask's nanny."""


@dataclass(frozen=True, slots=True)
class DaskExecutor:
    """Workers of a Dask cluster; each needs this version of sereno and sees the same lake.

    Attributes:
        address: Of the scheduler, as `tcp://10.0.0.1:8786`; without one a cluster on this machine lives as
            long as the work.
        workers: Processes of that cluster.
    """

    address: str = ""
    workers: int = 2

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
        """
        if not items:
            return
        with self._client() as client:
            yield from _mapped(client, function, items, told or _nobody)

    @contextmanager
    def _client(self) -> "Iterator[Client]":
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise ExtraMissing(feature="The executor 'dask'", extra="dask") from error
        if not self.address:
            options = {
                "threads_per_worker": 1,
                "dashboard_address": "127.0.0.1:0",
                "env": _WORKER_ENVIRONMENT,
                "silence_logs": logging.ERROR,
            }
            with LocalCluster(n_workers=self.workers, **options) as cluster, Client(cluster) as client:
                yield client
            return
        try:
            client = Client(self.address)
        except (OSError, TimeoutError, ValueError) as error:
            raise ExecutorUnreachable(address=self.address, detail=str(error)) from error
        with client:
            yield client


def _mapped(
    client: "Client",
    function: Callable[[Item], Result],
    items: Sequence[Item],
    told: Callable[[int, int], None],
) -> Iterator[Result]:
    from distributed import KilledWorker, as_completed

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
    finally:
        client.cancel(futures[turn:])


def _nobody(_n_done: int, _n_items: int) -> None:
    """Hears nothing."""
