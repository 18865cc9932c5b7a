"""What the pictures of a screen show: every signal of an asset over a stretch of time, thinned, gaps kept.

A stretch with more steps than a picture has points is cut into equal parts; of each part the least and the
largest value are shown, so that no peak is lost. What was expected, and the band in which normal rows lay, is
worked out apart (`bands_of`), because it asks the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from sereno.domain.arrays import micros_of
from sereno.domain.calendar import local_time, to_utc
from sereno.domain.errors import ModelError, SettingsError, UnknownAsset, UsageError
from sereno.domain.judgement import Detection, Severity
from sereno.domain.readings import FloatArray, QualityArray, TimeArray
from sereno.domain.signals import AssetKey, Profile, SignalKind
from sereno.domain.time import EPOCH, to_numpy
from sereno.flows.assets import standing_of, window_between
from sereno.flows.fleet import peer_reference
from sereno.flows.incidents import IncidentView
from sereno.flows.judge import behaviour_in, weigh_window
from sereno.flows.models import TrainedModel
from sereno.flows.pictures import judged_rows, stored_rows
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import error_sentence, sentence
from sereno.prepare.features import amount_of_gas_mol
from sereno.prepare.grid import build_window
from sereno.report.charts import Area, Chart, Line, stand_alone
from sereno.store import StoredAsset, Transaction

__all__ = [
    "GAS_AMOUNT",
    "Band",
    "Courses",
    "Lane",
    "Mark",
    "asset_named",
    "bands_of",
    "courses_of",
    "draw_lane",
    "incident_course",
    "lane_chart",
    "shifted",
]

GAS_AMOUNT = "gas_amount"
_GAS = ("pressure", "temperature", "volume")
_MAX_SIGNALS = 24
_MICROSECOND = timedelta(microseconds=1)
_HOUR = timedelta(hours=1)
_LEARNT = timedelta(days=28)
"""Of normal rows before and in the picture, from which the band is found."""
_BAND = (0.01, 0.99)
_MIN_OF_KIND = 7
_DATED_S = 3 * 86_400.0
"""Length from which a picture names days rather than hours [s]."""
_DAY_US = 86_400_000_000
_N_TICKS = 4
_THURSDAY, _SATURDAY = 3, 5
"""Of a week that begins on Monday; 1970 began on a Thursday."""
_LONGEST = timedelta(days=60)
_CONTEXT_STEPS = 72


@dataclass(frozen=True, slots=True)
class Band:
    """What was expected, and between which values 98 % of the normal rows lay, shape (points,) each."""

    expected: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Lane:
    """One signal; values are NaN where nothing was read, shape (points,).

    Attributes:
        doubtful: Points whose reading carries a quality flag; none of a thinned course.
    """

    signal: str
    label: Mapping[str, str]
    unit: str
    values: FloatArray
    band: Band | None = None
    doubtful: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Something abnormal in the picture; `ended_at` is None while it goes on.

    Attributes:
        signals: The most guilty first; empty where the whole row is meant.
    """

    check: str
    kind: str
    severity: Severity
    started_at: datetime
    ended_at: datetime | None
    last_at: datetime
    signals: tuple[str, ...]
    incident: str = ""


@dataclass(frozen=True, slots=True)
class Courses:
    """The signals of one asset over a stretch of time.

    Attributes:
        time: Seconds since 1970, ascending, shape (points,).
        is_thinned: Two points stand for each part of the time: its least and its largest value.
        notes: What must be declared before more can be shown; sentences by language.
    """

    asset: StoredAsset
    start: datetime
    end: datetime
    time: npt.NDArray[np.int64]
    lanes: Sequence[Lane]
    marks: Sequence[Mark] = ()
    is_thinned: bool = False
    notes: Sequence[Mapping[str, str]] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where the points of a picture stand: each step, or two in each of equal parts."""

    edges: npt.NDArray[np.int64]
    is_thinned: bool

    @classmethod
    def of(cls, start: datetime, end: datetime, step: timedelta | None, points: int) -> "_Axis":
        first, last = (int((one - EPOCH) // _MICROSECOND) for one in (start, end))
        width = int((step or timedelta(minutes=1)) // _MICROSECOND)
        n_steps = max(1, -(-(last - first) // width))
        if step is not None and n_steps <= points:
            return cls(np.empty(0, dtype=np.int64), is_thinned=False)
        parts = max(points // 2, 1)
        width = width * max(1, -(-n_steps // parts)) if step is not None else -(-(last - first) // parts)
        return cls(np.arange(first, last + width, width, dtype=np.int64), is_thinned=True)

    def seconds(self) -> npt.NDArray[np.int64]:
        begin = self.edges[:-1]
        half = np.diff(self.edges) // 2
        return np.column_stack((begin, begin + half)).reshape(-1) // 1_000_000

    def thinned(self, time: TimeArray, values: FloatArray) -> FloatArray:
        """Least and largest value of each part, shape (points,)."""
        place = np.searchsorted(micros_of(time), self.edges)
        pairs = np.full((len(self.edges) - 1, 2), np.nan)
        known = ~np.isnan(values)
        for part, (first, stop) in enumerate(zip(place[:-1].tolist(), place[1:].tolist(), strict=True)):
            rows = values[first:stop][known[first:stop]]
            if len(rows):
                pairs[part] = rows.min(), rows.max()
        return pairs.reshape(-1)


def asset_named(
    tx: Transaction, site: str, *, asset: str | None = None, profile: str | None = None
) -> list[StoredAsset]:
    """The assets of a site, or the ones of that name in it.

    Raises:
        UnknownAsset: There is none.
    """
    found = tx.assets(profile, sites=[site])
    found = [one for one in found if asset is None or one.key.asset == asset]
    if not found:
        raise UnknownAsset(asset=site if asset is None else f"{site}/{asset}", hint="")
    return found


def courses_of(
    workspace: Workspace, key: AssetKey, profile: str, *, start: datetime, end: datetime, points: int = 1200
) -> Courses:
    """Every signal of an asset with start <= time < end, with all that was found abnormal.

    Args:
        points: At most so many for each signal.
    """
    with workspace.store.read() as tx:
        asset = asset_named(tx, key.site, asset=key.asset, profile=profile)[0]
        known = workspace.profiles[profile]
        axis = _Axis.of(start, end, asset.step, points)
        signals = _signals(tx, asset, known)
        gas, notes = _gas_lane(tx, asset, known, axis, start, end)
        if axis.is_thinned:
            low, high = tx.extremes(asset.id, profile, signals, axis.edges.tolist())
            time = axis.seconds()
            values = np.stack((low, high), axis=1).reshape(-1, len(signals))
            is_doubtful = np.zeros(values.shape, dtype=bool)
        else:
            rows, values, quality = _grid(tx, asset, signals, start, end)
            is_doubtful = (quality != 0) & ~np.isnan(values)
            time = micros_of(rows) // 1_000_000
        detections = tx.detections_between(asset.id, start, end)
        incidents = _incidents_by_evidence(tx, asset, start)
    lanes = [
        Lane(
            name,
            _labels(known, name),
            known.signal(name).unit,
            values[:, column],
            doubtful=np.flatnonzero(is_doubtful[:, column]).tolist(),
        )
        for column, name in enumerate(signals)
        if not np.isnan(values[:, column]).all()
    ]
    return Courses(
        asset=asset,
        start=start,
        end=end,
        time=time,
        lanes=[*lanes, *gas],
        marks=[_mark(one, incidents) for one in detections],
        is_thinned=axis.is_thinned,
        notes=notes,
    )


def bands_of(
    workspace: Workspace, key: AssetKey, profile: str, *, start: datetime, end: datetime, points: int = 1200
) -> Courses:
    """What behaviour was expected of each signal, at the points of `courses_of`; no lanes without a model."""
    with workspace.store.read() as tx:
        asset = asset_named(tx, key.site, asset=key.asset, profile=profile)[0]
        known = workspace.profiles[profile]
        axis = _Axis.of(start, end, asset.step, points)
        try:
            model = workspace.model(profile)
        except (ModelError, SettingsError, UsageError):
            model = None
        found = None if model is None else _expected(tx, asset, known, model, start, end)
        if found is None:
            return Courses(asset, start, end, np.empty(0, dtype=np.int64), ())
        if axis.is_thinned:
            rows, time = found.time, axis.seconds()
        else:
            rows, _, _ = _grid(tx, asset, found.signals, start, end)
            time = micros_of(rows) // 1_000_000
    lanes = []
    for column, name in enumerate(found.signals):
        shown = [one[:, column] for one in (found.expected, found.low, found.high)]
        if np.isnan(shown[0]).all():
            continue
        if axis.is_thinned:
            band = Band(*(axis.thinned(found.time, one) for one in shown))
        else:
            band = Band(*(_at(rows, found.time, one) for one in shown))
        lanes.append(Lane(name, _labels(known, name), known.signal(name).unit, band.expected, band))
    return Courses(asset, start, end, time, lanes, is_thinned=axis.is_thinned)


def incident_course(workspace: Workspace, view: IncidentView, *, weeks: int = 3) -> Courses | None:
    """The leading signal of an incident before, during and after, and the same hours of earlier weeks.

    From its beginning on, what is expected does not see the trouble, which it would follow. The lanes are the
    signal with its band, and then the same hours one week earlier, two weeks earlier …

    Returns:
        None where nothing is stored of it.
    """
    worst, key = view.incident.worst, view.incident.asset
    with workspace.store.read() as tx:
        profile = view.place.profile
        asset = asset_named(tx, key.site, asset=key.asset, profile=profile.name)[0]
        first, last, start, stop = _around(view, asset)
        rows = judged_rows(tx, asset, profile, workspace.usable_model, worst, (start - _LEARNT, stop))
        if rows is None:
            rows = stored_rows(tx, asset, worst, (start, stop))
        if rows is None:
            return None
        signal = worst.signals[0]
        shown = rows.time >= to_numpy(start)
        if not shown.any():
            return None
        time = rows.time[shown]
        labels, unit = _labels(profile, signal), profile.signal(signal).unit
        calm = (rows.time < to_numpy(min(first, worst.started_at))) & ~(rows.exceedance >= 1.0)
        band = _band_of(rows.time, rows.observed, rows.expected, calm, asset, profile, signal)
        lane = Lane(signal, labels, unit, rows.observed[shown], _cut(band, shown))
        earlier = [
            Lane(f"{signal}-{week}", labels, unit, _earlier(tx, asset, signal, time, week))
            for week in range(1, weeks + 1)
        ]
    mark = Mark(
        worst.check,
        worst.kind.value,
        view.incident.severity,
        first,
        view.incident.ended_at,
        last,
        worst.signals,
        view.incident.id,
    )
    lanes = [lane, *(one for one in earlier if not np.isnan(one.values).all())]
    seconds = micros_of(time) // 1_000_000
    end = min(stop, EPOCH + timedelta(seconds=int(seconds[-1])) + (asset.step or timedelta(0)))
    return Courses(asset, start, end, seconds, lanes, [mark])


def shifted(courses: Courses, earlier: Courses, shift: timedelta) -> dict[str, FloatArray]:
    """The values of an earlier stretch at the points of a later one, by signal; NaN where there is none."""
    later = earlier.time + int(shift.total_seconds())
    if not len(later):
        return {}
    place = np.searchsorted(later, courses.time).clip(max=len(later) - 1)
    is_there = later[place] == courses.time
    return {lane.signal: np.where(is_there, lane.values[place], np.nan) for lane in earlier.lanes}


def draw_lane(courses: Courses, lane: Lane, language: str) -> str:
    """A signal as a picture of its own, SVG."""
    return stand_alone(lane_chart(courses, lane, language))


def lane_chart(courses: Courses, lane: Lane, language: str) -> Chart:
    """A signal with what was expected of it, and what was abnormal."""
    x = courses.time.astype(np.float64)
    lines = [Line(x, lane.values)]
    if lane.band is not None:
        lines.append(Line(x, lane.band.expected, kind="second"))
    last = float(x[-1]) if len(x) else 0.0
    shades = [
        (mark.started_at.timestamp(), last if mark.ended_at is None else mark.ended_at.timestamp())
        for mark in courses.marks
        if not mark.signals or lane.signal in mark.signals
    ]
    ticks = time_ticks(courses.time, courses.asset.zone)
    label = lane.label[language] if lane.label else sentence("console.signal.gas_amount", language)
    title = f"{courses.asset.key}: {label} [{lane.unit}]"
    areas = [Area(x, lane.band.low, lane.band.high)] if lane.band is not None else []
    return Chart(title, lines, ticks, shades, language=language, areas=areas, axes=("", lane.unit))


def time_ticks(time: npt.NDArray[np.int64], zone: str) -> list[tuple[float, str]]:
    """What stands below an axis of seconds since 1970: days where it begins them, else hours."""
    if not len(time):
        return []
    first, last = int(time[0]), int(time[-1])
    if last - first > _DATED_S:
        ends = local_time(np.array([first, last], dtype="datetime64[s]").astype("datetime64[us]"), zone)
        begin, end = -(-micros_of(ends[:1]) // _DAY_US), micros_of(ends[1:]) // _DAY_US
        apart = -(-(end - begin + 1) // _N_TICKS)
        stamps = np.arange(begin[0], end[0] + 1, apart[0]).astype("datetime64[D]")
        places = to_utc(stamps.astype("datetime64[us]"), zone)
        form = "%d/%m/%Y"
    else:
        places = np.linspace(first * 1e6, last * 1e6, _N_TICKS).astype("datetime64[us]")
        stamps = local_time(places, zone)
        form = "%d/%m %H:%M"
    at = (micros_of(places) / 1e6).tolist()
    return [(place, f"{one:{form}}") for place, one in zip(at, stamps.tolist(), strict=True)]


def _signals(tx: Transaction, asset: StoredAsset, profile: Profile) -> tuple[str, ...]:
    """Those that a picture shows: registers only grow, and say nothing that their differences do not."""
    stored = tx.rows(asset.id, asset.profile, start=EPOCH, end=EPOCH).signals
    shown = [name for name in stored if profile.signal(name).kind is not SignalKind.CUMULATIVE]
    return tuple(shown[:_MAX_SIGNALS])


def _grid(
    tx: Transaction, asset: StoredAsset, signals: Sequence[str], start: datetime, end: datetime
) -> tuple[TimeArray, FloatArray, QualityArray]:
    """The rows on the asset's grid: a gap is rows of NaN."""
    rows = tx.rows(asset.id, asset.profile, start=start, end=end)
    columns = [rows.signals.index(name) for name in signals]
    block = (rows.time, rows.values[:, columns], rows.quality[:, columns])
    window = build_window(asset.key, asset.profile, tuple(signals), block, asset.step, zone=asset.zone)
    return window.time, window.values, window.quality


def _gas_lane(
    tx: Transaction, asset: StoredAsset, profile: Profile, axis: _Axis, start: datetime, end: datetime
) -> tuple[list[Lane], list[Mapping[str, str]]]:
    """The amount of gas, where the profile is one of gas and enough is declared; else what is missing."""
    if profile.is_open or not set(_GAS) <= set(profile.signal_names):
        return [], []
    time, values, _ = _grid(tx, asset, _GAS, start, end)
    if not len(time):
        return [], []
    pressure, temperature, volume = values.T
    facts = profile.facts_of(asset.key)
    try:
        amount = amount_of_gas_mol(pressure, temperature, volume, facts, str(asset.key)) / 1000
    except SettingsError as error:
        return [], [{language: error_sentence(error, language) for language in ("es", "en")}]
    shown = axis.thinned(time, amount) if axis.is_thinned else amount
    return [Lane(GAS_AMOUNT, {}, "kmol", shown)], []


@dataclass(frozen=True, slots=True)
class _Expected:
    """By row and signal."""

    time: TimeArray
    signals: tuple[str, ...]
    expected: FloatArray
    low: FloatArray
    high: FloatArray


def _expected(
    tx: Transaction, asset: StoredAsset, profile: Profile, model: TrainedModel, start: datetime, end: datetime
) -> _Expected | None:
    standing = standing_of(tx, asset, model, to_numpy(start - _LEARNT))
    window = window_between(standing, to_numpy(end))
    if not len(window):
        return None
    reference = peer_reference(tx, standing.asset, model, window.time)
    judged = weigh_window(window, profile, model, standing.memory, None, reference)
    behaviour = behaviour_in(judged.evidence)
    rows = judged.window
    learnt = rows.time >= to_numpy(start - _LEARNT)
    calm = learnt & ~(behaviour.exceedance >= 1.0)
    bands = [
        _band_of(rows.time, rows.values[:, c], behaviour.expected[:, c], calm, asset, profile, name)
        for c, name in enumerate(rows.signals)
    ]
    shown = rows.time >= to_numpy(start)
    return _Expected(
        rows.time[shown],
        rows.signals,
        *(
            np.column_stack([getattr(one, part)[shown] for one in bands])
            for part in ("expected", "low", "high")
        ),
    )


def _band_of(
    time: TimeArray,
    observed: FloatArray,
    expected: FloatArray,
    calm: npt.NDArray[np.bool_],
    asset: StoredAsset,
    profile: Profile,
    signal: str,
) -> Band:
    """What was expected, and where 98 % of the calm rows lay around it at such hours of such days."""
    difference = np.where(calm, observed - expected, np.nan)
    low, high = (np.full(len(time), np.nan) for _ in range(2))
    is_left = np.ones(len(time), dtype=bool)
    for kind in _kinds_of_rows(time, asset):
        for one in np.unique(kind):
            rows = kind == one
            known = difference[rows & ~np.isnan(difference)]
            if len(known) >= _MIN_OF_KIND:
                edges = np.quantile(known, _BAND)
                rows &= is_left
                low[rows] = expected[rows] + min(edges[0], 0.0)
                high[rows] = expected[rows] + max(edges[1], 0.0)
                is_left &= ~rows
    bounds = profile.signal(signal)
    if bounds.minimum is not None:
        low, high = np.fmax(low, bounds.minimum), np.fmax(high, bounds.minimum)
    low, high = (np.where(np.isnan(expected), np.nan, one) for one in (low, high))
    return Band(expected, low, high)


def _kinds_of_rows(time: TimeArray, asset: StoredAsset) -> list[npt.NDArray[np.int64]]:
    """What is compared with what, the nearest kin first: hour of a working day or not, hour, everything."""
    everything = np.zeros(len(time), dtype=np.int64)
    if asset.step is None or asset.step > _HOUR:
        return [everything]
    hours = local_time(time, asset.zone).astype("datetime64[h]").astype(np.int64)
    is_weekend = (hours // 24 + _THURSDAY) % 7 >= _SATURDAY
    return [hours % 24 + 24 * is_weekend, hours % 24, everything]


def _cut(band: Band, shown: npt.NDArray[np.bool_]) -> Band | None:
    if np.isnan(band.expected[shown]).all():
        return None
    return Band(band.expected[shown], band.low[shown], band.high[shown])


def _around(view: IncidentView, asset: StoredAsset) -> tuple[datetime, datetime, datetime, datetime]:
    """Begin and end of the trouble, and of what is shown of it."""
    worst = view.incident.worst
    step = asset.step or timedelta(0)
    last = max(d.last_at for d in view.incident.leading) + step
    first = max(min(worst.started_at, view.incident.started_at), last - _LONGEST)
    context = max(min(2 * (last - first), _LONGEST / 4), _CONTEXT_STEPS * step)
    return first, last, first - context, last + context / 3


def _earlier(tx: Transaction, asset: StoredAsset, signal: str, time: TimeArray, week: int) -> FloatArray:
    """The values at the same time by the clock so many weeks earlier, shape (rows,)."""
    if not len(time):
        return np.empty(0)
    local = local_time(time, asset.zone)
    start = EPOCH + timedelta(microseconds=int(micros_of(time)[0])) - timedelta(weeks=week, hours=2)
    stop = EPOCH + timedelta(microseconds=int(micros_of(time)[-1])) - timedelta(weeks=week, hours=-2)
    rows = tx.rows(asset.id, asset.profile, start=start, end=stop)
    if signal not in rows.signals or not len(rows):
        return np.full(len(time), np.nan)
    then = local_time(rows.time, asset.zone) + np.timedelta64(week * 7, "D")
    order = np.argsort(then, kind="stable")
    return _at(local, then[order], rows.values[order, rows.signals.index(signal)])


def _at(wanted: TimeArray, time: TimeArray, values: FloatArray) -> FloatArray:
    """The values at wanted instants, NaN where there is none."""
    if not len(time):
        return np.full(len(wanted), np.nan)
    place = np.searchsorted(time, wanted).clip(max=len(time) - 1)
    return np.where(time[place] == wanted, values[place], np.nan)


def _labels(profile: Profile, signal: str) -> dict[str, str]:
    return {language: profile.signal(signal).label(language) for language in ("es", "en")}


def _incidents_by_evidence(
    tx: Transaction, asset: StoredAsset, start: datetime
) -> dict[tuple[str, datetime], str]:
    """The incident that each detection belongs to."""
    return {
        (d.check, d.started_at): incident.id
        for incident in tx.incidents(asset_id=asset.id, since=start)
        for d in incident.evidence
    }


def _mark(one: Detection, incidents: Mapping[tuple[str, datetime], str]) -> Mark:
    return Mark(
        check=one.check,
        kind=one.kind.value,
        severity=one.severity,
        started_at=one.started_at,
        ended_at=one.ended_at,
        last_at=one.last_at,
        signals=one.signals,
        incident=incidents.get((one.check, one.started_at), ""),
    )
