"""Room on the disk of a workspace: said before it is gone."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOW_DISK_BYTES", "RoomLook", "free_bytes"]

log = logging.getLogger(__name__)

LOW_DISK_BYTES = 2 * 2**30
"""Free space below which a disk is almost full [bytes]: days of a large fleet, or its backup."""


def free_bytes(folder: Path) -> int:
    """Free space on the disk of a folder; of the current one where it does not exist yet [bytes]."""
    return shutil.disk_usage(folder if folder.exists() else ".").free


@dataclass(slots=True)
class RoomLook:
    """Warns once each time that the disk of a workspace becomes almost full."""

    folder: Path
    is_low: bool = False

    def look(self) -> None:
        """Compare what is free with the limit."""
        free = free_bytes(self.folder)
        was_low, self.is_low = self.is_low, free < LOW_DISK_BYTES
        if self.is_low and not was_low:
            log.warning("disk almost full", extra={"folder": str(self.folder), "free_bytes": free})
