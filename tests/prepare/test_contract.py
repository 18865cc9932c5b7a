from dataclasses import replace

import numpy as np
import pytest

from sereno.domain.facts import AssetFacts, ContractLimit
from sereno.domain.judgement import IncidentKind, Memory
from sereno.prepare.contract import CONTRACT, check_contract
from tests.support.builders import LINE, MADRID, NAN, PLANT, a_window


def told(limit: ContractLimit, draws: list[float], *, start: str = "2024-01-01T00") -> list[bool]:
    """Which hours are beyond the contract."""
    profile = replace(LINE, facts={PLANT: AssetFacts(contract={"draw": limit})})
    window = a_window([[draw] for draw in draws], signals=("draw",), start=start, zone=MADRID)
    (evidence,), _ = check_contract(window, profile, Memory())
    assert (evidence.check, evidence.kind) == (CONTRACT, IncidentKind.BEHAVIOUR)
    return (evidence.exceedance >= 1.0).tolist()


def test_only_more_than_the_maximum_is_told() -> None:
    assert told(ContractLimit(maximum=50), [49.9, 50.0, 50.1, NAN]) == [False, False, True, False]


def test_use_outside_the_hours_is_told_by_the_local_clock() -> None:
    limit = ContractLimit(hours=((6 * 60, 8 * 60),))

    assert told(limit, [1.0] * 9) == [True] * 6 + [False] * 2 + [True]
    assert told(limit, [0.0] * 9) == [False] * 9


def test_hours_may_pass_midnight() -> None:
    limit = ContractLimit(hours=((22 * 60, 2 * 60),))

    assert told(limit, [1.0] * 24) == [False] * 2 + [True] * 20 + [False] * 2


def test_a_little_may_be_allowed_outside() -> None:
    limit = ContractLimit(maximum=50, hours=((6 * 60, 24 * 60),), outside=2.0)

    assert told(limit, [2.0, 2.1, 1.0]) == [False, True, False]


@pytest.mark.parametrize(("start", "is_told"), [("2024-01-05T10", False), ("2024-01-06T10", True)])
def test_days_are_days_of_the_week(start: str, is_told: bool) -> None:
    assert told(ContractLimit(days=(1, 2, 3, 4, 5)), [1.0], start=start) == [is_told]


def test_nothing_is_said_without_a_contract() -> None:
    assert check_contract(a_window(rows=3), LINE, Memory()) == ([], Memory())


def test_expected_is_what_is_allowed() -> None:
    profile = replace(LINE, facts={PLANT: AssetFacts(contract={"draw": ContractLimit(maximum=50)})})

    (evidence,), _ = check_contract(a_window([[1.0, 1.0, 80.0]]), profile, Memory())

    assert evidence.expected[0, 2] == 50.0
    assert np.isnan(evidence.expected[0, :2]).all()
    assert evidence.exceedance[0] == pytest.approx(1.6)
    assert evidence.contributions[0].tolist() == [0, 0, 1]
