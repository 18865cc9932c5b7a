"""Watching folders: finished files are stored and judged once by content, and nothing stops the watch."""

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path

from watchfiles import watch as watch_changes

from sereno.domain.errors import (
    DataError,
    LeaseLost,
    LeaseTaken,
    ModelError,
    SerenoError,
    StoreError,
    TooManyJobs,
)
from sereno.flows.build import NO_HINTS, FileHints
from sereno.flows.delivering import running
from sereno.flows.feeds import WatchedFolder
from sereno.flows.ingest import FileResult
from sereno.flows.mailing import keep_mailed
from sereno.flows.room import RoomLook
from sereno.flows.workspace import Workspace

__all__ = [
    "FolderLook",
    "WatchedFolder",
    "keep_calibrated",
    "keep_learning",
    "keep_retained",
    "keep_rolled_up",
    "take_finished",
    "wait_for_change",
    "watch_folders",
]

log = logging.getLogger(__name__)

SETTLE_S = 1.0
"""A file whose size and time have not moved for so long is finished [s]."""
_UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".swp", "~")
_MILLISECONDS = 1000
_ROLLING_UP_S = 5.0
"""Between two looks at the folders [s]."""


@dataclass(slots=True)
class FolderLook:
    """What was seen of a folder so far.

    A file written in pieces is not taken until it rests; one renamed into the folder rests already. Links and
    anything that leads out of the folder are left alone.
    """

    folder: WatchedFolder
    _seen: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _taken: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def finished(self, now: float) -> tuple[list[Path], bool]:
        """Files to take now, oldest first, and whether others are still being written.

        Args:
            now: Seconds since the epoch, the clock of file times.
        """
        ready: list[tuple[int, Path]] = []
        is_waiting = False
        for path in self._candidates():
            try:
                status = path.stat()
            except FileNotFoundError:  # renamed away between the listing and this look
                continue
            state = (status.st_size, status.st_mtime_ns)
            if self._taken.get(path) == state:
                continue
            rests = abs(now - status.st_mtime) >= SETTLE_S  # a clock may be wrong in either direction
            if rests and self._seen.get(path, state) == state:
                ready.append((status.st_mtime_ns, path))
            else:
                is_waiting = True
            self._seen[path] = state
        return [path for _, path in sorted(ready)], is_waiting

    def took(self, path: Path) -> None:
        """Do not look at this state of the file again."""
        self._taken[path] = self._seen[path]

    def candidates(self) -> list[Path]:
        """The files that may be taken, by name."""
        return list(self._candidates())

    def _candidates(self) -> Iterator[Path]:
        root = self.folder.path.resolve()
        for path in sorted(self.folder.path.glob(self.folder.pattern)):
            is_plain = path.is_file() and not path.is_symlink() and not path.name.startswith(".")
            if is_plain and not path.name.endswith(_UNFINISHED) and path.resolve().is_relative_to(root):
                yield path


def watch_folders(
    workspace: Workspace,
    folders: Sequence[WatchedFolder],
    *,
    is_once: bool,
    stop: threading.Event,
    on_file: Callable[[FileResult], None],
    hints: FileHints = NO_HINTS,
) -> None:
    """Take files until stopped; with `is_once`, until those that are there now are finished and taken.

    What they open is told meanwhile, in threads of their own; with `is_once`, once at the end.

    Args:
        on_file: Told about each file as it is done.

    Raises:
        EngineRunning: Another engine works on the workspace.
        SettingsError: A receiver's kind or options are wrong.
    """
    looks, room = [FolderLook(folder) for folder in folders], RoomLook(workspace.folder)
    notifier = workspace.notifier()

    def done(result: FileResult) -> None:
        on_file(result)
        if notifier is not None:
            notifier.wake()

    with (
        workspace.engine_lease("watch"),
        workspace.tending(),
        running(None if is_once else notifier),
    ):
        while not stop.is_set():
            room.look()
            is_waiting = take_finished(workspace, looks, stop, done, hints)
            if stop.is_set():
                return
            keep_calibrated(workspace)
            if not is_once:
                keep_learning(workspace)
            keep_rolled_up(workspace, stop, seconds=_ROLLING_UP_S)
            keep_retained(workspace, stop)
            keep_mailed(workspace)
            if is_once and not is_waiting:
                workspace.deliver_due()
                return
            wait_for_change(
                folders, stop, SETTLE_S if is_waiting else min(folder.interval_s for folder in folders)
            )


def keep_calibrated(workspace: Workspace) -> None:
    """Recalibrate if the settings say that it is time; a model that cannot be used is no reason to stop."""
    if workspace.settings.recalibration.every is None:
        return
    try:
        with workspace.duty("recalibrate"):
            workspace.recalibrate_when_due()
    except LeaseTaken:  # another engine is at it
        return
    except (ModelError, StoreError) as error:
        if isinstance(error, StoreError) and not error.is_retriable:
            raise
        log.warning("not recalibrated", extra={"error": str(error)})


def keep_learning(workspace: Workspace) -> None:
    """Let versions judge in the shadow, and learn anew when it is time; troubles of theirs are no others'."""
    if not workspace.is_look_at_models_due:
        return
    try:
        with workspace.duty("models"):
            workspace.look_after_models()
    except LeaseTaken:  # another engine is at it
        return
    except (ModelError, StoreError, TooManyJobs) as error:
        if isinstance(error, StoreError) and not error.is_retriable:
            raise
        log.warning("models not looked after", extra={"error": str(error)})


def keep_rolled_up(workspace: Workspace, stop: threading.Event, *, seconds: float | None = None) -> None:
    """Reckon figures of hours and days, once a day; a store that is away now may give them later.

    Args:
        seconds: About as long as it may take; the rest is for the next time.
    """
    if not workspace.is_rolling_up_due:
        return
    try:
        with workspace.duty("roll up"):
            workspace.roll_up_when_due(stop, seconds=seconds)
    except LeaseTaken:  # another engine is at it
        return
    except StoreError as error:
        if not error.is_retriable:
            raise
        log.warning("hours and days not reckoned", extra={"error": str(error)})


def keep_retained(workspace: Workspace, stop: threading.Event) -> None:
    """Delete what is too old, once a day; a store that is away now may take it later."""
    if not workspace.is_retention_due:
        return
    try:
        with workspace.duty("retain"):
            found = workspace.retain_when_due(stop)
    except LeaseTaken:  # another engine is at it
        return
    except StoreError as error:
        if not error.is_retriable:
            raise
        log.warning("old rows not deleted", extra={"error": str(error)})
        return
    if found is not None and found.counts:
        log.info("old rows deleted", extra={"rows": sum(found.counts.values())})


class _Taken(Enum):
    """What became of a file."""

    DONE = auto()
    ELSEWHERE = auto()
    """Another engine has it."""
    NOT_NOW = auto()
    """The store takes nothing: those behind it wait, too, so that their order stays."""


def take_finished(
    workspace: Workspace,
    looks: Sequence[FolderLook],
    stop: threading.Event,
    on_file: Callable[[FileResult], None],
    hints: FileHints,
) -> bool:
    """Take what is finished now; whether there are files that are not, or that another engine has."""
    is_waiting = False
    for look in looks:
        ready, has_unfinished = look.finished(time.time())
        is_waiting = is_waiting or has_unfinished
        for path in ready:
            if stop.is_set():
                return is_waiting
            taken = _take(workspace, look, path, on_file, hints)
            if taken is _Taken.NOT_NOW:
                return is_waiting
            is_waiting = is_waiting or taken is _Taken.ELSEWHERE
    return is_waiting


def _take(
    workspace: Workspace,
    look: FolderLook,
    path: Path,
    on_file: Callable[[FileResult], None],
    hints: FileHints,
) -> _Taken:
    """One file; whatever is wrong with it concerns nobody else."""
    try:
        for result in workspace.ingest(path, **asdict(hints), judge=True, patience=timedelta(0)):
            on_file(result)
            facts = {name: result.entry[name] for name in ("file", "verdict", "readings_new")}
            log.info("file taken", extra=facts)
    except (LeaseTaken, LeaseLost) as error:
        log.info("file left to another engine", extra={"file": str(path), "error": str(error)})
        return _Taken.ELSEWHERE
    except (StoreError, OSError) as error:
        if _may_pass(error):
            log.warning("store not available, trying again", extra={"file": str(path), "error": str(error)})
            return _Taken.NOT_NOW
        if isinstance(error, StoreError):
            raise
        log.warning("file left aside", extra={"file": str(path), "error": str(error)})
    except DataError as error:
        log.warning("file left aside", extra={"file": str(path), "error": str(error)})
    except SerenoError:
        raise
    except Exception:  # the supervisor: a fault of ours in one file must not stop the others
        log.exception("file failed", extra={"file": str(path)})
    look.took(path)
    return _Taken.DONE


def _may_pass(error: StoreError | OSError) -> bool:
    """Whether it is no fault of a file: the store is away, or there is no room, be it for temporary files."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return error.is_retriable


def wait_for_change(folders: Sequence[WatchedFolder], stop: threading.Event, seconds: float) -> None:
    """Until something may have changed or the time is up; the hint only shortens the wait."""
    paths = [folder.path for folder in folders if folder.path.is_dir()]
    if not paths:
        stop.wait(seconds)
        return
    changes = watch_changes(
        *paths,
        stop_event=stop,
        rust_timeout=round(seconds * _MILLISECONDS),
        yield_on_timeout=True,
        recursive=False,
        raise_interrupt=True,
    )
    next(changes, None)
