"""What was said against what somebody knows: labels matched with assets and rows, and counted."""

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.criticality import Criticality, CriticalityScale, criticality_of_word
from sereno.domain.errors import UnknownAsset, UnknownSignal, UsageError
from sereno.domain.readings import BoolArray, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import to_numpy
from sereno.domain.truth import Labels
from sereno.evaluate.acceptance import Goals, acceptance
from sereno.evaluate.judged import Event, JudgedAsset
from sereno.evaluate.scores import Scoreboard
from sereno.flows.abnormal import AbnormalRows, abnormal_rows
from sereno.flows.build import Setup, read_options
from sereno.flows.evaluation import Evaluation
from sereno.flows.learning import ModelShelf
from sereno.flows.named import named_places, named_signal
from sereno.ingest.labels import read_labels
from sereno.store import Store

__all__ = ["Evaluator", "TruthBoard", "evaluate_workspace"]

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
        assets = tx.assets()
        named = [(one.profile, one.key) for one in assets]
        evaluator = Evaluator(named, setup, truth, since=since, until=until)
        models: dict[str, str | None] = {}
        for name in evaluator.profiles:
            model = shelf.get(name)
            models[name] = None if model is None else model.card.id
            for asset in (one for one in assets if one.profile == name):
                begun = time.perf_counter()
                found = abnormal_rows(tx, asset, setup.profiles[name], model)
                evaluator.judged(time.perf_counter() - begun)
                evaluator.add(name, asset.key, found)
    return evaluator.result(models)


@dataclass(slots=True)
class TruthBoard:
    """Labels with whom they speak of, and what came of laying them beside what was said.

    Attributes:
        own: Positions of the labels that speak of an asset, by profile and asset.
        since, until: Only rows in [since, until) are counted.
        n_outside: Labels at instants that their asset has no row of.
        unknown_variables: Labels by a variable that their asset does not have.
    """

    labels: Labels
    own: Mapping[tuple[str, AssetKey], Sequence[int]]
    scale: CriticalityScale
    since: datetime | None = None
    until: datetime | None = None
    board: Scoreboard = field(default_factory=Scoreboard)
    n_outside: int = 0
    unknown_variables: Counter[str] = field(default_factory=Counter)

    def add(self, asset: AssetKey, found: AbnormalRows, profile: Profile) -> None:
        """Compare the rows of an asset with what the truth says of it."""
        truth = self._truth_of(asset, found.window, profile)
        rows = _rows_between(found.window.time, self.since, self.until)
        self.board.add(_judged_asset(asset, found, truth, self.scale, rows))

    def merge(self, other: "TruthBoard") -> None:
        """Count in what was found of other assets."""
        self.board.merge(other.board)
        self.n_outside += other.n_outside
        self.unknown_variables.update(other.unknown_variables)

    def of(self, profile: str, assets: Sequence[AssetKey]) -> "TruthBoard":
        """An empty board with the labels of some assets alone."""
        named = {(profile, key): self.own[profile, key] for key in assets if (profile, key) in self.own}
        places = sorted({place for own in named.values() for place in own})
        at = {place: new for new, place in enumerate(places)}
        own = {one: [at[place] for place in positions] for one, positions in named.items()}
        return TruthBoard(self.labels.take(places), own, self.scale, self.since, self.until)

    def _truth_of(self, asset: AssetKey, window: Window, profile: Profile) -> "_Truth":
        truth = _Truth.blank(window)
        labels = self.labels
        for row in self.own.get((profile.name, asset), ()):
            first, stop = _label_rows(window, labels.start[row], labels.end[row])
            if first >= stop:
                self.n_outside += 1
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
            self.unknown_variables[text] += 1
        return [one for one in found if one is not None]


class Evaluator:
    """The truth of a file, laid beside the rows of one asset after another.

    Args:
        assets: Profile and name of all assets: those that the truth does not name were normal.

    Raises:
        NoTruth: The file is no table of known anomalies.
        UnknownAsset: None of its names is an asset here.
        UsageError: It names no asset, and there are several.
    """

    def __init__(
        self,
        assets: Sequence[tuple[str, AssetKey]],
        setup: Setup,
        truth: Path,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self._setup = setup
        self._assets = assets
        labels = read_labels(truth, read_options(setup))
        keep = _distinct(labels)
        self._n_distinct = len(keep)
        own, self._unknown = _by_asset(labels, keep, assets)
        scale = CriticalityScale(**setup.settings.criticality.model_dump())
        self.truth = TruthBoard(labels, own, scale, since, until)
        self._seconds = 0.0

    @property
    def profiles(self) -> list[str]:
        """Profiles of which the truth names an asset."""
        return list(dict.fromkeys(one[0] for one in self._assets if one in self.truth.own))

    def judged(self, seconds: float) -> None:
        """Note how long judging an asset took."""
        self._seconds += seconds

    def add(self, profile: str, asset: AssetKey, found: AbnormalRows) -> None:
        """Compare the rows of an asset with what the truth says of it."""
        self.truth.add(asset, found, self._setup.profiles[profile])

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
            board=self.truth.board,
            criteria=acceptance(self.truth.board, goals, judging=judging),
            n_labels=len(self.truth.labels),
            n_distinct=self._n_distinct,
            n_outside=self.truth.n_outside,
            unknown=self._unknown,
            unknown_variables=self.truth.unknown_variables,
            judging=judging,
            models=models,
            since=self.truth.since,
            until=self.truth.until,
        )


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
    asset: AssetKey, found: AbnormalRows, truth: _Truth, scale: CriticalityScale, rows: slice
) -> JudgedAsset:
    """The rows [rows.start, rows.stop) of an asset as they are compared."""
    window = found.window
    local = local_time(window.time[rows], window.zone)
    hour = (local - local.astype("datetime64[D]")).astype("timedelta64[h]").astype(np.int64)
    is_said = found.is_told[rows]
    named = {name: found.named[rows, place] & is_said for place, name in enumerate(window.signals)}
    return JudgedAsset(
        name=str(asset),
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
    labels: Labels, keep: Sequence[int], assets: Sequence[tuple[str, AssetKey]]
) -> tuple[dict[tuple[str, AssetKey], list[int]], Counter[str]]:
    """Labels of each asset, by its profile and name; and how many bear a name that no asset has."""
    named: dict[str, list[tuple[str, AssetKey]]] = {}
    own: dict[tuple[str, AssetKey], list[int]] = {}
    unknown: Counter[str] = Counter()
    problem: UnknownAsset | None = None
    for place in keep:
        name = labels.assets[place]
        if name not in named:
            try:
                named[name] = _assets_called(name, assets)
            except UnknownAsset as error:
                named[name], problem = [], problem or error
        if not named[name]:
            unknown[name] += 1
        for one in named[name]:
            own.setdefault(one, []).append(place)
    if problem is not None and not own:
        raise problem
    return own, unknown


def _assets_called(name: str, assets: Sequence[tuple[str, AssetKey]]) -> list[tuple[str, AssetKey]]:
    if name:
        return [assets[place] for place in named_places([key for _, key in assets], name)]
    if len(assets) == 1:
        return [assets[0]]
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
