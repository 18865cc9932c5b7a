"""Two detectors on days that neither has seen: whom they wake for nothing, and what they would miss.

There are few labels, and a detector cannot be judged by the rows that it explains well: one that repeats
what it sees explains all of them. So each day is judged twice, as it was and with a fault put into it. A day
costs 1 when it is called abnormal although nobody has confirmed that it was, and the share of its faults that
nobody would have been told of. Both detectors get the same days, the same faults, and their own thresholds.

Two that follow levels of weeks would see nothing of a fault of one day. They get drifts: signals that have
been on another level since the first of the days.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np

from sereno.detect.beside import weigh_beside
from sereno.detect.peering import Reference
from sereno.domain.calendar import local_time
from sereno.domain.incidents import HumanState, Incident, Verdict
from sereno.domain.judgement import Calibration, Memory
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.registry import Comparison, Opinion
from sereno.domain.signals import Profile
from sereno.domain.time import to_numpy
from sereno.evaluate.pairing import CONFIDENCE, pair_days
from sereno.flows.assets import whole_window
from sereno.flows.fleet import peer_reference
from sereno.flows.models import TrainedModel
from sereno.prepare.checks import NO_REPEATS, check_window
from sereno.store import Store, StoredAsset, Transaction

__all__ = ["alarm_rows", "compare_detectors", "compared", "mean_by_day", "unseen_since"]

FAULTS, DRIFTS = "faults", "drifts"
"""Measures of a comparison."""
MOST_DAYS = 28
MOST_ASSETS = 50
FAULTS_PER_DAY = 2
_FULL_DAY = 0.5
"""Share of the rows of the fullest day that a day needs to count."""
_FAULTS = (("shifted", 3.0), ("shifted", -3.0), ("shifted", 6.0), ("reversed", 0.0))
"""What is put into a day: a signal so many usual deviations off for half of it, or the day backwards."""
_DRIFTS = (0.8, 0.6)
"""What is left of a signal's level."""
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class _Day:
    """A whole local day of an asset: rows [start, stop) of its window."""

    day: date
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Trial:
    """An asset on its unseen days.

    Attributes:
        drifting: Whether drifts are put in, and not faults of a day.
        window: From the first row that either model has not seen.
        confirmed: Rows of incidents that somebody confirmed, shape (rows,).
        spread: Usual deviation of each signal from its time of day, shape (signals,).
    """

    asset: StoredAsset
    profile: Profile
    drifting: bool
    window: Window
    days: Sequence[_Day]
    confirmed: BoolArray
    spread: FloatArray
    number: int


def compare_detectors(
    store: Store, profile: Profile, champion: TrainedModel, challenger: TrainedModel
) -> Comparison:
    """The challenger beside the champion, on the last whole days that neither has learnt from."""
    losses: dict[date, list[tuple[float, float]]] = {}
    n_assets = 0
    for trial in _trials(store, profile, (champion, challenger)):
        n_assets += 1
        with store.read() as tx:
            each = [_losses(tx, trial, profile, model) for model in (champion, challenger)]
        for day, before, after in zip(trial.days, *each, strict=True):
            losses.setdefault(day.day, []).append((before, after))
    measure = DRIFTS if _are_slow((champion, challenger)) else FAULTS
    return compared(measure, champion.card.id, challenger.card.id, losses, n_assets)


def compared(
    measure: str,
    champion: str,
    challenger: str,
    losses: dict[date, list[tuple[float, float]]],
    n_assets: int,
) -> Comparison:
    """The verdict on two models from their losses of each asset by day."""
    days, means = mean_by_day(losses)
    pairing = pair_days(means[:, 0], means[:, 1])
    nothing = float("nan")
    return Comparison(
        champion=champion,
        challenger=challenger,
        measure=measure,
        opinion=pairing.opinion if n_assets else Opinion.TOO_FEW_DAYS,
        champion_loss=float(means[:, 0].mean()) if days else nothing,
        challenger_loss=float(means[:, 1].mean()) if days else nothing,
        difference=pairing.difference,
        low=pairing.low,
        high=pairing.high,
        confidence=CONFIDENCE,
        n_days=pairing.n_days,
        n_assets=n_assets,
        first=days[0] if days else None,
        last=days[-1] if days else None,
    )


def mean_by_day(losses: dict[date, list[tuple[float, float]]]) -> tuple[list[date], FloatArray]:
    """The days in order, and the mean loss of either model over the assets, shape (days, 2)."""
    days = sorted(losses)
    means = np.array([np.mean(losses[day], axis=0) for day in days]).reshape(-1, 2)
    return days, means


def unseen_since(models: Sequence[TrainedModel], asset: StoredAsset) -> datetime:
    """The last instant of an asset that any of the models has learnt from."""
    return max(model.layouts[asset.key].until or model.card.trained_at for model in models)


def alarm_rows(scores: FloatArray, calibration: Calibration) -> BoolArray:
    """Rows within an episode that the calibration opens on these scores, shape (rows,)."""
    inside = np.zeros(len(scores), dtype=bool)
    n_high, n_low, is_open = 0, 0, False
    high: BoolArray = np.asarray(scores >= calibration.threshold)
    low: BoolArray = np.asarray(scores >= calibration.release * calibration.threshold)
    for row in np.flatnonzero(~np.isnan(scores)).tolist():
        n_high = n_high + 1 if high[row] else 0
        n_low = 0 if low[row] else n_low + 1
        if is_open and n_low >= calibration.off_delay:
            is_open = False
        is_open = is_open or n_high >= calibration.on_delay
        inside[row] = is_open
    return inside


def _trials(store: Store, profile: Profile, models: Sequence[TrainedModel]) -> Iterator[_Trial]:
    """The assets that both models know and that have whole days which neither has seen."""
    with store.read() as tx:
        assets = [
            one
            for one in tx.assets(profile.name)
            if all(one.key in model.layouts and model.detector.knows(one.key) for model in models)
        ]
    chosen = np.unique(np.linspace(0, len(assets) - 1, min(len(assets), MOST_ASSETS)).round().astype(int))
    for number in chosen.tolist():
        asset = assets[number]
        seen = unseen_since(models, asset)
        with store.read() as tx:
            window = whole_window(tx, asset)
            incidents = tx.incidents(asset_id=asset.id, since=seen)
        first = min(model.layouts[asset.key].until or model.card.trained_at for model in models)
        begin = int(np.searchsorted(window.time, to_numpy(first), side="right"))
        window = window.rows(begin, len(window))
        days = _whole_days(window, seen)
        if days:
            rows = _confirmed(window, incidents)
            yield _Trial(asset, profile, _are_slow(models), window, days, rows, _spread(window), number)


def _are_slow(models: Sequence[TrainedModel]) -> bool:
    return all(model.follows_levels for model in models)


def _whole_days(window: Window, seen: datetime) -> list[_Day]:
    """The last local days that begin after an instant and are full."""
    if not len(window):
        return []
    day = local_time(window.time, window.zone).astype("datetime64[D]")
    names, starts, counts = np.unique(day, return_index=True, return_counts=True)
    is_full: list[bool] = np.asarray(counts >= _FULL_DAY * counts.max()).tolist()
    known: BoolArray = np.asarray(~np.isnan(window.values).all(axis=1))
    found = []
    for name, start, count, full in zip(names, starts.tolist(), counts.tolist(), is_full, strict=True):
        is_unseen = bool(window.time[start] > to_numpy(seen))
        if full and is_unseen and known[start : start + count].any():
            found.append(_Day(name.item(), start, start + count))
    return found[-MOST_DAYS:]


def _confirmed(window: Window, incidents: Sequence[Incident]) -> BoolArray:
    """Rows of incidents that a person took for real, shape (rows,)."""
    inside = np.zeros(len(window), dtype=bool)
    for one in incidents:
        is_real = one.state is HumanState.ACKNOWLEDGED or one.verdict is Verdict.REAL
        if is_real:
            stop = (
                len(window) if one.ended_at is None else int(window.time.searchsorted(to_numpy(one.ended_at)))
            )
            inside[int(window.time.searchsorted(to_numpy(one.started_at))) : stop] = True
    return inside


def _spread(window: Window) -> FloatArray:
    """Median deviation of each signal from its time of day, as a standard deviation, shape (signals,)."""
    local = local_time(window.time, window.zone)
    clock = (local - local.astype("datetime64[D]")).astype(np.int64)
    apart = window.values.copy()
    for slot in np.unique(clock):
        rows = clock == slot
        apart[rows] -= _median(window.values[rows])
    spread: FloatArray = _MAD_TO_SIGMA * _median(np.abs(apart))
    return spread


def _median(values: FloatArray) -> FloatArray:
    """By column; NaN where all are, without a word."""
    known = np.where(np.isnan(values).all(axis=0), 0.0, values)
    middle: FloatArray = np.nanmedian(known, axis=0)
    return np.where(np.isnan(values).all(axis=0), np.nan, middle)


def _losses(tx: Transaction, trial: _Trial, profile: Profile, model: TrainedModel) -> list[float]:
    """What each day of an asset costs with a model."""
    key = trial.asset.key
    until = model.layouts[key].until or model.card.trained_at
    begin = int(np.searchsorted(trial.window.time, to_numpy(until), side="right"))
    repeats = model.natural_repeats.get(key, NO_REPEATS)
    clean = check_window(trial.window, profile, Memory(), natural_repeats=repeats).clean
    reference = peer_reference(tx, trial.asset, model, clean.time)
    judged = _Judged(trial, model, clean.rows(begin, len(clean)), reference.rows(begin, len(clean)), begin)
    return judged.losses_of_drifts() if trial.drifting else judged.losses_of_days()


@dataclass(frozen=True, slots=True)
class _Judged:
    """A trial before one of the models.

    Attributes:
        window, reference: From the first row that the model has not seen.
        begin: Its row in the window of the trial.
    """

    trial: _Trial
    model: TrainedModel
    window: Window
    reference: Reference
    begin: int

    def losses_of_days(self) -> list[float]:
        """Days that are judged as they were and with a fault each."""
        memory = self.model.memories[self.window.asset]
        position, losses = 0, []
        for day in self.trial.days:
            start, stop = day.start - self.begin, day.stop - self.begin
            if position < start:
                memory = self._weigh(self.window, memory, position, start)[1]
            told, after = self._weigh(self.window, memory, start, stop)
            found = []
            for number in range(FAULTS_PER_DAY):
                rows = self.window.rows(start, stop)
                faulty, is_fault = _with_fault(rows, self.trial, day.start + self.trial.number + number)
                if is_fault.any():
                    beside = self.reference.rows(start, stop)
                    scores = weigh_beside(self.model.detector, faulty, beside, memory)[0].values
                    found.append(self._alarms(scores) & is_fault)
            losses.append(self._loss(day, self._alarms(told), found))
            memory, position = after, stop
        return losses

    def losses_of_drifts(self) -> list[float]:
        """Days of a course that is judged as it was, and with signals that have lost some of their level."""
        memory, n_rows = self.model.memories[self.window.asset], len(self.window)
        first = self.trial.days[0].start - self.begin
        told, *found = (
            self._alarms(self._weigh(window, memory, 0, n_rows)[0])
            for window in (self.window, *_with_drifts(self.window, first, self.trial))
        )
        return [
            self._loss(day, told[rows], [one[rows] for one in found])
            for day in self.trial.days
            for rows in [slice(day.start - self.begin, day.stop - self.begin)]
        ]

    def _weigh(self, window: Window, memory: Memory, start: int, stop: int) -> tuple[FloatArray, Memory]:
        rows, beside = window.rows(start, stop), self.reference.rows(start, stop)
        scores, after = weigh_beside(self.model.detector, rows, beside, memory)
        return scores.values, after

    def _alarms(self, scores: FloatArray) -> BoolArray:
        return alarm_rows(scores, self.model.calibration_of(self.window.step, self.window.asset))

    def _loss(self, day: _Day, told: BoolArray, found: Sequence[BoolArray]) -> float:
        """What a day costs.

        Args:
            told: Rows of alarms on the day as it was.
            found: Rows of alarms on the day with each of its faults.
        """
        confirmed = self.trial.confirmed[day.start : day.stop]
        missed = [not (told & confirmed).any()] if confirmed.any() else []
        missed += [not (one & ~told).any() for one in found]
        is_false = bool((told & ~confirmed).any())
        return float(is_false) + (float(np.mean(missed)) if missed else 0.0)


def _with_drifts(window: Window, first: int, trial: _Trial) -> list[Window]:
    """The window with a signal each that is on another level from a row on."""
    amounts = [
        column for column, name in enumerate(window.signals) if trial.profile.signal(name).is_ratio_scaled
    ]
    drifted = []
    for number, left in enumerate(_DRIFTS if amounts else ()):
        values = window.values.copy()
        values[first:, amounts[(trial.number + number) % len(amounts)]] *= left
        drifted.append(replace(window, values=values))
    return drifted


def _with_fault(window: Window, trial: _Trial, draw: int) -> tuple[Window, BoolArray]:
    """The day with a fault in one signal, and the faulty rows; none where there is nothing to disturb.

    Args:
        draw: Chooses fault and signal: the same for either model.
    """
    kind, size = _FAULTS[draw % len(_FAULTS)]
    column = (draw // len(_FAULTS) + draw) % len(window.signals)
    n_rows = len(window)
    is_fault = np.zeros(n_rows, dtype=bool)
    is_fault[n_rows // 4 : max(n_rows // 4 + 1, 3 * n_rows // 4)] = True
    values = window.values.copy()
    own = window.values[:, column]
    if kind == "reversed" and n_rows > 1:
        is_fault[:] = True
        values[:, column] = own[::-1]
    else:
        shifted = own[is_fault] + (size or 3.0) * trial.spread[column]
        is_positive = np.nanmin(trial.window.values[:, column], initial=np.inf) >= 0.0
        values[is_fault, column] = np.maximum(shifted, 0.0) if is_positive else shifted
    is_fault &= ~np.isnan(own) & (values[:, column] != own)
    return replace(window, values=values), is_fault
