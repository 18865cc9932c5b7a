"""Running the sources of a workspace: each in a thread of its own, and whatever befalls one stops no other.

What is asked is stored, judged and noted as read in one transaction. What sends by itself is kept in a
durable inbox, acknowledged, and judged from there in the order in which it came.
"""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from sereno.domain.errors import LeaseTaken, StoreError
from sereno.flows.delivering import Notifier, running
from sereno.flows.feeds import Feed, declared_feeds
from sereno.flows.inboxes import KEPT_DONE
from sereno.flows.mailing import keep_mailed
from sereno.flows.room import RoomLook
from sereno.flows.silent import SilenceWatch
from sereno.flows.source_runner import OnFile, SourceRunner
from sereno.flows.watching import keep_calibrated, keep_learning, keep_retained
from sereno.flows.workspace import Workspace
from sereno.ingest.sources.registry import FOLDER

__all__ = ["run_sources", "watch_sources"]

log = logging.getLogger(__name__)

_LOOK_S = 5.0
"""Time between two looks at what is silent, at room and at calibration [s]."""
_PRUNE_S = 60.0
_END_S = 10.0
"""How long an ending source may take [s]."""


def _nothing(_: object) -> None:
    return None


def run_sources(
    workspace: Workspace,
    stop: threading.Event,
    *,
    is_once: bool = False,
    on_file: OnFile = _nothing,
    notifier: Notifier | None = None,
) -> None:
    """Run the sources of the settings until stopped.

    The caller is the engine of the workspace, and tends incidents and delivers notifications meanwhile. On a
    shared store each source runs in one engine at a time; another one takes over when that one is gone.

    Args:
        is_once: Take what is ready now, then return; what sends by itself is listened to until it is quiet.
        on_file: Told about each file of a folder as it is done.
        notifier: Woken when something may have happened that somebody is to be told of.

    Raises:
        SettingsError: A source's kind or options are wrong.
        StoreError: The store is unusable for good.
    """
    if any(one.kind != FOLDER and one.timezone is None for one in workspace.settings.sources.values()):
        workspace.keep_timezone(workspace.zone)
    feeds = declared_feeds(workspace.setup, workspace.store.url)
    intake = workspace.intake()
    runners = [SourceRunner(workspace, feed, intake, stop, is_once, on_file, notifier) for feed in feeds]
    threads = [
        threading.Thread(target=one.run, name=f"source {one.feed.name}", daemon=True) for one in runners
    ]
    for thread in threads:
        thread.start()
    try:
        _look_after(workspace, feeds, threads, stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join(_END_S)
    for runner in runners:
        if runner.failure is not None:
            raise runner.failure


def watch_sources(
    workspace: Workspace, stop: threading.Event, *, is_once: bool = False, on_file: OnFile = _nothing
) -> None:
    """Be the engine of a workspace: run its sources, and tell meanwhile what they open.

    Raises:
        EngineRunning: Another engine works on the workspace.
        SettingsError: A source's or receiver's kind or options are wrong.
    """
    notifier = workspace.notifier()
    with (
        workspace.engine_lease("watch"),
        workspace.tending(),
        running(None if is_once else notifier),
    ):
        run_sources(workspace, stop, is_once=is_once, on_file=on_file, notifier=notifier)
        if is_once:
            workspace.deliver_due()


def _look_after(
    workspace: Workspace, feeds: Sequence[Feed], threads: Sequence[threading.Thread], stop: threading.Event
) -> None:
    """What concerns all sources, as long as any of them runs."""
    room = RoomLook(workspace.folder)
    silence = SilenceWatch(workspace.store, workspace.policy, feeds, workspace.zone)
    next_prune = time.monotonic()
    while any(thread.is_alive() for thread in threads) and not stop.is_set():
        try:
            room.look()
            with suppress(LeaseTaken), workspace.duty("silence"):  # one of several engines is enough
                silence.look(workspace.now())
            workspace.refresh_models()
            if time.monotonic() >= next_prune:
                next_prune = time.monotonic() + _PRUNE_S
                _prune(workspace, feeds)
            keep_calibrated(workspace)
            keep_learning(workspace)
            keep_retained(workspace, stop)
            keep_mailed(workspace)
        except StoreError as error:
            if not error.is_retriable:
                raise
            log.warning("store not available, trying again", extra={"error": str(error)})
        _until(stop, threads, _LOOK_S)


def _until(stop: threading.Event, threads: Sequence[threading.Thread], seconds: float) -> None:
    """Wait until stopped, or every thread has ended, or the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not stop.wait(0.1):
        if not any(thread.is_alive() for thread in threads):
            return


def _prune(workspace: Workspace, feeds: Sequence[Feed]) -> None:
    for feed in feeds:
        with workspace.store.begin() as tx:
            tx.prune_items(feed.name, keep=KEPT_DONE)
