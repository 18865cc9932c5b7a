"""What a forecaster is, built-in or third-party: hyper-parameters that learn, and what they become."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sereno.domain.forecasts import Forecast
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey

__all__ = ["Forecaster", "TrainedForecaster"]


class TrainedForecaster(Protocol):
    """Frozen, safe to share between threads."""

    @property
    def lookback(self) -> timedelta:
        """History before the origin that a forecast makes use of."""
        ...

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset; others are forecast from what the fleet taught."""
        ...

    def forecast(self, window: Window, origin: datetime, horizon: timedelta) -> Forecast:
        """What the signal will be in [origin, origin + horizon).

        Args:
            window: History of the asset, at best from `lookback` before the origin on. Of the signal
                itself, rows
                that end after the origin are ignored, whatever they hold.
            origin: Any instant.
            horizon: Up to seven days.

        Raises:
            NothingToForecast: The window holds no value of the signal before the origin.
        """
        ...

    def forecast_many(
        self, windows: Sequence[Window], origin: datetime, horizon: timedelta
    ) -> list[Forecast]:
        """As `forecast` of each window, to the last bit, in one go; those without any value are left out."""
        ...

    def refit(self, history: Sequence[Window]) -> "TrainedForecaster":
        """The forecaster that has also learnt the days that came since; one that cannot learns anew.

        Args:
            history: All windows, those that it learnt from and what has come since.
        """
        ...

    def dump(self) -> bytes:
        """All that `Forecaster.load` needs, hyper-parameters included; never a pickle."""
        ...


class Forecaster(Protocol):
    """Hyper-parameters that learn from history: a frozen dataclass whose fields are its options.

    The first field is the signal that it forecasts; every other one has a default.
    """

    @property
    def signal(self) -> str:
        """Name of the signal."""
        ...

    def fit(self, history: Sequence[Window]) -> TrainedForecaster:
        """Learn from what the windows hold; cells that are NaN teach nothing.

        Args:
            history: One window per asset, of one step that parts the day evenly.

        Raises:
            HistoryTooShort: No asset has enough rows.
            StepUnsupported: The steps differ, or do not part a day evenly.
        """
        ...

    def load(self, state: bytes) -> TrainedForecaster:
        """The trained forecaster that `dump` wrote, whatever the options of this one.

        Raises:
            ArchiveError: The bytes are no such archive.
        """
        ...
