"""The watch in processes that are killed, each with its imports behind it so that kills land in its work."""

import hashlib
import json
import multiprocessing
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["Watch", "contents", "readings_lost"]

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["sereno.cli.app", "sereno.cli.watching", "sklearn.ensemble", "rich.console"]
)
AT_WORK = b"Watching"
"""What it says in English when it begins; the folder is looked at right after."""
START_S = 60.0
# What belongs to a run and not to what was read: the machine's clock, delivery, who worked when.
OUTBOX = frozenset({"notification", "delivery_attempt", "receiver_state", "timer"})
_SKIPPED = OUTBOX | {
    "alembic_version",
    "audit_entry",
    "brought",
    "change",
    "lease",
    "metric",
    "sqlite_sequence",
    "succession",
}
_CLOCKS = frozenset({"at", "opened_at", "trained_at"})


class Watch:
    """One `sereno watch` over a folder, as the command line runs it.

    Args:
        said: File for its stderr, which names each file once it is stored.
    """

    def __init__(self, workspace: Path, inbox: Path, said: Path, *, is_once: bool = False) -> None:
        words = [
            "--workspace",
            str(workspace),
            "watch",
            str(inbox),
            "--pattern",
            "*.csv",
            "--interval",
            "0.1",
        ]
        arguments = [*words, "--once"] if is_once else words
        self._said = said
        self._n_before = said.stat().st_size if said.exists() else 0
        self._process = _PROCESSES.Process(target=_run, args=(arguments, dict(os.environ), said), daemon=True)
        self._process.start()

    def wait_for_work(self) -> bool:
        """Wait until it has started and looks at its folder; False if it never does."""
        deadline = time.monotonic() + START_S
        while self._process.exitcode is None and time.monotonic() < deadline:
            if self._said.exists() and AT_WORK in self._said.read_bytes()[self._n_before :]:
                return True
            time.sleep(0.005)
        return False

    def kill(self, after_s: float) -> bool:
        """Kill -9 after so many seconds; False if it had ended before."""
        self._process.join(after_s)
        was_alive = self._process.exitcode is None
        self._process.kill()
        self._process.join()
        return was_alive

    def wait(self, is_done: Callable[[], bool], timeout_s: float) -> bool:
        """Let it work until something is so, then ask it to end; False if it never was.

        Raises:
            RuntimeError: It ended by itself.
        """
        deadline = time.monotonic() + timeout_s
        found = False
        while not found and self._process.exitcode is None and time.monotonic() < deadline:
            found = is_done()
            time.sleep(0.05)
        if self._process.exitcode is not None:
            said = self._said.read_text("utf-8", "replace").splitlines()[-5:]
            raise RuntimeError(f"the watch ended by itself ({self._process.exitcode}): {' | '.join(said)}")
        self._process.terminate()
        self._process.join(timeout_s)
        if self._process.exitcode is None:
            self._process.kill()
        self._process.join()
        return found

    def acknowledged(self) -> set[str]:
        """Names of the files that it said were stored; a line that the kill cut counts for nothing."""
        lines = self._said.read_text("utf-8", "replace").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n") and " +" in line]
        return {Path(line.partition(".csv: ")[0] + ".csv").name for line in whole if ".csv: " in line}


def _run(words: list[str], environment: Mapping[str, str], said: Path) -> None:
    os.environ.clear()
    os.environ.update({**environment, "LANG": "en_US.UTF-8"})
    with said.open("a", encoding="utf-8", buffering=1) as stderr:
        sys.stderr = stderr
        from sereno.cli import main

        sys.exit(main(words))


def readings_lost(database: Path, files: Iterator[Path] | list[Path]) -> int:
    """Rows of files that were acknowledged and are not in the store."""
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        sites = "SELECT site.name, asset.id FROM asset JOIN site ON site.id = asset.site_id"
        ids = dict(connection.execute(sites).fetchall())
        return sum(_rows_lost(connection, ids, file) for file in files)


def _rows_lost(connection: sqlite3.Connection, ids: Mapping[str, int], file: Path) -> int:
    wanted = {_micros(line) for line in file.read_text("utf-8").splitlines()[2:] if not line.startswith("99")}
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    state = connection.execute("SELECT status FROM file_ledger WHERE sha256 = ?", (digest,)).fetchone()
    if state != ("done",):
        return len(wanted)
    asset = ids[file.name.rpartition("_")[0]]
    query = "SELECT ts FROM reading_solar WHERE asset_id = ? AND ts BETWEEN ? AND ?"
    found = {ts for (ts,) in connection.execute(query, (asset, min(wanted), max(wanted)))}
    return len(wanted - found)


def _micros(line: str) -> int:
    at = datetime.strptime(line.partition(",")[0], "%d.%m.%Y %H:%M").replace(tzinfo=UTC)
    return round(at.timestamp()) * 1_000_000


def contents(database: Path) -> dict[str, list[str]]:
    """Every row of every table in one order, without clocks, delivery and numbers that count insertions."""
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: sorted(_plain(name, row) for row in connection.execute(f'SELECT * FROM "{name}"'))
            for (name,) in tables
            if name not in _SKIPPED
        }


def _plain(table: str, row: sqlite3.Row) -> str:
    left_out = _CLOCKS | ({"id"} if table == "detection" else frozenset())
    kept = {name: row[name] for name in row.keys() if name not in left_out}  # noqa: SIM118 - not a dict
    if table == "file_ledger":
        report = json.loads(kept["report"])
        kept["report"] = json.dumps(report | {"file": Path(report["file"]).name}, sort_keys=True)
    return repr(sorted((name, str(value)) for name, value in kept.items()))
