"""Forecasts as they were made, so that what was said can be held against what was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select

from sereno.domain.archive import pack, unpack
from sereno.domain.forecasts import Forecast, Tier
from sereno.domain.signals import AssetKey
from sereno.store.schema import asset, forecast, site
from sereno.store.session import Session

__all__ = ["ForecastSession", "StoredForecast"]


@dataclass(frozen=True, slots=True)
class StoredForecast:
    """A forecast, and when it was written down.

    Attributes:
        model_id: Digest of what made it.
    """

    forecast: Forecast
    model_id: str
    at: datetime


class ForecastSession(Session):
    """The part of a transaction that keeps forecasts."""

    def add_forecasts(
        self,
        made: Sequence[tuple[int, Forecast]],
        *,
        model_id: str,
        at: datetime,
        is_shadow: bool = False,
    ) -> None:
        """Keep forecasts by the id of their asset; one of the same signal, origin and model is replaced.

        Args:
            is_shadow: They were made beside the champion's, for nobody but the registry.
        """
        rows = [
            {
                "asset_id": asset_id,
                "signal": one.signal,
                "origin": one.origin,
                "model": one.model,
                "model_id": model_id,
                "cut_off": one.cut_off,
                "ends_at": one.origin + len(one.time) * one.step,
                "step_s": one.step.total_seconds(),
                "tier": one.tier.value,
                "steps": pack({"levels": list(one.levels)}, {"time": one.time, "quantiles": one.quantiles}),
                "at": at,
                "is_shadow": is_shadow,
            }
            for asset_id, one in made
        ]
        for asset_id, _ in made:
            self._check_asset(asset_id)
        self._upsert(forecast, rows)

    def forecasts(
        self,
        asset_id: int,
        *,
        signal: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
        shadow: str | None = None,
    ) -> list[StoredForecast]:
        """Those of an asset that somebody was told, the newest origin first.

        Args:
            since: Only of origins at or after this instant.
            shadow: Those that this model made in the shadow instead.
        """
        self._check_asset(asset_id)
        query = (
            select(site.c.name.label("site"), asset.c.name.label("asset"), forecast)
            .select_from(forecast)
            .join(asset, asset.c.id == forecast.c.asset_id)
            .join(site, site.c.id == asset.c.site_id)
            .where(forecast.c.asset_id == asset_id, forecast.c.is_shadow == (shadow is not None))
        )
        if shadow is not None:
            query = query.where(forecast.c.model_id == shadow)
        if signal is not None:
            query = query.where(forecast.c.signal == signal)
        if since is not None:
            query = query.where(forecast.c.origin >= since)
        query = query.order_by(forecast.c.origin.desc(), forecast.c.at.desc()).limit(limit)
        return [_stored(dict(row)) for row in self._connection.execute(query).mappings()]


def _stored(row: dict[str, object]) -> StoredForecast:
    header, arrays = unpack(bytes(row["steps"]))  # type: ignore[call-overload]
    levels: Sequence[float] = header["levels"]  # type: ignore[assignment]
    made = Forecast(
        asset=AssetKey(str(row["site"]), str(row["asset"])),
        signal=str(row["signal"]),
        origin=row["origin"],  # type: ignore[arg-type]
        cut_off=row["cut_off"],  # type: ignore[arg-type]
        step=timedelta(seconds=float(str(row["step_s"]))),
        time=arrays["time"].astype("datetime64[us]"),
        levels=tuple(levels),
        quantiles=arrays["quantiles"].astype(np.float64),
        tier=Tier(str(row["tier"])),
        model=str(row["model"]),
    )
    return StoredForecast(made, str(row["model_id"]), row["at"])  # type: ignore[arg-type]
