"""Promise: `watch` takes finished files, each once by its content, and only a person or a signal stops it."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sereno.flows.workspace import Workspace
from tests.journeys.worlds import declare, roofs, watch_once, write_rows
from tests.support.builders import NAN, with_cells
from tests.support.processes import (
    Ran,
    environment,
    killed_after,
    sereno,
    start_sereno,
    wait_until,
    without_privileges,
)
from tests.support.stores import count, differences, dump, sqlite_address

WINDOW = roofs(months=2, sites=1)[0]
WATCH = ("watch", "--interval", 0.1)
SETTLED = (1_700_000_000, 1_700_000_000)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with its zone declared, and an inbox beside it."""
    (tmp_path / "inbox").mkdir()
    return declare(tmp_path / "w")


@pytest.fixture
def inbox(workspace: Path) -> Path:
    """The folder that is watched."""
    return workspace.parent / "inbox"


def test_half_written_file_is_taken_when_it_rests(workspace: Path, inbox: Path) -> None:
    text = write_rows(workspace / "whole.csv", WINDOW.rows(0, 100), tail=()).read_bytes()
    half = text[: len(text) // 2]
    n_above = text.count(b"\n") - 100
    n_half = half.count(b"\n") - n_above
    with _watching(workspace, inbox):
        with (inbox / "Planta_1.csv").open("wb") as file:
            file.write(half)
            file.flush()
            _see_another_file(workspace, inbox, "Planta_2.csv")
            n_while_written = _n_rows(workspace, "Planta_1")
            file.write(text[len(half) :])
        wait_until(lambda: _n_rows(workspace, "Planta_1") == 100)

    assert n_while_written in {0, n_half, n_half + 1}  # the row that was cut may be one
    assert count(sqlite_address(workspace), "quarantined_row") <= 1


def test_file_being_written_on_and_on_is_not_taken(workspace: Path, inbox: Path) -> None:
    lines = write_rows(workspace / "whole.csv", WINDOW.rows(0, 2000), tail=()).read_text("utf-8").splitlines()
    other = workspace / "Planta_2.csv"
    write_rows(other, WINDOW.rows(0, 5), tail=())
    os.utime(other, SETTLED)
    with _written_on_and_on(inbox / "Planta_1.csv", lines), _watching(workspace, inbox):
        other.replace(inbox / other.name)
        wait_until(lambda: _n_rows(workspace, "Planta_2") == 5)
        n_while_written = _n_rows(workspace, "Planta_1")

    assert n_while_written == 0


@contextmanager
def _written_on_and_on(path: Path, lines: list[str]) -> Iterator[None]:
    """Somebody writes a line every 20 ms, whatever else takes its time meanwhile."""
    over = threading.Event()

    def write() -> None:
        with path.open("w") as file:
            for line in lines:
                file.write(f"{line}\n")
                file.flush()
                if over.wait(0.02):
                    return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_file_renamed_into_the_folder_is_taken_and_partial_names_are_not(
    workspace: Path, inbox: Path
) -> None:
    whole = write_rows(workspace / "Planta_1.csv", WINDOW.rows(0, 20), tail=())
    for name in ("Planta_2.csv.part", "Planta_3.csv.tmp", ".Planta_4.csv"):
        shutil.copyfile(whole, inbox / name)
        os.utime(inbox / name, SETTLED)
    os.utime(whole, SETTLED)
    with _watching(workspace, inbox):
        whole.replace(inbox / whole.name)
        wait_until(lambda: _sites(workspace) == {"Planta_1"})

        (inbox / "Planta_2.csv.part").replace(inbox / "Planta_2.csv")
        _see_another_file(workspace, inbox, "Planta_5.csv")

    # The same content under another name is known: it adds nothing, not even an asset.
    assert _sites(workspace) == {"Planta_1", "Planta_5"}


def test_file_with_more_rows_adds_only_those(workspace: Path, inbox: Path) -> None:
    path = inbox / "Planta_1.csv"
    with _watching(workspace, inbox):
        write_rows(path, WINDOW.rows(0, 20), tail=())
        wait_until(lambda: _n_rows(workspace, "Planta_1") == 20)

        write_rows(path, WINDOW.rows(0, 30), tail=())
        wait_until(lambda: _n_rows(workspace, "Planta_1") == 30)

    ledger = dump(sqlite_address(workspace))["file_ledger"]
    assert sorted(dict(row)["n_new"] for row in ledger) == [50, 100]
    assert count(sqlite_address(workspace), "superseded_reading") == 0


def test_same_content_is_known_after_a_restart(workspace: Path, inbox: Path) -> None:
    path = _settled(write_rows(inbox / "Planta_1.csv", WINDOW.rows(0, 20), tail=()))
    first = _once(workspace, inbox)
    before = dump(sqlite_address(workspace))
    shutil.copy2(path, inbox / "Planta_9.csv")

    second = _once(workspace, inbox)

    assert [entry["readings_new"] for entry in first.document["files"]] == [100]
    assert [entry["readings_new"] for entry in second.document["files"]] == [0, 0]
    assert differences(dump(sqlite_address(workspace)), before) == {}


def test_bad_files_do_not_stop_the_others(workspace: Path, inbox: Path) -> None:
    (inbox / "a_empty.csv").touch()
    (inbox / "b_binary.csv").write_bytes(bytes(range(256)) * 64)
    (inbox / "c_columns.csv").write_text("x;y\n1;2\n3;4\n")
    (inbox / "d_dates.csv").write_text("Fecha,Generación total\nayer,1\nhoy,2\n", "utf-8")
    (inbox / "e_cut.csv.gz").write_bytes(b"\x1f\x8b\x08\x00broken")
    (inbox / "f_folder.csv").mkdir()
    write_rows(inbox / "z_Planta.csv", WINDOW.rows(0, 20), tail=())
    for path in inbox.iterdir():
        os.utime(path, SETTLED)

    done = _once(workspace, inbox)

    assert done.code == 0
    verdicts = {Path(entry["file"]).name: entry["verdict"] for entry in done.document["files"]}
    assert verdicts.pop("z_Planta.csv") in {"ok", "warnings"}
    assert verdicts == dict.fromkeys(
        ["a_empty.csv", "b_binary.csv", "c_columns.csv", "d_dates.csv", "e_cut.csv.gz"], "refused"
    )
    assert _n_rows(workspace, "z_Planta") == 20


def test_unreadable_file_does_not_stop_the_others(workspace: Path, inbox: Path) -> None:
    _settled(write_rows(inbox / "a_secret.csv", WINDOW.rows(0, 20), tail=()))
    _settled(write_rows(inbox / "Planta_1.csv", WINDOW.rows(20, 40), tail=()))
    (inbox / "a_secret.csv").chmod(0)

    done = _once(workspace, inbox, **without_privileges())

    verdicts = {Path(entry["file"]).name: entry["verdict"] for entry in done.document["files"]}
    assert done.code == 0
    assert verdicts["a_secret.csv"] == "refused"
    assert verdicts["Planta_1.csv"] != "refused"


def test_link_out_of_the_folder_is_not_followed(workspace: Path, inbox: Path) -> None:
    outside = write_rows(workspace / "Planta_9.csv", WINDOW.rows(0, 20), tail=())
    (inbox / "Planta_9.csv").symlink_to(outside)
    (inbox / "folder").symlink_to(workspace)
    _settled(write_rows(inbox / "Planta_1.csv", WINDOW.rows(0, 10), tail=()))

    done = sereno("watch", inbox, "--once", "--json", "--pattern", "**/*.csv", workspace=workspace)

    assert [Path(entry["file"]).name for entry in done.document["files"]] == ["Planta_1.csv"]
    assert _sites(workspace) == {"Planta_1"}


def test_pattern_chooses_the_files(workspace: Path, inbox: Path) -> None:
    _settled(write_rows(inbox / "datos_Planta_1.csv", WINDOW.rows(0, 10), tail=()))
    _settled(write_rows(inbox / "otros_Planta_2.csv", WINDOW.rows(0, 10), tail=()))

    done = sereno("watch", inbox, "--once", "--json", "--pattern", "datos_*.csv", workspace=workspace)

    assert [Path(entry["file"]).name for entry in done.document["files"]] == ["datos_Planta_1.csv"]


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", "Another sereno engine already runs"), ("es", "Otro motor de sereno")]
)
def test_second_engine_is_refused(workspace: Path, inbox: Path, language: str, sentence: str) -> None:
    with _watching(workspace, inbox):
        second = sereno("watch", inbox, "--once", "--json", "--lang", language, workspace=workspace)

    assert second.code == 5
    assert second.error["code"] == "store.engine_running"
    assert sentence in second.err


def test_lease_ends_with_a_killed_engine(workspace: Path, inbox: Path) -> None:
    first = _started(workspace, inbox)
    first.kill()
    first.communicate()

    assert _once(workspace, inbox).code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signal_ends_it_cleanly(workspace: Path, inbox: Path, number: int, code: int) -> None:
    process = _started(workspace, inbox)

    process.send_signal(number)
    _, err = process.communicate(timeout=20)

    assert process.returncode == code
    assert "Traceback" not in err
    assert not (workspace / ".engine.holder").exists()


def test_signal_ends_it_between_two_long_looks(workspace: Path, inbox: Path) -> None:
    process = _started(workspace, inbox, "--interval", 3600)

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)

    assert process.returncode == 0


def test_sources_of_the_settings_are_watched(workspace: Path, inbox: Path) -> None:
    with (workspace / "sereno.yaml").open("a") as settings:
        settings.write(f"sources: {{rooftops: {{path: '{inbox}', pattern: '*.csv', interval: 1s}}}}\n")
    _settled(write_rows(inbox / "Planta_1.csv", WINDOW.rows(0, 10), tail=()))

    done = sereno("watch", "--once", "--json", workspace=workspace)

    assert (done.code, len(done.document["files"])) == (0, 1)


@pytest.mark.parametrize("folder", [(), ("missing",)], ids=["no folder", "missing folder"])
def test_nothing_to_watch_is_a_usage_error(workspace: Path, folder: tuple[str, ...]) -> None:
    done = sereno("watch", *folder, "--once", "--json", workspace=workspace)

    assert (done.code, done.error["code"]) == (2, "usage")


def test_late_file_is_judged_in_its_place(workspace: Path, inbox: Path) -> None:
    roof = roofs(months=3, sites=1)[0]
    parts = [roof.rows(0, 720), roof.rows(720, 1440), roof.rows(1440, 2160)]
    parts[1] = with_cells(parts[1], slice(100, 340), slice(None), NAN)
    parts[2] = with_cells(parts[2], slice(10, 200), "import", 99.0)
    history = write_rows(workspace.parent / "Planta_1_h.csv", parts[0], tail=())
    with Workspace.open(workspace) as opened:
        list(opened.ingest(history))
        opened.train()
        opened.score()
    for name in ("ordered", "late"):
        shutil.copytree(workspace, workspace.parent / name)

    for name, order in (("ordered", (1, 2)), ("late", (2, 1))):
        for part in order:
            _settled(write_rows(inbox / f"Planta_1_{part}.csv", parts[part], tail=()))
            assert killed_after(None, watch_once, workspace.parent / name, inbox)[0] == 0
        for path in inbox.iterdir():
            path.unlink()

    ordered, late = (
        dump(sqlite_address(workspace.parent / name), with_history=False) for name in ("ordered", "late")
    )
    assert len(ordered["incident"]) >= 2
    assert differences(late, ordered) == {}


@contextmanager
def _watching(workspace: Path, inbox: Path) -> Iterator[None]:
    process = _started(workspace, inbox)
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def _started(workspace: Path, inbox: Path, *options: object) -> "subprocess.Popen[str]":
    process = start_sereno(*WATCH, inbox, *options, workspace=workspace, env=environment())
    wait_until((workspace / ".engine.holder").exists)
    return process


def _once(workspace: Path, inbox: Path, **options: object) -> Ran:
    return sereno("watch", inbox, "--once", "--json", workspace=workspace, **options)


def _settled(path: Path) -> Path:
    """The file, as if it had been written long ago."""
    os.utime(path, SETTLED)
    return path


def _see_another_file(workspace: Path, inbox: Path, name: str) -> None:
    """Wait until the watch has looked at the folder again."""
    start = np.random.default_rng(len(name)).integers(100, 400)
    path = write_rows(workspace / name, WINDOW.rows(int(start), int(start) + 5), tail=())
    os.utime(path, SETTLED)
    path.replace(inbox / name)
    wait_until(lambda: path.stem in _sites(workspace))


def _sites(workspace: Path) -> set[object]:
    if not (workspace / "sereno.db").exists():
        return set()
    return {row[0] for row in dump(sqlite_address(workspace))["asset"]}


def _n_rows(workspace: Path, site: str) -> int:
    readings = dump(sqlite_address(workspace)).get("reading_solar", [])
    return sum(dict(row)["asset_id"][0] == site for row in readings)  # type: ignore[index]
