"""What becomes of a look for drift: verdicts are kept, the registry is told, models are learnt anew."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.drift import DriftKind, DriftLevel
from sereno.domain.registry import RegistryEntry, RegistryEvent
from sereno.flows.drift_watch import is_drift_due
from sereno.flows.retraining import Outcome, Retrainer
from sereno.flows.workspace import Workspace
from tests.drift.growing import N_WEEKS, drifted_city, in_week
from tests.support.builders import HOUR
from tests.support.processes import wait_until

WEEK = timedelta(days=7)


def told(workspace: Workspace) -> Sequence[RegistryEntry]:
    with workspace.store.read() as tx:
        return [one for one in tx.registry() if one.event is RegistryEvent.DRIFT]


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forecaster learnt before the growth, and a look for drift after it."""
    return drifted_city(tmp_path_factory.mktemp("drifted") / "w")


def test_the_last_verdicts_are_known(drifted: Path) -> None:
    with in_week(drifted, N_WEEKS) as workspace:
        grown, usual = workspace.drifts()
        (whole,) = workspace.drifts(grown.asset_id)
        now = workspace.now()

    assert (grown.drift.asset.asset, usual.drift.asset.asset) == ("Norte", "Sur")
    assert (grown.judged_at, grown.profile, grown.drift.target) == (now, "load", "power")
    assert grown.drift.level >= DriftLevel.MEDIUM > usual.drift.level
    assert len(whole.drift.verdicts[DriftKind.CONCEPT].replays) >= 8


def test_the_registry_of_the_champion_notes_it_once(drifted: Path) -> None:
    with in_week(drifted, N_WEEKS) as workspace:
        (champion,) = workspace.versions()
        workspace.drift()
        (entry,) = told(workspace)

    assert (entry.model_id, entry.profile) == (champion["id"], champion["profile"])
    assert entry.facts["assets"] == ["Ciudad/Norte"]
    assert (entry.facts["n_assets"], entry.facts["kinds"]) == (1, ["concept"])


def test_a_drift_is_a_reason_to_learn_and_none_to_take_over(drifted: Path) -> None:
    with in_week(drifted, N_WEEKS) as workspace:
        first = workspace.versions()[0]["id"]
        assert Retrainer(workspace.registrar).due() == [workspace.versions()[0]["profile"]]
        (learnt,) = workspace.retrain()
        states = {str(one["id"]): one["state"] for one in workspace.versions()}
        history = workspace.model_history(learnt.model)
        again = workspace.retrain()

    assert (learnt.outcome, learnt.facts["cause"], again) == (Outcome.LEARNT, "drift", [])
    assert states == {first: "champion", learnt.model: "shadow"}
    assert [(one["event"], one["reason"]) for one in history if one["event"] in ("drift", "shadow")] == [
        ("drift", "drift"),
        ("shadow", "drift"),
    ]


@pytest.mark.parametrize(
    "settings",
    ["drift: {every: 7d}\nretrain: {on_drift: false}\n", "retrain: {every: 99999d, on_drift: false}\n", ""],
    ids=["refused", "later", "never"],
)
def test_nothing_is_learnt_for_a_drift_where_that_is_not_wanted(tmp_path: Path, settings: str) -> None:
    with in_week(tmp_path / "w", 10, since=0, settings=settings) as workspace:
        workspace.forecast()
        (champion,) = workspace.versions()
        now = workspace.now() + timedelta(hours=1)
        noted = RegistryEntry(str(champion["profile"]), str(champion["id"]), RegistryEvent.DRIFT, now, "", "")
        with workspace.store.begin() as tx:
            tx.add_registry_entry(noted)
    with in_week(tmp_path / "w", 14) as workspace:
        assert Retrainer(workspace.registrar).due() == []


def test_an_engine_looks_in_time_and_once(tmp_path: Path) -> None:
    with in_week(tmp_path / "w", 8, since=0) as one, in_week(tmp_path / "w", 8) as other:
        assert one.is_look_at_models_due
        one.look_after_models()
        other.look_after_models()
        wait_until(lambda: one.jobs.jobs()[0].state.is_over, timeout=120)
        (done,) = one.jobs.jobs()
        kept = one.drifts()

    assert (done.kind, done.author) == ("drift", "sereno")
    assert done.result == {"level": "UNKNOWN", "assets": 2, "alarming": 0}, done.error
    assert {one.drift.action for one in kept} == {"wait"}


def test_a_look_that_failed_is_tried_again_the_next_day(tmp_path: Path) -> None:
    with in_week(tmp_path / "w", 12) as workspace:
        workspace.look_after_models()
        wait_until(lambda: workspace.jobs.jobs()[0].state.is_over, timeout=120)
        (failed,) = workspace.jobs.jobs()
        with workspace.store.read() as tx:
            due = {hours: is_drift_due(tx, WEEK, workspace.now() + hours * HOUR) for hours in (2, 23, 25)}

    assert failed.error is not None
    assert failed.error["code"] == "read.no_readings"
    assert due == {2: False, 23: False, 25: True}
