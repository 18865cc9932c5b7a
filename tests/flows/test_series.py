"""Few points show all peaks and all gaps."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.errors import InvalidQuery, NotFound, UnknownSignal
from sereno.flows.series import SeriesQuery, decimate
from tests.support.builders import HOUR, MADRID, a_roof, a_workspace, readings_of, with_cells
from tests.support.work import bytes_moved

MINUTES = timedelta(minutes=10)
YEAR = 52_560


def times(rows: int) -> np.ndarray:
    return np.datetime64("2024-01-01", "us") + np.arange(rows) * np.timedelta64(600, "s")


@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=400),
    points=st.integers(10, 60),
)
def test_extremes_ends_and_gaps_stay(values: list[float], points: int) -> None:
    rows = np.array(values)

    chosen = decimate(times(len(rows)), rows, points)

    assert len(chosen) <= max(points, 5)
    assert {chosen[0], chosen[-1]} == {0, len(rows) - 1}
    shown = rows[chosen]
    if not np.isnan(rows).all():
        assert (np.nanmin(shown), np.nanmax(shown)) == (np.nanmin(rows), np.nanmax(rows))
    assert np.isnan(shown).any() == np.isnan(rows).any()


def test_few_rows_are_all_shown() -> None:
    assert decimate(times(10), np.arange(10.0), 10).tolist() == list(range(10))


def test_a_spike_of_one_row_in_a_year_is_seen() -> None:
    rows = np.sin(np.arange(YEAR) / 144)
    rows[31_415] = 50.0

    chosen = decimate(times(YEAR), rows, 500)

    assert len(chosen) <= 500
    assert 31_415 in chosen


def test_rows_that_are_missing_draw_a_gap(tmp_path: Path) -> None:
    roof = a_roof(rows=200, step=HOUR, missing=[slice(50, 60)])
    with a_workspace(tmp_path) as workspace:
        workspace.add(readings_of(roof), zone=MADRID)
        with workspace.store.begin() as tx:
            tx.set_step(1, HOUR)

        (line,) = workspace.series(SeriesQuery(1, ["generation"])).lines

    assert (line.n_rows, int(np.isnan(line.values).sum())) == (191, 1)
    assert line.time[50] == roof.time[50]


def test_flags_are_told_in_runs_and_a_stretch_is_half_open(tmp_path: Path) -> None:
    stuck = a_roof(rows=300)
    stuck = with_cells(stuck, slice(100, 130), "consumption", 7.0)
    with a_workspace(tmp_path) as workspace:
        workspace.add(readings_of(stuck), zone=MADRID, judge=True)
        start, end = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)

        shown = workspace.series(SeriesQuery(1, start=start, end=end)).to_json()

    (run,) = [one for one in shown["flagged"] if "frozen" in one["flags"]]  # type: ignore[attr-defined]
    assert run["signal"] == "consumption"
    for line in shown["series"]:  # type: ignore[attr-defined]
        assert line["time"][0] >= shown["from"]
        assert line["time"][-1] < shown["to"]


def test_a_year_of_ten_minutes_is_read_once_and_answered_small(tmp_path: Path) -> None:
    with a_workspace(tmp_path) as workspace:
        workspace.add(readings_of(a_roof(rows=YEAR // 10, step=MINUTES)), zone=MADRID)
        query = SeriesQuery(1, ["generation"], points=500)
        workspace.series(query)

        moved = bytes_moved(lambda: workspace.series(query))
        answer = workspace.series(query).to_json()

    (line,) = answer["series"]  # type: ignore[misc]
    assert len(line["time"]) <= 500
    assert moved < 100 * YEAR // 10


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (SeriesQuery(99), NotFound),
        (SeriesQuery(1, ["tea"]), UnknownSignal),
        (
            SeriesQuery(1, start=datetime(2025, 1, 2, tzinfo=UTC), end=datetime(2025, 1, 1, tzinfo=UTC)),
            InvalidQuery,
        ),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, query: SeriesQuery, error: type[Exception]) -> None:
    with a_workspace(tmp_path) as workspace:
        workspace.add(readings_of(a_roof(rows=10)), zone=MADRID)

        with pytest.raises(error):
            workspace.series(query)
