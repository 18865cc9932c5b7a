"""Whatever order batches come in, the incidents that stand are those of the readings in their order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.readings import Quality, Readings, Window
from sereno.flows.workspace import Workspace
from sereno.incidents.grouping import own_name
from tests.flows.reading_back import stored_detections, told_incidents, told_lives
from tests.flows.test_streamed_faults import course
from tests.support.builders import a_workspace, readings_of

Copies = Callable[[], Workspace]


def with_quality(window: Window) -> Readings:
    """The rows of a window as its source gave them, marks included."""
    present = ~np.isnan(window.values).all(axis=1)
    return replace(readings_of(window), quality=window.quality[present] & ~int(Quality.MISSING))


@pytest.fixture(scope="module", params=["roof of hours", "roof of days", "gas of hours"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def copies(name: str, tmp_path: Path) -> Iterator[Copies]:
    opened: list[Workspace] = []

    def copy() -> Workspace:
        workspace = a_workspace(tmp_path / f"{len(opened)}")
        workspace.use_model(course(name).model)
        opened.append(workspace)
        return workspace

    yield copy
    for workspace in opened:
        workspace.close()


def fed(workspace: Workspace, window: Window, edges: Sequence[tuple[int, int]]) -> Workspace:
    for start, stop in edges:
        part = with_quality(window.rows(start, stop))
        if len(part):
            workspace.add(part, zone=window.zone, judge=True)
    return workspace


def parts(n_rows: int, n_parts: int) -> list[tuple[int, int]]:
    return list(pairwise(np.linspace(0, n_rows, n_parts + 1).astype(int).tolist()))


def test_batches_in_their_order_equal_one_batch(name: str, copies: Copies) -> None:
    window = course(name).window

    whole = fed(copies(), window, parts(len(window), 1))
    streamed = fed(copies(), window, parts(len(window), 23))

    assert stored_detections(streamed) == stored_detections(whole)
    assert told_incidents(streamed) == told_incidents(whole)
    assert len(told_incidents(whole)) > 5


@pytest.mark.parametrize("seed", range(3))
def test_batches_in_any_order_end_in_the_same_incidents(name: str, copies: Copies, seed: int) -> None:
    window = course(name).window
    whole = fed(copies(), window, parts(len(window), 1))

    first, *rest = parts(len(window), 12)
    np.random.default_rng(seed).shuffle(rest)
    mixed = fed(copies(), window, [first, *rest])

    assert stored_detections(mixed) == stored_detections(whole)
    assert told_lives(mixed) == told_lives(whole)
    assert begun_as_told(mixed) <= ids(whole)


def ids(workspace: Workspace) -> set[str]:
    return {view.incident.id for view in workspace.incidents()}


def begun_as_told(workspace: Workspace) -> set[str]:
    """Incidents that began as they stand; others keep the name that they had before late rows came.

    Such an older life may bear the name that a younger trouble would have: that one has then another.
    """
    incidents = [view.incident for view in workspace.incidents()]
    openings = {one.id: workspace.events(one.id)[0].detection for one in incidents}
    begun = {
        one.id: first
        for one in incidents
        if (first := openings[one.id]) is not None
        and (first.check, first.started_at) == (one.leading[0].check, one.started_at)
    }
    older = openings.keys() - begun.keys()
    return {name for name, first in begun.items() if own_name(first) not in older}
