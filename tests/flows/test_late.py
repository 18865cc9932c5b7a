"""Rows that come after newer ones of their asset are counted, and judged in their place."""

from pathlib import Path

import numpy as np
import pytest

from sereno.flows.ingest import FileResult
from sereno.flows.workspace import Workspace
from tests.flows.reading_back import stored_detections, told_lives
from tests.journeys.faulty import HEADER
from tests.support.builders import HOUR, MADRID, a_roof, a_workspace, readings_of, with_cells

ROWS = 24 * 30
ROOF = with_cells(a_roof(rows=ROWS, step=HOUR, zone="UTC"), slice(300, 310), "consumption", 99.0)


def a_file(folder: Path, first: int, stop: int, *, is_backwards: bool = False, name: str = "a") -> Path:
    rows = [
        ";".join([str(at)[:16].replace("T", " "), *(f"{value:.3f}" for value in row)])
        for at, row in zip(ROOF.time[first:stop], ROOF.values[first:stop].tolist(), strict=True)
    ]
    folder.mkdir(exist_ok=True)
    path = folder / f"Norte {name}.csv"
    path.write_text(
        "\n".join([HEADER.replace("Fecha;", "Fecha;Empresa;", 1), *_named(rows, is_backwards), ""])
    )
    return path


def _named(rows: list[str], is_backwards: bool) -> list[str]:
    named = [row.replace(";", ";Norte;", 1) for row in rows]
    return named[::-1] if is_backwards else named


def take(workspace: Workspace, path: Path, *, judge: bool = False) -> FileResult:
    (result,) = workspace.ingest(path, timezone="UTC", judge=judge)
    return result


def late_in(result: FileResult) -> list[tuple[object, object]]:
    issues: list[dict[str, object]] = result.entry["issues"]  # type: ignore[assignment]
    return [(one["where"], one["count"]) for one in issues if one["code"] == "quality.late"]


@pytest.mark.parametrize("judge", [False, True], ids=["ingest", "watch"])
def test_late_rows_are_a_harmless_fact_of_their_file(tmp_path: Path, judge: bool) -> None:
    with a_workspace(tmp_path / "w", language="es") as workspace:
        newest = take(workspace, a_file(tmp_path / "f", 400, 600, name="b"), judge=judge)
        history = take(workspace, a_file(tmp_path / "f", 250, 450), judge=judge)
        again = take(workspace, a_file(tmp_path / "f", 260, 450, name="c"), judge=judge)

    assert (late_in(newest), late_in(again)) == ([], [])
    assert late_in(history) == [("Norte a.csv", 150)]
    assert history.entry["verdict"] == newest.entry["verdict"] == "ok"
    (message,) = [one["message"] for one in history.entry["issues"] if one["code"] == "quality.late"]  # type: ignore[attr-defined]
    assert message.startswith("150 filas de Norte a.csv han llegado después")
    assert "Norte, 2024-01-11T10:00:00Z" in message


def test_file_that_runs_backwards_is_not_late(tmp_path: Path) -> None:
    with a_workspace(tmp_path / "w") as workspace:
        assert late_in(take(workspace, a_file(tmp_path / "f", 0, ROWS, is_backwards=True))) == []


@pytest.mark.parametrize("judge", [False, True], ids=["ingest, then score", "watch"])
def test_late_rows_are_judged_in_their_place(tmp_path: Path, judge: bool) -> None:
    with a_workspace(tmp_path / "late") as late, a_workspace(tmp_path / "whole") as whole:
        for first, stop in ((0, 280), (400, ROWS)):
            take(late, a_file(tmp_path / "f", first, stop, name=str(first)), judge=judge)
            late.score()
        take(late, a_file(tmp_path / "f", 280, 400, name="z"), judge=judge)
        late.score()
        take(whole, a_file(tmp_path / "f", 0, ROWS))
        whole.score()

        assert {v.incident.worst.check for v in whole.incidents()} == {"physics.consumption_balance"}
        assert stored_detections(late) == stored_detections(whole)
        assert told_lives(late) == told_lives(whole)
        assert late.score().n_rows == 0


def test_late_rows_go_back_to_a_checkpoint_only(tmp_path: Path) -> None:
    roof = a_roof(rows=24 * 150, step=HOUR)
    hole = slice(3_000, 3_010)
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(with_cells(roof, hole, slice(None), np.nan)), zone=MADRID)
        workspace.score()

        workspace.add(readings_of(roof.rows(3_000, 3_010)), zone=MADRID)

        assert 600 <= workspace.score().n_rows <= 1_600


def test_corrected_history_is_judged_again(tmp_path: Path) -> None:
    daily = a_roof(rows=120)
    wrong = with_cells(daily, slice(50, 55), "consumption", 99.0)
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(wrong), zone=MADRID)
        workspace.score()
        before = len(workspace.incidents())

        workspace.add(readings_of(daily.rows(50, 55)), zone=MADRID)
        workspace.score()

        assert (before, workspace.incidents()) == (1, [])
