"""What a signal of an asset usually does, as pictures with their figures.

What is shown is of the period; what is normal (the band) is of the months before its end, as the settings
say. Readings that are known not to be a measurement are left out, and counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from sereno.domain.arrays import round_values
from sereno.domain.readings import FloatArray, Quality
from sereno.domain.signals import Profile, Signal, SignalKind
from sereno.flows.courses import asset_named
from sereno.flows.scatter import scatter_plot
from sereno.flows.segment_names import segment_name
from sereno.flows.segments import figures_like, load_segmentation
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import has, sentence
from sereno.i18n.numbers import number
from sereno.report.charts import Area, Bars, Chart, Line, draw
from sereno.report.heat import Heat, draw_heat
from sereno.report.patterns import (
    HOURS,
    MONTHS,
    STATISTICS,
    WEEKDAYS,
    Course,
    calendar_of,
    carpet_of,
    correlation_of,
    course_of,
    duration_of,
    histogram_of,
    hour_of,
    month_of,
    response_of,
    spread_by,
    week_of,
    weekday_of,
)
from sereno.report.plots import Plot
from sereno.report.rows import Row, draw_rows
from sereno.store import StoredAsset, StoredRows

__all__ = ["Figure", "Patterns", "patterns_of"]

_NO_MEASUREMENT = (
    Quality.OUT_OF_RANGE
    | Quality.CONFLICT
    | Quality.BAD
    | Quality.SENTINEL
    | Quality.SPIKE
    | Quality.SWAPPED_SIGN
    | Quality.SWAPPED_CHANNELS
    | Quality.CATCH_UP
    | Quality.UNIT_CHANGE
    | Quality.CLOCK_SHIFT
)
_MONTH = timedelta(days=365.25 / 12)
_DAY = timedelta(days=1)
_MAIN = ("generation", "consumption", "volume", "active_power", "power", "energy")
_MOST_DOTS = 800
_MOST_SIGNALS = 12
_TALL, _LOW, _SQUARE = 26, 12, 34
_EVERY_HOURS = 6


@dataclass(frozen=True, slots=True)
class Figure:
    """A statistic of the period beside the same of the months that say what is normal."""

    name: str
    label: str
    value: float
    usual: float


@dataclass(frozen=True, slots=True)
class Patterns:
    """What a signal usually does.

    Attributes:
        signals: Those of the asset that have a value.
        n_values: Of the signal in the period.
        n_left_out: Of them, known not to be a measurement.
        usual_from: From when on readings say what is normal.
    """

    asset: StoredAsset
    signal: Signal
    signals: Sequence[Signal]
    n_values: int
    n_left_out: int
    usual_from: datetime
    figures: Sequence[Figure]
    plots: Sequence[Plot]

    def plot(self, name: str) -> Plot | None:
        """The picture of that name."""
        return next((one for one in self.plots if one.name == name), None)


def patterns_of(
    workspace: Workspace,
    site: str,
    *,
    start: datetime,
    end: datetime,
    language: str,
    asset: str = "",
    profile: str = "",
    signal: str = "",
) -> Patterns:
    """The patterns of a signal over [start, end).

    Args:
        asset, profile: Of the site; otherwise its first asset.
        signal: By its name; otherwise the one that matters most.

    Raises:
        UnknownAsset: There is no such site.
    """
    usual_from = end - workspace.settings.patterns.months * _MONTH
    with workspace.store.read() as tx:
        assets = asset_named(tx, site)
        chosen = next((a for a in assets if a.key.asset == asset and profile in ("", a.profile)), assets[0])
        rows = tx.rows(chosen.id, chosen.profile, start=min(start, usual_from), end=end)
    data = _Data.of(rows, workspace.profiles[chosen.profile], signal)
    drawing = _Drawing(workspace, chosen, data, start, usual_from, language)
    is_shown = drawing.is_shown
    n_values = int(np.isfinite(data.raw[is_shown, data.place]).sum()) if data.signals else 0
    return Patterns(
        asset=chosen,
        signal=data.signal,
        signals=data.signals,
        n_values=n_values,
        n_left_out=n_values - int(np.isfinite(data.values[is_shown, data.place]).sum())
        if data.signals
        else 0,
        usual_from=usual_from,
        figures=drawing.figures() if n_values else (),
        plots=drawing.plots() if n_values else (),
    )


@dataclass(frozen=True, slots=True)
class _Data:
    """The rows of an asset, of the signals that it has; `values` without what is no measurement."""

    rows: StoredRows
    signals: Sequence[Signal]
    place: int
    raw: FloatArray
    values: FloatArray

    @classmethod
    def of(cls, rows: StoredRows, profile: Profile, wanted: str) -> "_Data":
        is_there = np.isfinite(rows.values).any(axis=0)
        kept = np.flatnonzero(is_there)[:_MOST_SIGNALS]
        signals = [profile.signal(rows.signals[one]) for one in kept.tolist()]
        names = [one.name for one in signals]
        main = next((one for one in (wanted, *_MAIN) if one in names), names[0] if names else "")
        raw = rows.values[:, kept]
        is_measured = (rows.quality[:, kept] & int(_NO_MEASUREMENT)) == 0
        values = np.where(is_measured, raw, np.nan)
        return cls(rows, signals, names.index(main) if main else 0, raw, values)

    @property
    def signal(self) -> Signal:
        return self.signals[self.place] if self.signals else Signal("", "unknown", "")

    @property
    def temperature(self) -> int | None:
        """Column of a temperature that is not the signal itself."""
        for place, one in enumerate(self.signals):
            if one.quantity == "temperature" and place != self.place:
                return place
        return None


class _Drawing:
    """Draws the pictures of one signal; each is a method that gives its figures with it."""

    def __init__(
        self,
        workspace: Workspace,
        asset: StoredAsset,
        data: _Data,
        start: datetime,
        usual_from: datetime,
        language: str,
    ) -> None:
        self._workspace, self._asset, self._data = workspace, asset, data
        self._language, self._signal = language, data.signal
        time = data.rows.time
        self.is_shown = time >= _plain(start)
        self._is_usual = time >= _plain(usual_from)
        self._shown = self._course(self.is_shown)
        self._usual = self._course(self._is_usual)

    def figures(self) -> list[Figure]:
        """The statistics of the settings."""
        column = self._data.values[:, self._data.place]
        found = []
        for name in self._workspace.settings.patterns.statistics:
            figure = STATISTICS[name]
            values = [_known(column[rows]) for rows in (self.is_shown, self._is_usual)]
            shown, usual = (figure(one) if len(one) else float("nan") for one in values)
            found.append(Figure(name, self._say(f"statistic.{name}"), shown, usual))
        return found

    def plots(self) -> list[Plot]:
        """All that can be said of the signal; what cannot says why."""
        asked: list[Callable[[], Plot]] = [self._carpet, self._week, self._calendar, self._by_hour]
        asked += [self._by_weekday, self._by_month, self._duration, self._histogram]
        asked += [self._response, self._segment, self._correlation, self._scatter]
        return [one() for one in asked]

    @property
    def _is_added(self) -> bool:
        return self._signal.kind is SignalKind.INTERVAL

    @property
    def _unit(self) -> str:
        """Of an hour, or of a day."""
        return self._signal.unit

    def _course(self, rows: np.ndarray) -> Course:
        return self._course_of(self._data.place, rows)

    def _course_of(self, place: int, rows: np.ndarray) -> Course:
        values = self._data.values[rows][:, place] if self._data.signals else np.empty(0)
        time = self._data.rows.time[rows] if self._data.signals else self._data.rows.time[:0]
        kind = self._data.signals[place].kind if self._data.signals else SignalKind.INSTANT
        return course_of(time, values, zone=self._asset.zone, kind=kind, step=self._asset.step)

    def _say(self, key: str, **facts: object) -> str:
        return sentence(f"patterns.{key}", self._language, **facts)

    def _none(self, name: str, why: str) -> Plot:
        return Plot(name, self._say(f"{name}.title"), self._say(f"{name}.about"), "", missing=self._say(why))

    def _plot(self, name: str, svg: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Plot:
        cells = [[_cell(one) for one in row] for row in rows]
        said = [self._say(f"column.{one}") if has(f"patterns.column.{one}") else one for one in columns]
        return Plot(name, self._say(f"{name}.title"), self._say(f"{name}.about"), svg, said, cells)

    def _heat(
        self, name: str, values: FloatArray, rows: Sequence[str], columns: Sequence[str], tall: int
    ) -> str:
        return draw_heat(
            Heat(
                self._title(name),
                values,
                rows,
                columns,
                self._unit,
                cell_height=tall,
                language=self._language,
            )
        )

    def _title(self, name: str) -> str:
        return f"{self._say(f'{name}.title')}: {self._signal.label(self._language)}"

    def _carpet(self) -> Plot:
        if self._shown.is_daily:
            return self._none("carpet", "needs_hours")
        days, values = carpet_of(self._shown)
        labels = [_day_label(day) for day in days]
        hours = [f"{hour:02}:00" if hour % _EVERY_HOURS == 0 else "" for hour in range(HOURS)]
        svg = self._heat("carpet", values, hours, labels, _LOW)
        columns = ["day", *(f"{hour:02}:00" for hour in range(HOURS))]
        rows = [[str(day), *values[:, at].tolist()] for at, day in enumerate(days)]
        return replace(self._plot("carpet", svg, columns, rows), is_wide=True)

    def _week(self) -> Plot:
        if self._shown.is_daily:
            return self._none("week", "needs_hours")
        values = week_of(self._shown)
        hours = [f"{hour:02}" for hour in range(HOURS)]
        svg = self._heat("week", values, self._weekdays(), hours, _TALL)
        rows = [[name, *values[place].tolist()] for place, name in enumerate(self._weekdays())]
        return replace(
            self._plot("week", svg, ["weekday", *(f"{one}:00" for one in hours)], rows), is_wide=True
        )

    def _by_hour(self) -> Plot:
        if self._shown.is_daily:
            return self._none("hour", "needs_hours")
        names = [f"{hour:02}:00" for hour in range(HOURS)]
        return self._profile("hour", hour_of, names, names[::_EVERY_HOURS], _EVERY_HOURS)

    def _by_weekday(self) -> Plot:
        names = self._weekdays()
        return self._profile("weekday", weekday_of, names, names, 1)

    def _by_month(self) -> Plot:
        names = self._say("months").split(" ")
        return self._profile("month", month_of, names, names, 1)

    def _profile(
        self,
        name: str,
        kind_of: Callable[[Course], np.ndarray],
        names: Sequence[str],
        ticks: Sequence[str],
        every: int,
    ) -> Plot:
        shown = spread_by(kind_of(self._shown), self._shown.values, len(names))
        usual = spread_by(kind_of(self._usual), self._usual.values, len(names))
        low, high = usual.band(self._workspace.settings.patterns.band)
        x = np.arange(len(names), dtype=float)
        chart = Chart(
            self._title(name),
            [Line(x, usual.mean, "second"), Line(x, shown.mean, has_marks=len(names) <= MONTHS)],
            ticks=[(float(place * every), text) for place, text in enumerate(ticks)],
            language=self._language,
            areas=[Area(x, low, high)],
            axes=("", self._unit),
        )
        columns = ["part", "mean", "std", "count", "usual_mean", "usual_low", "usual_high"]
        listed = (names, shown.mean, shown.std, shown.count, usual.mean, low, high)
        plot = self._plot(name, draw(chart), columns, list(zip(*listed, strict=True)))
        factor = number(self._workspace.settings.patterns.band, self._language)
        band = self._say("key.band", factor=factor)
        said = (("observed", self._say("key.mean")), ("expected", self._say("key.usual")), ("band", band))
        return replace(plot, keys=said)

    def _calendar(self) -> Plot:
        mondays, values = calendar_of(self._shown, is_added=self._is_added)
        labels = [_day_label(day) for day in mondays]
        svg = self._heat("calendar", values, self._weekdays(), labels, _TALL)
        columns = ["week", *self._weekdays()]
        rows = [[str(day), *values[:, at].tolist()] for at, day in enumerate(mondays)]
        return replace(self._plot("calendar", svg, columns, rows), is_wide=True)

    def _duration(self) -> Plot:
        share, values = duration_of(self._shown.values)
        ticks = [(one, f"{number(one, self._language)} %") for one in (0.0, 25.0, 50.0, 75.0, 100.0)]
        chart = Chart(self._title("duration"), [Line(share, values)], ticks, axes=("", self._unit))
        svg = draw(replace(chart, language=self._language))
        return self._plot("duration", svg, ["share", "value"], list(zip(share, values, strict=True)))

    def _histogram(self) -> Plot:
        edges, counts = histogram_of(self._shown.values)
        if not len(counts):
            return self._none("histogram", "needs_values")
        marks = round_values(float(edges[0]), float(edges[-1]), at_most=5) if edges[-1] > edges[0] else []
        ticks = [(one, number(one, self._language)) for one in marks]
        chart = Chart(
            self._title("histogram"),
            [],
            ticks,
            language=self._language,
            bars=Bars(edges, counts.astype(float)),
            axes=("", self._say("axis.count")),
        )
        rows = list(zip(edges[:-1], edges[1:], counts, strict=True))
        return self._plot("histogram", draw(chart), ["from", "to", "count"], rows)

    def _correlation(self) -> Plot:
        if len(self._data.signals) < 2:
            return self._none("correlation", "needs_signals")
        values = correlation_of(self._data.values[self.is_shown])
        names = [one.label(self._language) for one in self._data.signals]
        short = [_short(one) for one in names]
        heat = Heat(self._say("correlation.title"), values, short, short, cell_height=_SQUARE, is_around=True)
        svg = draw_heat(replace(heat, language=self._language))
        rows = [[name, *values[place].tolist()] for place, name in enumerate(names)]
        return replace(
            self._plot("correlation", svg, ["signal", *(f"{one} " for one in names)], rows), is_wide=True
        )

    def _scatter(self) -> Plot:
        time, values = self._data.rows.time[self.is_shown], self._data.values[self.is_shown]
        signals = self._data.signals
        return scatter_plot(self._workspace, self._asset.id, time, values, signals, self._language)

    def _response(self) -> Plot:
        place = self._data.temperature
        if place is None:
            return self._none("response", "needs_temperature")
        warm = self._by_day(self._course_of(place, self.is_shown), is_added=False)
        used = self._by_day(self._shown, is_added=self._is_added)
        days = sorted(warm.keys() & used.keys())
        x, y = (np.array([one[day] for day in days]) for one in (warm, used))
        if not np.isfinite(x * y).any():
            return self._none("response", "needs_temperature")
        middle, mean = response_of(x, y)
        some = np.linspace(0, len(x) - 1, min(len(x), _MOST_DOTS)).astype(int)
        label = self._data.signals[place].label(self._language)
        ticks = [(one, f"{number(one, self._language)} °C") for one in round_values(*_ends(x), at_most=5)]
        lines = [Line(x[some], y[some], "dots"), Line(middle, mean, has_marks=True)]
        chart = Chart(self._title("response"), lines, ticks, axes=(label, self._unit))
        svg = draw(replace(chart, language=self._language))
        rows = [[day, warm[day], used[day]] for day in days]
        plot = self._plot("response", svg, ["day", "temperature", "value"], rows)
        keys = (("dots", self._say("key.day")), ("observed", self._say("key.response")))
        return replace(plot, keys=keys)

    def _by_day(self, course: Course, *, is_added: bool) -> dict[str, float]:
        mondays, values = calendar_of(course, is_added=is_added)
        found = {}
        for at, monday in enumerate(mondays):
            for weekday in range(WEEKDAYS):
                if np.isfinite(values[weekday, at]):
                    found[str(monday + np.timedelta64(weekday, "D"))] = float(values[weekday, at])
        return found

    def _segment(self) -> Plot:
        known = load_segmentation(self._workspace.folder, self._asset.profile)
        if known is None:
            return self._none("segment", "needs_segments")
        found = figures_like(self._workspace.setup, self._workspace.store, self._asset, known)
        if not found:
            return self._none("segment", "needs_history")
        rows = [Row(name, own, usual) for name, (own, usual) in found.items() if np.isfinite(own)]
        svg = draw_rows(self._say("segment.title"), rows, language=self._language)
        name = known.segment_of(self._asset.key)
        count = sum(str(one) == name for one in known.members().values())
        cells = [[row.name, row.own, row.usual] for row in rows]
        return replace(
            self._plot("segment", svg, ["feature", "own", "centre"], cells),
            about=self._say("segment.about_one", segment=self._segment_name(name), count=count),
            keys=(("own", self._say("key.own")), ("usual", self._say("key.centre"))),
        )

    def _segment_name(self, number: str) -> str:
        return segment_name(f"{self._asset.profile} {number}", self._language)

    def _weekdays(self) -> list[str]:
        return self._say("weekdays").split(" ")


def _plain(instant: datetime) -> np.datetime64:
    return np.datetime64(instant.replace(tzinfo=None), "us")


def _known(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]


def _ends(values: FloatArray) -> tuple[float, float]:
    known = _known(values)
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _day_label(day: np.datetime64) -> str:
    _, month, of_month = str(day).split("-")
    return f"{of_month}/{month}"


def _short(name: str) -> str:
    return name if len(name) <= 13 else f"{name[:12]}…"


def _cell(value: object) -> str | float | int | None:
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value if isinstance(value, str | int) else str(value)
