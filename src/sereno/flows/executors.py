"""The executor that settings ask for."""

import os

from sereno.contracts import Executor
from sereno.scale.cluster import DaskExecutor
from sereno.scale.local import LocalExecutor
from sereno.settings.executing import ExecutorSettings

__all__ = ["build_executor"]


def build_executor(settings: ExecutorSettings) -> Executor:
    """Where blocks are worked on."""
    workers = _n_cores() if settings.workers is None else settings.workers
    if settings.kind == "dask":
        return DaskExecutor(settings.address or "", max(workers, 1))
    return LocalExecutor(workers)


def _n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
