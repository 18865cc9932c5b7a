"""Promise: what waits to be told survives a backup that is restored and an upgrade, and arrives once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sereno.domain.errors import UsageError
from sereno.domain.incidents import EventKind
from sereno.flows.workspace import Workspace
from tests.flows.hooks import a_hook, hook_settings, workspace_with
from tests.flows.outbox import HOUR, NOW, a_failure, happen, open_one, plants
from tests.journeys.telling import declare_receivers, is_done, notify_once, open_many
from tests.support.older import write_older_store
from tests.support.postgres import fresh_database
from tests.support.processes import killed_after, start_sereno, wait_until
from tests.support.stores import sqlite_address

WITH_OUTBOX = 4
"""The first schema that has one."""
KEY = "incident-1:1:ana:0"


@pytest.fixture
def other_database_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """A database of the same kind without a store."""
    if database_url.startswith("sqlite"):
        (tmp_path / "other").mkdir()
        yield sqlite_address(tmp_path / "other")
    else:
        with fresh_database(request.getfixturevalue("postgres_server")) as url:
            yield url


def _declare(folder: Path, url: str) -> Path:
    folder.mkdir()
    (folder / "sereno.yaml").write_text(yaml.safe_dump({"store": {"url": url}}), "utf-8")
    return folder


def test_restored_backup_sends_what_was_pending_under_its_key(
    database_url: str, other_database_url: str, tmp_path: Path
) -> None:
    with a_hook() as hook:
        receivers = {"ana": hook_settings(hook.url)}
        with workspace_with(tmp_path / "w", receivers, url=database_url) as site:
            open_one(site.workspace.store)
            site.workspace.backup(tmp_path / "w.tar.gz")
            site.deliver()
        again = _declare(tmp_path / "again", other_database_url)
        Workspace.restore(again, tmp_path / "w.tar.gz")
        with workspace_with(again, receivers, url=other_database_url) as site:
            site.deliver()
            site.deliver()

    assert hook.keys == [KEY, KEY]


def test_restored_backup_that_holds_notifications_sends_them_when_somebody_releases_them(
    database_url: str, other_database_url: str, tmp_path: Path
) -> None:
    with a_hook() as hook:
        receivers = {"ana": hook_settings(hook.url)}
        with workspace_with(tmp_path / "w", receivers, url=database_url) as site:
            for number, key in enumerate(plants(3), start=1):
                open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
            with site.workspace.store.begin() as tx:
                tx.lock_receiver("ana", NOW)
                tx.lease_head("ana", NOW, until=NOW + HOUR, owner="elsewhere/1/abc/def")
            site.workspace.backup(tmp_path / "w.tar.gz")
        again = _declare(tmp_path / "again", other_database_url)
        Workspace.restore(again, tmp_path / "w.tar.gz", hold_notifications=True)
        with workspace_with(again, receivers, url=other_database_url) as site:
            site.deliver()
            over = a_failure(asset=plants(1)[0], hours=4)
            happen(site.workspace.store, EventKind.CLEARED, "incident-1", detection=over)
            site.deliver(2 * HOUR)
            before, waiting = list(hook.keys), site.statuses()[:3]
            second = site.workspace.notifications(statuses=["kept"])[-2]
            n_first = site.workspace.release([int(str(second["id"]))])
            site.deliver()
            n_rest = site.workspace.release()
            site.deliver()
            with pytest.raises(UsageError, match="not kept back"):
                site.workspace.release([int(str(second["id"]))])
            statuses = site.statuses()

    assert (before, waiting) == (["incident-1:2:ana:0"], ["kept"] * 3)
    assert hook.keys[1:] == ["incident-2:1:ana:0", "incident-3:1:ana:0"]
    # The end of the first one has told it.
    assert (n_first, n_rest, statuses) == (1, 1, ["folded", "sent", "sent", "sent"])


@pytest.mark.parametrize("revision", [WITH_OUTBOX, WITH_OUTBOX + 1])
def test_upgrade_keeps_what_is_pending_and_sends_it_once(
    database_url: str, other_database_url: str, tmp_path: Path, revision: int
) -> None:
    with a_hook() as hook:
        receivers = {"ana": hook_settings(hook.url)}
        with workspace_with(tmp_path / "w", receivers, url=database_url) as site:
            open_one(site.workspace.store)
        write_older_store(database_url, other_database_url, revision)
        old = _declare(tmp_path / "old", other_database_url)
        Workspace.upgrade(old)
        with workspace_with(old, receivers, url=other_database_url) as site:
            site.deliver()
            site.deliver()

    assert hook.keys == [KEY]


def test_backup_while_everything_is_told_restores_to_everything_told(
    database_url: str, other_database_url: str, tmp_path: Path
) -> None:
    """Whatever moment it catches: what was not recorded as sent is sent again, under its key."""
    with a_hook() as hook:
        workspace = declare_receivers(tmp_path / "w", store=database_url, ana=hook.url)
        ids = open_many(workspace, 40)
        notifier = start_sereno("notifications", "deliver", workspace=workspace)
        try:
            wait_until(lambda: len(hook.keys) >= 5, timeout=120)
            with Workspace.open(workspace) as opened:
                opened.backup(tmp_path / "w.tar.gz")
            wait_until(lambda: is_done(workspace), timeout=120)
        finally:
            notifier.kill()
            notifier.communicate()
        first = list(hook.keys)
        again = _declare(tmp_path / "again", other_database_url)
        Workspace.restore(again, tmp_path / "w.tar.gz")
        code, _ = killed_after(None, notify_once, again)
        done = is_done(again)

    wanted = [f"{one}:1:ana:0" for one in ids]
    assert (code, done, list(dict.fromkeys(first))) == (0, True, wanted)
    repeated = list(dict.fromkeys(hook.keys[len(first) :]))
    assert repeated == wanted[len(wanted) - len(repeated) :]
