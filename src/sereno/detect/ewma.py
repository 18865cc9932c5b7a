"""The default detector of process data: fast averages against levels that follow while calm.

A plant line drifts for weeks and its faults are shifts that come within minutes. So the level of each signal
follows its readings slowly, stops as soon as the fast average is strange and goes on when that has come
back, or when it has stayed away for so long that the new level is how the line now runs. What a calm line
does between the two averages is the limit; several windows of one asset (runs, shifts) are pooled for it,
because one window alone is too short to know its own extremes. A signal that wanders by itself all the time
is context: its limit is the farthest that it ever wandered. A signal that comes to a level at which it has
settled before (stopped, another set-point) has changed its regime: that is no strangeness, and is told as
what it is.

Source:
    Roberts, "Control chart tests based on geometric moving averages", Technometrics 1(3), 1959, eq. 1.
    Capizzi, Masarotto, "An adaptive EWMA control chart", Technometrics 45(3), 2003, eq. 3: errors beyond a
    bound are followed at once, so that a large shift neither enters nor leaves the average slowly.
    Bühlmann, "Experience rating and credibility", ASTIN Bulletin 4(3), 1967: how much a window's own limit
    counts beside those of the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from sereno.detect.columns import as_in, columns_of
from sereno.detect.ewma_calm import MIN_ROWS, Calm, learn_calm, pool_members
from sereno.detect.ewma_following import Follower, Following
from sereno.detect.pca import sum_in_order
from sereno.domain.archive import pack, unpack
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, RegimeChange, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy

__all__ = ["MIN_ROWS", "EwmaDetector", "TrainedEwma"]

_STATE = "ewma/state"


@dataclass(frozen=True, slots=True)
class EwmaDetector:
    """Fast average against a guarded slow level, per signal; the strangest signal is the score.

    Attributes:
        profile: Whose assets these are.
        weight: Of one row in the fast average, between 0 and 1.
        level_rows: Time constant of the level [rows].
        patience_rows: A signal that has stayed away for so long [rows] runs at a new level.
    """

    profile: Profile
    weight: float = 0.15
    level_rows: int = 80
    patience_rows: int = 600

    def fit(self, history: Sequence[Window]) -> "TrainedEwma":
        """Learn each asset of `history`; of several windows of one asset the last is the one that goes on.

        Raises:
            HistoryTooShort: No window has `MIN_ROWS` rows.
        """
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedEwma":
        """As `fit`, from the rows marked in `use` alone; the averages still follow all rows.

        Args:
            use: Rows to learn from, one array (rows,) per window.
        """
        pieces: dict[AssetKey, list[tuple[Window, BoolArray]]] = {}
        for window, rows in zip(history, use, strict=True):
            if _n_usable(window, rows) >= MIN_ROWS:
                pieces.setdefault(window.asset, []).append((window, rows))
        if not pieces:
            found = f"{max(map(_n_usable, history, use), default=0)} rows"
            raise HistoryTooShort(found=found, needed=f"{MIN_ROWS} rows of one asset")
        return TrainedEwma(self, {key: self._learn(parts)[-1] for key, parts in sorted(pieces.items())})

    def fit_runs(self, runs: Mapping[AssetKey, Window]) -> "TrainedEwma":
        """As `fit` for windows of one asset, of which each goes on by itself under a name of its own.

        Raises:
            HistoryTooShort: A window has fewer than `MIN_ROWS` rows.
        """
        for window in runs.values():
            if (found := _n_usable(window, np.ones(len(window), dtype=bool))) < MIN_ROWS:
                raise HistoryTooShort(found=f"{found} rows", needed=f"{MIN_ROWS} rows of each run")
        parts = [(window, np.ones(len(window), dtype=bool)) for window in runs.values()]
        return TrainedEwma(self, dict(zip(runs, self._learn(parts), strict=True)))

    def _learn(self, parts: Sequence[tuple[Window, BoolArray]]) -> list[Calm]:
        signals = tuple(dict.fromkeys(name for window, _ in parts for name in window.signals))
        return learn_calm(
            signals, [(columns_of(window, signals), rows) for window, rows in parts], self.follower
        )

    @property
    def follower(self) -> Follower:
        """How fast its averages follow."""
        return Follower(self.weight, self.level_rows, self.patience_rows)

    def load(self, state: bytes) -> "TrainedEwma":
        """The trained detector that `TrainedEwma.dump` wrote."""
        return TrainedEwma.from_bytes(state, self.profile)


@dataclass(frozen=True, slots=True)
class TrainedEwma:
    """Frozen; everything that scoring needs, for all assets of a profile."""

    settings: EwmaDetector
    assets: Mapping[AssetKey, Calm]
    _members: dict[tuple[str, ...], Calm] = field(default_factory=dict, compare=False, repr=False)

    @property
    def profile(self) -> Profile:
        """Whose assets these are."""
        return self.settings.profile

    @property
    def lookback(self) -> timedelta:
        """None: what it needs of the past is in its memory."""
        return timedelta(0)

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        return asset in self.assets

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Strangeness of each row in units of the calm 99 % quantile.

        Without memory the averages begin with the window: its first rows have no score, and a fault in them
        is taken for the level. A window whose signals differ from those learnt is judged on the learnt
        ones. An asset that training never saw is judged by the middle limits of those that it did.
        """
        calm = self._calm_of(window)
        columns = columns_of(window, calm.signals)
        followed, after = self._follow(columns, calm, memory)
        parts = np.abs(followed.gaps) / calm.limits
        is_unknown = np.isnan(parts)
        parts[is_unknown] = 0.0
        score = parts.max(axis=1, initial=0.0)
        score[is_unknown.all(axis=1)] = np.nan
        squares = parts * parts
        shares = squares / np.maximum(sum_in_order(squares)[:, None], 1e-300)
        shares, expected = (as_in(window, calm.signals, part) for part in (shares, followed.levels))
        telling = np.ones(window.values.shape, dtype=bool)
        scores = Scores(
            window.time,
            score,
            np.where(np.isnan(shares), 0.0, shares),
            expected,
            telling,
            changes=_changes(window, columns, calm, followed),
        )
        return scores, after

    def _follow(self, columns: FloatArray, calm: Calm, memory: Memory | None) -> tuple[Following, Memory]:
        followed = self.settings.follower.follow(
            columns,
            calm.limits,
            calm.bounds,
            bands=calm.bands_by_signal(),
            state=None if memory is None else memory.arrays.get(_STATE),
        )
        return followed, Memory({_STATE: followed.state})

    def _calm_of(self, window: Window) -> Calm:
        if window.asset in self.assets:
            return self.assets[window.asset]
        if window.signals not in self._members:
            members = sorted(
                self.assets.values(), key=lambda one: -len(set(one.signals) & set(window.signals))
            )
            alike = [one for one in members if one.signals == members[0].signals]
            self._members[window.signals] = pool_members(alike)
        return self._members[window.signals]

    def dump(self) -> bytes:
        """Hyper-parameters and assets; equal training gives equal bytes."""
        header = {
            "weight": self.settings.weight,
            "level_rows": self.settings.level_rows,
            "patience_rows": self.settings.patience_rows,
            "assets": [[key.site, key.asset, list(calm.signals)] for key, calm in self.assets.items()],
        }
        arrays: dict[str, np.ndarray] = {}
        for i, calm in enumerate(self.assets.values()):
            arrays |= {f"{i}/{name}": array for name, array in calm.to_arrays().items()}
        return pack(header, arrays)

    @classmethod
    def from_bytes(cls, state: bytes, profile: Profile) -> "TrainedEwma":
        """The trained detector that `dump` wrote.

        Raises:
            ArchiveError: The bytes are no archive, or were altered.
        """
        header, arrays = unpack(state)
        settings = EwmaDetector(
            profile,
            float(header["weight"]),  # type: ignore[arg-type]
            int(header["level_rows"]),  # type: ignore[call-overload]
            int(header["patience_rows"]),  # type: ignore[call-overload]
        )
        described: list[tuple[str, str, list[str]]] = header["assets"]  # type: ignore[assignment]
        assets = {
            AssetKey(site, asset): Calm.from_arrays(tuple(signals), arrays, f"{i}/")
            for i, (site, asset, signals) in enumerate(described)
        }
        return cls(settings, assets)


def _changes(
    window: Window, columns: FloatArray, calm: Calm, followed: Following
) -> tuple[RegimeChange, ...]:
    """Each signal that is elsewhere from a regime on."""
    return tuple(
        RegimeChange(window.asset, name, from_numpy(window.time[row]), float(before), float(after))
        for row in followed.regimes
        for name, bound, before, after in zip(
            calm.signals, calm.bounds, followed.levels[row], columns[row], strict=True
        )
        if abs(after - before) >= bound
    )


def _n_usable(window: Window, rows: BoolArray) -> int:
    return int((rows & ~np.isnan(window.values).all(axis=1)).sum())
