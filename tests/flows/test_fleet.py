"""A fleet under one sky: a common cause is one incident, a local fault is told of the one that has it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sereno.detect.peering import Peering
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.flows.fleet import Movements
from sereno.flows.workspace import Workspace
from tests.flows.reading_back import told_lives
from tests.support.builders import DAY, MADRID, SOLAR_SIGNALS, a_window, a_workspace, readings_of

DAYS, LEARNT, N_ROOFS = 420, 300, 6
DARK, HALF = slice(350, 353), slice(380, 400)
CLEAR = 1.5
"""Score over threshold of what a person would call clear: the budget allows others."""


def a_fleet() -> list[Window]:
    """Roofs of several sizes: weather in common, little of their own; balances close."""
    rng = np.random.default_rng(5)
    sky = np.exp(0.3 * rng.standard_normal(DAYS))
    sky[DARK] = 0.12
    fleet = []
    for i in range(N_ROOFS):
        made = 20.0 * (i + 1) * sky * np.exp(0.04 * rng.standard_normal(DAYS))
        if i == 2:
            made[HALF] *= 0.5
        taken = 60.0 * (i + 1) * np.exp(0.05 * rng.standard_normal(DAYS))
        own = np.minimum(0.6 * made, taken)
        values = np.round(np.column_stack((made, taken, own, made - own, taken - own)), 3)
        values[:, 3], values[:, 4] = values[:, 0] - values[:, 2], values[:, 1] - values[:, 2]
        key = AssetKey(f"Planta {i}", f"Planta {i}")
        window = a_window(values, signals=SOLAR_SIGNALS, step=DAY, zone=MADRID, asset=key, profile="solar")
        fleet.append(window)
    return fleet


def taught(folder: Path, fleet: Sequence[Window]) -> Workspace:
    workspace = a_workspace(folder)
    workspace.add(readings_of(*(window.rows(0, LEARNT) for window in fleet)), zone=MADRID)
    workspace.train()
    workspace.score()
    return workspace


@pytest.fixture(scope="module")
def fleet() -> list[Window]:
    return a_fleet()


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, fleet: list[Window]) -> Workspace:
    workspace = taught(tmp_path_factory.mktemp("fleet"), fleet)
    workspace.add(readings_of(*(window.rows(LEARNT, DAYS) for window in fleet)), zone=MADRID, judge=True)
    return workspace


def _during(workspace: Workspace, fleet: Sequence[Window], rows: slice) -> list[tuple[str, str]]:
    """Site and cause of what was worst on some days, and clear."""
    first, last = fleet[0].time[rows.start], fleet[0].time[rows.stop - 1]
    found = []
    for view in workspace.incidents():
        for detection in view.incident.evidence if view.incident.kind == "behaviour" else ():
            peak = np.datetime64(detection.peak_at.replace(tzinfo=None), "us")
            if detection.score > CLEAR * detection.threshold and first <= peak <= last:
                found.append((detection.asset.site, detection.cause))
    return found


def test_what_all_share_is_one_incident(judged: Workspace, fleet: list[Window]) -> None:
    told = _during(judged, fleet, DARK)

    assert ("Planta 0", "behaviour.common") in told
    assert len({site for site, _ in told}) <= 2


def test_half_a_roof_is_told_of_that_roof(judged: Workspace, fleet: list[Window]) -> None:
    told = _during(judged, fleet, HALF)

    assert {site for site, _ in told} == {"Planta 2"}
    assert {cause for _, cause in told} <= {"behaviour.low", "behaviour.drift_low"}


def test_the_common_cause_says_so_in_both_languages(judged: Workspace) -> None:
    (view,) = [one for one in judged.incidents() if one.incident.worst.cause == "behaviour.common"]

    assert view.problem == "common_cause"
    assert "its peers moved together" in view.sentence("en")
    assert "sus semejantes" in view.sentence("es")


def test_sites_that_report_one_after_another_end_in_the_same_incidents(
    judged: Workspace, fleet: list[Window], tmp_path: Path
) -> None:
    workspace = taught(tmp_path, fleet)

    for window in reversed(fleet):
        workspace.add(readings_of(window.rows(LEARNT, DAYS)), zone=MADRID, judge=True)

    assert told_lives(workspace) == told_lives(judged)


def test_day_after_day_equals_all_at_once(judged: Workspace, fleet: list[Window], tmp_path: Path) -> None:
    workspace = taught(tmp_path, fleet)

    for day in range(LEARNT, DAYS, 7):
        rows = [window.rows(day, min(day + 7, DAYS)) for window in fleet]
        workspace.add(readings_of(*rows), zone=MADRID, judge=True)

    assert told_lives(workspace) == told_lives(judged)


def test_a_late_reading_of_a_peer_changes_what_was_said(fleet: list[Window], tmp_path: Path) -> None:
    workspace = taught(tmp_path, fleet)
    alone = readings_of(fleet[0].rows(LEARNT, DAYS))
    workspace.add(alone, zone=MADRID, judge=True)
    before = _during(workspace, fleet, DARK)

    workspace.add(readings_of(*(window.rows(LEARNT, DAYS) for window in fleet[1:])), zone=MADRID, judge=True)

    assert ("Planta 0", "behaviour.low") in before
    assert ("Planta 0", "behaviour.low") not in _during(workspace, fleet, DARK)


def test_a_model_read_back_asks_the_same_peers(judged: Workspace) -> None:
    with Workspace.open(judged.folder) as again:
        assert told_lives(again) == told_lives(judged)
        assert not again.score().n_opened


def test_a_peer_that_goes_silent_leaves_the_others_enough(fleet: list[Window], tmp_path: Path) -> None:
    silent = [replace(w, values=np.full_like(w.values, np.nan)) if i == 5 else w for i, w in enumerate(fleet)]
    workspace = taught(tmp_path, fleet)

    workspace.add(readings_of(*(window.rows(LEARNT, DAYS) for window in silent[:5])), zone=MADRID, judge=True)

    told = _during(workspace, fleet, DARK)
    assert ("Planta 0", "behaviour.common") in told
    assert len({site for site, _ in told}) <= 2


def test_what_assets_show_is_known_of_few_instants_and_of_one_model(fleet: list[Window]) -> None:
    movements, key = Movements(), fleet[0].asset
    learnt, other = Peering(), Peering()
    few, many = fleet[0].time[:1], fleet[0].time

    movements.at("solar", learnt, few)[key] = {}
    movements.let_go([fleet[1].asset])
    is_kept = key in movements.at("solar", learnt, few)
    is_kept_of_another_model = key in movements.at("solar", other, few)
    movements.at("solar", other, few)[key] = {}
    movements.at("solar", other, many)
    movements.let_go([fleet[1].asset])

    assert is_kept
    assert not is_kept_of_another_model
    assert key not in movements.at("solar", other, few)
