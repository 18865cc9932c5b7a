"""Which container a file is, told by its first bytes, and what is in it."""

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

from sereno.domain.errors import CorruptFile, DataError, EmptyFile, UnsupportedFormat
from sereno.ingest.containers.archive import copy_bounded, members
from sereno.ingest.containers.held import HeldTable, Opened, PassedOver, Scratch
from sereno.ingest.containers.parquet import open_parquet
from sereno.ingest.containers.workbook import is_workbook_archive, open_workbook
from sereno.ingest.options import ReadOptions
from sereno.ingest.source_file import GZIP_MAGIC, PROBE_BYTES, opened

__all__ = ["open_container"]

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
OLE_MAGIC = b"\xd0\xcf\x11\xe0"
PARQUET_MAGIC = b"PAR1"
CONTAINER_MAGICS = (*ZIP_MAGICS, OLE_MAGIC, PARQUET_MAGIC)
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".ods")
_BROKEN_ZIP = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError)


def open_container(path: Path, options: ReadOptions) -> Opened | None:
    """The text tables of a container; None for a file that is a text itself, compressed or not.

    Raises:
        CorruptFile: It is cut or not what its name or its first bytes say.
        EmptyFile: There is nothing in it.
        FileTooLarge: It exceeds a limit.
        FileMissing: There is no such file.
        FileUnreadable: The operating system refuses.
        UnsupportedFormat: It is another kind of container.
    """
    return _Opener(options, Scratch).open(path, path.name, path.name)


class _Opener:
    """One folder for all that one file unfolds to, made when it is needed."""

    def __init__(self, options: ReadOptions, make: type[Scratch]) -> None:
        self._options = options
        self._make = make
        self._made: Scratch | None = None

    @property
    def _scratch(self) -> Scratch:
        self._made = self._made or self._make()
        return self._made

    def open(self, path: Path, name: str, file: str, *, is_member: bool = False) -> Opened | None:
        """What is in a file; an archive in an archive is refused."""
        with opened(path) as stream:
            head = stream.read(PROBE_BYTES)
        if not head:
            raise EmptyFile(file=name)
        suffix = path.suffix.lower()
        if head.startswith(ZIP_MAGICS) or suffix in (*WORKBOOK_SUFFIXES, ".zip"):
            return self._open_zip(path, name, file, is_member=is_member)
        if head.startswith(OLE_MAGIC):
            return open_workbook(path, "xls", name, file, self._options, self._scratch)
        if head.startswith(PARQUET_MAGIC):
            return open_parquet(path, name, file, self._options, self._scratch)
        if head.startswith(GZIP_MAGIC) and _inner_head(path).startswith(CONTAINER_MAGICS):
            return self._open_gzip(path, name, file)
        return None

    def _open_gzip(self, path: Path, name: str, file: str) -> Opened | None:
        target = self._scratch.room() / f"inner{Path(path.stem).suffix.lower()}"
        try:
            with gzip.open(path) as stream:
                copy_bounded(cast(IO[bytes], stream), target, self._options.max_expanded_bytes, name)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise CorruptFile(file=name, detail="gzip") from error
        return self.open(target, name, file, is_member=True)

    def _open_zip(self, path: Path, name: str, file: str, *, is_member: bool) -> Opened:
        if not zipfile.is_zipfile(path):
            raise CorruptFile(file=name, detail="zip")
        suffix = path.suffix.lower()
        try:
            with zipfile.ZipFile(path) as archive:
                is_workbook = suffix in WORKBOOK_SUFFIXES or is_workbook_archive(archive)
                form = "ods" if "mimetype" in archive.namelist() else "xlsx"
        except _BROKEN_ZIP as error:
            raise CorruptFile(file=name, detail="zip") from error
        if is_workbook:
            return open_workbook(path, form, name, file, self._options, self._scratch)
        if is_member:
            raise UnsupportedFormat(file=name, detail="zip » zip")
        return self._open_members(path, name)

    def _open_members(self, path: Path, name: str) -> Opened:
        tables: list[HeldTable] = []
        passed: list[PassedOver] = []
        refused: list[tuple[str, DataError]] = []
        for member in members(path, self._scratch.room(), name, self._options):
            if member.path is None:
                passed.append(PassedOver(member.name, "other"))
                continue
            try:
                inner = self.open(member.path, member.name, member.label, is_member=True)
            except DataError as error:
                refused.append((member.name, error))
                continue
            if inner is None:
                tables.append(HeldTable(member.name, "", member.path, "text", member.label))
            else:
                tables += inner.tables
                passed += inner.passed
        if not tables and not refused:
            raise EmptyFile(file=name)
        return Opened(tuple(tables), tuple(passed), tuple(refused), self._scratch)


def _inner_head(path: Path) -> bytes:
    """First bytes of what a gzip file holds; none where they cannot be read."""
    try:
        with gzip.open(path) as stream:
            return stream.read(max(map(len, CONTAINER_MAGICS)))
    except (OSError, EOFError, zlib.error):
        return b""
