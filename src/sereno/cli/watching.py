"""`sereno watch`: a loop that ends when it is told to."""

import signal
import threading
from datetime import timedelta
from pathlib import Path
from types import FrameType

from sereno.cli.output import Request, show_json, tell_progress
from sereno.domain.errors import UsageError
from sereno.flows.build import FileHints
from sereno.flows.ingest import FileResult
from sereno.flows.watching import WatchedFolder, watch_folders
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence

__all__ = ["run_watch", "stop_on_signals"]

_SECOND = timedelta(seconds=1)


def run_watch(
    request: Request,
    workspace: Workspace,
    folder: Path | None,
    *,
    pattern: str,
    interval: float,
    is_once: bool,
    hints: FileHints,
) -> None:
    """Watch until SIGTERM or Ctrl+C; the file in hand is finished first.

    Raises:
        UsageError: No folder is given and none is configured.
    """
    folders = _folders(workspace, folder, pattern, interval)
    stop = threading.Event()
    stop_on_signals(stop)
    for one in folders:
        tell_progress(
            request, sentence("cli.watching", workspace.language, folder=one.path, pattern=one.pattern)
        )
    entries: list[dict[str, object]] = []

    def on_file(result: FileResult) -> None:
        entry = result.entry
        if is_once:
            entries.append(entry)
        tell_progress(request, f"{entry['file']}: {entry['verdict']} +{entry['readings_new']}")

    watch_folders(workspace, folders, is_once=is_once, stop=stop, on_file=on_file, hints=hints)
    if is_once and request.as_json:
        show_json({"files": entries})


def _folders(workspace: Workspace, folder: Path | None, pattern: str, interval: float) -> list[WatchedFolder]:
    if folder is not None:
        if not folder.is_dir():
            raise UsageError(detail=f"'{folder}' is not a folder", command="watch")
        return [WatchedFolder(folder, pattern, interval)]
    sources = workspace.settings.sources.values()
    if not sources:
        detail = "no folder was given and `sources` in sereno.yaml is empty"
        raise UsageError(detail=detail, command="watch")
    return [WatchedFolder(workspace.folder / s.path, s.pattern, s.interval / _SECOND) for s in sources]


def stop_on_signals(stop: threading.Event) -> None:
    """Let SIGTERM and Ctrl+C end a loop that looks at an event."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        stop.set()
        if number == signal.SIGINT:
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
