from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.detect.severity import grade, reference_rows
from sereno.domain.judgement import Severity
from tests.support.builders import DAY, HOUR

STEPS = st.sampled_from([None, DAY, HOUR, timedelta(minutes=15), timedelta(seconds=1)])
EXCEEDANCES = st.floats(1, 1e12)
ROWS = st.integers(1, 10**7)


@given(STEPS, EXCEEDANCES, EXCEEDANCES, ROWS, ROWS, st.booleans())
def test_severity_never_falls_when_exceedance_or_duration_rise(
    step: timedelta | None, a: float, b: float, m: int, n: int, is_data: bool
) -> None:
    lower = grade(min(a, b), min(m, n), step, is_data=is_data)

    assert lower <= grade(max(a, b), max(m, n), step, is_data=is_data)


@given(STEPS, EXCEEDANCES, ROWS)
def test_data_problem_is_never_critical(step: timedelta | None, exceedance: float, rows: int) -> None:
    assert grade(exceedance, rows, step, is_data=True) <= Severity.HIGH


@pytest.mark.parametrize(
    ("exceedance", "expected"),
    [(1.0, Severity.LOW), (1.6, Severity.MEDIUM), (2.5, Severity.HIGH), (4.0, Severity.CRITICAL)],
    ids=str,
)
def test_every_level_is_reached_by_exceedance_of_one_row(exceedance: float, expected: Severity) -> None:
    assert grade(exceedance, 1, DAY) is expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [(1, Severity.LOW), (5, Severity.MEDIUM), (12, Severity.HIGH), (30, Severity.CRITICAL)],
    ids=str,
)
def test_every_level_is_reached_by_duration_alone(days: int, expected: Severity) -> None:
    assert grade(1.0, days, DAY) is expected


@pytest.mark.parametrize("step", [DAY, HOUR, timedelta(minutes=1), None], ids=str)
def test_reference_is_positive_for_every_step(step: timedelta | None) -> None:
    assert reference_rows(step) >= 1


def test_exceedance_below_the_limit_grades_as_the_limit() -> None:
    assert grade(0.0, 1, DAY) is Severity.LOW
