"""Judging readings that are not stored: a record, a list of records, a file that somebody asks about.

The same path as for stored readings: the asset's memory at that instant, then `weigh_windows`. For an instant
that lies in the past the memory of the nearest checkpoint is carried forward over the stored rows, so that a
record scores exactly as it did in its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite

import numpy as np

from sereno.detect.episodes import describe_row
from sereno.domain.judgement import Detection, Evidence, IncidentKind, Memory
from sereno.domain.readings import FloatArray, QualityArray, Readings, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy, isoformat, to_numpy
from sereno.flows.assets import standing_of, window_between
from sereno.flows.judge import BEHAVIOUR, DRIFT, LEVELS, Case, judge_window, raised, weigh_windows
from sereno.flows.models import TrainedModel
from sereno.prepare.quality import MISSING
from sereno.store import Store

__all__ = [
    "AssetContext",
    "RowJudgement",
    "asset_context",
    "judge_readings",
    "row_judgements",
    "rows_by_asset",
]

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class RowJudgement:
    """What judging one row gave.

    Attributes:
        score: Behaviour score, or the exceedance of the check that speaks; NaN where nothing could be judged.
        threshold: Score from which a row is abnormal.
        detection: The evidence, for abnormal rows.
    """

    asset: AssetKey
    profile: str
    zone: str
    step: timedelta | None
    time: datetime
    is_abnormal: bool
    score: float
    threshold: float
    detection: Detection | None

    def to_json(self, sentence: str) -> dict[str, str | float | bool | None]:
        """The document of this judgement, with `sentence` as its text where the row is abnormal."""
        why = self.detection
        return {
            "site": self.asset.site,
            "asset": self.asset.asset,
            "time": isoformat(self.time),
            "is_abnormal": self.is_abnormal,
            "kind": None if why is None else why.kind.value,
            "cause": None if why is None else why.cause,
            "severity": None if why is None else why.severity.name.lower(),
            "score": _finite(self.score),
            "threshold": _finite(self.threshold),
            "signal": None if why is None else why.signals[0],
            "observed": None if why is None else _finite(why.observed),
            "expected": None if why is None else _finite(why.expected),
            "unit": None if why is None else why.unit,
            "sentence": None if why is None else sentence,
        }


def _finite(value: float) -> float | None:
    return round(value, _DECIMALS) if isfinite(value) else None


@dataclass(frozen=True, slots=True)
class AssetContext:
    """Where an asset stands, for rows after `last_at`; `is_latest` when no stored row lies beyond it."""

    zone: str
    step: timedelta | None
    signals: tuple[str, ...]
    memory: Memory
    last_at: datetime | None
    is_latest: bool = True
    factors: Mapping[str, float] = field(default_factory=dict)


def asset_context(
    store: Store, key: AssetKey, profile: Profile, model: TrainedModel | None, zone: str, first: np.datetime64
) -> AssetContext:
    """The standing of an asset just before an instant; of an unknown one, what the model knows of it."""
    with store.read() as tx:
        asset = next((a for a in tx.assets(profile.name, sites=[key.site]) if a.key == key), None)
        if asset is None:
            return _unstored(key, model, zone)
        standing = standing_of(tx, asset, model, first)
        memory, factors = standing.memory, tx.threshold_factors(asset.id)
        between = window_between(standing, first)
        if len(between):
            memory = judge_window(between, profile, model, memory, factors=factors).memory
        span = tx.span(asset.id)
    last = from_numpy(between.time[-1]) if len(between) else standing.last_at
    is_latest = span is None or bool(to_numpy(span[1]) < first)
    return AssetContext(asset.zone, standing.asset.step, standing.signals, memory, last, is_latest, factors)


def judge_readings(
    batches: Sequence[tuple[Readings, Mapping[AssetKey, AssetContext]]],
    profile: Profile,
    model: TrainedModel | None,
) -> list[list[RowJudgement]]:
    """Every row of batches, each in its order; gaps between the rows are not held against them.

    Batches know nothing of each other: the rows of each come next.
    """
    cases: list[Case] = []
    places: list[tuple[int, list[int]]] = []
    for number, (readings, contexts) in enumerate(batches):
        for key, rows in zip(readings.assets, rows_by_asset(readings), strict=True):
            context = contexts[key]
            window = _window(readings, rows, key, context)
            cases.append(Case(window, context.memory, factors=context.factors))
            places.append((number, rows.tolist()))
    judged: list[dict[int, RowJudgement]] = [{} for _ in batches]
    weighed = weigh_windows(cases, profile, model)
    for (number, own), case, one in zip(places, cases, weighed, strict=True):
        evidence = [raised(said, case.factors.get(said.check, 1.0)) for said in one.evidence]
        judged[number] |= zip(own, row_judgements(one.window, evidence, profile), strict=True)
    return [[of_batch[row] for row in range(len(of_batch))] for of_batch in judged]


def rows_by_asset(readings: Readings) -> list[np.ndarray]:
    """The rows of each asset of a batch, in time order."""
    if not readings.assets:
        return []
    order = np.lexsort((readings.time, readings.asset_index))
    return np.split(order, np.searchsorted(readings.asset_index[order], np.arange(1, len(readings.assets))))


def _unstored(key: AssetKey, model: TrainedModel | None, zone: str) -> AssetContext:
    if model is None:
        return AssetContext(zone, None, (), Memory(), None)
    known = model.layouts.get(key)
    if known is None:
        step = next(iter(model.layouts.values())).step
        return AssetContext(zone, step, (), Memory(), None)
    return AssetContext(known.zone, known.step, known.signals, model.memories[key], None)


def _window(readings: Readings, rows: np.ndarray, key: AssetKey, context: AssetContext) -> Window:
    """The rows as a window whose columns are those of the asset's memory, new signals behind."""
    signals = context.signals + tuple(name for name in readings.signals if name not in context.signals)
    if not context.memory.arrays:
        signals = readings.signals
    if signals == readings.signals:
        values, quality = readings.values[rows], readings.quality[rows]
    else:
        values, quality = _arranged(readings, rows, signals)
    return Window(
        key, readings.profile, signals, readings.time[rows], values, quality, context.step, context.zone
    )


def _arranged(
    readings: Readings, rows: np.ndarray, signals: tuple[str, ...]
) -> tuple[FloatArray, QualityArray]:
    values = np.full((len(rows), len(signals)), np.nan)
    quality = np.zeros((len(rows), len(signals)), dtype=np.int32)
    for s, name in enumerate(signals):
        if name in readings.signals:
            column = readings.signals.index(name)
            values[:, s] = readings.values[rows, column]
            quality[:, s] = readings.quality[rows, column]
    return values, quality


def row_judgements(
    window: Window, evidence: Sequence[Evidence], profile: Profile, rows: Iterable[int] | None = None
) -> list[RowJudgement]:
    """What the checks said of a window's rows, or of some of them, as one verdict each."""
    is_of_rows = any(one.check == BEHAVIOUR for one in evidence)
    slow = LEVELS if is_of_rows else LEVELS - {DRIFT}  # a detector of levels has nothing else to say
    evidence = [one for one in evidence if one.check not in slow]
    behaviour = evidence[-1] if evidence[-1].kind is IncidentKind.BEHAVIOUR else None
    times = window.time.astype("datetime64[us]").tolist()
    verdicts = []
    for row in range(len(window)) if rows is None else rows:
        speaks = next((one for one in evidence if _speaks_of(one, window, row)), None)
        shown = speaks or behaviour
        verdicts.append(
            RowJudgement(
                asset=window.asset,
                profile=window.profile,
                zone=window.zone,
                step=window.step,
                time=times[row].replace(tzinfo=UTC),
                is_abnormal=speaks is not None,
                score=float("nan") if shown is None else float(shown.exceedance[row]) * shown.threshold,
                threshold=float("nan") if shown is None else shown.threshold,
                detection=None if speaks is None else describe_row(speaks, window, profile, row),
            )
        )
    return verdicts


def _speaks_of(one: Evidence, window: Window, row: int) -> bool:
    """Whether a check calls a row abnormal; one that says something is so for that, not for what it lacks."""
    if not one.exceedance[row] >= 1.0:
        return False
    return one.check != MISSING or bool(np.isnan(window.values[row]).all())
