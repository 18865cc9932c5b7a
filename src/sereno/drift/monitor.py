"""The watch: each week against its season, each threshold from replaying the watch over the reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from sereno.domain.drift import AssetDrift, DriftKind, DriftLevel, DriftVerdict, WeekStatistic
from sereno.domain.readings import FloatArray
from sereno.drift.season import IntArray, Pool, anomaly, nearest
from sereno.drift.weeks import Weeks, monday_of

__all__ = ["DriftOptions", "judge_drift"]

NOT_ENOUGH_HISTORY, NOTHING_TO_JUDGE = "not_enough_history", "nothing_to_judge"
_TINY = 1e-9
_WEEKS_PER_YEAR = 365.2425 / 7
_N_STATISTICAL = 3
"""Kinds whose thresholds come from the replays: faults of the data have one of their own."""
_LOW_SHARE = 0.9
_BEYOND, _LEAST_FAULT = 2.0, 0.02
"""A fault is judged beyond so many times what has been, and so much of a week's values."""
_SHRINKAGE = 4.0
"""Weeks of "it does not depend on it" that the dependence on each input begins with."""


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """How drift is watched.

    Attributes:
        nearest: Weeks of the season that a week is compared with.
        least_replays: Below so many nothing is judged.
        slack: Of the cumulated sum [standard deviations of the replays].
        limit: Of the cumulated sum, at least [standard deviations].
        false_alarms_per_year: Budget of one meter, for all kinds together.

    Source:
        Montgomery, Introduction to Statistical Quality Control, 8th ed., ch. 9 (tabular CUSUM; its average
        run length grows with exp(2 · slack · limit)).
    """

    nearest: int = 4
    least_replays: int = 8
    slack: float = 0.5
    limit: float = 4.5
    false_alarms_per_year: float = 1.0

    @property
    def rate(self) -> float:
        """Share of the weeks in which one kind may alarm falsely."""
        return self.false_alarms_per_year / _WEEKS_PER_YEAR / _N_STATISTICAL


_DEFAULTS = DriftOptions()


@dataclass(frozen=True, slots=True)
class _Look:
    """What one kind of drift is seen by in one week, compared with some weeks.

    Attributes:
        sizes: Without sign, shape (parts,).
        shifts: Signed, whose sum over weeks shows slow drift, shape (parts,); none for what is never slow.
        is_scaled: Whether a size of 1 is the threshold; otherwise it comes from the replays.
    """

    sizes: FloatArray
    shifts: FloatArray
    is_scaled: bool = False


_Looking = Callable[[int, IntArray], _Look]


def judge_drift(
    weeks: Weeks, reference: IntArray, judged: IntArray, options: DriftOptions = _DEFAULTS
) -> AssetDrift:
    """The four verdicts over some weeks, in order, against others.

    Args:
        reference, judged: Places in `weeks`, ascending; what is judged is no reference.
    """
    watch = _Watch(weeks, Pool(np.asarray(reference, dtype=np.int64)), np.asarray(judged, np.int64), options)
    verdicts = {
        DriftKind.QUALITY: watch.verdict(DriftKind.QUALITY, _faults(weeks), weeks.signals),
        DriftKind.INPUT: watch.verdict(DriftKind.INPUT, _inputs(weeks, options), weeks.inputs),
        DriftKind.CONCEPT: watch.verdict(
            DriftKind.CONCEPT, _concept(weeks, watch.pool, options), (weeks.target,)
        ),
        DriftKind.PERFORMANCE: watch.verdict(DriftKind.PERFORMANCE, _errors(weeks, options), (weeks.target,)),
    }
    return AssetDrift(weeks.asset, weeks.target, verdicts)


@dataclass(frozen=True, slots=True)
class _Watch:
    weeks: Weeks
    pool: Pool
    judged: IntArray
    options: DriftOptions

    def verdict(self, kind: DriftKind, look: _Looking, signals: Sequence[str]) -> DriftVerdict:
        if not len(self.judged) or not signals:
            return _unknown(kind, NOTHING_TO_JUDGE)
        scales: dict[int, _Scale | None] = {}
        sums = _Sums(self.options)
        found: list[WeekStatistic] = []
        last: _Scale | None = None
        change = float("nan")
        for week in self.judged.tolist():
            gap = self.pool.gap(week, self.options.nearest)
            if gap not in scales:
                scales[gap] = self._scale(look, gap)
            scale = scales[gap]
            if scale is None:
                continue
            last = scale
            seen = look(week, self.pool.weeks)
            value, part = scale.value(seen, sums.add(scale, seen))
            level = _level(value, scale.low, found)
            found.append(WeekStatistic(monday_of(self.weeks.first + week), value, level, signals[part]))
            if len(seen.shifts) and isfinite(value):
                change = float(seen.shifts[part])
        known = [one for one in found if isfinite(one.value)]
        if last is None or not known:
            n_replays = max((scale.n for scale in scales.values() if scale is not None), default=0)
            return _unknown(kind, NOT_ENOUGH_HISTORY if not n_replays else NOTHING_TO_JUDGE, n_replays)
        return DriftVerdict(
            kind,
            known[-1].level,
            found,
            last.replays,
            last.n,
            since=_since(known),
            is_season_known=self.pool.gap(int(self.judged[-1]), self.options.nearest) == 0,
            signal=known[-1].signal if known[-1].level > DriftLevel.NONE else "",
            change=change,
        )

    def _scale(self, look: _Looking, gap: int) -> "_Scale | None":
        """What the statistics of weeks without drift are, by replays made as a new week is looked at."""
        replays = self.pool.replays(gap, self.options.nearest)
        if len(replays) < self.options.least_replays:
            return None
        looks = [look(week, others) for week, others in replays]
        sizes = np.array([one.sizes for one in looks])
        shifts = np.array([one.shifts for one in looks])
        known = ~np.isnan(sizes).all(axis=1)
        if int(known.sum()) < self.options.least_replays:
            return None
        return _Scale.of(sizes[known], shifts[known], self.options, is_scaled=looks[0].is_scaled)


@dataclass(frozen=True, slots=True)
class _Scale:
    """What replays say of weeks without drift.

    Attributes:
        usual: Size that a part reaches in one of ten replays, shape (parts,).
        threshold: Highest size of any part in any replay [of what is usual for the part].
        low: Size that one of ten replays reaches [threshold].
        spread: Of the shifts, shape (parts,).
        limits: Of the cumulated sums, shape (parts,).
        replays: Sizes of the worst parts [threshold].
    """

    usual: FloatArray
    threshold: float
    low: float
    spread: FloatArray
    limits: FloatArray
    replays: tuple[float, ...]

    @property
    def n(self) -> int:
        return len(self.replays)

    @classmethod
    def of(cls, sizes: FloatArray, shifts: FloatArray, options: DriftOptions, *, is_scaled: bool) -> "_Scale":
        usual = np.maximum(np.nanquantile(sizes, _LOW_SHARE, axis=0), _TINY)
        if is_scaled:
            usual = np.ones(sizes.shape[1])
        worst = np.nanmax(sizes / usual, axis=1)
        threshold = 1.0 if is_scaled else max(float(worst.max()), _rare(worst, options.rate))
        spread = np.maximum(np.sqrt(np.nanmean(shifts**2, axis=0)), _TINY) if shifts.shape[1] else np.empty(0)
        sums = _Sums(options)
        highest = np.array([sums.step(shift / spread) for shift in shifts]).max(axis=0)
        rarer = np.log(max(1.0, 1.0 / (options.rate * len(shifts)))) / (2.0 * options.slack)
        return cls(
            usual,
            threshold,
            float(np.quantile(worst, _LOW_SHARE)) / threshold,
            spread,
            np.maximum(options.limit, highest + rarer),
            tuple((worst / threshold).tolist()),
        )

    def value(self, seen: _Look, sums: FloatArray) -> tuple[float, int]:
        """Statistic over threshold, and the part that it is of."""
        parts: FloatArray = seen.sizes / self.usual / self.threshold
        if len(sums):
            parts = np.where(np.isnan(parts), np.nan, np.fmax(parts, sums / self.limits))
        if np.isnan(parts).all():
            return float("nan"), 0
        part = int(np.nanargmax(parts))
        return float(parts[part]), part


def _rare(sizes: FloatArray, rate: float) -> float:
    """The size that so small a share of new weeks exceeds, by an exponential tail above nine of ten replays.

    Few excesses tell its mean badly: the size is that of the predictive distribution, larger the fewer.

    Source:
        Coles, An Introduction to Statistical Modeling of Extreme Values, 2001, ch. 4, with shape 0; the next
        of k exponential values over their mean is an F variable of 2 and 2 k degrees of freedom.
    """
    start = float(np.quantile(sizes, _LOW_SHARE))
    beyond = sizes[sizes > start] - start
    if not len(beyond):
        return start
    rarer = float(((1.0 - _LOW_SHARE) / rate) ** (1.0 / len(beyond)))
    return start + float(beyond.sum()) * (rarer - 1.0)


class _Sums:
    """Cumulated sums of shifts upwards and downwards."""

    def __init__(self, options: DriftOptions) -> None:
        self._slack = options.slack
        self._up: FloatArray = np.zeros(0)
        self._down: FloatArray = np.zeros(0)

    def add(self, scale: _Scale, seen: _Look) -> FloatArray:
        return self.step(seen.shifts / scale.spread) if len(seen.shifts) else np.empty(0)

    def step(self, shift: FloatArray) -> FloatArray:
        """A further week; one that is not known leaves the sums as they are."""
        if not len(self._up):
            self._up, self._down = np.zeros(len(shift)), np.zeros(len(shift))
        known = ~np.isnan(shift)
        shift = np.where(known, shift, 0.0)
        slack = np.where(known, self._slack, 0.0)
        self._up = np.maximum(0.0, self._up + shift - slack)
        self._down = np.maximum(0.0, self._down - shift - slack)
        return np.maximum(self._up, self._down)


def _faults(weeks: Weeks) -> _Looking:
    """Faults of the data know no season: beyond twice what has been, a fault is one."""

    def look(week: int, others: IntArray) -> _Look:
        limits = _BEYOND * weeks.faults[others].max(axis=0, initial=0.0) + _LEAST_FAULT
        return _Look((weeks.faults[week] / limits).max(axis=1), np.empty(0), is_scaled=True)

    return look


def _inputs(weeks: Weeks, options: DriftOptions) -> _Looking:
    """The distance of the week's distribution from the season's [unit], and the shift of its mean.

    Source:
        Wasserstein distance of order 1 between two distributions as the mean distance of their quantiles.
    """

    def look(week: int, others: IntArray) -> _Look:
        near, _ = nearest(week, others, options.nearest)
        distances = np.full(len(weeks.inputs), np.nan)
        for place in range(len(weeks.inputs)):
            season = weeks.quantiles[near, place]
            season = season[~np.isnan(season).any(axis=1)]
            if len(season):
                pooled = np.sort(season, axis=None)[len(season) // 2 :: len(season)]
                distances[place] = np.abs(weeks.quantiles[week, place] - pooled).mean()
        return _Look(
            distances, anomaly(weeks.means[week], week, weeks.means[others], others, options.nearest)
        )

    return look


def _concept(weeks: Weeks, pool: Pool, options: DriftOptions) -> _Looking:
    """The shift of the target's level that the shifts of its inputs do not explain.

    A replay is of a week that taught how the target follows its inputs; what that hides of it is put back.
    """
    both = np.column_stack([weeks.level, weeks.degrees])

    def shifts(week: int, others: IntArray) -> FloatArray:
        return anomaly(both[week], week, both[others], others, options.nearest)

    replays = pool.replays(0, options.nearest)
    taught = np.array([shifts(week, others) for week, others in replays])
    slopes, leverages = _dependence(taught.reshape(-1, both.shape[1]))
    hidden = {week: 1.0 - float(leverage) for (week, _), leverage in zip(replays, leverages, strict=True)}

    def look(week: int, others: IntArray) -> _Look:
        found = shifts(week, others)
        rest = (found[:1] - np.nan_to_num(found[1:]) @ slopes) / hidden.get(week, 1.0)
        return _Look(np.abs(rest), rest)

    return look


def _dependence(shifts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How the target's shift follows those of its inputs, by ridge regression.

    Returns:
        Slopes, shape (inputs,), and the leverage of each week, shape (weeks,), 0 for one that is not known.
    """
    if not len(shifts):
        return np.zeros(shifts.shape[1] - 1), np.empty(0)
    known = np.asarray(~np.isnan(shifts).any(axis=1))
    inputs = np.where(known[:, None], shifts[:, 1:], 0.0)
    scale = np.maximum(inputs.std(axis=0), _TINY)
    unit = inputs / scale
    solved = np.linalg.solve(unit.T @ unit + _SHRINKAGE * np.eye(unit.shape[1]), unit.T)
    slopes: FloatArray = solved @ np.where(known, shifts[:, 0], 0.0) / scale
    leverages: FloatArray = np.einsum("ij,ji->i", unit, solved)
    return slopes, leverages


def _errors(weeks: Weeks, options: DriftOptions) -> _Looking:
    """By how much the forecasts of the week err more than those of its season, as a logarithm."""
    errors = np.log(np.maximum(weeks.errors, _TINY))[:, None]

    def look(week: int, others: IntArray) -> _Look:
        worse = anomaly(errors[week], week, errors[others], others, options.nearest)
        return _Look(np.maximum(worse, 0.0), worse)

    return look


def _level(value: float, low: float, before: Sequence[WeekStatistic]) -> DriftLevel:
    if not isfinite(value):
        return DriftLevel.UNKNOWN
    if value > 1.0:
        known = [one for one in before if isfinite(one.value)]
        return DriftLevel.HIGH if known and known[-1].value > 1.0 else DriftLevel.MEDIUM
    return DriftLevel.LOW if value > low else DriftLevel.NONE


def _since(known: Sequence[WeekStatistic]) -> str:
    """Monday of the first week of the alarm that still stands."""
    since = ""
    for one in known:
        since = (since or one.monday) if one.level.alarms else ""
    return since


def _unknown(kind: DriftKind, reason: str, n_reference: int = 0) -> DriftVerdict:
    return DriftVerdict(kind, DriftLevel.UNKNOWN, [], [], n_reference, reason=reason)
