"""The one scoring path: a record, a file, a stream and a back-test all pass through `judge_window`.

A window goes in with the memory that the rows before it left; detections and the new memory come out. A
record is a window of length one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sereno.detect.episodes import find_detections
from sereno.domain.judgement import Detection, Evidence, IncidentKind, Memory
from sereno.domain.readings import FloatArray, QualityArray, Window
from sereno.domain.signals import Profile
from sereno.flows.models import TrainedModel
from sereno.prepare.checks import NO_REPEATS, Checked, check_window
from sereno.prepare.gas_checks import check_twin

__all__ = ["BEHAVIOUR", "Judgement", "judge_window", "weigh_window"]

BEHAVIOUR = "behaviour"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What judging a window gave.

    Attributes:
        window: The rows as they were judged; its signals are those of the evidence and the flags.
        detections: Those that the window opened, prolonged or ended.
        evidence: What each check said of each row.
        flags: Quality bits to keep beside the raw values, shape (rows, signals).
        memory: For the next window of the asset.
    """

    window: Window
    detections: Sequence[Detection]
    evidence: Sequence[Evidence]
    flags: QualityArray
    memory: Memory


def judge_window(
    window: Window,
    profile: Profile,
    model: TrainedModel | None,
    memory: Memory,
    twin: FloatArray | None = None,
) -> Judgement:
    """Data, physics and (with a model) behaviour of one asset's next rows.

    Args:
        twin: Volumes of the asset that measures the same flow [m³ per step], shape (rows,).
    """
    weighed = weigh_window(window, profile, model, memory, twin)
    detections: list[Detection] = []
    arrays: dict[str, np.ndarray] = dict(weighed.memory.arrays)
    for one in weighed.evidence:
        found, state = find_detections(one, weighed.window, profile, memory)
        detections.extend(found)
        arrays.update(state.arrays)
    return Judgement(weighed.window, detections, weighed.evidence, weighed.flags, Memory(arrays))


def weigh_window(
    window: Window,
    profile: Profile,
    model: TrainedModel | None,
    memory: Memory,
    twin: FloatArray | None = None,
) -> Checked:
    """The evidence alone: what each check says of each row, without opening anything."""
    repeats = NO_REPEATS if model is None else model.natural_repeats.get(window.asset, NO_REPEATS)
    checked = check_window(window, profile, memory, natural_repeats=repeats)
    if twin is not None:
        evidence, sums = check_twin(checked.clean, twin, memory)
        arrays = {**checked.memory.arrays, **sums.arrays}
        checked = replace(checked, evidence=[*checked.evidence, *evidence], memory=Memory(arrays))
    if model is None:
        return checked
    behaviour, learnt = _weigh_behaviour(checked.clean, model, memory)
    arrays = {**checked.memory.arrays, **learnt.arrays}
    return replace(checked, evidence=[*checked.evidence, behaviour], memory=Memory(arrays))


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
        bands=calibration.bands,
        model=model.card.id,
    )
    return evidence, learnt
