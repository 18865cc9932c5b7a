"""Promise: `ingest` and `score` killed at any moment and started again have lost and doubled nothing."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.journeys.worlds import MONTH_ROWS, declare, ingest_and_score, roofs, write_months
from tests.support.postgres import fresh_database
from tests.support.processes import killed_after, sereno, start_sereno
from tests.support.stores import Dump, count, differences, dump, sqlite_address

KILLS_PER_STORE = 4
KILLED = -9
N_FILES = 6 * 3


@dataclass(frozen=True)
class Undisturbed:
    """What a run that nobody disturbs starts from, leaves and takes."""

    start: Path
    files: Path
    seconds: float
    store: Dump


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A workspace that has learnt its first three months, and what the other months make of it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    windows = roofs(months=6)
    write_months(folder / "history", [window.rows(0, 3 * MONTH_ROWS) for window in windows])
    start = declare(folder / "start")
    with Workspace.open(start) as workspace:
        list(workspace.ingest(folder / "history"))
        workspace.train()
    write_months(folder / "files", windows, first=3)
    done, times = folder / "done", []
    for copy in (folder / "warm", done):  # the first run pays for what later ones find warm
        shutil.copytree(start, copy)
        code, seconds = killed_after(None, ingest_and_score, copy, folder / "files")
        assert code == 0
        times.append(seconds)
    return Undisturbed(start, folder / "files", min(times), dump(sqlite_address(done)))


@pytest.mark.parametrize("seed", range(5))
def test_killed_ingest_leaves_the_store_of_an_undisturbed_run(
    undisturbed: Undisturbed, tmp_path: Path, seed: int
) -> None:
    _kill_repeatedly(undisturbed, tmp_path / "w", seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 125))
def test_killed_ingest_leaves_the_store_of_an_undisturbed_run_many_times(
    undisturbed: Undisturbed, tmp_path: Path, seed: int
) -> None:
    _kill_repeatedly(undisturbed, tmp_path / "w", seed)


def test_the_undisturbed_run_is_worth_comparing(undisturbed: Undisturbed) -> None:
    sizes = {name: len(rows) for name, rows in undisturbed.store.items()}

    assert sizes["reading_solar"] > 12_000
    assert sizes["quarantined_row"] == sizes["file_ledger"] == N_FILES
    assert sizes["detection"] >= sizes["incident"] >= 3


def test_killed_ingest_command_is_completed_by_the_next_one(undisturbed: Undisturbed, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    shutil.copytree(undisturbed.start, workspace)
    before = dump(sqlite_address(workspace))
    process = start_sereno("ingest", undisturbed.files, workspace=workspace)
    assert process.stderr is not None
    for _ in range(4):
        process.stderr.readline()

    process.kill()
    process.communicate()

    assert process.returncode == KILLED
    halfway = dump(sqlite_address(workspace))
    assert len(before["file_ledger"]) < len(halfway["file_ledger"]) < len(undisturbed.store["file_ledger"])
    assert sereno("ingest", undisturbed.files, workspace=workspace).code == 0
    assert sereno("score", workspace=workspace).code == 0
    after = dump(sqlite_address(workspace))
    assert len(after["metric"]) == 1  # the command notes how much is abnormal, which judging alone does not
    assert differences({**after, "metric": []}, undisturbed.store) == {}


@pytest.fixture
def postgres_start(
    undisturbed: Undisturbed, postgres_server: str, tmp_path: Path
) -> Iterator[tuple[Path, str]]:
    """The workspace that has learnt three months, on a database of its own."""
    with fresh_database(postgres_server) as url:
        workspace = declare(tmp_path / "pg", url=url)
        with Workspace.open(workspace) as opened:
            list(opened.ingest(undisturbed.files.parent / "history"))
            opened.train()
        yield workspace, url


def test_killed_ingest_leaves_the_same_store_on_postgresql(
    undisturbed: Undisturbed, postgres_start: tuple[Path, str]
) -> None:
    workspace, url = postgres_start

    n_midway = _kill(undisturbed, workspace, url, random.Random(7), kills=3)

    assert n_midway >= 1
    assert differences(dump(url), undisturbed.store) == {}


def _kill_repeatedly(undisturbed: Undisturbed, workspace: Path, seed: int) -> None:
    shutil.copytree(undisturbed.start, workspace)
    address = sqlite_address(workspace)

    n_midway = _kill(undisturbed, workspace, address, random.Random(seed), kills=KILLS_PER_STORE)

    assert n_midway >= 2
    assert differences(dump(address), undisturbed.store) == {}
    with closing(sqlite3.connect(workspace / "sereno.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _kill(undisturbed: Undisturbed, workspace: Path, url: str, chance: random.Random, *, kills: int) -> int:
    """Kill at random points, each time starting again, then run to the end; how many found it unfinished."""
    n_midway = 0
    for _ in range(kills):
        delay = chance.uniform(0.02, undisturbed.seconds / kills)
        code, _ = killed_after(delay, ingest_and_score, workspace, undisturbed.files)
        n_midway += code == KILLED and count(url, "file_ledger") < len(undisturbed.store["file_ledger"])
    code, _ = killed_after(None, ingest_and_score, workspace, undisturbed.files)
    assert code == 0
    return n_midway
