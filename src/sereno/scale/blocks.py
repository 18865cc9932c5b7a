"""Blocks of assets: what one worker holds at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sereno.domain.signals import AssetKey

__all__ = ["BLOCK_ASSETS", "Block", "cut_blocks"]

BLOCK_ASSETS = 250
"""Assets that are learnt, calibrated and compared with each other together; memory is bounded by them."""


@dataclass(frozen=True, slots=True)
class Block:
    """Assets of one profile that are worked on together.

    Attributes:
        keys: Ascending.
    """

    profile: str
    keys: tuple[AssetKey, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def __str__(self) -> str:
        return f"{self.profile}: {self.keys[0]} … {self.keys[-1]}"


def cut_blocks(
    profile: str,
    keys: Sequence[AssetKey],
    *,
    size: int = BLOCK_ASSETS,
    together: Callable[[AssetKey], str] = lambda key: key.site,
) -> list[Block]:
    """The assets in blocks of at most `size`, in order; what belongs together is not cut unless it is larger.

    So the same assets always make the same blocks, whatever engine works on them.

    Args:
        together: Assets with the same answer stay together: those of a site, or a meter and its twin.

    Example:
        >>> keys = [AssetKey("North", "1"), AssetKey("North", "2"), AssetKey("South", "1")]
        >>> [len(block) for block in cut_blocks("load", keys, size=2)]
        [2, 1]
    """
    ordered = sorted(set(keys), key=lambda key: (together(key), key))
    groups = [list(group) for _, group in groupby(ordered, key=together)]
    return [Block(profile, tuple(sorted(part))) for part in _filled(groups, size)]


def _filled(groups: Sequence[list[AssetKey]], size: int) -> Iterator[list[AssetKey]]:
    part: list[AssetKey] = []
    for group in groups:
        if part and len(part) + len(group) > size:
            yield part
            part = []
        part = part + group
        while len(part) > size:
            yield part[:size]
            part = part[size:]
    if part:
        yield part
