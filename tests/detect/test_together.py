"""Windows of many assets in one call get what each of them gets alone, to the last bit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.contracts import TrainedDetector
from sereno.contracts.detection import Asked, score_together
from sereno.detect.robust import RobustDetector
from sereno.detect.segmented import with_segments
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window
from tests.support.builders import SOLAR, a_fleet, a_roof, with_cells

ROWS = 150
DETECTOR = RobustDetector(SOLAR, n_trees=10)
FLEET = a_fleet(4, rows=ROWS)
SEGMENT_OF = {window.asset: str(number // 2) for number, window in enumerate(FLEET)}
FAULTY = a_roof("Planta 2", rows=ROWS, size=20.0, generation={(60, 75): 0.0}, consumption={(80, None): 4.0})
SILENT = with_cells(FLEET[2], slice(40, 44), slice(None), np.nan)
STRANGER = a_roof("Nueva", rows=ROWS, size=40.0)
NARROW = replace(
    FLEET[0],
    signals=FLEET[0].signals[:3],
    values=FLEET[0].values[:, :3],
    quality=FLEET[0].quality[:, :3],
)
WINDOWS = (*FLEET, FAULTY, SILENT, STRANGER, NARROW)

Stretch = tuple[int, int, int]
"""Which window, from which row, and how many."""
STRETCHES = st.tuples(st.integers(0, len(WINDOWS) - 1), st.integers(1, ROWS - 1), st.integers(0, 90))


@dataclass(frozen=True)
class Alone:
    """A detector that knows nothing of others."""

    detector: TrainedDetector

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        return self.detector.score(window, memory)


@pytest.fixture(scope="module", params=["fleet", "segments", "newcomers"])
def trained(request: pytest.FixtureRequest) -> TrainedDetector:
    if request.param == "fleet":
        return DETECTOR.fit(FLEET)
    if request.param == "segments":
        return with_segments(DETECTOR, SEGMENT_OF).fit(FLEET)
    return DETECTOR.fit(FLEET).with_newcomers([STRANGER.asset])


def _asked(trained: TrainedDetector, stretches: Sequence[Stretch]) -> list[Asked]:
    """Rows with what those before them left."""
    asked: list[Asked] = []
    for number, start, count in stretches:
        window = WINDOWS[number]
        memory = trained.score(window.rows(0, start))[1] if start % 5 else None
        asked.append((window.rows(start, start + count), memory))
    return asked


def _bytes(told: tuple[Scores, Memory]) -> tuple[bytes, ...]:
    scores, memory = told
    parts = (scores.time, scores.values, scores.contributions, scores.expected, scores.is_telling)
    return *(part.tobytes() for part in parts), memory.dump()


@settings(max_examples=40, deadline=None)
@given(stretches=st.lists(STRETCHES, min_size=1, max_size=9))
def test_windows_scored_together_equal_those_scored_alone(
    trained: TrainedDetector, stretches: list[Stretch]
) -> None:
    asked = _asked(trained, stretches)

    together = score_together(trained, asked)

    assert [_bytes(one) for one in together] == [_bytes(trained.score(*one)) for one in asked]


def test_detector_that_scores_alone_is_asked_window_by_window() -> None:
    trained = DETECTOR.fit(FLEET)
    asked = [(window.rows(100, 102), None) for window in FLEET]

    together = score_together(Alone(trained), asked)  # type: ignore[arg-type]

    assert [_bytes(one) for one in together] == [_bytes(trained.score(*one)) for one in asked]
