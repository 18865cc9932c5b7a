"""Alerts as the first system's guide writes them, and the two files that keep them.

`alertas_historial.json` holds the last 1,000 and is replaced whole, so that it is never half-written.
`alertas_criticas.json` holds every critical one and only grows: a new one is written over the closing
bracket, so that its cost does not depend on how many there are. Both are plain JSON lists with an alert per
line.
"""

import io
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from filelock import FileLock

__all__ = ["Alert", "AlertFiles", "make_alert"]

log = logging.getLogger(__name__)

Alert = dict[str, object]

HISTORY_FILE = "alertas_historial.json"
CRITICAL_FILE = "alertas_criticas.json"
MAX_HISTORY = 1_000
CRITICAL = "CRÍTICA"
_LOCK_FILE = ".alertas.lock"
_DAMAGED = ".damaged"
_TAIL_BYTES = 64
_REMEMBERED_BYTES = 512 * 1024
"""End of the critical alerts in which a repeat is recognised: more than a thousand of them."""


def make_alert(
    score: float,
    severity: str,
    *,
    company: str,
    data_date: str,
    energies: Mapping[str, float | None],
    elapsed_ms: float | None,
    now: datetime,
) -> Alert:
    """An alert with exactly the fields of the guide.

    Args:
        score, severity: On the guide's scale, see `sereno.domain.guide`.
        data_date: Date of the record, `dd.MM.yyyy`, with the hour where there is one.
        energies: The three values that the guide shows [Wh].
        elapsed_ms: How long judging took; None where that was not measured.
        now: When it was detected; written in the machine's local time, as the guide does.
    """
    return {
        "timestamp": now.astimezone().replace(tzinfo=None).isoformat(timespec="seconds"),
        "fecha_dato": data_date,
        "empresa": company,
        "es_anomalia": True,
        "score": score,
        "severidad": severity,
        "datos": dict(energies),
        "tiempo_prediccion_ms": elapsed_ms,
    }


class AlertFiles:
    """The two alert files of a folder; threads and processes may write at the same time.

    Args:
        is_durable: Whether what was kept also outlives a loss of power, at the cost of waiting for the disk.
    """

    def __init__(self, folder: Path, *, is_durable: bool = False) -> None:
        self._is_durable = is_durable
        self._history = folder / HISTORY_FILE
        self._critical = folder / CRITICAL_FILE
        self._lines: deque[bytes] = deque(maxlen=MAX_HISTORY)
        self._known_state: tuple[int, ...] = ()
        self._damaged: list[str] = []
        self._mutex = threading.Lock()
        self._lock = FileLock(folder / _LOCK_FILE)

    def load(self) -> list[str]:
        """Read the history; returns the names of files that were damaged and set aside."""
        with self._mutex, self._lock:
            for path in (self._history, self._critical):
                if not _is_sound(path):
                    self._set_aside(path)
            self._refresh()
            return self._told()

    def add(self, *alerts: Alert) -> None:
        """Keep alerts, all at once; they are in the files when this returns."""
        if not alerts:
            return
        with self._mutex, self._lock:
            self._refresh()
            self._keep([_line(alert) for alert in alerts])
            self._append(_critical(alerts))
            self._told()

    def add_once(self, *alerts: Alert) -> list[str]:
        """As `add`, without those that are there already; what came in between is made good.

        Returns:
            The names of files that were damaged and set aside.

        Raises:
            OSError: The disk is full or not to be written on; each file is as it was, or has the alerts.
        """
        with self._mutex, self._lock:
            self._refresh()
            known = set(self._lines)
            self._keep([line for line in map(_line, alerts) if line not in known])
            latest = _latest(self._critical)
            self._append([line for line in _critical(alerts) if line not in latest])
            return self._told()

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
            self._set_aside(self._history)
        self._lines.clear()
        if self._history.exists():
            self._lines.extend(_line(alert) for alert in json.loads(self._history.read_bytes()))
        self._known_state = _state(self._history)

    def _keep(self, lines: list[bytes]) -> None:
        """Add lines to the history; the file is the old one or the new one, whatever happens."""
        if not lines and self._known_state:
            return
        kept = deque([*self._lines, *lines], maxlen=MAX_HISTORY)
        _replace(self._history, _listing(kept), is_durable=self._is_durable)
        self._lines, self._known_state = kept, _state(self._history)

    def _append(self, lines: list[bytes]) -> None:
        """Write lines over the closing bracket of the critical alerts."""
        if not lines:
            return
        if self._critical.exists():
            if _append(self._critical, lines, is_durable=self._is_durable):
                return
            self._set_aside(self._critical)  # cut short by a crash: the whole lines are kept
            self._append(lines)
            return
        _replace(self._critical, _listing(lines), is_durable=self._is_durable)

    def _set_aside(self, path: Path) -> None:
        log.warning("alert file damaged", extra={"file": path.name, "kept_as": path.name + _DAMAGED})
        _set_aside(path)
        self._damaged.append(path.name)

    def _told(self) -> list[str]:
        """What was set aside since this was last asked."""
        told, self._damaged = self._damaged, []
        return told


def _critical(alerts: Sequence[Alert]) -> list[bytes]:
    return [_line(alert) for alert in alerts if alert["severidad"] == CRITICAL]


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


def _replace(path: Path, content: bytes, *, is_durable: bool = True) -> None:
    """Put a whole file in the place of another."""
    partial = path.with_name(path.name + ".tmp")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _append(path: Path, lines: list[bytes], *, is_durable: bool) -> bool:
    """Write lines over the closing bracket of a list; False where there is no such bracket.

    Raises:
        OSError: The disk is full; the file is as it was.
    """
    with path.open("r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - _TAIL_BYTES))
        tail = _read_all(file)
        body = tail.rstrip().removesuffix(b"]").rstrip()
        if not tail.rstrip().endswith(b"]"):
            return False
        try:
            file.seek(start + len(body))
            between = b"\n" if body.endswith(b"[") else b",\n"
            _write_all(file, between + b",\n".join(lines) + b"\n]\n")
            file.truncate()
            if is_durable:
                os.fsync(file.fileno())
        except OSError:
            file.seek(start + len(body))
            _write_all(file, tail[len(body) :])  # these bytes had their place already
            file.truncate(size)
            raise
    return True


def _write_all(file: io.FileIO, content: bytes) -> None:
    while content:
        content = content[file.write(content) :]


def _read_all(file: io.FileIO) -> bytes:
    return file.read() or b""


def _latest(path: Path) -> set[bytes]:
    """The last lines of a file that may be long."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _REMEMBERED_BYTES))
            return {line.rstrip(b",") for line in file.read().splitlines()}
    except FileNotFoundError:
        return set()
