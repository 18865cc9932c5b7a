"""Small disks that can be filled."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["fill_disk", "small_disk"]

_PIECE = b"x" * 4096


@contextmanager
def small_disk(folder: Path, n_bytes: int) -> Iterator[Path]:
    """A disk of its own, mounted at a new folder.

    Raises:
        pytest.skip.Exception: None can be mounted here.
    """
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_disk(ballast: Path, *, leave: int) -> None:
    """Leave only some bytes of the disk that a new file is on."""
    n_pieces = (shutil.disk_usage(ballast.parent).free - leave) // len(_PIECE)
    with ballast.open("wb") as file:
        for _ in range(n_pieces):
            file.write(_PIECE)
