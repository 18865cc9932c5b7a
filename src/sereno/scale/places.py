"""Where a lake and its results lie: a folder of this machine, or any address that fsspec knows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from sereno.domain.errors import ExtraMissing, FileMissing, SystemRefused

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["Place", "is_remote", "open_files"]

_PARTIAL = ".part"


def is_remote(address: str) -> bool:
    """Whether an address names a scheme, as `s3://bucket/lake` or `memory://lake`."""
    return "://" in address


@contextmanager
def _told(address: str) -> Iterator[None]:
    """What a file system says, in our words."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileMissing(file=address) from error
    except OSError as error:
        raise SystemRefused(file=address, detail=str(error)) from error


def _file_system(address: str) -> "tuple[AbstractFileSystem, str]":
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ExtraMissing(feature=f"The address '{address}'", extra="dask") from error
    found: tuple[AbstractFileSystem, str] = url_to_fs(address)
    return found


def open_files(address: str, pattern: str) -> list[IO[bytes]]:
    """The files of an address, opened; those below it that fit a pattern where it is no file.

    Raises:
        ExtraMissing: fsspec is not installed.
        FileMissing: There are none.
    """
    system, path = _file_system(address)
    names = [path] if system.isfile(path) else sorted(system.glob(f"{path.rstrip('/')}/{pattern}"))
    if not names:
        raise FileMissing(file=address)
    with _told(address):
        return [system.open(name, "rb") for name in names]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of results; each file appears whole or not at all.

    A local file is written beside its name and then renamed. What stands behind other addresses stores an
    object in one step anyway.

    Attributes:
        address: Of the folder; it is made when something is written.
    """

    address: str

    def write(self, name: str, data: bytes) -> None:
        """Write a file, or replace it.

        Raises:
            SystemRefused: It cannot be written.
        """
        with _told(self.address):
            if is_remote(self.address):
                system, folder = _file_system(self.address)
                system.makedirs(f"{folder}/{name}".rpartition("/")[0], exist_ok=True)
                system.pipe_file(f"{folder}/{name}", data)
                return
            path = Path(self.address) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # A worker that was given up for lost may still write the same file.
            partial = path.with_name(f"{path.name}.{uuid4().hex[:8]}{_PARTIAL}")
            partial.write_bytes(data)
            partial.replace(path)

    def read(self, name: str) -> bytes | None:
        """A file; None where there is none.

        Raises:
            SystemRefused: It cannot be read.
        """
        with _told(self.address):
            if is_remote(self.address):
                system, folder = _file_system(self.address)
                found: bytes | None = (
                    system.cat_file(f"{folder}/{name}") if system.isfile(f"{folder}/{name}") else None
                )
                return found
            path = Path(self.address) / name
            return path.read_bytes() if path.is_file() else None

    def remove(self, name: str) -> None:
        """Delete a file, where there is one."""
        with _told(self.address):
            if is_remote(self.address):
                system, folder = _file_system(self.address)
                if system.isfile(f"{folder}/{name}"):
                    system.rm_file(f"{folder}/{name}")
                return
            (Path(self.address) / name).unlink(missing_ok=True)

    def write_json(self, name: str, document: object) -> None:
        """Write a document."""
        self.write(name, json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode())

    def read_json(self, name: str) -> object:
        """A document; None where there is none."""
        data = self.read(name)
        return None if data is None else json.loads(data)
