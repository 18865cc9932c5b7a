"""The trial of a process line: calm days, days with blocks, a live moment."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sereno.domain.errors import UsageError
from sereno.domain.judgement import IncidentKind
from sereno.domain.time import to_numpy
from sereno.simulate import Trial, process_trial, start_of_trial, write_trial

START = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module", params=[1, 2, 3])
def trial(request: pytest.FixtureRequest) -> Trial:
    return process_trial(seed=4, start=START, variables=request.param)


def test_days_and_blocks_are_those_of_the_trial(trial: Trial) -> None:
    readings, faults = trial.world.readings, trial.world.faults

    assert {name: rows.stop - rows.start for name, rows in trial.parts.items()} == {
        "train": 7 * 1440,
        "test": 5 * 1440,
        "live": 45,
    }
    assert len(readings) == 12 * 1440 + 45
    assert len(faults) - 1 == {1: 25, 2: 20, 3: 15}[len(readings.signals)]
    assert {fault.ended_at - fault.started_at for fault in faults} == {timedelta(minutes=15)}
    assert {fault.kind for fault in faults} == {IncidentKind.BEHAVIOUR}


@pytest.mark.parametrize(
    ("clock", "day"),
    [("00:00", 1), ("00:29", 1), ("00:45", 2), ("23:59", 2)],
)
def test_trial_is_over_at_any_time_of_day(clock: str, day: int) -> None:
    now = datetime.fromisoformat(f"2025-01-14T{clock}+00:00")

    start = start_of_trial(now)

    assert start == datetime(2025, 1, day, tzinfo=UTC)
    world = process_trial(seed=4, start=start, variables=1).world
    assert world.readings.time[-1] < to_numpy(now)


def test_days_of_training_are_calm_and_the_live_moment_ends_in_a_fault(trial: Trial) -> None:
    labels = trial.world.labels

    assert not labels[trial.parts["train"]].any()
    assert labels[trial.parts["live"]].tolist() == [False] * 30 + [True] * 15
    gaps = np.diff([fault.started_at.timestamp() for fault in trial.world.faults]) / 60
    assert gaps.min() >= 75


def test_values_are_those_of_the_guide(trial: Trial) -> None:
    calm = trial.world.readings.values[trial.parts["train"]]

    centres, spreads = np.array([25.0, 5.0, 100.0]), np.array([0.2, 0.05, 1.0])
    np.testing.assert_allclose(calm.mean(axis=0), centres[: calm.shape[1]], rtol=0.01)
    np.testing.assert_allclose(calm.std(axis=0), spreads[: calm.shape[1]], rtol=0.1)


def test_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    first, again, other = (process_trial(seed=seed, start=START, variables=1) for seed in (1, 1, 2))

    assert first.world.readings.values.tobytes() == again.world.readings.values.tobytes()
    assert first.world.faults == again.world.faults != other.world.faults


def test_parts_are_written_apart_and_the_truth_beside_them(trial: Trial, tmp_path) -> None:
    files = write_trial(trial, tmp_path)

    assert [file.parent.name for file in files] == ["train", "test", "live", "truth"]
    assert len(files[1].read_text("utf-8").splitlines()) == 5 * 1440 + 1
    assert len(files[3].read_text("utf-8").splitlines()) == len(trial.world.faults) + 1


def test_line_of_four_variables_is_refused() -> None:
    with pytest.raises(UsageError, match="1 to 3 variables"):
        process_trial(seed=1, start=START, variables=4)
