"""Data checks: what the rows of a window say about the meter rather than about the plant."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

import numpy as np

from sereno.domain.arrays import some
from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, FloatArray, Quality, Window
from sereno.domain.signals import Profile
from sereno.prepare.grid import forward_filled
from sereno.prepare.repeats import after_moves, ends_long, natural_runs
from sereno.prepare.silence import follow_silence
from sereno.prepare.witness import Witness, nothing, shares_of, unknown

__all__ = ["MISSING", "QualityRules", "check_quality", "has_flag", "impossible_cells", "longest_repeats"]

MISSING = "quality.missing"
OUT_OF_RANGE = "quality.out_of_range"
SENTINEL = "quality.sentinel"
SOURCE_BAD = "quality.source_bad"
ESTIMATED = "quality.estimated"
CONFLICTING = "quality.duplicate_conflicting"
FROZEN = "quality.frozen"
NEXT_TO_NOTHING = 0.004
"""Amount over the largest that may repeat itself for ever: a class B meter starts there (EN 50470-3)."""
_CARRIED = ("frozen/last", "frozen/run", "frozen/since")

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QualityRules:
    """When a flag becomes an incident.

    Attributes:
        missing_delay: Absent steps in a run before a stretch is an incident.
        frozen_rows: Equal non-zero values in a run that are natural for each signal, shape (signals,).
        estimated_delay: Estimated steps in a run before they are one.
    """

    missing_delay: int
    frozen_rows: FloatArray
    estimated_delay: int = 1

    @classmethod
    def for_step(cls, step: timedelta | None, n_signals: int) -> "QualityRules":
        """Defaults that need no history: a day or more at once; an hour of minutes; three hours."""
        if step is None or step >= _DAY:
            delay, frozen = 1, 4.0
        elif step >= _HOUR:
            delay, frozen = 3, 12.0
        else:
            delay = max(3, round(_HOUR / step))
            frozen = max(12.0, 2 * _HOUR / step)
        estimated = 1 if step is None else max(1, round(_DAY / step))
        return cls(delay, np.full(n_signals, frozen), estimated)

    @classmethod
    def for_window(cls, window: Window, natural_repeats: Mapping[str, float]) -> "QualityRules":
        """Defaults of the window's step, and longer runs where they were learnt to be natural."""
        return _rules(window.step, tuple([natural_repeats.get(name, 0.0) for name in window.signals]))


@lru_cache(maxsize=1_024)
def _rules(step: timedelta | None, learnt: tuple[float, ...]) -> QualityRules:
    rules = QualityRules.for_step(step, len(learnt))
    return replace(rules, frozen_rows=np.maximum(rules.frozen_rows, learnt))


def check_quality(
    window: Window,
    profile: Profile,
    rules: QualityRules,
    named: tuple[BoolArray, BoolArray],
    usual: FloatArray,
    witness: Witness,
    memory: Memory,
) -> tuple[list[Evidence], BoolArray, Memory]:
    """Evidence of missing, impossible, frozen, estimated and contradicted values, and the cells not to judge.

    Zero is never frozen, nor is next to nothing: a standstill is for behaviour to judge. Of a frozen run the
    cells count as bad from the moment the run is longer than natural; nobody could have known before.
    Estimated values and those that another reading contradicted are judged all the same.

    Args:
        named: Cells whose mistake has a name already, and those that are found to be codes for "no value",
            shape (rows, signals) each.
        usual: Largest amount before each row, 0 of what is no amount, shape (rows, signals).

    Returns:
        The evidence, a mask of bad cells (rows, signals), and the memory for the next batch.
    """
    wrong, sentinel = named
    source_bad = estimated = conflicting = np.zeros(window.values.shape, dtype=bool)
    if np.count_nonzero(window.quality):
        sentinel = sentinel | has_flag(window, Quality.SENTINEL)
        source_bad = has_flag(window, Quality.BAD)
        estimated, conflicting = has_flag(window, Quality.ESTIMATED), has_flag(window, Quality.CONFLICT)
    known = wrong | sentinel
    impossible, limits = _out_of_range(window, profile, known)
    frozen, is_frozen, carried = _frozen(window, rules, NEXT_TO_NOTHING * usual, memory)
    missing, followed = _missing(window, witness, rules, memory)
    evidence = [
        missing,
        *witness.hears(SENTINEL, sentinel),
        *witness.hears(SOURCE_BAD, source_bad, on_delay=rules.missing_delay),
        witness.says(OUT_OF_RANGE, impossible, expected=limits),
        frozen,
        *witness.hears(ESTIMATED, estimated, on_delay=rules.estimated_delay),
        *witness.hears(CONFLICTING, conflicting),
    ]
    carried = Memory({**carried.arrays, **followed.arrays})
    return evidence, known | impossible | is_frozen | source_bad, carried


def impossible_cells(window: Window, profile: Profile) -> BoolArray:
    """Values outside the plausible range of their signal, shape (rows, signals)."""
    lows, highs = _bounds(window.signals, profile)
    impossible: BoolArray = (window.values < lows) | (window.values > highs)
    return impossible


def has_flag(window: Window, flag: Quality) -> BoolArray:
    """Cells that carry a quality bit, shape (rows, signals)."""
    flagged: BoolArray = (window.quality & int(flag)) != 0
    return flagged


def longest_repeats(values: FloatArray) -> FloatArray:
    """Longest run of equal non-zero values of each signal, shape (signals,)."""
    repeats = _is_repeat(values, forward_filled(values, np.full(values.shape[1], np.nan)))
    runs = _run_lengths(repeats, ~repeats & ~np.isnan(values), np.zeros(values.shape[1]))
    longest: FloatArray = runs.max(axis=0, initial=0.0) + 1.0
    return longest


def _missing(
    window: Window, witness: Witness, rules: QualityRules, memory: Memory
) -> tuple[Evidence, Memory]:
    """Rows in which nothing came, and signals that have stopped while others went on."""
    shape = window.values.shape
    found = follow_silence(window, witness.silent, rules.missing_delay, memory)
    evidence = Evidence(
        check=MISSING,
        kind=IncidentKind.DATA,
        exceedance=np.zeros(len(window)),
        threshold=1.0,
        contributions=nothing(shape),
        expected=unknown(shape),
        on_delay=rules.missing_delay,
    )
    if isinstance(found, Memory):
        return evidence, found
    absent: BoolArray = np.asarray(witness.silent.all(axis=1))
    cells = absent[:, None] | found.cells
    told = replace(
        evidence,
        exceedance=cells.any(axis=1).astype(float),
        contributions=shares_of(cells),
        expected=found.last,
        since=found.since,
    )
    return told, found.memory


def _out_of_range(
    window: Window, profile: Profile, excused: BoolArray
) -> tuple[BoolArray, FloatArray | None]:
    """The impossible cells, and the nearest possible value of each."""
    bad = impossible_cells(window, profile) & ~excused
    if not some(bad):
        return bad, None
    lows, highs = _bounds(window.signals, profile)
    return bad, np.where(bad, np.clip(window.values, lows, highs), np.nan)


@lru_cache(maxsize=1_024)
def _bounds(signals: tuple[str, ...], profile: Profile) -> tuple[FloatArray, FloatArray]:
    known = [profile.signal(name) for name in signals]
    lows = np.array([-np.inf if s.minimum is None else s.minimum for s in known])
    highs = np.array([np.inf if s.maximum is None else s.maximum for s in known])
    return lows, highs


def _frozen(
    window: Window, rules: QualityRules, least: FloatArray, memory: Memory
) -> tuple[Evidence, BoolArray, Memory]:
    n_rows, n_signals = window.values.shape
    last, before, begun = _carried(memory, n_signals)
    if n_rows and not some(ends_long(before, rules.frozen_rows)) and _has_moved(window.values, last):
        return _moved(window, memory)
    filled = forward_filled(window.values, last)
    repeats, absent = _is_repeat(window.values, filled), np.isnan(window.values)
    repeats &= (np.abs(window.values) > least) | absent
    breaks = ~(repeats | absent)
    runs = _run_lengths(repeats, breaks, before)
    since = _run_starts(window, breaks, begun)
    limit, natural = natural_runs(runs, breaks, before, rules.frozen_rows, memory)
    is_long = runs + 1 > limit
    is_frozen = repeats & is_long
    holds = (absent & is_long).any(axis=1) & ~is_frozen.any(axis=1)
    ratio = np.where(is_frozen, (runs + 1) / limit, 0.0)
    begins = None
    if is_frozen.any():
        begins = since[np.arange(n_rows), ratio.argmax(axis=1)].astype(np.int64).astype("datetime64[us]")
    evidence = Evidence(
        check=FROZEN,
        kind=IncidentKind.DATA,
        exceedance=np.where(holds, np.nan, ratio.max(axis=1, initial=0.0)),
        threshold=1.0,
        contributions=shares_of(is_frozen),
        expected=unknown(window.values.shape),
        since=begins,
    )
    if n_rows:
        last, before, begun = filled[-1], runs[-1], since[-1]
    carried = dict(zip(_CARRIED, (last, before, begun), strict=True))
    return evidence, is_frozen, Memory({**carried, **natural.arrays})


def _has_moved(values: FloatArray, last: FloatArray) -> bool:
    """Whether every signal is there in every row, and zero or other than before, as it usually is."""
    before = np.vstack((last, values[:-1])) if len(values) > 1 else last
    return not some(((values == before) & (values != 0)) | np.isnan(values))


def _moved(window: Window, memory: Memory) -> tuple[Evidence, BoolArray, Memory]:
    """Rows in which nothing repeats itself."""
    begun = np.full(len(window.signals), float(window.micros[-1]))
    evidence = Evidence(
        check=FROZEN,
        kind=IncidentKind.DATA,
        exceedance=np.zeros(len(window)),
        threshold=1.0,
        contributions=nothing(window.values.shape),
        expected=unknown(window.values.shape),
    )
    state = (window.values[-1], np.zeros(len(window.signals)), begun)
    kept = {**dict(zip(_CARRIED, state, strict=True)), **after_moves(memory, window.values.shape).arrays}
    return evidence, np.zeros(window.values.shape, dtype=bool), Memory(kept)


def _carried(memory: Memory, n_signals: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Last value, length of its run and instant [µs] of its first, of each signal."""
    if _CARRIED[0] not in memory.arrays:
        return np.full(n_signals, np.nan), np.zeros(n_signals), np.zeros(n_signals)
    last, before, begun = (memory.arrays[name] for name in _CARRIED)
    return last, before, begun


def _is_repeat(values: FloatArray, filled: FloatArray) -> BoolArray:
    """Whether each value equals the one before it and is not zero; gaps neither break nor lengthen."""
    repeats: BoolArray = (values == filled[:-1]) & (values != 0)
    return repeats


def _run_lengths(repeats: BoolArray, breaks: BoolArray, before: FloatArray) -> FloatArray:
    """Run of repeats that each row ends or holds, continuing `before`, shape (rows, signals)."""
    if len(repeats) == 1:
        return np.where(breaks, 0.0, before + repeats)
    counts = np.cumsum(repeats, axis=0, dtype=float)
    start = np.maximum.accumulate(np.where(breaks, counts, 0.0), axis=0)
    never_broken = np.cumsum(breaks, axis=0) == 0
    return counts - start + np.where(never_broken, before, 0.0)


def _run_starts(window: Window, breaks: BoolArray, begun: FloatArray) -> FloatArray:
    """Instant [µs] at which the run of each cell began: where the run before it was broken."""
    if not len(window):
        return np.empty(breaks.shape)
    micros = window.micros.astype(float)
    if len(micros) == 1:
        return np.where(breaks, micros, begun)
    rows = np.maximum.accumulate(np.where(breaks, np.arange(len(breaks))[:, None], -1), axis=0)
    return np.where(rows >= 0, micros[rows], begun)
