"""`sereno simulate`: worlds into the store or into files."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import typer

from sereno.cli.output import Request, say, show_json, tell_progress
from sereno.domain.errors import UsageError
from sereno.domain.time import isoformat, system_clock
from sereno.flows.simulating import (
    SimulationPlan,
    SimulationResult,
    add_simulation,
    reset_simulation,
    write_simulation,
)
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import machine_language, sentence

__all__ = ["run_simulation"]


def run_simulation(
    request: Request,
    plan: SimulationPlan,
    *,
    output: Path | None,
    until: datetime | None,
    is_reset: bool,
    is_sure: bool,
) -> None:
    """Simulate and say what came of it.

    Args:
        until: Day that the world ends before, by UTC; now when None.

    Raises:
        UsageError: A reset that nobody confirmed.
    """
    language = request.language or machine_language()
    end = system_clock() if until is None else until.replace(tzinfo=UTC)
    if output is not None:
        _show(request, write_simulation(plan, output, end, language), 0, language)
        return
    with Workspace.open(request.workspace, language=request.language) as workspace:
        n_reset = 0
        if is_reset:
            _confirm(is_sure, workspace.language)
            n_reset = reset_simulation(workspace)
            tell_progress(request, sentence("cli.reset", workspace.language, rows=n_reset))
        result = add_simulation(workspace, plan, end)
        _show(request, result, n_reset, workspace.language)


def _confirm(is_sure: bool, language: str) -> None:
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise UsageError(detail="--reset deletes simulated readings: confirm with --yes", command="simulate")
    if not typer.confirm(sentence("cli.confirm_reset", language)):
        raise typer.Exit(1)


def _show(request: Request, result: SimulationResult, n_reset: int, language: str) -> None:
    world = result.world
    faults = [
        {
            "site": fault.asset.site,
            "asset": fault.asset.asset,
            "fault": fault.name,
            "kind": fault.kind.value,
            "signals": list(fault.signals),
            "started_at": isoformat(fault.started_at),
            "ended_at": isoformat(fault.ended_at),
        }
        for fault in world.faults
    ]
    if request.as_json:
        show_json(
            {
                "profile": world.readings.profile,
                "seed": result.seed,
                "assets": len(world.readings.assets),
                "rows": len(world.readings),
                "ratio": round(result.ratio, 4),
                "readings_new": result.n_new,
                "rows_deleted": n_reset + result.n_trimmed,
                "truth": str(result.truth),
                "faults": faults,
            }
        )
        return
    say(
        sentence(
            "cli.simulated",
            language,
            profile=world.readings.profile,
            assets=len(world.readings.assets),
            rows=len(world.readings),
            faults=len(faults),
            ratio=f"{result.ratio:.1%}",
            seed=result.seed,
            truth=result.truth,
        )
    )
