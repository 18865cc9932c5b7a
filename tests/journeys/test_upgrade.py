"""Promise: a store of any earlier version is backed up, migrated whole or not at all, and judges on."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sereno.domain.errors import EngineRunning, StoreNewer, StoreOlder, UpgradeFailed
from sereno.domain.failpoints import arm, disarm
from sereno.flows.backup import KEPT
from sereno.flows.workspace import Workspace
from sereno.store import open_store
from sereno.store.migrate import SCHEMA, migrations_after
from sereno.store.opening import stored_schema
from tests.journeys.worlds import MONTH_ROWS, declare, roofs, write_months
from tests.support.older import write_older_store
from tests.support.postgres import fresh_database
from tests.support.processes import environment, sereno, start_sereno, wait_until
from tests.support.stores import Dump, Row, differences, dump, sqlite_address

EARLIER = [int(revision) for revision, _ in migrations_after(0)][:-1]
FIRST = f"{EARLIER[0]:04d}"
NOW = f"{SCHEMA:04d}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """History to learn from, and what comes after the upgrade."""
    folder = tmp_path_factory.mktemp("files")
    windows = roofs(months=4, sites=2)
    write_months(folder / "history", [window.rows(0, 3 * MONTH_ROWS) for window in windows])
    write_months(folder / "next", windows, first=3)
    return folder


@pytest.fixture(scope="module")
def current(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of this version that has learnt and judged the history."""
    folder = declare(tmp_path_factory.mktemp("current") / "w")
    _learn(folder, files)
    return folder


@pytest.fixture(scope="module")
def continued(current: Path, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Dump:
    """What that workspace holds after what comes next."""
    folder = tmp_path_factory.mktemp("continued") / "w"
    shutil.copytree(current, folder)
    _go_on(folder, files)
    return dump(sqlite_address(folder))


@pytest.fixture
def old(current: Path, tmp_path: Path) -> Path:
    """The workspace as the first version would have left it."""
    return _older(current, tmp_path / "old", EARLIER[0])


def _learn(folder: Path, files: Path) -> None:
    with Workspace.open(folder) as workspace:
        workspace.ingest(files / "history")
        workspace.train()
        workspace.score()


def _go_on(folder: Path, files: Path) -> None:
    with Workspace.open(folder) as workspace:
        workspace.ingest(files / "next", judge=True)


def _older(current: Path, folder: Path, revision: int) -> Path:
    shutil.copytree(current, folder, ignore=shutil.ignore_patterns("sereno.db*"))
    write_older_store(sqlite_address(current), sqlite_address(folder), revision)
    return folder


def _backups(folder: Path) -> list[Path]:
    return sorted((folder / "backups").glob("before-upgrade-*.tar.gz"))


@pytest.mark.parametrize("revision", EARLIER)
def test_store_of_every_earlier_version_is_upgraded_and_judges(
    current: Path, continued: Dump, files: Path, tmp_path: Path, revision: int
) -> None:
    folder = _older(current, tmp_path / "w", revision)
    before = dump(sqlite_address(folder))

    report = Workspace.upgrade(folder)

    assert (report.found, len(report.due)) == (revision, len(migrations_after(revision)))
    assert stored_schema(sqlite_address(folder)) == SCHEMA
    _go_on(folder, files)
    assert differences(dump(sqlite_address(folder)), continued) == {}
    (backup,) = _backups(folder)
    Workspace.restore(tmp_path / "again", backup)
    after = dump(sqlite_address(tmp_path / "again"))
    assert {name: _with_columns_of(before[name], after[name]) for name in before} == before


def _with_columns_of(known: list[Row], rows: list[Row]) -> list[Row]:
    """Rows without the columns that a later version added."""
    if not known or not rows or known == rows:
        return rows
    names = {name for row in known for name, _ in row}  # type: ignore[misc]
    return sorted((tuple(part for part in row if part[0] in names) for row in rows), key=repr)  # type: ignore[index]


def test_old_embedded_store_is_backed_up_and_upgraded_when_it_is_opened(old: Path) -> None:
    assert sereno("summary", workspace=old).code == 0

    assert stored_schema(sqlite_address(old)) == SCHEMA
    assert len(_backups(old)) == 1


def test_store_itself_never_migrates_silently(old: Path) -> None:
    before = dump(sqlite_address(old))

    with pytest.raises(StoreOlder, match="sereno upgrade"):
        open_store(sqlite_address(old))

    assert differences(dump(sqlite_address(old)), before) == {}
    assert stored_schema(sqlite_address(old)) == EARLIER[0]


def test_dry_run_says_what_is_due_and_changes_nothing(old: Path) -> None:
    document = sereno("upgrade", "--dry-run", "--json", workspace=old).document

    assert (document["found"], document["known"], document["backup"]) == (FIRST, NOW, None)
    assert [one["revision"] for one in document["due"]] == [r for r, _ in migrations_after(EARLIER[0])]
    assert all(one["about"] for one in document["due"])
    assert stored_schema(sqlite_address(old)) == EARLIER[0]
    assert not _backups(old)


def test_upgrade_says_how_far_it_is(old: Path) -> None:
    ran = sereno("upgrade", "--lang", "en", workspace=old)

    told = [line for line in ran.err.splitlines() if line.startswith("Migration ")]
    assert told == [f"Migration {revision} is done." for revision, _ in migrations_after(EARLIER[0])]
    assert ran.out.startswith(f"The store went from schema {FIRST} to {NOW}.")


def test_upgrade_of_what_is_up_to_date_does_nothing(current: Path) -> None:
    ran = sereno("upgrade", "--lang", "en", workspace=current)

    assert (ran.code, ran.out) == (0, f"The store is up to date (schema {NOW}).\n")
    assert not _backups(current)


@contextmanager
def _armed(points: str) -> Iterator[None]:
    arm(points)
    try:
        yield
    finally:
        disarm()


def test_failed_migration_leaves_the_store_as_it_was(old: Path) -> None:
    before = dump(sqlite_address(old))

    with _armed("migrate.before_commit:raise"), pytest.raises(UpgradeFailed) as failed:
        Workspace.upgrade(old)

    assert failed.value.facts["backup"] == str(_backups(old)[0])
    assert differences(dump(sqlite_address(old)), before) == {}
    assert Workspace.upgrade(old).due


@pytest.mark.parametrize("point", ["migrate.before_commit", "migrate.after_commit"])
def test_killed_upgrade_is_done_again(old: Path, continued: Dump, files: Path, point: str) -> None:
    env = environment(SERENO_FAILPOINT=f"{point}:kill", SERENO_TESTING="1")

    assert sereno("upgrade", workspace=old, env=env).code == -9

    assert stored_schema(sqlite_address(old)) == (SCHEMA if "after" in point else EARLIER[0])
    assert sereno("upgrade", workspace=old).code == 0
    _go_on(old, files)
    assert differences(dump(sqlite_address(old)), continued) == {}


def test_engine_of_the_old_version_refuses_an_upgrade(old: Path, current: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    # An engine of an earlier version holds the same lock; ours runs on a newer store in the same folder.
    shutil.move(old / "sereno.db", tmp_path / "old.db")
    shutil.copy(current / "sereno.db", old / "sereno.db")
    engine = start_sereno("watch", inbox, "--interval", 0.1, workspace=old)
    try:
        wait_until((old / ".engine.holder").is_file)
        for path in old.glob("sereno.db*"):  # a log that is left would be replayed into the old file
            path.unlink()
        shutil.move(tmp_path / "old.db", old / "sereno.db")

        with pytest.raises(EngineRunning):
            Workspace.upgrade(old)
    finally:
        engine.kill()
        engine.communicate()
    assert stored_schema(sqlite_address(old)) == EARLIER[0]


def test_only_the_last_automatic_backups_are_kept(current: Path, tmp_path: Path) -> None:
    folder = _older(current, tmp_path / "w", EARLIER[0])
    shutil.copy(folder / "sereno.db", tmp_path / "first.db")
    for _ in range(KEPT + 2):
        for path in folder.glob("sereno.db*"):
            path.unlink()
        shutil.copy(tmp_path / "first.db", folder / "sereno.db")
        Workspace.upgrade(folder)

    assert len(_backups(folder)) == KEPT


def test_newer_store_is_refused(current: Path, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    shutil.copytree(current, folder)
    with open_store(sqlite_address(folder)) as store, store.begin() as tx:
        tx._connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")

    with pytest.raises(StoreNewer):
        Workspace.upgrade(folder)


@pytest.mark.parametrize("revision", [EARLIER[0], EARLIER[-1]])
def test_server_s_store_is_upgraded_only_by_the_command(
    files: Path, postgres_server: str, tmp_path: Path, revision: int
) -> None:
    with fresh_database(postgres_server) as today, fresh_database(postgres_server) as url:
        now, folder = declare(tmp_path / "now", url=today), declare(tmp_path / "old", url=url)
        _learn(now, files)
        shutil.copytree(now / "models", folder / "models")
        write_older_store(today, url, revision)
        before = dump(url)

        with pytest.raises(StoreOlder):
            Workspace.open(folder)
        killed = environment(SERENO_FAILPOINT="migrate.before_commit:kill", SERENO_TESTING="1")
        assert sereno("upgrade", workspace=folder, env=killed).code == -9
        assert differences(dump(url), before) == {}
        assert sereno("upgrade", workspace=folder).code == 0

        _go_on(folder, files)
        _go_on(now, files)
        assert differences(dump(url), dump(today)) == {}
