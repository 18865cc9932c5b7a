"""Which assets move together, and what they say at each instant: the common cause that a local fault lacks.

Weather, a network, a market move many assets at once. For each signal of an asset training looks for others
whose daily means rise and fall with its own. The median of what they show over their own calendar shapes is
the reference: of three or more the median is robust, so that it tells common from local at once; one or two
(a pair of meters, a neighbour) are believed in the mean of days only, where chance has cancelled.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType

import numpy as np

from sereno.detect.baseline import Baseline, fit_shape
from sereno.domain.arrays import known_or_zero
from sereno.domain.calendar import local_time
from sereno.domain.judgement import RegimeChange, Scores
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import to_numpy

__all__ = ["NO_REFERENCE", "Peering", "Reference", "Tie", "learn_peering"]

LEAST_ROBUST = 3
"""Peers whose median one bad one cannot move."""
MOST_PEERS = 12
ALIKE = 0.5
"""Correlation of weekly means from which another asset is a peer."""
LEAST_DAYS = 45
"""Common days that a correlation needs."""
GAIN = 0.8
"""What peers may leave of the spread of slow drifts to be worth asking."""
WEEK_GAIN = 1.1
"""What peers may make of the spread of changes over a week ..."""
NOISE_GAIN = 1.15
"""... and of that from row to row: a reference that nobody needed yet must at least not blur."""
NETWORK_BLUR = 1.7
"""What is moved by the same hand may blur so much more: that falls come together is worth it."""
SAME_LEVEL, STEADY = 0.02, 0.03
"""Difference of usual levels, and spread about them, of what hangs on one network, relative."""
SHARE_BOUNDS = (0.0, 1.2)
"""Of the peers' movement that an asset may share."""
SLOW_DAYS = 7
BLOCK = 250
"""Assets among which peers are looked for."""
AS_ALIKE = 0.15
"""How much less alike than the nearest peer those may be that are asked about slow drifts beside it."""
_PAST_DAYS = 120
_LARGEST = 3.0
"""Movement beyond this (a factor of 20 for energy) is a fault, whatever peers say."""
_CLIP = 4.0
"""Daily means further out, in their own spreads, count as that far."""
_DAY_US = 86_400_000_000
_MAD = 1.4826
_NOTHING: Mapping[str, FloatArray] = MappingProxyType({})

Common = tuple[np.ndarray, np.ndarray]
"""Rows of one series and of another that are of the same instants."""


@dataclass(frozen=True, slots=True)
class Tie:
    """What a signal of an asset shares with others.

    Attributes:
        peers: Most alike first.
        fast: Share of their movement in each row that is the asset's too; 0 where they do not tell.
        slow: The same of means of days and weeks, where chance has cancelled.
        is_lead: Whether the asset speaks for all that move together with it, near and far.
    """

    peers: tuple[AssetKey, ...] = ()
    fast: float = 0.0
    slow: float = 0.0
    is_lead: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """How much more than usual peers show, per row of an asset: logarithm for ratio-scaled signals.

    Attributes:
        fast: What the row shares with them, by signal, shape (rows,); NaN where unknown.
        slow: What its level shares with them: right on the mean of days, not in each row, shape (rows,).
        is_ratio: Whether a signal moves by a factor, by signal.
        paired: Signals of which one other asset alone tells, so that nobody knows which of the two moved.
        leads: Signals for which the asset speaks for all when all move.
    """

    fast: Mapping[str, FloatArray] = field(default_factory=dict)
    slow: Mapping[str, FloatArray] = field(default_factory=dict)
    is_ratio: Mapping[str, bool] = field(default_factory=dict)
    paired: frozenset[str] = frozenset()
    leads: frozenset[str] = frozenset()

    def rows(self, start: int, stop: int) -> "Reference":
        """Of the rows [start, stop)."""
        fast, slow = ({name: part[start:stop] for name, part in of.items()} for of in (self.fast, self.slow))
        return replace(self, fast=fast, slow=slow)

    def without_common(self, window: Window) -> Window:
        """The window as it would be had its peers shown what is usual."""
        return (
            replace(window, values=self._moved(window.signals, window.values, -1.0)) if self.fast else window
        )

    def with_common(self, window: Window, scores: Scores) -> Scores:
        """Scores of such a window, in which what is expected moves with the peers."""
        if not self.fast:
            return scores
        changes = tuple(self._with_common_level(window, one) for one in scores.changes)
        return replace(scores, expected=self._moved(window.signals, scores.expected, 1.0), changes=changes)

    def _with_common_level(self, window: Window, change: RegimeChange) -> RegimeChange:
        row = int(np.searchsorted(window.time, to_numpy(change.at)))
        levels = np.array([[change.before], [change.after]])
        before, after = self.rows(row, row + 1)._moved((change.signal,), levels, 1.0)[:, 0].tolist()
        return replace(change, before=before, after=after)

    def _moved(self, signals: Sequence[str], values: FloatArray, sign: float) -> FloatArray:
        moved = values.copy()
        for column, name in enumerate(signals):
            if name in self.fast:
                by = sign * known_or_zero(self.fast[name])
                moved[:, column] = (
                    values[:, column] * np.exp(by) if self.is_ratio[name] else values[:, column] + by
                )
        return moved


NO_REFERENCE = Reference()


@dataclass(frozen=True, slots=True)
class _Shape:
    """The calendar shapes of an asset's signals, and where it stands over them."""

    signals: tuple[str, ...]
    zone: str
    baseline: Baseline
    offset: FloatArray

    def movement(self, window: Window) -> dict[str, FloatArray]:
        """How much more than usual each signal shows, shape (rows,) each."""
        values = window.values
        if window.signals != self.signals:
            columns = [window.signals.index(n) if n in window.signals else -1 for n in self.signals]
            values = np.column_stack((values, np.full(len(window), np.nan)))[:, columns]
        gaps = self.baseline.gaps(values, local_time(window.time, self.zone)) - self.offset
        return {name: gaps[:, s] for s, name in enumerate(self.signals)}


@dataclass(frozen=True, slots=True)
class _Bond:
    """All ties of an asset, by signal, and what follows from them; see `Reference`."""

    ties: Mapping[str, Tie]
    peers: frozenset[AssetKey]
    is_ratio: Mapping[str, bool]
    paired: frozenset[str]
    leads: frozenset[str]

    @classmethod
    def of(cls, ties: Mapping[str, Tie], own: _Shape) -> "_Bond":
        """Of an asset with that shape."""
        return cls(
            ties,
            peers=frozenset(peer for tie in ties.values() for peer in tie.peers),
            is_ratio={name: bool(own.baseline.knee[own.signals.index(name)] > 0) for name in ties},
            paired=frozenset(n for n, tie in ties.items() if tie.slow and len(tie.peers) < LEAST_ROBUST),
            leads=frozenset(name for name, tie in ties.items() if tie.fast and tie.is_lead),
        )


@dataclass(frozen=True)
class Peering:
    """The ties of all assets of a profile."""

    shapes: Mapping[AssetKey, _Shape] = field(default_factory=dict)
    ties: Mapping[tuple[AssetKey, str], Tie] = field(default_factory=dict)

    def peers_of(self, asset: AssetKey) -> frozenset[AssetKey]:
        """Every asset that is asked about a signal of this one."""
        bond = self._bonds.get(asset)
        return frozenset() if bond is None else bond.peers

    def those_asking(self, asset: AssetKey) -> frozenset[AssetKey]:
        """Every asset that asks this one."""
        return self._asking.get(asset, frozenset())

    def those_asking_any(self, assets: Collection[AssetKey]) -> set[AssetKey]:
        """Every asset that asks one of these."""
        return {key for asset in assets for key in self.those_asking(asset)}

    @cached_property
    def _asking(self) -> Mapping[AssetKey, frozenset[AssetKey]]:
        asking: dict[AssetKey, set[AssetKey]] = {}
        for (key, _), tie in self.ties.items():
            for peer in tie.peers:
                asking.setdefault(peer, set()).add(key)
        return {peer: frozenset(keys) for peer, keys in asking.items()}

    @cached_property
    def _bonds(self) -> Mapping[AssetKey, "_Bond"]:
        """What the ties of each asset say whatever is read."""
        own: dict[AssetKey, dict[str, Tie]] = {}
        for (key, name), tie in self.ties.items():
            own.setdefault(key, {})[name] = tie
        return {key: _Bond.of(ties, self.shapes[key]) for key, ties in own.items()}

    def movement(self, window: Window) -> Mapping[str, FloatArray]:
        """How much more than usual an asset shows, by signal, shape (rows,); nothing of a stranger."""
        shape = self.shapes.get(window.asset)
        return {} if shape is None else shape.movement(window)

    def movement_at(self, time: TimeArray, window: Window) -> Mapping[str, FloatArray]:
        """The same at other instants, by signal, shape (instants,); NaN where the window has no row.

        Nothing where it has no row at all.

        Args:
            time: Ascending, shape (instants,).
        """
        if not len(window):
            return _NOTHING
        moved = self.movement(window)
        if np.array_equal(time, window.time):
            return moved
        here, there = _common_rows(time, window.time)
        placed = {name: np.full(len(time), np.nan) for name in moved}
        for name, rows in moved.items():
            placed[name][here] = rows[there]
        return placed

    def reference(self, asset: AssetKey, time: TimeArray, others: Mapping[AssetKey, Window]) -> Reference:
        """What the peers of an asset say at its instants.

        Args:
            time: Instants of the asset's rows, ascending, shape (rows,).
            others: Readings of its peers at the same instants.
        """
        return self.reference_of(
            asset, {key: self.movement_at(time, window) for key, window in others.items()}, len(time)
        )

    def reference_of(
        self, asset: AssetKey, shown: Mapping[AssetKey, Mapping[str, FloatArray]], n_rows: int
    ) -> Reference:
        """As `reference`, from what each peer shows at the asset's instants (`movement_at`)."""
        bond = self._bonds.get(asset)
        if bond is None or not n_rows:
            return NO_REFERENCE
        asked = [[own[name] for key in tie.peers if name in (own := shown.get(key, _NOTHING))]
                 for name, tie in bond.ties.items()]  # fmt: skip
        middles, counts = _middles(asked, n_rows)
        fast, slow = {}, {}
        for (name, tie), middle, count in zip(bond.ties.items(), middles, counts, strict=True):
            if tie.fast:
                told = np.where(count >= LEAST_ROBUST, middle, np.nan)
                fast[name] = np.minimum(np.maximum(tie.fast * told, -_LARGEST), _LARGEST)
            if tie.slow:
                least = min(LEAST_ROBUST, len(tie.peers))
                slow[name] = tie.slow * np.where(count >= least, middle, np.nan)
        return Reference(fast, slow, bond.is_ratio, bond.paired, bond.leads)

    def to_parts(self) -> tuple[list[dict[str, object]], dict[str, np.ndarray]]:
        """A description and arrays: all that `from_parts` needs."""
        shapes: list[dict[str, object]] = []
        arrays: dict[str, np.ndarray] = {}
        for i, (key, shape) in enumerate(sorted(self.shapes.items())):
            ties = {
                name: {
                    "peers": [[p.site, p.asset] for p in tie.peers],
                    "fast": tie.fast,
                    "slow": tie.slow,
                    "is_lead": tie.is_lead,
                }
                for (owner, name), tie in sorted(self.ties.items())
                if owner == key
            }
            shapes.append(
                {
                    "site": key.site,
                    "asset": key.asset,
                    "signals": list(shape.signals),
                    "zone": shape.zone,
                    "ties": ties,
                }
            )
            arrays |= {f"peering{i}/{n}": array for n, array in shape.baseline.to_arrays().items()}
            arrays[f"peering{i}/offset"] = shape.offset
        return shapes, arrays

    @classmethod
    def from_parts(
        cls, shapes: Sequence[Mapping[str, object]], arrays: Mapping[str, np.ndarray]
    ) -> "Peering":
        """The ties that `to_parts` described."""
        known, ties = {}, {}
        for i, text in enumerate(shapes):
            key = AssetKey(str(text["site"]), str(text["asset"]))
            prefix = f"peering{i}/"
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            signals: tuple[str, ...] = tuple(text["signals"])  # type: ignore[arg-type]
            known[key] = _Shape(signals, str(text["zone"]), Baseline.from_arrays(own), own["offset"])
            for name, tie in text["ties"].items():  # type: ignore[attr-defined]
                peers = tuple(AssetKey(site, asset) for site, asset in tie["peers"])
                ties[key, name] = Tie(peers, tie["fast"], tie["slow"], tie["is_lead"])
        return cls(known, ties)


def learn_peering(history: Sequence[Window], profile: Profile) -> Peering:
    """Look for peers among assets with the same step; an asset alone has none.

    Args:
        history: Windows without the cells that are bad.
    """
    steps: dict[timedelta | None, list[Window]] = {}
    for window in sorted(history, key=lambda one: one.asset):
        if len(window) and window.step is not None:
            steps.setdefault(window.step, []).append(window)
    shapes: dict[AssetKey, _Shape] = {}
    ties: dict[tuple[AssetKey, str], Tie] = {}
    for windows in steps.values():
        for first in range(0, len(windows), BLOCK):
            block = windows[first : first + BLOCK]
            if len(block) > 1:
                own = {window.asset: _shape_of(window, profile) for window in block}
                found = _ties_of(block, own, profile)
                shapes |= {key: own[key] for key in own if found}
                ties |= _with_leads(found)
    asked = {peer for tie in ties.values() for peer in tie.peers} | {key for key, _ in ties}
    return Peering({key: shape for key, shape in shapes.items() if key in asked}, ties)


def _with_leads(ties: Mapping[tuple[AssetKey, str], Tie]) -> dict[tuple[AssetKey, str], Tie]:
    """The ties, in which of all assets that are tied to one another the first speaks for them."""
    first = {place: place[0] for place, tie in ties.items() if tie.fast}
    has_changed = True
    while has_changed:
        has_changed = False
        for asset, name in list(first):
            members = ((asset, name), *((peer, name) for peer in ties[asset, name].peers))
            group = [one for one in members if one in first]
            lowest = min(first[one] for one in group)
            has_changed |= any(first[one] != lowest for one in group)
            first |= dict.fromkeys(group, lowest)
    return {place: replace(tie, is_lead=first.get(place) == place[0]) for place, tie in ties.items()}


def _shape_of(window: Window, profile: Profile) -> _Shape:
    local = local_time(window.time, window.zone)
    baseline = fit_shape(window, profile, local, ~np.isnan(window.values))
    gaps = baseline.gaps(window.values, local)
    offset = np.array([float(np.median(c[~np.isnan(c)])) if (~np.isnan(c)).any() else 0.0 for c in gaps.T])
    return _Shape(window.signals, window.zone, baseline, offset)


def _ties_of(
    windows: Sequence[Window], shapes: Mapping[AssetKey, _Shape], profile: Profile
) -> dict[tuple[AssetKey, str], Tie]:
    days = np.unique(np.concatenate([_days(window.time) for window in windows]))
    moved = [shapes[window.asset].movement(window) for window in windows]
    ties = {}
    for name in dict.fromkeys(name for window in windows for name in window.signals):
        places = [i for i, one in enumerate(moved) if name in one]
        if len(places) < 2:
            continue
        daily = np.column_stack([_daily(windows[i].time, moved[i][name], days) for i in places])
        parts = [(windows[i].time, moved[i][name]) for i in places]
        is_one = _same_network([windows[i] for i in places], name, profile)
        found = _ties_among(_clipped(daily), parts, is_one)
        for i, tie in zip(places, found, strict=True):
            if tie is not None:
                peers, fast, slow = tie
                keys = tuple(windows[places[p]].asset for p in peers)
                ties[windows[i].asset, name] = Tie(keys, fast, slow)
    return ties


def _ties_among(
    daily: FloatArray, parts: Sequence[tuple[TimeArray, FloatArray]], is_one: BoolArray
) -> list[tuple[list[int], float, float] | None]:
    """For each column of daily means its peers and what it shares with them; None where nothing helps.

    Args:
        is_one: Which columns hang on one network, shape (columns, columns).
    """
    weekly = np.column_stack([_weekly(column) for column in daily.T])
    alike = _correlations(weekly)
    found: list[tuple[list[int], float, float] | None] = []
    for place in range(len(parts)):
        order = np.argsort(-alike[place], kind="stable")[:MOST_PEERS].tolist()
        chosen = [p for p in order if alike[place, p] >= ALIKE]
        nearest = [p for p in chosen if alike[place, p] >= alike[place, chosen[0]] - AS_ALIKE]
        nearest = nearest if len(nearest) >= LEAST_ROBUST else nearest[:1]
        slow = _slow_share(weekly, place, nearest) if nearest else 0.0
        network = [p for p in np.argsort(-alike[place], kind="stable").tolist() if is_one[place, p]]
        share, blur = 1.0, NETWORK_BLUR
        if len(network) >= LEAST_ROBUST:
            chosen = network[:MOST_PEERS]
        elif len(chosen) >= LEAST_ROBUST:
            share, blur = _share_of(weekly[:, place], _median(weekly[:, chosen].T, len(weekly), 1)), 1.0
        fast = share if _is_harmless((share, blur), daily, place, chosen, parts) else 0.0
        found.append((chosen if fast else nearest, fast, slow) if fast or slow else None)
    return found


def _is_harmless(
    how: tuple[float, float],
    daily: FloatArray,
    place: int,
    chosen: Sequence[int],
    parts: Sequence[tuple[TimeArray, FloatArray]],
) -> bool:
    """Whether taking away what enough peers show widens neither the changes of a week nor those of a row.

    Args:
        how: Share of the peers' movement, and by how much more than usual it may blur.
    """
    if len(chosen) < LEAST_ROBUST:
        return False
    share, blur = how
    left = daily[:, place] - share * _median(daily[:, chosen].T, len(daily), 1)
    if _spread_of_changes(left, SLOW_DAYS) > blur * WEEK_GAIN * _spread_of_changes(
        daily[:, place], SLOW_DAYS
    ):
        return False
    time, rows = parts[place]
    rest = rows - share * _at(time, [parts[p] for p in chosen], LEAST_ROBUST)
    return _spread_of_changes(rest, 1) < blur * NOISE_GAIN * _spread_of_changes(rows, 1)


def _same_network(windows: Sequence[Window], name: str, profile: Profile) -> BoolArray:
    """Pairs that read nearly the same steady level: regulated, and so moved by the same hand."""
    if profile.signal(name).is_ratio_scaled:
        return np.zeros((len(windows), len(windows)), dtype=bool)
    columns = [window.values[:, window.signals.index(name)] for window in windows]
    usual = np.array([_middle(column) for column in columns])
    spread = np.array([_spread(column - level) for column, level in zip(columns, usual, strict=True)])
    is_steady = spread <= STEADY * np.abs(usual)
    is_near = np.abs(usual[:, None] - usual) <= SAME_LEVEL * np.abs(usual[:, None])
    is_one: BoolArray = is_near & is_steady[:, None] & is_steady & ~np.eye(len(windows), dtype=bool)
    return is_one


def _middle(rows: FloatArray) -> float:
    known = rows[~np.isnan(rows)]
    return float(np.median(known)) if len(known) else float("nan")


def _slow_share(weekly: FloatArray, place: int, nearest: Sequence[int]) -> float:
    """What a signal shares with its nearest peers over weeks: where its drifts from its past shrink."""
    mine, theirs = weekly[:, place], _median(weekly[:, nearest].T, len(weekly), 1)
    share = _share_of(mine, theirs)
    drift, left = _about_past(mine), _about_past(mine - share * theirs)
    return share if _spread(left) < GAIN * _spread(drift) else 0.0


def _about_past(weekly: FloatArray) -> FloatArray:
    """Weekly means over the mean of the months before."""
    known = np.concatenate(([0], np.cumsum(~np.isnan(weekly))))
    sums = np.concatenate(([0.0], np.cumsum(np.nan_to_num(weekly))))
    last = np.arange(1, len(weekly) + 1)
    first = np.maximum(last - _PAST_DAYS, 0)
    counts = known[last] - known[first]
    past = (sums[last] - sums[first]) / np.maximum(counts, 1)
    return np.where(counts >= _PAST_DAYS / 2, weekly - past, np.nan)


def _spread(rows: FloatArray) -> float:
    """Robust spread about 0; infinite where nothing is known."""
    known = rows[~np.isnan(rows)]
    return float(_MAD * np.median(np.abs(known))) if len(known) else float("inf")


def _share_of(mine: FloatArray, theirs: FloatArray) -> float:
    """Slope of one daily movement on another, within what can be."""
    both = ~np.isnan(mine) & ~np.isnan(theirs)
    x, y = theirs[both] - theirs[both].mean(), mine[both] - mine[both].mean()
    slope = float((x * y).sum() / max(float((x * x).sum()), 1e-12))
    return float(np.clip(slope, *SHARE_BOUNDS))


def _spread_of_changes(rows: FloatArray, lag: int) -> float:
    """Robust spread of the differences between rows so far apart; infinite where there are none."""
    return _spread(rows[lag:] - rows[:-lag])


def _correlations(daily: FloatArray) -> FloatArray:
    """Of each pair of columns over their common days; -1 with too few and with itself."""
    n = daily.shape[1]
    result = np.full((n, n), -1.0)
    for i in range(n):
        for j in range(i):
            both = ~np.isnan(daily[:, i]) & ~np.isnan(daily[:, j])
            if both.sum() >= LEAST_DAYS:
                one, other = daily[both, i], daily[both, j]
                spread = float(one.std() * other.std())
                if spread > 0:
                    product = (one - one.mean()) * (other - other.mean())
                    result[i, j] = result[j, i] = float(product.mean()) / spread
    return result


def _clipped(daily: FloatArray) -> FloatArray:
    """Daily means about their median, those far out brought in."""
    result = np.full(daily.shape, np.nan)
    for column, days in enumerate(daily.T):
        known = days[~np.isnan(days)]
        if len(known):
            middle = float(np.median(known))
            spread = max(_MAD * float(np.median(np.abs(known - middle))), 1e-9)
            result[:, column] = np.clip(days - middle, -_CLIP * spread, _CLIP * spread)
    return result


def _weekly(daily: FloatArray) -> FloatArray:
    """Mean of each day and the six before it; NaN where fewer than half are known."""
    known = ~np.isnan(daily)
    kernel = np.ones(SLOW_DAYS)
    sums = np.convolve(np.where(known, daily, 0.0), kernel)[: len(daily)]
    counts = np.convolve(known.astype(float), kernel)[: len(daily)]
    return np.where(counts > SLOW_DAYS / 2, sums / np.maximum(counts, 1.0), np.nan)


def _days(time: TimeArray) -> np.ndarray:
    days: np.ndarray = time.astype("datetime64[us]").astype(np.int64) // _DAY_US
    return days


def _daily(time: TimeArray, moved: FloatArray, days: np.ndarray) -> FloatArray:
    """Mean of each day [days since 1970], added up in the order of the rows; NaN without a reading."""
    place = np.searchsorted(days, _days(time))
    known = ~np.isnan(moved) & (place < len(days))
    known &= days[np.minimum(place, len(days) - 1)] == _days(time)
    sums = np.bincount(place[known], moved[known], minlength=len(days))
    counts = np.bincount(place[known], minlength=len(days))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _at(time: TimeArray, parts: Sequence[tuple[TimeArray, FloatArray]], least: int) -> FloatArray:
    """Median of the others at the same instants, shape (rows,); NaN where fewer than `least` are known."""
    table = np.full((len(time), len(parts)), np.nan)
    for column, (other, moved) in enumerate(parts):
        here, there = _common_rows(time, other)
        table[here, column] = moved[there]
    middle, counts = _median_of(table)
    return np.where(counts >= least, middle, np.nan)


def _common_rows(time: TimeArray, other: TimeArray) -> Common:
    """The rows of two ascending series that are of the same instants."""
    if not len(other):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    there = np.minimum(np.searchsorted(other, time), len(other) - 1)
    here = np.flatnonzero(other[there] == time)
    return here, there[here]


def _middles(groups: Sequence[Sequence[FloatArray]], n_rows: int) -> tuple[FloatArray, np.ndarray]:
    """Median over the known ones of each row of each group of columns, and how many they are.

    Returns:
        Shape (groups, rows) each.
    """
    width = max(map(len, groups), default=0)
    table = np.full((len(groups), n_rows, width), np.nan)
    for rows, columns in zip(table, groups, strict=True):
        for place, column in enumerate(columns):
            rows[:, place] = column
    middle, counts = _median_of(table.reshape(len(groups) * n_rows, width))
    return middle.reshape(len(groups), n_rows), counts.reshape(len(groups), n_rows)


def _median(columns: Sequence[FloatArray] | FloatArray, n_rows: int, least: int) -> FloatArray:
    """Median over the known ones of each row; NaN where fewer than `least` are known."""
    table = np.column_stack(list(columns)) if len(columns) else np.empty((n_rows, 0))
    middle, counts = _median_of(table)
    return np.where(counts >= least, middle, np.nan)


def _median_of(table: FloatArray) -> tuple[FloatArray, np.ndarray]:
    """Median over the known ones of each row, NaN without any, and how many they are, shape (rows,) each."""
    n_rows, n_columns = table.shape
    counts = n_columns - np.isnan(table).sum(axis=1)
    if not n_columns:
        return np.full(n_rows, np.nan), counts
    ranked = np.sort(table, axis=1)  # NaN last
    rows = np.arange(n_rows)
    low, high = np.maximum(counts - 1, 0) // 2, np.minimum(counts // 2, n_columns - 1)
    middle: FloatArray = (ranked[rows, low] + ranked[rows, high]) / 2
    return middle, counts
