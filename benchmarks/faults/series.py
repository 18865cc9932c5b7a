"""The solar and gas series of a folder, as sereno's own reader understands them, and their dialect."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np

from sereno import Workspace
from sereno.domain.signals import AssetKey
from sereno.flows.ingest import FileResult, expand_paths

__all__ = ["FOLDERS", "PROFILES", "Dialect", "Series", "Skip", "find_series"]

FOLDERS = ("solar_home", "gas_home", "solar_daily")
PROFILES = ("solar", "gas")
DEFAULT_ZONES = ("Europe/Madrid", "Etc/UTC")
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file writes: enough to write another one that is read in the same way.

    Attributes:
        file: Name of the file, which may speak of the site.
        columns: Header and written unit of each signal, in the signals' order.
    """

    file: str
    time_header: str
    columns: tuple[tuple[str, str], ...]
    delimiter: str
    decimal: str
    date_order: str
    has_unit_row: bool


@dataclass(frozen=True, slots=True)
class Series:
    """One asset's readings in canonical units.

    Attributes:
        folder: The data set's.
        zone: IANA zone in which the file's clock runs.
        time: UTC, ascending, shape (rows,).
        values: NaN where missing, shape (rows, signals).
    """

    folder: str
    key: AssetKey
    profile: str
    zone: str
    time: np.ndarray
    signals: tuple[str, ...]
    values: np.ndarray
    dialect: Dialect

    @property
    def name(self) -> str:
        """Folder and asset."""
        return f"{self.folder}/{self.key}"

    @property
    def step(self) -> np.timedelta64:
        """The usual distance of two rows, by the mode."""
        distances, counts = np.unique(np.diff(self.time), return_counts=True)
        usual: np.timedelta64 = distances[counts.argmax()]
        return usual

    @property
    def is_daily(self) -> bool:
        """Whether the rows are days, of 23 to 25 hours."""
        return bool(self.step >= np.timedelta64(23, "h"))

    @property
    def rows_per_day(self) -> int:
        """Rows of a day, 1 for daily ones."""
        return max(1, round(DAY / self.step))

    def column(self, signal: str) -> np.ndarray:
        """The values of a signal, shape (rows,)."""
        return self.values[:, self.signals.index(signal)]


@dataclass(frozen=True, slots=True)
class Skip:
    """What cannot be carried, and why."""

    series: str
    fault: str | None
    why: str

    def to_json(self) -> dict[str, object]:
        """JSON-able."""
        return {"series": self.series, "fault": self.fault, "why": self.why}


def find_series(
    data: Path, folders: Sequence[str] = FOLDERS, *, pattern: str = "*"
) -> tuple[list[Series], list[Skip]]:
    """The series that sereno reads as solar or gas in the known folders, and the files that it does not.

    Args:
        pattern: Names of the files that are read (shell pattern).
    """
    found: list[Series] = []
    skips: list[Skip] = []
    for name in folders:
        if not (data / name).is_dir():
            skips.append(Skip(name, None, "there is no such folder"))
            continue
        paths = [path for path in expand_paths([data / name]) if fnmatchcase(path.name, pattern)]
        with TemporaryDirectory(prefix="sereno-faults-") as scratch, Workspace.open(scratch) as workspace:
            skips += _ingest(workspace, paths, name)
            found += _series_among(_series_of(workspace, paths, name), skips)
    return found, skips


def _ingest(workspace: Workspace, paths: Sequence[Path], name: str) -> list[Skip]:
    """Store the files that are read as solar or gas, each with the zone of its clock."""
    skips = []
    for path in paths:
        checked, zone = _best_zone(workspace, path)
        if checked.profile not in PROFILES:
            why = "refused" if checked.is_refused else f"read as {checked.profile or 'nothing'}"
            skips.append(Skip(f"{name}/{path.name}", None, f"{why}: no solar or gas signals"))
            continue
        workspace.ingest(path, timezone=zone)
    return skips


def _best_zone(workspace: Workspace, path: Path) -> tuple[FileResult, str]:
    """The zone in which the sun keeps its time, then the one in which the fewest records clash.

    A user knows where the meter stands; here a file's name tells the country (`nl_…`), and its clock which
    of the country's zones, with or without summer time, it keeps: in a wrong one the days of a roof jump by
    an hour twice a year, and records clash or fall into an hour that does not exist.
    """
    best: tuple[tuple[int, int], FileResult, str] | None = None
    for zone in _zones_of_country(path.name[:2].upper() if path.name[2:3] == "_" else ""):
        (checked,) = workspace.check(path, timezone=zone)
        doubts = (_n_jumps(checked), _n_clashes(checked))
        if best is None or doubts < best[0]:
            best = (doubts, checked, zone)
        if best[0] == (0, 0):
            break
    assert best is not None
    return best[1], best[2]


def _n_jumps(checked: FileResult) -> int:
    """How often the days of generation move against the sun."""
    issues = checked.entry.get("issues")
    assert isinstance(issues, list)
    return sum(int(issue["count"]) for issue in issues if issue["code"] == "quality.clock_shift")


def _n_clashes(checked: FileResult) -> int:
    """Records that clash with another one, or whose time the zone's clock skips or shows twice."""
    totals, issues = checked.entry.get("totals"), checked.entry.get("issues")
    if not isinstance(totals, Mapping) or not isinstance(issues, list):
        return 0
    doubtful = sum(int(issue["count"]) for issue in issues if issue["code"] == "quality.ambiguous_date")
    return int(totals["records_quarantined"]) + int(totals["duplicates_identical"]) + doubtful


@lru_cache(maxsize=64)
def _zones_of_country(country: str) -> Sequence[str]:
    """The zones of an ISO 3166 country, by the tz database; the default ones where it is none.

    Without those of its outlying lands (another region's name, a summer time of half an hour).
    """
    table = resources.files("tzdata").joinpath("zoneinfo").joinpath("zone.tab").read_text("utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    names = [row[2] for row in rows if row[0] == country]
    regions = Counter(name.split("/")[0] for name in names)
    main = [name for name in names if regions[name.split("/")[0]] == max(regions.values())]
    return tuple(name for name in main if _has_whole_hours(name)) or DEFAULT_ZONES


def _has_whole_hours(zone: str) -> bool:
    winter, summer = (datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7))
    assert winter is not None
    assert summer is not None
    return not (summer - winter) % timedelta(hours=1)


def _series_of(workspace: Workspace, paths: Sequence[Path], name: str) -> Iterator[Series | Skip]:
    dialects = _dialects(workspace, paths)
    with workspace.store.read() as tx:
        for asset in tx.assets():
            stored = tx.rows(asset.id, asset.profile)
            used = np.flatnonzero(~np.isnan(stored.values).all(axis=0))
            signals = tuple(stored.signals[column] for column in used)
            dialect = dialects.get((asset.key.site, signals)) or dialects.get(("", signals))
            if dialect is None:
                yield Skip(
                    f"{name}/{asset.key}", None, "its signals are spread over files of several layouts"
                )
                continue
            yield Series(
                folder=name,
                key=asset.key,
                profile=asset.profile,
                zone=asset.zone,
                time=stored.time.astype("datetime64[us]"),
                signals=signals,
                values=stored.values[:, used],
                dialect=dialect,
            )


def _series_among(items: Iterator[Series | Skip], skips: list[Skip]) -> Iterator[Series]:
    """The series among the items; the skips go where skips go."""
    for item in items:
        if isinstance(item, Skip):
            skips.append(item)
        else:
            yield item


def _dialects(workspace: Workspace, paths: Sequence[Path]) -> Mapping[tuple[str, tuple[str, ...]], Dialect]:
    """The dialect of the first file of each site, and of any site, by the signals that it has."""
    known: dict[tuple[str, tuple[str, ...]], Dialect] = {}
    for path in paths:
        (checked,) = workspace.check(path)
        if checked.profile not in PROFILES:
            continue
        order = [signal.name for signal in workspace.profiles[checked.profile].signals]
        for table in _tables(checked):
            signals, dialect = _dialect(path.name, table, order)
            known.setdefault((workspace.site_of(path), signals), dialect)
            known.setdefault(("", signals), dialect)
    return known


def _tables(checked: FileResult) -> list[Mapping[str, object]]:
    tables = checked.entry["tables"]
    return tables if isinstance(tables, list) else []


def _dialect(file: str, table: Mapping[str, object], order: Sequence[str]) -> tuple[tuple[str, ...], Dialect]:
    columns = table["columns"]
    assert isinstance(columns, list)
    named = {str(c["signal"]): (str(c["source"]), str(c["unit"])) for c in columns if c["signal"]}
    signals = tuple(name for name in order if name in named)
    time = next((str(c["source"]) for c in columns if not c["signal"]), "timestamp")
    dialect = Dialect(
        file=file,
        time_header=time,
        columns=tuple(named[name] for name in signals),
        delimiter=str(table["delimiter"] or ""),
        decimal=str(table["decimal"] or "."),
        date_order=str(table["date_order"] or "ymd"),
        has_unit_row=table["unit_row"] is not None,
    )
    return signals, dialect
