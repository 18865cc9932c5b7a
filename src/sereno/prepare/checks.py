"""All checks that need no learning, in their order: registers, data quality, physics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import QualityArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.physics import check_physics
from sereno.prepare.quality import MISSING, QualityRules, check_quality
from sereno.prepare.registers import ReadRegisters, read_registers
from sereno.prepare.unit_change import check_units

__all__ = ["NO_REPEATS", "Checked", "check_window"]

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
    units = check_units(window, profile, memory, bad=None if registers is None else registers.bad)
    rules = QualityRules.for_window(window, natural_repeats)
    quality, bad, carried = check_quality(window, profile, rules, memory)
    if registers is not None:
        quality, bad = _joined(quality, registers), bad | registers.bad
    if units is not None:
        quality, bad = [*quality, units.evidence], bad | units.bad
    clean = replace(window, values=np.where(bad, np.nan, window.values)) if bad.any() else window
    physics, flags, seen = check_physics(clean, profile, memory)
    arrays = {**carried.arrays, **seen.arrays}
    if registers is not None:
        flags, arrays = flags | registers.flags, {**arrays, **registers.memory.arrays}
    if units is not None:
        flags, arrays = flags | units.flags, {**arrays, **units.memory.arrays}
    return Checked(window, clean, [*quality, *physics], flags, Memory(arrays))


def _joined(quality: Sequence[Evidence], registers: ReadRegisters) -> list[Evidence]:
    """All evidence, with one entry for each check; a reading without a difference is not missing."""
    known = {one.check: one for one in quality}
    missing = known[MISSING]
    known[MISSING] = replace(missing, exceedance=np.where(registers.is_read, 0.0, missing.exceedance))
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
