"""Drift: a level that leaves its own past slowly, seen against the fleet or a twin where there is one.

A detector whose level moves forgets what is lost little by little. Here two levels are compared: the mean of
the last week (or four) against that of the last months (or year), both over the asset's calendar shape and,
where training found peers, over what these showed in the same days. What the two differed by in calm history
is the scale, so that an asset with steady peers is judged sharply and one of moods mildly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from math import isfinite, isnan

import numpy as np

from sereno.detect.baseline import Baseline, fit_shape
from sereno.detect.columns import columns_of
from sereno.detect.peering import Peering, Reference, learn_peering
from sereno.domain.archive import pack, unpack
from sereno.domain.arrays import known_or_zero
from sereno.domain.calendar import local_time
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["COMMON", "PAIR", "PEERS", "PeersDetector", "TrainedPeers", "learn_peers", "with_references"]

PEERS = "peers/"
"""Begins the name of a column that holds what at least three peers show in the row."""
PAIR = "pair/"
"""The same of a single peer: where it and the asset part, either may have moved."""
COMMON = "common/"
"""Begins the name of a column that holds what peers show now, where the asset speaks for all of them."""
SPANS = ((3.0, 60.0), (7.0, 120.0), (28.0, 365.0))
"""Days of the level that is judged, and of that by which it is judged."""
LEAST_DAYS = (60.0, 60.0, 180.0)
"""History that each of these needs where peers take the seasons away ..."""
LEAST_DAYS_ALONE = 400.0
"""... and where nobody does: a year shows what a season is."""
FLOOR = 0.04
"""A drift below 4 % is no news whatever calm history says."""
COMMON_DAYS = 14.0
COMMON_FLOOR = 0.12
_BEYOND, _TAILS = 1.2, 2.0
"""What all do together must be beyond all that it was in history, or far beyond its 99 % quantile."""
_COMMON_FLOOR_SHARE = 0.01
"""Smallest limit of a common movement of other signals, over their usual magnitude."""
_WARM_SPANS = 2.0
"""Judging begins after so many of the shorter spans."""
_CALM_QUANTILE, _BODY_QUANTILE, _TAIL_CAP = 0.99, 0.75, 2.5
_REACH = 3.0
"""A row moves the levels as if it were at most this far from them ..."""
_STOPPED, _STOPPED_WEIGHT = -1.5, 0.2
"""... and one that has all but stopped, a fifth of the level or less, moves them little: that is no drift."""
_STATE = "peers/state"
_COMMON_STATE = "peers/common"
_DAY = timedelta(days=1)
ACCEPTED_DAYS, ACCEPTED_DAYS_LOW = 30.0, 180.0
"""Days beyond the limit after which a higher, or a lower, level is taken for the usual one."""
CRUMB = 0.05
"""A signal with a smaller share of the largest of its quantity drifts by what that one leaves over."""
OWN_SHARE = 0.5
"""Of what parts an asset from a single peer the asset must have moved so much itself, in that direction."""
_PARTS = 1 + 3 * len(SPANS)


def with_references(window: Window, reference: Reference) -> Window:
    """The window with the columns that its peers add."""
    columns = {
        (PAIR if name in reference.paired else PEERS) + name: part for name, part in reference.slow.items()
    }
    columns |= {COMMON + name: part for name, part in reference.fast.items() if name in reference.leads}
    if not columns:
        return window
    added = np.column_stack(list(columns.values()))
    return replace(
        window,
        signals=(*window.signals, *columns),
        values=np.concatenate((window.values, added), axis=1),
        quality=np.concatenate((window.quality, np.zeros(added.shape, dtype=np.int32)), axis=1),
    )


@dataclass(frozen=True, slots=True)
class _Level:
    """What is known of one asset's levels.

    Attributes:
        signals: Those that are judged: energy, volume and the like.
        referred: Which of them had peers in training.
        paired: Which of them had one.
        limits: Calm 99 % quantile of each span's difference; infinite where the history is too short,
            shape (spans, signals).
        common: Calm limit of the common movement of the signals that the asset speaks for.
    """

    signals: tuple[str, ...]
    referred: frozenset[str]
    paired: frozenset[str]
    zone: str
    baseline: Baseline
    limits: FloatArray
    common: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PeersDetector:
    """Levels against their own past and against peers.

    Attributes:
        profile: Tells which signals are judged by ratio: only these are followed.
    """

    profile: Profile

    def fit(self, history: Sequence[Window]) -> "TrainedPeers":
        """Learn the levels of each asset; columns that `with_references` added take peers into account.

        Raises:
            HistoryTooShort: No asset has a signal that can be followed.
        """
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedPeers":
        """As `fit`, with limits from the rows marked in `use` alone; levels follow all rows."""
        levels = {}
        for window, rows in zip(history, use, strict=True):
            level = self._fit_asset(window, rows)
            if level is not None:
                levels[window.asset] = level
        if not levels:
            found = f"{max((len(window) for window in history), default=0)} rows"
            raise HistoryTooShort(found=found, needed=f"{LEAST_DAYS[0]:g} days of one asset")
        return TrainedPeers(self.profile, levels)

    def _fit_asset(self, window: Window, rows: BoolArray) -> _Level | None:
        names = tuple(name for name in window.signals if self._is_followed(name, window))
        if not names or not len(window):
            return None
        own = _only(window, names)
        local = local_time(own.time, own.zone)
        cells = rows[:, None] & ~np.isnan(own.values)
        baseline = fit_shape(own, self.profile, local, cells)
        referred = frozenset(name for name in names if PEERS + name in window.signals)
        paired = frozenset(name for name in names if PAIR + name in window.signals)
        unlimited = np.full((len(SPANS), len(names)), np.inf)
        level = _Level(names, referred, paired, own.zone, baseline, unlimited, {})
        drifts = _drifts(level, window, Memory())[0]
        limits = np.array(
            [[self._limit(drifts[k, rows, s], window, k, name in referred) for s, name in enumerate(names)]
             for k in range(len(SPANS))]
        )  # fmt: skip
        common = {
            name.removeprefix(COMMON): self._common_limit(window, column, rows)
            for column, name in enumerate(window.signals)
            if name.startswith(COMMON)
        }
        stands = [
            _stands(own.values[:, s], baseline.gaps(own.values, local)[:, s]) for s in range(len(names))
        ]
        limits[:, stands] = np.inf
        return replace(level, limits=limits, common=common)

    def _is_followed(self, name: str, window: Window) -> bool:
        """Whether a signal is an amount, and no crumb beside others of its quantity."""
        if name.startswith((PEERS, PAIR, COMMON)) or not self.profile.signal(name).is_ratio_scaled:
            return False
        quantity = self.profile.signal(name).quantity
        alike = [
            np.nansum(np.abs(window.values[:, column]))
            for column, other in enumerate(window.signals)
            if not other.startswith((PEERS, PAIR, COMMON)) and self.profile.signal(other).quantity == quantity
        ]
        own = np.nansum(np.abs(window.values[:, window.signals.index(name)]))
        return bool(own >= CRUMB * max(alike))

    @staticmethod
    def _limit(drift: FloatArray, window: Window, span: int, is_referred: bool) -> float:  # noqa: FBT001
        known = np.abs(drift[~np.isnan(drift)])
        days = len(known) * ((window.step or _DAY) / _DAY)
        if days < (LEAST_DAYS[span] if is_referred else LEAST_DAYS_ALONE):
            return float("inf")
        return max(FLOOR, _calm(known))

    def _common_limit(self, window: Window, column: int, rows: BoolArray) -> float:
        signal = window.signals[column].removeprefix(COMMON)
        moved = _common_movement(window.values[:, column], window.step, Memory(), "")[0][rows]
        known = np.abs(moved[~np.isnan(moved)])
        if not len(known):
            return float("inf")
        usual = float(np.nanmedian(np.abs(window.values[:, window.signals.index(signal)])))
        is_ratio = self.profile.signal(signal).is_ratio_scaled
        usual_movement = min(_BEYOND * float(known.max()), _TAILS * float(np.quantile(known, _CALM_QUANTILE)))
        return max(COMMON_FLOOR if is_ratio else _COMMON_FLOOR_SHARE * usual, usual_movement)

    def load(self, state: bytes) -> "TrainedPeers":
        """The trained detector that `TrainedPeers.dump` wrote."""
        return TrainedPeers.from_bytes(state, self.profile)


@dataclass(frozen=True, slots=True)
class TrainedPeers:
    """Frozen: the levels of all assets of a profile, and who is whose peer."""

    profile: Profile
    levels: Mapping[AssetKey, _Level]
    peering: Peering = field(default_factory=Peering)

    @property
    def lookback(self) -> timedelta:
        """None: what it needs of the past is in its memory."""
        return timedelta(0)

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        return asset in self.levels

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """How far the levels have drifted, in units of the calm 99 % quantile; NaN for strangers."""
        level = self.levels.get(window.asset)
        if level is None:
            return _silent(window), Memory()
        drifts, gaps, past, after = _drifts(level, window, memory or Memory())
        limits = np.where(np.isfinite(level.limits), level.limits, np.nan)
        is_gain = _are_gains(level.signals, self.profile)
        excess = np.where(is_gain & (drifts > 0), 0.0, np.abs(drifts)) / limits[:, None, :]
        worst = known_or_zero(excess).max(axis=0)
        known: BoolArray = np.any(~np.isnan(excess), axis=(0, 2))
        score = np.where(known, worst.max(axis=1), np.nan)
        squared = worst**2
        shares = squared / np.maximum(squared.sum(axis=1, keepdims=True), 1e-300)
        expected = level.baseline.from_gaps(past, local_time(window.time, level.zone))
        places = [window.signals.index(name) if name in window.signals else -1 for name in level.signals]
        return (
            Scores(
                window.time,
                score,
                _spread_over(window, places, shares, 0.0),
                _spread_over(window, places, expected, np.nan),
                _spread_over(window, places, (~np.isnan(gaps)).astype(float), 0.0) > 0,
            ),
            after,
        )

    def score_common(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """How far the peers that the asset speaks for have moved together from their last two weeks."""
        level, before = self.levels.get(window.asset), memory or Memory()
        scores, arrays = _silent(window), {}
        if level is None:
            return scores, Memory()
        excess = np.full(window.values.shape, np.nan)
        for column, name in enumerate(window.signals):
            limit = level.common.get(name)
            if limit is None or COMMON + name not in window.signals:
                continue
            rows = window.values[:, window.signals.index(COMMON + name)]
            moved, state = _common_movement(rows, window.step, before, name)
            arrays[f"{_COMMON_STATE}/{name}"] = state
            excess[:, column] = np.abs(moved) / limit
            values = window.values[:, column]
            is_ratio = self.profile.signal(name).is_ratio_scaled
            scores.expected[:, column] = values * np.exp(-moved) if is_ratio else values - moved
        known = ~np.isnan(excess)
        score = np.where(known.any(axis=1), known_or_zero(excess).max(axis=1), np.nan)
        shares = known_or_zero(excess) ** 2
        shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
        return replace(scores, values=score, contributions=shares), Memory(arrays)

    def dump(self) -> bytes:
        """An archive of arrays and a JSON index; never a pickle."""
        arrays: dict[str, np.ndarray] = {}
        levels = []
        for i, (key, level) in enumerate(sorted(self.levels.items())):
            levels.append(
                {
                    "site": key.site,
                    "asset": key.asset,
                    "signals": list(level.signals),
                    "referred": sorted(level.referred),
                    "paired": sorted(level.paired),
                    "zone": level.zone,
                    "common": {name: level.common[name] for name in sorted(level.common)},
                }
            )
            arrays |= {f"l{i}/baseline/{name}": a for name, a in level.baseline.to_arrays().items()}
            arrays[f"l{i}/limits"] = level.limits
        shapes, more = self.peering.to_parts()
        return pack({"levels": levels, "peering": shapes}, {**arrays, **more})

    @classmethod
    def from_bytes(cls, state: bytes, profile: Profile) -> "TrainedPeers":
        """The detector that `dump` wrote.

        Raises:
            ArchiveError: The bytes are not such an archive.
        """
        header, arrays = unpack(state)
        levels = {}
        for i, text in enumerate(header["levels"]):  # type: ignore[arg-type,var-annotated]
            prefix = f"l{i}/baseline/"
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            levels[AssetKey(text["site"], text["asset"])] = _Level(
                signals=tuple(text["signals"]),
                referred=frozenset(text["referred"]),
                paired=frozenset(text["paired"]),
                zone=text["zone"],
                baseline=Baseline.from_arrays(own),
                limits=arrays[f"l{i}/limits"],
                common=text["common"],
            )
        shapes: list[dict[str, object]] = header["peering"]  # type: ignore[assignment]
        return cls(profile, levels, Peering.from_parts(shapes, arrays))


@lru_cache(maxsize=1_024)
def _are_gains(signals: tuple[str, ...], profile: Profile) -> BoolArray:
    """Signals of which more is welcome, shape (signals,)."""
    return np.array([profile.signal(name).is_gain for name in signals], dtype=bool)


def learn_peers(history: Sequence[Window], profile: Profile) -> tuple[Peering, list[Reference]]:
    """Who is whose peer, and what they said over the history, one reference per window."""
    peering = learn_peering(history, profile)
    by_asset = {window.asset: window for window in history}
    references = []
    for window in history:
        others = {key: by_asset[key] for key in peering.peers_of(window.asset)}
        references.append(peering.reference(window.asset, window.time, others))
    return peering, references


def _drifts(
    level: _Level, window: Window, memory: Memory
) -> tuple[FloatArray, FloatArray, FloatArray, Memory]:
    """Differences of the levels of each span (spans, rows, signals), gaps, past level over the shape, memory.

    The past level is that of the shorter span, with what peers show added (rows, signals).
    """
    gaps = level.baseline.gaps(columns_of(window, level.signals), local_time(window.time, level.zone))
    common = np.zeros(gaps.shape)
    for s, name in enumerate(level.signals):
        column = (PEERS if name in level.referred else PAIR) + name
        if name in level.referred | level.paired:
            is_there = column in window.signals
            common[:, s] = window.values[:, window.signals.index(column)] if is_there else np.nan
    left = gaps - common
    n_signals = len(level.signals)
    state = memory.arrays.get(_STATE, np.zeros((2 * n_signals, _PARTS))).tolist()
    per_day = _DAY / (window.step or _DAY)
    rows, limits = left.T.tolist(), level.limits.T.tolist()
    found, past = [], []
    for s, name in enumerate(level.signals):
        drift, level_before, state[s] = _follow(rows[s], state[s], limits[s], per_day)
        if name in level.paired and any(map(isfinite, limits[s])):
            own = gaps[:, s].tolist()
            alone, _, state[n_signals + s] = _follow(own, state[n_signals + s], limits[s], per_day)
            drift = [list(map(_own_part, both, mine)) for both, mine in zip(drift, alone, strict=True)]
        found.append(drift)
        past.append(level_before)
    # As rows lie elsewhere: in another order sums of many signals differ in their last bit.
    drifts = np.array(found).reshape(n_signals, len(SPANS), len(left)).transpose(1, 2, 0).copy()
    levels = np.array(past).reshape(n_signals, len(left)).T
    return drifts, left, levels + known_or_zero(common), Memory({_STATE: np.array(state)})


def _own_part(both: float, alone: float) -> float:
    """What an asset has drifted beside a single peer, where it has moved that way itself; otherwise 0."""
    if isnan(both):
        return both
    has_moved = (alone if both > 0.0 else -alone) >= OWN_SHARE * abs(both)
    return both if has_moved else 0.0


def _follow(
    rows: Sequence[float], state: Sequence[float], limits: Sequence[float], per_day: float
) -> tuple[list[list[float]], list[float], list[float]]:
    """One signal, row by row: the difference of its levels, and the past level of the first span.

    Until a span is full its level is the mean of all rows so far. Plain floats, as in the baseline.
    """
    spans = [_Span(*state[k : k + 3]) for k in range(1, _PARTS, 3)]
    paces, warm = _paces(per_day)
    count = state[0]
    found: list[list[float]] = [[] for _ in SPANS]
    past = []
    nan = float("nan")
    for x in rows:
        if x != x:  # noqa: PLR0124 - NaN, told without a call
            for one in found:
                one.append(nan)
            past.append(spans[0].long if count else nan)
            continue
        count += 1.0
        has_stayed = False
        for span, one, (short, long), rows_before, limit in zip(
            spans, found, paces, warm, limits, strict=True
        ):
            span.move(x, max(short, 1.0 / count), max(long, 1.0 / count))
            one.append(span.drift if count >= rows_before else nan)
            has_stayed = (count >= rows_before and span.has_stayed(limit, per_day)) or has_stayed
        past.append(spans[0].long)
        if has_stayed:
            for span in spans:
                span.settle(spans[0].short)
    return found, past, [count, *(part for span in spans for part in (span.short, span.long, span.beyond))]


@lru_cache(maxsize=64)
def _paces(per_day: float) -> tuple[list[tuple[float, float]], list[float]]:
    """What a row weighs in the levels of each span; and the rows before their difference says something."""
    paces = [(1.0 / (short * per_day), 1.0 / (long * per_day)) for short, long in SPANS]
    return paces, [_WARM_SPANS * short * per_day for short, _ in SPANS]


@dataclass(slots=True)
class _Span:
    """Two levels, and for how many rows they have differed by more than their limit."""

    short: float
    long: float
    beyond: float

    @property
    def drift(self) -> float:
        return self.short - self.long

    def move(self, x: float, short_pace: float, long_pace: float) -> None:
        self.short += short_pace * _bounded(x - self.short)
        self.long += long_pace * _bounded(x - self.long)

    def has_stayed(self, limit: float, per_day: float) -> bool:
        """Whether the level has been away for so long that it is the one by which others are judged."""
        drift = self.drift
        self.beyond = self.beyond + 1.0 if abs(drift) >= limit else 0.0
        return self.beyond >= (ACCEPTED_DAYS if drift > 0 else ACCEPTED_DAYS_LOW) * per_day

    def settle(self, level: float) -> None:
        """Begin anew from a level."""
        self.short, self.long, self.beyond = level, level, 0.0


def _bounded(step: float) -> float:
    if step > _REACH:
        return _REACH
    return _STOPPED_WEIGHT * max(step, -_REACH) if step < _STOPPED else step


def _common_movement(
    rows: FloatArray, step: timedelta | None, memory: Memory, name: str
) -> tuple[FloatArray, FloatArray]:
    """What peers show over their level of the last weeks, shape (rows,); and that level with its count."""
    pace = (step or _DAY) / _DAY / COMMON_DAYS
    count, level = memory.arrays.get(f"{_COMMON_STATE}/{name}", np.zeros(2)).tolist()
    moved = []
    for x in rows.tolist():
        if x != x:  # noqa: PLR0124 - NaN, told without a call
            moved.append(float("nan"))
            continue
        moved.append(x - level if count * pace >= 1.0 / 2 else float("nan"))
        count += 1.0
        level += max(pace, 1.0 / count) * (x - level)
    return np.array(moved), np.array([count, level])


def _stands(values: FloatArray, gaps: FloatArray) -> bool:
    """Whether a signal is at rest more often than not: then it has no level that could drift."""
    known = values[~np.isnan(gaps)]
    return bool(len(known)) and float(np.median(known)) <= 0


def _calm(known: FloatArray) -> float:
    """The 99 % quantile, held down where months of the history were themselves out of the usual."""
    tail, body = np.quantile(known, [_CALM_QUANTILE, _BODY_QUANTILE])
    return float(min(tail, _TAIL_CAP * body))


def _only(window: Window, names: tuple[str, ...]) -> Window:
    """The window with these signals alone; NaN for one that it lacks."""
    quality = np.zeros((len(window), len(names)), dtype=np.int32)
    return replace(window, signals=names, values=columns_of(window, names), quality=quality)


def _spread_over(window: Window, places: Sequence[int], part: FloatArray, blank: float) -> FloatArray:
    """Columns of the followed signals where the window has them, and blank elsewhere."""
    result = np.full(window.values.shape, blank)
    for s, place in enumerate(places):
        if place >= 0:
            result[:, place] = part[:, s]
    return result


def _silent(window: Window) -> Scores:
    shape = window.values.shape
    return Scores(
        window.time,
        np.full(len(window), np.nan),
        np.zeros(shape),
        np.full(shape, np.nan),
        np.ones(shape, dtype=bool),
    )
