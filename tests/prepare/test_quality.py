import itertools
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, Quality, Window
from sereno.prepare.checks import check_window
from sereno.prepare.quality import QualityRules, check_quality, longest_repeats
from sereno.prepare.witness import Witness
from tests.support.builders import DAY, HOUR, LINE, NAN, a_window, steps, with_cells


def _check(
    window: Window, *, frozen: float = 4.0, memory: Memory | None = None
) -> tuple[dict[str, Evidence], BoolArray, Memory]:
    rules = QualityRules(missing_delay=3, frozen_rows=np.full(len(window.signals), frozen))
    before = memory or Memory()
    nothing = np.zeros(window.values.shape, dtype=bool)
    evidence, bad, after = check_quality(
        window, LINE, rules, (nothing, nothing), 0.0 * nothing, Witness(window, before), before
    )
    return {one.check: one for one in evidence}, bad, after


def _one(values: list[float]) -> Window:
    return a_window(values, signals=("heat",))


def test_row_is_missing_only_when_every_signal_is() -> None:
    window = with_cells(a_window(rows=6, gap_at=2), 4, "heat", NAN)

    evidence, _, _ = _check(window)

    assert evidence["quality.missing"].exceedance.tolist() == [0, 0, 1, 0, 0, 0]
    assert evidence["quality.missing"].on_delay == 3


@pytest.mark.parametrize(
    ("step", "delay"), [(DAY, 1), (None, 1), (HOUR, 3), (timedelta(minutes=1), 60)], ids=str
)
def test_finer_steps_wait_longer_before_a_stretch_is_missing(step: timedelta | None, delay: int) -> None:
    assert QualityRules.for_step(step, 2).missing_delay == delay


def test_out_of_range_masks_only_its_cell() -> None:
    window = with_cells(a_window(rows=5), 3, "heat", 999.0)

    evidence, bad, _ = _check(window)

    assert np.argwhere(bad).tolist() == [[3, 1]]
    assert evidence["quality.out_of_range"].exceedance.tolist() == [0, 0, 0, 2, 0]
    assert evidence["quality.out_of_range"].contributions[3].tolist() == [0, 1, 0]
    assert evidence["quality.out_of_range"].expected[3, 1] == 200


@pytest.mark.parametrize("value", [np.inf, -np.inf], ids=str)
def test_infinite_value_is_out_of_range(value: float) -> None:
    _, bad, _ = _check(_one([10, value, 11]))

    assert bad[:, 0].tolist() == [False, True, False]


def test_limits_themselves_are_plausible() -> None:
    _, bad, _ = _check(_one([-20, 200, 10]))

    assert not bad.any()


def test_run_is_frozen_from_the_moment_it_is_longer_than_natural() -> None:
    evidence, bad, _ = _check(_one([1, 7, 7, 7, 7, 7, 7, 2]))

    frozen = evidence["quality.frozen"]
    assert bad[:, 0].tolist() == [False] * 5 + [True, True, False]
    assert np.flatnonzero(frozen.exceedance >= 1).tolist() == [5, 6]
    assert frozen.since is not None
    assert frozen.since[5] == steps(8)[1]
    assert frozen.kind is IncidentKind.DATA


def test_zero_is_never_frozen() -> None:
    evidence, bad, _ = _check(_one([0.0] * 50))

    assert not bad.any()
    assert not evidence["quality.frozen"].exceedance.any()


def test_gap_neither_breaks_nor_lengthens_a_frozen_run() -> None:
    _, bad, _ = _check(_one([7, 7, 7, NAN, NAN, 7, 7, 8]))

    assert bad[:, 0].tolist() == [False] * 6 + [True, False]


def test_frozen_run_goes_on_across_batches_and_keeps_its_start() -> None:
    window = _one([1, 7, 7, 7, 7, 7, 7, 7])
    _, _, memory = _check(window.rows(0, 4))

    evidence, bad, _ = _check(window.rows(4, 8), memory=memory)

    frozen = evidence["quality.frozen"]
    assert bad[:, 0].tolist() == [False, True, True, True]
    assert frozen.since is not None
    assert frozen.since[-1] == window.time[1]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 7.0, 8.0, 500.0, NAN]), min_size=1, max_size=40),
    st.lists(st.integers(0, 40), max_size=5),
)
def test_streamed_checks_equal_those_of_the_batch(values: list[float], cuts: list[int]) -> None:
    window = _one(values)
    whole, bad, end = _check(window)

    edges = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    memory, parts, masks = Memory(), [], []
    for start, stop in itertools.pairwise(edges):
        found, mask, memory = _check(window.rows(start, stop), memory=memory)
        parts.append(found)
        masks.append(mask)

    assert np.array_equal(np.concatenate(masks), bad)
    for name, one in whole.items():
        streamed = np.concatenate([part[name].exceedance for part in parts])
        assert np.array_equal(streamed, one.exceedance, equal_nan=True), name
    assert memory.dump() == end.dump()


def test_cell_that_its_source_calls_bad_is_masked() -> None:
    window = a_window(rows=3)
    window.quality[1, 0] = int(Quality.BAD)

    _, bad, _ = _check(window)

    assert np.argwhere(bad).tolist() == [[1, 0]]


def test_column_without_any_value_is_neither_frozen_nor_out_of_range() -> None:
    window = with_cells(a_window(rows=30), slice(None), "heat", NAN)

    _, bad, _ = _check(window)

    assert not bad.any()


def test_checks_leave_their_input_untouched() -> None:
    window = _one([7.0] * 8)
    _, _, memory = _check(window)
    before = window.values.copy(), memory.dump()

    _check(window, memory=memory)

    assert np.array_equal(window.values, before[0])
    assert memory.dump() == before[1]


def test_window_without_rows_keeps_the_memory() -> None:
    _, _, memory = _check(_one([7, 7, 7]))

    _, _, after = _check(_one([7, 7, 7]).rows(0, 0), memory=memory)

    assert after.dump() == memory.dump()


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2, 3], 1), ([1, 5, 5, 5, 2], 3), ([0, 0, 0], 1), ([5, NAN, 5, 5], 3), ([], 1)],
    ids=["none", "run", "zeros", "gap", "empty"],
)
def test_longest_repeat_counts_equal_values(values: list[float], expected: float) -> None:
    assert longest_repeats(np.array(values, dtype=float).reshape(-1, 1)).tolist() == [expected]


def test_gap_inside_a_frozen_run_holds_its_detection() -> None:
    evidence, _, _ = _check(_one([7, 7, 7, 7, 7, NAN, 7, 8]))

    assert np.isnan(evidence["quality.frozen"].exceedance[5])
    assert np.flatnonzero(evidence["quality.frozen"].exceedance >= 1).tolist() == [4, 6]


@pytest.mark.parametrize("value", [-999.0, 65_535.0], ids=str)
@pytest.mark.parametrize("flag", [0, int(Quality.SENTINEL)], ids=["impossible", "a code"])
def test_values_that_are_none_are_no_new_level_and_spikes_are_seen_after_them(
    value: float, flag: int
) -> None:
    window = with_cells(a_window(rows=24 * 40), slice(700, 705), "heat", value)
    window = with_cells(window, 900, "heat", 150.0)
    window.quality[700:705, 1] |= flag

    evidence = {one.check: one.exceedance >= 1.0 for one in check_window(window, LINE, Memory()).evidence}

    name = "quality.sentinel" if flag else "quality.out_of_range"
    assert np.flatnonzero(evidence[name])[:5].tolist() == [700, 701, 702, 703, 704]
    assert not evidence.get("quality.step", np.zeros(1)).any()
    assert np.flatnonzero(evidence["quality.spike"]).tolist() == [900]


@pytest.mark.parametrize("cut", [700, 701, 703])
@pytest.mark.parametrize("n_rows", [1, 2, 6])
def test_code_far_beyond_all_before_is_no_value_although_the_signal_could_have_it(
    cut: int, n_rows: int
) -> None:
    rows = slice(700, 700 + n_rows)
    window = with_cells(a_window(rows=24 * 40), rows, "made", 999.0)

    first = check_window(window.rows(0, cut), LINE, Memory())
    second = check_window(window.rows(cut, len(window)), LINE, first.memory)

    found = [one for one in (*first.evidence, *second.evidence) if (one.exceedance >= 1.0).any()]
    assert {one.check for one in found} == {"quality.sentinel"}
    assert sum(np.count_nonzero(one.exceedance >= 1.0) for one in found) == n_rows


def test_least_amount_that_a_meter_counts_may_repeat_itself_and_a_larger_one_may_not() -> None:
    window = a_window(rows=24 * 20)
    largest = np.nanmax(window.values[:, 0])
    frozen = {
        share: check_window(with_cells(window, slice(400, 430), "made", share * largest), LINE, Memory())
        for share in (0.002, 0.02)
    }

    told = {
        share: any((e.exceedance >= 1.0).any() for e in found.evidence if e.check == "quality.frozen")
        for share, found in frozen.items()
    }
    assert told == {0.002: False, 0.02: True}
