"""The expected value in a workspace: it opens the incident, is told and drawn, and stands still meanwhile."""

from pathlib import Path

import numpy as np
import pytest

from sereno.domain.time import from_numpy
from sereno.flows.courses import bands_of
from tests.detect.test_expected import FIRST_OF_MAY, N_DAYS, PER_DAY, after_history, an_office, sagging
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


@pytest.mark.parametrize(
    ("closed_on", "n_told"), [(None, 0), (FIRST_OF_MAY + 6, 1)], ids=["holiday", "workday"]
)
def test_a_holiday_opens_no_incident_and_a_closed_workday_does(
    tmp_path: Path, closed_on: int | None, n_told: int
) -> None:
    office = an_office(500, rests=True, closed_on=closed_on)
    settings = "detectors: {load: expected}\nforecast: {country: ES}\n"
    with a_workspace(tmp_path / "w", settings=settings) as workspace:
        workspace.add(readings_of(office.rows(0, 470 * PER_DAY)), zone=MADRID)
        (card,) = workspace.train()
        workspace.add(readings_of(office.rows(470 * PER_DAY, len(office))), zone=MADRID)
        workspace.score()
        told = [
            one.incident.worst for one in workspace.incidents() if one.incident.worst.check == "behaviour"
        ]

    later = [one for one in told if one.started_at >= from_numpy(office.time[470 * PER_DAY])]
    assert card.settings["country"] == "ES"
    assert len(later) == n_told
