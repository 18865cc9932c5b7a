"""`sereno drift`: whether what was learnt still holds."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING

import typer

from sereno.cli.output import Request, say, show_json, show_table
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import number

if TYPE_CHECKING:
    from sereno.flows.drifting import DriftReport, ScenarioName

__all__ = ["run_drift"]

_COLUMNS = ("asset", "kind", "level", "value", "since", "signal", "change", "replays")
_SCENARIO_COLUMNS = ("asset", "scenario", "metric", "before", "after", "change", "rule", "watch")
_ALL = "all"


def run_drift(
    request: Request,
    *,
    weeks: int | None,
    profile: str | None,
    asset: str | None,
    signal: str | None,
    scenarios: Sequence[str],
    fail_on: str | None,
) -> None:
    """Watch and show; with `fail_on` exit 1 from that level on."""
    from sereno.domain.drift import DriftLevel
    from sereno.flows.drifting import DriftRequest
    from sereno.flows.workspace import Workspace

    with Workspace.open(request.workspace, language=request.language) as workspace:
        report = workspace.drift(DriftRequest(weeks, profile, asset, signal, _scenarios(scenarios)))
        language, folder = workspace.language, workspace.output_folder
    if request.as_json:
        show_json(report.to_json())
    else:
        _say(report, language)
        say(sentence("cli.drift.written", language, file=folder / "drift_analysis.json"))
    if fail_on is not None and report.level >= DriftLevel[fail_on]:
        raise typer.Exit(1)


def _scenarios(names: Sequence[str]) -> tuple["ScenarioName", ...]:
    from sereno.flows.drifting import ScenarioName

    if _ALL in names:
        return tuple(ScenarioName)
    known = [one.value for one in ScenarioName]
    for name in names:
        if name not in known:
            raise typer.BadParameter(", ".join([*known, _ALL]), param_hint="--scenario")
    return tuple(ScenarioName(name) for name in names)


def _say(report: "DriftReport", language: str) -> None:
    headings = [sentence(f"cli.drift.{name}", language) for name in _COLUMNS]
    show_table(list(_verdicts(report, language)), _COLUMNS, headings)
    for one in report.assets:
        action = sentence(f"drift.action.{one.action}", language)
        say("  " + sentence("cli.drift.action", language, asset=str(one.asset), action=action))
    if report.outcomes:
        say("")
        headings = [sentence(f"cli.drift.{name}", language) for name in _SCENARIO_COLUMNS]
        show_table(list(_outcomes(report, language)), _SCENARIO_COLUMNS, headings)
        for line in _alarms(report, language):
            say(line)
    for key, code in report.left_out.items():
        say("  " + sentence("cli.drift.left_out", language, asset=str(key), code=code))


def _verdicts(report: "DriftReport", language: str) -> Iterator[dict[str, str]]:
    for asset in report.assets:
        for verdict in asset.verdicts.values():
            reason = sentence(f"drift.reason.{verdict.remark}", language) if verdict.remark else ""
            level = sentence(f"drift.level.{verdict.level.name}", language)
            yield {
                "asset": str(asset.asset),
                "kind": sentence(f"drift.kind.{verdict.kind.value}", language),
                "level": f"{level} ({reason})" if reason else level,
                "value": _percent(100.0 * verdict.value, language),
                "since": verdict.since or "–",
                "signal": verdict.signal or "–",
                "change": number(verdict.change, language)
                if verdict.signal and isfinite(verdict.change)
                else "–",
                "replays": str(verdict.n_reference),
            }


def _outcomes(report: "DriftReport", language: str) -> Iterator[dict[str, str]]:
    for one in report.outcomes:
        rule = one.scenario.rule
        seen = one.drift.verdicts[one.scenario.kind]
        yield {
            "asset": str(one.drift.asset),
            "scenario": sentence(f"drift.scenario.{one.scenario.name.value}", language),
            "metric": rule.metric.upper(),
            "before": number(one.before, language),
            "after": number(one.after, language),
            "change": _percent(one.change, language),
            "rule": f"{one.rule_level.name} (> {number(rule.percent, language)} %)",
            "watch": f"{sentence(f'drift.kind.{seen.kind.value}', language)}: {seen.level.name}",
        }


def _alarms(report: "DriftReport", language: str) -> Iterator[str]:
    for one in report.outcomes:
        for verdict in one.drift.verdicts.values():
            if verdict.level.alarms:
                scenario = sentence(f"drift.scenario.{one.scenario.name.value}", language)
                yield "  " + sentence(
                    "cli.drift.alarm",
                    language,
                    asset=f"{one.drift.asset} ({scenario})",
                    kind=sentence(f"drift.kind.{verdict.kind.value}", language),
                    level=verdict.level.name,
                    monday=verdict.since,
                )


def _percent(value: float, language: str) -> str:
    return f"{number(value, language)} %" if isfinite(value) else "–"
