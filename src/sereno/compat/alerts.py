"""Alerts as the guide writes them, and the two files that keep them.

`alertas_historial.json` holds the last 1,000 and is replaced whole, so that it is never half-written.
`alertas_criticas.json` holds every critical one and only grows: a new one is written over the closing
bracket, so that its cost does not depend on how many there are. Both are plain JSON lists with an alert per
line.
"""

import json
import os
import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from sereno.compat.verdict import Verdict

__all__ = ["Alert", "AlertFiles", "make_alert"]

Alert = dict[str, object]

HISTORY_FILE = "alertas_historial.json"
CRITICAL_FILE = "alertas_criticas.json"
MAX_HISTORY = 1_000
CRITICAL = "CRÍTICA"
_LOCK_FILE = ".alertas.lock"
_DAMAGED = ".damaged"
_TAIL_BYTES = 64


def make_alert(
    verdict: Verdict,
    *,
    company: str,
    data_date: str,
    energies: Mapping[str, float | None],
    elapsed_ms: float,
    now: datetime,
) -> Alert:
    """An alert with exactly the fields of the guide.

    Args:
        data_date: Date of the record, `dd.MM.yyyy`, with the hour where there is one.
        energies: The three values that the guide shows [Wh].
        now: When it was detected; written in the machine's local time, as the guide does.
    """
    return {
        "timestamp": now.astimezone().replace(tzinfo=None).isoformat(timespec="seconds"),
        "fecha_dato": data_date,
        "empresa": company,
        "es_anomalia": verdict.is_anomaly,
        "score": verdict.score,
        "severidad": verdict.severity,
        "datos": dict(energies),
        "tiempo_prediccion_ms": elapsed_ms,
    }


class AlertFiles:
    """The two alert files of a folder; threads and processes may write at the same time."""

    def __init__(self, folder: Path) -> None:
        self._history = folder / HISTORY_FILE
        self._critical = folder / CRITICAL_FILE
        self._lines: deque[bytes] = deque(maxlen=MAX_HISTORY)
        self._known_state: tuple[int, ...] = ()
        self._mutex = threading.Lock()
        self._lock = FileLock(folder / _LOCK_FILE)

    def load(self) -> list[str]:
        """Read the history; returns the names of files that were damaged and set aside."""
        with self._mutex, self._lock:
            damaged = [path.name for path in (self._history, self._critical) if not _is_sound(path)]
            for name in damaged:
                _set_aside(self._history.with_name(name))
            self._refresh()
        return damaged

    def add(self, *alerts: Alert) -> None:
        """Keep alerts, all at once; they are in the files when this returns."""
        if not alerts:
            return
        with self._mutex, self._lock:
            self._refresh()
            self._lines.extend(_line(alert) for alert in alerts)
            _replace(self._history, _listing(self._lines))
            self._known_state = _state(self._history)
            for alert in alerts:
                if alert["severidad"] == CRITICAL:
                    _append(self._critical, _line(alert))

    def entries(self) -> list[Alert]:
        """The history, oldest first."""
        with self._mutex, self._lock:
            self._refresh()
            return [json.loads(line) for line in self._lines]

    def _refresh(self) -> None:
        """Take over what another process wrote."""
        state = _state(self._history)
        if state == self._known_state:
            return
        if not _is_sound(self._history):
            _set_aside(self._history)
        self._lines.clear()
        if self._history.exists():
            self._lines.extend(_line(alert) for alert in json.loads(self._history.read_bytes()))
        self._known_state = _state(self._history)


def _line(alert: Alert) -> bytes:
    return json.dumps(alert, ensure_ascii=False).encode()


def _listing(lines: deque[bytes] | list[bytes]) -> bytes:
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def _state(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _is_sound(path: Path) -> bool:
    """Whether a file is absent or a list of alerts."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return isinstance(found, list) and all(isinstance(one, dict) for one in found)


def _set_aside(path: Path) -> None:
    """Keep a damaged file under another name, and go on with those of its lines that are whole."""
    whole = []
    for text in path.read_bytes().splitlines():
        try:
            alert = json.loads(text.strip().rstrip(b","))
        except ValueError:
            continue
        if isinstance(alert, dict):
            whole.append(_line(alert))
    path.replace(path.with_name(path.name + _DAMAGED))
    if whole:
        _replace(path, _listing(whole))


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".tmp")
    partial.write_bytes(content)
    partial.replace(path)


def _append(path: Path, line: bytes) -> None:
    """Write a line over the closing bracket of a list."""
    if not path.exists():
        _replace(path, _listing([line]))
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
        body = tail.rstrip().removesuffix(b"]").rstrip()
        if tail.rstrip().endswith(b"]"):
            file.seek(size - len(tail) + len(body))
            file.write((b"\n" if body.endswith(b"[") else b",\n") + line + b"\n]\n")
            file.truncate()
            return
    _set_aside(path)  # cut short by a crash: the whole lines are kept
    _append(path, line) if path.exists() else _replace(path, _listing([line]))
