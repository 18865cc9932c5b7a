"""What is expected: forecasts, drift, savings."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from sereno.domain.drift import DriftLevel, DriftStanding
from sereno.domain.errors import ForecastMissing, UsageError
from sereno.flows.desks.lookups import LookupDesk
from sereno.flows.drift_watch import keep_drift
from sereno.flows.drifting import DriftReport, DriftRequest, drift_workspace, write_drift
from sereno.flows.forecasting import LONGEST_HORIZON, ForecastReport, ForecastRequest, forecast_workspace
from sereno.flows.predicting import Prediction
from sereno.flows.savings import SavingsReport, SavingsRequest, savings_of
from sereno.store.forecasts import StoredForecast

__all__ = ["ForecastDesk"]


class ForecastDesk(LookupDesk):
    """Says what is to be expected, and whether it still holds."""

    def forecast(
        self,
        *,
        horizon: timedelta = timedelta(days=1),
        origin: datetime | None = None,
        profile: str | None = None,
        asset: str | None = None,
        signal: str | None = None,
        forecaster: str | None = None,
    ) -> ForecastReport:
        """Forecast stored meters with bands, and keep what was said; what is needed is learnt.

        Args:
            horizon: Up to seven days.
            origin: From when; nothing later is used. After the last reading when None.
            asset: Only this one, as `Asset` or `Site/Asset`; all of its kind learn together nevertheless.
            signal: What to forecast; the first that each asset has when None.
            forecaster: Its name, instead of the one in settings.

        Raises:
            UsageError: The horizon is not between a moment and seven days.
            UnknownAsset, UnknownSignal: There is nothing of that name.
            HistoryTooShort: No asset has readings of two days.
            ForecasterUnknown, ExtraMissing: See `forecaster`.
        """
        if not timedelta(0) < horizon <= LONGEST_HORIZON:
            raise UsageError(
                detail=f"A forecast reaches from a moment to 7 days ahead (found {horizon})",
                command="forecast",
            )
        wanted = ForecastRequest(horizon, origin, profile, asset, signal, forecaster)
        return forecast_workspace(self._setup, self._store, wanted)

    def drift(self, wanted: DriftRequest | None = None) -> DriftReport:
        """Whether the last weeks are still what was learnt; keeps the verdicts and tells the registry.

        Writes `drift_analysis.json` and its figures, too.

        Raises:
            UnknownAsset, UnknownSignal: There is nothing of that name.
        """
        report = drift_workspace(self._setup, self._store, wanted or DriftRequest())
        keep_drift(self._store, report, self.now())
        write_drift(report, self.output_folder, self.language)
        return report

    def drifts(
        self,
        asset_id: int | None = None,
        *,
        level: DriftLevel = DriftLevel.UNKNOWN,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[DriftStanding]:
        """The last verdicts of the watch for drift, the worst first; those of one asset with their replays.

        Args:
            level: Only of assets that are at least there.
            limit, offset: At most so many, after so many.

        Raises:
            NotFound: There is no such asset.
        """
        with self._store.read() as tx:
            return tx.drifts(asset_id, level=level, limit=limit, offset=offset)

    def savings(
        self,
        site: str,
        baseline: tuple[datetime, datetime],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        signal: str | None = None,
    ) -> SavingsReport:
        """What the meters of a site, or one `Site/Asset`, have saved since a baseline; see `savings_of`."""
        wanted = SavingsRequest(site, *baseline, since=since, until=until, signal=signal)
        return savings_of(self._setup, self._store, wanted)

    def last_forecast(self, asset_id: int, *, signal: str | None = None) -> StoredForecast:
        """The newest forecast that was kept of an asset.

        Raises:
            NotFound: There is no such asset.
            ForecastMissing: It has none, of that signal.
        """
        about = self.asset(asset_id).asset.key
        with self._store.read() as tx:
            found = tx.forecasts(asset_id, signal=signal, limit=1)
        if not found:
            raise ForecastMissing(asset=str(about))
        return found[0]

    def predict(
        self, instant: datetime, weather: Mapping[str, float], *, site: str | None = None
    ) -> Prediction:
        """The loads of a site at any instant, from the forecaster that was last learnt; see `Predictor`."""
        return self._predictor.predict(instant, weather, site=site)

    def forecaster_path(self) -> Path | None:
        """The forecaster that `predict` answers from; None without one that can be used."""
        return self._predictor.path()
