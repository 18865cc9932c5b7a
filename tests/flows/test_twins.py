"""Two meters of one flow that are assets of their own: incidents of the one that declares the other."""

from pathlib import Path

import numpy as np
import pytest

from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.flows.workspace import Workspace
from tests.support.builders import HOUR, a_window, a_workspace, between, readings_of

DECLARED = "assets: {C0: {twin: C1}}\n"
ROWS, BROKEN = 24 * 30, 24 * 15


def a_meter(name: str, *, factor: float = 1.0) -> Window:
    """Counts one flow with noise of its own; from the middle on only `factor` of it."""
    flow = 100 * np.exp(0.2 * np.random.default_rng(5).normal(size=ROWS))
    own = 1 + 0.003 * np.random.default_rng([7, *name.encode()]).normal(size=ROWS)
    volume = np.round(flow * own, 1)
    volume[BROKEN:] *= factor
    key = AssetKey(name, name)
    return a_window(volume, signals=("volume",), profile="gas", step=HOUR, asset=key)


def judged(folder: Path, *batches: Window, settings: str = DECLARED) -> Workspace:
    folder.mkdir(exist_ok=True)
    workspace = a_workspace(folder, settings=settings)
    for batch in batches:
        workspace.add(readings_of(batch), zone="UTC", judge=True)
    return workspace


def told(workspace: Workspace) -> list[dict[str, object]]:
    with workspace:
        views = [view.to_json(workspace.now()) for view in workspace.incidents()]
    return [{k: v for k, v in one.items() if k != "opened_at"} for one in views if one["kind"] == "physics"]


def test_declared_twin_that_counts_less_is_an_incident_of_the_asset(tmp_path: Path) -> None:
    (found,) = told(judged(tmp_path, a_meter("C1"), a_meter("C0", factor=0.9)))

    assert (found["cause"], found["asset"], found["signals"]) == ("physics.twin_meter", "C0", ["volume"])
    assert str(found["started_at"])[:10] in {"2024-01-16", "2024-01-17"}


@pytest.mark.parametrize("settings", [DECLARED, ""], ids=["declared", "not declared"])
def test_twins_that_agree_and_strangers_have_none(tmp_path: Path, settings: str) -> None:
    factor = 0.9 if settings == "" else 1.0

    assert told(judged(tmp_path, a_meter("C1"), a_meter("C0", factor=factor), settings=settings)) == []


def test_it_does_not_matter_which_meter_is_read_first(tmp_path: Path) -> None:
    meters = a_meter("C0", factor=0.9), a_meter("C1")

    one, other = told(judged(tmp_path / "a", *meters)), told(judged(tmp_path / "b", *reversed(meters)))

    assert one == other != []


def test_meters_read_day_by_day_are_judged_as_in_one_piece(tmp_path: Path) -> None:
    meters = a_meter("C0", factor=0.9), a_meter("C1")
    whole = told(judged(tmp_path / "whole", *meters))

    workspace = a_workspace(tmp_path, settings=DECLARED)
    for first in range(0, ROWS, 40):
        for meter in meters:
            times = meter.time[[first, min(first + 40, ROWS) - 1]]
            part = between(readings_of(meter), times[0], times[1] + np.timedelta64(1, "h"))
            workspace.add(part, zone="UTC", judge=True)

    assert told(workspace) == whole != []
