"""No version replaces another unless it was better on days that neither has seen."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import ForcingNeedsReason, NotFound, PromotionRefused, PromotionTooEarly
from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.domain.registry import Opinion
from sereno.domain.signals import AssetKey
from sereno.evaluate.pairing import MIN_DAYS, pair_days
from sereno.flows.forecast_trials import compare_forecasters
from sereno.flows.learning import shelve
from sereno.flows.models import TrainedModel
from sereno.flows.trials import alarm_rows, compare_detectors
from sereno.flows.workspace import Workspace
from sereno.forecast.forecasters import NaiveForecaster, RidgeForecaster
from sereno.testing.forecasters import a_metered_history
from tests.support.builders import HOUR, PROFILES, a_window, a_workspace, readings_of
from tests.support.overfit import GrownForest, RecitingDetector, calibrated_in_sample, last_seen

DAYS_LEARNT, DAYS_NEW = 45, 14
SIGNALS = ("flow", "pressure")
SETTINGS = "detector: {kind: pca}\n"


def lines(seed: int = 0, *, n_days: int = DAYS_LEARNT + DAYS_NEW, n_assets: int = 2) -> list[Window]:
    """Hourly lines whose signals move with the day and with each other."""
    windows = []
    for number in range(n_assets):
        rng = np.random.default_rng([seed, number])
        day = np.sin(2 * np.pi * np.arange(24 * n_days) / 24)
        flow = 100.0 + 10 * day + rng.normal(size=len(day))
        values = np.stack([flow, 0.5 * flow + 0.5 * rng.normal(size=len(day))], axis=1)
        key = AssetKey(f"Linea {number}", f"Linea {number}")
        windows.append(
            a_window(values, signals=SIGNALS, step=HOUR, asset=key, profile="process", start="2025-03-01T00")
        )
    return windows


def learnt(
    folder: Path, windows: Sequence[Window], *, days: int = DAYS_LEARNT, settings: str = SETTINGS
) -> Workspace:
    """A workspace that has learnt some days and then got the others."""
    workspace = a_workspace(folder, settings=settings)
    workspace.add(readings_of(*(one.rows(0, 24 * days) for one in windows)), zone="UTC")
    workspace.train()
    workspace.add(readings_of(*windows), zone="UTC")
    return workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with learnt(tmp_path / "w", lines()) as made:
        yield made


def reciting(champion: TrainedModel, windows: Sequence[Window], days: int) -> TrainedModel:
    """A challenger that knows its history by heart and is calibrated on it."""
    seen = {one.asset: one.rows(0, 24 * days) for one in windows}
    detector = RecitingDetector(PROFILES["process"], {key: one.values for key, one in seen.items()})
    own = np.concatenate([detector.score(one)[0].values for one in seen.values()])
    calibrations = {name: calibrated_in_sample(one, own) for name, one in champion.calibrations.items()}
    return replace(
        champion,
        card=replace(champion.card, id="process-by-heart"),
        detector=detector,
        calibrations=calibrations,
        memories=dict.fromkeys(champion.memories, Memory()),
    )


def refused_by_heart(folder: Path, seed: int) -> bool:
    """Whether a detector that knows its history by heart is refused, though nothing there alarms it."""
    windows = lines(seed)
    with learnt(folder / str(seed), windows) as workspace:
        champion = workspace.model("process")
        assert champion is not None
        challenger = reciting(champion, windows, DAYS_LEARNT)
        calibration = next(iter(challenger.calibrations.values()))
        history = windows[0].rows(0, 24 * DAYS_LEARNT)
        assert not alarm_rows(challenger.detector.score(history)[0].values, calibration).any()
        found = compare_detectors(workspace.store, PROFILES["process"], champion, challenger)
    return found.opinion is Opinion.WORSE and found.n_days >= MIN_DAYS


def refused_forest(seed: int) -> bool:
    """Whether a fully grown forest is refused, though it repeats its history without an error."""
    windows = a_metered_history("power", n_meters=2, n_days=50, seed=seed)
    known = [one.rows(0, 40 * 24) for one in windows]
    until = last_seen(known[0])
    champion = RidgeForecaster("power", days_ahead=1).fit(known)
    challenger = GrownForest("power", seed=seed).fit(known)
    again = challenger.forecast(known[0], until - timedelta(hours=23), timedelta(days=1))
    assert np.allclose(again.median, known[0].values[-24:, 0])
    found = compare_forecasters(windows, "power", ("ridge", champion, until), ("forest", challenger, until))
    return found.opinion is Opinion.WORSE and found.n_days >= MIN_DAYS


def test_what_knows_its_history_by_heart_is_rejected(tmp_path: Path) -> None:
    assert refused_by_heart(tmp_path, 0)
    assert all(refused_forest(seed) for seed in range(2))


@pytest.mark.slow
def test_what_knows_its_history_by_heart_is_rejected_20_times_of_20(tmp_path: Path) -> None:
    assert sum(refused_by_heart(tmp_path, seed) for seed in range(20)) == 20
    assert sum(refused_forest(seed) for seed in range(20)) == 20


def test_a_forecaster_that_is_better_is_found_better() -> None:
    windows = a_metered_history("power", n_meters=2, n_days=60)
    known = [one.rows(0, 45 * 24) for one in windows]
    until = last_seen(known[0])
    naive = NaiveForecaster("power").fit(known)
    ridge = RidgeForecaster("power", days_ahead=1).fit(known)

    found = compare_forecasters(windows, "power", ("naive", naive, until), ("ridge", ridge, until))

    assert (found.opinion, found.n_days, found.n_assets) == (Opinion.BETTER, 15, 2)
    assert found.high < 0.0 < found.challenger_loss < found.champion_loss


def test_an_older_champion_learns_the_days_between_first() -> None:
    windows = a_metered_history("power", n_meters=2, n_days=60)
    early, late = ([one.rows(0, days * 24) for one in windows] for days in (40, 45))
    ridge = RidgeForecaster("power", days_ahead=1)

    found = compare_forecasters(
        windows,
        "power",
        ("early", ridge.fit(early), last_seen(early[0])),
        ("late", ridge.fit(late), last_seen(late[0])),
    )

    assert abs(found.difference) < 0.03 * found.champion_loss


def test_days_are_drawn_whole_and_few_days_decide_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=28)

    assert pair_days(np.zeros(28), noise * 0.1 - 1.0).opinion is Opinion.BETTER
    assert pair_days(np.zeros(28), noise * 0.1 + 1.0).opinion is Opinion.WORSE
    assert pair_days(np.zeros(28), noise - noise.mean()).opinion is Opinion.ALIKE
    assert pair_days(np.zeros(6), -np.ones(6)).opinion is Opinion.TOO_FEW_DAYS
    assert pair_days(np.full(28, np.nan), noise).n_days == 0


def test_a_false_claim_of_better_is_as_rare_as_said() -> None:
    found = [pair_days(*np.random.default_rng(seed).normal(size=(2, 14))).opinion for seed in range(1000)]

    assert 0.005 <= found.count(Opinion.BETTER) / len(found) <= 0.04


def test_an_always_alarming_detector_costs_every_day(workspace: Workspace) -> None:
    champion = workspace.model("process")
    assert champion is not None
    low = {name: replace(one, threshold=1e-9) for name, one in champion.calibrations.items()}
    deaf = {name: replace(one, threshold=1e9) for name, one in champion.calibrations.items()}

    losses = [
        compare_detectors(
            workspace.store, PROFILES["process"], champion, replace(champion, calibrations=thresholds)
        )
        for thresholds in (low, deaf)
    ]

    assert [round(one.challenger_loss, 6) for one in losses] == [2.0, 1.0], "alarmed and blind; blind"
    assert {one.opinion for one in losses} == {Opinion.WORSE}
    assert losses[0].champion_loss < 0.6


def test_a_candidate_waits_and_is_refused_without_unseen_days(workspace: Workspace) -> None:
    before = workspace.active_models()
    candidate = workspace.train(detector="robust", is_candidate=True)[0]

    with pytest.raises(PromotionTooEarly) as refused:
        workspace.promote_model(candidate.id)

    assert workspace.active_models() == before
    assert (refused.value.facts["days"], refused.value.facts["wanted"]) == (0, MIN_DAYS)
    assert workspace.model_sheet(candidate.id)["state"] == "candidate"


def test_forcing_needs_a_reason_and_leaves_it(workspace: Workspace) -> None:
    candidate = workspace.train(detector="robust", is_candidate=True)[0]

    with pytest.raises(ForcingNeedsReason):
        workspace.promote_model(candidate.id, is_forced=True, reason="  ")
    workspace.promote_model(candidate.id, is_forced=True, reason="audit asks for it", actor="ana")

    assert workspace.active_models() == {"process": candidate.id}
    last = workspace.model_history(candidate.id)[-1]
    assert (last["event"], last["who"], last["reason"]) == ("judges", "ana", "audit asks for it")


def test_the_verdict_is_kept_on_the_card(workspace: Workspace) -> None:
    windows = lines()
    champion = workspace.active_models()["process"]
    first_new = windows[0].time[24 * DAYS_LEARNT]
    candidate = workspace.train(detector="robust", is_candidate=True, before=first_new.item().astimezone())[0]

    found = workspace.registrar.compare(candidate.id, actor="ana")
    sheet = workspace.model_sheet(candidate.id)

    assert (found.champion, found.n_days, found.n_assets) == (champion, DAYS_NEW, 2)
    assert sheet["comparison"] == found.to_json()
    assert sheet["state"] == ("rejected" if found.opinion is not Opinion.BETTER else "candidate")
    assert sheet["lineage"]["fingerprint"] == candidate.fingerprint  # type: ignore[index]


def test_what_is_worse_is_refused_and_stays_rejected(workspace: Workspace) -> None:
    at = lines()[0].time[24 * DAYS_LEARNT].item().astimezone()
    deaf = workspace.train(budget=0.3, is_candidate=True, before=at)[0]
    model = workspace.registrar.shelf
    with workspace.store.read() as tx:
        (stored,) = [one for one in tx.models() if one.card.id == deaf.id]
    learnt_deaf = model.version(stored)
    raised = {name: replace(one, threshold=1e9) for name, one in learnt_deaf.calibrations.items()}
    card = replace(learnt_deaf.card, id="process-deaf", calibration=next(iter(raised.values())))
    shelve(
        workspace.setup,
        workspace.store,
        replace(learnt_deaf, card=card, calibrations=raised),
        is_candidate=True,
    )

    with pytest.raises(PromotionRefused) as refused:
        workspace.promote_model("process-deaf", reason="quiet")

    assert refused.value.facts["days"] == DAYS_NEW
    assert refused.value.facts["low"] > 0  # type: ignore[operator]
    assert workspace.model_sheet("process-deaf")["state"] == "rejected"


def test_what_is_better_is_promoted(tmp_path: Path) -> None:
    """A pump was replaced after the champion had learnt: what it calls abnormal is how things are now."""
    windows = lines(n_days=90)
    for one in windows:
        one.values[24 * 30 :, 1] *= 1.5
    with learnt(tmp_path / "w", windows, days=30) as workspace:
        first = workspace.active_models()["process"]
        at = windows[0].time[24 * 70].item().astimezone()
        candidate = workspace.train(is_candidate=True, before=at)[0]
        promoted = workspace.promote_model(candidate.id, reason="calmer now")
        states = {one["id"]: one["state"] for one in workspace.versions()}

    assert promoted.id == candidate.id
    assert states == {first: "retired", candidate.id: "champion"}


def test_rolling_back_judges_bit_for_bit_as_before(workspace: Workspace, tmp_path: Path) -> None:
    def judged(name: str) -> bytes:
        workspace.export_results(tmp_path / name)
        return (tmp_path / name).read_bytes()

    before = judged("before.csv")
    workspace.train(detector="robust")
    between = judged("between.csv")
    back = workspace.roll_back_model(reason="more false alarms", actor="ana")

    assert judged("after.csv") == before != between
    assert back.detector == "pca"
    last = workspace.model_history(back.id)[-1]
    assert (last["model"], last["reason"], last["who"]) == (back.id, "more false alarms", "ana")
    with pytest.raises(NotFound):
        workspace.roll_back_model()


def test_candidates_are_no_step_on_the_way_back(workspace: Workspace) -> None:
    first = workspace.active_models()["process"]
    workspace.train(detector="ewma", is_candidate=True)
    second = workspace.train(detector="robust")[0].id

    assert workspace.active_models() == {"process": second}
    assert workspace.roll_back_model().id == first


def test_forecasts_are_bit_for_bit_the_same_after_a_rollback(tmp_path: Path) -> None:
    windows = a_metered_history("power", n_meters=2, n_days=45)
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(*(one.rows(0, 44 * 24) for one in windows)), zone="UTC")

        def said() -> list[object]:
            return [one.to_json() for one in workspace.forecast().forecasts]

        before = said()
        group = str(workspace.versions()[0]["profile"])
        first = workspace.versions()[0]["id"]
        second = other_forecaster(workspace)
        between = said()
        workspace.roll_back_model(group, reason="worse on Mondays")

        assert said() == before != between
        states = {one["id"]: one["state"] for one in workspace.versions()}
        assert states == {first: "champion", second: "retired"}


def test_an_erased_site_is_in_no_forecaster(tmp_path: Path) -> None:
    one, other = a_metered_history("power", n_meters=2, n_days=45)
    gone = replace(one, asset=AssetKey("Molino Azul", "Contador 7"))
    with a_workspace(tmp_path / "w") as workspace:
        workspace.add(readings_of(gone, other), zone="UTC")
        workspace.forecast()
        group = str(workspace.versions()[0]["profile"])
        candidate = workspace.learn_forecaster(group)
        assert _files_with(workspace.folder / "models", "Molino Azul")

        workspace.erase_site("Molino Azul", actor="ana", reason="asked")

        assert _files_with(workspace.folder / "models", "Molino Azul") == []
        assert "Molino" not in str([workspace.model_sheet(str(v["id"])) for v in workspace.versions()])
        assert {one.asset for one in workspace.forecast().forecasts} == {other.asset}
        workspace.registrar.compare(candidate.id)


def _files_with(folder: Path, name: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and name.encode() in path.read_bytes()]


def other_forecaster(workspace: Workspace) -> str:
    """A candidate with other options, forced to forecast."""
    (workspace.folder / "sereno.yaml").write_text(
        "timezone: UTC\nforecast: {kind: ridge, options: {shrinkage_days: 500.0}}\n", "utf-8"
    )
    with Workspace.open(workspace.folder, clock=workspace.setup.clock) as other:
        card = other.learn_forecaster(str(workspace.versions()[0]["profile"]))
        other.promote_model(card.id, is_forced=True, reason="trial")
    return str(card.id)
