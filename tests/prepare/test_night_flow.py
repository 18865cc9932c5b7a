from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import FloatArray, Window
from sereno.prepare.night_flow import LEAST_NIGHTS, NIGHT_FLOW, RAISED_NIGHTS, check_night_flow
from tests.support.builders import HOUR, MADRID, NAN, PROFILES, a_window

GAS = PROFILES["gas"]
DAYS = 60
LEAK_FROM = 40
QUARTER = timedelta(minutes=15)


def a_kitchen(
    *,
    days: int = DAYS,
    leak: float = 0.0,
    heating: FloatArray | float = 0.0,
    pulse: float = 0.001,
    step: timedelta = HOUR,
    seed: int = 1,
) -> Window:
    """Takes about 20 m³ from 7 to 22 h and nothing by night; the leak [m³/h] begins on a midnight."""
    rng = np.random.default_rng(seed)
    per_hour = round(HOUR / step)
    rows = days * 24 * per_hour
    hour = np.arange(rows) // per_hour % 24
    use = np.where((hour >= 7) & (hour < 22), 20 * rng.uniform(0.5, 1.5, rows), 0.0)
    flows = use + np.repeat(np.broadcast_to(heating, days * 24), per_hour)
    flows[LEAK_FROM * 24 * per_hour :] += leak
    counter = np.concatenate(([0.0], np.floor(np.cumsum(flows / per_hour) / pulse)))
    values = np.diff(counter) * pulse
    start = "2024-01-01T00"
    return a_window(values, signals=("volume",), profile="gas", step=step, start=start, zone=MADRID)


def evidence_of(window: Window, memory: Memory | None = None) -> Evidence | None:
    found, _ = check_night_flow(window, GAS, memory or Memory())
    return found[0] if found else None


def told_from(window: Window) -> int | None:
    """The day on which something is said for the first time."""
    evidence = evidence_of(window)
    if evidence is None or not (evidence.exceedance >= 1).any():
        return None
    step = window.step or HOUR
    return int(np.flatnonzero(evidence.exceedance >= 1)[0] // (timedelta(days=1) / step))


@pytest.mark.parametrize("leak", [1.5, 5.0])
@pytest.mark.parametrize("step", [QUARTER, HOUR, 3 * HOUR], ids=str)
def test_leak_is_told_after_a_week_of_nights_from_its_first(leak: float, step: timedelta) -> None:
    window = a_kitchen(leak=leak) if step > HOUR else a_kitchen(leak=leak, step=step)
    if step > HOUR:
        window = replace(
            window,
            time=window.time[::3],
            values=window.values.reshape(-1, 3).sum(axis=1)[:, None],
            quality=window.quality[::3],
            step=step,
        )

    evidence = evidence_of(window)

    assert evidence is not None
    assert told_from(window) in (LEAK_FROM + RAISED_NIGHTS - 1, LEAK_FROM + RAISED_NIGHTS)
    assert evidence.since is not None
    told = np.flatnonzero(evidence.exceedance >= 1)
    begun = window.time[LEAK_FROM * round(timedelta(days=1) / step)]
    assert abs(evidence.since[told[0]] - begun) <= np.timedelta64(12, "h")


def test_expected_is_what_each_hour_would_have_shown_without_the_leak() -> None:
    window = a_kitchen(leak=3.0)

    evidence = evidence_of(window)

    assert evidence is not None
    assert evidence.check == NIGHT_FLOW
    told = evidence.exceedance >= 1
    assert window.values[told, 0] - evidence.expected[told, 0] == pytest.approx(3.0, abs=0.01)
    quiet = told & (window.values[:, 0] < 3.1)
    assert evidence.exceedance[quiet].min() > evidence.exceedance[told & ~quiet].max()


def test_leak_of_single_pulses_is_seen() -> None:
    assert told_from(a_kitchen(leak=1.2, pulse=1.0)) is not None


@pytest.mark.parametrize("leak", [0.0, 0.3])
def test_rest_and_what_a_meter_may_show_of_it_say_nothing(leak: float) -> None:
    assert told_from(a_kitchen(leak=leak)) is None


def test_heating_that_begins_is_no_leak() -> None:
    rng = np.random.default_rng(2)
    nights = np.repeat(np.clip((np.arange(DAYS) - LEAK_FROM) / 3, 0, 4) * rng.uniform(0.6, 1.4, DAYS), 24)
    warm = nights * (1 + 0.3 * np.sin(np.arange(DAYS * 24) / 24 * 2 * np.pi))

    assert told_from(a_kitchen(heating=warm)) is None


def test_shift_more_is_no_leak() -> None:
    window = a_kitchen()
    hours = np.arange(len(window)) // 24
    rng = np.random.default_rng(3)
    third = np.where(
        (window.values[:, 0] < 1) & (hours >= LEAK_FROM), 20 * rng.uniform(0.95, 1.0, len(hours)), 0
    )

    assert told_from(replace(window, values=window.values + third[:, None])) is None


def test_client_that_never_rests_is_not_judged() -> None:
    assert told_from(a_kitchen(leak=3.0, heating=4.0)) is None


def test_two_weeks_must_be_known() -> None:
    window = a_kitchen(leak=3.0)
    first = (LEAK_FROM - LEAST_NIGHTS + 3) * 24

    assert told_from(window.rows(first, len(window))) is None


def test_gap_neither_breaks_a_run_of_nights_nor_counts() -> None:
    window = a_kitchen(leak=3.0)
    values = window.values.copy()
    values[(LEAK_FROM + 2) * 24 : (LEAK_FROM + 4) * 24] = NAN

    assert told_from(replace(window, values=values)) in range(
        LEAK_FROM + RAISED_NIGHTS + 1, LEAK_FROM + RAISED_NIGHTS + 4
    )


def test_night_at_rest_ends_it() -> None:
    window = a_kitchen(leak=3.0)
    repaired = (LEAK_FROM + 12) * 24
    values = window.values.copy()
    values[repaired:] = a_kitchen().values[repaired:]

    evidence = evidence_of(replace(window, values=values))

    assert evidence is not None
    assert (evidence.exceedance[repaired + 36 :] == 0).all()


@pytest.mark.parametrize("cut", [1, 7, 25, 400])
@pytest.mark.parametrize("step", [QUARTER, HOUR], ids=str)
def test_stream_says_what_a_batch_says(cut: int, step: timedelta) -> None:
    window = a_kitchen(leak=3.0, step=step)
    whole = evidence_of(window)
    memory, parts = Memory(), []

    for start in range(0, len(window), cut):
        part = window.rows(start, min(start + cut, len(window)))
        found, memory = check_night_flow(part, GAS, Memory.load(memory.dump()))
        parts.append(found[0].exceedance if found else np.where(np.isnan(part.values[:, 0]), NAN, 0.0))

    assert whole is not None
    np.testing.assert_array_equal(np.concatenate(parts), whole.exceedance)
