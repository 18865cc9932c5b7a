"""Which machine this is: whether a process of it has ended, and who shares its clock."""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

__all__ = ["this_clock", "this_machine"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@lru_cache(maxsize=1)
def this_machine() -> str:
    """This start of this machine, as far as its numbers of processes go; empty where that cannot be told."""
    with suppress(OSError):
        return f"{_BOOT.read_text('ascii').strip()}/{_namespace('pid')}"
    return ""


@lru_cache(maxsize=1)
def this_clock() -> str:
    """This start of this machine, as far as its clocks go: containers of it share them; empty as above."""
    with suppress(OSError):
        return f"{_BOOT.read_text('ascii').strip()}/{_namespace('time')}"
    return ""


def _namespace(kind: str) -> str:
    return Path(f"/proc/self/ns/{kind}").readlink().name.partition("[")[2].rstrip("]")  # pid:[4026531836]
