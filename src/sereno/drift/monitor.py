"""The watch: each week against its season, each threshold from replaying the watch over the reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from sereno.domain.drift import AssetDrift, DriftKind, DriftLevel, DriftVerdict, WeekStatistic
from sereno.domain.readings import FloatArray
from sereno.drift.looks import Look, Looking, behaviour, errors, faults, inputs
from sereno.drift.season import IntArray, Pool
from sereno.drift.weeks import Weeks, monday_of

__all__ = ["DriftOptions", "judge_drift"]

NOT_ENOUGH_HISTORY, NOTHING_TO_JUDGE = "not_enough_history", "nothing_to_judge"
_TINY = 1e-9
_WEEKS_PER_YEAR = 365.2425 / 7
_N_STATISTICAL = 3
"""Kinds whose thresholds come from the replays: faults of the data have one of their own."""
_LOW_SHARE = 0.9


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


def judge_drift(
    weeks: Weeks, reference: IntArray, judged: IntArray, options: DriftOptions = _DEFAULTS
) -> AssetDrift:
    """The four verdicts over some weeks, in order, against others.

    Args:
        reference, judged: Places in `weeks`, ascending; what is judged is no reference.
    """
    watch = _Watch(weeks, Pool(np.asarray(reference, dtype=np.int64)), np.asarray(judged, np.int64), options)
    pool, count = watch.pool, options.nearest
    verdicts = {
        DriftKind.QUALITY: watch.verdict(DriftKind.QUALITY, faults(weeks), weeks.signals),
        DriftKind.INPUT: watch.verdict(DriftKind.INPUT, inputs(weeks, pool, count), weeks.inputs),
        DriftKind.CONCEPT: watch.verdict(DriftKind.CONCEPT, behaviour(weeks, pool, count), (weeks.target,)),
        DriftKind.PERFORMANCE: watch.verdict(DriftKind.PERFORMANCE, errors(weeks, count), (weeks.target,)),
    }
    return AssetDrift(weeks.asset, weeks.target, verdicts)


@dataclass(frozen=True, slots=True)
class _Watch:
    weeks: Weeks
    pool: Pool
    judged: IntArray
    options: DriftOptions

    def verdict(self, kind: DriftKind, look: Looking, signals: Sequence[str]) -> DriftVerdict:
        if not len(self.judged) or not signals:
            return _unknown(kind, NOTHING_TO_JUDGE)
        scales: dict[tuple[int, int], _Scale | None] = {}
        least = self._least_limits(look)
        sums = _Sums(self.options)
        found: list[WeekStatistic] = []
        last: _Scale | None = None
        change = float("nan")
        for week in self.judged.tolist():
            way = self.pool.gap(week, self.options.nearest), self.pool.apart(week, self.options.nearest)
            if way not in scales:
                scales[way] = self._scale(look, *way)
            scale = scales[way]
            if scale is None:
                continue
            last = scale
            seen = look(week, self.pool.weeks)
            value, part = scale.value(seen, sums.add(scale, seen), least)
            level = _level(value, scale.low, found)
            part %= len(signals)
            found.append(WeekStatistic(monday_of(self.weeks.first + week), value, level, signals[part]))
            if len(seen.changes) and isfinite(value):
                change = float(seen.changes[part])
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

    def _least_limits(self, look: Looking) -> FloatArray:
        """What the cumulated sums reach in runs of weeks without drift, shape (parts,) or (1,)."""
        runs = self.pool.runs(self.judged, self.options.nearest)
        shifts = np.array([[look(week, others).shifts for week in run.tolist()] for run, others in runs])
        shifts = shifts[~np.isnan(shifts).all(axis=(1, 2))] if shifts.size else shifts
        if len(shifts) < self.options.least_replays:
            return np.zeros(1)
        unit = shifts / np.maximum(np.sqrt(np.nanmean(shifts**2, axis=0)), _TINY)
        highest = []
        for run in unit:
            sums = _Sums(self.options)
            highest.append(np.max([sums.step(week) for week in run], axis=0))
        rate = self.options.rate * len(self.judged)
        return np.array([_rare(column, rate) for column in np.array(highest).T])

    def _scale(self, look: Looking, gap: int, apart: int) -> "_Scale | None":
        """What the statistics of weeks without drift are, by replays made as a new week is looked at."""
        replays = self.pool.replays(gap, self.options.nearest, apart)
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

    def value(self, seen: Look, sums: FloatArray, least: FloatArray) -> tuple[float, int]:
        """Statistic over threshold, and the part that it is of.

        Args:
            least: Limits of the cumulated sums, at least, shape (parts,).
        """
        parts: FloatArray = seen.sizes / self.usual / self.threshold
        if len(sums):
            parts = np.where(np.isnan(parts), np.nan, np.fmax(parts, sums / np.maximum(self.limits, least)))
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

    def add(self, scale: _Scale, seen: Look) -> FloatArray:
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
