"""The detector of the expected value: what calendar, weather and the last days say a signal should be.

What the last days say stands still while the signal is strange, so that a fault that lasts stays one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.contracts import MIN_ROWS
from sereno.detect.expected_asset import (
    AssetModel,
    Paces,
    calendar_of,
    learn_asset,
    smooth_weather,
)
from sereno.detect.expected_state import asset_arrays, read_asset
from sereno.detect.pca import sum_in_order
from sereno.detect.trailing import Trailing, blank_trailing
from sereno.domain.archive import pack, unpack
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["ExpectedDetector", "TrainedExpected"]

_PREFIX = "expected"
_TELLING_SHARE = 0.1
"""An expected value below this share of the usual magnitude says nothing when it is low."""


@dataclass(frozen=True, slots=True)
class ExpectedDetector:
    """Error to the expected value: usual day and weather, corrected by the last seven days.

    Attributes:
        profile: Of the assets; its signals of the weather explain and are not judged.
        hold_days: Days that a signal must stay strange before that is taken for normal; until then the last
            days teach nothing.
        sustain_hours: Time constant of the running error, which sees small but lasting ones [h].
        uses_weather: Whether the weather explains, where the history shows that it does.
        country: Whose public holidays are looked at, as ES or ES-CT; those of the time zone's country when
            empty. A holiday is a Sunday where the history shows that it is more like one.
    """

    profile: Profile
    hold_days: int = 28
    sustain_hours: float = 24.0
    uses_weather: bool = True
    country: str = ""

    def __post_init__(self) -> None:
        for name, is_kept, bounds in (
            ("hold_days", self.hold_days >= 1, "at least 1"),
            ("sustain_hours", self.sustain_hours > 0.0, "above 0"),
        ):
            if not is_kept:
                raise ValueError(f"'{name}' is {bounds} (found {getattr(self, name)!r})")

    def fit(self, history: Sequence[Window]) -> "TrainedExpected":
        """Learn each asset of `history`; cells that are NaN teach nothing.

        Raises:
            HistoryTooShort: No asset has enough rows.
        """
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedExpected":
        """As `fit`, from the rows marked in `use` alone; the last days still follow all rows.

        Args:
            use: Rows to learn from, one array (rows,) per window.
        """
        paces = Paces(self.hold_days, self.sustain_hours)
        found = {}
        for window, rows in zip(history, use, strict=True):
            if (rows & ~np.isnan(window.values).all(axis=1)).sum() < MIN_ROWS:
                continue
            model = learn_asset(
                window, rows, self.profile, paces, uses_weather=self.uses_weather, country=self.country
            )
            if model is not None:
                found[window.asset] = model
        if not found:
            longest = max((int(rows.sum()) for rows in use), default=0)
            raise HistoryTooShort(found=f"{longest} rows", needed=f"{MIN_ROWS} rows on three days")
        return TrainedExpected(self.profile, found, paces, self.country)

    def load(self, state: bytes) -> "TrainedExpected":
        """The trained detector that `TrainedExpected.dump` wrote."""
        return TrainedExpected.from_bytes(state, self.profile)


@dataclass(frozen=True, slots=True)
class TrainedExpected:
    """Frozen; models by asset. An asset that training never saw is not judged."""

    profile: Profile
    assets: Mapping[AssetKey, AssetModel]
    paces: Paces
    country: str = ""

    @property
    def lookback(self) -> timedelta:
        """None: what it needs of the past is in its memory."""
        return timedelta(0)

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        return asset in self.assets

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Strangeness of each row in units of the calm 99 % quantile.

        NaN where nothing was read, in the first two days of a stream, and after three weeks without any
        value.
        """
        model = self.assets.get(window.asset)
        shape = window.values.shape
        strangeness, expected = np.full(shape, np.nan), np.full(shape, np.nan)
        telling = np.zeros(shape, dtype=bool)
        arrays: dict[str, np.ndarray] = {}
        if model is not None:
            kept = {} if memory is None else _group(memory.arrays, f"{_PREFIX}/")
            calendar, days = calendar_of(window, model.n_slots, self.country)
            weather, arrays = smooth_weather(window, model.weather, kept)
            for name in (one for one in sorted(model.signals) if one in window.signals):
                column, one = window.signals.index(name), model.signals[name]
                state = _group(kept, f"{name}/") or blank_trailing(model.n_slots)
                trailing = Trailing(state, one.limits)
                static = one.value.of(calendar, weather)
                spread = one.spread[calendar.slots]
                found = trailing.follow(window.values[:, column], static, spread, calendar.slots, days)
                strangeness[:, column] = found.strangeness / model.limit
                expected[:, column] = found.expected
                telling[:, column] = np.abs(found.expected) > _TELLING_SHARE * one.magnitude
                arrays |= {f"{name}/{part}": array for part, array in trailing.to_arrays().items()}
        values: FloatArray = np.fmax.reduce(strangeness, axis=1, initial=np.nan)
        scores = Scores(window.time, values, _shares(strangeness), expected, telling)
        return scores, Memory({f"{_PREFIX}/{name}": array for name, array in arrays.items()})

    def dump(self) -> bytes:
        """An archive of arrays and a JSON index; never a pickle."""
        arrays: dict[str, np.ndarray] = {}
        described = []
        for i, (key, model) in enumerate(sorted(self.assets.items())):
            head, own = asset_arrays(model)
            described.append([key.site, key.asset, head])
            arrays |= {f"a{i}/{name}": array for name, array in own.items()}
        paces = [self.paces.hold_days, self.paces.sustain_hours]
        return pack({"assets": described, "paces": paces, "country": self.country}, arrays)

    @classmethod
    def from_bytes(cls, state: bytes, profile: Profile) -> "TrainedExpected":
        """The detector that `dump` wrote.

        Raises:
            ArchiveError: The bytes are not such an archive.
        """
        header, arrays = unpack(state)
        described: list[tuple[str, str, dict[str, object]]] = header["assets"]  # type: ignore[assignment]
        said: list[float] = header["paces"]  # type: ignore[assignment]
        paces = Paces(int(said[0]), said[1])
        assets = {
            AssetKey(site, asset): read_asset(head, _group(arrays, f"a{i}/"), paces)
            for i, (site, asset, head) in enumerate(described)
        }
        return cls(profile, assets, paces, str(header.get("country", "")))


def _group(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def _shares(strangeness: FloatArray) -> FloatArray:
    """What each signal contributes: its squared strangeness; rows that are not judged have none."""
    squared = np.where(np.isnan(strangeness), 0.0, strangeness**2)
    total = sum_in_order(squared)[:, None]
    shares: FloatArray = squared / np.where(total > 0.0, total, 1.0)
    return shares
