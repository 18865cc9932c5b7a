"""Judging rows one by one, in any batches or all at once says and remembers the same, whatever is wrong."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sereno.detect.robust import RobustDetector
from sereno.detect.rules import CalibrationRule
from sereno.domain.judgement import Detection, Memory
from sereno.domain.readings import FloatArray, Quality, Window
from sereno.domain.signals import AssetKey
from sereno.flows.judge import judge_window
from sereno.flows.models import TrainedModel
from sereno.flows.train import TrainingPlan, train_profile
from tests.support.builders import HOUR, NOW, PROFILES, a_roof, steps

Disturb = Callable[[FloatArray, int, int], None]
TRAINED = {"roof of hours": 24 * 60, "roof of days": 120, "gas of hours": 24 * 60}


def _scale(signal: int | slice, factor: float) -> Disturb:
    def disturb(values: FloatArray, first: int, stop: int) -> None:
        values[first:stop, signal] *= factor

    return disturb


def _hold(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop, 1] = values[first - 1, 1]


def _swap(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop, [0, 1]] = values[first:stop, [1, 0]]


def _lag(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop] = values[first - 3 : stop - 3].copy()


def _offset(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop, 0] += 0.9


def _absent(values: FloatArray, first: int, stop: int) -> None:
    values[first:stop] = np.nan


FAULTS: Sequence[tuple[str, Disturb, int]] = (
    ("stuck", _hold, 40),
    ("one signal x1000", _scale(1, 1000.0), 30),
    ("missing", _absent, 20),
    ("spike", _scale(1, 60.0), 1),
    ("all x1000", _scale(slice(None), 1000.0), 30),
    ("all /1000", _scale(slice(None), 0.001), 30),
    ("swapped sign", _scale(1, -1.0), 30),
    ("swapped channels", _swap, 40),
    ("late clock", _lag, 200),
    ("night generation", _offset, 60),
    ("dead", _scale(0, 0.0), 60),
)


@dataclass(frozen=True, slots=True)
class Course:
    """An asset's rows with every fault in them, and the model that learnt the calm ones before."""

    window: Window
    model: TrainedModel


@cache
def course(name: str) -> Course:
    if name == "roof of hours":
        calm, per_fault = a_roof(rows=24 * 60 + 24 * 130, step=HOUR, size=30.0), 24 * 11
    elif name == "roof of days":
        calm, per_fault = a_roof(rows=120 + 420, size=30.0), 36
    else:
        calm, per_fault = gas_client(24 * 60 + 24 * 130), 24 * 11
    trained = TRAINED[name]
    model = train_profile([calm.rows(0, trained)], _plan(calm))
    values, quality = calm.values.copy(), calm.quality.copy()
    for number, (_, disturb, length) in enumerate(FAULTS):
        first = trained + 5 + number * per_fault
        disturb(values, first, first + (length if per_fault > 100 else max(1, length // 4)))
    values[-85:-55, 0] = np.nan
    quality[-90:-50] |= int(Quality.ESTIMATED)
    quality[-40:-38, 1] |= int(Quality.CONFLICT)
    quality[-30:-28, 1] |= int(Quality.SENTINEL)
    quality[np.isnan(values)] |= int(Quality.MISSING)
    window = Window(calm.asset, calm.profile, calm.signals, calm.time, values, quality, calm.step, calm.zone)
    return Course(window.rows(trained - 40, len(window)), model)


def gas_client(rows: int) -> Window:
    """Hours of a client of gas: pressure, temperature in half degrees, volume with nights."""
    profile, rng = PROFILES["gas"], np.random.default_rng(5)
    hour = np.arange(rows) % 24
    shown = {
        "pressure": 4.0 + rng.normal(0, 0.02, rows),
        "temperature": np.round(2 * (14 + 4 * np.sin((hour - 9) / 24 * 2 * np.pi))) / 2,
        "volume": np.where((hour > 6) & (hour < 21), 50.0, 9.0) * rng.lognormal(0, 0.1, rows),
    }
    signals = tuple(name for name in profile.signal_names if name in shown)
    values = np.stack([shown[name] for name in signals], axis=1)
    asset = AssetKey("Cliente 1", "Cliente 1")
    quality = np.zeros(values.shape, dtype=np.int32)
    return Window(asset, "gas", signals, steps(rows), values, quality, HOUR, "UTC")


def _plan(window: Window) -> TrainingPlan:
    profile = PROFILES[window.profile]
    return TrainingPlan(
        profile,
        "robust",
        RobustDetector(profile, n_trees=5),
        CalibrationRule(),
        0.25,
        is_budget_firm=False,
        now=NOW,
        code_version="0",
    )


ROUNDING = 1e-12
"""Sums of a week's rows differ in their last bit with the order in which they are added."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that judging in some batches said and left."""

    flags: list[list[int]]
    detections: dict[tuple[str, datetime], Detection]
    memory: Memory


def judged(name: str, cuts: Sequence[int], *, with_model: bool) -> Told:
    one = course(name)
    memory, flags = Memory(), []
    found: dict[tuple[str, datetime], Detection] = {}
    for start, stop in pairwise((0, *cuts, len(one.window))):
        judgement = judge_window(
            one.window.rows(start, stop),
            PROFILES[one.window.profile],
            one.model if with_model else None,
            memory,
        )
        memory = judgement.memory
        flags += judgement.flags.tolist()
        found |= {(d.check, d.started_at): d for d in judgement.detections}
    return Told(flags, found, memory)


@cache
def whole(name: str, *, with_model: bool) -> Told:
    return judged(name, (), with_model=with_model)


def assert_same(one: Told, other: Told) -> None:
    assert one.flags == other.flags
    assert sorted(one.detections) == sorted(other.detections)
    for place, detection in one.detections.items():
        assert repr(astuple(detection)) == repr(astuple(other.detections[place])), place
    assert set(one.memory.arrays) == set(other.memory.arrays)
    for name, array in one.memory.arrays.items():
        np.testing.assert_allclose(array, other.memory.arrays[name], rtol=ROUNDING, err_msg=name)


@pytest.mark.parametrize("with_model", [False, True], ids=["without model", "with model"])
@pytest.mark.parametrize("name", TRAINED)
def test_row_by_row_equals_all_at_once(name: str, with_model: bool) -> None:
    rows = len(course(name).window)

    assert_same(judged(name, range(1, rows), with_model=with_model), whole(name, with_model=with_model))


@pytest.mark.parametrize("with_model", [False, True], ids=["without model", "with model"])
@pytest.mark.parametrize("name", TRAINED)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_batches_equal_all_at_once(name: str, with_model: bool, data: st.DataObject) -> None:
    places = st.integers(1, len(course(name).window) - 1)
    cuts = data.draw(st.lists(places, min_size=1, max_size=15, unique=True).map(sorted))

    assert_same(judged(name, cuts, with_model=with_model), whole(name, with_model=with_model))


@pytest.mark.parametrize("name", TRAINED)
def test_the_faults_are_seen(name: str) -> None:
    """What is compared is worth comparing."""
    seen = {check for check, _ in whole(name, with_model=True).detections}

    assert len(seen & {f"quality.{one}" for one in KINDS[name]}) == len(KINDS[name]), seen


KINDS = {
    "roof of hours": (
        *("missing", "frozen", "spike", "unit_change", "swapped_sign", "swapped_channels", "clock_shift"),
        *("sentinel", "estimated", "duplicate_conflicting"),
    ),
    "roof of days": ("missing", "frozen", "spike", "unit_change", "swapped_sign", "sentinel"),
    "gas of hours": ("missing", "frozen", "out_of_range", "spike", "unit_change", "estimated", "sentinel"),
}
