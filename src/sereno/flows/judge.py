"""The one scoring path: a record, a file, a stream and a back-test all pass through `judge_windows`.

A window goes in with the memory that the rows before it left; detections and the new memory come out. A
record is a window of length one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from sereno.detect.beside import weigh_all_beside
from sereno.detect.calibration import Hysteresis
from sereno.detect.episodes import find_detections
from sereno.detect.floors import LEAK, score_floors
from sereno.detect.peering import NO_REFERENCE, Reference
from sereno.detect.peers import with_references
from sereno.detect.spells import CAPACITY, EXCESS, score_spells
from sereno.domain.judgement import Calibration, Detection, Evidence, IncidentKind, Memory, Scores
from sereno.domain.readings import FloatArray, QualityArray, Window
from sereno.domain.signals import Profile
from sereno.flows.models import TrainedModel
from sereno.prepare.checks import NO_REPEATS, Checked, check_window
from sereno.prepare.gas_checks import check_twin

__all__ = [
    "BEHAVIOUR",
    "DRIFT",
    "LEVELS",
    "NO_FACTORS",
    "Case",
    "Expectation",
    "Judgement",
    "behaviour_in",
    "expected_without",
    "judge_window",
    "judge_windows",
    "raised",
    "weigh_window",
    "weigh_windows",
]

BEHAVIOUR = "behaviour"
DRIFT = "behaviour.drift"
COMMON = "behaviour.common"
LEVELS = frozenset({DRIFT, COMMON, LEAK, CAPACITY, EXCESS})
"""What is said of weeks and not of single rows."""
NO_FACTORS: Mapping[str, float] = MappingProxyType({})


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


@dataclass(frozen=True, slots=True)
class Case:
    """The next rows of an asset, and what is known beside them.

    Attributes:
        memory: What judging the rows before left.
        twin: Volumes of the asset that measures the same flow [m³ per step], shape (rows,).
        reference: What the asset's peers show in the same rows.
        factors: What people's verdicts multiplied thresholds by, by check.
    """

    window: Window
    memory: Memory
    twin: FloatArray | None = None
    reference: Reference = NO_REFERENCE
    factors: Mapping[str, float] = field(default_factory=dict)


def judge_windows(cases: Sequence[Case], profile: Profile, model: TrainedModel | None) -> list[Judgement]:
    """Data, physics and (with a model) behaviour of the next rows of assets of one profile.

    An asset's judgement is the same to the last bit whoever is judged beside it.
    """
    weighed = weigh_windows(cases, profile, model)
    return [_concluded(case, one, profile, model) for case, one in zip(cases, weighed, strict=True)]


def judge_window(
    window: Window,
    profile: Profile,
    model: TrainedModel | None,
    memory: Memory,
    twin: FloatArray | None = None,
    reference: Reference = NO_REFERENCE,
    factors: Mapping[str, float] = NO_FACTORS,
) -> Judgement:
    """As `judge_windows`, of one asset; arguments as the attributes of a `Case`."""
    return judge_windows([Case(window, memory, twin, reference, factors)], profile, model)[0]


def _concluded(case: Case, weighed: Checked, profile: Profile, model: TrainedModel | None) -> Judgement:
    """What follows from the checks of rows: slow levels, spells, and detections of all of it."""
    memory = case.memory
    levels, followed = _weigh_levels(weighed.clean, model, memory, case.reference)
    floors, quiet = score_floors(weighed.clean, profile, memory)
    spells, days = score_spells(weighed.clean, profile, memory)
    said = (*weighed.evidence, *levels, *floors, *spells)
    evidence = [raised(one, case.factors.get(one.check, 1.0)) for one in said]
    detections: list[Detection] = []
    arrays: dict[str, np.ndarray] = {**weighed.memory.arrays, **followed.arrays}
    arrays |= {**quiet.arrays, **days.arrays}
    for one in evidence:
        found, state = find_detections(one, weighed.window, profile, memory)
        detections.extend(found)
        arrays.update(state.arrays)
    return Judgement(weighed.window, detections, evidence, weighed.flags, Memory(arrays))


def behaviour_in(evidence: Sequence[Evidence]) -> Evidence:
    """What the detector says of rows that a model judged."""
    return next(one for one in evidence if one.check in (BEHAVIOUR, DRIFT))


def raised(evidence: Evidence, factor: float) -> Evidence:
    """What a check says with its threshold multiplied."""
    if factor == 1.0:
        return evidence
    threshold = evidence.threshold * factor
    return replace(evidence, exceedance=evidence.exceedance / factor, threshold=threshold)


def weigh_window(
    window: Window,
    profile: Profile,
    model: TrainedModel | None,
    memory: Memory,
    twin: FloatArray | None = None,
    reference: Reference = NO_REFERENCE,
) -> Checked:
    """What each check says of each row, without opening anything.

    Slow levels are left out: that an asset has drifted for weeks says nothing of the one row.
    """
    return weigh_windows([Case(window, memory, twin, reference)], profile, model)[0]


def weigh_windows(cases: Sequence[Case], profile: Profile, model: TrainedModel | None) -> list[Checked]:
    """As `weigh_window`, of many assets; behaviour, of which a call costs most, in one."""
    checked = [_checked(case, profile, model) for case in cases]
    if model is None:
        return checked
    asked = [(one.clean, case.reference, case.memory) for one, case in zip(checked, cases, strict=True)]
    told = weigh_all_beside(model.detector, asked)
    return [
        _with(one, [_behaviour(one.clean, scores, model)], learnt)
        for one, (scores, learnt) in zip(checked, told, strict=True)
    ]


def _checked(case: Case, profile: Profile, model: TrainedModel | None) -> Checked:
    """Data and physics of one asset's rows, its twin included."""
    window, memory = case.window, case.memory
    repeats = NO_REPEATS if model is None else model.natural_repeats.get(window.asset, NO_REPEATS)
    checked = check_window(window, profile, memory, natural_repeats=repeats)
    return checked if case.twin is None else _with(checked, *check_twin(checked.clean, case.twin, memory))


def _with(checked: Checked, evidence: Sequence[Evidence], learnt: Memory) -> Checked:
    """A window after one more check."""
    arrays = {**checked.memory.arrays, **learnt.arrays}
    return replace(checked, evidence=[*checked.evidence, *evidence], memory=Memory(arrays))


def _behaviour(window: Window, scores: Scores, model: TrainedModel) -> Evidence:
    check = DRIFT if model.follows_levels else BEHAVIOUR
    return _evidence(check, scores, model.calibration_of(window.step, window.asset), model)


@dataclass(frozen=True, slots=True)
class Expectation:
    """A signal beside what would be expected of it had it not been read.

    Attributes:
        observed, expected: In its unit, shape (rows,); NaN where bad or unknown.
    """

    observed: FloatArray
    expected: FloatArray


def expected_without(
    signal: str,
    check: str,
    window: Window,
    profile: Profile,
    model: TrainedModel,
    memory: Memory,
    reference: Reference = NO_REFERENCE,
) -> Expectation:
    """What a check of behaviour expects of a signal in rows that it is not shown.

    An expectation that sees the signal follows it, and trouble that lasts would seem to ease.

    Args:
        check: `BEHAVIOUR` or `DRIFT`.
        memory: What judging the rows before left.
    """
    repeats = model.natural_repeats.get(window.asset, NO_REPEATS)
    clean = check_window(window, profile, memory, natural_repeats=repeats).clean
    column = clean.signals.index(signal)
    values = clean.values.copy()
    values[:, column] = np.nan
    blind = replace(clean, values=values)
    if check == DRIFT:
        scores, _ = model.peers.score(with_references(blind, reference), memory)
    else:
        scores, _ = model.detector.score(reference.without_common(blind), memory)
        scores = reference.with_common(blind, scores)
    return Expectation(clean.values[:, column], scores.expected[:, column])


def _weigh_levels(
    window: Window, model: TrainedModel | None, memory: Memory, reference: Reference
) -> tuple[list[Evidence], Memory]:
    """Slow drifts, unless the detector has told them, and what all peers do together."""
    slow = None if model is None else model.drift_calibration_of(window.step)
    if model is None or slow is None or not model.peers.knows(window.asset):
        return [], Memory()
    evidence, arrays = [], dict[str, np.ndarray]()
    at_once = Hysteresis.for_step(window.step)
    swift = replace(slow, on_delay=at_once.on_delay, off_delay=at_once.off_delay)
    looks = [(DRIFT, model.peers.score, slow), (COMMON, model.peers.score_common, swift)]
    referred = with_references(window, reference)
    for check, score, told in looks[model.follows_levels :]:
        found, after = score(referred, memory)
        arrays |= after.arrays
        if f"episode/{check}" in memory.arrays or not np.isnan(found.values).all():
            evidence.append(_evidence(check, found.of_signals(len(window.signals)), told, model))
    return evidence, Memory(arrays)


def _evidence(check: str, scores: Scores, calibration: Calibration, model: TrainedModel) -> Evidence:
    is_silent = np.isnan(scores.contributions) | np.isnan(scores.values)[:, None]
    return Evidence(
        check=check,
        kind=IncidentKind.BEHAVIOUR,
        exceedance=scores.values / calibration.threshold,
        threshold=calibration.threshold,
        contributions=np.where(is_silent, 0.0, scores.contributions),
        expected=scores.expected,
        is_telling=scores.is_telling,
        release=calibration.release,
        on_delay=calibration.on_delay,
        off_delay=calibration.off_delay,
        bands=calibration.bands,
        model=model.card.id,
        changes=scores.changes,
    )
