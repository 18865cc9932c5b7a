"""`sereno forecast`: what the meters will do, with bands."""

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from sereno.cli.given import instant
from sereno.cli.output import Request, say, show_json, show_table
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import number

if TYPE_CHECKING:
    from sereno.domain.forecasts import Forecast
    from sereno.flows.forecasting import ForecastReport

__all__ = ["read_horizon", "run_forecast"]

_COLUMNS = ("asset", "signal", "origin", "until", "mean", "peak", "peak_at", "band", "tier")


def run_forecast(
    request: Request,
    *,
    horizon: str,
    origin: str | None,
    profile: str | None,
    asset: str | None,
    signal: str | None,
    forecaster: str | None,
) -> None:
    """Forecast and show."""
    from sereno.flows.workspace import Workspace

    ahead = read_horizon(horizon)
    with Workspace.open(request.workspace, language=request.language) as workspace:
        found = workspace.forecast(
            horizon=ahead,
            origin=instant(workspace.settings.timezone, origin, "--origin"),
            profile=profile,
            asset=asset,
            signal=signal,
            forecaster=forecaster,
        )
        language, zone = workspace.language, workspace.settings.timezone or "UTC"
    if request.as_json:
        show_json(found.to_json())
        return
    headings = [sentence(f"cli.forecast.{name}", language) for name in _COLUMNS]
    show_table([_row(one, found, language, zone) for one in found.forecasts], _COLUMNS, headings)
    for key, code in found.left_out.items():
        say("  " + sentence("cli.forecast.left_out", language, asset=str(key), code=code))
    for name, how in found.learnt.items():
        say(sentence(f"cli.forecast.{how.replace(' ', '_')}", language, model=name))


def read_horizon(text: str) -> timedelta:
    """How far ahead, as people write it."""
    from sereno.domain.time import parse_duration

    try:
        ahead = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--horizon") from error
    assert isinstance(ahead, timedelta)
    return ahead


def _row(one: "Forecast", found: "ForecastReport", language: str, zone: str) -> dict[str, str]:
    import numpy as np

    from sereno.domain.time import from_numpy

    unit = found.units[one.asset]
    low, high = one.band
    peak = int(np.argmax(one.median))

    def clock(instant: "np.datetime64") -> str:
        return from_numpy(instant).astimezone(ZoneInfo(zone)).isoformat(" ", "minutes")

    return {
        "asset": str(one.asset),
        "signal": one.signal,
        "origin": one.origin.astimezone(ZoneInfo(zone)).isoformat(" ", "minutes"),
        "until": (one.origin + len(one.time) * one.step).astimezone(ZoneInfo(zone)).isoformat(" ", "minutes"),
        "mean": f"{number(float(one.median.mean()), language)} {unit}",
        "peak": f"{number(float(one.median[peak]), language)} {unit}",
        "peak_at": clock(one.time[peak]),
        "band": f"{number(float(low[peak]), language)} – {number(float(high[peak]), language)} {unit}",
        "tier": sentence(f"forecast.tier.{one.tier.value}", language),
    }
