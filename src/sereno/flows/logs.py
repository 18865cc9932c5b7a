"""What a long-running command writes about its work: lines or JSON, rotated, without secrets or names."""

import json
import logging
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from sereno.domain.errors import SystemRefused
from sereno.domain.privacy import Pseudonyms
from sereno.domain.redaction import redacted
from sereno.settings.keeping import LoggingSettings

__all__ = ["LogFormatter", "logging_to"]

_OWN = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message"})
"""Attributes of every record; all others are facts."""
_NAMED = frozenset({"site", "asset"})
"""Facts that are names of sites and assets."""
_PACKAGE = "sereno"


class LogFormatter(logging.Formatter):
    """One line per record, in UTC, with its facts; secrets and personal names are taken out here only.

    Args:
        secrets: Values that are hidden wherever they stand.
    """

    def __init__(self, kind: str, names: Pseudonyms, secrets: Collection[str] = ()) -> None:
        super().__init__()
        self._is_json = kind == "json"
        self._names = names
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line, or lines where there is a traceback."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        facts = {name: value for name, value in record.__dict__.items() if name not in _OWN}
        shown = {"message": record.getMessage()} | facts
        if record.exc_info:
            shown["traceback"] = self.formatException(record.exc_info)
        elif record.exc_text:  # of another process
            shown["traceback"] = record.exc_text
        cleaned = {name: self._clean(value, is_name=name in _NAMED) for name, value in shown.items()}
        if self._is_json:
            return json.dumps({**said, **cleaned}, ensure_ascii=False, default=str)
        return _line(said, cleaned)

    def _clean(self, value: object, *, is_name: bool = False) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {str(self._clean(str(key))): self._clean(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(inner) for inner in value]
        text = redacted(str(value), self._secrets)
        return self._names.name(text) if is_name else self._names.text(text)


def _line(said: Mapping[str, str], shown: Mapping[str, object]) -> str:
    facts = "".join(
        f" {name}={value!r}" if isinstance(value, str) else f" {name}={value}"
        for name, value in shown.items()
        if name not in ("message", "traceback")
    )
    # What a file or a device says may not begin a line of its own.
    message = str(shown["message"]).replace("\r", " ").replace("\n", " ")
    trace = f"\n{shown['traceback']}" if "traceback" in shown else ""
    return f"{said['at']} {said['level'].upper()} {said['logger']}: {message}{facts}{trace}"


class _LogFile(RotatingFileHandler):
    """A log that cannot be written is told once, and stops nothing."""

    _is_told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - as logging calls it
        """Say once on stderr why nothing is written."""
        if not self._is_told:
            self._is_told = True
            reason = sys.exc_info()[1]
            sys.stderr.write(f"sereno: {self.baseFilename}: {reason}\n")


@contextmanager
def logging_to(
    folder: Path, settings: LoggingSettings, names: Pseudonyms, secrets: Collection[str] = ()
) -> Iterator[Path | None]:
    """Write the log of this process as the settings say until the context ends; warnings on stderr, too.

    Returns:
        The file; None where the settings want none.

    Raises:
        SystemRefused: The file cannot be written.
    """
    formatter = LogFormatter(settings.format, names, secrets)
    stderr = logging.StreamHandler()
    stderr.setLevel(logging.WARNING)
    handlers: list[logging.Handler] = [stderr]
    path = None if settings.file is None else folder / settings.file
    if path is not None:
        handlers.append(_opened(path, settings))
        handlers[-1].setLevel(settings.level.upper())
    root, ours = logging.getLogger(), logging.getLogger(_PACKAGE)
    before = ours.level
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    ours.setLevel(settings.level.upper())
    try:
        yield path
    finally:
        ours.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _opened(path: Path, settings: LoggingSettings) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _LogFile(path, maxBytes=settings.max_bytes, backupCount=settings.backups, encoding="utf-8")
    except OSError as error:
        raise SystemRefused(file=str(path), detail=error.strerror or str(error)) from error
