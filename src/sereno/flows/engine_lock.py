"""One engine at a time works on the folder of a workspace."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sereno.domain.errors import EngineRunning

__all__ = ["engine_lock"]

_LOCK_FILE = ".engine.lock"


@contextmanager
def engine_lock(folder: Path, holder: str) -> Iterator[None]:
    """Be the only engine of a folder; the lock ends with the process, however it ends.

    Args:
        holder: What works here, for the one that is refused.

    Raises:
        EngineRunning: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _LOCK_FILE
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        found = path.with_suffix(".holder")
        who = found.read_text("utf-8") if found.is_file() else "another process"
        raise EngineRunning(workspace=str(folder), holder=who) from error
    try:
        path.with_suffix(".holder").write_text(holder, "utf-8")
        yield
    finally:
        path.with_suffix(".holder").unlink(missing_ok=True)
        lock.release()
