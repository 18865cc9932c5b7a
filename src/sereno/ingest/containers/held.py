"""What a container gives: text tables in a folder of their own, and what was passed over."""

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

from sereno.domain.errors import DataError

__all__ = ["PLACE_MARK", "HeldTable", "Opened", "PassedOver", "Scratch"]

PLACE_MARK = " » "
"""Between the name of a file and that of what is in it."""


class Scratch:
    """A folder that is deleted with the last plan that reads from it, also after errors."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sereno-"))
        self._n_rooms = 0
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def room(self) -> Path:
        """An empty folder in it."""
        self._n_rooms += 1
        folder = self.folder / str(self._n_rooms)
        folder.mkdir()
        return folder

    def close(self) -> None:
        """Deletes the folder now; a second call does nothing."""
        self._finalizer()


@dataclass(frozen=True, slots=True)
class HeldTable:
    """One table of a container.

    Attributes:
        name: For people: the file and the sheet or member, joined by `PLACE_MARK`.
        label: Name of the sheet; empty where the file is the table.
        path: The text of the table; numbers with a point, instants in ISO order.
        file: Name of the file that it is, or is in: that of the member in an archive.
        form: `xlsx`, `xls`, `ods`, `parquet`, or `text` for a member that is a text file as it came.
    """

    name: str
    label: str
    path: Path
    form: str
    file: str

    @property
    def is_typed(self) -> bool:
        """Its cells came as numbers and instants and are written in one known way, tab-separated."""
        return self.form != "text"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What is in a container and is not read.

    Attributes:
        name: As of `HeldTable`.
        why: `hidden`, `empty`, `cover` or `other`.
    """

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A container's tables in their order.

    `refused` are the files in it that cannot be read, each with its error.
    """

    tables: tuple[HeldTable, ...]
    passed: tuple[PassedOver, ...]
    refused: tuple[tuple[str, DataError], ...]
    scratch: Scratch
