"""Bad values are no behaviour: not while they are there, and not by what was learnt meanwhile."""

from dataclasses import replace

import numpy as np
import pytest

from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import BoolArray
from sereno.flows.judge import weigh_window
from sereno.prepare.checks import Checked
from tests.flows.test_streamed_faults import TRAINED, Course, course
from tests.support.builders import PROFILES


def weighed(one: Course) -> tuple[Checked, Evidence]:
    checked = weigh_window(one.window, PROFILES[one.window.profile], one.model, Memory())
    return checked, checked.evidence[-1]


def bad_cells(checked: Checked) -> BoolArray:
    bad: BoolArray = np.isnan(checked.clean.values) & ~np.isnan(checked.window.values)
    return bad


@pytest.mark.parametrize("name", ["roof of hours", "roof of days"])
def test_behaviour_takes_bad_cells_for_absent(name: str) -> None:
    one = course(name)
    checked, behaviour = weighed(one)

    absent = replace(one, window=replace(one.window, values=checked.clean.values))
    _, without = weighed(absent)

    assert bad_cells(checked).any(axis=1).sum() > 40
    np.testing.assert_array_equal(behaviour.exceedance, without.exceedance)
    np.testing.assert_array_equal(behaviour.contributions, without.contributions)


@pytest.mark.parametrize("name", TRAINED)
def test_behaviour_never_blames_a_bad_cell(name: str) -> None:
    checked, behaviour = weighed(course(name))

    assert behaviour.check == "behaviour"
    assert not behaviour.contributions[bad_cells(checked)].any()
