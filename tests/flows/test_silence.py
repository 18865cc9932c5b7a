"""A signal that stops while the others go on is one incident of the data, however its rows came."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.readings import Window
from sereno.flows.workspace import Workspace
from tests.flows.reading_back import stored_detections, told_incidents
from tests.support.builders import HOUR, MADRID, NOW, a_window, a_workspace, between, readings_of, with_cells

ROWS, STOPPED = 300, 200


def a_line(*gaps: slice) -> Window:
    line = a_window(rows=ROWS, signals=("caudal", "presión", "nivel"), step=HOUR, profile="process")
    for gap in gaps:
        line = with_cells(line, gap, "presión", np.nan)
    return line


def judged(folder: Path, line: Window, edges: list[int] | None = None) -> Workspace:
    workspace = a_workspace(folder)
    for start, stop in pairwise(edges or [0, ROWS]):
        after = line.time[stop] if stop < ROWS else line.time[-1] + np.timedelta64(1, "s")
        workspace.add(between(readings_of(line), line.time[start], after), zone=MADRID, judge=True)
    return workspace


def test_incident_names_the_signal_its_last_value_and_since_when(tmp_path: Path) -> None:
    (view,) = judged(tmp_path, a_line(slice(STOPPED, None))).incidents()

    told = view.to_json(NOW)
    assert (told["kind"], told["cause"], told["signals"]) == ("data", "quality.missing", ["presión"])
    assert told["started_at"] == "2024-01-09T08:00:00Z"
    english, spanish = view.sentence("en"), view.sentence("es")
    assert english.startswith("Planta 1 no longer sends presión (last ")
    assert "since 9 Jan 2024 09:00 and still going on" in english
    assert spanish.startswith("Planta 1 ya no envía presión (último valor, ")
    assert "sensor" in view.recommendation("en")
    assert "sensor" in view.recommendation("es")


def test_rows_without_anything_are_still_told_of_the_whole_asset(tmp_path: Path) -> None:
    line = with_cells(a_line(), slice(STOPPED, STOPPED + 9), slice(None), np.nan)

    (view,) = judged(tmp_path, line).incidents()

    assert view.sentence("en").startswith("No readings of Planta 1")


@pytest.mark.parametrize("size", [1, 11], ids=lambda size: f"{size} rows")
def test_streamed_rows_end_in_the_same_incidents_as_the_batch(tmp_path: Path, size: int) -> None:
    line = a_line(slice(100, 104), slice(160, 190), slice(260, None))

    streamed = judged(tmp_path / "s", line, [*range(0, ROWS, size), ROWS])
    whole = judged(tmp_path / "w", line)

    assert len(told_incidents(whole)) > 1
    assert stored_detections(streamed) == stored_detections(whole)


def test_column_that_comes_late_takes_the_incident_back(tmp_path: Path) -> None:
    workspace = judged(tmp_path, a_line(slice(STOPPED, None)))

    workspace.add(readings_of(a_line()), zone=MADRID, judge=True)

    assert workspace.incidents() == []


def test_record_is_not_abnormal_for_what_it_lacks(tmp_path: Path) -> None:
    workspace = judged(tmp_path, a_line(slice(STOPPED, ROWS)))
    record = {"fecha": "2024-01-13 14:00", "planta": "Planta 1", "caudal": 10.2, "nivel": 9.7}

    (row,) = workspace.add_records([record])

    assert row is not None
    assert not row.is_abnormal
    assert len(workspace.incidents()) == 1
