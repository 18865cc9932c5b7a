from itertools import pairwise

import numpy as np
import pytest

from benchmarks.faults.injecting import FAULTS
from benchmarks.faults.known import Known
from benchmarks.faults.placing import Planner, rest_of
from tests.benchmarks.faults_support import PROFILES, a_site


def _plan(series, *, seed=1, known=(), repeats=2):
    copies, skips = Planner(series, PROFILES[series.profile], known, seed).plan(repeats)
    return [event for copy in copies for event in copy], {skip.fault: skip.why for skip in skips}


def test_plan_is_the_same_when_the_seed_is():
    first, again, other = (_plan(a_site(), seed=seed)[0] for seed in (7, 7, 8))

    assert [event.to_json() for event in first] == [event.to_json() for event in again]
    assert all(np.array_equal(a.values, b.values, equal_nan=True) for a, b in zip(first, again, strict=True))
    assert [event.to_json() for event in first] != [event.to_json() for event in other]


def test_every_fault_that_a_daily_site_can_carry_is_placed_after_its_history():
    site = a_site()

    events, skips = _plan(site)

    unfit = {"night_generation", "clock_shift", "leak_floor"}
    assert {event.fault for event in events} == set(FAULTS) - unfit
    assert set(skips) == unfit
    assert min(event.start for event in events) >= rest_of(site)


def test_hourly_site_carries_every_fault_with_room_between_two_of_a_copy():
    site = a_site(n_days=500, step_hours=1, name="solar_home/A")

    copies, skips = Planner(site, PROFILES["solar"], (), 1).plan(2)

    assert [skip.fault for skip in skips] == ["leak_floor"]
    assert {event.fault for copy in copies for event in copy} == set(FAULTS) - {"leak_floor"}
    gaps = [b.start - a.stop for copy in copies for a, b in pairwise(copy)]
    assert min(gaps) >= 2 * 24


def test_no_fault_is_placed_into_real_trouble():
    site = a_site()
    trouble = Known(site.name, site.time[130], site.time[160], ("behaviour.low",), "dead")

    events, _ = _plan(site, known=[trouble])

    assert events
    assert all(event.last <= trouble.first or event.first >= trouble.last for event in events)


@pytest.mark.parametrize(
    ("signals", "fault"),
    [
        (("generation", "consumption"), "broken_balance"),
        (("generation",), "swapped_channels"),
        (("consumption", "import"), "dead_plant"),
    ],
    ids=["no balance", "one channel", "no generation"],
)
def test_fault_is_skipped_with_its_reason_when_the_series_cannot_carry_it(signals, fault):
    events, skips = _plan(a_site(signals=signals))

    assert fault not in {event.fault for event in events}
    assert skips[fault]


def test_sign_of_a_signal_that_is_zero_is_not_swapped():
    site = a_site(signals=("consumption",))
    site.values[:] = 0.0

    events, skips = _plan(site)

    assert {event.fault for event in events} == {"missing_stretch"}
    assert "visible" in skips["swapped_sign"]
