"""XLSX, XLSM, XLS and ODS: each visible sheet as a text table, written by a child process with limits."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from sereno.domain.errors import CorruptFile, DiskFull, EmptyFile, FileTooLarge, UnsupportedFormat
from sereno.ingest.containers import sheet_writer
from sereno.ingest.containers.held import PLACE_MARK, HeldTable, Opened, PassedOver, Scratch
from sereno.ingest.options import BYTES_PER_MIB, ReadOptions

__all__ = ["is_workbook_archive", "open_workbook"]

MAX_WORKBOOK_BYTES = 2048 * BYTES_PER_MIB
"""Content of a workbook after decompression: far above what Excel writes for a full sheet of readings."""
MAX_CHILD_BYTES = 6144 * BYTES_PER_MIB
"""Address space of the child: the cells below at 32 B and their text twice over."""
MAX_CELLS = 50_000_000
MAX_SECONDS = 300
DETAIL_LENGTH = 160
_WRITER = Path(sheet_writer.__file__)
_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"


def is_workbook_archive(archive: zipfile.ZipFile) -> bool:
    """Whether a zip is the inside of a workbook."""
    names = set(archive.namelist())
    if any(name.startswith("xl/workbook.") for name in names):
        return True
    if "mimetype" not in names or "content.xml" not in names:
        return False
    with archive.open("mimetype") as file:
        return file.read(len(_OPEN_DOCUMENT)) == _OPEN_DOCUMENT


def open_workbook(
    path: Path, form: str, name: str, file: str, options: ReadOptions, scratch: Scratch
) -> Opened:
    """The sheets of a workbook as text tables.

    Args:
        path: The workbook.
        form: `xlsx`, `xls` or `ods`.
        name: The file's name for people.
        file: Its own name, without that of an archive.
        options: Its limits are kept.
        scratch: Where the text goes.

    Raises:
        CorruptFile: It cannot be read, or reading it takes the child process down.
        FileTooLarge: It exceeds the limit on size, memory, cells or time.
        EmptyFile: No visible sheet has a filled cell.
    """
    if form != "xls":
        _check_archive(path, name, options)
    folder = scratch.room()
    _run_writer(path, folder, name)
    found: list[dict[str, str]] = json.loads((folder / "index.json").read_text("utf-8"))
    tables, passed = [], []
    for sheet in found:
        place = f"{name}{PLACE_MARK}{sheet['name']}"
        if sheet["kind"] == "sheet":
            tables.append(HeldTable(place, sheet["name"], folder / sheet["file"], form, file))
        else:
            passed.append(PassedOver(place, sheet["kind"]))
    if not tables:
        raise EmptyFile(file=name)
    return Opened(tuple(tables), tuple(passed), (), scratch)


def _check_archive(path: Path, name: str, options: ReadOptions) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            n_bytes = sum(entry.file_size for entry in archive.infolist())
            is_workbook = is_workbook_archive(archive)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise CorruptFile(file=name, detail="zip") from error
    if not is_workbook:
        raise UnsupportedFormat(file=name, detail=path.suffix.lstrip(".") or "zip")
    limit = min(options.max_expanded_bytes, MAX_WORKBOOK_BYTES)
    if n_bytes > limit:
        raise FileTooLarge(file=name, detail=f"> {limit // BYTES_PER_MIB} MiB")


def _run_writer(path: Path, folder: Path, name: str) -> None:
    command = [sys.executable, "-P", str(_WRITER), str(path.resolve()), str(folder)]
    try:
        done = subprocess.run(
            [*command, str(MAX_CHILD_BYTES), str(MAX_CELLS)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FileTooLarge(file=name, detail=f"> {MAX_SECONDS} s") from error
    if not done.returncode:
        return
    if done.returncode == sheet_writer.DISK_FULL:
        raise DiskFull(store=str(folder))
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode == sheet_writer.TOO_LARGE or "memory allocation" in said or "MemoryError" in said:
        limits = f"> {MAX_CELLS // 1_000_000} M cells / {MAX_CHILD_BYTES // BYTES_PER_MIB} MiB"
        raise FileTooLarge(file=name, detail=limits)
    detail = said.splitlines()[-1] if said else f"exit {done.returncode}"
    raise CorruptFile(file=name, detail=detail[:DETAIL_LENGTH])
