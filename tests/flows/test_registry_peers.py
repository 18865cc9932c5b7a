"""The registry with levels beside peers: versions, comparison on drifts, shadow, rollback, learning again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sereno.detect.peers import TrainedPeers
from sereno.domain.archive import digest_of
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.domain.registry import Opinion
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy
from sereno.flows.fleet import BlockNeighbours
from sereno.flows.frames import LearningOptions, Table, judge_table, learn_table
from sereno.flows.judge import DRIFT, behaviour_in, judge_window, weigh_window
from sereno.flows.learning import shelve
from sereno.flows.models import TrainedModel, artefact_of, model_of
from sereno.flows.reproducing import Verdict
from sereno.flows.results import asset_result
from sereno.flows.retraining import Outcome
from sereno.flows.trials import compare_detectors
from sereno.flows.workspace import Workspace
from tests.support.builders import DAY, PROFILES, a_window, a_workspace, readings_of

FIRST, SECOND, ALL = 240, 270, 300
"""Days that the champion, the candidate and neither have seen the end of."""
LOAD = PROFILES["load"]


def meters(*, n_days: int = ALL, n_meters: int = 5, seed: int = 3) -> list[Window]:
    """Meters of one town: the weather moves all of them, each has a little noise of its own."""
    rng = np.random.default_rng(seed)
    weather = np.exp(np.convolve(rng.normal(size=n_days + 6), np.full(7, 0.12), "valid"))
    windows = []
    for number in range(n_meters):
        values = 50.0 * (number + 1) * weather * np.exp(0.03 * rng.normal(size=n_days))
        key = AssetKey(f"Contador {number}", f"Contador {number}")
        windows.append(
            a_window(values, signals=("power",), step=DAY, asset=key, profile="load", start="2024-01-01T00")
        )
    return windows


def rows(windows: Sequence[Window], start: int, stop: int) -> list[Window]:
    return [one.rows(start, stop) for one in windows]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A champion, a candidate that has seen a month more, and a month that neither has seen."""
    windows = meters()
    with a_workspace(tmp_path / "w", settings="detector: {kind: peers}\n") as made:
        made.add(readings_of(*rows(windows, 0, FIRST)), zone="UTC")
        made.train()
        made.add(readings_of(*rows(windows, FIRST, SECOND)), zone="UTC")
        made.train(is_candidate=True)
        made.add(readings_of(*rows(windows, SECOND, ALL)), zone="UTC")
        yield made


def versions(workspace: Workspace) -> dict[str, str]:
    """Id by state."""
    return {str(one["state"]): str(one["id"]) for one in workspace.versions()}


def judged(model: TrainedModel, windows: Sequence[Window]) -> bytes:
    """What a model says of each meter beside its peers, bit for bit."""
    neighbours = BlockNeighbours({one.asset: one for one in windows})
    told = [
        weigh_window(one, LOAD, model, Memory(), None, neighbours.reference(one.asset, model, one.time))
        for one in windows
    ]
    scores = np.concatenate([behaviour_in(one.evidence).exceedance for one in told])
    assert np.isfinite(scores).mean() > 0.5
    return scores.tobytes()


def dulled(model: TrainedModel, name: str) -> TrainedModel:
    """The model with limits that no drift reaches."""
    deaf = {key: replace(level, limits=20.0 * level.limits) for key, level in model.peers.levels.items()}
    levels = replace(model.peers, levels=deaf)
    return replace(model, card=replace(model.card, id=name), detector=levels, peers=levels)


def test_versions_have_cards_and_artefacts_that_hold_levels_once(workspace: Workspace) -> None:
    model = workspace.model("load")
    assert model is not None
    data = artefact_of(model)
    again = model_of(data, "w", workspace.profiles)
    sheet = workspace.model_sheet(versions(workspace)["champion"])

    assert set(versions(workspace)) == {"champion", "candidate"}
    assert (model.card.detector, len(model.card.assets)) == ("peers", 5)
    assert isinstance(again.detector, TrainedPeers)
    assert again.peers is again.detector
    assert (artefact_of(again), digest_of(data)) == (data, sheet["lineage"]["digest"])  # type: ignore[index]
    assert judged(again, meters()) == judged(model, meters())


def test_a_drift_is_told_once_and_as_a_drift(workspace: Workspace) -> None:
    model, windows = workspace.model("load"), meters()
    assert model is not None
    fallen = windows[0].values.copy()
    fallen[FIRST:] *= 0.6
    new = rows([replace(windows[0], values=fallen), *windows[1:]], FIRST, ALL)
    neighbours = BlockNeighbours({one.asset: one for one in new})

    found = [
        detection
        for one in new
        for reference in [neighbours.reference(one.asset, model, one.time)]
        for detection in judge_window(one, LOAD, model, model.memories[one.asset], None, reference).detections
    ]

    assert [(one.asset, one.check, one.cause) for one in found] == [
        (windows[0].asset, DRIFT, "behaviour.drift_low")
    ]
    assert found[0].model == model.card.id


def test_results_of_stored_rows_are_told_beside_peers(workspace: Workspace) -> None:
    model, windows = workspace.model("load"), meters()
    assert model is not None
    with workspace.store.read() as tx:
        found = [asset_result(tx, one, LOAD, model) for one in tx.assets("load")]

    scores = np.concatenate([one.score for one in found])
    assert scores.tobytes() == judged(model, windows)


def test_a_table_of_many_assets_is_judged_beside_peers() -> None:
    windows = meters()
    table = Table(
        signals=("power",),
        values=np.concatenate([one.values for one in windows]),
        time=np.concatenate([one.time for one in windows]),
        assets=[one.asset.asset for one in windows for _ in range(len(one))],
    )

    model = learn_table(table, LearningOptions("load", "peers", {}, "auto", 0.25))
    fallen = table.values.copy()
    fallen[ALL - 30 : ALL] *= 0.6
    before, after = (judge_table(one, model) for one in (table, replace(table, values=fallen)))

    assert np.isfinite(before).mean() > 0.9
    assert before[ALL - 1] < model.card.calibration.threshold < after[ALL - 1]


def test_candidate_is_compared_on_drifts_promoted_and_taken_back_bit_for_bit(workspace: Workspace) -> None:
    first, found = workspace.model("load"), versions(workspace)
    assert first is not None
    before = judged(first, meters())
    comparison = workspace.registrar.compare(found["candidate"])
    workspace.promote_model(found["candidate"], actor="ana", reason="trial", is_forced=True)
    during = judged(workspace.model("load"), meters())  # type: ignore[arg-type]
    back = workspace.roll_back_model(None, actor="ana", reason="no better")

    assert (comparison.n_days, comparison.n_assets, comparison.measure) == (28, 5, "drifts")
    assert comparison.champion_loss < 1.0, "drifts that were put in are found"
    assert during != before
    assert (back.id, judged(workspace.model("load"), meters())) == (found["champion"], before)  # type: ignore[arg-type]


def test_one_that_hears_drifts_is_better_than_one_that_does_not(workspace: Workspace) -> None:
    hearing = workspace.model("load")
    assert hearing is not None
    deaf = dulled(hearing, "load-deaf")

    better = compare_detectors(workspace.store, LOAD, deaf, hearing)
    worse = compare_detectors(workspace.store, LOAD, hearing, deaf)

    assert (better.opinion, worse.opinion) == (Opinion.BETTER, Opinion.WORSE)
    assert deaf.calibrations == hearing.calibrations
    assert better.champion_loss == 1.0, "nothing is found, and nothing told falsely"


def test_both_are_learnt_again_bit_for_bit(workspace: Workspace) -> None:
    (again,) = workspace.reproduce()

    assert again.verdict is Verdict.REPRODUCIBLE, again.to_json()
    assert {run["model"] for run in again.runs} == {again.stored_digest}
    assert 0.9 < again.runs[0]["metrics"]["r2"] <= 1.0  # type: ignore[index]


def test_learnt_anew_it_shadows_and_replaces_one_that_is_deaf(tmp_path: Path) -> None:
    windows = meters()
    begun = from_numpy(windows[0].time[0])
    settings = "detector: {kind: peers}\nretrain: {every: 20d, min_new_days: 14, shadow: 20d}\n"

    def on_day(day: int) -> Workspace:
        return a_workspace(tmp_path / "w", settings=settings, now=begun + day * DAY)

    with on_day(FIRST) as workspace:
        workspace.add(readings_of(*rows(windows, 0, FIRST)), zone="UTC")
        workspace.train()
        champion = workspace.model("load")
        assert champion is not None
        shelve(workspace.setup, workspace.store, dulled(champion, "load-deaf"))
    with on_day(SECOND) as workspace:
        workspace.add(readings_of(*rows(windows, FIRST, SECOND)), zone="UTC", judge=True)
        (learnt,) = workspace.retrain()
    with on_day(ALL) as workspace:
        workspace.add(readings_of(*rows(windows, SECOND, ALL)), zone="UTC", judge=True)
        workspace.look_after_models()
        shadow = workspace.model_sheet(learnt.model)["shadow"]
        (decided,) = workspace.retrain()
        active = workspace.active_models()

    assert learnt.outcome is Outcome.LEARNT
    assert shadow["n_rows"] == len(windows) * (ALL - SECOND)  # type: ignore[index]
    assert (decided.outcome, decided.facts["measure"]) == (Outcome.PROMOTED, "drifts")
    assert active == {"load": learnt.model}


def test_too_short_a_history_is_said_to_be_too_short(tmp_path: Path) -> None:
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(*meters(n_days=50)), zone="UTC")
        with pytest.raises(HistoryTooShort) as refused:
            workspace.train(detector="peers")

    assert "'peers'" in str(refused.value)
    assert "50 rows" in str(refused.value)
