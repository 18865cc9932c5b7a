"""Work on many assets that several engines share: block by block, each block one engine's by lease."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

from sereno.domain.errors import LeaseLost, LeaseTaken
from sereno.flows.engines import LENGTH, HeldLease, leased
from sereno.store import Store, StoredAsset

__all__ = ["BLOCK_ASSETS", "share_blocks"]

BLOCK_ASSETS = 250
_NO_TIME = timedelta(0)


def share_blocks(
    store: Store,
    name: str,
    assets: Sequence[StoredAsset],
    work: Callable[[Sequence[StoredAsset], HeldLease], None],
) -> None:
    """Work on all assets; on blocks that other engines work on last, when they have ended or died.

    The work must find nothing left to do where another engine did it, and hold the lease in each transaction.

    Args:
        name: Of the work; engines that share it look at the same assets in the same order.
    """
    left = deque(assets[start : start + BLOCK_ASSETS] for start in range(0, len(assets), BLOCK_ASSETS))
    n_taken = 0
    while left:
        block = left.popleft()
        # Once all that are left are somebody else's, there is nothing better to do than to wait for one.
        wait = 2 * LENGTH if n_taken > len(left) else _NO_TIME
        try:
            with leased(store, f"{name}/{block[0].id}", wait=wait) as lease:
                work(block, lease)
            n_taken = 0
        except (LeaseTaken, LeaseLost):
            left.append(block)
            n_taken += 1
