"""Promise: `watch` killed at any moment while files arrive, and started again, loses and doubles nothing."""

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.journeys.worlds import MONTH_ROWS, declare, roofs, watch_on, watch_once, write_months
from tests.support.processes import killed_after, start_sereno, wait_until
from tests.support.stores import Dump, count, differences, dump, sqlite_address

KILLS_PER_STORE = 5
KILLED = -9


@dataclass(frozen=True)
class Undisturbed:
    """What a watch that nobody disturbs starts from, leaves and takes."""

    start: Path
    files: list[Path]
    seconds: float
    store: Dump


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A workspace that has learnt three months and judged them, and what the next three make of it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    windows = roofs(months=6)
    write_months(folder / "history", [window.rows(0, 3 * MONTH_ROWS) for window in windows])
    start = declare(folder / "start")
    with Workspace.open(start) as workspace:
        list(workspace.ingest(folder / "history"))
        workspace.train()
        workspace.score()
    files = write_months(folder / "files", windows, first=3)
    _drop(files, folder / "inbox", first=0)
    done = folder / "done"
    shutil.copytree(start, done)
    code, seconds = killed_after(None, watch_once, done, folder / "inbox")
    assert code == 0
    return Undisturbed(start, files, seconds, dump(sqlite_address(done)))


@pytest.mark.parametrize("seed", range(4))
def test_killed_watch_leaves_the_store_of_an_undisturbed_one(
    undisturbed: Undisturbed, tmp_path: Path, seed: int
) -> None:
    _kill_repeatedly(undisturbed, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_killed_watch_leaves_the_store_of_an_undisturbed_one_many_times(
    undisturbed: Undisturbed, tmp_path: Path, seed: int
) -> None:
    _kill_repeatedly(undisturbed, tmp_path, seed)


def test_killed_watch_command_goes_on_where_it_was(undisturbed: Undisturbed, tmp_path: Path) -> None:
    workspace, inbox = tmp_path / "w", tmp_path / "inbox"
    shutil.copytree(undisturbed.start, workspace)
    *early, late = undisturbed.files
    _drop(early, inbox, first=0)
    address = sqlite_address(workspace)
    n_before, n_wanted = count(address, "file_ledger"), len(undisturbed.store["file_ledger"])
    first = start_sereno("watch", inbox, "--interval", 0.1, workspace=workspace)
    wait_until(lambda: count(address, "file_ledger") > n_before + 2)

    first.kill()
    first.communicate()
    n_halfway = count(address, "file_ledger")
    _drop([late], inbox, first=len(early))
    second = start_sereno("watch", inbox, "--interval", 0.1, workspace=workspace)
    wait_until(lambda: count(address, "file_ledger") == n_wanted)
    second.terminate()
    second.communicate()

    assert (first.returncode, second.returncode) == (KILLED, 0)
    assert n_before < n_halfway < n_wanted
    assert differences(dump(address), undisturbed.store) == {}


def _kill_repeatedly(undisturbed: Undisturbed, folder: Path, seed: int) -> None:
    """Files arrive a few at a time; each watch is killed at a random point and the next one takes over.

    The last file comes after the last kill: however fast the machine, each kill finds work undone.
    """
    workspace, inbox = folder / "w", folder / "inbox"
    shutil.copytree(undisturbed.start, workspace)
    address = sqlite_address(workspace)
    chance = random.Random(seed)
    n_midway, n_dropped = 0, 0
    for _ in range(KILLS_PER_STORE):
        n_next = min(chance.randint(1, 4), len(undisturbed.files) - 1 - n_dropped)
        _drop(undisturbed.files[n_dropped : n_dropped + n_next], inbox, first=n_dropped)
        n_dropped += n_next
        delay = chance.uniform(0.02, 2 * undisturbed.seconds / KILLS_PER_STORE)
        code, _ = killed_after(delay, watch_on, workspace, inbox)
        n_midway += code == KILLED and count(address, "file_ledger") < len(undisturbed.store["file_ledger"])
    _drop(undisturbed.files[n_dropped:], inbox, first=n_dropped)

    code, _ = killed_after(None, watch_once, workspace, inbox)

    assert code == 0
    assert n_midway == KILLS_PER_STORE
    assert differences(dump(address), undisturbed.store) == {}


def _drop(files: list[Path], inbox: Path, *, first: int) -> None:
    """Rename files into the folder, all of them at rest, in their order."""
    inbox.mkdir(exist_ok=True)
    for number, file in enumerate(files, start=first):
        there = inbox / f"{file.name}.part"
        shutil.copyfile(file, there)
        os.utime(there, (1_700_000_000 + number, 1_700_000_000 + number))
        there.replace(inbox / file.name)
