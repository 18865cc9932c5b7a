"""Files that go along with a message: written when it is queued, read when it leaves."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from shutil import rmtree

from sereno.domain.errors import FileMissing
from sereno.store.outbox import PATIENCE

__all__ = ["FILES", "drop_old", "new_folder", "read_attachments"]

FILES = "files"
"""In the body of a notification: its files, as they are named in the folder of the workspace."""
_FOLDER = Path("reports", "mailed")
_KEPT = PATIENCE + timedelta(days=1)
"""Longer than a message is tried."""


def new_folder(workspace: Path, name: str) -> Path:
    """A folder for the files of one message, for its owner alone."""
    found = workspace / _FOLDER / name
    found.mkdir(parents=True, exist_ok=True, mode=0o700)
    return found


def read_attachments(workspace: Path, body: Mapping[str, object]) -> dict[str, bytes]:
    """The files of a notification by name, none for most.

    Raises:
        FileMissing: One is gone; a message without it would say what is not so.
    """
    listed = body.get(FILES)
    names = (
        [str(one) for one in listed] if isinstance(listed, Sequence) and not isinstance(listed, str) else []
    )
    found = {}
    for name in names:
        path = workspace / name
        try:
            found[path.name] = path.read_bytes()
        except OSError as error:
            raise FileMissing(file=name) from error
    return found


def drop_old(workspace: Path, now: datetime) -> None:
    """Delete files whose messages have left, or were given up."""
    folder = workspace / _FOLDER
    oldest = (now - _KEPT).timestamp()
    for one in folder.iterdir() if folder.is_dir() else ():
        if one.stat().st_mtime < oldest:
            rmtree(one, ignore_errors=True)
