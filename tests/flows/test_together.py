"""Assets that are judged in one call are judged as each of them would be alone."""

import pytest

from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.flows.judge import Case, Judgement, judge_window, judge_windows
from sereno.flows.models import TrainedModel
from tests.flows.test_fleet import DARK, HALF, LEARNT, a_fleet, taught
from tests.support.builders import PROFILES

PROFILE = PROFILES["solar"]
STRETCHES = ((LEARNT, DARK.start), (DARK.start, DARK.start + 1), (DARK.start + 1, HALF.start + 3))
"""Many rows, one, and several."""


@pytest.fixture(scope="module")
def fleet() -> list[Window]:
    return a_fleet()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, fleet: list[Window]) -> TrainedModel:
    with taught(tmp_path_factory.mktemp("fleet"), fleet) as workspace:
        found = workspace.model("solar")
    assert found is not None
    return found


def _case(window: Window, fleet: list[Window], model: TrainedModel, memory: Memory) -> Case:
    others = {one.asset: one for one in fleet if one.asset != window.asset}
    reference = model.peers.peering.reference(window.asset, window.time, others)
    return Case(window, memory, reference=reference, factors={"behaviour": 0.8})


def _said(judgement: Judgement) -> list[object]:
    evidence = [
        (one.check, one.exceedance.tobytes(), one.contributions.tobytes(), one.expected.tobytes())
        for one in judgement.evidence
    ]
    return [evidence, repr(judgement.detections), judgement.flags.tobytes(), judgement.memory.dump()]


def test_fleet_judged_together_equals_its_assets_judged_alone(
    fleet: list[Window], model: TrainedModel
) -> None:
    memories = [model.memories[window.asset] for window in fleet]
    n_found = 0
    for start, stop in STRETCHES:
        parts = [window.rows(start, stop) for window in fleet]
        cases = [_case(part, fleet, model, memory) for part, memory in zip(parts, memories, strict=True)]

        together = judge_windows(cases, PROFILE, model)

        alone = [
            judge_window(one.window, PROFILE, model, one.memory, None, one.reference, one.factors)
            for one in cases
        ]
        assert [_said(one) for one in together] == [_said(one) for one in alone]
        memories = [one.memory for one in together]
        n_found += sum(len(one.detections) for one in together)
    assert n_found > 0


def test_fleet_without_a_model_is_judged_together_too(fleet: list[Window]) -> None:
    cases = [Case(window.rows(0, 30), Memory()) for window in fleet]

    together = judge_windows(cases, PROFILE, None)

    alone = [judge_window(one.window, PROFILE, None, one.memory) for one in cases]
    assert [_said(one) for one in together] == [_said(one) for one in alone]
