"""Promise: killed exactly where it matters most, a watch has lost and doubled nothing."""

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.journeys.worlds import MONTH_ROWS, declare, roofs, write_months
from tests.support.processes import environment, sereno, start_sereno
from tests.support.stores import Dump, count, differences, dump, sqlite_address

KILLED = -9
POINTS = ("store.before_commit", "store.after_commit", "ingest.between_batches")
N_FILES = 6


@dataclass(frozen=True)
class Undisturbed:
    """Where a watch starts, what it takes, and what it leaves when nobody disturbs it."""

    start: Path
    inbox: Path
    store: Dump


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Two roofs that have learnt three months; three more arrive."""
    folder = tmp_path_factory.mktemp("kills")
    windows = roofs(months=6, sites=2)
    write_months(folder / "history", [window.rows(0, 3 * MONTH_ROWS) for window in windows])
    start = declare(folder / "start")
    with Workspace.open(start) as workspace:
        workspace.ingest(folder / "history")
        workspace.train()
        workspace.score()
    files = write_months(folder / "inbox", windows, first=3)
    for number, file in enumerate(files):
        _at_rest(file, number)
    done = folder / "done"
    shutil.copytree(start, done)
    assert sereno("watch", folder / "inbox", "--once", workspace=done).code == 0
    return Undisturbed(start, folder / "inbox", dump(sqlite_address(done)))


def _at_rest(file: Path, number: int) -> None:
    os.utime(file, (1_700_000_000 + number, 1_700_000_000 + number))


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("time_of_kill", [1, 3])
def test_watch_killed_at_a_named_point_goes_on(
    undisturbed: Undisturbed, tmp_path: Path, point: str, time_of_kill: int
) -> None:
    _kill_at_points(undisturbed, tmp_path / "w", [f"{point}:kill@{time_of_kill}"])


def test_watch_killed_at_points_again_and_again_goes_on(undisturbed: Undisturbed, tmp_path: Path) -> None:
    _kill_at_points(undisturbed, tmp_path / "w", _some_points(seed=1, n_kills=14))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 125))
def test_watch_killed_at_points_500_times_goes_on(
    undisturbed: Undisturbed, tmp_path: Path, seed: int
) -> None:
    _kill_at_points(undisturbed, tmp_path / "w", _some_points(seed, n_kills=20))


def _some_points(seed: int, n_kills: int) -> list[str]:
    chance = random.Random(seed)
    # Mostly the first time: a start that gets nowhere must not stop the next one from getting on.
    return [f"{chance.choice(POINTS)}:kill@{chance.choice([1, 1, 2])}" for _ in range(n_kills)]


def _kill_at_points(undisturbed: Undisturbed, workspace: Path, points: list[str]) -> None:
    shutil.copytree(undisturbed.start, workspace)
    for point in points:
        env = environment(SERENO_FAILPOINT=point, SERENO_TESTING="1")
        code = sereno("watch", undisturbed.inbox, "--once", workspace=workspace, env=env).code
        assert code == KILLED or count(sqlite_address(workspace), "file_ledger") == 2 * 3 + N_FILES

    assert sereno("watch", undisturbed.inbox, "--once", workspace=workspace).code == 0

    assert differences(dump(sqlite_address(workspace)), undisturbed.store) == {}


def test_point_that_raises_is_a_fault_of_one_file_only(undisturbed: Undisturbed, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    shutil.copytree(undisturbed.start, workspace)
    env = environment(SERENO_FAILPOINT="store.before_commit:raise@2", SERENO_TESTING="1")

    with start_sereno("watch", undisturbed.inbox, "--once", workspace=workspace, env=env) as watch:
        _, said = watch.communicate()

    assert (watch.returncode, said.count("FailpointReached: store.before_commit")) == (0, 1)
    assert count(sqlite_address(workspace), "file_ledger") == 2 * 3 + N_FILES - 1
    assert sereno("watch", undisturbed.inbox, "--once", workspace=workspace).code == 0
    found = dump(sqlite_address(workspace), with_history=False)
    for table in ("reading_solar", "detection"):
        assert found[table] == undisturbed.store[table]


def test_points_are_nothing_outside_tests(undisturbed: Undisturbed, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    shutil.copytree(undisturbed.start, workspace)
    env = environment(SERENO_FAILPOINT="store.before_commit:kill")

    assert sereno("watch", undisturbed.inbox, "--once", workspace=workspace, env=env).code == 0

    assert differences(dump(sqlite_address(workspace)), undisturbed.store) == {}
