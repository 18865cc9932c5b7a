"""Points at which tests break a process."""

from collections.abc import Iterator

import pytest

from sereno.domain.failpoints import FailpointReached, arm, arm_from, disarm, reach


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    disarm()


def test_unarmed_point_does_nothing() -> None:
    reach("store.before_commit")


def test_armed_point_acts_at_its_time_only() -> None:
    arm("a:raise@2, b:raise")

    reach("a")
    with pytest.raises(FailpointReached, match="a"):
        reach("a")
    reach("a")
    with pytest.raises(FailpointReached, match="b"):
        reach("b")
    reach("c")


@pytest.mark.parametrize("points", ["a", "a:explode", "a:kill@soon"])
def test_points_that_make_no_sense_are_refused(points: str) -> None:
    with pytest.raises(ValueError, match=r"failpoint|invalid literal"):
        arm(points)


@pytest.mark.parametrize("environment", [{}, {"SERENO_FAILPOINT": "a:raise"}, {"SERENO_TESTING": "1"}])
def test_environment_that_is_no_test_arms_nothing(environment: dict[str, str]) -> None:
    arm_from(environment)

    reach("a")


def test_environment_of_a_test_arms() -> None:
    arm_from({"SERENO_FAILPOINT": "a:raise", "SERENO_TESTING": "1"})

    with pytest.raises(FailpointReached):
        reach("a")
