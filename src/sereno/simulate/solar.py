"""Self-consumption rooftops: one sky for a region, sites from 3 to 300 kWp, meters that balance."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import numpy as np

from sereno.domain.judgement import IncidentKind
from sereno.domain.places import place_of_zone
from sereno.domain.readings import FloatArray
from sereno.domain.signals import AssetKey
from sereno.simulate.faults import Episode, FaultRule, absent, held
from sereno.simulate.grid import Grid, autoregressive, bump
from sereno.simulate.recipe import Recipe, Streams

__all__ = ["SOLAR", "settle"]

SIGNALS = ("generation", "consumption", "self_consumption", "export", "import")
GENERATION, CONSUMPTION, _SELF, _EXPORT, _IMPORT = range(5)

MADRID = (40.4, -3.7)
"""Degrees north and east. Zones without a city keep the latitude and move in longitude with their clock."""
DEGREES_PER_HOUR = 15.0
OBLIQUITY_DEG = 23.45

WH_PER_KWH = 1000.0
SMALLEST_KWP, LARGEST_KWP = 3.0, 300.0
HOUSEHOLD_BELOW_KWP = 15.0
PARTS_PER_HOUR = 4
"""The sun is looked at every 15 minutes: a step's energy is the mean of what it saw."""

DIRECT_SHARE = 0.8
CLEAR_FLOOR = 0.2
"""Share of the clear-sky energy that the thickest cloud lets through."""
REGION_SHARE = 0.8
"""Share of the variance of the clouds that all sites of the region see."""
CLOUD_MEMORY = timedelta(hours=9)
KWH_PER_KWP_DAY = 4.0
"""Average day of a Spanish rooftop, used to size a site's consumption."""


def settle(generation: FloatArray, consumption: FloatArray) -> FloatArray:
    """The five meters of a site for what it makes and takes, in whole Wh, shape (rows, 5) [kWh].

    Within a step sun and consumption do not fully coincide: a smooth minimum of both is used on site
    (89 % of either when they are equal). The two totals are the sums of their parts, to the last bit.

    Args:
        generation: Energy made [kWh per step], shape (rows,).
        consumption: Energy taken by the site [kWh per step], shape (rows,).
    """
    made = np.round(np.maximum(generation, 0.0) * WH_PER_KWH)
    taken = np.round(np.maximum(consumption, 0.0) * WH_PER_KWH)
    larger = np.maximum(np.maximum(made, taken), 1.0)
    ratio = np.minimum(made, taken) / larger
    used = np.minimum(np.round(ratio * larger / (1.0 + ratio**6) ** (1 / 6)), np.minimum(made, taken))
    on_site, exported, imported = (wh / WH_PER_KWH for wh in (used, made - used, taken - used))
    return np.column_stack((on_site + exported, on_site + imported, on_site, exported, imported))


def _name_sites(n_assets: int) -> tuple[AssetKey, ...]:
    words = ("Norte", "Sur", "Este", "Oeste")
    names = [f"Cubierta {words[i % len(words)]} {i + 1:02d}" for i in range(n_assets)]
    return tuple(AssetKey(site=name, asset=name) for name in names)


def _courses(grid: Grid, streams: Streams) -> list[FloatArray]:
    clouds = autoregressive(len(grid), grid.step, CLOUD_MEMORY, np.random.default_rng(streams.shared))
    sizes = np.geomspace(SMALLEST_KWP, LARGEST_KWP, len(streams.assets))
    fine = grid.refined(max(1, round(grid.step / timedelta(hours=1) * PARTS_PER_HOUR)))
    sun, habits = _sun_vector(fine), _habits(fine)
    courses = []
    for size, stream in zip(sizes, streams.assets, strict=True):
        rng = np.random.default_rng(stream)
        kwp = size * rng.uniform(0.9, 1.1)
        generation = kwp * _yield_per_kwp(grid, sun, clouds, rng)
        courses.append(settle(generation, _consumption(grid, habits, kwp, rng)))
    return courses


def _sun_vector(grid: Grid) -> FloatArray:
    """Direction of the sun as (east, north, up), shape (rows, 3).

    Source:
        Declination: Cooper (1969). Equation of time: Spencer (1971), three leading terms.
    """
    day = grid.day_of_year
    angle = 2 * np.pi * day / 365
    declination = np.radians(OBLIQUITY_DEG) * np.sin(2 * np.pi * (284 + day + 1) / 365)
    equation = 0.001868 * np.cos(angle) - 0.032077 * np.sin(angle) - 0.04089 * np.sin(2 * angle)
    equation_min = 229.18 * equation
    north_deg, longitude = _place(grid)
    solar_hour = (day % 1) * 24 + longitude / DEGREES_PER_HOUR + equation_min / 60
    hour_angle, latitude = np.radians(DEGREES_PER_HOUR * (solar_hour - 12)), np.radians(north_deg)
    east = -np.cos(declination) * np.sin(hour_angle)
    north = np.sin(declination) * np.cos(latitude)
    north = north - np.cos(declination) * np.sin(latitude) * np.cos(hour_angle)
    up = np.sin(declination) * np.sin(latitude)
    up = up + np.cos(declination) * np.cos(latitude) * np.cos(hour_angle)
    return np.column_stack((east, north, up))


def _place(grid: Grid) -> tuple[float, float]:
    """Degrees north and east of the sites: at the city of their zone."""
    # Madrid keeps central European time; the offset of another zone moves the sites along with its clock.
    clock_shift = (grid.standard_offset - timedelta(hours=1)) / timedelta(hours=1)
    return place_of_zone(grid.zone) or (MADRID[0], MADRID[1] + DEGREES_PER_HOUR * clock_shift)


def _yield_per_kwp(grid: Grid, sun: FloatArray, clouds: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Energy per installed kWp [kWh per step], shape (rows,): clear sky on the roof's plane x clouds."""
    tilt, azimuth = np.radians(rng.uniform(10, 35)), np.radians(rng.uniform(-40, 40))
    normal = np.array(
        [-np.sin(tilt) * np.sin(azimuth), -np.sin(tilt) * np.cos(azimuth), np.cos(tilt)]  # 0 is south
    )
    if _place(grid)[0] < 0:
        normal[1] *= -1  # roofs look to the equator
    clear_kw = _clear_sky(sun, normal).reshape(len(grid), -1).mean(axis=1)
    own = autoregressive(len(grid), grid.step, CLOUD_MEMORY / 3, rng)
    cover = np.sqrt(REGION_SHARE) * clouds + np.sqrt(1 - REGION_SHARE) * own
    clearness = CLEAR_FLOOR + (1 - CLEAR_FLOOR) / (1 + np.exp(-1.2 - 1.5 * cover))
    performance = rng.uniform(0.76, 0.86)
    return np.asarray(performance * clear_kw * clearness * (grid.step / timedelta(hours=1)))


def _clear_sky(sun: FloatArray, normal: FloatArray) -> FloatArray:
    """Irradiance on a plane under a clear sky [kW/m²], shape (rows,); 0 while the sun is down.

    Source:
        Global horizontal: Haurwitz (1945), 1098 cos(z) exp(-0.057 / cos(z)) W/m²; a fixed share is beam.
    """
    up = np.maximum(sun[:, 2], 0.0)
    is_day = up > 0
    horizontal = np.where(is_day, 1.098 * up * np.exp(-0.057 / np.where(is_day, up, 1.0)), 0.0)
    # Near the horizon the quotient would blow up; 0.1 is 6 degrees of elevation.
    beam = np.maximum(sun @ normal, 0.0) / np.maximum(up, 0.1)
    return np.asarray(horizontal * (DIRECT_SHARE * beam + 1 - DIRECT_SHARE))


def _habits(fine: Grid) -> tuple[FloatArray, FloatArray]:
    """Typical day of a household and of a business, relative to their mean, on the fine grid."""
    hour, is_weekend = fine.local_hour, fine.is_weekend
    evening = 1.6 * bump(hour, centre=21, width=2.2)
    home = 0.45 + 0.7 * bump(hour, centre=8, width=1.5) + 0.5 * bump(hour, centre=14.5, width=2) + evening
    home = home * np.where(is_weekend, 1.12, 1.0)
    opened = 1 / (1 + np.exp(-(hour - 7.5) * 2)) / (1 + np.exp((hour - 19) * 1.5))
    business = 0.35 + np.where(is_weekend, 0.25, 1.7) * opened
    return home, business


def _consumption(
    grid: Grid, habits: tuple[FloatArray, FloatArray], kwp: float, rng: np.random.Generator
) -> FloatArray:
    """Energy the site takes [kWh per step], shape (rows,); never 0."""
    is_home = kwp < HOUSEHOLD_BELOW_KWP
    shape = habits[0 if is_home else 1].reshape(len(grid), -1).mean(axis=1)
    spread = 0.18 if is_home else 0.07
    mood = autoregressive(len(grid), grid.step, timedelta(hours=3), rng)
    noise = np.exp(spread * mood - spread**2 / 2)
    mean = kwp * KWH_PER_KWP_DAY * rng.uniform(0.8, 1.6) * (grid.step / timedelta(days=1))
    return np.asarray(np.maximum(mean * shape * noise, 2 / WH_PER_KWH))


def _resettled(episode: Episode, *, generation: float = 1.0, consumption: float = 1.0) -> FloatArray:
    rows = episode.inside()
    return settle(rows[:, GENERATION] * generation, rows[:, CONSUMPTION] * consumption)


def _dead_plant(episode: Episode) -> FloatArray:
    """Nothing is made: no self-consumption, no export, import = consumption."""
    return _resettled(episode, generation=0.0)


def _half_generation(episode: Episode) -> FloatArray:
    """One of two strings is out: 45 to 55 % is made."""
    return _resettled(episode, generation=episode.rng.uniform(0.45, 0.55))


def _excess_consumption(episode: Episode) -> FloatArray:
    """The site takes 2.5 to 4 times what it usually takes at that hour."""
    return _resettled(episode, consumption=episode.rng.uniform(2.5, 4.0))


def _broken_balance(episode: Episode) -> FloatArray:
    """The consumption meter reads 20 % too much or too little; the others stay right."""
    rows = episode.inside()
    factor = episode.rng.choice((0.8, 1.2))
    rows[:, CONSUMPTION] = np.round(rows[:, CONSUMPTION] * factor, 3)
    return rows


def _night_generation(episode: Episode) -> FloatArray:
    """A current clamp with an offset: 4 to 8 % of the best hour, day and night."""
    rows = episode.inside()
    offset = episode.rng.uniform(0.04, 0.08) * episode.course[:, GENERATION].max()
    return settle(rows[:, GENERATION] + offset, rows[:, CONSUMPTION])


_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_MADE, _TAKEN = ("generation", "self_consumption", "export"), ("consumption", "import")

FAULTS: Mapping[str, FaultRule] = MappingProxyType(
    {
        "dead_plant": FaultRule(
            IncidentKind.BEHAVIOUR, _MADE, 2 * _DAY, 6 * _DAY, _dead_plant, needs="generation"
        ),
        "half_generation": FaultRule(
            IncidentKind.BEHAVIOUR, _MADE, 3 * _DAY, 7 * _DAY, _half_generation, needs="generation"
        ),
        "excess_consumption": FaultRule(IncidentKind.BEHAVIOUR, _TAKEN, _DAY, 3 * _DAY, _excess_consumption),
        "broken_balance": FaultRule(
            IncidentKind.PHYSICS, ("consumption",), _DAY, 4 * _DAY, _broken_balance, needs="consumption"
        ),
        "missing_stretch": FaultRule(IncidentKind.DATA, SIGNALS, 6 * _HOUR, 2 * _DAY, absent),
        "night_generation": FaultRule(
            IncidentKind.PHYSICS, ("generation",), 2 * _DAY, 4 * _DAY, _night_generation
        ),
        # A logger that hangs at night would repeat the zeros of a healthy plant: it hangs at midday.
        "frozen": FaultRule(
            IncidentKind.DATA, SIGNALS, 12 * _HOUR, 2 * _DAY, held, starts_at_hour=13, needs="generation"
        ),
    }
)

SOLAR = Recipe(
    profile="solar",
    signals=SIGNALS,
    decimals=(),
    step=timedelta(hours=1),
    n_assets=8,
    fault_ratio=None,
    name_assets=_name_sites,
    courses=_courses,
    faults=FAULTS,
)
