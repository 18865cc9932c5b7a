"""A small picture of what was observed against what was expected, for messages."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from sereno.domain.arrays import micros_of, round_values
from sereno.domain.readings import FloatArray
from sereno.domain.time import EPOCH
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import day_of_month, moment, number
from sereno.notify.canvas import HEIGHT, WIDTH, Canvas
from sereno.notify.page import Picture

__all__ = ["Picture", "Series", "draw_picture"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 12, 48, 28
_PLOT_RIGHT, _PLOT_BOTTOM = WIDTH - _RIGHT, HEIGHT - _BOTTOM
_N_Y_TICKS, _N_X_TICKS = 5, 6
_MAX_POINTS = 400
"""More are shown as means, of the shortest of these spans [s] that is long enough."""
_MEANS = (("hourly", 3_600), ("daily", 86_400), ("weekly", 604_800), ("monthly", 2_592_000))
_MARGIN = 0.06
_MICRO = 1e-6
_HOUR_S, _DAY_S = 3_600, 86_400
_STEPS_S = tuple(h * _HOUR_S for h in (1, 2, 3, 6, 12)) + tuple(
    d * _DAY_S for d in (1, 2, 7, 14, 30, 60, 180, 365)
)

_GRID, _TEXT, _BAND = "#e3e8ed", "#4b5661", "#dbe7f1"
_SHADE, _EDGE = "#fbe3e1", "#d98c86"
_EXPECTED, _OBSERVED, _ABNORMAL = "#7d8894", "#1f5f99", "#b3261e"
_DRAWN = (_OBSERVED, _ABNORMAL, _TEXT, _EXPECTED, _EDGE, _BAND, _SHADE, _GRID)


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn, all arrays of shape (rows,).

    Attributes:
        time: Ascending instants, datetime64[us] meaning UTC.
        observed, expected: In `unit`; lines are broken where they are NaN.
        low, high: Between them is usual; NaN where that is not known.
        abnormal: Start and end of the stretch that the message is about.
        label: Of the signal, in the language of the receiver.
    """

    time: npt.NDArray[np.datetime64]
    observed: FloatArray
    expected: FloatArray
    low: FloatArray
    high: FloatArray
    abnormal: tuple[datetime, datetime]
    label: str
    unit: str


def draw_picture(series: Series, *, zone: str, language: str) -> Picture | None:
    """The picture of a series; None where there is nothing to draw.

    Args:
        zone: Of the site; the axis shows its wall clock.
    """
    if len(series.time) < 2 or not np.isfinite(series.observed).any():
        return None
    text = _describe(series, zone, language)
    series, means = _thinned(series, ZoneInfo(zone))
    seconds = _seconds(series.time)
    span = tuple((one - EPOCH).total_seconds() for one in series.abnormal)
    axes = _Axes.of(series, seconds)
    canvas = Canvas(_DRAWN, [_BAND, _SHADE])
    _draw_abnormal(canvas, axes, span)
    _draw_band(canvas, axes, series, seconds)
    _draw_grid(canvas, axes, ZoneInfo(zone), language)
    canvas.line(_points(axes, seconds, series.expected), _EXPECTED, width=1.6, dash=(5, 3.5))
    is_abnormal = (seconds >= span[0]) & (seconds <= span[1])
    canvas.line(_points(axes, seconds, series.observed), _OBSERVED, width=2.0)
    canvas.line(_points(axes, seconds, np.where(is_abnormal, series.observed, np.nan)), _ABNORMAL, width=2.6)
    _draw_legend(canvas, series, means, language)
    return Picture(_encode(canvas), text)


@dataclass(frozen=True, slots=True)
class _Axes:
    """From seconds and values to places in the picture."""

    first: float
    last: float
    low: float
    high: float

    @classmethod
    def of(cls, series: Series, seconds: FloatArray) -> "_Axes":
        shown = np.concatenate([series.observed, series.expected, series.low, series.high])
        shown = shown[np.isfinite(shown)]
        low, high = float(shown.min()), float(shown.max())
        room = (high - low) * _MARGIN or abs(low) * _MARGIN or 1.0
        return cls(float(seconds[0]), float(seconds[-1]), low - room, high + room)

    def across(self, seconds: float) -> float:
        share = (seconds - self.first) / (self.last - self.first)
        return _LEFT + min(max(share, 0.0), 1.0) * (_PLOT_RIGHT - _LEFT)

    def up(self, value: float) -> float:
        return _PLOT_BOTTOM - (value - self.low) / (self.high - self.low) * (_PLOT_BOTTOM - _TOP)


def _draw_abnormal(canvas: Canvas, axes: _Axes, span: tuple[float, ...]) -> None:
    left, right = axes.across(span[0]), axes.across(span[1])
    right = max(right, left + 3)
    canvas.box(left, _TOP, right, _PLOT_BOTTOM, _SHADE)
    for edge in (left, right):
        canvas.line([[(edge, _TOP), (edge, _PLOT_BOTTOM)]], _EDGE, width=0.8, dash=(3, 3))


def _draw_band(canvas: Canvas, axes: _Axes, series: Series, seconds: FloatArray) -> None:
    known = np.isfinite(series.low) & np.isfinite(series.high)
    low = _points(axes, seconds, np.where(known, series.low, np.nan))
    high = _points(axes, seconds, np.where(known, series.high, np.nan))
    for bottom, top in zip(low, high, strict=True):
        if len(bottom) > 1:
            canvas.area([*top, *reversed(bottom)], _BAND)


def _draw_grid(canvas: Canvas, axes: _Axes, zone: ZoneInfo, language: str) -> None:
    for value in round_values(axes.low, axes.high, at_most=_N_Y_TICKS):
        at = axes.up(value)
        canvas.line([[(_LEFT, at), (_PLOT_RIGHT, at)]], _GRID, width=0.8)
        canvas.text(_LEFT - 7, at, number(value, language), _TEXT, anchor="rm")
    for seconds, text in _time_ticks(axes, zone, language):
        at = axes.across(seconds)
        canvas.line([[(at, _PLOT_BOTTOM), (at, _PLOT_BOTTOM + 4)]], _TEXT, width=0.8)
        canvas.text(at, _PLOT_BOTTOM + 7, text, _TEXT, anchor="mt")


def _draw_legend(canvas: Canvas, series: Series, means: str, language: str) -> None:
    title = series.label[:1].upper() + series.label[1:] + (f" [{series.unit}]" if series.unit else "")
    title += sentence(f"notify.picture.{means}", language) if means else ""
    canvas.text(6, 11, title, _TEXT, anchor="lm", is_bold=True)
    entries = [("observed", _OBSERVED), ("expected", _EXPECTED), ("usual", _BAND), ("abnormal", _SHADE)]
    drawn = {"expected": series.expected, "usual": series.low}
    entries = [one for one in entries if one[0] not in drawn or np.isfinite(drawn[one[0]]).any()]
    at = float(_PLOT_RIGHT)
    for key, colour in reversed(entries):
        text = sentence(f"notify.picture.{key}", language)
        at -= canvas.width_of(text)
        canvas.text(at, 33, text, _TEXT, anchor="lm")
        if key in ("observed", "expected"):
            dash = (4.0, 2.5) if key == "expected" else None
            canvas.line([[(at - 18, 33), (at - 4, 33)]], colour, width=2, dash=dash)
        else:
            canvas.box(at - 18, 27, at - 4, 38, colour, outline=_GRID if key == "usual" else _EDGE)
        at -= 30


def _points(axes: _Axes, seconds: FloatArray, values: FloatArray) -> list[list[tuple[float, float]]]:
    """Unbroken runs of places."""
    is_known = np.isfinite(values)
    cuts = np.flatnonzero(np.diff(is_known.astype(np.int8))) + 1
    runs = []
    for part in np.split(np.arange(len(seconds)), cuts):
        if len(part) and is_known[part[0]]:
            places = [(axes.across(float(seconds[i])), axes.up(float(values[i]))) for i in part]
            runs.append(places if len(places) > 1 else [places[0], (places[0][0] + 1.5, places[0][1])])
    return runs


def _thinned(series: Series, zone: ZoneInfo) -> tuple[Series, str]:
    """The series, or its means by hour, day, week or month where it has too many rows; and which."""
    if len(series.time) <= _MAX_POINTS:
        return series, ""
    seconds = _seconds(series.time)
    offset = (datetime.fromtimestamp(seconds[0], zone).utcoffset() or timedelta(0)).total_seconds()
    fits = [one for one in _MEANS if (seconds[-1] - seconds[0]) / one[1] < _MAX_POINTS]
    name, length = fits[0] if fits else _MEANS[-1]
    bucket = np.floor((seconds + offset) / length)
    starts = np.flatnonzero(np.diff(bucket, prepend=-np.inf))
    shorter = replace(
        series,
        time=series.time[starts],
        observed=_means(series.observed, starts),
        expected=_means(series.expected, starts),
        low=_means(series.low, starts),
        high=_means(series.high, starts),
    )
    return shorter, name


def _means(values: FloatArray, starts: npt.NDArray[np.int64]) -> FloatArray:
    """Mean of each part, NaN where it has no value."""
    known = np.isfinite(values)
    count = np.add.reduceat(known.astype(np.float64), starts)
    total = np.add.reduceat(np.where(known, values, 0.0), starts)
    with np.errstate(invalid="ignore"):
        means: FloatArray = total / count
    return means


def _seconds(time: npt.NDArray[np.datetime64]) -> FloatArray:
    seconds: FloatArray = micros_of(time).astype(np.float64) * _MICRO
    return seconds


def _time_ticks(axes: _Axes, zone: ZoneInfo, language: str) -> list[tuple[float, str]]:
    """Round local times: hours of the day, or days where the span is longer."""
    rough = (axes.last - axes.first) / _N_X_TICKS
    step = next((one for one in _STEPS_S if one >= rough), _STEPS_S[-1])
    first = datetime.fromtimestamp(axes.first, zone)
    found = []
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    wall = midnight
    while (at := wall.replace(tzinfo=zone).timestamp()) <= axes.last:
        if at >= axes.first:
            found.append((at, _tick(wall, language)))
        wall += timedelta(seconds=step)
    return [one for one in found if axes.across(one[0]) <= _PLOT_RIGHT - 16]


def _tick(wall: datetime, language: str) -> str:
    is_midnight = (wall.hour, wall.minute) == (0, 0)
    return day_of_month(date(wall.year, wall.month, wall.day), language) if is_midnight else f"{wall:%H:%M}"


def _encode(canvas: Canvas) -> bytes:
    out = BytesIO()
    canvas.finished().save(out, "PNG", optimize=True)
    return out.getvalue()


def _describe(series: Series, zone: str, language: str) -> str:
    ends = [
        EPOCH + timedelta(microseconds=int(one))
        for one in series.time[[0, -1]].astype("datetime64[us]").astype(np.int64)
    ]
    start, end, first, last = (moment(one, zone, language) for one in (*ends, *series.abnormal))
    return sentence(
        "notify.picture.alternative",
        language,
        signal=series.label,
        start=start,
        end=end,
        first=first,
        last=last,
    )
