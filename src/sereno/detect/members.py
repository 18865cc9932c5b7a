"""What detectors of single rows learn of each asset and of the fleet of assets with the same signals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sereno.contracts import MIN_ROWS
from sereno.detect.columns import columns_of
from sereno.detect.forest import Forest
from sereno.detect.pca import Components, fit_components
from sereno.detect.scale import Scale, fit_scale, pooled_scale
from sereno.domain.archive import pack, unpack
from sereno.domain.errors import HistoryTooShort
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["Fleet", "Member", "Members", "calm_limits", "learn_members"]

Signals = tuple[str, ...]
Statistics = Callable[["Member", "Fleet", FloatArray], FloatArray]
"""Statistics of standardised rows (rows, signals), shape (rows, statistics)."""

CLIP = 8.0
"""Deviations beyond this look alike where components and forests are learnt."""
_CALM = 4.0
"""Deviation beyond which a row is left out when components are learnt."""
_CALM_QUANTILE = 0.99
_BODY_QUANTILE = 0.95
_TAIL_CAP = 2.0
"""The 99 % quantile is at most this many times the 95 % one: a fault in the history is not called calm."""


@dataclass(frozen=True, slots=True)
class Member:
    """What is learnt of one asset.

    Attributes:
        limits: Calm limits of the detector's statistics.
    """

    signals: Signals
    scale: Scale
    components: Components
    limits: FloatArray


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is learnt of all assets with the same signals together.

    Attributes:
        stranger: What an asset is measured by that training never saw.
        forest: Learnt from all their calm rows, where the detector has one.
    """

    stranger: Member
    forest: Forest | None = None


@dataclass(frozen=True, slots=True)
class Members:
    """All assets and fleets of a trained detector."""

    assets: Mapping[AssetKey, Member]
    fleets: Mapping[Signals, Fleet]

    def of(self, window: Window) -> tuple[Member, Fleet]:
        """What a window is measured by."""
        member = self.assets.get(window.asset)
        if member is None:
            nearest = max(sorted(self.fleets), key=lambda names: len(set(names) & set(window.signals)))
            return self.fleets[nearest].stranger, self.fleets[nearest]
        return member, self.fleets[member.signals]

    def dump(self) -> bytes:
        """An archive of arrays and a JSON index."""
        arrays: dict[str, np.ndarray] = {}
        for i, (_, member) in enumerate(sorted(self.assets.items())):
            arrays |= _member_arrays(member, f"a{i}/")
        for i, (_, fleet) in enumerate(sorted(self.fleets.items())):
            arrays |= _member_arrays(fleet.stranger, f"f{i}/")
            forest = {} if fleet.forest is None else fleet.forest.to_arrays()
            arrays |= {f"f{i}/forest/{name}": array for name, array in forest.items()}
        header = {
            "assets": [
                {"site": key.site, "asset": key.asset, "signals": list(member.signals)}
                for key, member in sorted(self.assets.items())
            ],
            "fleets": [list(signals) for signals in sorted(self.fleets)],
        }
        return pack(header, arrays)

    @classmethod
    def from_bytes(cls, state: bytes) -> "Members":
        """What `dump` wrote.

        Raises:
            ArchiveError: The bytes are not such an archive.
        """
        header, arrays = unpack(state)
        described: list[dict[str, str]] = header["assets"]  # type: ignore[assignment]
        groups: list[list[str]] = header["fleets"]  # type: ignore[assignment]
        assets = {
            AssetKey(one["site"], one["asset"]): _member(arrays, f"a{i}/", tuple(one["signals"]))
            for i, one in enumerate(described)
        }
        fleets = {}
        for i, names in enumerate(groups):
            forest = _group(arrays, f"f{i}/forest/")
            fleets[tuple(names)] = Fleet(
                _member(arrays, f"f{i}/", tuple(names)), Forest.from_arrays(forest) if forest else None
            )
        return cls(assets, fleets)


def learn_members(
    profile: Profile,
    history: Sequence[Window],
    use: Sequence[BoolArray],
    *,
    statistics: Statistics,
    limits_of: Callable[[FloatArray], FloatArray],
    plant: Callable[[FloatArray], Forest] | None = None,
) -> Members:
    """Scale, components and limits of each asset and fleet.

    Args:
        use: Rows to learn from, one array (rows,) per window.
        limits_of: The calm limits of statistics (rows, statistics).
        plant: Grows a fleet's forest from its calm standardised rows.

    Raises:
        HistoryTooShort: No asset has `MIN_ROWS` rows.
    """
    gathered = _rows_by_asset(history, use)
    assets, calm = {}, {}
    for key, (signals, values) in gathered.items():
        if len(values) >= MIN_ROWS:
            scale = fit_scale(values, signals, profile)
            calm[key] = _calm_rows(scale.standardise(values))
            assets[key] = Member(signals, scale, fit_components(calm[key]), np.ones(0))
    if not assets:
        most = max((len(values) for _, values in gathered.values()), default=0)
        raise HistoryTooShort(found=f"{most} rows", needed=f"{MIN_ROWS} rows of one asset")
    fleets = {}
    for signals in dict.fromkeys(member.signals for member in assets.values()):
        keys = [key for key, member in assets.items() if member.signals == signals]
        pooled = np.concatenate([calm[key] for key in keys])
        scale = pooled_scale([assets[key].scale for key in keys])
        stranger = Member(signals, scale, fit_components(pooled), np.ones(0))
        fleet = Fleet(stranger, None if plant is None else plant(pooled))
        for key in keys:
            rows = assets[key].scale.standardise(gathered[key][1])
            limits = limits_of(statistics(assets[key], fleet, rows))
            assets[key] = replace(assets[key], limits=limits)
        limits = np.median([assets[key].limits for key in keys], axis=0)
        fleets[signals] = replace(fleet, stranger=replace(stranger, limits=limits))
    return Members(assets, fleets)


def calm_limits(statistics: FloatArray, least: FloatArray) -> FloatArray:
    """The calm 99 % quantile of each statistic, held down where a fault sits in the rows.

    Args:
        statistics: Shape (rows, statistics).
        least: What a limit is at least, so that rounding is no news where calm rows do not vary,
            shape (statistics,).
    """
    known = statistics[~np.isnan(statistics).any(axis=1)]
    if not len(known):
        return np.maximum(least, 1.0)
    tail, body = np.quantile(known, [_CALM_QUANTILE, _BODY_QUANTILE], axis=0)
    limits: FloatArray = np.maximum(np.minimum(tail, np.where(body > 0, _TAIL_CAP * body, tail)), least)
    return limits


def _rows_by_asset(
    history: Sequence[Window], use: Sequence[BoolArray]
) -> dict[AssetKey, tuple[Signals, FloatArray]]:
    """The rows to learn from of each asset that hold anything, under the signals of its first window."""
    gathered: dict[AssetKey, tuple[Signals, FloatArray]] = {}
    for window, rows in zip(history, use, strict=True):
        signals, before = gathered.get(window.asset, (window.signals, window.values[:0]))
        values = columns_of(window, signals)
        values = values[rows & ~np.isnan(values).all(axis=1)]
        gathered[window.asset] = signals, np.concatenate([before, values])
    return gathered


def _calm_rows(standardised: FloatArray) -> FloatArray:
    """Rows without anything far away or missing; where those are too few, all, with what is missing at 0."""
    whole = standardised[~np.isnan(standardised).any(axis=1)]
    calm: FloatArray = whole[np.abs(whole).max(axis=1, initial=0.0) < _CALM]
    if len(calm) >= MIN_ROWS:
        return calm
    filled: FloatArray = np.clip(np.nan_to_num(standardised), -CLIP, CLIP)
    return filled


def _member_arrays(member: Member, prefix: str) -> dict[str, np.ndarray]:
    parts = {"scale": member.scale.to_arrays(), "components": member.components.to_arrays()}
    arrays = {f"{prefix}{part}/{name}": a for part, group in parts.items() for name, a in group.items()}
    return {**arrays, f"{prefix}limits": member.limits}


def _member(arrays: Mapping[str, np.ndarray], prefix: str, signals: Signals) -> Member:
    return Member(
        signals=signals,
        scale=Scale.from_arrays(_group(arrays, f"{prefix}scale/")),
        components=Components.from_arrays(_group(arrays, f"{prefix}components/")),
        limits=arrays[f"{prefix}limits"],
    )


def _group(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
