"""A bound by which work that hangs fails, with the place at which it hung."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["within"]


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Let a block of the main thread take so long at most; where there is no such clock, as long as it likes.

    Raises:
        TimeoutError: It took longer.
    """
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def too_long(_number: int, _frame: object) -> None:
        raise TimeoutError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
