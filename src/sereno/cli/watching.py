"""`sereno watch`: a loop that ends when it is told to."""

import signal
import threading
from pathlib import Path
from types import FrameType

from sereno.cli.output import Request, show_json, tell_progress
from sereno.domain.errors import UsageError
from sereno.flows.build import FileHints
from sereno.flows.feeds import WatchedFolder
from sereno.flows.ingest import FileResult
from sereno.flows.sources import watch_sources
from sereno.flows.watching import watch_folders
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence

__all__ = ["run_watch", "stop_on_signals"]


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
    stop = threading.Event()
    stop_on_signals(stop)
    entries: list[dict[str, object]] = []

    def on_file(result: FileResult) -> None:
        entry = result.entry
        if is_once:
            entries.append(entry)
        tell_progress(request, f"{entry['file']}: {entry['verdict']} +{entry['readings_new']}")

    if folder is not None:
        watched = _folder(folder, pattern, interval)
        facts = {"folder": watched.path, "pattern": watched.pattern}
        tell_progress(request, sentence("cli.watching", workspace.language, **facts))
        watch_folders(workspace, [watched], is_once=is_once, stop=stop, on_file=on_file, hints=hints)
    else:
        _check_sources(workspace)
        for name, source in workspace.settings.sources.items():
            facts = {"source": name, "kind": source.kind}
            tell_progress(request, sentence("cli.source_runs", workspace.language, **facts))
        watch_sources(workspace, stop, is_once=is_once, on_file=on_file)
    if is_once and request.as_json:
        show_json({"files": entries})


def _folder(folder: Path, pattern: str, interval: float) -> WatchedFolder:
    if not folder.is_dir():
        raise UsageError(detail=f"'{folder}' is not a folder", command="watch")
    return WatchedFolder(folder, pattern, interval)


def _check_sources(workspace: Workspace) -> None:
    if not workspace.settings.sources:
        detail = "no folder was given and `sources` in sereno.yaml is empty"
        raise UsageError(detail=detail, command="watch")


def stop_on_signals(stop: threading.Event) -> None:
    """Let SIGTERM and Ctrl+C end a loop that looks at an event."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        stop.set()
        if number == signal.SIGINT:
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
