"""What was said against what somebody knows: labels matched with assets and rows, and counted."""

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.criticality import Criticality, CriticalityScale, criticality_of_word
from sereno.domain.errors import UnknownAsset, UnknownSignal, UsageError
from sereno.domain.readings import BoolArray, TimeArray, Window
from sereno.domain.signals import Profile
from sereno.domain.time import to_numpy
from sereno.domain.truth import Labels
from sereno.evaluate.acceptance import Goals, acceptance
from sereno.evaluate.judged import Event, JudgedAsset
from sereno.evaluate.scores import Scoreboard
from sereno.flows.abnormal import AbnormalRows, abnormal_rows
from sereno.flows.build import Setup, read_options
from sereno.flows.evaluation import Evaluation
from sereno.flows.learning import ModelShelf
from sereno.flows.named import named_assets, named_signal
from sereno.ingest.labels import read_labels
from sereno.store import Store, StoredAsset, Transaction

__all__ = ["Evaluator", "evaluate_workspace"]

_NOT_SAID = -1
_SEPARATORS = re.compile(r"[;,|+/\s]+")
_MICROSECOND = timedelta(microseconds=1)


def evaluate_workspace(
    setup: Setup,
    store: Store,
    shelf: ModelShelf,
    truth: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Evaluation:
    """Judge all assets that the truth could speak of, and compare.

    Raises:
        NoTruth: The file is no table of known anomalies.
        UnknownAsset: None of its names is an asset here.
        UsageError: It names no asset, and there are several.
    """
    with store.read() as tx:
        evaluator = Evaluator(tx, setup, truth, since=since, until=until)
        models: dict[str, str | None] = {}
        for name in evaluator.profiles:
            model = shelf.get(name)
            models[name] = None if model is None else model.card.id
            for asset in evaluator.assets_of(name):
                begun = time.perf_counter()
                found = abnormal_rows(tx, asset, setup.profiles[name], model)
                evaluator.judged(time.perf_counter() - begun)
                evaluator.add(asset, found)
    return evaluator.result(models)


class Evaluator:
    """The truth of a file, laid beside the rows of one asset after another."""

    def __init__(
        self,
        tx: Transaction,
        setup: Setup,
        truth: Path,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self._setup = setup
        self._since, self._until = since, until
        criticality = setup.settings.criticality
        self._scale = CriticalityScale(**criticality.model_dump())
        read = read_labels(truth, read_options(setup))
        self._labels = read
        self._keep = _distinct(read)
        self._assets = tx.assets()
        self._own, self._unknown = _by_asset(tx, read, self._keep, self._assets)
        self._unknown_variables: Counter[str] = Counter()
        self._n_outside = 0
        self._board = Scoreboard()
        self._seconds = 0.0

    @property
    def profiles(self) -> list[str]:
        """Profiles of which the truth names an asset."""
        return list(dict.fromkeys(asset.profile for asset in self._assets if asset.id in self._own))

    def assets_of(self, profile: str) -> list[StoredAsset]:
        """All assets of a profile: those that the truth does not name were normal."""
        return [asset for asset in self._assets if asset.profile == profile]

    def judged(self, seconds: float) -> None:
        """Note how long judging an asset took."""
        self._seconds += seconds

    def add(self, asset: StoredAsset, found: AbnormalRows) -> None:
        """Compare the rows of an asset with what the truth says of it."""
        profile = self._setup.profiles[asset.profile]
        truth = self._truth_of(asset, found.window, profile)
        rows = _rows_between(found.window.time, self._since, self._until)
        self._board.add(_judged_asset(asset, found, truth, self._scale, rows))

    def result(self, models: Mapping[str, str | None]) -> Evaluation:
        """All figures, and the goals of the settings."""
        judging = timedelta(seconds=self._seconds)
        wanted = self._setup.settings.acceptance
        goals = Goals(
            false_positive_rate=wanted.false_positive_rate,
            recall=wanted.recall,
            recall_by_variable=wanted.recall_by_variable,
            severity=wanted.severity,
            latency=wanted.latency,
        )
        return Evaluation(
            board=self._board,
            criteria=acceptance(self._board, goals, judging=judging),
            n_labels=len(self._labels),
            n_distinct=len(self._keep),
            n_outside=self._n_outside,
            unknown=self._unknown,
            unknown_variables=self._unknown_variables,
            judging=judging,
            models=models,
            since=self._since,
            until=self._until,
        )

    def _truth_of(self, asset: StoredAsset, window: Window, profile: Profile) -> "_Truth":
        truth = _Truth.blank(window)
        labels = self._labels
        for row in self._own.get(asset.id, ()):
            first, stop = _label_rows(window, labels.start[row], labels.end[row])
            if first >= stop:
                self._n_outside += 1
                continue
            affected = self._signals(labels.variables[row], window.signals, profile)
            level = criticality_of_word(labels.severities[row])
            truth.add(first, stop, affected, level, is_stretch=not np.isnat(labels.end[row]))
        return truth

    def _signals(self, text: str, stored: Sequence[str], profile: Profile) -> list[str]:
        """Signals that a cell names: all of it, or its words."""
        if not text:
            return []
        whole = _known_signal(text, stored, profile)
        if whole is not None:
            return [whole]
        found = [_known_signal(part, stored, profile) for part in _SEPARATORS.split(text) if part]
        if None in found:
            self._unknown_variables[text] += 1
        return [one for one in found if one is not None]


@dataclass(slots=True)
class _Truth:
    """What was so of the rows of an asset."""

    window: Window
    is_true: BoolArray
    affected: dict[str, BoolArray]
    level: np.ndarray
    stretches: set[tuple[int, int]]
    is_instant: BoolArray

    @classmethod
    def blank(cls, window: Window) -> "_Truth":
        n_rows = len(window)
        return cls(
            window=window,
            is_true=np.zeros(n_rows, dtype=bool),
            affected={},
            level=np.full(n_rows, _NOT_SAID, dtype=np.int8),
            stretches=set(),
            is_instant=np.zeros(n_rows, dtype=bool),
        )

    def add(
        self, first: int, stop: int, affected: Sequence[str], level: Criticality | None, *, is_stretch: bool
    ) -> None:
        """Lay one label on rows [first, stop)."""
        self.is_true[first:stop] = True
        for name in affected:
            blank = np.zeros(len(self.is_true), dtype=bool)
            self.affected.setdefault(name, blank)[first:stop] = True
        if level is not None:
            self.level[first:stop] = np.maximum(self.level[first:stop], int(level))
        if is_stretch:
            self.stretches.add((first, stop))
        else:
            self.is_instant[first:stop] = True

    def events(self, rows: slice) -> list[Event]:
        """The stretches within some rows, counted from the first of these; a run of instants is one."""
        return [
            Event(max(first, rows.start) - rows.start, min(stop, rows.stop) - rows.start)
            for first, stop in sorted({*self.stretches, *_runs(self.is_instant)})
            if first < rows.stop and stop > rows.start
        ]


def _judged_asset(
    asset: StoredAsset, found: AbnormalRows, truth: _Truth, scale: CriticalityScale, rows: slice
) -> JudgedAsset:
    """The rows [rows.start, rows.stop) of an asset as they are compared."""
    window = found.window
    local = local_time(window.time[rows], window.zone)
    hour = (local - local.astype("datetime64[D]")).astype("timedelta64[h]").astype(np.int64)
    is_said = found.is_told[rows]
    named = {name: found.named[rows, place] & is_said for place, name in enumerate(window.signals)}
    return JudgedAsset(
        name=str(asset.key),
        step=window.step,
        time=window.time[rows],
        local_hour=hour,
        is_read=found.is_read[rows],
        is_said=is_said,
        named=named,
        level=scale.grade(found.graded[rows]),
        is_true=truth.is_true[rows],
        affected={name: mask[rows] for name, mask in truth.affected.items()},
        true_level=truth.level[rows],
        events=truth.events(rows),
    )


def _distinct(labels: Labels) -> list[int]:
    """Positions of the labels without those that say the same again."""
    seen: dict[tuple[object, ...], int] = {}
    starts, ends = labels.start.astype(np.int64).tolist(), labels.end.astype(np.int64).tolist()
    listed = zip(labels.assets, starts, ends, labels.variables, labels.severities, strict=True)
    for place, key in enumerate(listed):
        seen.setdefault(key, place)
    return list(seen.values())


def _by_asset(
    tx: Transaction, labels: Labels, keep: Sequence[int], assets: Sequence[StoredAsset]
) -> tuple[dict[int, list[int]], Counter[str]]:
    """Labels of each asset, by its id; and how many bear a name that no asset has."""
    ids: dict[str, list[int]] = {}
    own: dict[int, list[int]] = {}
    unknown: Counter[str] = Counter()
    problem: UnknownAsset | None = None
    for place in keep:
        name = labels.assets[place]
        if name not in ids:
            try:
                ids[name] = _ids_of(tx, name, assets)
            except UnknownAsset as error:
                ids[name], problem = [], problem or error
        if not ids[name]:
            unknown[name] += 1
        for asset_id in ids[name]:
            own.setdefault(asset_id, []).append(place)
    if problem is not None and not own:
        raise problem
    return own, unknown


def _ids_of(tx: Transaction, name: str, assets: Sequence[StoredAsset]) -> list[int]:
    if name:
        return [one.id for one in named_assets(tx, name)]
    if len(assets) == 1:
        return [assets[0].id]
    detail = f"the truth names no asset, and there are {len(assets)}: give it a column cliente_id"
    raise UsageError(detail=detail, command="evaluate")


def _label_rows(window: Window, start: np.datetime64, end: np.datetime64) -> tuple[int, int]:
    """Rows [first, stop) that a label speaks of: those whose step it touches."""
    time = window.time
    if window.step is None:
        first = int(np.searchsorted(time, start))
        if np.isnat(end):
            return first, int(np.searchsorted(time, start, side="right"))
        return first, int(np.searchsorted(time, end))
    step = np.timedelta64(round(window.step / _MICROSECOND), "us")
    first = int(np.searchsorted(time, start - step, side="right"))
    last = start if np.isnat(end) else max(end - np.timedelta64(1, "us"), start)
    return first, int(np.searchsorted(time, last, side="right"))


def _rows_between(time: TimeArray, since: datetime | None, until: datetime | None) -> slice:
    first = 0 if since is None else int(np.searchsorted(time, to_numpy(since)))
    stop = len(time) if until is None else int(np.searchsorted(time, to_numpy(until)))
    return slice(first, max(stop, first))


def _runs(mask: BoolArray) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _known_signal(text: str, stored: Sequence[str], profile: Profile) -> str | None:
    try:
        return named_signal(profile, stored, text, profile.name)
    except UnknownSignal:
        return None
