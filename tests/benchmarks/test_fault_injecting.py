import numpy as np
import pytest

from benchmarks.faults.isolation import residuals
from tests.benchmarks.faults_support import PROFILES, SOLAR, a_site, disturbed

BALANCES = residuals(PROFILES["solar"].identities, SOLAR)


def _imbalance(values):
    return np.abs(values @ BALANCES.T).max()


def _column(change, signal):
    return change.values[:, SOLAR.index(signal)]


def test_stuck_signal_holds_the_value_before_the_fault():
    site = a_site()

    _, change = disturbed("stuck", site, ("generation",))

    assert set(_column(change, "generation")) == {site.column("generation")[99]}
    assert change.altered == ("generation",)


def test_stuck_is_refused_when_the_last_value_is_nothing():
    site = a_site()
    site.values[99, 0] = 0.0

    _, change = disturbed("stuck", site, ("generation",))

    assert change is None


def test_spike_strikes_one_row_and_tops_the_series():
    site = a_site()

    stretch, change = disturbed("spike", site, ("import",), length=1)

    changed = change.values != stretch.values
    assert changed.sum() == 1
    assert change.values[changed].item() >= 3 * site.column("import").max()


@pytest.mark.parametrize(
    ("fault", "factor"),
    [("scale_times_1000", 1000.0), ("scale_divided_by_1000", 0.001), ("swapped_sign", -1.0)],
)
def test_stretch_is_multiplied(fault, factor):
    stretch, change = disturbed(fault, a_site(), ("consumption",))

    column = SOLAR.index("consumption")
    assert change.values[:, column] == pytest.approx(stretch.values[:, column] * factor)
    assert np.delete(change.values, column, axis=1) == pytest.approx(
        np.delete(stretch.values, column, axis=1)
    )


def test_scale_of_the_whole_export_keeps_its_balances():
    _, change = disturbed("scale_times_1000", a_site(), SOLAR)

    assert _imbalance(change.values) < 1e-6


def test_swapped_channels_exchange_two_columns():
    stretch, change = disturbed("swapped_channels", a_site(), ("generation", "import"))

    assert _column(change, "generation") == pytest.approx(stretch.values[:, SOLAR.index("import")])
    assert _column(change, "import") == pytest.approx(stretch.values[:, SOLAR.index("generation")])


def test_swapped_channels_are_refused_when_they_read_the_same():
    site = a_site()
    site.values[:, SOLAR.index("self_consumption")] = site.column("generation")

    _, change = disturbed("swapped_channels", site, ("generation", "self_consumption"))

    assert change is None


def test_broken_balance_is_a_gain_that_the_balance_shows():
    stretch, change = disturbed("broken_balance", a_site(), ("generation",))

    gain = _column(change, "generation") / stretch.values[:, 0] - 1.0
    assert np.ptp(gain) < 1e-12
    assert 0.1 <= abs(gain[0]) <= 0.4
    assert _imbalance(change.values) > 0.05 * 10


def test_dead_plant_keeps_its_balances_and_feeds_the_house_from_the_grid():
    signals = ("generation", "self_consumption", "export", "import")

    stretch, change = disturbed("dead_plant", a_site(), signals)

    assert not _column(change, "generation").any()
    assert _column(change, "import") == pytest.approx(stretch.values[:, SOLAR.index("consumption")])
    assert _imbalance(change.values) < 1e-9


def test_dead_plant_keeps_the_one_balance_that_is_left_when_a_file_lacks_self_consumption():
    signals = ("generation", "consumption", "export", "import")

    _, change = disturbed("dead_plant", a_site(signals=signals), ("generation", "export", "import"))

    generation, consumption, export, bought = change.values.T
    assert generation + bought == pytest.approx(consumption + export)


def test_missing_stretch_leaves_no_value():
    _, change = disturbed("missing_stretch", a_site(), SOLAR)

    assert np.isnan(change.values).all()


def test_night_generation_shines_in_dark_hours_only():
    site = a_site(n_days=60, step_hours=1, name="solar_home/A")

    stretch, change = disturbed("night_generation", site, ("generation",), start=24 * 30, length=72)

    raised = _column(change, "generation") > stretch.values[:, 0]
    hour = (site.time[24 * 30 :][:72] - site.time[0]).astype("timedelta64[h]").astype(int) % 24
    assert raised.sum() >= 3 * 6
    assert set(hour[raised]) <= {20, 21, 22, 23, 0, 1, 2, 3, 4, 5}


def test_clock_shift_moves_all_readings_by_hours():
    site = a_site(n_days=60, step_hours=1, name="solar_home/A")

    _, change = disturbed("clock_shift", site, SOLAR, start=24 * 30, length=240)

    hours = int(change.magnitude.split()[0])
    begin = 24 * 30 - hours
    assert 1 <= abs(hours) <= 3
    assert np.array_equal(change.values, site.values[begin : begin + 240])
