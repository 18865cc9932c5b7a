"""The default detector of records: robust z and PCA per asset, a fleet's isolation forest as second vote.

Each asset has its own baseline, spread and components; what is left over is in standard deviations and
therefore alike across a fleet, so one forest over all assets votes on it. Three statistics, each in units of
its own calm 99 % quantile, make the score: the largest deviation, T² along the components, Q off them. The
forest confirms: a row it finds ordinary keeps only `UNCONFIRMED` of its score. A vital signal that stands
still scores by how long it has stood, against what the fleet takes for natural.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np

from sereno.contracts import MIN_ROWS
from sereno.contracts.detection import Asked
from sereno.detect.baseline import Baseline, Residuals, fit_baseline, starting_level
from sereno.detect.columns import columns_of
from sereno.detect.forest import Forest, fit_forest
from sereno.detect.pca import Components, fit_components
from sereno.detect.precedent import are_habitual, beyond_precedent
from sereno.detect.weighing import CLIP, Draft, scores_of
from sereno.domain.archive import pack, unpack
from sereno.domain.arrays import some
from sereno.domain.calendar import local_time
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["AssetModel", "RobustDetector", "TrainedRobust"]

FLEET = AssetKey("*", "*")
"""Stands for an asset that training never saw."""
_CALM = 4.0
"""Deviation beyond which a row is left out when the components and the forest are fitted."""
_CALM_QUANTILE = 0.99
_BODY_QUANTILE = 0.95
_TAIL_CAP = 2.0
"""The 99 % quantile is at most this many times the 95 % one (1.4 for a normal variable)."""
_FLEET_CAPS = np.array([1.5, 1.5, 1.5, 1.0])
"""An asset's own limits are at most these times the middle ones of its fleet."""
_VOTE_QUANTILE = 0.95
_MAX_FOREST_ROWS = 100_000
_VOTE_ROWS = 5_000
_STANDING = "standing"
_FIRST_VALUES, _FIRST_TIMES = "newcomer/values", "newcomer/time"
_STANDING_MARGIN = 2.0
"""Rows beyond the longest natural standstill before one counts as abnormal."""


@dataclass(frozen=True, slots=True)
class AssetModel:
    """What the detector knows of one asset."""

    signals: tuple[str, ...]
    zone: str
    step: timedelta | None
    baseline: Baseline
    components: Components
    limits: FloatArray
    """Calm limits of largest deviation, sqrt(T²), sqrt(Q), and rows a vital signal stands, shape (4,)."""


@dataclass(frozen=True, slots=True)
class FleetVote:
    """The forest over all assets with the same signals and the score from which it calls a row odd.

    `components` are those of all their calm rows together: what a stranger to the fleet is measured by.
    """

    forest: Forest
    limit: float
    components: Components

    def is_odd(self, clipped: FloatArray) -> BoolArray:
        """Whether the forest confirms that rows are strange, shape (rows,)."""
        odd: BoolArray = self.forest.score(clipped) >= self.limit
        return odd


@dataclass(frozen=True, slots=True)
class RobustDetector:
    """Robust z, PCA and a fleet forest.

    Attributes:
        profile: Gives the signals their scale and vital ones their name.
        seed: Of the forest.
        n_trees: Trees of the forest.
    """

    profile: Profile
    seed: int = 0
    n_trees: int = 100

    def fit(self, history: Sequence[Window]) -> "TrainedRobust":
        """Learn each asset of `history`; cells that are NaN teach nothing.

        Raises:
            HistoryTooShort: No asset has `MIN_ROWS` rows.
        """
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedRobust":
        """As `fit`, from the rows marked in `use` alone; the level still follows all rows.

        Args:
            use: Rows to learn from, one array (rows,) per window.
        """
        assets: dict[AssetKey, AssetModel] = {}
        calm: dict[tuple[str, ...], list[FloatArray]] = {}
        for window, rows in zip(history, use, strict=True):
            if _n_usable(window, rows) < MIN_ROWS:
                continue
            model, deviations = self._fit_asset(window, local_time(window.time, window.zone), rows)
            assets[window.asset] = model
            calm.setdefault(window.signals, []).append(deviations)
        if not assets:
            found = f"{max((_n_usable(w, r) for w, r in zip(history, use, strict=True)), default=0)} rows"
            raise HistoryTooShort(found=found, needed=f"{MIN_ROWS} rows of one asset")
        assets = _with_fleet_limits(assets)
        votes = {signals: self._fit_vote(rows) for signals, rows in calm.items()}
        return TrainedRobust(self.profile, assets, votes)

    def _fit_asset(self, window: Window, local: TimeArray, rows: BoolArray) -> tuple[AssetModel, FloatArray]:
        cells = rows[:, None] & ~np.isnan(window.values)
        baseline = fit_baseline(window, self.profile, local, cells)
        residuals, _ = baseline.residuals(window.values, local, Memory())
        in_service = rows & ~np.isnan(window.values).all(axis=1) & ~residuals.is_still.any(axis=1)
        is_habitual = are_habitual(window.signals, self.profile, window.step)
        deviations, _ = beyond_precedent(
            residuals.deviations, window.time, window.step, is_habitual, Memory()
        )
        clipped = _clipped(deviations[in_service])
        calm = clipped[np.abs(clipped).max(axis=1, initial=0.0) < _CALM]
        if len(calm) < MIN_ROWS:
            calm = clipped if len(clipped) else np.zeros((1, len(window.signals)))
        components = fit_components(calm)
        model = AssetModel(window.signals, window.zone, window.step, baseline, components, np.ones(4))
        standing = _standing_rows(residuals, None)[rows]
        longest = np.array([standing.max(initial=0.0) + _STANDING_MARGIN])
        return replace(model, limits=np.concatenate([_limits(components, clipped), longest])), calm

    def _fit_vote(self, rows: list[FloatArray]) -> FleetVote:
        pooled = np.concatenate(rows)
        if len(pooled) > _MAX_FOREST_ROWS:
            pooled = np.random.default_rng(self.seed).choice(pooled, _MAX_FOREST_ROWS, replace=False)
        forest = fit_forest(pooled, seed=self.seed, n_trees=self.n_trees)
        limit = float(np.quantile(forest.score(pooled[:_VOTE_ROWS]), _VOTE_QUANTILE))
        return FleetVote(forest, limit, fit_components(pooled))

    def load(self, state: bytes) -> "TrainedRobust":
        """The trained detector that `TrainedRobust.dump` wrote."""
        return TrainedRobust.from_bytes(state, self.profile)


@dataclass(frozen=True, slots=True)
class TrainedRobust:
    """Frozen; everything that scoring needs, for all assets of a profile.

    Attributes:
        newcomers: Strangers that belong here: their first day says where they stand and is not judged.
    """

    profile: Profile
    assets: Mapping[AssetKey, AssetModel]
    votes: Mapping[tuple[str, ...], FleetVote]
    newcomers: frozenset[AssetKey] = frozenset()
    _fleet: dict[tuple[str, ...], AssetModel] = field(default_factory=dict, compare=False, repr=False)
    _gain: dict[tuple[str, ...], BoolArray] = field(default_factory=dict, compare=False, repr=False)

    @property
    def lookback(self) -> timedelta:
        """None: what it needs of the past is in its memory."""
        return timedelta(0)

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        return asset in self.assets

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Strangeness of each row in units of the calm 99 % quantile.

        A window whose signals differ from those learnt is judged on the learnt ones; a missing one counts as
        expected. An asset that training never saw is judged from the fleet.
        """
        if window.asset in self.newcomers and not self.knows(window.asset):
            return self._score_newcomer(window, memory or Memory())
        return self._score(window, memory)

    def with_newcomers(self, assets: Collection[AssetKey]) -> "TrainedRobust":
        """The same detector that lets these assets show where they stand before it judges them."""
        return replace(self, newcomers=self.newcomers | set(assets))

    def _score_newcomer(self, window: Window, memory: Memory) -> tuple[Scores, Memory]:
        """Rows of a newcomer: those of its first day are kept until they say where it stands."""
        if "level" in memory.arrays:
            return self._score(window, memory)
        model = self._fleet_model(window)
        values = columns_of(window, model.signals)
        seen = memory.arrays.get(_FIRST_VALUES, np.empty((0, len(model.signals))))
        first_at = memory.arrays.get(_FIRST_TIMES, np.empty(0, dtype="datetime64[us]"))
        n_first = min(max(model.baseline.slots_a_day, MIN_ROWS) - len(seen), len(window))
        seen = np.concatenate([seen, values[:n_first]])
        first_at = np.concatenate([first_at, window.time[:n_first]])
        unjudged = _nothing_said(window.rows(0, n_first))
        if len(seen) < max(model.baseline.slots_a_day, MIN_ROWS):
            return unjudged, Memory({_FIRST_VALUES: seen, _FIRST_TIMES: first_at})
        level = starting_level(model.baseline, seen, local_time(first_at, window.zone))
        start = Memory({"level": level, "lean": np.zeros(len(level))})
        judged, after = self._score(window.rows(n_first, len(window)), start)
        return _joined(unjudged, judged), after

    def score_together(self, asked: Sequence[Asked]) -> list[tuple[Scores, Memory]]:
        """As `score`, of windows of many assets, whose rows are weighed in one call."""
        scored: dict[int, tuple[Scores, Memory]] = {}
        alike: dict[object, dict[int, Draft]] = {}
        for place, (window, memory) in enumerate(asked):
            if window.asset in self.newcomers and not self.knows(window.asset):
                scored[place] = self._score_newcomer(window, memory or Memory())
            else:
                draft = self._drafted(window, memory)
                alike.setdefault(draft.kind, {})[place] = draft
        for drafts in alike.values():
            scored |= zip(drafts, self._finished(list(drafts.values())), strict=True)
        return [scored[place] for place in range(len(asked))]

    def _score(self, window: Window, memory: Memory | None) -> tuple[Scores, Memory]:
        return self._finished([self._drafted(window, memory)])[0]

    def _drafted(self, window: Window, memory: Memory | None) -> Draft:
        """What the asset's own baseline, and its last weeks, say of the rows."""
        model = self.assets.get(window.asset) or self._fleet_model(window)
        values = columns_of(window, model.signals)
        residuals, after = model.baseline.residuals(
            values, local_time(window.time, window.zone), memory or Memory()
        )
        is_habitual = are_habitual(model.signals, self.profile, window.step)
        deviations, seen = beyond_precedent(
            residuals.deviations, window.time, window.step, is_habitual, memory or Memory()
        )
        standing = _standing_rows(residuals, memory)
        last = standing[-1:] if len(standing) else _before(memory)
        return Draft(
            window,
            model.signals,
            model.components,
            model.limits,
            model.baseline.is_vital,
            np.asarray(np.isnan(values).all(axis=1)),
            residuals,
            deviations,
            standing,
            Memory({**after.arrays, **seen.arrays, _STANDING: last}),
        )

    def _finished(self, drafts: Sequence[Draft]) -> list[tuple[Scores, Memory]]:
        """The scores of drafts of one kind."""
        signals = drafts[0].signals
        scores = scores_of(drafts, self._gains(signals), self.votes[signals].is_odd)
        return [(one, draft.memory) for one, draft in zip(scores, drafts, strict=True)]

    def _gains(self, signals: tuple[str, ...]) -> BoolArray:
        """Signals of which more is welcome, and which are not vital, shape (signals,)."""
        if signals not in self._gain:
            known = map(self.profile.signal, signals)
            self._gain[signals] = np.array([one.is_gain and not one.is_vital for one in known], dtype=bool)
        return self._gain[signals]

    def _fleet_model(self, window: Window) -> AssetModel:
        """An asset as wide as the fleet: its centre is the fleet's, its spread that between members too."""
        signals = max(self.votes, key=lambda names: len(set(names) & set(window.signals)))
        if signals not in self._fleet:
            members = [model for model in self.assets.values() if model.signals == signals]
            self._fleet[signals] = _pooled(members, self.votes[signals].components)
        return self._fleet[signals]

    def dump(self) -> bytes:
        """An archive of arrays and a JSON index; never a pickle."""
        arrays: dict[str, np.ndarray] = {}
        assets, votes = [], []
        for i, (key, model) in enumerate(sorted(self.assets.items())):
            assets.append(_described(key, model))
            parts = {"baseline": model.baseline.to_arrays(), "components": model.components.to_arrays()}
            arrays |= {
                f"a{i}/{part}/{name}": array for part, group in parts.items() for name, array in group.items()
            }
            arrays[f"a{i}/limits"] = model.limits
        for i, (signals, vote) in enumerate(sorted(self.votes.items())):
            votes.append({"signals": list(signals), "limit": vote.limit})
            arrays |= {f"v{i}/forest/{name}": array for name, array in vote.forest.to_arrays().items()}
            arrays |= {
                f"v{i}/components/{name}": array for name, array in vote.components.to_arrays().items()
            }
        return pack({"assets": assets, "votes": votes}, arrays)

    @classmethod
    def from_bytes(cls, state: bytes, profile: Profile) -> "TrainedRobust":
        """The detector that `dump` wrote.

        Raises:
            ArchiveError: The bytes are not such an archive.
        """
        header, arrays = unpack(state)
        assets = {}
        for i, text in enumerate(header["assets"]):  # type: ignore[arg-type,var-annotated]
            assets[AssetKey(text["site"], text["asset"])] = AssetModel(
                signals=tuple(text["signals"]),
                zone=text["zone"],
                step=None if text["step_s"] is None else timedelta(seconds=text["step_s"]),
                baseline=Baseline.from_arrays(_group(arrays, f"a{i}/baseline/")),
                components=Components.from_arrays(_group(arrays, f"a{i}/components/")),
                limits=arrays[f"a{i}/limits"],
            )
        votes: dict[tuple[str, ...], FleetVote] = {}
        for i, text in enumerate(header["votes"]):  # type: ignore[arg-type]
            votes[tuple(text["signals"])] = FleetVote(
                Forest.from_arrays(_group(arrays, f"v{i}/forest/")),
                text["limit"],
                Components.from_arrays(_group(arrays, f"v{i}/components/")),
            )
        return cls(profile, assets, votes)


def _described(key: AssetKey, model: AssetModel) -> dict[str, object]:
    return {
        "site": key.site,
        "asset": key.asset,
        "signals": list(model.signals),
        "zone": model.zone,
        "step_s": None if model.step is None else model.step.total_seconds(),
    }


def _group(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def _limits(components: Components, rows: FloatArray) -> FloatArray:
    """Calm 99 % quantiles of the three statistics, held down where a fault sits in the history itself."""
    along, off, _ = components.measure(rows)
    parts = (np.abs(rows).max(axis=1, initial=0.0), along, off)
    bounded = [min(np.quantile(p, _CALM_QUANTILE), _TAIL_CAP * np.quantile(p, _BODY_QUANTILE)) for p in parts]
    return np.maximum(bounded, 1.0)


def _standing_rows(residuals: Residuals, memory: Memory | None) -> FloatArray:
    """Rows for which a vital signal has stood still, (rows,); those in which it would anyway do not count."""
    still: BoolArray = np.asarray(residuals.is_still.any(axis=1))
    before = float(_before(memory)[0])
    if not before and not some(still):
        return np.zeros(len(still))
    rows = []
    for stands, runs in zip(still.tolist(), residuals.is_running.tolist(), strict=True):
        before = before + 1.0 if stands else 0.0 if runs else before
        rows.append(before)
    return np.array(rows)


def _before(memory: Memory | None) -> FloatArray:
    return np.zeros(1) if memory is None else memory.arrays.get(_STANDING, np.zeros(1))


def _with_fleet_limits(assets: Mapping[AssetKey, AssetModel]) -> dict[AssetKey, AssetModel]:
    """Limits bounded by those of the fleet: an asset that was broken for weeks must not call that normal."""
    groups: dict[tuple[str, ...], list[FloatArray]] = {}
    for model in assets.values():
        groups.setdefault(model.signals, []).append(model.limits)
    middles = {signals: np.median(limits, axis=0) for signals, limits in groups.items()}
    return {
        key: replace(model, limits=np.minimum(model.limits, _FLEET_CAPS * middles[model.signals]))
        for key, model in assets.items()
    }


def _n_usable(window: Window, rows: BoolArray) -> int:
    return int((rows & ~np.isnan(window.values).all(axis=1)).sum())


def _clipped(deviations: FloatArray) -> FloatArray:
    """Deviations as the components and the forest see them: bounded, and a missing one as expected."""
    return np.clip(np.nan_to_num(deviations), -CLIP, CLIP)


def _nothing_said(window: Window) -> Scores:
    """Scores of rows that nobody judged."""
    shape = window.values.shape
    nothing = np.full(shape, np.nan)
    return Scores(window.time, np.full(len(window), np.nan), nothing, nothing, np.zeros(shape, dtype=bool))


def _joined(first: Scores, then: Scores) -> Scores:
    """The rows of both, in their order."""
    return replace(
        then,
        time=np.concatenate([first.time, then.time]),
        values=np.concatenate([first.values, then.values]),
        contributions=np.concatenate([first.contributions, then.contributions]),
        expected=np.concatenate([first.expected, then.expected]),
        is_telling=np.concatenate([first.is_telling, then.is_telling]),
    )


def _pooled(members: Sequence[AssetModel], components: Components) -> AssetModel:
    """An asset of the fleet's middle size whose spread includes how much the members differ."""
    shapes = [member.baseline.centre.shape for member in members]
    alike = [m for m in members if m.baseline.centre.shape == max(set(shapes), key=shapes.count)]
    baselines = [member.baseline for member in alike]

    def middle(name: str) -> FloatArray:
        return np.asarray(np.median([getattr(baseline, name) for baseline in baselines], axis=0))

    knees = np.array([baseline.knee for baseline in baselines])
    between = np.std(np.log(np.where(knees > 0, knees, 1.0)), axis=0)
    baseline = replace(
        baselines[0],
        knee=np.exp(np.median(np.log(np.where(knees > 0, knees, 1.0)), axis=0)) * (knees[0] > 0),
        level=np.zeros(knees.shape[1]),
        low=np.hypot(middle("low"), between),
        high=np.hypot(middle("high"), between),
        centre=middle("centre"),
        weight=middle("weight"),
    )
    limits = np.median([member.limits for member in alike], axis=0)
    return replace(alike[0], baseline=baseline, components=components, limits=limits)
