"""The segments of a workspace: found from its history, kept beside its models, asked by training."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.domain.errors import ModelCorrupt, NoReadings, SettingsError, UnknownSignal
from sereno.domain.judgement import Memory
from sereno.domain.readings import FloatArray, Window
from sereno.domain.segments import Segmentation
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import to_numpy
from sereno.flows.assets import whole_window
from sereno.flows.build import MODELS_FOLDER, Setup
from sereno.flows.named import named_signal
from sereno.prepare.checks import check_window
from sereno.prepare.features import amount_of_gas_mol
from sereno.segment.clusters import SegmentOptions, fit_segments
from sereno.segment.profiles import Feature, profile_of, split_feature
from sereno.store import Store, StoredAsset

__all__ = ["SegmentReport", "figures_like", "load_segmentation", "save_segmentation", "segment_workspace"]

GAS_AMOUNT = "cantidad_gas_calculada"
_GAS_SIGNALS = ("pressure", "temperature", "volume")
_GAS_DEFAULT = ("volume_mean", "volume_std", "pressure_median", f"{GAS_AMOUNT}_mean")
"""Profile of the gas clients of the field: size, unrest, network, amount."""
_ALIASES = {"consumo_finde_ratio": "weekend_ratio"}
"""Names of features that name no signal: they mean the main one."""
_MAIN = ("volume", "consumption", "energy", "power", "active_power")


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """What segmenting a profile gave.

    Attributes:
        profiles: Each asset's figures, shape (features,), of those whose history is long enough.
        is_refit: Whether the segments were fitted now, rather than later assets assigned to known ones.
        new: Assets assigned now without a refit.
        unused: Features that nothing could be said of, with the reason.
    """

    segmentation: Segmentation
    profiles: Mapping[AssetKey, FloatArray]
    is_refit: bool
    new: tuple[AssetKey, ...]
    unused: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """For `segment --json`."""
        found = self.segmentation
        curve = found.curve
        return {
            "profile": found.profile,
            "method": found.method,
            "segments": found.n_segments,
            "refit": self.is_refit,
            "digest": found.digest,
            "features": list(found.features),
            "unused_features": dict(self.unused),
            "assets": [
                {
                    "site": key.site,
                    "asset": key.asset,
                    "cluster_id": number,
                    "is_new": key in found.assigned,
                    "profile": _figures(found.features, self.profiles.get(key)),
                }
                for key, number in found.members().items()
            ],
            "too_short": [
                {"site": key.site, "asset": key.asset, "rows": rows} for key, rows in found.too_short.items()
            ],
            "curve": [
                {"k": k, "inertia": inertia, "silhouette": None if np.isnan(silhouette) else silhouette}
                for k, inertia, silhouette in zip(curve.ks, curve.inertia, curve.silhouette, strict=True)
            ],
        }


def segment_workspace(
    setup: Setup,
    store: Store,
    *,
    profile: str | None = None,
    before: datetime | None = None,
    is_refit: bool = True,
) -> list[SegmentReport]:
    """Find the segments of each profile that has assets, and keep them beside the models.

    Args:
        before: Learn only from readings before this instant.
        is_refit: Fit anew; otherwise known segments stay, and only assets without one are assigned.

    Raises:
        NoReadings: Nothing has been ingested, or nothing is long enough to be compared.
        SettingsError: A feature of the settings names no signal or statistic.
    """
    with store.read() as tx:
        assets = tx.assets(profile)
    names = dict.fromkeys(asset.profile for asset in assets)
    reports = []
    for name in names:
        own = [asset for asset in assets if asset.profile == name]
        report = _segment_profile(setup, store, setup.profiles[name], own, before, is_refit=is_refit)
        if report is not None:
            save_segmentation(setup.folder, report.segmentation)
            reports.append(report)
    if not reports:
        detail = "nothing has been ingested yet" if not assets else "no asset has history enough to compare"
        raise NoReadings(file=str(setup.folder), detail=detail)
    return reports


def load_segmentation(folder: Path, profile: str) -> Segmentation | None:
    """The segments of a profile; None before `sereno segment`.

    Raises:
        ModelCorrupt: The file is not what was written.
    """
    path = _path(folder, profile)
    if not path.is_file():
        return None
    try:
        return Segmentation.from_json(json.loads(path.read_text("utf-8")))
    except ValueError as error:
        raise ModelCorrupt(file=str(path), detail=str(error)) from error


def figures_like(
    setup: Setup, store: Store, asset: StoredAsset, known: Segmentation
) -> dict[str, tuple[float, float]]:
    """What an asset is, and what the centre of its segment is, by feature on the scale of the segments.

    Empty where its history is too short, or where it has no segment.
    """
    number = known.number_of(asset.key)
    profile = setup.profiles[asset.profile]
    stored = _signals(store, profile)
    features = [_feature(name, profile, stored) for name in known.features]
    found, _ = _profiles(store, profile, [asset], features, None, setup.settings.segments.min_history)
    if number is None or asset.key not in found:
        return {}
    own = known.scaled(found[asset.key][None])[0].tolist()
    usual = known.centroids[number].tolist()
    return dict(zip(known.features, zip(own, usual, strict=True), strict=True))


def save_segmentation(folder: Path, found: Segmentation) -> Path:
    """Write the segments of a profile, whole or not at all."""
    path = _path(folder, found.profile)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(found.to_json(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    partial.replace(path)
    return path


def _path(folder: Path, profile: str) -> Path:
    return folder / MODELS_FOLDER / f"segments-{profile}.json"


def _segment_profile(
    setup: Setup,
    store: Store,
    profile: Profile,
    assets: Sequence[StoredAsset],
    before: datetime | None,
    *,
    is_refit: bool,
) -> SegmentReport | None:
    options = setup.settings.segments
    features, unused = _features(profile, _signals(store, profile), options.features, assets)
    known = load_segmentation(setup.folder, profile.name)
    if known is not None and (is_refit or known.features != tuple(one.name for one in features)):
        known = None
    profiles, too_short = _profiles(store, profile, assets, features, before, options.min_history)
    if not profiles:
        return None
    if known is not None:
        new = [asset for asset in sorted(profiles) if known.number_of(asset) is None]
        for asset in new:
            known = known.with_assigned(asset, known.nearest(profiles[asset]))
        return SegmentReport(known, profiles, is_refit=False, new=tuple(new), unused=unused)
    found = fit_segments(
        profile.name,
        [one.name for one in features],
        profiles,
        SegmentOptions(options.method, options.k_min, options.k_max, options.n_segments, options.seed),
        too_short=too_short,
    )
    return SegmentReport(found, profiles, is_refit=True, new=(), unused=unused)


def _signals(store: Store, profile: Profile) -> tuple[str, ...]:
    with store.read() as tx:
        return tx.measured(profile.name)


def _profiles(
    store: Store,
    profile: Profile,
    assets: Sequence[StoredAsset],
    features: Sequence[Feature],
    before: datetime | None,
    min_history: timedelta,
) -> tuple[dict[AssetKey, FloatArray], dict[AssetKey, int]]:
    """Figures of each asset, and rows of those that are too new."""
    found: dict[AssetKey, FloatArray] = {}
    too_short: dict[AssetKey, int] = {}
    for asset in assets:
        with store.read() as tx:
            window = whole_window(tx, asset)
        if before is not None:
            window = window.rows(0, int(np.searchsorted(window.time, to_numpy(before))))
        n_rows = int((~np.isnan(window.values).all(axis=1)).sum())
        if _covered(window, n_rows) < min_history:
            too_short[asset.key] = n_rows
            continue
        clean = check_window(window, profile, Memory()).clean
        found[asset.key] = profile_of(features, _series(clean, profile), clean.time, clean.zone)
    return found, too_short


def _covered(window: Window, n_rows: int) -> timedelta:
    """Time that an asset's readings cover; without a rhythm, from the first to the last."""
    if window.step is not None:
        return n_rows * window.step
    if not n_rows:
        return timedelta(0)
    span: timedelta = (window.time[-1] - window.time[0]).astype("timedelta64[us]").item()
    return span


def _series(window: Window, profile: Profile) -> dict[str, FloatArray]:
    """The signals of an asset, and the amount of gas where it follows from them."""
    series = {name: window.values[:, place] for place, name in enumerate(window.signals)}
    if set(_GAS_SIGNALS) <= set(series) and not profile.is_open:
        pressure, temperature, volume = (series[name] for name in _GAS_SIGNALS)
        facts = profile.facts_of(window.asset)
        with suppress(SettingsError):  # said once for all assets in `_features`
            series[GAS_AMOUNT] = amount_of_gas_mol(pressure, temperature, volume, facts, str(window.asset))
    return series


def _features(
    profile: Profile, stored: Sequence[str], asked: Sequence[str], assets: Sequence[StoredAsset]
) -> tuple[list[Feature], dict[str, str]]:
    """The features of a profile of assets, and those that nothing can be said of.

    Raises:
        SettingsError: A feature that was asked for names no signal, no statistic, or what is not declared.
    """
    undeclared = _why_no_amount(profile, stored, assets)
    if asked:
        features = [_feature(name, profile, stored) for name in asked]
        if undeclared is not None and any(one.series == GAS_AMOUNT for one in features):
            raise undeclared
        return features, {}
    names = (
        _GAS_DEFAULT
        if set(_GAS_SIGNALS) <= set(stored) and not profile.is_open
        else _of_each(profile, stored)
    )
    features = [_feature(name, profile, stored) for name in names]
    if undeclared is None:
        return features, {}
    unused = {one.name: str(undeclared) for one in features if one.series == GAS_AMOUNT}
    return [one for one in features if one.name not in unused], unused


def _of_each(profile: Profile, stored: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"{name}_{statistic}"
        for name in stored
        if not profile.signal(name).is_optional
        for statistic in ("mean", "std")
    )


def _feature(name: str, profile: Profile, stored: Sequence[str]) -> Feature:
    where = "segments.features"
    if name.casefold() in _ALIASES:
        main = next((one for one in _MAIN if one in stored), stored[0] if stored else "")
        return Feature(name, main, _ALIASES[name.casefold()])
    parts = split_feature(name)
    if parts is None:
        detail = f"'{name}' ends in no statistic"
        hint = (
            "Write a signal and mean, std, median, sum, min, max, range, cv or weekend_ratio: Volumen_mean."
        )
        raise SettingsError(where=where, detail=detail, hint=hint)
    series, statistic = parts
    if series.casefold() == GAS_AMOUNT:
        return Feature(name, GAS_AMOUNT, statistic)
    try:
        return Feature(name, named_signal(profile, stored, series, profile.name), statistic)
    except UnknownSignal as error:
        detail, hint = f"'{name}' names no signal of {profile.name}", f"Known there: {', '.join(stored)}."
        raise SettingsError(where=where, detail=detail, hint=hint) from error


def _why_no_amount(
    profile: Profile, stored: Sequence[str], assets: Sequence[StoredAsset]
) -> SettingsError | None:
    """What must be declared before the amount of gas of every asset is known."""
    if not set(_GAS_SIGNALS) <= set(stored):
        return None
    nothing = np.empty(0)
    for asset in assets:
        try:
            amount_of_gas_mol(nothing, nothing, nothing, profile.facts_of(asset.key), str(asset.key))
        except SettingsError as error:
            return error
    return None


def _figures(features: Sequence[str], profile: FloatArray | None) -> dict[str, float | None]:
    if profile is None:
        return {}
    return {
        name: float(value) if np.isfinite(value) else None
        for name, value in zip(features, profile.tolist(), strict=True)
    }
