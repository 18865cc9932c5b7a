from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from sereno.domain.facts import AssetFacts
from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.prepare.clock import CLOCK_SHIFT, check_clock
from tests.support.builders import DAY, GENERATION, HOUR, SOLAR, a_roof

DAYS = 40


def a_plant(seed: int = 0, *, step: timedelta = HOUR) -> Window:
    return a_roof(rows=DAYS * round(DAY / step), step=step, start="2024-04-01T00", seed=seed)


def shifted(window: Window, hours: int, *, since: int, until: int = DAYS) -> Window:
    """The plant's days from one to another with a clock that is so many hours fast."""
    per_day = round(DAY / window.step) if window.step else 1
    per_hour = per_day // 24
    values = window.values.copy()
    rows = slice(since * per_day, until * per_day)
    values[rows] = np.roll(window.values, hours * per_hour, axis=0)[rows]
    return replace(window, values=values)


def evidence_of(window: Window, profile: object = SOLAR) -> Evidence:
    evidence, _, _ = check_clock(window, profile, Memory())  # type: ignore[arg-type]
    assert evidence is not None
    assert evidence.check == CLOCK_SHIFT
    return evidence


@pytest.mark.parametrize("step", [HOUR, timedelta(minutes=15)], ids=str)
@pytest.mark.parametrize("hours", [-3, -2, -1, 1, 2, 3])
def test_wrong_clock_is_seen_and_dated(hours: int, step: timedelta) -> None:
    window = shifted(a_plant(step=step), hours, since=25)

    evidence = evidence_of(window)

    first = int(np.flatnonzero(evidence.exceedance >= 1)[0])
    assert evidence.since is not None
    begun = (evidence.since[first] - window.time[0]) / np.timedelta64(1, "D")
    assert 24 <= begun <= 27
    peak = np.nanmax(evidence.exceedance) * evidence.threshold
    assert peak == pytest.approx(abs(hours), abs=0.6)


@pytest.mark.parametrize("seed", range(4))
def test_clouds_and_season_are_no_wrong_clock(seed: int) -> None:
    window = a_roof(
        rows=300 * 24, step=HOUR, seed=seed, zone="America/Lima"
    )  # its sun keeps to the local clock
    rng = np.random.default_rng(seed)
    values = window.values.copy()
    values[:, GENERATION] *= rng.uniform(0.2, 1.0, size=len(window))

    evidence = evidence_of(replace(window, values=values))

    assert not (evidence.exceedance >= 1).any()


def test_clock_that_was_wrong_from_the_start_is_seen_by_the_sun() -> None:
    evidence = evidence_of(shifted(a_plant(), 9, since=0))

    told = np.flatnonzero(evidence.exceedance >= 1)
    assert len(told) > DAYS / 2
    assert evidence.exceedance[told[-1]] * evidence.threshold == pytest.approx(8.0, abs=1.0)


def test_dead_days_say_nothing() -> None:
    window = a_plant()
    values = window.values.copy()
    values[24 * 25 : 24 * 30, GENERATION] = 0.0

    evidence = evidence_of(replace(window, values=values))

    assert np.isnan(evidence.exceedance[24 * 26 + 4 : 24 * 30]).all()


def test_place_must_be_known() -> None:
    window = replace(a_plant(), zone="UTC")
    facts = {AssetKey("*", "*"): AssetFacts(latitude=40.4, longitude=-3.7)}

    assert check_clock(window, SOLAR, Memory())[0] is None
    assert check_clock(window, replace(SOLAR, facts=facts), Memory())[0] is not None


@pytest.mark.parametrize("cut", [1, 13, 24 * 25 + 3, 24 * 27, 24 * 33 + 1])
def test_stream_says_what_a_batch_says(cut: int) -> None:
    window = shifted(a_plant(), 2, since=25)
    whole, all_off, after = check_clock(window, SOLAR, Memory())
    first, off, memory = check_clock(window.rows(0, cut), SOLAR, Memory())
    second, off_then, kept = check_clock(window.rows(cut, len(window)), SOLAR, memory)

    assert whole is not None
    assert first is not None
    assert second is not None
    both = np.concatenate((first.exceedance, second.exceedance))
    assert np.array_equal(both, whole.exceedance, equal_nan=True)
    assert np.array_equal(np.concatenate((off, off_then)), all_off)
    assert all_off.any()
    assert all(np.array_equal(kept.arrays[name], after.arrays[name]) for name in after.arrays)
