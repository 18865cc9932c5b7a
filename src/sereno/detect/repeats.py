"""One alarm per disturbance in an endless stream: what was told is not told again for a while.

For doors that want instants rather than episodes. The while is a share of the stream so far, so a stream of a
day and one of a year are silent in proportion and no unit of time has to be chosen.
"""

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["NOTHING_TOLD", "silence_repeats"]

NOTHING_TOLD = np.zeros(3)
"""The state at the start of a stream: rows so far, the row last told, its score."""


def silence_repeats(scores: FloatArray, told: FloatArray, *, share: float) -> tuple[FloatArray, FloatArray]:
    """Scores in which a row counts only if it is stranger than the last one told within the share.

    Args:
        scores: Shape (rows,); NaN rows stay and are not told.
        told: State as the row before left it, shape (3,).
        share: Share of the stream so far; 0 tells every row.

    Returns:
        Scores with 0 for repeats, shape (rows,), and the state after the last row.
    """
    if not share:
        return scores, told
    n_rows, at, peak = told.tolist()
    kept = scores.copy()
    for row, score in enumerate(scores.tolist()):
        n_rows += 1.0
        if n_rows - at > share * n_rows:
            peak = 0.0
        if score > peak:
            at, peak = n_rows, score
        elif score <= peak:
            kept[row] = 0.0
    return kept, np.array([n_rows, at, peak])
