"""Files dropped on the console: held until it is clear what is in them, then stored or forgotten."""

import re
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from sereno.domain.errors import NotFound
from sereno.flows.workspace import Workspace

__all__ = ["forget_upload", "held_upload", "hold_upload"]

_FOLDER = "uploads"
_TOKEN_BYTES = 16
_TOKEN = re.compile(r"^[0-9a-f]{32}$")
_KEPT_S = 24 * 3600
_LONGEST_NAME = 120
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")


def hold_upload(workspace: Workspace, name: str, parts: Iterable[bytes]) -> str:
    """Keep a file under a name that is safe; returns the token by which it is found again.

    Files that nobody came back for within a day are deleted.

    Raises:
        OSError: The system refuses it.
    """
    _drop_old(workspace)
    token = secrets.token_hex(_TOKEN_BYTES)
    folder = _folder(workspace) / token
    folder.mkdir(parents=True, mode=0o700)
    plain = _UNSAFE.sub("_", name).strip(". ")
    stem, ending = Path(plain).stem, Path(plain).suffix
    with (folder / f"{stem[:_LONGEST_NAME] or 'file'}{ending[:12]}").open("wb") as file:
        for part in parts:
            file.write(part)
    return token


def held_upload(workspace: Workspace, token: str) -> Path:
    """The file of a token.

    Raises:
        NotFound: There is none, or not any more.
    """
    folder = _folder(workspace) / token
    found = sorted(folder.iterdir()) if _TOKEN.match(token) and folder.is_dir() else []
    if not found:
        raise NotFound(what="upload", id=token[:8], hint="")
    return found[0]


def forget_upload(workspace: Workspace, token: str) -> None:
    """Delete the file of a token, if it is still there."""
    if _TOKEN.match(token):
        shutil.rmtree(_folder(workspace) / token, ignore_errors=True)


def _folder(workspace: Workspace) -> Path:
    return workspace.folder / _FOLDER


def _drop_old(workspace: Workspace) -> None:
    folder = _folder(workspace)
    for one in folder.iterdir() if folder.is_dir() else ():
        if time.time() - one.stat().st_mtime > _KEPT_S:
            shutil.rmtree(one, ignore_errors=True)
