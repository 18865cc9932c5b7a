"""Two forecasters on days that neither has seen: both learn to the same instant, then forecast each day."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from sereno.contracts import TrainedForecaster
from sereno.domain.calendar import DAY, step_end
from sereno.domain.forecasts import Forecast
from sereno.domain.readings import FloatArray, Window
from sereno.domain.registry import Comparison
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy, to_numpy
from sereno.flows.trials import MOST_DAYS, compared

__all__ = ["actual_values", "compare_forecasters", "pinball_loss", "usual_change"]

Entrant = tuple[str, TrainedForecaster, datetime]
"""Id of a version, what forecasts, and the start of the last row that it learnt from."""


def compare_forecasters(
    windows: Sequence[Window], signal: str, champion: Entrant, challenger: Entrant
) -> Comparison:
    """The challenger beside the champion: loss of all quantiles of a day ahead, relative to the usual change.

    What came between the end of one's history and that of the other's is learnt by the former first, as it
    does every day. On the days of the comparison neither learns.

    Args:
        windows: The whole history of each asset, bad cells NaN.
    """
    seen = max(champion[2], challenger[2])
    known = [_until(window, seen) for window in windows]
    one, other = (_caught_up(entrant, seen, known) for entrant in (champion, challenger))
    losses: dict[date, list[tuple[float, float]]] = {}
    scales = {window.asset: usual_change(window, signal) for window in windows}
    told: set[AssetKey] = set()
    for origin in _midnights(windows, seen):
        pairs = _by_asset(one, windows, origin), _by_asset(other, windows, origin)
        for window in windows:
            before, after = (made.get(window.asset) for made in pairs)
            if before is None or after is None:
                continue
            values = [pinball_loss(made, actual_values(window, signal, made)) for made in (before, after)]
            if np.isfinite(values).all() and scales[window.asset] > 0.0:
                relative = (values[0] / scales[window.asset], values[1] / scales[window.asset])
                day = origin.astimezone(ZoneInfo(window.zone)).date()
                losses.setdefault(day, []).append(relative)
                told.add(window.asset)
    return compared("pinball", champion[0], challenger[0], losses, len(told))


def pinball_loss(made: Forecast, actual: FloatArray) -> float:
    """Mean pinball loss over steps and quantiles, unit of the signal; NaN where nothing is known.

    Source:
        Koenker and Bassett, "Regression quantiles", Econometrica 46(1), 1978.
    """
    apart = actual[:, None] - made.quantiles
    levels = np.array(made.levels)
    loss = np.maximum(levels * apart, (levels - 1.0) * apart)
    return float(np.nanmean(loss)) if np.isfinite(loss).any() else float("nan")


def actual_values(window: Window, signal: str, made: Forecast) -> FloatArray:
    """What the steps of a forecast turned out to be, shape (steps,); NaN where that is not known."""
    if not len(window) or signal not in window.signals:
        return np.full(len(made.time), np.nan)
    place = np.minimum(np.searchsorted(window.time, made.time), len(window) - 1)
    values = window.values[place, window.signals.index(signal)]
    return np.where(window.time[place] == made.time, values, np.nan)


def usual_change(window: Window, signal: str) -> float:
    """Mean absolute change from one day to the next, unit of the signal; 0 where nothing is known."""
    if window.step is None or signal not in window.signals:
        return 0.0
    per_day = max(1, DAY // window.step)
    values = window.values[:, window.signals.index(signal)]
    apart = np.abs(values[per_day:] - values[:-per_day])
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else 0.0


def _until(window: Window, seen: datetime) -> Window:
    return window.rows(0, int(np.searchsorted(window.time, to_numpy(seen), side="right")))


def _caught_up(entrant: Entrant, seen: datetime, known: Sequence[Window]) -> TrainedForecaster:
    _, trained, until = entrant
    return trained if until >= seen else trained.refit(known)


def _midnights(windows: Sequence[Window], seen: datetime) -> list[datetime]:
    """Local midnights after an instant whose day is over in the data, the last `MOST_DAYS` of them."""
    filled = [window for window in windows if len(window)]
    if not filled:
        return []
    zone = ZoneInfo(filled[0].zone)
    end = max(from_numpy(step_end(one.time[-1], one.step, one.zone)) for one in filled)
    first = (seen.astimezone(zone) + timedelta(days=1)).date()
    found: list[datetime] = []
    while True:
        origin = datetime(first.year, first.month, first.day, tzinfo=zone)
        if (origin + DAY).astimezone(ZoneInfo("UTC")) > end:
            return found[-MOST_DAYS:]
        found.append(origin.astimezone(ZoneInfo("UTC")))
        first += timedelta(days=1)


def _by_asset(
    trained: TrainedForecaster, windows: Sequence[Window], origin: datetime
) -> dict[AssetKey, Forecast]:
    return {made.asset: made for made in trained.forecast_many(windows, origin, DAY)}
