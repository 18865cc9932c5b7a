"""How fast and in how much memory a Spanish export is read, beside plain polars and pandas in the same run.

A CSV (semicolons, decimal comma, day first, row of units) and a workbook are generated. sereno reads them
with no options, through `Workspace`: `check` understands and validates everything, `ingest` stores it too.
The peers read them twice: with the right options, which somebody had to find out and write by hand, and
with none. Each reads in a process of its own. What was read is compared with what was written.
"""

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from benchmarks.common import (
    BYTES_PER_MB,
    Goal,
    Options,
    child_environment,
    own_peak_mb,
    parse_options,
    publish,
    tell,
)
from benchmarks.solar_fleet import HEADERS
from benchmarks.spanish_export import (
    TIME_HEADER,
    SpanishExport,
    write_spanish_csv,
    write_spanish_workbook,
)
from sereno import Workspace

__all__ = ["main"]

CSV_ROWS, QUICK_CSV_ROWS = 5_000_000, 60_000
WORKBOOK_ROWS, QUICK_WORKBOOK_ROWS = 200_000, 3_000
MAX_PEAK_MB = 1_000.0
ZONE, UTC_OFFSET = "America/Lima", timedelta(hours=5)
"""A zone without clock changes: the peers know none."""
TIME_FORMAT = "%d/%m/%Y %H:%M"
RIGHT_WITHIN = 1e-9
POLL_S = 0.02
MAX_ERROR_CHARACTERS = 200
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
OPENPYXL_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
PEERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "csv": {"polars": ("polars",), "pandas": ("pandas",)},
    "xlsx": {"polars": ("polars", "openpyxl"), "pandas": ("pandas", "openpyxl")},
}
"""By kind of file, the modules that each peer needs."""

_CHILD = "from benchmarks.reader import read_alone; read_alone()"

Found = tuple[float, datetime | None, datetime | None]
"""Sum of the values [kWh], first and last time by the clock of the site where they were read as times."""
Reader = Callable[[Path, Path], Callable[[], Found] | None]
"""Reads a file, with a folder of its own to work in; what it gives adds up what was read."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("reader", str(__doc__), arguments)
    with TemporaryDirectory(prefix="sereno-reader-") as scratch:
        figures = {kind: _figures(export, Path(scratch)) for kind, export in _files(Path(scratch), options)}
    goals = {
        f"{kind}_{work}_peak_mb": Goal(figures[kind][work]["peak_mb"], MAX_PEAK_MB)
        for kind in figures
        for work in ("sereno_check", "sereno_ingest")
    }
    publish(options, figures, goals)


def read_alone() -> None:
    """Body of a child process: read the file of the arguments, print how it went as JSON."""
    reader, file, folder = sys.argv[1:]
    read = _readers()[reader]
    peer, _, kind = reader.partition("_")
    for name in PEERS.get(kind.partition("_")[0], {}).get(peer, ()):
        importlib.import_module(name)  # reading is measured, not starting
    told: dict[str, object] = {}
    begun = perf_counter()
    try:
        found = read(Path(file), Path(folder))
        told |= {"seconds": perf_counter() - begun, "peak_mb": own_peak_mb(), "is_read": True}
        if found is not None:
            total, *times = found()
            told |= {"total": total, "times": [None if one is None else one.isoformat() for one in times]}
    except Exception as error:  # noqa: BLE001 - that a peer fails, or gives text to add up, is a result
        told["error"] = f"{type(error).__name__}: {error}".partition("\n")[0][:MAX_ERROR_CHARACTERS]
    print(json.dumps({"seconds": perf_counter() - begun, "peak_mb": own_peak_mb()} | told))


def _files(scratch: Path, options: Options) -> Iterator[tuple[str, SpanishExport]]:
    n_csv = options.n_rows or (QUICK_CSV_ROWS if options.is_quick else CSV_ROWS)
    tell(f"a CSV of {n_csv} rows")
    csv = write_spanish_csv(scratch / "export.csv", n_csv)
    yield "csv", csv
    csv.path.unlink()
    n_workbook = QUICK_WORKBOOK_ROWS if options.is_quick else WORKBOOK_ROWS
    tell(f"a workbook of {n_workbook} rows")
    yield "xlsx", write_spanish_workbook(scratch / "export.xlsx", n_workbook)


def _figures(export: SpanishExport, scratch: Path) -> dict[str, Any]:
    kind = export.path.suffix[1:]
    figures: dict[str, Any] = {"rows": export.n_rows, "bytes": export.path.stat().st_size}
    for work in ("sereno_check", "sereno_ingest"):
        figures[work] = _measured(work, export, scratch)
    for peer, needed in PEERS[kind].items():
        is_there = all(importlib.util.find_spec(name) is not None for name in needed)
        ways = ("by_hand", "unaided") if is_there else ()
        figures[peer] = {way: _measured(f"{peer}_{kind}_{way}", export, scratch) for way in ways} or None
    figures["ratios"] = _ratios(figures)
    return figures


def _ratios(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """How many times as long as sereno's each peer with the right options takes; below 1 it is faster."""
    ratios: dict[str, float | None] = {}
    for peer in ("polars", "pandas"):
        for work in ("sereno_check", "sereno_ingest"):
            other = figures[peer] and figures[peer]["by_hand"]["seconds"]
            ratios[f"{peer}_over_{work}"] = other and round(other / figures[work]["seconds"], 2)
    return ratios


def _measured(reader: str, export: SpanishExport, scratch: Path) -> dict[str, Any]:
    """One reader in a process of its own: its speed, the memory of it and its children, and what it found."""
    with TemporaryDirectory(dir=scratch) as folder:
        command = [sys.executable, "-W", "ignore", "-c", _CHILD, reader, str(export.path), folder]
        process = subprocess.Popen(
            command, env=child_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        peak_bytes = 0
        while process.poll() is None:
            peak_bytes = max(peak_bytes, _resident_bytes(process.pid))
            time.sleep(POLL_S)
        told = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{reader}: ended with {process.returncode}")
    found = json.loads(told)
    entry = {
        "seconds": round(found["seconds"], 3),
        "rows_per_s": round(export.n_rows / found["seconds"]) if "is_read" in found else None,
        "peak_mb": round(max(found["peak_mb"], peak_bytes / BYTES_PER_MB), 1),
        **_verdict(found, export),
        "error": found.get("error"),
    }
    tell(f"{reader}: {entry}")
    return entry


def _verdict(found: Mapping[str, Any], export: SpanishExport) -> dict[str, bool | None]:
    """Whether what was read is what was written; None where the reader gives nothing to add up."""
    if "total" not in found:
        is_right = None if found.get("error") is None else False
        return {"values_right": is_right, "times_right": is_right}
    times = [export.first.isoformat(), export.last.isoformat()]
    difference = abs(found["total"] - export.total_kwh)
    return {
        "values_right": difference <= RIGHT_WITHIN * export.total_kwh,
        "times_right": found["times"] == times,
    }


def _resident_bytes(pid: int) -> int:
    """Memory of a process and of its descendants now; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except (OSError, IndexError, ValueError):
        return 0
    return pages * PAGE_BYTES + sum(_resident_bytes(int(child)) for child in children)


def _readers() -> dict[str, Reader]:
    return {
        "sereno_check": partial(_sereno, is_stored=False),
        "sereno_ingest": partial(_sereno, is_stored=True),
        "polars_csv_by_hand": _polars_csv_by_hand,
        "polars_csv_unaided": _polars_csv_unaided,
        "polars_xlsx_by_hand": _polars_workbook_by_hand,
        "polars_xlsx_unaided": _polars_workbook_unaided,
        "pandas_csv_by_hand": _pandas_csv_by_hand,
        "pandas_csv_unaided": _pandas_csv_unaided,
        "pandas_xlsx_by_hand": _pandas_workbook_by_hand,
        "pandas_xlsx_unaided": _pandas_workbook_unaided,
    }


def _sereno(path: Path, folder: Path, *, is_stored: bool) -> Callable[[], Found] | None:
    (folder / "sereno.yaml").write_text(f"timezone: {ZONE}\n", "utf-8")
    with Workspace.open(folder) as workspace:
        (result,) = workspace.ingest(path) if is_stored else workspace.check(path)
    totals = result.entry["totals"]
    if result.is_refused or totals["records_quarantined"]:  # type: ignore[index]
        raise ValueError(f"{path.name}: {result.entry['verdict']}, {totals}")
    return partial(_stored, folder) if is_stored else None


def _stored(folder: Path) -> Found:
    total, firsts, lasts = 0.0, [], []
    with Workspace.open(folder) as workspace, workspace.store.read() as tx:
        for asset in tx.assets():
            rows = tx.rows(asset.id, asset.profile)
            total += float(np.nansum(rows.values))
            firsts.append(rows.time[0])
            lasts.append(rows.time[-1])
    return total, min(firsts).item() - UTC_OFFSET, max(lasts).item() - UTC_OFFSET


def _polars_csv_by_hand(path: Path, _: Path) -> Callable[[], Found]:
    frame = pl.read_csv(
        path,
        separator=";",
        decimal_comma=True,
        skip_rows_after_header=1,
        schema_overrides=dict.fromkeys(HEADERS, pl.Float64),
    )
    return partial(_in_polars, frame.with_columns(pl.col(TIME_HEADER).str.to_datetime(TIME_FORMAT)))


def _polars_csv_unaided(path: Path, _: Path) -> Callable[[], Found]:
    return partial(_in_polars, pl.read_csv(path))


def _polars_workbook_by_hand(path: Path, _: Path) -> Callable[[], Found]:
    if importlib.util.find_spec("fastexcel") is not None:
        return partial(_in_polars, pl.read_excel(path, read_options={"skip_rows": 1}))
    frame = pl.read_excel(path, engine="openpyxl").slice(1)
    casts = [pl.col(*HEADERS).cast(pl.Float64), pl.col(TIME_HEADER).str.to_datetime(OPENPYXL_TIME_FORMAT)]
    return partial(_in_polars, frame.with_columns(casts))


def _polars_workbook_unaided(path: Path, _: Path) -> Callable[[], Found]:
    has_calamine = importlib.util.find_spec("fastexcel") is not None
    return partial(_in_polars, pl.read_excel(path, engine="calamine" if has_calamine else "openpyxl"))


def _in_polars(frame: pl.DataFrame) -> Found:
    text = [name for name in HEADERS if not frame.schema[name].is_numeric()]
    if text:
        raise TypeError(f"column '{text[0]}' was read as {frame.schema[text[0]]}")
    total = float(frame.select(pl.sum_horizontal(pl.col(*HEADERS).sum())).item())
    if not frame.schema[TIME_HEADER].is_temporal():
        return total, None, None
    first, last = frame.select(pl.col(TIME_HEADER).min().alias("first"), pl.col(TIME_HEADER).max()).row(0)
    return total, first, last


def _pandas_csv_by_hand(path: Path, _: Path) -> Callable[[], Found]:
    pandas = importlib.import_module("pandas")
    frame = pandas.read_csv(
        path, sep=";", decimal=",", skiprows=[1], parse_dates=[TIME_HEADER], date_format=TIME_FORMAT
    )
    return partial(_in_pandas, frame)


def _pandas_csv_unaided(path: Path, _: Path) -> Callable[[], Found]:
    return partial(_in_pandas, importlib.import_module("pandas").read_csv(path))


def _pandas_workbook_by_hand(path: Path, _: Path) -> Callable[[], Found]:
    return partial(_in_pandas, importlib.import_module("pandas").read_excel(path, skiprows=[1]))


def _pandas_workbook_unaided(path: Path, _: Path) -> Callable[[], Found]:
    return partial(_in_pandas, importlib.import_module("pandas").read_excel(path))


def _in_pandas(frame: Any) -> Found:  # noqa: ANN401 - pandas may not be installed
    text = [name for name in HEADERS if frame[name].dtype.kind not in "fiu"]
    if text:
        raise TypeError(f"column '{text[0]}' was read as {frame[text[0]].dtype}")
    total = float(frame[list(HEADERS)].sum().sum())
    times = frame[TIME_HEADER]
    if times.dtype.kind != "M":
        return total, None, None
    return total, times.min().to_pydatetime(), times.max().to_pydatetime()


if __name__ == "__main__":
    main()
