"""Which machine this is, so that a process of it that has ended can be told from one elsewhere."""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

__all__ = ["this_machine"]


@lru_cache(maxsize=1)
def this_machine() -> str:
    """This start of this machine, as far as its numbers of processes go; empty where that cannot be told."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        numbers = Path("/proc/self/ns/pid").readlink().name  # pid:[4026531836]
        return f"{boot}/{numbers.partition('[')[2].rstrip(']')}"
    return ""
