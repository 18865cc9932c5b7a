"""Spark (extra `spark`): blocks of a Spark table through `mapInArrow`, for lakes that have it.

`mapInArrow` hands over batches that end anywhere, also within a series. So rows are brought together by block
and sorted first, and a batch waits until its block is complete: no series is ever cut.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sereno.scale.blocks import Block
from sereno.scale.lake import ASSET, SITE, TIME

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

__all__ = ["map_blocks"]

_BLOCK = "_block"


def map_blocks(
    frame: "DataFrame", blocks: Sequence[Block], work: "Callable[[Block, pa.Table], pa.Table]", schema: str
) -> "DataFrame":
    """What a function makes of the rows of each block, one table below the other.

    Args:
        frame: With the columns of a lake; rows of assets that are in no block are left out.
        work: A function of a module, or an object of one, that can be pickled; it is given all rows of a
            block, sorted by site, asset and time.
        schema: Of what it returns, as `id string, score double`.
    """
    named = [(key.site, key.asset, place) for place, block in enumerate(blocks) for key in block.keys]
    listed = frame.sparkSession.createDataFrame(named, f"{SITE} string, {ASSET} string, {_BLOCK} int")
    together = frame.join(listed, [SITE, ASSET]).repartition(len(blocks), _BLOCK)
    ordered = together.sortWithinPartitions(_BLOCK, SITE, ASSET, TIME)
    return ordered.mapInArrow(_ByBlock(tuple(blocks), work), schema)


@dataclass(frozen=True, slots=True)
class _ByBlock:
    """Gathers the batches of a partition into blocks."""

    blocks: tuple[Block, ...]
    work: "Callable[[Block, pa.Table], pa.Table]"

    def __call__(self, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        held: list[pa.RecordBatch] = []
        at = -1
        for place, part in _parts(batches):
            if held and place != at:
                yield from self._done(at, held)
                held = []
            held.append(part)
            at = place
        if held:
            yield from self._done(at, held)

    def _done(self, place: int, held: "list[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        rows = pa.Table.from_batches(held).drop_columns([_BLOCK])
        yield from self.work(self.blocks[place], rows).to_batches()


def _parts(batches: "Iterator[pa.RecordBatch]") -> "Iterator[tuple[int, pa.RecordBatch]]":
    """Each batch cut where its block changes."""
    import numpy as np

    for batch in batches:
        places = batch.column(_BLOCK).to_numpy(zero_copy_only=False)
        starts = np.flatnonzero(np.diff(places, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(places)], strict=True):
            yield int(places[start]), batch.slice(start, end - start)
