"""Forecasts in the shadow: of the same assets, at the same instant, by versions that nobody hears yet."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from sereno.domain.errors import SerenoError
from sereno.domain.forecasts import Forecast
from sereno.domain.readings import Window
from sereno.domain.registry import ForecasterCard, Shadow
from sereno.domain.signals import AssetKey
from sereno.flows.assets import whole_window
from sereno.flows.forecast_trials import actual_values
from sereno.flows.forecasters import ForecasterShelf
from sereno.flows.standings import shadows_of
from sereno.store import Store, StoredAsset, StoredForecaster, Transaction

__all__ = ["forecast_shadow", "keep_shadows"]

log = logging.getLogger(__name__)

_MOST_FORECASTS = 400
"""Newest forecasts of an asset that its errors are counted from."""


def keep_shadows(
    shelf: ForecasterShelf,
    store: Store,
    group: str,
    made: Sequence[Forecast],
    ids: Mapping[AssetKey, int],
    history: Sequence[Window],
    *,
    at: datetime,
) -> None:
    """Let the versions in the shadow of a group forecast what its champion has forecast, and keep that.

    What goes wrong there is nobody's trouble but theirs.

    Args:
        made: What the champion said.
        history: As it was known then.
    """
    with store.read() as tx:
        shadows = [one for one in tx.forecasters(group) if one.card.id in shadows_of(tx, group)]
    for stored in shadows:
        try:
            said = _said(shelf, stored, made, history)
        except (SerenoError, ValueError) as error:
            log.warning("no forecast in the shadow", extra={"model": stored.card.id, "error": str(error)})
            continue
        with store.begin() as tx:
            mine = [(ids[one.asset], one) for one in said]
            tx.add_forecasts(mine, model_id=stored.card.id, at=at, is_shadow=True)


def _said(
    shelf: ForecasterShelf, stored: StoredForecaster, made: Sequence[Forecast], history: Sequence[Window]
) -> list[Forecast]:
    trained = shelf.current(stored) or shelf.as_learnt(stored)
    trained, _ = shelf.add_days(stored, trained, history)
    windows = {window.asset: window for window in history}
    said: list[Forecast] = []
    for origin in sorted({one.origin for one in made}):
        same = [one for one in made if one.origin == origin]
        horizon = max(len(one.time) * one.step for one in same)
        said += trained.forecast_many([windows[one.asset] for one in same], origin, horizon)
    return [replace(one, model=f"{one.model}@{stored.card.id}") for one in said]


def forecast_shadow(tx: Transaction, card: ForecasterCard) -> Shadow:
    """How a version's forecasts in the shadow turned out, beside those that the champion made with them."""
    parts = [part for asset in tx.assets() for part in _turned_out(tx, asset, card)]
    if not parts:
        return Shadow(None, None, 0, 0)
    error, other, inside = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return Shadow(
        since=min(part[3] for part in parts),
        until=max(part[3] for part in parts),
        n_assets=len({part[4] for part in parts}),
        n_rows=len(error),
        error=float(error.mean()) if len(error) else float("nan"),
        champion_error=float(np.nanmean(other)) if np.isfinite(other).any() else float("nan"),
        coverage=float(inside.mean()) if len(inside) else float("nan"),
    )


def _turned_out(
    tx: Transaction, asset: StoredAsset, card: ForecasterCard
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, datetime, int]]:
    """Of each forecast the errors of the steps that are known, the champion's, and whether the band held."""
    own = tx.forecasts(asset.id, signal=card.signal, limit=_MOST_FORECASTS, shadow=card.id)
    if not own:
        return []
    told = tx.forecasts(asset.id, signal=card.signal, since=own[-1].forecast.origin, limit=_MOST_FORECASTS)
    beside = {one.forecast.origin: one.forecast for one in told}
    window = whole_window(tx, asset)
    parts = []
    for one in own:
        made, champion = one.forecast, beside.get(one.forecast.origin)
        actual = actual_values(window, card.signal, made)
        known = np.isfinite(actual)
        low, high = made.band
        other = np.full(len(actual), np.nan)
        if champion is not None and np.array_equal(champion.time, made.time):
            other = np.abs(champion.median - actual)
        inside = (actual >= low) & (actual <= high)
        error = np.abs(made.median - actual)
        parts.append((error[known], other[known], inside[known], made.origin, asset.id))
    return parts
