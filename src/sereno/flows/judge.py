"""The one scoring path: a record, a file, a stream and a back-test all pass through `judge_window`.

A window goes in with the memory that the rows before it left; detections and the new memory come out. A
record is a window of length one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sereno.detect.episodes import find_detections
from sereno.domain.judgement import Detection, Evidence, IncidentKind, Memory
from sereno.domain.readings import QualityArray, Window
from sereno.domain.signals import Profile
from sereno.flows.models import TrainedModel
from sereno.prepare.balance import check_identities
from sereno.prepare.quality import QualityRules, check_quality

__all__ = ["Judgement", "judge_window", "weigh_window"]

BEHAVIOUR = "behaviour"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What judging a window gave.

    Attributes:
        detections: Those that the window opened, prolonged or ended.
        evidence: What each check said of each row.
        flags: Quality bits to keep beside the raw values, shape (rows, signals).
        memory: For the next window of the asset.
    """

    detections: Sequence[Detection]
    evidence: Sequence[Evidence]
    flags: QualityArray
    memory: Memory


def judge_window(window: Window, profile: Profile, model: TrainedModel | None, memory: Memory) -> Judgement:
    """Data, physics and (with a model) behaviour of one asset's next rows."""
    evidence, flags, after = weigh_window(window, profile, model, memory)
    detections: list[Detection] = []
    arrays: dict[str, np.ndarray] = dict(after.arrays)
    for one in evidence:
        found, state = find_detections(one, window, profile, memory)
        detections.extend(found)
        arrays.update(state.arrays)
    return Judgement(detections, evidence, flags, Memory(arrays))


def weigh_window(
    window: Window, profile: Profile, model: TrainedModel | None, memory: Memory
) -> tuple[list[Evidence], QualityArray, Memory]:
    """The evidence alone: what each check says of each row, without opening anything."""
    rules = _rules(window, model)
    evidence, bad, carried = check_quality(window, profile, rules, memory)
    clean = replace(window, values=np.where(bad, np.nan, window.values)) if bad.any() else window
    physics, flags = check_identities(clean, profile)
    evidence.extend(physics)
    arrays: dict[str, np.ndarray] = dict(carried.arrays)
    if model is not None:
        behaviour, learnt = _weigh_behaviour(clean, model, memory)
        evidence.append(behaviour)
        arrays.update(learnt.arrays)
    return evidence, flags, Memory(arrays)


def _rules(window: Window, model: TrainedModel | None) -> QualityRules:
    rules = QualityRules.for_step(window.step, len(window.signals))
    natural: Mapping[str, float] = {} if model is None else model.natural_repeats.get(window.asset, {})
    if not natural:
        return rules
    frozen = np.array([natural.get(name, 0.0) for name in window.signals])
    return replace(rules, frozen_rows=np.maximum(rules.frozen_rows, frozen))


def _weigh_behaviour(window: Window, model: TrainedModel, memory: Memory) -> tuple[Evidence, Memory]:
    calibration = model.calibration_of(window.step)
    scores, learnt = model.detector.score(window, memory)
    evidence = Evidence(
        check=BEHAVIOUR,
        kind=IncidentKind.BEHAVIOUR,
        exceedance=scores.values / calibration.threshold,
        threshold=calibration.threshold,
        contributions=np.where(np.isnan(scores.contributions), 0.0, scores.contributions),
        expected=scores.expected,
        is_telling=scores.is_telling,
        release=calibration.release,
        on_delay=calibration.on_delay,
        off_delay=calibration.off_delay,
        model=model.card.id,
    )
    return evidence, learnt
