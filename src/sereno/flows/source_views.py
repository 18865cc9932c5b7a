"""Sources as people and machines read them: how each is doing, and what a sample of one says."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sereno.contracts.source import PolledSource, PushedSource, Record, is_pushed
from sereno.domain.errors import DataError, SourceUnreachable
from sereno.domain.issues import DataIssue
from sereno.domain.time import from_numpy, isoformat
from sereno.flows.build import Setup
from sereno.flows.feeds import Feed, WatchedFolder, declared_feed, declared_feeds
from sereno.flows.inboxes import TrialInbox
from sereno.flows.intake import Intake, ledger_key
from sereno.flows.silent import SILENT
from sereno.flows.watching import FolderLook
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import issue_sentence
from sereno.ingest import Batch
from sereno.store import Store

__all__ = ["SourceTrial", "SourceView", "find_sources", "reach_source", "try_source"]

SAMPLE = 100
"""Records, items or files of a trial at most."""
_SHOWN = 20
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source of the settings and how it is doing.

    Attributes:
        counts: Items of its inbox by status.
        n_issues: Data issues known of it.
        n_failing: Waiting items that could not be judged so far.
        n_tries: Of the one of them that was tried most often.
        reasons: The first reasons for which items were set aside.
    """

    feed: Feed
    heard_at: datetime | None
    counts: Mapping[str, int]
    is_silent: bool
    n_issues: int
    n_failing: int = 0
    n_tries: int = 0
    reasons: Sequence[str] = ()

    @property
    def condition(self) -> str:
        """`silent`, `ok`, or `new` before anything was heard of it."""
        return "silent" if self.is_silent else "new" if self.heard_at is None else "ok"

    def to_json(self) -> dict[str, object]:
        """The object of `sources list --json`."""
        return {
            "name": self.feed.name,
            "kind": self.feed.kind,
            "condition": self.condition,
            "heard_at": isoformat(self.heard_at),
            "waiting": self.counts.get("new", 0),
            "quarantined": self.counts.get("quarantined", 0),
            "issues": self.n_issues,
            "failing": self.n_failing,
            "tries": self.n_tries,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class SourceTrial:
    """What a sample of a source says.

    Attributes:
        signals: Unit of each signal that was understood, by profile and name.
        first_at, last_at: Instants of the sample.
        clock_offset: How far the newest instant lies before our clock; negative where it lies in the future.
        refused: Why some of the sample could not be used.
    """

    name: str
    n_records: int
    assets: Sequence[str]
    signals: Mapping[str, Mapping[str, str]]
    first_at: datetime | None
    last_at: datetime | None
    clock_offset: timedelta | None
    issues: Sequence[DataIssue]
    refused: Sequence[str]

    def to_json(self, language: str) -> dict[str, object]:
        """The document of `sources test --json`."""
        offset = self.clock_offset
        return {
            "source": self.name,
            "records": self.n_records,
            "assets": list(self.assets),
            "signals": {profile: dict(units) for profile, units in self.signals.items()},
            "first_at": isoformat(self.first_at),
            "last_at": isoformat(self.last_at),
            "clock_offset_s": None if offset is None else round(offset.total_seconds(), 1),
            "issues": [
                {
                    "code": one.code,
                    "where": one.where,
                    "count": one.count,
                    "message": issue_sentence(one, language),
                }
                for one in self.issues
            ],
            "refused": list(self.refused),
        }


def find_sources(setup: Setup, store: Store) -> list[SourceView]:
    """The sources of the settings, in their order.

    Raises:
        SettingsError: A source's kind or options are wrong.
    """
    feeds = declared_feeds(setup, store.url)
    with store.read() as tx:
        silent = {one.asset for one in tx.incidents(is_active=True) if one.worst.cause == SILENT}
        return [
            SourceView(
                feed,
                tx.source_state(feed.name).heard_at,
                tx.count_items(feed.name),
                feed.key in silent,
                len(tx.issues(ledger_key(feed.name))),
                *tx.count_tried(feed.name),
                tuple(dict.fromkeys(one.error for one in tx.quarantined_items(feed.name, limit=_SHOWN))),
            )
            for feed in feeds
        ]


def try_source(workspace: Workspace, name: str, *, within: timedelta = timedelta(seconds=10)) -> SourceTrial:
    """Connect to a source, read a sample of it, and say what is understood; stores nothing.

    Args:
        within: How long something that sends by itself is listened to.

    Raises:
        NotFound: There is no such source.
        SettingsError: Its kind or options are wrong.
        SourceUnreachable: It does not answer.
    """
    feed = declared_feed(workspace.setup, workspace.store.url, name)
    intake, now = workspace.intake(), workspace.now
    source = feed.source
    if isinstance(source, WatchedFolder):
        return _try_folder(workspace, feed, source)
    if is_pushed(source):
        records, refused, issues = _sent(source, feed, within, now())
    else:
        records, refused, issues = _asked(cast(PolledSource, source))
    return _trial(feed, intake, records, refused, issues, now())


def reach_source(feed: Feed, *, within: timedelta = timedelta(seconds=5)) -> None:
    """Connect to a source and go again; nothing is read, acknowledged or stored.

    Raises:
        SourceUnreachable: It does not answer in time.
    """
    source = feed.source
    if isinstance(source, WatchedFolder):
        if not source.path.is_dir():
            raise SourceUnreachable(address=str(source.path), detail="there is no such folder")
        return
    ended, inbox, failed = threading.Event(), TrialInbox(1, threading.Event()), list[Exception]()

    def connect() -> None:
        try:
            if is_pushed(source):
                source.listen(inbox, inbox.stop, is_trial=True)
            else:
                with cast(PolledSource, source).connect():
                    inbox.heard()
        except Exception as error:  # noqa: BLE001 - told by who waits
            failed.append(error)
        ended.set()

    threading.Thread(target=connect, name=f"reach {feed.name}", daemon=True).start()
    deadline = time.monotonic() + within.total_seconds()
    while not (inbox.is_connected or ended.is_set()) and time.monotonic() < deadline:
        ended.wait(_LOOK_S)
    inbox.stop.set()
    if not inbox.is_connected:
        detail = str(failed[0]) if failed else "nobody answered in time"
        raise SourceUnreachable(address=feed.name, detail=detail)


def _asked(source: PolledSource) -> tuple[list[Record], list[str], list[DataIssue]]:
    with source.connect() as link:
        polled = link.poll(None)
    return list(polled.records[-SAMPLE:]), [], list(polled.issues)


def _sent(
    source: PushedSource, feed: Feed, within: timedelta, now: datetime
) -> tuple[list[Record], list[str], list[DataIssue]]:
    stop = threading.Event()
    inbox = TrialInbox(SAMPLE, stop)
    timer = threading.Timer(within.total_seconds(), stop.set)
    timer.start()
    try:
        source.listen(inbox, stop, is_trial=True)
    finally:
        timer.cancel()
    if not inbox.is_connected:
        raise SourceUnreachable(address=feed.name, detail="nobody answered in time")
    records, refused = list[Record](), list[str]()
    for item in inbox.items[:SAMPLE]:
        try:
            records += [] if item.reason else source.records(item.payload, now)
        except DataError as error:
            refused.append(str(error))
        refused += [item.reason] if item.reason else []
    return records, refused, []


def _trial(
    feed: Feed,
    intake: Intake,
    records: Sequence[Record],
    refused: Sequence[str],
    issues: Sequence[DataIssue],
    now: datetime,
) -> SourceTrial:
    batches, reasons = intake.read(feed, records) if records else ([], [])
    aside = [f"{row.reason}: {row.text}" for batch in batches for row in batch.quarantine]
    times = [at for batch in batches for at in batch.readings.time]
    last = from_numpy(max(times)) if times else None
    return SourceTrial(
        name=feed.name,
        n_records=len(records),
        assets=sorted({str(key) for batch in batches for key in batch.readings.assets}),
        signals={batch.readings.profile: _units(intake.setup, batch) for batch in batches},
        first_at=from_numpy(min(times)) if times else None,
        last_at=last,
        clock_offset=None if last is None else now - last,
        issues=[*issues, *(issue for batch in batches for issue in batch.issues)],
        refused=[*refused, *reasons, *aside][:_SHOWN],
    )


def _units(setup: Setup, batch: Batch) -> dict[str, str]:
    profile = setup.profiles[batch.readings.profile]
    return {name: profile.signal(name).unit for name in batch.readings.signals}


def _try_folder(workspace: Workspace, feed: Feed, folder: WatchedFolder) -> SourceTrial:
    """What the newest files of a folder say."""
    if not folder.path.is_dir():
        raise SourceUnreachable(address=str(folder.path), detail="there is no such folder")
    files = FolderLook(folder).candidates()[-_SHOWN:]
    hints = {"timezone": feed.timezone, "profile": feed.profile}
    results = workspace.check(*files, **hints, with_findings=False) if files else []
    totals = [result.entry["totals"] for result in results]
    signals: dict[str, dict[str, str]] = {}
    for result in results:
        for table in result.entry["tables"]:  # type: ignore[attr-defined]
            found = signals.setdefault(result.profile, {})
            found |= {one["signal"]: one["unit"] for one in table["columns"] if one["signal"]}
    return SourceTrial(
        name=feed.name,
        n_records=sum(one["records_good"] for one in totals),  # type: ignore[index]
        assets=(),
        signals=signals,
        first_at=None,
        last_at=None,
        clock_offset=None,
        issues=(),
        refused=[str(result.entry["file"]) for result in results if result.is_refused],
    )
