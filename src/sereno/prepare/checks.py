"""All checks that need no learning, in their order: registers, data quality, physics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

import numpy as np

from sereno.domain.arrays import some
from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import BoolArray, Quality, QualityArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.clock import check_clock
from sereno.prepare.mistakes import find_mistakes, second_opinions
from sereno.prepare.physics import check_physics
from sereno.prepare.quality import QualityRules, check_quality, has_flag, impossible_cells
from sereno.prepare.registers import ReadRegisters, read_registers
from sereno.prepare.spikes import Spikes, find_spikes
from sereno.prepare.unit_change import UnitChange, check_units
from sereno.prepare.witness import Witness

__all__ = ["NO_REPEATS", "Checked", "check_window"]

SPIKE = "quality.spike"
STEP = "quality.step"
SWAPPED_SIGN = "quality.swapped_sign"
SWAPPED_CHANNELS = "quality.swapped_channels"
_FLAGS: Mapping[str, Quality] = MappingProxyType(
    {
        "quality.out_of_range": Quality.OUT_OF_RANGE,
        "quality.frozen": Quality.FROZEN,
        SPIKE: Quality.SPIKE,
        STEP: Quality.STEP,
        SWAPPED_SIGN: Quality.SWAPPED_SIGN,
        SWAPPED_CHANNELS: Quality.SWAPPED_CHANNELS,
    }
)
_DAY = timedelta(days=1)
_LEAST_OFF_DELAY = 2
"""Sound rows that end an exchange; a day where steps are shorter: a sun that is down proves nothing."""
NO_REPEATS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Checked:
    """A window after its checks.

    Attributes:
        window: The rows as they are judged; its signals are those of all arrays here.
        clean: The same without the cells that are bad: what behaviour is judged and learnt from.
        evidence: What each check said of each row.
        flags: Quality bits to keep beside the raw values, shape (rows, signals).
        memory: For the checks of the next window.
    """

    window: Window
    clean: Window
    evidence: Sequence[Evidence]
    flags: QualityArray
    memory: Memory


def check_window(
    window: Window,
    profile: Profile,
    memory: Memory,
    *,
    natural_repeats: Mapping[str, float] = NO_REPEATS,
) -> Checked:
    """Data quality and physics of one asset's next rows.

    Args:
        memory: What the checks of the rows before left.
        natural_repeats: Longest run of equal values that is natural for a signal, where learnt.
    """
    registers = read_registers(window, memory)
    if registers is not None:
        window = registers.window
    vouched, proven = second_opinions(window, profile)
    is_doubted = has_flag(window, Quality.BAD)
    is_doubted |= False if registers is None else registers.bad
    units = check_units(window, profile, memory, bad=is_doubted, vouched=vouched, proven=proven)
    witness = Witness(window, memory, read=None if registers is None else registers.read)
    named, wrong, spikes, spotted = _name_mistakes(window, profile, units, vouched, witness, memory)
    rules = QualityRules.for_window(window, natural_repeats)
    quality, bad, carried = check_quality(
        window, profile, rules, (wrong, spikes.codes), spikes.usual, witness, memory
    )
    flags = np.zeros(window.values.shape, dtype=np.int32)
    arrays: dict[str, np.ndarray] = {**spotted.arrays, **carried.arrays}
    if registers is not None:
        quality, named = _joined([*quality, *named], registers), []
        bad, flags = bad | registers.bad, registers.flags
        arrays |= registers.memory.arrays
    if units is not None:
        named, bad, flags = [units.evidence, *named], bad | units.bad, flags | units.flags
        arrays |= units.memory.arrays
    clean = replace(window, values=np.where(bad, np.nan, window.values)) if some(bad) else window
    clock, is_off, ticked = check_clock(clean, profile, memory)
    physics, imbalance, seen = check_physics(clean, profile, memory)
    arrays |= {**ticked.arrays, **seen.arrays}
    evidence = [*named, *quality, *([] if clock is None else [clock]), *physics]
    flags = flags | imbalance | _flags_of(evidence, window)
    if some(is_off):
        flags[is_off] |= int(Quality.CLOCK_SHIFT)
    return Checked(window, clean, evidence, flags, Memory(arrays))


def _flags_of(evidence: Sequence[Evidence], window: Window) -> QualityArray:
    """What stands beside the cells that a check points at, shape (rows, signals)."""
    flags = np.zeros(window.values.shape, dtype=np.int32)
    for one in evidence:
        flag = _FLAGS.get(one.check)
        if flag is not None and some(guilty := one.exceedance >= 1.0):
            flags[guilty] |= np.where(one.contributions[guilty] > 0, int(flag), 0).astype(np.int32)
    return flags


def _name_mistakes(
    window: Window,
    profile: Profile,
    units: UnitChange | None,
    vouched: BoolArray,
    witness: Witness,
    memory: Memory,
) -> tuple[list[Evidence], BoolArray, Spikes, Memory]:
    """Spikes, turned signs and exchanged channels: evidence, wrong cells (rows, signals), spikes, memory."""
    suspected = np.zeros(window.values.shape, dtype=bool) if units is None else units.bad
    known = window
    if units is not None and some(units.sure):
        known = replace(window, values=np.where(units.sure, np.nan, window.values))
    no_values = impossible_cells(window, profile) | has_flag(window, Quality.SENTINEL)
    possible = replace(known, values=np.where(no_values, np.nan, known.values)) if some(no_values) else known
    spikes = find_spikes(possible, profile, vouched, suspected, memory)
    mistakes = find_mistakes(known, profile, spikes, memory)
    is_spike = (spikes.beyond > 0) & ~mistakes.wrong & ~spikes.codes
    off_delay = _LEAST_OFF_DELAY if window.step is None else max(_LEAST_OFF_DELAY, round(_DAY / window.step))
    evidence = [
        *witness.hears(SPIKE, is_spike, expected=spikes.expected),
        *_steps(spikes, witness),
        *witness.hears(SWAPPED_SIGN, mistakes.turned, off_delay=off_delay),
        *witness.hears(SWAPPED_CHANNELS, mistakes.exchanged, since=mistakes.since, off_delay=off_delay),
    ]
    kept = Memory({**spikes.memory.arrays, **mistakes.memory.arrays})
    return evidence, is_spike | mistakes.wrong, spikes, kept


def _steps(spikes: Spikes, witness: Witness) -> list[Evidence]:
    """Signals that came to a new level at once, dated from its first value."""
    since = None
    if some(spikes.steps):
        begun = np.where(spikes.steps, spikes.begun, np.inf).min(axis=1)
        since = np.where(np.isfinite(begun), begun, 0.0).astype(np.int64).astype("datetime64[us]")
    return witness.hears(STEP, spikes.steps, expected=spikes.expected, since=since)


def _joined(quality: Sequence[Evidence], registers: ReadRegisters) -> list[Evidence]:
    """All evidence, with one entry for each check."""
    known = {one.check: one for one in quality}
    for one in registers.evidence:
        known[one.check] = _both(known[one.check], one) if one.check in known else one
    return list(known.values())


def _both(one: Evidence, other: Evidence) -> Evidence:
    """What two looks at the same check say, in one."""
    shares = one.contributions + other.contributions
    since = one.since if other.since is None else other.since
    if one.since is not None and other.since is not None:
        since = np.where(other.exceedance >= 1.0, other.since, one.since)
    return replace(
        one,
        exceedance=np.fmax(one.exceedance, other.exceedance),
        contributions=shares / np.maximum(shares.sum(axis=1, keepdims=True), 1.0),
        expected=np.where(np.isnan(one.expected), other.expected, one.expected),
        since=since,
    )
