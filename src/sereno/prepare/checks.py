"""All checks that need no learning, in their order: registers, data quality, physics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import QualityArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.physics import check_physics
from sereno.prepare.quality import QualityRules, check_quality

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
    rules = QualityRules.for_window(window, natural_repeats)
    quality, bad, carried = check_quality(window, profile, rules, memory)
    clean = replace(window, values=np.where(bad, np.nan, window.values)) if bad.any() else window
    physics, flags, seen = check_physics(clean, profile, memory)
    kept = Memory({**carried.arrays, **seen.arrays}) if seen.arrays else carried
    return Checked(window, clean, [*quality, *physics], flags, kept)
