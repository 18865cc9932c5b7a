"""ZIP files: each member as the file that it would be by itself, in the order of the archive."""

import errno
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from sereno.domain.errors import CorruptFile, DiskFull, EmptyFile, FileTooLarge
from sereno.ingest.containers.held import PLACE_MARK
from sereno.ingest.options import BYTES_PER_MIB, ReadOptions

__all__ = ["Member", "copy_bounded", "members"]

MAX_MEMBERS = 10_000
DETAIL_LENGTH = 160
DATA_SUFFIXES = frozenset(
    [".csv", ".tsv", ".txt", ".dat", ".gz", ".xlsx", ".xlsm", ".xls", ".ods", ".parquet", ".zip"]
)
"""What is read of an archive; the names of members decide nothing else and are never used as paths."""
_BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError)
_COPY_BYTES = BYTES_PER_MIB


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive.

    Attributes:
        name: For people: the archive and the member's path in it.
        label: The member's own file name.
        path: Where its bytes are now; None for one that is no data file.
    """

    name: str
    label: str
    path: Path | None


def members(path: Path, folder: Path, name: str, options: ReadOptions) -> Iterator[Member]:
    """The members of an archive, unpacked into `folder` under names of our own, one after the other.

    Args:
        path: The archive.
        folder: Where to.
        name: The archive's name for people.

    Raises:
        CorruptFile: It is cut, encrypted or damaged.
        EmptyFile: It holds no file.
        FileTooLarge: It holds too many files, or more bytes than allowed.
    """
    left = options.max_expanded_bytes
    with _reading(name), zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_hidden(entry)]
        if not entries:
            raise EmptyFile(file=name)
        if len(entries) > MAX_MEMBERS:
            raise FileTooLarge(file=name, detail=f"> {MAX_MEMBERS}")
        for number, entry in enumerate(entries):
            inner = PurePosixPath(entry.filename.replace("\\", "/"))
            place, suffix = f"{name}{PLACE_MARK}{inner}", inner.suffix.lower()
            if suffix not in DATA_SUFFIXES:
                yield Member(place, inner.name, None)
                continue
            target = folder / f"{number}{suffix}"
            with archive.open(entry) as source:
                left -= copy_bounded(source, target, left, name)
            yield Member(place, inner.name, target)


def copy_bounded(source: IO[bytes], target: Path, limit: int, name: str) -> int:
    """Writes the stream to a file; how many bytes there were.

    Raises:
        FileTooLarge: There are more than `limit`.
    """
    n_bytes = 0
    with _writing(target), target.open("wb") as file:
        while chunk := source.read(_COPY_BYTES):
            n_bytes += len(chunk)
            if n_bytes > limit:
                raise FileTooLarge(file=name, detail=f"> {max(limit, 0) // BYTES_PER_MIB} MiB")
            file.write(chunk)
            file.flush()
    return n_bytes


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # what is wrong with the source keeps its own name
        if error.errno != errno.ENOSPC:
            raise
        raise DiskFull(store=str(target.parent)) from error


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise CorruptFile(file=name, detail=str(error)[:DETAIL_LENGTH] or "zip") from error


def _is_hidden(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts if part not in (".", ".."))
