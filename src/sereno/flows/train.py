"""Training: learn each asset and the fleet, and find what the false-alarm budget is worth."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import isfinite

import numpy as np

from sereno.contracts import Detector, TrainedDetector
from sereno.detect.beside import weigh_beside
from sereno.detect.calibration import Hysteresis
from sereno.detect.peering import Reference
from sereno.detect.peers import PeersDetector, TrainedPeers, learn_peers, with_references
from sereno.detect.registry import options_of
from sereno.detect.rules import CalibrationRule, calibrate_by
from sereno.detect.segmented import with_segments
from sereno.domain.errors import BudgetTooSmall, HistoryTooShort
from sereno.domain.judgement import Calibration, Memory, ModelCard
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.segments import NO_SEGMENT
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import Span, from_numpy
from sereno.flows.lessons import rows_within, without_spans
from sereno.flows.models import Layout, TrainedModel, step_name
from sereno.prepare.checks import check_window
from sereno.prepare.quality import QualityRules, longest_repeats
from sereno.prepare.registers import read_registers
from sereno.prepare.repeats import FEW_REPEATS, REPEAT_MARGIN

__all__ = ["CALM_SCORE", "TrainingPlan", "fingerprint_of", "sound_window", "train_profile"]

_FOLDS = 3
"""Blocks of history that are each scored by a detector that did not learn from them."""
_DRIFT_SHARE = 0.2
"""Of the budget, for drifts: they are few, and stay."""
CALM_SCORE = 3.0
"""A held-out row so many times above the calm 99 % quantile is a fault in the history, not a false alarm:
with it counted, the threshold would rise until faults like it are never found."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How to train a profile.

    Attributes:
        detector: What learns; `kind` is its name.
        rule: How thresholds are found.
        budget: False episodes per week and asset.
        is_budget_firm: Whether a budget that the history cannot support is an error rather than lowered
            aloud.
        segments: Digest of the segmentation; empty where there is none.
        segment_of: Segment of each asset; those of one are learnt and calibrated together.
        left_out: Time of each asset that teaches nothing.
    """

    profile: Profile
    kind: str
    detector: Detector
    rule: CalibrationRule
    budget: float
    is_budget_firm: bool
    now: datetime
    code_version: str
    segments: str = ""
    segment_of: Mapping[AssetKey, str] = field(default_factory=dict)
    left_out: Mapping[AssetKey, tuple[Span, ...]] = field(default_factory=dict)

    @property
    def follows_levels(self) -> bool:
        """Whether what learns follows levels of weeks beside those of peers, and judges no rows."""
        return isinstance(self.detector, PeersDetector)


def train_profile(windows: Sequence[Window], plan: TrainingPlan) -> TrainedModel:
    """The model of all assets of one profile.

    Raises:
        HistoryTooShort: No asset has enough rows, or none beyond those that it takes to learn.
        BudgetTooSmall: The firm budget is below what the history supports.
    """
    repeats = {window.asset: _natural_repeats(window) for window in windows}
    clean = [_what_teaches(window, plan, repeats[window.asset]) for window in windows]
    peering, references = learn_peers(clean, plan.profile)
    beside = [with_references(window, one) for window, one in zip(clean, references, strict=True)]
    history = beside if plan.follows_levels else clean
    detector = with_segments(plan.detector, plan.segment_of)
    trained = detector.fit_parts(history, [~_left_out(window, plan) for window in history])
    known = [window for window in history if trained.knows(window.asset)]
    calibrations = _calibrations(known, _held_out_scores(detector, known, plan), plan)
    if isinstance(trained, TrainedPeers):
        trained = peers = replace(trained, peering=peering)
        drift_calibrations: Mapping[str, Calibration] = calibrations
    else:
        levels, drift_calibrations = _learn_levels(beside, plan)
        peers = replace(levels, peering=peering)
    learnt = [window for window in clean if trained.knows(window.asset)]
    return TrainedModel(
        card=_card(learnt, calibrations, plan),
        detector=trained,
        calibrations=calibrations,
        natural_repeats={key: value for key, value in repeats.items() if trained.knows(key)},
        peers=peers,
        drift_calibrations=drift_calibrations,
        memories={
            window.asset: _memory(trained, peers, window, reference)
            for window, reference in zip(clean, references, strict=True)
            if trained.knows(window.asset)
        },
        layouts={window.asset: _layout(window, plan) for window in learnt},
        segments=plan.segments,
        segment_of=plan.segment_of,
    )


def sound_window(window: Window, profile: Profile) -> Window:
    """The window without the cells that are bad: what behaviour is learnt and forecast from."""
    return _without_bad(window, profile, _natural_repeats(window))


def _layout(window: Window, plan: TrainingPlan) -> Layout:
    left_out = plan.left_out.get(window.asset, ())
    return Layout(window.signals, window.zone, window.step, from_numpy(window.time[-1]), left_out)


def _memory(trained: TrainedDetector, peers: TrainedPeers, window: Window, reference: Reference) -> Memory:
    """What is remembered of an asset at the end of its history."""
    beside = with_references(window, reference)
    looks = (
        weigh_beside(trained, window, reference, Memory()),
        peers.score(beside),
        peers.score_common(beside),
    )
    return Memory({name: part for _, after in looks for name, part in after.arrays.items()})


def _learn_levels(
    beside: Sequence[Window], plan: TrainingPlan
) -> tuple[TrainedPeers, Mapping[str, Calibration]]:
    """The slow levels of all assets, and what they are worth."""
    detector = PeersDetector(plan.profile)
    try:
        trained = detector.fit(beside)
    except HistoryTooShort:
        return TrainedPeers(plan.profile, {}), {}
    return trained, _drift_calibrations(beside, _held_out_scores(detector, beside, plan), plan)


def _drift_calibrations(
    history: Sequence[Window], scores: Sequence[FloatArray], plan: TrainingPlan
) -> dict[str, Calibration]:
    """By step, without those whose history is too short for any drift to be judged.

    A drift is one that has stood for a week, and has a share of the budget of its own.
    """
    lenient = replace(plan, is_budget_firm=False, budget=_DRIFT_SHARE * plan.budget)
    return {
        step_name(step): _calibration(parts, step, lenient, Hysteresis.of_weeks(step))
        for step, parts in _by_step(history, scores).items()
    }


def _by_step(
    history: Sequence[Window], scores: Sequence[FloatArray]
) -> dict[timedelta | None, list[FloatArray]]:
    """Scores of the assets of each step, without those of which no row could be judged."""
    groups: dict[timedelta | None, list[FloatArray]] = {}
    for window, values in zip(history, scores, strict=True):
        if not np.isnan(values).all():
            groups.setdefault(window.step, []).append(values)
    return groups


def _natural_repeats(window: Window) -> dict[str, float]:
    """Longest natural run of equal values by signal.

    The signal's own median run would say "natural" of a sensor stuck for weeks in the history, so the longest
    runs
    count only when the signal repeats itself often: a coarse resolution, not a fault.
    """
    registers = read_registers(window, Memory())
    if registers is not None:
        window = registers.window
    defaults = QualityRules.for_step(window.step, len(window.signals)).frozen_rows
    longest = longest_repeats(window.values)
    share = _share_of_repeats(window.values)
    natural = {}
    for name, default, run, often in zip(window.signals, defaults, longest, share, strict=True):
        natural[name] = (
            float(np.ceil(REPEAT_MARGIN * run)) if often * default > FEW_REPEATS else float(default)
        )
    return natural


def _share_of_repeats(values: FloatArray) -> FloatArray:
    """Share of the values that equal the one before and are not zero, shape (signals,)."""
    if len(values) < 2:
        return np.zeros(values.shape[1])
    same = (values[1:] == values[:-1]) & (values[1:] != 0)
    known = np.maximum((~np.isnan(values[1:])).sum(axis=0), 1)
    share: FloatArray = same.sum(axis=0) / known
    return share


def _what_teaches(window: Window, plan: TrainingPlan, repeats: Mapping[str, float]) -> Window:
    return without_spans(_without_bad(window, plan.profile, repeats), plan.left_out.get(window.asset, ()))


def _without_bad(window: Window, profile: Profile, repeats: Mapping[str, float]) -> Window:
    return check_window(window, profile, Memory(), natural_repeats=repeats).clean


def _held_out_scores(detector: Detector, history: Sequence[Window], plan: TrainingPlan) -> list[FloatArray]:
    """Score of each calm row by a detector that did not learn from its block, (rows,) per window."""
    scores = [np.full(len(window), np.nan) for window in history]
    left_out = [_left_out(window, plan) for window in history]
    folds = list(map(_folds, left_out))
    for fold in range(_FOLDS):
        use = [(own != fold) & ~out for own, out in zip(folds, left_out, strict=True)]
        trained = detector.fit_parts(history, use)
        for window, rows, target in zip(history, use, scores, strict=True):
            if trained.knows(window.asset):
                held_out = trained.score(window)[0].values
                calm = ~rows & (np.isnan(held_out) | (held_out < CALM_SCORE))
                target[calm] = held_out[calm]
    return scores


def _folds(left_out: BoolArray) -> np.ndarray:
    """The fold of each row, (rows,); each has as many rows that teach."""
    n_before = np.maximum(np.cumsum(~left_out) - 1, 0)
    folds: np.ndarray = n_before * _FOLDS // max(int((~left_out).sum()), 1)
    return folds


def _left_out(window: Window, plan: TrainingPlan) -> BoolArray:
    """Rows that teach nothing, shape (rows,)."""
    return rows_within(window, plan.left_out.get(window.asset, ()))


def _calibrations(
    history: Sequence[Window], scores: Sequence[FloatArray], plan: TrainingPlan
) -> dict[str, Calibration]:
    groups = _by_step(history, scores)
    if not groups:
        needed = f"more than '{plan.kind}' takes to learn: no row that was left out could be judged"
        raise HistoryTooShort(found=f"{max(map(len, history))} rows of one asset", needed=needed)
    by_segment: dict[tuple[timedelta | None, str], list[FloatArray]] = {}
    for window, values in zip(history, scores, strict=True):
        segment = plan.segment_of.get(window.asset, NO_SEGMENT)
        if segment != NO_SEGMENT:
            by_segment.setdefault((window.step, segment), []).append(values)
    delays = Hysteresis.of_weeks if plan.follows_levels else Hysteresis.for_step
    found = {step_name(step): _calibration(parts, step, plan, delays(step)) for step, parts in groups.items()}
    for (step, segment), parts in by_segment.items():
        try:
            budget = plan.profile.behaviour_share * plan.budget
            found[step_name(step, segment)] = _calibrated(parts, step, plan, budget, delays(step))
        except BudgetTooSmall:  # its assets then share the threshold of the fleet
            continue
    return found


def _calibration(
    scores: Sequence[FloatArray],
    step: timedelta | None,
    plan: TrainingPlan,
    hysteresis: Hysteresis,
) -> Calibration:
    """With the share of the budget that behaviour has; with more of it where the history supports no less."""
    try:
        return _calibrated(scores, step, plan, plan.profile.behaviour_share * plan.budget, hysteresis)
    except BudgetTooSmall as error:
        supported = float(str(error.facts["supported"]))
        if supported <= plan.budget:
            return _calibrated(scores, step, plan, supported, hysteresis)
        if plan.is_budget_firm or not isfinite(supported):
            raise
        return _calibrated(scores, step, plan, supported, hysteresis)


def _calibrated(
    scores: Sequence[FloatArray],
    step: timedelta | None,
    plan: TrainingPlan,
    budget: float,
    hysteresis: Hysteresis,
) -> Calibration:
    return calibrate_by(plan.rule, scores, step, budget=budget, hysteresis=hysteresis)


def _card(
    history: Sequence[Window],
    calibrations: Mapping[str, Calibration],
    plan: TrainingPlan,
) -> ModelCard:
    fingerprint = fingerprint_of(history)
    n_left_out = sum(int(_left_out(window, plan).sum()) for window in history)
    main = max(calibrations.values(), key=lambda calibration: calibration.asset_weeks)
    calibrated = {"budget": plan.budget, "folds": _FOLDS, "calibration": plan.rule.method}
    settings = {**options_of(plan.detector), **calibrated, "sigmas": list(plan.rule.sigmas)}
    if plan.segments:
        settings["segments"] = plan.segments
    identity = hashlib.sha256(
        f"{plan.profile.name}|{plan.kind}|{fingerprint}|{sorted(settings.items())}".encode()
    ).hexdigest()
    return ModelCard(
        id=f"{plan.profile.name}-{identity[:10]}",
        profile=plan.profile.name,
        detector=plan.kind,
        trained_at=plan.now,
        settings=settings,
        fingerprint=fingerprint,
        digest="",
        assets=tuple(sorted(window.asset for window in history)),
        signals=tuple(dict.fromkeys(name for window in history for name in window.signals)),
        calibration=main,
        metrics={
            "assets": float(len(history)),
            "rows": float(sum(len(window) for window in history)),
            "asset_weeks": sum(c.asset_weeks for c in calibrations.values()),
            "realised_budget": main.realised,
            **({"rows_left_out": float(n_left_out)} if n_left_out else {}),
        },
        code_version=plan.code_version,
    )


def fingerprint_of(history: Sequence[Window]) -> str:
    """SHA-256 of the readings that windows hold, with their assets, signals and instants."""
    digest = hashlib.sha256()
    for window in sorted(history, key=lambda w: w.asset):
        digest.update(f"{window.asset.site}|{window.asset.asset}|{window.signals}|{window.zone}".encode())
        digest.update(window.time.tobytes())
        digest.update(np.ascontiguousarray(window.values).tobytes())
    return digest.hexdigest()
