"""The real meters of the data folders, each on a grid."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.common import Options
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import AssetKey

__all__ = ["FOLDERS", "read_meters"]

FOLDERS: Mapping[str, tuple[str, ...]] = {
    "pjm": ("_MW",),
    "bdg2": ("Bobcat", "Panther"),
    "tetuan": ("Zone",),
    "uci_household": ("Global_active", "Voltage"),
    "ett": ("UFL", "LUFL", "OT"),
}
"""Folders, and what the names of the columns that are meters contain."""
_MAX_ROWS, _QUICK_ROWS, _QUICK_METERS = 17_520, 3_000, 3
_MIN_ROWS = 2_000
_MAX_SAME = 0.6
"""A meter that shows one value in more rows than this has nothing to be wrong about."""


def read_meters(options: Options) -> list[Window]:
    """The meters of the folders that are there, on a grid.

    Raises:
        SystemExit: There is none.
    """
    n_rows = _QUICK_ROWS if options.is_quick else _MAX_ROWS
    meters: list[Window] = []
    for folder, marks in FOLDERS.items():
        for path in sorted((options.data or Path()).glob(f"{folder}/*")):
            if path.suffix == ".parquet" or (path.suffix == ".csv" and "dirty" not in path.name):
                meters += _read(path, marks, n_rows)
    if not meters:
        raise SystemExit(f"none of the folders {', '.join(FOLDERS)} found: name their folder with --data")
    return meters[:: max(1, len(meters) // _QUICK_METERS)] if options.is_quick else meters


def _read(path: Path, marks: Sequence[str], n_rows: int) -> list[Window]:
    table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    time = table[table.columns[0]]
    if time.dtype == pl.String:
        time = time.str.to_datetime("%m/%d/%y %H:%M", strict=False)
    instants = time.to_numpy().astype("datetime64[us]")
    first, index = np.unique(instants, return_index=True)
    step = np.median(np.diff(first))
    if step > np.timedelta64(1, "h"):
        return []
    place = ((first - first[0]) / step).astype(int)
    keep = place < n_rows
    meters = []
    for name in table.columns[1:]:
        if any(mark in name for mark in marks):
            values = np.full(int(place[keep][-1]) + 1, np.nan)
            values[place[keep]] = table[name].cast(pl.Float64).to_numpy()[index[keep]]
            meters.append(_window(f"{path.parent.name}/{name.strip()}", first[0], step, values))
    return [meter for meter in meters if _is_alive(meter)]


def _window(name: str, start: np.datetime64, step: np.timedelta64, values: FloatArray) -> Window:
    time = start + np.arange(len(values)) * step
    quality = np.zeros((len(values), 1), dtype=np.int32)
    length = timedelta(seconds=float(step / np.timedelta64(1, "s")))
    return Window(AssetKey(name, name), "load", ("power",), time, values[:, None], quality, length)


def _is_alive(meter: Window) -> bool:
    """Whether both halves hold enough values that are not all the same."""
    for half in np.array_split(meter.values[:, 0], 2):
        known = half[~np.isnan(half)]
        if len(known) < _MIN_ROWS // 2 or float((known == np.median(known)).mean()) > _MAX_SAME:
            return False
    return True
