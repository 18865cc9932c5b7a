"""Figures that physics gives of the last days: self-use, peers, gas at base conditions, twins, unbalance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from math import isfinite

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.errors import SettingsError
from sereno.domain.readings import FloatArray
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy, isoformat
from sereno.flows.build import Setup
from sereno.flows.twins import find_twin
from sereno.i18n.catalogue import error_sentence
from sereno.prepare.gas import absolute_pressure, amount_at_base, volume_at_base
from sereno.prepare.gas_checks import twin_excess
from sereno.prepare.motor import derating, percent_unbalance
from sereno.prepare.peers import performance_to_peers
from sereno.prepare.ratios import self_use
from sereno.store import StoredAsset, StoredRows, Transaction

__all__ = ["AssetPhysics", "gas_rows", "physics_of"]

_WHOLE_DAY = 0.9
"""Share of its usual number of readings that a day needs to be compared."""
_GAS = ("pressure", "temperature", "volume")
_VOLTAGES = ("voltage_l1", "voltage_l2", "voltage_l3")


@dataclass(slots=True)
class AssetPhysics:
    """What physics gives of one asset.

    Attributes:
        figures: By name; shares and ratios are of 1, percentages say so in their name.
        notes: What must be declared for more, in the language of the workspace.
    """

    asset: AssetKey
    profile: str
    figures: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """For `physics --json`; what cannot be said is null."""
        shown = {name: round(value, 6) if isfinite(value) else None for name, value in self.figures.items()}
        return {
            "site": self.asset.site,
            "asset": self.asset.asset,
            "profile": self.profile,
            "figures": shown,
            "notes": self.notes,
        }


def physics_of(tx: Transaction, setup: Setup, since: datetime) -> list[AssetPhysics]:
    """Figures of all assets over their rows from an instant on."""
    assets = tx.assets()
    found = []
    for asset in assets:
        one = AssetPhysics(asset.key, asset.profile)
        rows = tx.rows(asset.id, asset.profile, start=since)
        profile = setup.profiles[asset.profile]
        one.figures |= _self_use(rows) | _unbalance(rows)
        for figures in (partial(_gas, rows, profile, asset.key), partial(_twin, tx, asset, profile, rows)):
            try:
                one.figures |= figures()
            except SettingsError as error:
                one.notes.append(error_sentence(error, setup.language))
        found.append(one)
    _add_peers(tx, assets, found, since)
    return [one for one in found if one.figures or one.notes]


def gas_rows(tx: Transaction, setup: Setup, since: datetime) -> Iterator[Mapping[str, object]]:
    """Every row of every gas client whose facts suffice: the derived quantities beside what was read."""
    for asset in tx.assets():
        profile = setup.profiles[asset.profile]
        rows = tx.rows(asset.id, asset.profile, start=since)
        try:
            derived = _derived(rows, profile, asset.key)
        except SettingsError:
            continue
        names = list(derived)
        for at, *values in zip(rows.time, *derived.values(), strict=True):
            figures = (round(float(v), 6) if isfinite(v) else None for v in values)
            yield {
                "site": asset.key.site,
                "asset": asset.key.asset,
                "time": isoformat(from_numpy(at)),
                **dict(zip(names, figures, strict=True)),
            }


def _signals(rows: StoredRows, names: tuple[str, ...]) -> list[FloatArray] | None:
    """The columns of those names; None unless all are there and have readings."""
    if not len(rows) or any(name not in rows.signals for name in names):
        return None
    columns = [rows.values[:, rows.signals.index(name)] for name in names]
    return None if any(np.isnan(column).all() for column in columns) else columns


def _self_use(rows: StoredRows) -> dict[str, float]:
    meters = _signals(rows, ("generation", "consumption", "self_consumption"))
    if meters is None:
        return {}
    found = self_use(*meters)
    return {
        "self_consumption_ratio": found.self_consumption_ratio,
        "self_sufficiency_ratio": found.self_sufficiency_ratio,
    }


def _unbalance(rows: StoredRows) -> dict[str, float]:
    voltages = _signals(rows, _VOLTAGES)
    if voltages is None:
        return {}
    unbalance = percent_unbalance(np.column_stack(voltages))
    if np.isnan(unbalance).all():
        return {}
    median = float(np.nanmedian(unbalance))
    return {"voltage_unbalance_percent": median, "derating": float(derating(np.array([median]))[0])}


def _derived(rows: StoredRows, profile: Profile, key: AssetKey) -> dict[str, FloatArray]:
    """Absolute pressure, base volume, its largest error for want of Z, and the amount of gas, by row.

    Raises:
        SettingsError: A fact that they depend on is not declared.
    """
    columns = _signals(rows, _GAS)
    if columns is None or profile.signal("pressure").unit != "bar" or profile.signal("volume").unit != "m³":
        return {}
    facts = profile.facts_of(key)
    pressure, celsius, volume = columns
    base, error = volume_at_base(pressure, celsius, volume, facts, str(key))
    derived = {"base_volume_m3": base, "error_share": error}
    if facts.volume == "line":
        bar = absolute_pressure(pressure, facts, str(key))
        derived = {"pressure_bar_abs": bar, **derived, "amount_kmol": amount_at_base(base, facts, str(key))}
    return derived


def _gas(rows: StoredRows, profile: Profile, key: AssetKey) -> dict[str, float]:
    derived = _derived(rows, profile, key)
    if not derived:
        return {}
    base, error = derived["base_volume_m3"], derived["error_share"]
    total = float(np.nansum(base))
    missed = float(np.nansum(base * error))
    figures = {"base_volume_m3": total, "error_share": missed / total if total > 0 else float("nan")}
    if "amount_kmol" in derived:
        figures["amount_kmol"] = float(np.nansum(derived["amount_kmol"]))
    return figures


def _twin(tx: Transaction, asset: StoredAsset, profile: Profile, rows: StoredRows) -> dict[str, float]:
    """Ratio of an asset's volume to that of its declared twin, and how far it is beyond their class.

    Raises:
        SettingsError: The twin is no other asset of the profile.
    """
    name = profile.facts_of(asset.key).twin
    if name is None:
        return {}
    alike = tx.assets(asset.profile)
    other = find_twin(asset, profile, alike)
    if other is None:
        known = ", ".join(str(one.key) for one in alike if one.key != asset.key)
        raise SettingsError(
            where=f"assets.{asset.key}.twin",
            detail=f"there is no other asset '{name}'",
            hint=f"Known names there: {known}.",
        )
    theirs = tx.rows(other.id, other.profile, start=from_numpy(rows.time[0]) if len(rows) else None)
    mine, twin = _signals(rows, ("volume",)), _signals(theirs, ("volume",))
    if mine is None or twin is None:
        return {}
    _, here, there = np.intersect1d(rows.time, theirs.time, return_indices=True)
    pair = np.column_stack((mine[0][here], twin[0][there]))
    totals = pair[~np.isnan(pair).any(axis=1)].sum(axis=0)
    excess, _ = twin_excess(pair, asset.step, np.zeros(2))
    worst = float(np.nanmedian(excess)) if not np.isnan(excess).all() else float("nan")
    ratio = float(totals[0] / totals[1]) if totals[1] > 0 else float("nan")
    return {"twin_ratio": ratio, "twin_excess": worst}


def _add_peers(
    tx: Transaction, assets: list[StoredAsset], found: list[AssetPhysics], since: datetime
) -> None:
    """The performance of each plant against its peers, over the days that are whole."""
    daily = [_daily_generation(tx, asset, since) for asset in assets]
    plants = [place for place, days in enumerate(daily) if days]
    days = sorted({day for one in daily for day in one})
    energy = np.array([[daily[plant].get(day, np.nan) for plant in plants] for day in days])
    if not energy.size:
        return
    performance = performance_to_peers(energy)
    for column, plant in enumerate(plants):
        known = performance[:, column][~np.isnan(performance[:, column])]
        if len(known):
            found[plant].figures["performance_to_peers"] = float(np.median(known))
            found[plant].figures["performance_to_peers_last_day"] = float(known[-1])


def _daily_generation(tx: Transaction, asset: StoredAsset, since: datetime) -> dict[np.datetime64, float]:
    """Energy of each whole local day."""
    rows = tx.rows(asset.id, asset.profile, start=since)
    columns = _signals(rows, ("generation",))
    if columns is None:
        return {}
    known = ~np.isnan(columns[0])
    local = local_time(rows.time[known], asset.zone).astype("datetime64[D]")
    days, index, counts = np.unique(local, return_inverse=True, return_counts=True)
    sums = np.bincount(index, weights=columns[0][known])
    whole = counts >= _WHOLE_DAY * np.median(counts)
    if asset.step is not None and asset.step < timedelta(days=1):
        whole &= counts >= _WHOLE_DAY * (timedelta(days=1) / asset.step)
    return dict(zip(days[whole].tolist(), sums[whole].tolist(), strict=True))
