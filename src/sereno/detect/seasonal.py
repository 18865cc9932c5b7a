"""The detector of seasonal meters and of streams without history: rarity of the error to the usual value.

Each signal is followed on its own (`Habit`): its level, its usual value at that time of day and kind of day,
and how rare the errors to both are among all that the stream has shown. Nothing needs training; a history
only gives it what it would otherwise have to wait for. The rarest signal makes the score of a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.detect.habit import Habit, Paces, blank_habit, kinds_of_day, slots_a_day, slots_of_day
from sereno.detect.pca import sum_in_order
from sereno.detect.repeats import NOTHING_TOLD, silence_repeats
from sereno.domain.archive import pack, unpack
from sereno.domain.calendar import local_time
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["SeasonalDetector", "TrainedSeasonal"]

_PREFIX = "seasonal"
_TOLD = f"{_PREFIX}/told"
_CALM_DECADES = 2.0
"""One row in a hundred: the calm limit of an asset that training never saw."""
_BODY_QUANTILE, _CALM_QUANTILE = 0.9, 0.99
_TAIL_DECADES = 1.1
"""The calm limit is at most so far above the 90 % quantile: one decade by definition, more is faults."""
_LEAST_DECADES = 1e-6

HabitState = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class SeasonalModel:
    """What was learnt of one asset: where its signals stood at the start of the history, and its calm limit.

    Attributes:
        habits: State of each signal by name.
        limit: 99 % quantile of the rarity of calm rows [decades].
    """

    habits: Mapping[str, HabitState]
    limit: float


@dataclass(frozen=True, slots=True)
class SeasonalDetector:
    """Rarity of the error to the usual value at that time of day and week.

    Attributes:
        profile: Of the assets.
        level_days: Time constant of the level that each signal is followed with [days].
        sustain_rows: Time constant of the sustained error, which sees small but lasting ones [rows].
        repeat_share: Share of the stream so far during which only a stranger row than the last one told
            counts; 0 tells every row, as episodes with a start and an end need.
    """

    profile: Profile
    level_days: float = 3.0
    sustain_rows: float = 5.0
    repeat_share: float = 0.0

    def __post_init__(self) -> None:
        for name, is_kept, bounds in (
            ("level_days", self.level_days > 0.0, "above 0"),
            ("sustain_rows", self.sustain_rows >= 1.0, "at least 1"),
            ("repeat_share", 0.0 <= self.repeat_share < 1.0, "from 0 to less than 1"),
        ):
            if not is_kept:
                raise ValueError(f"'{name}' is {bounds} (found {getattr(self, name)!r})")

    def fit(self, history: Sequence[Window]) -> "TrainedSeasonal":
        """Learn each asset of `history`; cells that are NaN teach nothing.

        Raises:
            HistoryTooShort: No asset has a single row.
        """
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedSeasonal":
        """As `fit`, from the rows marked in `use` alone; the level still follows all rows.

        Args:
            use: Rows to learn from, one array (rows,) per window.
        """
        paces = Paces(self.level_days, self.sustain_rows)
        assets = {
            window.asset: _learn_asset(window, rows, paces)
            for window, rows in zip(history, use, strict=True)
            if (rows & ~np.isnan(window.values).all(axis=1)).any()
        }
        if not assets:
            raise HistoryTooShort(found="0 rows", needed="1 row of one asset")
        return TrainedSeasonal(self.profile, assets, paces, self.repeat_share)

    def untrained(self) -> "TrainedSeasonal":
        """The detector that knows nothing yet and judges each stream from what it has shown so far."""
        return TrainedSeasonal(self.profile, {}, Paces(self.level_days, self.sustain_rows), self.repeat_share)

    def load(self, state: bytes) -> "TrainedSeasonal":
        """The trained detector that `TrainedSeasonal.dump` wrote."""
        return TrainedSeasonal.from_bytes(state, self.profile)


@dataclass(frozen=True, slots=True)
class TrainedSeasonal:
    """Frozen; what the streams of all assets begin with."""

    profile: Profile
    assets: Mapping[AssetKey, SeasonalModel]
    paces: Paces
    repeat_share: float

    @property
    def lookback(self) -> timedelta:
        """None: what it needs of the past is in its memory."""
        return timedelta(0)

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        return asset in self.assets

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Strangeness of each row in units of the calm 99 % quantile.

        NaN where nothing was read, and in the first rows of an asset that training never saw. A signal that
        training did not see in an asset that it saw is not judged.
        """
        memory = memory or Memory()
        known = self.assets.get(window.asset)
        local = local_time(window.time, window.zone)
        decades, expected = np.full(window.values.shape, np.nan), np.full(window.values.shape, np.nan)
        telling = np.zeros(window.values.shape, dtype=bool)
        arrays: dict[str, np.ndarray] = {}
        for s, signal in enumerate(window.signals):
            if known is not None and signal not in known.habits:
                continue
            kept = _group(memory.arrays, f"{_PREFIX}/{signal}/")
            state = kept or _beginning(known, signal, window.step)
            habit = Habit(state, window.step, self.paces, is_guarded=known is not None)
            slots, kinds = slots_of_day(local, habit.n_slots), kinds_of_day(local)
            rows = zip(window.values[:, s].tolist(), slots.tolist(), kinds.tolist(), strict=True)
            followed = [habit.follow(value, slot, kind) for value, slot, kind in rows]
            if followed:
                decades[:, s], expected[:, s], telling[:, s] = zip(*followed, strict=True)
            arrays |= {f"{_PREFIX}/{signal}/{name}": array for name, array in habit.to_arrays().items()}
        rarest = _rarest(decades)
        limit = self._limit(known)
        told = memory.arrays.get(_TOLD, NOTHING_TOLD)
        values, told = silence_repeats(rarest / limit, told, share=self.repeat_share)
        arrays[_TOLD] = told
        return Scores(window.time, values, _shares(decades), expected, telling), Memory(arrays)

    def _limit(self, known: SeasonalModel | None) -> float:
        if known is not None:
            return known.limit
        limits = [model.limit for model in self.assets.values()]
        return float(np.median(limits)) if limits else _CALM_DECADES

    def dump(self) -> bytes:
        """An archive of arrays and a JSON index; never a pickle."""
        arrays: dict[str, np.ndarray] = {}
        assets = []
        for i, (key, model) in enumerate(sorted(self.assets.items())):
            signals = sorted(model.habits)
            assets.append([key.site, key.asset, signals, model.limit])
            for s, signal in enumerate(signals):
                arrays |= {f"a{i}/{s}/{name}": array for name, array in model.habits[signal].items()}
        paces = [self.paces.level_days, self.paces.sustain_rows]
        return pack({"assets": assets, "paces": paces, "repeat_share": self.repeat_share}, arrays)

    @classmethod
    def from_bytes(cls, state: bytes, profile: Profile) -> "TrainedSeasonal":
        """The detector that `dump` wrote.

        Raises:
            ArchiveError: The bytes are not such an archive.
        """
        header, arrays = unpack(state)
        described: list[tuple[str, str, list[str], float]] = header["assets"]  # type: ignore[assignment]
        assets = {
            AssetKey(site, asset): SeasonalModel(
                {signal: _group(arrays, f"a{i}/{s}/") for s, signal in enumerate(signals)}, limit
            )
            for i, (site, asset, signals, limit) in enumerate(described)
        }
        return cls(profile, assets, Paces(*header["paces"]), float(header["repeat_share"]))  # type: ignore[misc,arg-type]


def _learn_asset(window: Window, use: BoolArray, paces: Paces) -> SeasonalModel:
    """Forwards for the counts and the limit, then backwards to where the signals stood at the start."""
    local = local_time(window.time, window.zone)
    n_slots = slots_a_day(window.step)
    calendar = list(
        zip(slots_of_day(local, n_slots).tolist(), kinds_of_day(local).tolist(), use.tolist(), strict=True)
    )
    decades = np.full(window.values.shape, np.nan)
    habits = {}
    for s, signal in enumerate(window.signals):
        column = window.values[:, s].tolist()
        habit = Habit(blank_habit(n_slots), window.step, paces, is_guarded=True)
        decades[:, s] = [
            habit.follow(value, slot, kind, teaches=teaches)[0]
            for value, (slot, kind, teaches) in zip(column, calendar, strict=True)
        ]
        habits[signal] = _at_start(habit, column, calendar, window.step, paces)
    calm = _rarest(decades)[use]
    return SeasonalModel(habits, _calm_limit(calm[~np.isnan(calm)]))


def _calm_limit(decades: FloatArray) -> float:
    """99 % quantile of the rarity of a history's rows, held down where faults sit in it [decades]."""
    if not len(decades):
        return _CALM_DECADES
    body, tail = np.quantile(decades, [_BODY_QUANTILE, _CALM_QUANTILE]).tolist()
    return float(max(min(tail, body + _TAIL_DECADES), _CALM_DECADES))


def _at_start(
    habit: Habit,
    column: Sequence[float],
    calendar: Sequence[tuple[int, int, bool]],
    step: timedelta | None,
    paces: Paces,
) -> HabitState:
    """The state with which scoring the history begins: counts of all of it, the shape of its first days."""
    end = habit.to_arrays()
    back = Habit(end, step, paces)
    for value, (slot, kind, teaches) in zip(reversed(column), reversed(calendar), strict=True):
        back.retrace(value, slot, kind, teaches=teaches)
    return back.to_arrays()


def _beginning(known: SeasonalModel | None, signal: str, step: timedelta | None) -> HabitState:
    return blank_habit(slots_a_day(step)) if known is None else known.habits[signal]


def _group(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def _rarest(decades: FloatArray) -> FloatArray:
    """The rarest signal of each row, (rows,); NaN where none can be judged."""
    rarest: FloatArray = np.fmax.reduce(decades, axis=1, initial=np.nan)
    return rarest


def _shares(decades: FloatArray) -> FloatArray:
    """What each signal contributes: its squared rarity; rows that are not judged have none."""
    squared = np.where(np.isnan(decades), 0.0, np.maximum(decades, _LEAST_DECADES) ** 2)
    total = sum_in_order(squared)[:, None]
    shares: FloatArray = squared / np.where(total > 0.0, total, 1.0)
    return shares
