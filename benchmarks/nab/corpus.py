"""The labelled streams of a folder in the benchmark's layout, and their costs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

__all__ = ["Costs", "Stream", "find_corpus", "read_costs", "read_published", "read_streams"]

FOLDER = "nab"
_WINDOWS = Path("labels/combined_windows.json")
_PAPER_COSTS = {
    "standard": {"tpWeight": 1.0, "fpWeight": 0.11, "fnWeight": 1.0},
    "reward_low_FP_rate": {"tpWeight": 1.0, "fpWeight": 0.22, "fnWeight": 1.0},
    "reward_low_FN_rate": {"tpWeight": 1.0, "fpWeight": 0.11, "fnWeight": 2.0},
}
_SHORT_NAMES = {"standard": "standard", "reward_low_FP_rate": "low_fp", "reward_low_FN_rate": "low_fn"}


@dataclass(frozen=True, slots=True)
class Costs:
    """What an application gains by a window found, and loses by a false alarm and by a window missed."""

    found: float
    false: float
    missed: float


@dataclass(frozen=True, slots=True)
class Stream:
    """One file.

    Attributes:
        name: As the labels name it, e.g. `realTraffic/speed_6005.csv`.
        time, values: Shape (rows,).
        windows: First and last row of each labelled window, in time order.
    """

    name: str
    time: np.ndarray
    values: np.ndarray
    windows: tuple[tuple[int, int], ...]


def find_corpus(data: Path | None) -> Path:
    """The folder with the labels: `nab` in the data folder, or that folder itself.

    Raises:
        SystemExit: There is none.
    """
    for folder in [] if data is None else [data / FOLDER, data]:
        if (folder / _WINDOWS).is_file():
            return folder
    raise SystemExit(f"no {FOLDER}/{_WINDOWS} found: name the folder that holds {FOLDER}/ with --data")


def read_streams(folder: Path) -> list[Stream]:
    """All labelled files that are there, Parquet or CSV, by name.

    Raises:
        SystemExit: There is none.
    """
    labels: Mapping[str, Sequence[Sequence[str]]] = json.loads((folder / _WINDOWS).read_text("utf-8"))
    found = [(name, path) for name in sorted(labels) if (path := _file(folder, name)) is not None]
    if not found:
        raise SystemExit(f"{folder} has labels but none of the files that they are of")
    return [_read(name, path, labels[name]) for name, path in found]


def read_costs(folder: Path) -> dict[str, Costs]:
    """The costs of the three profiles, from the folder or else from the paper."""
    path = folder / "config/profiles.json"
    written = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    costs = {}
    for name, short in _SHORT_NAMES.items():
        matrix = written.get(name, {}).get("CostMatrix", _PAPER_COSTS[name])
        costs[short] = Costs(matrix["tpWeight"], matrix["fpWeight"], matrix["fnWeight"])
    return costs


def read_published(folder: Path) -> dict[str, float] | None:
    """Standard scores on the whole published corpus, by detector; None where the folder has none."""
    path = folder / "results/final_results.json"
    if not path.is_file():
        return None
    board = json.loads(path.read_text("utf-8"))
    return {name: round(scores["standard"], 2) for name, scores in sorted(board.items())}


def _file(folder: Path, name: str) -> Path | None:
    places = [folder / name, folder / "data" / name, (folder / name).with_suffix(".parquet")]
    return next((place for place in places if place.is_file()), None)


def _read(name: str, path: Path, labels: Sequence[Sequence[str]]) -> Stream:
    is_csv = path.suffix == ".csv"
    table = pl.read_csv(path, try_parse_dates=True) if is_csv else pl.read_parquet(path)
    time = table["timestamp"].to_numpy().astype("datetime64[us]")
    windows = []
    for first, last in sorted(labels):
        inside = np.flatnonzero((time >= np.datetime64(first)) & (time <= np.datetime64(last)))
        if len(inside):
            windows.append((int(inside[0]), int(inside[-1])))
    return Stream(name, time, table["value"].to_numpy().astype(float), tuple(windows))
