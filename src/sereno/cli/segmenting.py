"""`sereno segment`: which assets behave alike."""

from math import isfinite
from typing import TYPE_CHECKING

from sereno.cli.output import Request, say, show_json, show_table
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import number

if TYPE_CHECKING:
    from sereno.flows.segments import SegmentReport

__all__ = ["run_segment"]


def run_segment(request: Request, *, profile: str | None, is_refit: bool) -> None:
    """Segment the workspace and show who is with whom."""
    from sereno.flows.workspace import Workspace

    with Workspace.open(request.workspace, language=request.language) as workspace:
        reports = workspace.segment(profile=profile, is_refit=is_refit)
        language, folder = workspace.language, workspace.output_folder
    if request.as_json:
        show_json({"profiles": [report.to_json() for report in reports]})
        return
    for report in reports:
        _say_report(report, language)
    say(sentence("cli.segment_files", language, folder=folder))


def _say_report(report: "SegmentReport", language: str) -> None:
    found = report.segmentation
    facts = {"profile": found.profile, "segments": found.n_segments, "assets": len(found.members())}
    way = sentence(f"segment_method.{found.method}", language)
    say(sentence("cli.segmented", language, method=way, **facts))
    rows = [
        {"asset": str(asset), "segment": segment, **_shown(report, asset, language)}
        for asset, segment in sorted(found.members().items(), key=lambda one: (one[1], one[0]))
    ]
    headings = [sentence(f"column.{name}", language) for name in ("asset", "segment")]
    show_table(rows, ["asset", "segment", *found.features], [*headings, *found.features])
    for asset in report.new:
        segment = found.segment_of(asset)
        say("  " + sentence("cli.segment_new", language, asset=str(asset), segment=segment))
    for asset, n_rows in found.too_short.items():
        say("  " + sentence("cli.segment_too_short", language, asset=str(asset), rows=n_rows))
    for name, reason in report.unused.items():
        say("  " + sentence("cli.segment_unused", language, feature=name, reason=reason))


def _shown(report: "SegmentReport", asset: object, language: str) -> dict[str, str]:
    figures = report.profiles.get(asset)  # type: ignore[call-overload]
    if figures is None:
        return {}
    return {
        name: number(value, language)
        for name, value in zip(report.segmentation.features, figures.tolist(), strict=True)
        if isfinite(value)
    }
