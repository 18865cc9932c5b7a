"""Promise: what waits to be told survives a backup that is restored and an upgrade, and arrives once."""

from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.flows.hooks import a_hook, hook_settings, workspace_with
from tests.flows.outbox import open_one
from tests.support.older import write_older_store
from tests.support.stores import sqlite_address

WITH_OUTBOX = 4
"""The first schema that has one."""
KEY = "incident-1:1:ana:0"


def test_restored_backup_sends_what_was_pending_under_its_key(tmp_path: Path) -> None:
    with a_hook() as hook:
        with workspace_with(tmp_path / "w", {"ana": hook_settings(hook.url)}) as site:
            open_one(site.workspace.store)
            site.workspace.backup(tmp_path / "w.tar.gz")
            site.deliver()
        Workspace.restore(tmp_path / "again", tmp_path / "w.tar.gz")
        with workspace_with(tmp_path / "again", {"ana": hook_settings(hook.url)}) as site:
            site.deliver()
            site.deliver()

    assert hook.keys == [KEY, KEY]


@pytest.mark.parametrize("revision", [WITH_OUTBOX, WITH_OUTBOX + 1])
def test_upgrade_keeps_what_is_pending_and_sends_it_once(tmp_path: Path, revision: int) -> None:
    with a_hook() as hook:
        with workspace_with(tmp_path / "w", {"ana": hook_settings(hook.url)}) as site:
            open_one(site.workspace.store)
        (tmp_path / "old").mkdir()
        write_older_store(sqlite_address(tmp_path / "w"), sqlite_address(tmp_path / "old"), revision)
        with workspace_with(tmp_path / "old", {"ana": hook_settings(hook.url)}) as site:
            site.deliver()
            site.deliver()

    assert hook.keys == [KEY]
