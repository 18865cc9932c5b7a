"""Which container a file is, told by its first bytes, and what is in it."""

import zipfile
from pathlib import Path

from sereno.domain.errors import CorruptFile, EmptyFile, UnsupportedFormat
from sereno.ingest.containers.held import Opened
from sereno.ingest.containers.workbook import is_workbook_archive, open_workbook
from sereno.ingest.options import ReadOptions
from sereno.ingest.source_file import PROBE_BYTES, opened

__all__ = ["open_container"]

ZIP_MAGIC = b"PK\x03\x04"
EMPTY_ZIP_MAGIC = b"PK\x05\x06"
OLE_MAGIC = b"\xd0\xcf\x11\xe0"
PARQUET_MAGIC = b"PAR1"
WORKBOOK_SUFFIXES = {".xlsx": "xlsx", ".xlsm": "xlsx", ".ods": "ods"}


def open_container(path: Path, options: ReadOptions, name: str = "") -> Opened | None:
    """The text tables of a container; None for a file that is a text itself.

    Args:
        path: The file.
        name: Its name for people; as in `path` unless given.

    Raises:
        CorruptFile: It is cut or not what its name or its first bytes say.
        EmptyFile: There is nothing in it.
        FileTooLarge: It exceeds a limit.
        FileMissing: There is no such file.
        FileUnreadable: The operating system refuses.
        UnsupportedFormat: It is another kind of container.
    """
    name = name or path.name
    with opened(path) as file:
        head = file.read(PROBE_BYTES)
    if not head:
        raise EmptyFile(file=name)
    suffix = path.suffix.lower()
    if head.startswith((ZIP_MAGIC, EMPTY_ZIP_MAGIC)) or suffix in (*WORKBOOK_SUFFIXES, ".zip"):
        return _open_zip(path, suffix, name, options)
    if head.startswith(OLE_MAGIC):
        return open_workbook(path, "xls", name, options)
    if head.startswith(PARQUET_MAGIC):
        raise UnsupportedFormat(file=name, detail="Parquet")
    return None


def _open_zip(path: Path, suffix: str, name: str, options: ReadOptions) -> Opened:
    if not zipfile.is_zipfile(path):
        raise CorruptFile(file=name, detail="zip")
    try:
        with zipfile.ZipFile(path) as archive:
            is_workbook = suffix in WORKBOOK_SUFFIXES or is_workbook_archive(archive)
            is_open_document = "mimetype" in archive.namelist()
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise CorruptFile(file=name, detail="zip") from error
    if is_workbook:
        return open_workbook(path, "ods" if is_open_document else "xlsx", name, options)
    raise UnsupportedFormat(file=name, detail="zip")
