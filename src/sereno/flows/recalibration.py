"""Guarded recalibration: thresholds found anew on rows that no training saw, compared before they replace.

Never by itself: a person asks, or `recalibration.every` does. Rows of incidents that somebody confirmed, or
that go on, teach nothing; rows judged a false alarm are calm, however strange. What came of it is written
down, and `sereno models rollback` takes it back.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import numpy as np

from sereno.detect.beside import weigh_beside
from sereno.detect.calibration import Hysteresis, count_episodes
from sereno.detect.rules import CalibrationRule, calibrate_by
from sereno.domain.errors import BudgetTooSmall, HistoryTooShort, ModelMissing
from sereno.domain.incidents import Condition, HumanState, Incident, Verdict
from sereno.domain.judgement import Calibration, Claim, Memory, ModelCard
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile
from sereno.domain.time import Span, from_numpy, isoformat, to_numpy
from sereno.flows.assets import whole_window
from sereno.flows.build import MODELS_FOLDER, Setup, calibration_rule
from sereno.flows.fleet import peer_reference
from sereno.flows.learning import ModelShelf, shelve
from sereno.flows.lessons import rows_within
from sereno.flows.models import TrainedModel
from sereno.flows.succession import RECALIBRATED_FROM
from sereno.flows.train import CALM_SCORE
from sereno.prepare.checks import NO_REPEATS, check_window
from sereno.store import Store, StoredAsset

__all__ = [
    "Decision",
    "Recalibration",
    "is_recalibration_due",
    "past_recalibrations",
    "recalibrate_workspace",
]

log = logging.getLogger(__name__)

LOG_FILE = "recalibrations.jsonl"
_MOST_MOVED = 2.0
"""A threshold that would move by more is no calibration: the plant or the detector has changed."""
_LEAST_MOVED = 1.05
"""One that would move by less stays."""


class Decision(StrEnum):
    """What came of recalibrating."""

    REPLACED = "replaced"
    KEPT_ALIKE = "kept_alike"
    """The stored threshold is as good."""
    KEPT_UNSURE = "kept_unsure"
    """The new rows cannot promise the budget."""
    KEPT_TOO_FAR = "kept_too_far"
    """The threshold would move by more than `_MOST_MOVED`: look at the plant, or train."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """What was compared, and what was decided, of one profile and step.

    Attributes:
        model: The model that judged.
        became: The model that judges from now on; the same where nothing was replaced.
        requested: Budget [episodes per week and asset].
        before, after: Threshold that was stored, and that the new rows give (None where they give none).
        realised_before, realised_after: Episodes per week and asset of either on the new rows.
        asset_weeks: New calm rows in weeks.
        left_out: Rows that taught nothing: of confirmed or active incidents, or far too strange.
    """

    at: datetime
    profile: str
    step: str
    model: str
    became: str
    decision: Decision
    requested: float
    before: float
    after: float | None
    realised_before: float
    realised_after: float | None
    asset_weeks: float
    left_out: int

    def to_json(self) -> dict[str, object]:
        """For `--json` and for the log."""
        return asdict(self) | {"at": isoformat(self.at), "decision": self.decision.value}


@dataclass(slots=True)
class _NewRows:
    """Scores of the rows since training that share a calibration; NaN where a row teaches nothing."""

    step: timedelta | None
    stored: Calibration
    scores: list[FloatArray] = field(default_factory=list)
    left_out: int = 0


def recalibrate_workspace(
    setup: Setup, store: Store, shelf: ModelShelf, *, profile: str | None = None
) -> list[Recalibration]:
    """Find the thresholds of each profile's model anew; those that pass the comparison replace it.

    Raises:
        ModelMissing: Nothing has been trained, or nothing of that profile.
    """
    models = [shelf.get(name) for name in setup.profiles if profile in (None, name)]
    found = [model for model in models if model is not None]
    if not found:
        raise ModelMissing(workspace=str(setup.folder))
    results = []
    for model in found:
        results += _recalibrate(setup, store, setup.profiles[model.card.profile], model)
    for result in results:
        _write_down(setup, result)
        log.info("recalibrated", extra=result.to_json())
    return results


def past_recalibrations(setup: Setup) -> list[dict[str, object]]:
    """What recalibrating decided so far, oldest first."""
    path = setup.folder / MODELS_FOLDER / LOG_FILE
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def is_recalibration_due(setup: Setup, store: Store, every: timedelta) -> bool:
    """Whether so much time has passed since the last recalibration or training."""
    with store.read() as tx:
        trained = [stored.card.trained_at for stored in tx.models() if stored.is_active]
    if not trained:
        return False
    tried = [datetime.fromisoformat(str(one["at"])) for one in past_recalibrations(setup)]
    return setup.clock() - max([*trained, *tried]) >= every


def _recalibrate(setup: Setup, store: Store, profile: Profile, model: TrainedModel) -> list[Recalibration]:
    rows = _new_rows(store, profile, model)
    rule = calibration_rule(setup)
    found = [_compared(setup, model, rule, name, rows[name]) for name in rows]
    replaced = {result.step: new for result, new in found if result.decision is Decision.REPLACED and new}
    if not replaced:
        return [result for result, _ in found]
    card = shelve(setup, store, _with_calibrations(model, replaced, setup.clock()))
    return [replace(result, became=card.id) for result, _ in found]


def _compared(
    setup: Setup, model: TrainedModel, rule: CalibrationRule, name: str, rows: _NewRows
) -> tuple[Recalibration, Calibration | None]:
    stored, scores, step = rows.stored, rows.scores, rows.step
    hysteresis = Hysteresis(stored.release, stored.on_delay, stored.off_delay)
    weeks = sum(int((~np.isnan(s)).sum()) for s in scores) * (
        (step or timedelta(days=1)) / timedelta(weeks=1)
    )
    n_before = sum(count_episodes(s, stored.threshold, hysteresis) for s in scores)
    try:
        new = calibrate_by(rule, scores, step, budget=stored.budget, hysteresis=hysteresis)
    except (BudgetTooSmall, HistoryTooShort):
        new = None
    result = Recalibration(
        at=setup.clock(),
        profile=model.card.profile,
        step=name,
        model=model.card.id,
        became=model.card.id,
        decision=_decision(stored, new),
        requested=stored.budget,
        before=stored.threshold,
        after=None if new is None else new.threshold,
        realised_before=n_before / weeks if weeks else 0.0,
        realised_after=None if new is None else new.realised,
        asset_weeks=weeks,
        left_out=rows.left_out,
    )
    return result, new


def _decision(stored: Calibration, new: Calibration | None) -> Decision:
    is_unsure = new is None or new.claim in {Claim.INDICATIVE, Claim.DOUBTFUL}
    if is_unsure or new is None or new.asset_weeks * stored.budget < 1.0:
        return Decision.KEPT_UNSURE
    moved = max(new.threshold / stored.threshold, stored.threshold / new.threshold)
    if moved < _LEAST_MOVED:
        return Decision.KEPT_ALIKE
    return Decision.REPLACED if moved <= _MOST_MOVED else Decision.KEPT_TOO_FAR


def _new_rows(store: Store, profile: Profile, model: TrainedModel) -> dict[str, _NewRows]:
    """By name of the calibration."""
    rows: dict[str, _NewRows] = {}
    for key, layout in model.layouts.items():
        stored = model.calibration_of(layout.step, key)
        rows.setdefault(model.calibration_name(layout.step, key), _NewRows(layout.step, stored))
    for asset, window, incidents in _since_training(store, model):
        repeats = model.natural_repeats.get(asset.key, NO_REPEATS)
        clean = check_window(window, profile, Memory(), natural_repeats=repeats).clean
        with store.read() as tx:
            reference = peer_reference(tx, asset, model, clean.time)
        scores = weigh_beside(model.detector, clean, reference, model.memories[asset.key])[0].values
        teaches = ~rows_within(window, _spans(filter(_is_confirmed, incidents), window))
        is_told_false = rows_within(window, _spans(filter(_is_false, incidents), window))
        teaches &= ~(scores >= CALM_SCORE) | is_told_false
        name, stored = (
            model.calibration_name(window.step, asset.key),
            model.calibration_of(window.step, asset.key),
        )
        group = rows.setdefault(name, _NewRows(window.step, stored))
        group.scores.append(np.where(teaches, scores, np.nan))
        group.left_out += int((~teaches & ~np.isnan(scores)).sum())
    return rows


def _since_training(
    store: Store, model: TrainedModel
) -> Iterator[tuple[StoredAsset, Window, Sequence[Incident]]]:
    """Each learnt asset with its rows since the end of its history."""
    with store.read() as tx:
        assets = [asset for asset in tx.assets(model.card.profile) if asset.key in model.layouts]
    for asset in assets:
        until = model.layouts[asset.key].until or model.card.trained_at
        with store.read() as tx:
            window = whole_window(tx, asset)
            incidents = tx.incidents(asset_id=asset.id, since=until)
        first = int(np.searchsorted(window.time, to_numpy(until), side="right"))
        if first < len(window):
            yield asset, window.rows(first, len(window)), incidents


def _is_confirmed(incident: Incident) -> bool:
    if incident.state is HumanState.CLOSED:
        return incident.verdict is not Verdict.FALSE_ALARM
    return incident.state is HumanState.ACKNOWLEDGED or incident.condition is Condition.ACTIVE


def _is_false(incident: Incident) -> bool:
    return incident.verdict is Verdict.FALSE_ALARM


def _spans(incidents: Iterable[Incident], window: Window) -> list[Span]:
    """When they were; what goes on lasts to the end of the window."""
    end = from_numpy(window.time[-1]) + timedelta.resolution
    return [(one.started_at, one.ended_at or end) for one in incidents]


def _with_calibrations(
    model: TrainedModel, replaced: Mapping[str, Calibration], at: datetime
) -> TrainedModel:
    calibrations = {**model.calibrations, **replaced}
    main = max(calibrations.values(), key=lambda calibration: calibration.asset_weeks)
    thresholds = sorted((name, one.threshold) for name, one in calibrations.items())
    identity = hashlib.sha256(f"{model.card.id}|{thresholds}".encode()).hexdigest()
    card: ModelCard = replace(
        model.card,
        id=f"{model.card.profile}-{identity[:10]}",
        trained_at=at,
        settings={**model.card.settings, RECALIBRATED_FROM: model.card.id},
        digest="",
        calibration=main,
        metrics={**model.card.metrics, "realised_budget": main.realised},
    )
    return replace(model, card=card, calibrations=calibrations)


def _write_down(setup: Setup, result: Recalibration) -> None:
    path: Path = setup.folder / MODELS_FOLDER / LOG_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(result.to_json(), ensure_ascii=False) + "\n")
