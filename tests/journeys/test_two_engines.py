"""Promise: engines that share one PostgreSQL come to what one engine comes to, also when one is killed."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from sereno.domain.errors import EngineRunning
from sereno.flows.workspace import Workspace
from tests.journeys.worlds import MONTH_ROWS, declare, roofs, write_months
from tests.support.postgres import fresh_database
from tests.support.processes import environment, sereno, start_sereno, wait_until
from tests.support.stores import Dump, count, differences, dump, sqlite_address

Engine = subprocess.Popen[str]


@dataclass(frozen=True)
class Course:
    """Files to learn from and files that follow, and what one engine makes of them."""

    history: Path
    files: list[Path]
    store: Dump


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Peers that judge each other's months: what one engine reads concerns what the other one does."""
    folder = tmp_path_factory.mktemp("course")
    windows = roofs(months=6)
    write_months(folder / "history", [window.rows(0, 3 * MONTH_ROWS) for window in windows])
    files = write_months(folder / "files", windows, first=3)
    one = declare(folder / "one")
    _learn(one, folder / "history")
    with Workspace.open(one) as workspace:
        workspace.ingest(*files, judge=True)
    return Course(
        folder / "history", files, _whatever_came_first(dump(sqlite_address(one), with_history=False))
    )


def _whatever_came_first(store: Dump) -> Dump:
    """A store without what tells in which order files came: which of them were late."""
    rows = [row for row in store["data_issue"] if ("code", "quality.late") not in row]
    files = [tuple(one for one in row if one[0] != "report") for row in store["file_ledger"]]  # type: ignore[index]
    return store | {"data_issue": rows, "file_ledger": sorted(files, key=repr)}


def _learn(folder: Path, history: Path) -> None:
    with Workspace.open(folder) as workspace:
        workspace.ingest(history)
        workspace.train()
        workspace.score()


@pytest.fixture
def shared(course: Course, postgres_server: str, tmp_path: Path) -> Iterator[tuple[str, Path, Path]]:
    """A server's store that has learnt, and two workspaces that name it."""
    with fresh_database(postgres_server) as url:
        first, second = declare(tmp_path / "a", url=url), declare(tmp_path / "b", url=url)
        _learn(first, course.history)
        shutil.copytree(first / "models", second / "models")
        yield url, first, second


@contextmanager
def _engines(*starts: tuple[Path, Path]) -> Iterator[list[Engine]]:
    engines = [start_sereno("watch", inbox, "--interval", 0.1, workspace=w) for w, inbox in starts]
    try:
        yield engines
    finally:
        for engine in engines:
            engine.kill()
            engine.communicate()


def _drop(files: list[Path], inbox: Path) -> Path:
    inbox.mkdir(exist_ok=True)
    for file in files:
        there = inbox / f"{file.name}.part"
        shutil.copyfile(file, there)
        os.utime(there, (1_700_000_000, 1_700_000_000))
        there.replace(inbox / file.name)
    return inbox


def _is_done(url: str, n_files: int) -> bool:
    with _asked(url) as ask:
        return ask("SELECT COUNT(*) FROM file_ledger WHERE status = 'done'") == n_files


@contextmanager
def _asked(url: str) -> Iterator[Callable[[str], object]]:
    """What answers a query with one number."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            yield lambda query: connection.execute(text(query)).scalar()
    finally:
        engine.dispose()


def _check_same(url: str, course: Course) -> None:
    assert differences(_whatever_came_first(dump(url, with_history=False)), course.store) == {}
    with _asked(url) as ask:
        assert ask("SELECT COUNT(*) FROM incident WHERE condition = 'active' AND is_withdrawn") == 0
        opened = "SELECT COUNT(*) FROM incident_event WHERE kind = 'opened'"
        assert ask(opened) == ask("SELECT COUNT(*) FROM incident")


def test_two_engines_on_the_same_files_are_one(
    course: Course, shared: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, first, second = shared
    inbox = _drop(course.files, tmp_path / "inbox")

    with _engines((first, inbox), (second, inbox)) as engines:
        wait_until(lambda: _is_done(url, len(course.store["file_ledger"])), timeout=90)
        for engine in engines:
            _end(engine)

    _check_same(url, course)


def _end(engine: Engine) -> None:
    engine.terminate()
    _, said = engine.communicate()
    assert engine.returncode == 0, said


def test_two_engines_on_different_files_are_one(
    course: Course, shared: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, first, second = shared
    odd, even = _drop(course.files[1::2], tmp_path / "odd"), _drop(course.files[::2], tmp_path / "even")

    with _engines((first, odd), (second, even)):
        wait_until(lambda: _is_done(url, len(course.store["file_ledger"])), timeout=90)

    _check_same(url, course)


@pytest.mark.parametrize("seed", range(2))
def test_two_engines_that_are_killed_are_one(
    course: Course, shared: tuple[str, Path, Path], tmp_path: Path, seed: int
) -> None:
    _kill_at_random(course, shared, tmp_path / "inbox", random.Random(seed), n_kills=5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_two_engines_that_are_killed_often_are_one(
    course: Course, shared: tuple[str, Path, Path], tmp_path: Path, seed: int
) -> None:
    _kill_at_random(course, shared, tmp_path / "inbox", random.Random(seed), n_kills=8)


def _kill_at_random(
    course: Course, shared: tuple[str, Path, Path], inbox: Path, chance: random.Random, *, n_kills: int
) -> None:
    """A file comes in after each kill, so that there is always something to be killed at."""
    url, *workspaces = shared
    n_done = count(url, "file_ledger")
    n_first = len(course.files) - n_kills
    _drop(course.files[:n_first], inbox)
    engines = [start_sereno("watch", inbox, "--interval", 0.1, workspace=w) for w in workspaces]
    try:
        for number in range(n_kills):
            wait_until(lambda least=n_done + number: count(url, "file_ledger") > least, timeout=60)  # type: ignore[misc]
            victim = chance.randrange(2)
            signal.sigtimedwait([], chance.uniform(0, 0.4))
            engines[victim].kill()
            engines[victim].communicate()
            engines[victim] = start_sereno("watch", inbox, "--interval", 0.1, workspace=workspaces[victim])
            _drop(course.files[n_first + number : n_first + number + 1], inbox)
        wait_until(lambda: _is_done(url, len(course.store["file_ledger"])), timeout=90)
    finally:
        for engine in engines:
            engine.kill()
            engine.communicate()

    _check_same(url, course)


def test_engine_that_was_away_too_long_commits_nothing(
    course: Course, shared: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, first, second = shared
    inbox = _drop(course.files[:1], tmp_path / "inbox")
    stops = environment(SERENO_FAILPOINT="ingest.between_batches:stop", SERENO_TESTING="1")
    away = start_sereno("watch", inbox, "--interval", 0.1, workspace=first, env=stops)
    try:
        wait_until(lambda: _state(away) == "T", timeout=60)
        before = count(url, "file_ledger")
        with _engines((second, inbox)):
            with _asked(url) as ask:
                assert ask("SELECT COUNT(*) FROM lease WHERE name LIKE 'file/%'") == 1
            signal.sigtimedwait([], 2)
            assert count(url, "file_ledger") == before
            with _asked(url) as ask:
                ask("UPDATE lease SET until = now() - interval '1 s' WHERE name LIKE 'file/%' RETURNING 1")
            wait_until(lambda: count(url, "file_ledger") == before + 1, timeout=60)
        after = dump(url)

        away.send_signal(signal.SIGCONT)
        wait_until(lambda: _has_gone_on(url), timeout=30)
        away.terminate()
        _, said = away.communicate()
    finally:
        away.kill()
        away.communicate()

    assert away.returncode == 0, said
    assert differences(dump(url), after) == {}


def _state(process: Engine) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def _has_gone_on(url: str) -> bool:
    with _asked(url) as ask:
        return ask("SELECT COUNT(*) FROM lease WHERE name LIKE 'file/%'") == 0


def test_restore_and_upgrade_wait_for_the_engines_of_a_server(
    shared: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, first, second = shared
    inbox, archive = _drop([], tmp_path / "inbox"), tmp_path / "b.tar.gz"
    assert sereno("backup", archive, workspace=first).code == 0

    with _engines((first, inbox)) as (engine,):
        wait_until(lambda: count(url, "lease") >= 1)
        with pytest.raises(EngineRunning):
            Workspace.restore(second, archive, replace=True)
        with pytest.raises(EngineRunning):
            Workspace.upgrade(second)
        engine.kill()
        engine.communicate()
        Workspace.restore(second, archive, replace=True)


def test_second_engine_on_an_embedded_store_is_refused(tmp_path: Path) -> None:
    workspace, inbox = declare(tmp_path / "w"), tmp_path / "inbox"
    inbox.mkdir()

    with _engines((workspace, inbox)):
        wait_until((workspace / ".engine.holder").is_file)
        refused = sereno("watch", inbox, "--json", workspace=workspace)

    assert (refused.code, refused.error["code"]) == (5, "store.engine_running")
