"""Learning anew under guard: in the shadow first, never on bad data, champion only if it is better."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import ModelMissing
from sereno.domain.jobs import JobState
from sereno.domain.readings import Window
from sereno.domain.time import from_numpy
from sereno.flows.retraining import Outcome, Retrainer
from sereno.flows.workspace import Workspace
from sereno.testing.forecasters import a_metered_history
from tests.flows.test_promotion import lines
from tests.support.builders import a_workspace, readings_of, with_cells
from tests.support.processes import wait_until

LEARNT, DAY = 30, timedelta(days=1)
SETTINGS = "detector: {kind: pca}\nretrain: {every: 10d, min_new_days: 5, shadow: 8d}\n"


class Plant:
    """A workspace whose clock goes on and whose readings come day by day."""

    def __init__(self, folder: Path, windows: Sequence[Window], settings: str = SETTINGS) -> None:
        self.folder, self.windows, self.settings = folder, windows, settings
        self.start = from_numpy(windows[0].time[0])

    @contextmanager
    def on_day(self, day: float, *, since: int | None = None) -> Iterator[Workspace]:
        """The workspace on some day, with the readings since another one brought in."""
        with a_workspace(self.folder, settings=self.settings, now=self.start + day * DAY) as workspace:
            if since is not None:
                rows = [one.rows(24 * since, 24 * int(day)) for one in self.windows]
                workspace.add(readings_of(*rows), zone="UTC", judge=True)
            yield workspace


def replaced_pump(n_days: int = 80, *, at: int = LEARNT) -> list[Window]:
    """Lines of which one signal has another gain from a day on."""
    windows = lines(n_days=n_days)
    for one in windows:
        one.values[24 * at :, 1] *= 1.5
    return windows


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    made = Plant(tmp_path / "w", replaced_pump())
    with made.on_day(LEARNT, since=0) as workspace:
        workspace.train()
    return made


def outcomes(workspace: Workspace, *, is_asked: bool = False) -> list[str]:
    return [one.outcome.value for one in workspace.retrain(is_asked=is_asked)]


def test_a_better_one_is_learnt_shadows_and_judges(plant: Plant) -> None:
    with plant.on_day(39, since=LEARNT) as workspace:
        first = workspace.active_models()["process"]
        assert outcomes(workspace) == [], "not yet time"
    with plant.on_day(60, since=39) as workspace:
        (learnt,) = workspace.retrain()
        assert (learnt.outcome, outcomes(workspace)) == (Outcome.LEARNT, [])
        assert workspace.active_models() == {"process": first}
        assert workspace.model_sheet(learnt.model)["state"] == "shadow"
    with plant.on_day(72, since=60) as workspace:
        (decided,) = workspace.retrain()
        sheet = workspace.model_sheet(learnt.model)

    assert (decided.outcome, decided.facts["n_days"]) == (Outcome.PROMOTED, 12)
    assert sheet["state"] == "champion"
    events = {(one["event"], one["model"]) for one in sheet["history"]}  # type: ignore[attr-defined]
    assert events == {
        ("judges", first),
        *((event, learnt.model) for event in ("shadow", "compared", "judges")),
    }


def test_one_that_is_not_better_is_rejected(tmp_path: Path) -> None:
    plant = Plant(tmp_path / "w", lines(n_days=70))
    with plant.on_day(LEARNT, since=0) as workspace:
        workspace.train()
    with plant.on_day(45, since=LEARNT) as workspace:
        first = workspace.active_models()
        (learnt,) = workspace.retrain()
    with plant.on_day(60, since=45) as workspace:
        (decided,) = workspace.retrain()
        assert (decided.outcome, workspace.active_models()) == (Outcome.REJECTED, first)
        assert workspace.model_sheet(learnt.model)["state"] == "rejected"
        assert outcomes(workspace) == [], "the next one comes in its time"


def test_nothing_is_learnt_from_bad_data(plant: Plant) -> None:
    plant.windows = [with_cells(one, slice(24 * 35, 24 * 45), slice(None), np.nan) for one in plant.windows]
    with plant.on_day(45, since=LEARNT) as workspace:
        workspace.add(readings_of(*(one.rows(24 * 45, 24 * 46) for one in plant.windows)), zone="UTC")
        (step,) = workspace.retrain()
        history = workspace.model_history(workspace.active_models()["process"])
        assert outcomes(workspace) == [], "tried again the next day"

    assert step.outcome is Outcome.BAD_DATA
    assert 0.5 < step.facts["bad"] < 0.7  # type: ignore[operator]
    assert {str(one["event"]) for one in history} == {"judges", "postponed"}


def test_too_few_new_days_teach_nothing(plant: Plant) -> None:
    with plant.on_day(33, since=LEARNT) as workspace:
        (step,) = workspace.retrain(is_asked=True)

    assert (step.outcome, step.facts) == (Outcome.TOO_FEW_DAYS, {"days": 3, "wanted": 5})


def test_nothing_is_learnt_anew_before_anything_was_learnt(tmp_path: Path) -> None:
    with a_workspace(tmp_path / "w") as workspace:
        assert workspace.retrain() == []
        with pytest.raises(ModelMissing):
            workspace.retrain(is_asked=True)


def test_each_step_is_in_the_log_of_what_was_done(plant: Plant) -> None:
    with plant.on_day(45, since=LEARNT) as workspace:
        (learnt,) = workspace.retrain()
        with workspace.store.read() as tx:
            done = [one for one in tx.audit() if one.action == "retrain"]

    assert {(one.actor, one.door) for one in done} == {("sereno", "engine")}
    assert [one.after for one in done] == [
        {"model": learnt.model, "event": "learnt"},
        {"model": learnt.model, "event": "shadow"},
    ]


def test_a_shadow_judges_what_comes_and_nobody_is_told(plant: Plant) -> None:
    with plant.on_day(45, since=LEARNT) as workspace:
        (learnt,) = workspace.retrain()
    with plant.on_day(50, since=45) as workspace:
        told = [one.incident.id for one in workspace.incidents()]
        workspace.look_after_models()
        workspace.look_after_models()
        shadow = workspace.model_sheet(learnt.model)["shadow"]
        assert [one.incident.id for one in workspace.incidents()] == told
    with plant.on_day(52, since=50) as workspace:
        workspace.look_after_models()
        later = workspace.model_sheet(learnt.model)["shadow"]

    assert (shadow["n_assets"], shadow["n_rows"]) == (2, 2 * 24 * 5)  # type: ignore[index]
    assert (later["n_rows"], later["since"]) == (2 * 24 * 7, shadow["since"])  # type: ignore[index]
    assert shadow["n_champion"] <= len(told)  # type: ignore[index,operator]


def test_a_shadow_that_learnt_what_is_normal_says_less(plant: Plant) -> None:
    """The champion calls the new pump abnormal again and again; the candidate has seen it."""
    with plant.on_day(45, since=LEARNT) as workspace:
        (learnt,) = workspace.retrain()
    for one in plant.windows:
        one.values[24 * 47 : 24 * 48, 1] /= 1.5
    with plant.on_day(52, since=45) as workspace:
        workspace.look_after_models()
        shadow = workspace.model_sheet(learnt.model)["shadow"]

    assert shadow["n_rows"] == 2 * 24 * 7  # type: ignore[index]
    assert 0 <= shadow["n_told"] <= 2  # type: ignore[index,operator]


def test_two_engines_ask_for_one_job(plant: Plant) -> None:
    with plant.on_day(45, since=LEARNT) as one, plant.on_day(45) as other:
        one.look_after_models()
        other.look_after_models()
        jobs = one.jobs.jobs()
        wait_until(lambda: one.jobs.jobs()[0].state.is_over)
        (done,) = one.jobs.jobs()
        states = {str(version["state"]) for version in one.versions()}

    assert [job.kind for job in jobs] == ["retrain"]
    assert (done.state, done.author) == (JobState.DONE, "sereno")
    # The process of the job has the clock of the machine: long after, so it is due there as well.
    assert done.result is not None
    assert [step["outcome"] for step in done.result["steps"]] == ["learnt"]  # type: ignore[attr-defined]
    assert states == {"champion", "shadow"}


def test_forecasters_shadow_and_are_compared_too(tmp_path: Path) -> None:
    windows = a_metered_history("power", n_meters=2, n_days=80)
    plant = Plant(tmp_path / "w", windows, "retrain: {every: 10d, min_new_days: 5, shadow: 8d}\n")
    with plant.on_day(40, since=0) as workspace:
        workspace.forecast()
        first = str(workspace.versions()[0]["id"])
    with plant.on_day(55, since=40) as workspace:
        (learnt,) = workspace.retrain()
        told = workspace.forecast().forecasts
        assert len(told) == 2
    with plant.on_day(56, since=55) as workspace:
        shadow = workspace.model_sheet(learnt.model)["shadow"]
        with workspace.store.read() as tx:
            kept = [one.forecast.model for asset in tx.assets() for one in tx.forecasts(asset.id)]
    with plant.on_day(70, since=56) as workspace:
        (decided,) = workspace.retrain()
        champions = [one["id"] for one in workspace.versions() if one["state"] == "champion"]

    assert learnt.outcome is Outcome.LEARNT
    assert set(kept) == {"ridge"}, "nobody is told what the shadow says"
    assert (shadow["n_assets"], shadow["n_rows"]) == (2, 48)  # type: ignore[index]
    assert 0 < shadow["error"] < 2 * shadow["champion_error"]  # type: ignore[index,operator]
    assert 0.5 < shadow["coverage"] <= 1.0  # type: ignore[index,operator]
    assert decided.facts["measure"] == "pinball"
    assert champions == [first if decided.outcome is Outcome.REJECTED else learnt.model]


def test_what_is_due_is_told_from_clocks_alone(plant: Plant) -> None:
    with plant.on_day(39.9) as workspace:
        assert Retrainer(workspace.registrar).due() == []
    with plant.on_day(40) as workspace:
        assert Retrainer(workspace.registrar).due() == ["process"]


def test_an_engine_with_nothing_to_learn_looks_after_nothing(tmp_path: Path) -> None:
    plant = Plant(tmp_path / "w", lines(n_days=LEARNT), "detector: {kind: pca}\n")
    with plant.on_day(LEARNT, since=0) as workspace:
        workspace.train()
        assert not workspace.is_look_at_models_due
        candidate = workspace.train(detector="robust", is_candidate=True)[0]
        workspace.registrar.send_to_shadow(candidate.id)
        assert not workspace.is_look_at_models_due, "looked a moment ago"
    with plant.on_day(LEARNT + 1) as workspace:
        assert workspace.is_look_at_models_due
