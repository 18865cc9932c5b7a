"""Pooling by segment: who is judged by whom, strangers, and the same scores after writing and in a stream."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from sereno.detect.robust import RobustDetector, TrainedRobust
from sereno.detect.segmented import SegmentedDetector, TrainedSegmented, load_detector, with_segments
from sereno.domain.archive import ArchiveError
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from tests.support.builders import LINE, SOLAR, a_roof, a_window

DETECTOR = RobustDetector(SOLAR, n_trees=10)


def roof(name: str, *, is_unsteady: bool = False, rows: int = 150) -> Window:
    """A roof; an unsteady one consumes thrice as much on one day in five."""
    peaks = {(day, day + 1): 3.0 for day in range(2, rows, 5)} if is_unsteady else {}
    return a_roof(name, rows=rows, size=20.0, consumption=peaks)


CALM = [roof(f"Planta {i}") for i in range(1, 4)]
UNSTEADY = [roof(f"Taller {i}", is_unsteady=True) for i in range(1, 4)]
ALONE = roof("Sola")
SEGMENT_OF = {
    **{window.asset: "0" for window in CALM},
    **{window.asset: "1" for window in UNSTEADY},
    ALONE.asset: "2",
}


@pytest.fixture(scope="module")
def trained() -> TrainedSegmented:
    found = with_segments(DETECTOR, SEGMENT_OF).fit([*CALM, *UNSTEADY, ALONE])
    assert isinstance(found, TrainedSegmented)
    return found


def test_without_segments_the_detector_is_itself() -> None:
    assert with_segments(DETECTOR, {}) is DETECTOR


def test_detector_with_segments_of_its_own_gets_them() -> None:
    @dataclass(frozen=True)
    class Pooling(RobustDetector):
        segments: Mapping[AssetKey, str] = field(default_factory=dict)

    found = with_segments(Pooling(SOLAR, n_trees=7), SEGMENT_OF)

    assert isinstance(found, Pooling)
    assert (found.n_trees, found.segments) == (7, SEGMENT_OF)


def test_members_are_learnt_with_their_own_kind_alone(trained: TrainedSegmented) -> None:
    alone = DETECTOR.fit(UNSTEADY)

    scores, _ = trained.score(UNSTEADY[0])

    assert set(trained.parts) == {"", "0", "1"}
    assert scores.values.tobytes() == alone.score(UNSTEADY[0])[0].values.tobytes()


def test_segment_of_one_is_judged_with_the_fleet(trained: TrainedSegmented) -> None:
    fleet = DETECTOR.fit([*CALM, *UNSTEADY, ALONE])

    scores, _ = trained.score(ALONE)

    assert scores.values.tobytes() == fleet.score(ALONE)[0].values.tobytes()


def test_stranger_starts_from_the_segment_that_it_was_assigned_to(trained: TrainedSegmented) -> None:
    late = roof("Taller 9", is_unsteady=True, rows=60)

    as_stranger, _ = trained.score(late)
    after, _ = trained.with_assigned({late.asset: "1"}).score(late)
    segment = trained.parts["1"]
    assert isinstance(segment, TrainedRobust)
    of_segment, _ = segment.with_newcomers([late.asset]).score(late)

    assert not trained.knows(late.asset)
    assert after.values.tobytes() == of_segment.values.tobytes()
    assert after.values[30:].tobytes() != as_stranger.values[30:].tobytes()


def test_assignment_does_not_move_a_learnt_asset(trained: TrainedSegmented) -> None:
    moved = trained.with_assigned({CALM[0].asset: "1"})

    assert moved.segment_of == trained.segment_of


def test_streamed_equals_batch(trained: TrainedSegmented) -> None:
    whole, end = trained.score(UNSTEADY[1])

    memory, parts = None, []
    for start, stop in itertools.pairwise([0, 1, 40, 41, 150]):
        part, memory = trained.score(UNSTEADY[1].rows(start, stop), memory)
        parts.append(part.values)

    assert np.concatenate(parts).tobytes() == whole.values.tobytes()
    assert memory is not None
    assert memory.dump() == end.dump()


def test_written_detector_gives_the_same_bytes_and_scores(trained: TrainedSegmented) -> None:
    again = load_detector(DETECTOR, trained.dump())

    assert isinstance(again, TrainedSegmented)
    assert again.dump() == trained.dump()
    assert again.score(CALM[1])[0].values.tobytes() == trained.score(CALM[1])[0].values.tobytes()


def test_detector_that_was_not_pooled_is_read_as_it_is() -> None:
    plain = DETECTOR.fit(CALM)

    assert isinstance(load_detector(DETECTOR, plain.dump()), TrainedRobust)


def test_bytes_that_are_no_archive_are_refused() -> None:
    with pytest.raises(ArchiveError):
        load_detector(DETECTOR, b"\x80\x04pickle")


def test_segment_without_history_falls_back_to_the_fleet() -> None:
    short = [roof("Nueva 1", rows=5), roof("Nueva 2", rows=5)]
    segment_of = {window.asset: "3" for window in short}

    found = SegmentedDetector(DETECTOR, segment_of).fit([*CALM, *short])

    assert set(found.parts) == {""}
    assert found.part_of(short[0].asset) is found.parts[""]
    assert found.part_of(AssetKey("x", "x")) is found.parts[""]


def line(name: str, *, heat: float, seed: int, rows: int = 240) -> Window:
    """A line whose temperature stands at its own level, which is a difference and not a ratio."""
    window = a_window(rows=rows, asset=AssetKey(name, name), seed=seed)
    values = window.values + np.array([0.0, heat, 0.0])
    return replace(window, values=values)


HOT = [line(f"L{i}", heat=0.0, seed=i) for i in range(1, 4)]
LATE = line("Nueva", heat=60.0, seed=9)


@pytest.fixture(scope="module")
def welcoming() -> TrainedSegmented:
    detector = RobustDetector(LINE, n_trees=10)
    trained = SegmentedDetector(detector, {window.asset: "0" for window in HOT}).fit(HOT)
    return trained.with_assigned({LATE.asset: "0"})


def test_newcomer_shows_where_it_stands_before_it_is_judged(welcoming: TrainedSegmented) -> None:
    """A stranger 60 degrees away is abnormal from end to end; one that was assigned is calm after a day."""
    stranger, _ = welcoming.parts[""].score(replace(LATE, asset=AssetKey("?", "?")))
    scores, _ = welcoming.score(LATE)

    assert np.median(stranger.values) > 5
    assert np.isnan(scores.values[:24]).all()
    assert np.quantile(scores.values[24:], 0.9) < 1.5


def test_newcomer_that_changes_is_still_found(welcoming: TrainedSegmented) -> None:
    values = LATE.values.copy()
    values[150:160, 1] += 12.0

    scores, _ = welcoming.score(replace(LATE, values=values))

    assert scores.values[150:160].min() > 2 * np.nanmax(scores.values[24:150])


def test_newcomer_streamed_equals_batch_whatever_the_split(welcoming: TrainedSegmented) -> None:
    whole, end = welcoming.score(LATE)

    for edges in ([0, 1, 2, 23, 24, 25, 240], [0, 24, 240], [0, 7, 7, 100, 240], [0, 12, 36, 240]):
        memory, parts = None, []
        for start, stop in itertools.pairwise(edges):
            part, memory = welcoming.score(LATE.rows(start, stop), memory)
            parts.append(part)
        for name in ("values", "contributions", "expected", "is_telling"):
            streamed = np.concatenate([getattr(part, name) for part in parts])
            assert streamed.tobytes() == getattr(whole, name).tobytes(), (edges, name)
        assert memory is not None
        assert memory.dump() == end.dump()
