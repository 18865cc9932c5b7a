"""How often somebody may ask: token buckets in memory, of a bounded number."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Buckets"]

MAX_BUCKETS = 50_000
"""Of more, those that were not used for longest begin anew."""


class Buckets:
    """One bucket per name, each refilled at the same rate; safe to share between threads.

    Args:
        rate: Requests per second that each may go on with.
        burst: Requests that each may make at once.
        clock: Seconds that never go back.
    """

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str) -> float:
        """Take a token; gives 0, or the seconds until there will be one."""
        with self._lock:
            now = self._clock()
            level, at = self._levels.pop(name, (self._burst, now))
            level = min(self._burst, level + (now - at) * self._rate)
            is_there = level >= 1.0
            self._levels[name] = (level - 1.0 if is_there else level, now)
            if len(self._levels) > MAX_BUCKETS:
                self._levels.popitem(last=False)
        return 0.0 if is_there else (1.0 - level) / self._rate

    def __len__(self) -> int:
        return len(self._levels)
