"""Small fleets in lakes."""

from pathlib import Path

import numpy as np
import polars as pl

from sereno.domain.readings import Window
from tests.support.builders import a_roof

SIGNALS = ("generation", "consumption", "self_consumption", "export", "import")


def roofs(n_sites: int = 4, *, rows: int = 200) -> list[Window]:
    """Daily roofs, some of which stand still for weeks at the end, with days missing."""
    return [
        a_roof(
            f"Planta {n}",
            rows=rows,
            size=5.0 + 3 * n,
            generation={(rows - 30, rows - 12): 0.0} if n % 2 else {(rows - 9, rows - 6): 0.1},
            missing=[slice(40, 43)],
        )
        for n in range(n_sites)
    ]


def write_lake(folder: Path, windows: list[Window], *, per_file: int = 3, **columns: object) -> Path:
    """The rows of windows that hold anything, a few assets in each file, not in order."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(windows), per_file):
        frames = [frame_of(one, **columns) for one in windows[first : first + per_file]]
        shuffled = pl.concat(frames).sample(fraction=1.0, shuffle=True, seed=first)
        shuffled.write_parquet(folder / f"part-{first:03d}.parquet")
    return folder


def frame_of(window: Window, **columns: object) -> pl.DataFrame:
    present = ~np.isnan(window.values).all(axis=1)
    values = {name: window.values[present, place] for place, name in enumerate(window.signals)}
    names = {"site": window.asset.site, "asset": window.asset.asset, "zone": window.zone, **columns}
    return pl.DataFrame({"time": window.time[present], **values}).with_columns(
        *(pl.lit(value).alias(name) for name, value in names.items())
    )
