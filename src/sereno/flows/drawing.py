"""Pictures to show beside code: an incident beside what was expected, a forecast beside what came."""

from datetime import timedelta

import numpy as np

from sereno.domain.arrays import micros_of
from sereno.domain.forecasts import Forecast
from sereno.domain.time import from_numpy
from sereno.flows.courses import Courses, asset_named, courses_of, incident_course, lane_chart, time_ticks
from sereno.flows.drift_view import drift_plots
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence
from sereno.report.charts import Area, Chart, Line, draw
from sereno.report.plots import Plot

__all__ = ["draw_forecast", "draw_incident", "drift_plots"]

_BEFORE = timedelta(days=3)
_BANDS = ((0.05, 0.95), (0.25, 0.75))


def draw_incident(workspace: Workspace, incident_id: str) -> Plot:
    """The leading signal of an incident before, during and after, with what was expected of it.

    Raises:
        NotFound: No incident, or several, begin like that.
    """
    view, language = workspace.incident(incident_id), workspace.language
    title, about = view.sentence(language), sentence("paper.series_about", language)
    found = incident_course(workspace, view)
    if found is None:
        return Plot(incident_id, title, about, "", missing=sentence("paper.nothing", language))
    return Plot(incident_id, title, about, draw(lane_chart(found, found.lanes[0], language)))


def draw_forecast(workspace: Workspace, forecast: Forecast, *, before: timedelta = _BEFORE) -> Plot:
    """A forecast with its bands of 90 and 50 %, and what was read before and, once it came, beside it.

    Args:
        before: How long before its first step the picture begins.

    Raises:
        UnknownAsset: It is of no asset of this workspace.
    """
    key, language = forecast.asset, workspace.language
    with workspace.store.read() as tx:
        profile = next(
            one.profile
            for one in asset_named(tx, key.site, asset=key.asset)
            if forecast.signal in workspace.profiles[one.profile].signal_names
        )
    start, end = from_numpy(forecast.time[0]) - before, from_numpy(forecast.time[-1]) + forecast.step
    read = courses_of(workspace, key, profile, start=start, end=end)
    signal = workspace.profiles[profile].signal(forecast.signal)
    title = f"{key}: {signal.label(language)} [{signal.unit}]"
    picture = draw(_forecast_chart(forecast, read, title, signal.unit, language))
    about = sentence(
        "forecast.about", language, tier=sentence(f"forecast.tier.{forecast.tier.value}", language)
    )
    return Plot(f"{key}.{forecast.signal}", title, about, picture)


def _forecast_chart(forecast: Forecast, read: Courses, title: str, unit: str, language: str) -> Chart:
    ahead = micros_of(forecast.time) // 1_000_000
    lines = [Line(ahead.astype(np.float64), forecast.median, kind="second")]
    lines += [
        Line(read.time.astype(np.float64), lane.values)
        for lane in read.lanes
        if lane.signal == forecast.signal
    ]
    areas = [Area(lines[0].x, forecast.at(low), forecast.at(high)) for low, high in _BANDS]
    ticks = time_ticks(np.union1d(read.time, ahead), read.asset.zone)
    return Chart(title, lines, ticks, language=language, areas=areas, axes=("", unit))
