"""Loads of other kinds, forecast a day and an hour ahead: regions, transformers, a household, solar plants.

`ridge` learns before the first origin and once a day what came since, without weather; the naive forecasts on
the same days stand beside it. How fast weights follow the errors was chosen on these series, so their figures
are no untouched test. MASE: mean absolute error over that of the day before on the rows that taught, mean
over series and stretches.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.common import DATA_VARIABLE, Goal, parse_options, publish, tell
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import AssetKey
from sereno.forecast.backtest import Backtest, backtest, dated
from sereno.forecast.registry import build_forecaster

__all__ = ["main"]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PER_DAY = DAY // HOUR
SIGNAL = "power"
ORIGINS_EVERY = {DAY: DAY, HOUR: 3 * HOUR}
LEAST_KNOWN = 0.5
"""Share of a series that must be there."""
DAY_NAIVE, WEEK_NAIVE = "day_naive", "week_naive"
BACK = {DAY_NAIVE: 1, WEEK_NAIVE: 7}

Stretch = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Loads:
    """Hourly series of one kind, and the stretches of them that are forecast.

    Attributes:
        start: First hour of all series.
        values: By name of the series, shape (hours,); NaN where unknown.
    """

    name: str
    country: str
    start: date
    values: Mapping[str, FloatArray]
    stretches: Sequence[Stretch]

    def windows(self) -> list[Window]:
        """One per series."""
        return [_window(name, self.start, values) for name, values in self.values.items()]

    def known_before(self, instant: date) -> list[str]:
        """Series with values on most of the days before."""
        stop = (instant - self.start).days * PER_DAY
        return [name for name, one in self.values.items() if np.isfinite(one[:stop]).mean() > LEAST_KNOWN]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("loads", str(__doc__), arguments)
    if options.data is None:
        raise SystemExit(f"--data names the folder that holds pjm/, ett/ and others, or {DATA_VARIABLE} does")
    figures: dict[str, object] = {}
    ratios = []
    for read in _KINDS:
        for loads in read(options.data):
            tell(loads.name)
            stretches = loads.stretches[:1] if options.is_quick else loads.stretches
            shown = _measured(loads, stretches)
            ratios.append(shown["day_ahead"]["ratio"])
            figures[loads.name] = {"series": len(loads.values), "stretches": len(stretches), **shown}
    worst = max(ratios, default=None)
    publish(options, figures, {"worst_ratio_to_naive": Goal(worst, 1.0)})


def _measured(loads: Loads, stretches: Sequence[Stretch]) -> dict[str, dict[str, float]]:
    shown = {}
    for name, horizon in (("day_ahead", DAY), ("one_hour", HOUR)):
        ours = [_ours(loads, stretch, horizon) for stretch in stretches]
        found = {"sereno": _short(np.nanmean(np.concatenate(ours)))}
        if horizon == DAY:
            naive = [_naive(loads, stretch) for stretch in stretches]
            found |= {one: _short(np.nanmean(np.concatenate([n[one] for n in naive]))) for one in BACK}
            found["ratio"] = _short(found["sereno"] / min(found[one] for one in BACK))
        shown[name] = found
    return shown


def _ours(loads: Loads, stretch: Stretch, horizon: timedelta) -> FloatArray:
    """MASE of each series that has a history then."""
    known = set(loads.known_before(stretch[0]))
    windows = [one for one in loads.windows() if one.asset.asset in known]
    forecaster = build_forecaster("ridge", SIGNAL, common={"days_ahead": 1, "country": loads.country})
    start, end = (datetime(one.year, one.month, one.day, tzinfo=UTC) for one in stretch)
    plan = Backtest(start, end, horizon, ORIGINS_EVERY[horizon], refit_every=DAY)
    return np.array([one.mase for one in backtest(forecaster, [dated(one) for one in windows], plan)])


def _naive(loads: Loads, stretch: Stretch) -> dict[str, FloatArray]:
    """The same of the value at the same hour of the day and of the week before."""
    start, stop = ((one - loads.start).days * PER_DAY for one in stretch)
    found: dict[str, list[float]] = {one: [] for one in BACK}
    for name in loads.known_before(stretch[0]):
        values = loads.values[name]
        scale = np.nanmean(np.abs(values[PER_DAY:start] - values[: start - PER_DAY]))
        for one, days in BACK.items():
            back = days * PER_DAY
            errors = np.abs(values[start:stop] - values[start - back : stop - back])
            found[one].append(float(np.nanmean(errors) / scale) if np.isfinite(errors).any() else np.nan)
    return {one: np.array(mase) for one, mase in found.items()}


def _regions(folder: Path) -> list[Loads]:
    files = sorted((folder / "pjm").glob("*_hourly.parquet"))
    spans = {
        2006: ((2006, 5, 7), (2006, 9, 11), (2007, 3, 5), (2007, 8, 10)),
        2014: ((2014, 4, 6), (2014, 6, 8), (2014, 8, 10), (2015, 2, 4), (2015, 8, 10)),
    }
    found = []
    for year, stretches in spans.items():
        start = date(year, 1, 1)
        values = {}
        for file in files:
            frame, name = pl.read_parquet(file), file.name.removesuffix("_hourly.parquet")
            values[name] = _on_grid(frame["Datetime"], frame[f"{name}_MW"], start, 730)
        values = {name: one for name, one in values.items() if np.isfinite(one).mean() > LEAST_KNOWN}
        if values:
            found.append(Loads(f"regions_{year}", "US", start, values, _stretches(stretches)))
    return found


def _transformers(folder: Path) -> list[Loads]:
    columns = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL")
    stretches = _stretches(((2017, 1, 3), (2017, 7, 9), (2018, 1, 3)))
    return _table(
        folder / "ett" / "ETTh1.parquet", "transformers", "CN", date(2016, 7, 1), columns, stretches
    )


def _household(folder: Path) -> list[Loads]:
    columns = ("Global_active_power", *(f"Sub_metering_{n}" for n in (1, 2, 3)))
    file = folder / "uci_household" / "household_hourly.parquet"
    return _table(
        file, "household", "FR", date(2007, 1, 1), columns, _stretches(((2007, 8, 10), (2008, 3, 5)))
    )


def _solar(folder: Path) -> list[Loads]:
    stretches = _stretches(((2016, 8, 10), (2017, 5, 7)))
    file = folder / "bdg2" / "solar_cleaned_hourly.parquet"
    return _table(file, "solar", "US", date(2016, 1, 1), (), stretches)


_KINDS: tuple[Callable[[Path], list[Loads]], ...] = (_regions, _transformers, _household, _solar)


def _table(
    file: Path, name: str, country: str, start: date, columns: Sequence[str], stretches: Sequence[Stretch]
) -> list[Loads]:
    """Columns of a file whose first is the time; all others where none are named, nothing without it."""
    if not file.exists():
        return []
    frame = pl.read_parquet(file)
    time = frame.columns[0]
    last = max(stop for _, stop in stretches)
    days = (last - start).days
    values = {one: _on_grid(frame[time], frame[one], start, days) for one in columns or frame.columns[1:]}
    values = {key: one for key, one in values.items() if np.isfinite(one).mean() > LEAST_KNOWN}
    return [Loads(name, country, start, values, stretches)]


def _stretches(given: Sequence[tuple[int, int, int]]) -> list[Stretch]:
    """Whole months: year, first month, month after the last."""
    return [(date(year, first, 1), date(year, last, 1)) for year, first, last in given]


def _on_grid(time: pl.Series, values: pl.Series, start: date, n_days: int) -> FloatArray:
    """Values by the hour from a date on; the last one where an hour is there twice."""
    grid = np.full(n_days * PER_DAY, np.nan)
    places = (_instants(time).astype("datetime64[h]") - np.datetime64(start, "h")).astype(int)
    inside = (places >= 0) & (places < len(grid))
    grid[places[inside]] = values.cast(pl.Float64).to_numpy()[inside]
    return grid


def _instants(time: pl.Series) -> np.ndarray:
    return (time.str.to_datetime() if time.dtype == pl.String else time).to_numpy()


def _window(name: str, start: date, values: FloatArray) -> Window:
    time = np.datetime64(start, "us") + np.arange(len(values)) * np.timedelta64(HOUR)
    quality = np.zeros((len(values), 1), np.int32)
    return Window(AssetKey("Loads", name), "load", (SIGNAL,), time, values[:, None], quality, HOUR)


def _short(value: float) -> float:
    return round(float(value), 4)


if __name__ == "__main__":
    main()
