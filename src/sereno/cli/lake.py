"""`--lake`: a fleet in Parquet files, block by block, with a bar of progress on stderr."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sereno.cli.evaluating import say_evaluation
from sereno.cli.given import instant
from sereno.cli.output import Request, say, show_json
from sereno.i18n.catalogue import sentence

if TYPE_CHECKING:
    from sereno.flows.build import Setup
    from sereno.flows.lake import Told
    from sereno.flows.lake_fleet import LakeRequest
    from sereno.flows.lake_outcomes import LakeReport
    from sereno.flows.lake_storing import StoredFleet, StoredForecasts

__all__ = [
    "FleetForecast",
    "LakeCall",
    "evaluate_fleet",
    "forecast_fleet",
    "score_fleet",
    "train_fleet",
]

_BAR = 30


@dataclass(frozen=True, slots=True)
class LakeCall:
    """What the command line says of a lake; see `LakeRequest`."""

    lake: str
    output: str | None
    profile: str | None = None
    detector: str | None = None
    budget: float | None = None
    before: str | None = None
    keeps_scores: bool = False


def train_fleet(request: Request, call: LakeCall) -> None:
    """Learn a lake and show what was learnt."""
    from sereno.flows.lake import train_lake

    setup = _setup(request)
    with _progress(request, setup) as told:
        report = train_lake(setup, _wanted(setup, call), told)
    _show(request, report, "cli.lake.trained", setup.language)


def score_fleet(request: Request, call: LakeCall, *, is_stored: bool) -> str | None:
    """Judge a lake and show how much was found; the worst severity of what goes on.

    Args:
        is_stored: Whether its incidents go into the workspace, too.
    """
    from sereno.flows.lake import score_lake, worst_active
    from sereno.flows.lake_storing import store_lake

    setup = _setup(request)
    with _progress(request, setup) as told:
        report = score_lake(setup, _wanted(setup, call), told)
    stored = _store(setup, report.output, store_lake) if is_stored else {}
    _show(request, report, "cli.lake.scored", setup.language, stored)
    if stored and not request.as_json:
        say(sentence("cli.lake.stored", setup.language, **stored))
    return worst_active(report.output)


@dataclass(frozen=True, slots=True)
class FleetForecast:
    """What is to be forecast, as it was typed, and whether it goes into the workspace, too."""

    horizon: str
    origin: str | None
    signal: str | None
    forecaster: str | None
    is_stored: bool = False


def forecast_fleet(request: Request, call: LakeCall, typed: FleetForecast) -> None:
    """Forecast a lake and show how many assets have one."""
    from sereno.cli.forecasting import read_horizon
    from sereno.flows.forecasting import ForecastRequest
    from sereno.flows.lake_forecasting import forecast_lake
    from sereno.flows.lake_storing import store_forecasts

    setup = _setup(request)
    at = _instant(setup, typed.origin, "--origin")
    asked = ForecastRequest(
        read_horizon(typed.horizon), origin=at, signal=typed.signal, forecaster=typed.forecaster
    )
    with _progress(request, setup) as told:
        report = forecast_lake(setup, _wanted(setup, call), asked, told)
    stored = _store(setup, report.output, store_forecasts) if typed.is_stored else {}
    _show(request, report, "cli.lake.forecast", setup.language, stored)
    if stored and not request.as_json:
        say(sentence("cli.lake.forecasts_stored", setup.language, **stored))


def evaluate_fleet(
    request: Request, call: LakeCall, truth: Path, *, since: str | None, until: str | None, fails: bool
) -> None:
    """Evaluate a lake and show; with `fails` exit 1 when a goal is not met."""
    from sereno.flows.lake_evaluating import evaluate_lake

    setup = _setup(request)
    first, last = _instant(setup, since, "--since"), _instant(setup, until, "--until")
    with _progress(request, setup) as told:
        found = evaluate_lake(setup, _wanted(setup, call), truth, since=first, until=last, told=told)
    if request.as_json:
        show_json(found.to_json())
    else:
        say_evaluation(found, setup.language)
    if fails and not found.is_accepted:
        raise typer.Exit(1)


def _setup(request: Request) -> "Setup":
    from sereno.flows.build import open_setup

    return open_setup(request.workspace, language=request.language)


def _wanted(setup: "Setup", call: LakeCall) -> "LakeRequest":
    from sereno.flows.lake_fleet import LakeRequest

    if call.output is None:
        raise typer.BadParameter("a folder or an address, with --lake", param_hint="--output")
    return LakeRequest(
        lake=call.lake,
        output=call.output,
        profile=call.profile,
        detector=call.detector,
        budget=call.budget,
        before=_instant(setup, call.before, "--before"),
        keeps_scores=call.keeps_scores,
    )


def _instant(setup: "Setup", text: str | None, option: str) -> datetime | None:
    return instant(setup.settings.timezone, text, option)


def _store(
    setup: "Setup",
    output: str,
    keep: "Callable[..., StoredFleet | StoredForecasts]",
) -> dict[str, int]:
    from sereno.flows.build import open_workspace_store

    with closing(open_workspace_store(setup)) as store:
        return keep(setup, store, output).to_json()


def _show(
    request: Request,
    report: "LakeReport",
    key: str,
    language: str,
    stored: Mapping[str, int] | None = None,
) -> None:
    if request.as_json:
        show_json(report.to_json() | ({"stored": dict(stored)} if stored else {}))
        return
    facts = {"blocks": report.n_blocks, "known": report.n_known, "output": report.output}
    say(sentence(key, language, **report.counts, **facts))


@contextmanager
def _progress(request: Request, setup: "Setup") -> "Iterator[Told | None]":
    """A bar that moves with each block on a terminal; a line for each tenth elsewhere."""
    if request.is_quiet:
        yield None
        return
    is_drawn = sys.stderr.isatty()

    def told(n_done: int, n_blocks: int) -> None:
        text = sentence("cli.lake.progress", setup.language, done=n_done, blocks=n_blocks)
        if is_drawn:
            filled = _BAR * n_done // n_blocks
            end = "\n" if n_done == n_blocks else ""
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {text}{end}")
            sys.stderr.flush()
        elif 10 * n_done // n_blocks != 10 * (n_done - 1) // n_blocks:
            sys.stderr.write(f"{text}\n")

    yield told
