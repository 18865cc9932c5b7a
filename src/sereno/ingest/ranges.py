"""Values that their signal cannot have, told apart from codes that mean "no value".

Both keep their number, and neither is judged as behaviour later on; here they are counted and named.
"""

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from sereno.domain.readings import FloatArray
from sereno.domain.signals import Signal

__all__ = ["impossible_cells", "is_sentinel"]

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


def impossible_cells(values: FloatArray, cells: pl.Series, signal: Signal) -> dict[str, Sequence[str]]:
    """Texts of the cells whose value lies outside the signal's range, by the code of their issue.

    Args:
        values: In the signal's unit, shape (rows,); NaN is in range.
        cells: The texts, shape (rows,).
        signal: Its minimum and maximum are the range.
    """
    low = -np.inf if signal.minimum is None else signal.minimum
    high = np.inf if signal.maximum is None else signal.maximum
    is_out = (values < low) | (values > high)
    if not is_out.any():
        return {}
    found: dict[str, list[str]] = {"quality.sentinel": [], "quality.out_of_range": []}
    for text in cells.gather(np.flatnonzero(is_out)).to_list():
        found["quality.sentinel" if is_sentinel(text) else "quality.out_of_range"].append(text.strip())
    return {code: texts for code, texts in found.items() if texts}
