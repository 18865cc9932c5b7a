"""All checks that need no learning, in their order: registers, data quality, physics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import BoolArray, QualityArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.clock import check_clock
from sereno.prepare.mistakes import find_mistakes, vouched_cells
from sereno.prepare.night import dark_rows
from sereno.prepare.physics import check_physics
from sereno.prepare.quality import QualityRules, cells_evidence, check_quality
from sereno.prepare.spikes import find_spikes

__all__ = ["NO_REPEATS", "Checked", "check_window"]

SPIKE = "quality.spike"
SWAPPED_SIGN = "quality.swapped_sign"
SWAPPED_CHANNELS = "quality.swapped_channels"
_OFF_DELAY = 2
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
    named, wrong, spotted = _name_mistakes(window, profile, memory)
    rules = QualityRules.for_window(window, natural_repeats)
    quality, bad, carried = check_quality(window, profile, rules, wrong, memory)
    clean = replace(window, values=np.where(bad, np.nan, window.values)) if bad.any() else window
    clock, ticked = check_clock(window, profile, memory)
    physics, flags, seen = check_physics(clean, profile, memory)
    evidence = [*named, *quality, *([clock] if clock else []), *physics]
    kept = {**spotted.arrays, **carried.arrays, **ticked.arrays, **seen.arrays}
    return Checked(window, clean, evidence, flags, Memory(kept))


def _name_mistakes(
    window: Window, profile: Profile, memory: Memory
) -> tuple[list[Evidence], BoolArray, Memory]:
    """Spikes, turned signs and exchanged channels: evidence, wrong cells (rows, signals), memory."""
    spikes = find_spikes(window, profile, vouched_cells(window, profile), memory)
    mistakes = find_mistakes(window, profile, spikes.usual, dark_rows(window, profile))
    is_spike = (spikes.beyond > 0) & ~mistakes.wrong
    evidence = [
        cells_evidence(SPIKE, window, is_spike, expected=spikes.expected),
        cells_evidence(SWAPPED_SIGN, window, mistakes.turned, off_delay=_OFF_DELAY),
        cells_evidence(SWAPPED_CHANNELS, window, mistakes.exchanged, off_delay=_OFF_DELAY),
    ]
    return evidence, is_spike | mistakes.wrong, spikes.memory
