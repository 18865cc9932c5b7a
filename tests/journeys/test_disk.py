"""Promise: a full disk is no acknowledgement, no crash and no loss; what was acknowledged was on the disk."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sereno.flows import room
from sereno.flows.room import RoomLook
from sereno.flows.workspace import Workspace
from tests.journeys.worlds import declare, roofs, write_months
from tests.support.disks import fill_disk, small_disk
from tests.support.processes import environment, sereno, start_sereno, wait_until
from tests.support.stores import count, differences, dump, sqlite_address

DISK_BYTES = 12 * 2**20
LEFT_BYTES = 120_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


def test_full_disk_is_waited_for_and_nothing_is_lost(disk: Path, tmp_path: Path) -> None:
    windows = roofs(months=4, sites=2)
    files = write_months(tmp_path / "files", windows)
    calm, workspace = declare(tmp_path / "calm"), declare(disk / "w")
    for folder in (calm, workspace):
        with Workspace.open(folder) as opened:
            opened.ingest(*files[:2], judge=True)
    with Workspace.open(calm) as opened:
        opened.ingest(*files, judge=True)
    n_before = count(sqlite_address(workspace), "file_ledger")
    (tmp_path / "inbox").mkdir()
    fill_disk(disk / "ballast", leave=LEFT_BYTES)
    watch = start_sereno("watch", tmp_path / "inbox", "--interval", 0.1, workspace=workspace)
    try:
        assert watch.stderr is not None
        for file in files[2:]:
            shutil.copy2(file, tmp_path / "inbox" / f".{file.name}")
            (tmp_path / "inbox" / f".{file.name}").rename(tmp_path / "inbox" / file.name)
        while "store not available" not in (line := watch.stderr.readline()):
            assert watch.poll() is None, line
            assert " +" not in line

        n_full = count(sqlite_address(workspace), "file_ledger")
        (disk / "ballast").unlink()
        wait_until(lambda: count(sqlite_address(workspace), "file_ledger") == len(files), timeout=60)
        assert watch.poll() is None
    finally:
        watch.terminate()
        watch.communicate()

    assert n_full == n_before
    assert differences(dump(sqlite_address(workspace)), dump(sqlite_address(calm))) == {}


def test_command_on_a_full_disk_says_so_and_can_be_repeated(disk: Path, tmp_path: Path) -> None:
    files = write_months(tmp_path / "files", roofs(months=1, sites=2))
    workspace = declare(disk / "w")
    with Workspace.open(workspace) as opened:
        opened.ingest(files[0])
    before = dump(sqlite_address(workspace))
    fill_disk(disk / "ballast", leave=LEFT_BYTES)

    refused = sereno("ingest", files[1], "--json", workspace=workspace)

    assert (refused.code, refused.error["code"]) == (5, "store.disk_full")
    assert differences(dump(sqlite_address(workspace)), before) == {}
    (disk / "ballast").unlink()
    assert sereno("ingest", files[1], workspace=workspace).code == 0
    assert count(sqlite_address(workspace), "file_ledger") == 2


def test_backup_on_a_full_disk_leaves_no_archive(disk: Path, tmp_path: Path) -> None:
    workspace = declare(tmp_path / "w")
    with Workspace.open(workspace) as opened:
        opened.ingest(*write_months(tmp_path / "files", roofs(months=1, sites=2)))
    fill_disk(disk / "ballast", leave=LEFT_BYTES)

    refused = sereno("backup", disk / "b.tar.gz", "--json", workspace=workspace)

    assert (refused.code, refused.error["code"]) == (5, "store.disk_full")
    assert [path.name for path in disk.iterdir()] == ["ballast"]


def test_disk_that_is_almost_full_is_said_once_and_by_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = shutil.disk_usage(tmp_path).free
    look = RoomLook(declare(tmp_path / "w"))
    for limit in (free // 2, 2 * free, 2 * free, free // 2, 2 * free):
        monkeypatch.setattr(room, "LOW_DISK_BYTES", limit)
        look.look()

    said = [record for record in caplog.records if record.message == "disk almost full"]
    assert len(said) == 2
    assert said[0].folder == str(tmp_path / "w")  # type: ignore[attr-defined]


def test_doctor_names_a_disk_that_is_almost_full(disk: Path) -> None:
    ran = sereno("doctor", "--json", workspace=declare(disk / "w"))

    found = {one["name"]: one["ok"] for one in ran.document["findings"]}
    assert (ran.code, found["free disk"]) == (5, False)


SYNC = re.compile(r"\b(?:fsync|fdatasync)\(\d+<[^>]*-wal>\)\s*=\s*0")
WRITE = re.compile(r"\b(?:pwrite64|write)\(\d+<[^>]*-wal>")
TOLD = re.compile(r"\bwrite\(2<.*\.csv.*\+\d")


def test_log_is_synced_before_a_file_is_acknowledged(tmp_path: Path) -> None:
    """Kill -9 cannot show this: what the system holds in memory survives a process, and no power cut."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed: that a sync comes before an acknowledgement was not shown")
    files = write_months(tmp_path / "files", roofs(months=1, sites=2))
    workspace, trace = declare(tmp_path / "w"), tmp_path / "trace"
    command = [
        strace,
        "-f",
        "-y",
        "-s",
        "400",
        "-o",
        str(trace),
        "-e",
        "trace=write,pwrite64,fsync,fdatasync",
    ]
    ingest = [sys.executable, "-m", "sereno", "--workspace", str(workspace), "ingest", *map(str, files)]
    done = subprocess.run([*command, *ingest], env=environment(), check=False, capture_output=True, text=True)
    if done.returncode != 0 and "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.splitlines()[0]}")

    assert done.returncode == 0, done.stderr
    n_synced, n_acknowledged, is_dirty = 0, 0, False
    for line in trace.read_text(errors="replace").splitlines():
        if WRITE.search(line):
            is_dirty = True
        elif SYNC.search(line):
            is_dirty, n_synced = False, n_synced + 1
        elif TOLD.search(line):
            n_acknowledged += 1
            assert n_synced >= n_acknowledged
            assert not is_dirty, f"acknowledged before its log was synced: {line}"
    assert n_acknowledged == len(files)
