import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.judgement import IncidentKind
from sereno.domain.readings import Quality, Window
from sereno.prepare.balance import check_identities
from tests.support.builders import METERS, NAN, SOLAR, a_roof, a_window, with_cells


def _meters(total: float, a: float, b: float) -> Window:
    return a_window([total, a, b], signals=("total", "a", "b"), profile="meters")


def test_closed_balance_says_nothing() -> None:
    evidence, flags = check_identities(a_roof(rows=30), SOLAR)

    assert [one.check for one in evidence] == ["physics.generation_balance", "physics.consumption_balance"]
    assert all(one.exceedance.max() < 0.01 for one in evidence)
    assert not flags.any()


@pytest.mark.parametrize("wh", [7, 20, 200])
def test_few_watt_hours_are_a_flag_and_no_evidence(wh: int) -> None:
    evidence, flags = check_identities(_meters(20.0 + wh / 1000, 12.0, 8.0), METERS)

    assert (flags == int(Quality.IMBALANCE)).all()
    assert evidence[0].exceedance[0] < 1


def test_resolution_of_the_meters_is_not_even_a_flag() -> None:
    _, flags = check_identities(_meters(20.002, 12.0, 8.0), METERS)

    assert not flags.any()


def test_a_fifth_off_is_evidence_that_names_both_sides() -> None:
    evidence, flags = check_identities(_meters(24.0, 12.0, 8.0), METERS)

    assert evidence[0].exceedance[0] > 5
    assert evidence[0].kind is IncidentKind.PHYSICS
    assert evidence[0].expected[0, 0] == pytest.approx(20.0)
    assert evidence[0].contributions[0].argmax() == 0
    assert flags.all()


@given(st.floats(0.1, 1e6), st.floats(0.0, 1.0), st.floats(0.75, 1.25))
def test_judgement_of_a_balance_does_not_depend_on_the_size_of_the_plant(
    size: float, share: float, factor: float
) -> None:
    small = check_identities(_meters(1000 * factor, 1000 * share, 1000 * (1 - share)), METERS)[0][0]
    same = check_identities(
        _meters(1000 * size * factor, 1000 * size * share, 1000 * size * (1 - share)), METERS
    )[0][0]

    assert same.exceedance[0] == pytest.approx(small.exceedance[0], rel=1e-6, abs=1e-6)


def test_tiny_plant_is_not_judged_by_its_rounding() -> None:
    evidence, _ = check_identities(_meters(0.010, 0.004, 0.005), METERS)

    assert evidence[0].exceedance[0] < 1


def test_identity_is_not_checked_when_a_signal_is_absent() -> None:
    window = a_window([5.0, 1.0], signals=("total", "a"), profile="meters")

    assert check_identities(window, METERS)[0] == []


def test_identity_says_nothing_about_a_row_with_a_missing_part() -> None:
    evidence, flags = check_identities(_meters(20.0, NAN, 8.0), METERS)

    assert np.isnan(evidence[0].exceedance[0])
    assert not flags.any()


def test_row_of_zeros_balances() -> None:
    evidence, flags = check_identities(_meters(0.0, 0.0, 0.0), METERS)

    assert evidence[0].exceedance[0] == 0
    assert not flags.any()


def test_flags_mark_only_the_signals_of_the_broken_identity() -> None:
    roof = a_roof(rows=10)

    _, flags = check_identities(with_cells(roof, 4, "import", roof.values[4, 4] + 3), SOLAR)

    named = {SOLAR.signal_names[s] for s in np.flatnonzero(flags[4])}
    assert named == {"consumption", "self_consumption", "import"}
    assert not np.delete(flags, 4, axis=0).any()


@pytest.mark.parametrize(
    ("signal", "guiltiest", "last"),
    [
        ("self_consumption", "self_consumption", None),
        ("consumption", "consumption", "self_consumption"),
        ("import", "consumption", "self_consumption"),
        ("generation", "generation", "self_consumption"),
    ],
)
def test_signal_of_both_balances_is_guilty_only_where_both_break(
    signal: str, guiltiest: str, last: str | None
) -> None:
    roof = a_roof(rows=10)
    true = roof.values[4, SOLAR.signal_names.index(signal)]

    evidence, _ = check_identities(with_cells(roof, 4, signal, 2 * true + 5), SOLAR)

    broken = [one for one in evidence if one.exceedance[4] >= 1]
    assert len(broken) == (2 if signal == "self_consumption" else 1)
    for one in broken:
        order = [SOLAR.signal_names[s] for s in np.argsort(-one.contributions[4]) if one.contributions[4, s]]
        assert order[0] == guiltiest
        assert last is None or order[-1] == last
        assert one.contributions[4].sum() == pytest.approx(1.0, abs=1e-5)
        if signal == guiltiest:
            assert one.expected[4, SOLAR.signal_names.index(signal)] == pytest.approx(true)
