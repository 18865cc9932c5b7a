"""Isolation trees as perfect heaps, walked by compiled code (extra `speed`).

Node i of a heap has its children at 2i + 1 and 2i + 2, so a walk needs no child pointers; a leaf that ends
early is repeated below itself. Importing this module needs numba.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from sereno.domain.readings import FloatArray

__all__ = ["walk"]

_BLOCK = 256
"""Rows that go down a tree side by side: their walks do not wait for each other's memory."""


def _walk(
    rows: npt.NDArray[np.float32],
    feature: npt.NDArray[np.int32],
    threshold: npt.NDArray[np.float32],
    path: FloatArray,
) -> FloatArray:
    """Sum of the path lengths of each row, tree by tree, shape (rows,).

    Args:
        rows: Shape (rows, features).
        feature, threshold: Of the inner nodes, shape (trees, 2 ** depth - 1).
        path: Of the leaves, shape (trees, 2 ** depth).
    """
    n_rows, n_trees, n_inner = len(rows), len(feature), feature.shape[1]
    total = np.zeros(n_rows)
    nodes = np.zeros(_BLOCK, dtype=np.int32)
    for first in range(0, n_rows, _BLOCK):
        n_block = min(_BLOCK, n_rows - first)
        for tree in range(n_trees):
            nodes[:] = 0
            n_above = 0
            while n_above < n_inner:
                for row in range(n_block):
                    node = nodes[row]
                    is_right = rows[first + row, feature[tree, node]] > threshold[tree, node]
                    nodes[row] = 2 * node + 1 + is_right
                n_above = 2 * n_above + 1
            for row in range(n_block):
                total[first + row] += path[tree, nodes[row] - n_inner]
    return total


try:
    walk = njit(cache=True, nogil=True)(_walk)
except RuntimeError:  # nowhere to keep what was compiled: a read-only installation
    walk = njit(nogil=True)(_walk)
