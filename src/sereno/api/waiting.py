"""Waiting for one's turn in a lane without a thread of one's own."""

import asyncio
from concurrent.futures import Future
from typing import TypeVar

from sereno.domain.errors import TooSlow

__all__ = ["DEADLINE_S", "turn_of"]

DEADLINE_S = 30.0
"""How long a request may wait for its turn [s]; once begun it is finished."""
_RETRY_S = 2

_Given = TypeVar("_Given")


async def turn_of(future: "Future[_Given]", *, deadline_s: float = DEADLINE_S) -> _Given:
    """What a future of a lane gives.

    Raises:
        TooSlow: Its turn did not come in time; nothing of it is stored.
    """
    waiting = asyncio.wrap_future(future)
    # A client that goes away takes nothing back: `wait` leaves what it waits for alone.
    done, _ = await asyncio.wait({waiting}, timeout=deadline_s)
    if not done:
        if future.cancel():
            raise TooSlow(waited_s=deadline_s, retry_after_s=_RETRY_S)
        await asyncio.wait({waiting})
    return waiting.result()
