"""Values that their signal cannot have, told apart from codes that mean "no value".

Both keep their number, and neither is judged as behaviour later on; here they are counted and named.
"""

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from sereno.domain.readings import FloatArray
from sereno.domain.signals import Signal

__all__ = ["SENTINEL", "impossible_cells", "is_sentinel"]

SENTINEL = "quality.sentinel"

# Largest and smallest numbers of the words that meters and gateways send, and codes of data loggers.
SENTINELS = frozenset(
    [
        *("32767", "-32767", "32768", "-32768", "65534", "65535", "2147483647", "-2147483647", "-2147483648"),
        *("4294967295", "4294967294", "-7999", "7999", "-6999", "6999", "-1111", "-8888", "8888"),
    ]
)
_NINES = re.compile(r"[+-]?9{3,}(?:[.,]9+)?\Z")
_ZERO_DECIMALS = re.compile(r"[.,]0+\Z")


def is_sentinel(text: str) -> bool:
    """True for a text that instruments write for "no value"; only an impossible value may be taken for one.

    Example:
        >>> is_sentinel("-9999.0"), is_sentinel("120000")
        (True, False)
    """
    plain = _ZERO_DECIMALS.sub("", text.strip().strip('"'))
    return plain.removeprefix("+") in SENTINELS or bool(_NINES.match(plain))


def impossible_cells(
    values: FloatArray, cells: pl.Series, signal: Signal
) -> Mapping[str, npt.NDArray[np.intp]]:
    """Rows whose value lies outside the signal's range, by the code of their issue.

    Args:
        values: In the signal's unit, shape (rows,); NaN is in range.
        cells: The texts, shape (rows,).
        signal: Its minimum and maximum are the range.
    """
    low = -np.inf if signal.minimum is None else signal.minimum
    high = np.inf if signal.maximum is None else signal.maximum
    rows = np.flatnonzero((values < low) | (values > high))
    if not len(rows):
        return {}
    is_code = np.array([is_sentinel(text) for text in cells.gather(rows).to_list()])
    found = {SENTINEL: rows[is_code], "quality.out_of_range": rows[~is_code]}
    return {code: own for code, own in found.items() if len(own)}
