import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sereno.domain.calendar import to_utc
from sereno.domain.facts import AssetFacts
from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import Window
from sereno.prepare.night import NIGHT_GENERATION, check_night
from sereno.prepare.physics import check_physics
from sereno.simulate import simulate_world
from tests.support.builders import GENERATION, HOUR, MADRID, PLANT, SOLAR, a_roof, with_cells

HOMES = Path(os.environ.get("SERENO_DATA", "/nonexistent")) / "solar_home"
MIDNIGHT = 24 * 5
"""A row of the sixth night of a roof of hours."""


def roof(rows: int = 24 * 10, **changes: object) -> Window:
    return a_roof(rows=rows, step=HOUR, **changes)


def night_of(window: Window, memory: Memory | None = None) -> Evidence:
    evidence, _ = check_night(window, SOLAR, memory or Memory())
    assert evidence is not None
    return evidence


def lit(window: Window, kwh: float) -> Window:
    return with_cells(window, slice(MIDNIGHT, MIDNIGHT + 3), "generation", kwh)


def test_sound_roof_says_nothing_and_most_of_its_night_is_judged() -> None:
    evidence = night_of(roof())

    assert np.nanmax(evidence.exceedance) == 0
    assert 6 * 10 <= np.count_nonzero(~np.isnan(evidence.exceedance)) <= 13 * 10


def test_energy_at_midnight_is_evidence_that_names_generation() -> None:
    evidence = night_of(lit(roof(), 0.5))

    broken = np.flatnonzero(evidence.exceedance >= 1)
    assert broken.tolist() == [MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + 2]
    assert evidence.check == NIGHT_GENERATION
    assert (evidence.expected[broken, GENERATION] == 0).all()
    assert (evidence.contributions[broken].argmax(axis=1) == GENERATION).all()


@pytest.mark.parametrize("kwh", [0.001, 0.012, 0.019, 0.02, 0.1 * 0.2])
def test_standby_and_resolution_are_no_evidence(kwh: float) -> None:
    assert np.nanmax(night_of(lit(roof(size=4.0), kwh)).exceedance) < 1


def test_what_a_large_plant_may_show_of_nothing_grows_with_its_peak() -> None:
    small, large = (night_of(lit(roof(size=size), 0.1)) for size in (5.0, 500.0))

    assert np.nanmax(small.exceedance) > 1
    assert 0 < np.nanmax(large.exceedance) < 1


def test_nothing_is_said_before_daylight_was_seen() -> None:
    evidence = night_of(with_cells(roof().rows(0, 5), slice(None), "generation", 9.0))

    assert not (evidence.exceedance >= 1).any()


def test_missing_readings_say_nothing() -> None:
    evidence = night_of(lit(roof(), np.nan))

    assert np.isnan(evidence.exceedance[MIDNIGHT : MIDNIGHT + 3]).all()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"])
def test_zone_that_says_nothing_of_the_place_is_not_judged(zone: str) -> None:
    window = replace(lit(roof(), 5.0), zone=zone)

    evidence, memory = check_night(window, SOLAR, Memory())

    assert evidence is None
    assert not memory.arrays


def test_declared_place_is_judged_whatever_the_zone_says() -> None:
    window = replace(lit(roof(start="2024-06-01T00"), 5.0), zone="UTC")
    declared = replace(SOLAR, facts={window.asset: AssetFacts(latitude=40.4, longitude=-3.7)})

    evidence, _ = check_night(window, declared, Memory())

    assert evidence is not None
    assert np.flatnonzero(evidence.exceedance >= 1).tolist() == [MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + 2]


def test_plant_with_a_declared_battery_may_deliver_at_night() -> None:
    window = lit(roof(), 5.0)

    assert (
        check_night(window, replace(SOLAR, facts={window.asset: AssetFacts(has_battery=True)}), Memory())[0]
        is None
    )


def test_daily_totals_have_no_night() -> None:
    assert check_night(a_roof(), SOLAR, Memory())[0] is None
    assert check_night(replace(roof(), step=None), SOLAR, Memory())[0] is None


@pytest.mark.parametrize("size", [1, 7, 100])
def test_streamed_equals_batch(size: int) -> None:
    window = lit(roof(), 0.5)
    window = with_cells(window, slice(30, 40), slice(None), np.nan)
    whole, flags, last = check_physics(window, SOLAR, Memory())

    memory, parts, bits = Memory(), [], []
    for start in range(0, len(window), size):
        found, some, memory = check_physics(window.rows(start, start + size), SOLAR, memory)
        parts.append([one.exceedance for one in found])
        bits.append(some)

    for one, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(one.exceedance, np.concatenate(pieces))
    np.testing.assert_array_equal(flags, np.concatenate(bits))
    assert {name: a.tolist() for name, a in memory.arrays.items()} == {
        name: a.tolist() for name, a in last.arrays.items()
    }


def test_empty_window_keeps_the_memory() -> None:
    _, memory = check_night(roof(), SOLAR, Memory())

    _, kept = check_night(roof().rows(0, 0), SOLAR, memory)

    assert {k: v.tolist() for k, v in kept.arrays.items()} == {
        k: v.tolist() for k, v in memory.arrays.items()
    }


@pytest.mark.parametrize(
    "zone",
    [
        MADRID,
        "Europe/London",
        "Europe/Athens",
        "America/New_York",
        "Asia/Tokyo",
        "America/Lima",
        "America/Santiago",
        "America/Mexico_City",
        "Africa/Casablanca",
    ],
)
@pytest.mark.parametrize("minutes", [15, 60])
def test_simulated_year_without_faults_has_no_night_generation(zone: str, minutes: int) -> None:
    world = simulate_world(
        "solar",
        seed=3,
        start=datetime(2024, 1, 1, tzinfo=UTC),
        end=datetime(2025, 1, 1, tzinfo=UTC),
        assets=1,
        step=timedelta(minutes=minutes),
        zone=zone,
        faults=[],
    )
    readings = world.readings
    window = Window(
        PLANT, "solar", readings.signals, readings.time, readings.values, readings.quality, world.step, zone
    )

    evidence = night_of(window)

    assert not (evidence.exceedance >= 1).any()
    assert (evidence.exceedance == 0).any()


@pytest.mark.skipif(not HOMES.is_dir(), reason="SERENO_DATA names no folder with real files")
@pytest.mark.parametrize(
    ("file", "time", "energy", "zone"),
    [
        ("nl_enphase_hourly", "Date/Time", "Energy Produced (Wh)", "Europe/Amsterdam"),
        ("au_ausgrid_customer12_30min", "Unnamed: 0", "GG", "Australia/Sydney"),
    ],
)
def test_measured_rooftops_have_dark_nights(file: str, time: str, energy: str, zone: str) -> None:
    table = pl.read_parquet(HOMES / f"{file}.parquet")
    instants = to_utc(np.array(table[time].cast(str).to_list(), dtype="datetime64[us]"), zone)
    kwh = table[energy].to_numpy().astype(float) / (1000 if "Wh)" in energy else 1)
    step = timedelta(microseconds=int(np.median(np.diff(instants).astype(np.int64))))
    window = Window(
        PLANT, "solar", ("generation",), instants, kwh[:, None], np.zeros((len(kwh), 1), np.int32), step, zone
    )

    evidence = night_of(window)

    assert np.count_nonzero(~np.isnan(evidence.exceedance)) > 2000
    assert np.nanmax(evidence.exceedance) < 1
