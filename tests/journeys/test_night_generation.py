"""A roof that reports energy while the sun is down, from readings to the sentence people read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sereno.simulate import simulate_world
from tests.support.builders import MADRID, a_workspace

START, END = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("faults", [["night_generation"], ["dead_plant", "excess_consumption"]])
def test_night_generation_is_found_where_it_is_and_nowhere_else(tmp_path: Path, faults: list[str]) -> None:
    world = simulate_world("solar", seed=5, start=START, end=END, assets=4, faults=faults)
    workspace = a_workspace(tmp_path, now=END)
    workspace.add(world.readings, zone=MADRID)

    workspace.score()

    found = [
        view for view in workspace.incidents() if view.incident.worst.check == "physics.night_generation"
    ]
    truth = [fault for fault in world.faults if fault.name == "night_generation"]
    assert len(found) == len(truth) == ("night_generation" in faults)
    for view, fault in zip(found, truth, strict=True):
        worst = view.incident.worst
        assert worst.asset == fault.asset
        assert worst.signals == ("generation",)
        assert worst.expected == 0
        assert fault.started_at <= worst.started_at
        assert worst.last_at < fault.ended_at
        assert "while the sun is down" in view.sentence("en")
        assert "sol bajo el horizonte" in view.sentence("es")
        assert "clock" in view.recommendation("en")
