"""From readings to who hears of them: one cause for many, a meter that is silent, work that was declared."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import SettingsError
from sereno.domain.readings import Window
from sereno.domain.time import from_numpy
from sereno.flows.workspace import Workspace
from tests.support.builders import HOUR, MADRID, a_roof, a_solar_workspace, a_workspace, readings_of

LEARNT = 200
HOURS = 24 * 60


def watched(folder: Path, roofs: Sequence[Window], *, settings: str = "", learnt: int = LEARNT) -> Workspace:
    """A workspace that has learnt the first rows, and whose clock stands just after the last."""
    a_solar_workspace(folder, roofs, trained_on=learnt).close()
    with (folder / "sereno.yaml").open("a", encoding="utf-8") as file:
        file.write(settings)
    now = max(from_numpy(roof.time[-1]) for roof in roofs) + timedelta(hours=2)
    workspace = a_workspace(folder, now=now)
    workspace.add(readings_of(*(roof.rows(learnt, len(roof)) for roof in roofs)), zone=MADRID, judge=True)
    return workspace


def active(workspace: Workspace) -> list[dict[str, object]]:
    views = workspace.incidents(order="newest")
    return [view.to_json(workspace.now()) for view in views if view.incident.ended_at is None]


def test_fleet_that_stops_at_once_is_told_as_one(tmp_path: Path) -> None:
    roofs = [
        a_roof(f"Planta {n}", rows=240, size=9.0 * n, generation={(238, None): 0.0}) for n in range(1, 7)
    ]

    with watched(tmp_path / "w", roofs) as workspace:
        stopped = [one for one in active(workspace) if one["cause"] == "behaviour.low"]

    assert len(stopped) == 6
    (lead,) = [one for one in stopped if one["visibility"] == "shown"]
    assert lead["children"] == 5
    assert {tuple(one["parents"]) for one in stopped if one is not lead} == {(lead["id"],)}


def test_one_roof_that_stops_is_told(tmp_path: Path) -> None:
    roofs = [a_roof(f"Planta {n}", rows=240, size=9.0 * n) for n in range(1, 6)]
    roofs.append(a_roof("Planta 6", rows=240, size=54.0, generation={(238, None): 0.0}))

    with watched(tmp_path / "w", roofs) as workspace:
        stopped = [one for one in active(workspace) if one["cause"] == "behaviour.low"]

    assert [(one["site"], one["visibility"]) for one in stopped] == [("Planta 6", "shown")]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ('{site: "Planta *", comment: reforma}', "silenced"),
        ('{site: "Otra *", comment: reforma}', "shown"),
        ('{site: "Planta *", end: 2024-01-05, comment: hace mucho}', "shown"),
        ("{severity_at_most: low}", "shown"),
    ],
    ids=["fits", "another site", "over", "worse than that"],
)
def test_declared_maintenance_keeps_quiet_what_it_speaks_of(tmp_path: Path, said: str, wanted: str) -> None:
    roofs = [a_roof("Planta 1", rows=240, generation={(230, None): 0.0})]

    with watched(tmp_path / "w", roofs, settings=f"maintenance:\n  obra: {said}\n") as workspace:
        found = [one["visibility"] for one in active(workspace) if one["cause"] == "behaviour.low"]
        summary = workspace.summary()

    assert found == [wanted]
    assert (summary["silenced"] > 0) is (wanted == "silenced")


@pytest.mark.parametrize(("horizon", "wanted"), [("30d", "silenced"), ("1d", "shown")])
def test_all_that_may_be_told_may_be_kept_quiet(tmp_path: Path, horizon: str, wanted: str) -> None:
    roofs = [a_roof("Planta 1", rows=240, generation={(225, 230): 0.0})]
    settings = f'notify_horizon: {horizon}\nmaintenance:\n  obra: {{site: "Planta *", comment: reforma}}\n'

    with watched(tmp_path / "w", roofs, settings=settings) as workspace:
        over = [view.to_json(workspace.now()) for view in workspace.incidents()]

    assert [one["visibility"] for one in over if one["cause"] == "behaviour.low"] == [wanted]


def test_hours_of_maintenance_return_what_goes_on_after_them(tmp_path: Path) -> None:
    n_rows = HOURS + 13
    roof = a_roof("Planta 1", rows=n_rows, step=HOUR, generation={(HOURS + 8, None): 0.0})
    settings = 'maintenance:\n  obra: {hours: "08:00-18:00", days: [1, 2, 3, 4, 5, 6, 7]}\n'

    with watched(tmp_path / "w", [roof], settings=settings, learnt=HOURS) as workspace:
        during = [one["visibility"] for one in active(workspace) if one["cause"] == "behaviour.low"]
        folder, later = workspace.folder, workspace.now() + timedelta(hours=12)
    with a_workspace(folder, now=later) as workspace:
        workspace.fire_timers()
        after = [one["visibility"] for one in active(workspace) if one["cause"] == "behaviour.low"]

    assert during == ["silenced"]
    assert after == ["shown"]


@pytest.mark.parametrize(
    "said",
    [
        '{hours: "08:00-18:00"}',
        "{start: 2026-03-02, end: 2026-03-01}",
        '{hours: "08:00-18:00", days: [8]}',
        '{hours: "8-18", days: [1]}',
        "{days: [1], timezone: Madrid}",
        "{mutes: [everything]}",
    ],
    ids=["no days", "ends before", "no such day", "no hours", "no zone", "no event"],
)
def test_maintenance_that_makes_no_sense_is_refused_with_its_place(tmp_path: Path, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        a_workspace(tmp_path, settings=f"maintenance:\n  obra: {said}\n").score()

    assert "maintenance.obra" in str(caught.value)
