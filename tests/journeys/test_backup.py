"""Promise: a backup made while others write is a state that existed, and restoring it is all or nothing."""

import gzip
import hashlib
import io
import json
import random
import shutil
import sqlite3
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sereno.domain.errors import (
    BackupCorrupt,
    BackupMisfit,
    BackupNewer,
    EngineRunning,
    WorkspaceNotEmpty,
)
from sereno.flows.backup import BackupReport
from sereno.flows.workspace import Workspace
from sereno.store.migrate import SCHEMA
from tests.journeys.worlds import MONTH_ROWS, declare, ingest_and_score, roofs, write_months
from tests.support.postgres import fresh_database
from tests.support.processes import environment, killed_after, sereno, start_sereno, wait_until
from tests.support.stores import Dump, count, differences, dump, sqlite_address


@dataclass(frozen=True)
class Learnt:
    """A workspace with a model and incidents, what is in it, and files that it has not read."""

    folder: Path
    store: Dump
    files: Path


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    """Three roofs that have learnt two months and judged the third."""
    folder = tmp_path_factory.mktemp("learnt")
    windows = roofs(months=5)
    write_months(folder / "history", [window.rows(0, 3 * MONTH_ROWS) for window in windows])
    write_months(folder / "files", windows, first=3)
    start = declare(folder / "start")
    with Workspace.open(start) as workspace:
        list(workspace.ingest(folder / "history"))
        workspace.train()
        workspace.score()
    return Learnt(start, dump(sqlite_address(start)), folder / "files")


@pytest.fixture
def archive(learnt: Learnt, tmp_path: Path) -> Path:
    """A backup of it."""
    return _backup(learnt.folder, tmp_path / "b.tar.gz").file


def _backup(folder: Path, file: Path) -> BackupReport:
    with Workspace.open(folder) as workspace:
        return workspace.backup(file)


def test_backup_restores_to_an_equal_workspace(learnt: Learnt, archive: Path, tmp_path: Path) -> None:
    report = Workspace.restore(tmp_path / "new", archive)

    assert report.kept is None
    assert differences(dump(sqlite_address(tmp_path / "new")), learnt.store) == {}
    assert _files(tmp_path / "new" / "models") == _files(learnt.folder / "models") != {}
    assert (tmp_path / "new" / "sereno.yaml").read_text() == (learnt.folder / "sereno.yaml").read_text()
    with Workspace.open(tmp_path / "new") as workspace:
        assert workspace.score().n_rows == 0
        assert workspace.model("solar") is not None


def test_backup_is_for_its_owner_only(archive: Path) -> None:
    assert archive.stat().st_mode & 0o077 == 0


def test_backup_into_a_folder_is_named_by_its_time(learnt: Learnt, tmp_path: Path) -> None:
    report = _backup(learnt.folder, tmp_path)

    assert report.file.parent == tmp_path
    assert report.file.name.startswith("sereno-20")


def test_backup_leaves_the_address_of_the_store_and_the_environment_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = declare(tmp_path / "w")
    address = f"sqlite:///{tmp_path / 's3cret-place' / 'x.db'}"
    with (workspace / "sereno.yaml").open("a") as settings:
        settings.write(f"store:\n  url: {address}\n# what follows is ours\nlanguage: es\n")
    monkeypatch.setenv("SERENO__TARIFF__CURRENCY", "XTS")

    report = _backup(workspace, tmp_path / "b.tar.gz")

    content = gzip.decompress(report.file.read_bytes())
    assert b"s3cret-place" not in content
    assert b"XTS" not in content
    assert b"# what follows is ours\nlanguage: es" in content


def test_every_backup_under_load_is_a_state_that_existed(learnt: Learnt, tmp_path: Path) -> None:
    busy = tmp_path / "busy"
    shutil.copytree(learnt.folder, busy)
    states = _Journal(sqlite_address(busy))
    with _ingesting(busy, learnt.files):
        reports = []
        while count(sqlite_address(busy), "file_ledger") < len(learnt.store["file_ledger"]) + 5:
            before = states.size()
            report = _backup(busy, tmp_path / f"{len(reports)}.tar.gz")
            reports.append((before, report, states.size()))
            time.sleep(0.05)

    assert len(reports) >= 3
    assert len({report.snapshot.counts["reading_solar"] for _, report, _ in reports}) >= 2
    chosen = [reports[0], reports[len(reports) // 2], reports[-1]]
    for number, (before, report, after) in enumerate(chosen):
        folder = tmp_path / f"restored-{number}"
        Workspace.restore(folder, report.file)
        restored = _Journal(sqlite_address(folder))
        assert before <= restored.size() <= after
        restored.check_whole()
        code, _ = killed_after(None, ingest_and_score, folder, learnt.files)
        assert code == 0
    ends = [dump(sqlite_address(tmp_path / f"restored-{n}")) for n in range(len(chosen))]
    code, _ = killed_after(None, ingest_and_score, busy, learnt.files)
    assert code == 0
    for end in ends:
        assert differences(end, dump(sqlite_address(busy))) == {}


class _Journal:
    """What can be said of a store at any moment while files are read into it."""

    def __init__(self, url: str) -> None:
        self._path = url.removeprefix("sqlite:///")

    def size(self) -> int:
        return self._ask("SELECT COUNT(*) FROM reading_solar")

    def check_whole(self) -> None:
        """Readings, judgement and the ledger moved together."""
        new = self._ask(
            "SELECT SUM((generation IS NOT NULL) + (consumption IS NOT NULL) + (self_consumption IS NOT NULL)"
            " + (export IS NOT NULL) + (import IS NOT NULL)) FROM reading_solar"
        )
        assert new == self._ask("SELECT SUM(n_new) FROM file_ledger")
        orphans = "SELECT COUNT(*) FROM incident WHERE id NOT IN (SELECT incident_id FROM incident_event)"
        assert self._ask(orphans) == 0

    def _ask(self, query: str) -> int:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            return int(connection.execute(query).fetchone()[0])


@contextmanager
def _ingesting(workspace: Path, files: Path) -> Iterator[None]:
    process = start_sereno("watch", files, "--interval", 0.1, workspace=workspace)
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def _files(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file()
    }


def test_restore_refuses_a_workspace_with_data(learnt: Learnt, archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    shutil.copytree(learnt.folder, target)

    with pytest.raises(WorkspaceNotEmpty):
        Workspace.restore(target, archive)

    assert differences(dump(sqlite_address(target)), learnt.store) == {}
    assert not (target / ".restore").exists()


def test_replacing_keeps_what_it_replaces(learnt: Learnt, archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    shutil.copytree(learnt.folder, target)
    with Workspace.open(target) as workspace:
        workspace.ingest(learnt.files)
    later = dump(sqlite_address(target))

    report = Workspace.restore(target, archive, replace=True)

    assert differences(dump(sqlite_address(target)), learnt.store) == {}
    assert report.kept is not None
    assert differences(dump(f"sqlite:///{report.kept / 'sereno.db'}"), later) == {}


def test_damaged_store_can_be_replaced(learnt: Learnt, archive: Path, tmp_path: Path) -> None:
    target = declare(tmp_path / "t")
    (target / "sereno.db").write_bytes(b"not a database" * 5000)

    Workspace.restore(target, archive, replace=True)

    assert differences(dump(sqlite_address(target)), learnt.store) == {}


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 0.9999])
def test_truncated_archive_is_refused(archive: Path, tmp_path: Path, share: float) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(BackupCorrupt):
        Workspace.restore(tmp_path / "new", archive)

    assert _left(tmp_path / "new") == set()


def test_flipped_bits_are_refused_unless_they_change_nothing(
    learnt: Learnt, archive: Path, tmp_path: Path
) -> None:
    content, chance, n_refused = archive.read_bytes(), random.Random(5), 0
    for number in range(60):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content)) if number else 4] ^= 1 << chance.randrange(8)
        archive.write_bytes(flipped)
        new = tmp_path / f"new{number}"
        if _says_the_same(flipped, content):
            Workspace.restore(new, archive)
            assert differences(dump(sqlite_address(new)), learnt.store) == {}
            continue
        with pytest.raises(BackupCorrupt):
            Workspace.restore(new, archive)
        n_refused += 1
        assert _left(new) == set()

    assert n_refused >= 38


def _says_the_same(flipped: bytes, content: bytes) -> bool:
    """The time in the header of gzip belongs to nothing, and what repeats can be copied from two places."""
    try:
        return gzip.decompress(flipped) == gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False


def _left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".engine.")}


HOSTILE = [
    "../out.txt",
    "/tmp/out.txt",
    "models/../../out.txt",
    "models\\..\\out.txt",
    "sereno.db",
    ".env",
    "",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(archive: Path, tmp_path: Path, name: str) -> None:
    def add(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        members[name] = b"x"
        manifest["files"][name] = {"bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}

    _rewrite(archive, add)

    with pytest.raises(BackupCorrupt):
        Workspace.restore(tmp_path / "new", archive)

    assert _left(tmp_path / "new") == set()
    assert not list(tmp_path.rglob("out.txt"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_links_and_devices_are_refused(archive: Path, tmp_path: Path, kind: bytes) -> None:
    _rewrite(archive, lambda _members, _manifest: None, kind=kind)

    with pytest.raises(BackupCorrupt):
        Workspace.restore(tmp_path / "new", archive)

    assert _left(tmp_path / "new") == set()


@pytest.mark.parametrize("change", [{"bytes": 3}, {"sha256": "0" * 64}])
def test_file_that_is_not_as_the_manifest_says_is_refused(
    archive: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    def lie(_members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["files"]["sereno.yaml"] |= change

    _rewrite(archive, lie)

    with pytest.raises(BackupCorrupt):
        Workspace.restore(tmp_path / "new", archive)


def test_missing_and_unknown_files_are_refused(archive: Path, tmp_path: Path) -> None:
    def lose(members: dict[str, bytes], _manifest: dict[str, Any]) -> None:
        del members["sereno.yaml"]

    _rewrite(archive, lose)

    with pytest.raises(BackupCorrupt, match=r"sereno\.yaml"):
        Workspace.restore(tmp_path / "new", archive)


def test_wrong_counts_are_refused(archive: Path, tmp_path: Path) -> None:
    def lie(_members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["store"]["counts"]["incident"] += 1

    _rewrite(archive, lie)

    with pytest.raises(BackupCorrupt, match="incident"):
        Workspace.restore(tmp_path / "new", archive)

    assert _left(tmp_path / "new") == set()


def test_newer_schema_is_refused_with_what_to_do(archive: Path, tmp_path: Path) -> None:
    def lie(_members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["store"]["schema"] = SCHEMA + 1

    _rewrite(archive, lie)

    with pytest.raises(BackupNewer, match="Upgrade sereno"):
        Workspace.restore(tmp_path / "new", archive)


def test_any_file_is_no_backup(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"Fecha;Consumo\n" * 99, gzip.compress(b"x" * 9000))):
        file = tmp_path / f"{number}.tar.gz"
        file.write_bytes(content)
        with pytest.raises(BackupCorrupt):
            Workspace.restore(tmp_path / "new", file)


def _rewrite(
    archive: Path,
    change: Callable[[dict[str, bytes], dict[str, Any]], None],
    *,
    kind: bytes = tarfile.REGTYPE,
) -> None:
    """The archive with other members; with a kind, its settings become a member of that kind."""
    with tarfile.open(archive) as tar:
        members = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in {"manifest.json": json.dumps(manifest).encode(), **members}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if name == "sereno.yaml" and kind != tarfile.REGTYPE:
                member.type, member.linkname, member.size = kind, "/etc/hostname", 0
            tar.addfile(member, io.BytesIO(content[: member.size]))


def test_running_engine_refuses_a_restore(learnt: Learnt, archive: Path, tmp_path: Path) -> None:
    target, inbox = tmp_path / "t", tmp_path / "inbox"
    shutil.copytree(learnt.folder, target)
    inbox.mkdir()
    engine = start_sereno("watch", inbox, "--interval", 0.1, workspace=target)
    wait_until((target / ".engine.holder").is_file)

    with pytest.raises(EngineRunning):
        Workspace.restore(target, archive, replace=True)

    engine.terminate()
    engine.communicate()
    assert engine.returncode == 0
    assert differences(dump(sqlite_address(target)), learnt.store) == {}


def test_open_store_refuses_a_restore(learnt: Learnt, archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    shutil.copytree(learnt.folder, target)

    with Workspace.open(target) as reader, reader.store.read() as tx:
        tx.n_rows()
        with pytest.raises(EngineRunning):
            Workspace.restore(target, archive, replace=True)

    assert differences(dump(sqlite_address(target)), learnt.store) == {}


@pytest.mark.parametrize("time_of_kill", [1, 2, 3, 4])
def test_killed_restore_is_completed_by_whoever_comes_next(
    learnt: Learnt, archive: Path, tmp_path: Path, time_of_kill: int
) -> None:
    target = tmp_path / "t"
    shutil.copytree(learnt.folder, target)
    with Workspace.open(target) as workspace:
        workspace.ingest(learnt.files)
    killed = environment(SERENO_FAILPOINT=f"restore.moved:kill@{time_of_kill}", SERENO_TESTING="1")

    assert sereno("restore", archive, "--replace", workspace=target, env=killed).code == -9

    assert sereno("summary", workspace=target).code == 0
    assert differences(dump(sqlite_address(target)), learnt.store) == {}
    assert _files(target / "models") == _files(learnt.folder / "models")
    assert not (target / ".restore").exists()


def test_restore_killed_while_it_unpacks_has_changed_nothing(
    learnt: Learnt, archive: Path, tmp_path: Path
) -> None:
    target, chance = tmp_path / "t", random.Random(3)
    shutil.copytree(learnt.folder, target)
    with Workspace.open(target) as workspace:
        workspace.ingest(learnt.files)
    later = dump(sqlite_address(target))

    for _ in range(5):
        killed_after(chance.uniform(0.0, 0.1), Workspace.restore, target, archive)
        found = dump(sqlite_address(target))
        assert differences(found, later) == {} or (target / ".restore" / "plan.json").exists()
    code, _ = killed_after(None, _restore_replacing, target, archive)

    assert code == 0
    assert differences(dump(sqlite_address(target)), learnt.store) == {}


def _restore_replacing(target: Path, archive: Path) -> None:
    Workspace.restore(target, archive, replace=True)


def test_backup_of_a_server_restores_into_another(
    learnt: Learnt, postgres_server: str, tmp_path: Path
) -> None:
    with fresh_database(postgres_server) as first, fresh_database(postgres_server) as second:
        source, target = declare(tmp_path / "a", url=first), declare(tmp_path / "b", url=second)
        _learn(source, learnt)
        wanted = dump(first)
        report = _backup(source, tmp_path / "b.tar.gz")

        Workspace.restore(target, report.file)

        assert differences(dump(second), wanted) == {}
        assert second in (target / "sereno.yaml").read_text()
        with Workspace.open(target) as workspace:
            assert workspace.score().n_rows == 0
            assert workspace.model("solar") is not None
            workspace.ingest(learnt.files, judge=True)
        with Workspace.open(source) as workspace:
            workspace.score()
            workspace.ingest(learnt.files, judge=True)
        assert differences(dump(second), dump(first)) == {}
        with pytest.raises(WorkspaceNotEmpty):
            Workspace.restore(target, report.file)
        Workspace.restore(target, report.file, replace=True)
        assert differences(dump(second), wanted) == {}


def test_killed_restore_of_a_server_is_undone(learnt: Learnt, postgres_server: str, tmp_path: Path) -> None:
    with fresh_database(postgres_server) as url:
        source = declare(tmp_path / "a", url=url)
        _learn(source, learnt)
        report = _backup(source, tmp_path / "b.tar.gz")
        with Workspace.open(source) as workspace:
            workspace.ingest(learnt.files)
        later = dump(url)
        killed = environment(SERENO_FAILPOINT="restore.filled:kill", SERENO_TESTING="1")

        assert sereno("restore", report.file, "--replace", workspace=source, env=killed).code == -9

        assert differences(dump(url), later) == {}
        assert sereno("restore", report.file, "--replace", workspace=source).code == 0
        assert count(url, "file_ledger") < len(later["file_ledger"])


def test_server_s_backup_under_load_is_one_state(
    learnt: Learnt, postgres_server: str, tmp_path: Path
) -> None:
    with fresh_database(postgres_server) as url, fresh_database(postgres_server) as other:
        source, target = declare(tmp_path / "a", url=url), declare(tmp_path / "b", url=other)
        _learn(source, learnt)
        before = dump(url)
        with _ingesting(source, learnt.files):
            wait_until(lambda: count(url, "file_ledger") > len(before["file_ledger"]))
            reports = [_backup(source, tmp_path / f"{n}.tar.gz") for n in range(3)]

        for report in reports:
            Workspace.restore(target, report.file, replace=True)
            with Workspace.open(target) as workspace:
                workspace.ingest(learnt.files, judge=True)
                workspace.score()
            found = dump(other)
            assert count(other, "file_ledger") == len(before["file_ledger"]) + 6
            assert sum(dict(row)["n_new"] for row in found["file_ledger"]) == 5 * len(found["reading_solar"])  # type: ignore[misc, call-overload, arg-type]


def _learn(workspace: Path, learnt: Learnt) -> None:
    with Workspace.open(workspace) as opened:
        opened.ingest(learnt.files.parent / "history")
        opened.train()
        opened.score()


def test_backup_of_one_kind_does_not_fill_the_other(
    archive: Path, postgres_server: str, tmp_path: Path
) -> None:
    with fresh_database(postgres_server) as url:
        target = declare(tmp_path / "b", url=url)

        with pytest.raises(BackupMisfit, match="sqlite"):
            Workspace.restore(target, archive)


def test_commands_say_what_they_did(learnt: Learnt, tmp_path: Path) -> None:
    file, new = tmp_path / "b.tar.gz", tmp_path / "new"

    backed_up = sereno("backup", file, "--json", workspace=learnt.folder).document
    restored = sereno("restore", file, "--json", workspace=new).document
    refused = sereno("restore", tmp_path / "none.tar.gz", "--json", workspace=new)

    assert backed_up["rows"] == restored["rows"]
    assert backed_up["rows"]["reading_solar"] == len(learnt.store["reading_solar"])
    assert (restored["kind"], restored["schema"], restored["kept"]) == ("sqlite", f"{SCHEMA:04d}", None)
    assert refused.code == 3
    assert "completa" in sereno("backup", file, "--lang", "es", workspace=learnt.folder).out


def test_backups_made_at_once_do_not_meet(learnt: Learnt, tmp_path: Path) -> None:
    reports: list[BackupReport] = []
    threads = [
        threading.Thread(target=lambda n=n: reports.append(_backup(learnt.folder, tmp_path / f"{n}.tar.gz")))
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [report.snapshot.counts for report in reports] == [reports[0].snapshot.counts] * 3


@pytest.mark.parametrize(
    "store",
    [{}, {"schema": "x"}, {"counts": 3}, {"readings": [1]}, {"columns": {"asset; DROP TABLE x": ["id"]}}],
    ids=str,
)
def test_manifest_that_makes_no_sense_is_refused(
    archive: Path, tmp_path: Path, store: dict[str, object]
) -> None:
    def lie(_members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["store"] = manifest["store"] | store if store else None

    _rewrite(archive, lie)

    with pytest.raises(BackupCorrupt):
        Workspace.restore(tmp_path / "new", archive)

    assert _left(tmp_path / "new") == set()


def test_store_that_lies_elsewhere_is_restored_to_its_place(
    learnt: Learnt, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    address = f"sqlite:///{tmp_path / 'elsewhere' / 'roofs.db'}"
    target = declare(tmp_path / "t", url=address)

    Workspace.restore(target, archive)

    assert differences(dump(address), learnt.store) == {}
    assert not (target / "sereno.db").exists()
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} == {"roofs.db"}
    assert address in (target / "sereno.yaml").read_text()
