"""Energy that a solar plant claims to make while the sun is surely down."""

from datetime import timedelta

import numpy as np

from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.places import place_of_zone, zone_radius
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.peaks import forgotten_peaks
from sereno.prepare.sun import is_surely_dark

__all__ = ["NIGHT_GENERATION", "check_night", "dark_rows"]

NIGHT_GENERATION = "physics.night_generation"
GENERATION = "generation"
_PEAK = "night/peak"

DEPTH_DEG = 6.0
"""Below this the sky gives no measurable power: the end of civil twilight."""
ZONE_DEPTH_DEG = 1.0
"""The same where only the zone is known: refraction and the sun's disc; `zone_radius` comes on top."""
LONGEST_STEP = timedelta(hours=3)
"""Longer steps hold too much of the day to be dark from end to end."""
OFFSET_SHARE = 0.01
"""What a clamp may show of nothing, over the plant's peak: the 1 % of a class 1 transformer, IEC 61869-2."""
STANDBY_KW = 0.02
"""What an inverter's electronics may show, the larger part of the usual 1 to 20 W [kW]."""
RESOLUTION_KWH = 0.02
"""Two counts of a register of 10 Wh: a pulse of the meter's own current may fall into any step [kWh]."""
_ROUNDING = 1.0 + 1e-9
"""What a meter may show it may show: a reading of exactly the limit is within it, in binary fractions too."""
_ON_DELAY = 2
"""One dark step alone may be energy that a logger handed in late."""
_OFF_DELAY = 2

_HOUR = timedelta(hours=1)


def check_night(window: Window, profile: Profile, memory: Memory) -> tuple[Evidence | None, Memory]:
    """Generation in steps that are dark from end to end, against what a sound meter may show of nothing.

    The limit is the largest of the meter's resolution, the inverter's own consumption and 1 % of the plant's
    peak: the highest daylight step so far, slowly forgotten. Steps that are not surely dark say nothing, so
    an episode goes on from night to night. Nothing is said before a daylight step was seen, of steps that are
    longer than `LONGEST_STEP` or have no rhythm, of a plant whose battery is declared, or where neither
    coordinates nor a zone's city are known.

    Returns:
        The evidence, None where the check does not apply; and the memory for the next window.
    """
    dark = dark_rows(window, profile)
    step = window.step
    if dark is None or step is None or GENERATION not in window.signals:
        return None, _kept(memory)
    column = window.signals.index(GENERATION)
    made = window.values[:, column]
    peaks, kept = forgotten_peaks(window.time, np.where(dark, np.nan, made), memory, _PEAK)
    return _evidence(window, column, dark, _limits(step, peaks)), Memory(kept)


def dark_rows(window: Window, profile: Profile) -> BoolArray | None:
    """Steps that are dark from end to end, shape (rows,); None where that cannot be said."""
    place, step = _place(window, profile), window.step
    if place is None or step is None or step > LONGEST_STEP:
        return None
    return is_surely_dark(window.time, step, (place[0], place[1]), place[2])


def _place(window: Window, profile: Profile) -> tuple[float, float, float] | None:
    """Degrees north and east, and the depth of the sun at which it is surely dark; None where unknown."""
    facts = profile.facts_of(window.asset)
    if facts.has_battery:
        return None
    if facts.latitude is not None and facts.longitude is not None:
        return facts.latitude, facts.longitude, DEPTH_DEG
    place, radius = place_of_zone(window.zone), zone_radius(window.zone)
    if place is None or radius == float("inf"):
        return None
    return (*place, ZONE_DEPTH_DEG + radius)


def _kept(memory: Memory) -> Memory:
    return Memory({_PEAK: memory.arrays[_PEAK]} if _PEAK in memory.arrays else {})


def _limits(step: timedelta, peaks: FloatArray) -> FloatArray:
    """What each step may show while it is dark [kWh], shape (rows,); infinite before any daylight."""
    least = max(RESOLUTION_KWH, STANDBY_KW * (step / _HOUR))
    limits: FloatArray = np.where(peaks > 0, np.maximum(least, OFFSET_SHARE * peaks), np.inf) * _ROUNDING
    return limits


def _evidence(window: Window, column: int, dark: BoolArray, limits: FloatArray) -> Evidence:
    expected = np.full(window.values.shape, np.nan)
    expected[dark, column] = 0.0
    shares = np.zeros(window.values.shape)
    shares[:, column] = 1.0
    return Evidence(
        check=NIGHT_GENERATION,
        kind=IncidentKind.PHYSICS,
        exceedance=np.where(dark, window.values[:, column] / limits, np.nan),
        threshold=1.0,
        contributions=shares,
        expected=expected,
        on_delay=_ON_DELAY,
        off_delay=_OFF_DELAY,
    )
