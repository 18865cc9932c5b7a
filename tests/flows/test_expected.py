"""The expected value in a workspace: it opens the incident, is told and drawn, and stands still meanwhile."""

from pathlib import Path

import numpy as np
import pytest

from sereno.domain.time import from_numpy
from sereno.flows.courses import bands_of
from tests.detect.test_expected import N_DAYS, PER_DAY, after_history, sagging
from tests.support.builders import MADRID, a_workspace, readings_of

FAULT_DAYS = 12
FALLS_AFTER = 6


def test_a_load_that_falls_for_days_stays_an_incident_beside_its_expected_value(tmp_path: Path) -> None:
    days = FALLS_AFTER + FAULT_DAYS
    faulty, sound = (after_history(sagging(FALLS_AFTER, one), days) for one in (0.6, 1.0))
    with a_workspace(tmp_path / "w", settings="detectors: {load: expected}\n") as workspace:
        workspace.add(readings_of(faulty.rows(0, N_DAYS * PER_DAY)), zone=MADRID)
        (card,) = workspace.train()
        workspace.add(readings_of(faulty.rows(N_DAYS * PER_DAY, len(faulty))), zone=MADRID)
        workspace.score()
        views = [one for one in workspace.incidents() if one.incident.worst.cause == "behaviour.low"]
        start, end = (from_numpy(faulty.time[place]) for place in (-3 * PER_DAY, -1))
        lanes = bands_of(workspace, faulty.asset, "load", start=start, end=end).lanes
        sentence = views[0].sentence("en")

    assert card.detector == "expected"
    (incident,) = (one.incident for one in views)
    assert incident.worst.observed < 0.8 * incident.worst.expected
    assert incident.ended_at is None
    assert "power" in sentence.lower()
    (power,) = (one for one in lanes if one.signal == "power")
    usual = np.nanmean(sound.values[-3 * PER_DAY : -1, 0])
    assert np.nanmean(power.values) == pytest.approx(usual, rel=0.05)
