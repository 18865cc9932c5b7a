"""What somebody found to be a fault is not learnt as normal, and what people found stays found."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import HistoryTooShort
from sereno.domain.incidents import HumanState, Incident, Verdict
from sereno.domain.judgement import ModelCard
from sereno.domain.readings import Window
from sereno.domain.time import from_numpy
from sereno.flows.lessons import rows_within, without_spans
from sereno.flows.reproducing import Verdict as Outcome
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import error_sentence
from tests.flows.test_promotion import lines
from tests.support.builders import HOUR, a_workspace, readings_of

FIRST, STOP = 30 * 24, 40 * 24
"""Rows in which the line is broken."""


def _broken() -> Window:
    window = lines(n_days=50, n_assets=1)[0]
    values = window.values.copy()
    values[FIRST:STOP, 0] -= 60.0
    return replace(window, values=values)


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Workspace]:
    """A line that was learnt before it broke, and has been judged since."""
    window = _broken()
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(window), zone="UTC")
        workspace.train(before=from_numpy(window.time[FIRST]))
        workspace.score()
        yield workspace


def _behaviour(workspace: Workspace) -> Incident:
    (found,) = (one.incident for one in workspace.incidents() if one.incident.worst.check == "behaviour")
    return found


def _learnt_again(workspace: Workspace, verdict: Verdict) -> ModelCard:
    workspace.close_incident(_behaviour(workspace).id, verdict, actor="ana")
    (card,) = workspace.train()
    workspace.score()
    return card


@pytest.mark.parametrize("verdict", [Verdict.REAL, Verdict.DATA_PROBLEM], ids=str)
def test_confirmed_fault_is_not_learnt(found: Workspace, verdict: Verdict) -> None:
    before = _behaviour(found)

    card = _learnt_again(found, verdict)

    model = found.model("process")
    assert model is not None
    ((span,),) = (layout.left_out for layout in model.layouts.values())
    assert span == (before.started_at, before.ended_at)
    assert before.started_at - from_numpy(_broken().time[FIRST]) <= timedelta(hours=2)
    assert card.metrics["rows_left_out"] == (span[1] - span[0]) / HOUR
    after = _behaviour(found)
    assert (after.id, after.state, after.verdict) == (before.id, HumanState.CLOSED, verdict)
    assert after.started_at == before.started_at


@pytest.mark.parametrize("verdict", [Verdict.EXPECTED, Verdict.FALSE_ALARM], ids=str)
def test_what_was_no_fault_is_learnt(found: Workspace, verdict: Verdict) -> None:
    card = _learnt_again(found, verdict)

    model = found.model("process")
    assert model is not None
    assert [layout.left_out for layout in model.layouts.values()] == [()]
    assert "rows_left_out" not in card.metrics


def test_training_that_left_a_fault_out_is_done_again_bit_for_bit_whatever_is_found_later(
    found: Workspace,
) -> None:
    card = _learnt_again(found, Verdict.REAL)
    found.reopen(_behaviour(found).id, actor="ana")

    (again,) = found.reproduce(card.id)

    assert again.verdict is Outcome.REPRODUCIBLE, again.to_json()


def test_too_little_beside_what_was_closed_is_told_with_its_reason(tmp_path: Path) -> None:
    window = lines(n_days=5, n_assets=1)[0]
    values = window.values.copy()
    values[10:90] = values[10]
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(replace(window, values=values)), zone="UTC")
        workspace.score()
        for view in workspace.incidents():
            workspace.close_incident(view.incident.id, Verdict.DATA_PROBLEM, actor="ana")

        with pytest.raises(HistoryTooShort, match="80 rows of incidents closed as real") as told:
            workspace.train()

    assert "80 filas de incidencias cerradas como reales" in error_sentence(told.value, "es")


def test_rows_of_a_time_begin_with_it_and_end_before_its_end() -> None:
    window = _broken()
    span = from_numpy(window.time[10]), from_numpy(window.time[13])

    assert rows_within(window, [span]).nonzero()[0].tolist() == [10, 11, 12]
    assert without_spans(window, []) is window
