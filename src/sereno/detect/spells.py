"""Spells: days of which not one was like the weeks before.

Clouds take from a day whatever they please, so that half a plant that is out looks like weather. But in ten
days one is clear nearly everywhere, and the best of them says what the plant can make. In the same way a
house has busy days, but hardly five in a row of which the least is above nearly all of the weeks before. Of
each signal it is asked whether it has gone further from its weeks before than it did of itself in the same
season of the year before. Nothing is trained: the year lies in the memory and goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from math import isnan

import numpy as np

from sereno.detect.days import DayRule, follow_days
from sereno.domain.arrays import median, quantile
from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import Profile, Signal, SignalKind

__all__ = ["CAPACITY", "EXCESS", "score_spells"]

CAPACITY, EXCESS = "behaviour.capacity", "behaviour.excess"
SHORTEST_STEP, LONGEST_STEP = timedelta(minutes=1), timedelta(days=1)
LONG_DAYS, KNOWN_SHARE = 45, 0.5
"""Days before a spell, and the share of them and of the spell that must be known."""
NEARLY_ALL = 0.9
"""Quantile of the days before beyond which a day counts: one of them may be a mistake."""
YEAR_DAYS, SEASON_DAYS, LATEST_DAYS = 365, 60, 14
"""Shifts of the same season are natural, but for the latest: a spell must not call itself natural."""
LEAST_SHIFTS = 90
RARE_QUANTILE, MARGIN = 0.95, 1.3
"""A shift is told beyond the 95 % quantile of natural ones, and 30 % more."""
MOST_SHIFT = 4.0
SPEAKS = 0.5
"""A row within a day speaks where it carries this share of the mean of the best day; nights do not."""
_MEAN, _SHIFT = range(2)
_WORST = 10.0


@dataclass(frozen=True, slots=True)
class _Spell:
    """A kind of spell.

    Attributes:
        n_days: Its length.
        is_low: Whether its best day is below the days before; otherwise its least is above them.
        least, unseen: Smallest shift that is told, as a logarithm; and that of the first year, when nobody
            knows yet what a season does.
        concerns: The signals that are asked.
    """

    check: str
    n_days: int
    is_low: bool
    least: float
    unseen: float
    concerns: Callable[[Signal], bool]

    def shift(self, days: FloatArray) -> float:
        """Logarithm of how far all of the last days are beyond nearly all before; NaN where unknown."""
        outermost, before = self._outermost(days), self._before(days)
        if isnan(outermost) or len(before) < KNOWN_SHARE * LONG_DAYS:
            return float("nan")
        past = quantile(before, NEARLY_ALL)
        if not past > 0 or not (self.is_low or median(before) > 0):
            return float("nan")
        shift = float(np.log(max(outermost, 1e-9 * past) / past))
        return min(-shift if self.is_low else shift, MOST_SHIFT)

    def judge(self, days: FloatArray) -> float:
        """The last shift over its limit, NaN where unknown."""
        shift = float(days[-1, _SHIFT])
        if isnan(shift):
            return shift
        natural, least = self._natural(days[:, _SHIFT])
        if len(natural) < LEAST_SHIFTS:
            return float("nan")
        if shift <= 0.0:  # whatever the limit is
            return 0.0
        limit = max(least, MARGIN * quantile(natural, RARE_QUANTILE))
        return min(shift / limit, _WORST)

    def see(self, days: FloatArray) -> tuple[float, float]:
        """The logarithm of usual over seen, and the day; 0 of days of which nothing is known."""
        shift = float(days[-1, _SHIFT])
        if isnan(shift):
            return 0.0, 0.0
        return shift if self.is_low else -self._rise(days), self._outermost(days)

    def _outermost(self, days: FloatArray) -> float:
        """The best of the last days where they are low, the least where they are high."""
        recent = self._known(days[-self.n_days :])
        if len(recent) < KNOWN_SHARE * self.n_days:
            return float("nan")
        return float(recent.max() if self.is_low else recent.min())

    def _before(self, days: FloatArray) -> FloatArray:
        """The known days of the weeks before the last ones."""
        return self._known(days[-self.n_days - LONG_DAYS : -self.n_days])

    def _rise(self, days: FloatArray) -> float:
        """Logarithm of a usual day of the spell over one before it."""
        recent, past = median(self._known(days[-self.n_days :])), self._usual(days)
        return min(float(np.log(max(recent, 1e-9 * past) / past)), MOST_SHIFT)

    def _usual(self, days: FloatArray) -> float:
        """A usual day of the weeks before; 0 where all stood still, which no day after them exceeds."""
        return median(self._before(days))

    def _natural(self, shifts: FloatArray) -> tuple[FloatArray, float]:
        """Shifts of this season and of that a year ago, otherwise all so far; and the least that is told."""
        is_old, is_last_year, is_recent = _seasons(len(shifts))
        is_natural = is_old & ~np.isnan(shifts)
        if np.count_nonzero(is_natural & is_last_year) >= LEAST_SHIFTS:
            return shifts[is_natural & (is_last_year | is_recent)], self.least
        return shifts[is_natural], self.unseen

    @staticmethod
    def _known(days: FloatArray) -> FloatArray:
        means = days[:, _MEAN]
        return means[~np.isnan(means)]


@lru_cache(maxsize=2 * (YEAR_DAYS + SEASON_DAYS))
def _seasons(n_days: int) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Which of so many days are not of the latest, of this season a year ago, and of this season."""
    ago = np.arange(n_days - 1, -1, -1)
    return ago >= LATEST_DAYS, np.abs(ago - YEAR_DAYS) <= SEASON_DAYS, ago <= SEASON_DAYS


def _is_plant(signal: Signal) -> bool:
    """Of which more is better, and that a plant makes as the weather lets it."""
    return signal.is_gain and signal.is_vital and signal.kind is SignalKind.INTERVAL


def _is_use(signal: Signal) -> bool:
    """What is taken of electricity; gas rises with every winter and has its floors."""
    return signal.is_ratio_scaled and not signal.is_gain and signal.quantity in {"energy", "power"}


_SPELLS = (
    _Spell(CAPACITY, 10, is_low=True, least=0.3, unseen=0.6, concerns=_is_plant),
    _Spell(EXCESS, 5, is_low=False, least=0.15, unseen=0.3, concerns=_is_use),
)
"""In the first year autumn could be half of a plant, and the first cold or hot days a third of a load."""


def score_spells(window: Window, profile: Profile, memory: Memory) -> tuple[list[Evidence], Memory]:
    """How far all of the last days are from the weeks before, over how far they go of themselves.

    A part of a total that is read too is not asked: what a house imports depends on the weather.
    Expected is what each row would show if the day were a usual one.

    Returns:
        The evidence, nothing where no signal is concerned or all is well; and the memory for the next window.
    """
    found: list[Evidence] = []
    arrays: dict[str, np.ndarray] = {}
    if window.step is None or not SHORTEST_STEP <= window.step <= LONGEST_STEP:
        return found, Memory()
    for spell, columns in _concerned(window.signals, profile):
        evidence, kept = _score(spell, window, columns, memory)
        found += evidence
        arrays |= kept.arrays
    return found, Memory(arrays)


@lru_cache(maxsize=1_024)
def _concerned(signals: tuple[str, ...], profile: Profile) -> list[tuple[_Spell, list[int]]]:
    """The kinds of spell that some of these signals are asked about, and their columns."""
    present = frozenset(signals)
    parts = {name for one in profile.identities if one.total in present for name in one.parts}
    asked = []
    for spell in _SPELLS:
        columns = [
            column
            for column, name in enumerate(signals)
            if spell.concerns(profile.signal(name)) and name not in parts
        ]
        asked += [(spell, columns)] if columns else []
    return asked


def _score(
    spell: _Spell, window: Window, columns: list[int], memory: Memory
) -> tuple[list[Evidence], Memory]:
    told = follow_days(_rule_of(spell), window, columns, memory)
    if not told.is_news:
        return [], told.memory
    values = window.values[:, columns]
    usual, outermost = told.seen[..., 0], told.seen[..., 1]
    if window.step is not None and window.step < LONGEST_STEP:
        told.excess[values < SPEAKS * outermost] = np.nan
    back = np.timedelta64(spell.n_days - 1, "D").astype("timedelta64[us]").astype(np.int64)
    begun = (window.micros - back).view("datetime64[us]")
    return [told.evidence(window, values * np.exp(usual), begun)], told.memory


@cache
def _rule_of(spell: _Spell) -> DayRule:
    """How its days are kept and judged."""
    n_kept = YEAR_DAYS + SEASON_DAYS
    return DayRule(
        spell.check, n_kept, 2, _measure, spell.shift, spell.judge, spell.see, n_seen=2, release=0.7
    )


def _measure(read: FloatArray) -> tuple[float]:
    return (float(read.mean()),)
