"""Watching a folder as the guide does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compat.fleet import Recorder, days_of, write_csv

WAIT_S = 20.0


@contextmanager
def _watching(system: Recorder, folder: Path) -> Iterator[threading.Event]:
    """The watch in a thread; the event is set at each file that is done."""
    stop, done = threading.Event(), threading.Event()
    tell = system._say

    def listen(key: str, **facts: object) -> None:
        tell(key, **facts)
        if key in ("compat.file_done", "compat.file_refused"):
            done.set()

    system._say = listen
    thread = threading.Thread(
        target=system.monitorear_carpeta, args=(folder, "datos_*.csv", 0.1), kwargs={"detener": stop}
    )
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join(WAIT_S)


def _drop(folder: Path, name: str, rows: list[tuple], done: threading.Event, **options: bool) -> None:
    done.clear()
    partial = write_csv(folder / f"{name}.part", rows, **options)
    partial.rename(folder / f"{name}.csv")
    assert done.wait(WAIT_S)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "datos_entrantes"
    folder.mkdir()
    return folder


def test_watch_alerts_each_new_file_and_survives_a_bad_one(system: Recorder, inbox: Path) -> None:
    rows = days_of("NEUROCIENCIAS", 5, factors={3: 5.0})
    with _watching(system, inbox) as done:
        _drop(inbox, "datos_mala", [("basura",)], done)
        _drop(inbox, "datos_NEUROCIENCIAS", rows, done)

    assert [(a["empresa"], a["fecha_dato"]) for a in system.sent] == [("NEUROCIENCIAS", rows[3][0])]


def test_watch_remembers_after_a_restart_and_growing_files_alert_new_rows_only(
    system: Recorder, beside: Path, inbox: Path, open_system: Callable[[Path], Recorder]
) -> None:
    rows = days_of("NEUROCIENCIAS", 8, factors={3: 5.0, 7: 5.0})
    with _watching(system, inbox) as done:
        _drop(inbox, "datos_NEUROCIENCIAS", rows[:5], done)
    system.cerrar()
    again = open_system(beside)

    with _watching(again, inbox) as done:
        _drop(inbox, "datos_NEUROCIENCIAS", rows, done)

    assert [a["fecha_dato"] for a in system.sent] == [rows[3][0]]
    assert [a["fecha_dato"] for a in again.sent] == [rows[7][0]]


def test_watched_file_without_unit_row_is_in_wh(system: Recorder, inbox: Path) -> None:
    with _watching(system, inbox) as done:
        _drop(inbox, "datos_NEUROCIENCIAS", days_of("NEUROCIENCIAS", 5), done, has_units=False)

    assert system.sent == []
    assert [v for v in system._opened().incidents() if v.incident.condition.value == "active"] == []
