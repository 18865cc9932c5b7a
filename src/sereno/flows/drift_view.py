"""How the verdicts of the watch for drift are drawn: the judged weeks beside the replays."""

from math import isfinite

import numpy as np

from sereno.domain.drift import AssetDrift, DriftVerdict
from sereno.i18n.catalogue import sentence
from sereno.report.charts import Chart, Line, draw
from sereno.report.exports import Cell
from sereno.report.plots import Plot

__all__ = ["drift_plots"]

_COLUMNS = ("week", "value", "level", "signal")


def drift_plots(drift: AssetDrift, language: str) -> list[Plot]:
    """A picture of each verdict: every reference week, replayed, as a point; the judged weeks as a line."""
    return [_plot(one, drift.target, language) for one in drift.verdicts.values()]


def _plot(verdict: DriftVerdict, target: str, language: str) -> Plot:
    name, title = f"{target}.{verdict.kind.value}", sentence(f"drift.kind.{verdict.kind.value}", language)
    title = title[:1].upper() + title[1:]
    about = sentence(f"drift.about.{verdict.kind.value}", language)
    if verdict.reason or not verdict.weeks:
        reason = sentence(f"drift.reason.{verdict.reason or 'nothing_to_judge'}", language)
        return Plot(name, title, about, "", missing=reason)
    picture = draw(_chart(verdict, title, language))
    columns = [sentence(f"drift.column.{one}", language) for one in _COLUMNS]
    keys = [(swatch, sentence(f"drift.key.{swatch}", language)) for swatch in ("dots", "line", "limit")]
    return Plot(name, title, about, picture, columns, _rows(verdict, language), keys=keys)


def _chart(verdict: DriftVerdict, title: str, language: str) -> Chart:
    replays, weeks = np.array(verdict.replays), np.array([one.value for one in verdict.weeks])
    # Replays first, then a step, then the weeks.
    at = np.arange(len(weeks), dtype=np.float64) + len(replays) + 1.0
    lines = [
        Line(np.arange(len(replays), dtype=float), replays, kind="dots"),
        Line(at, weeks, has_marks=True),
    ]
    ticks = [(0.0, sentence("drift.replays", language)), (float(at[-1]), verdict.weeks[-1].monday)]
    axes = ("", sentence("figure_axis.drift", language))
    return Chart(title, lines, ticks, language=language, axes=axes, limit=1.0)


def _rows(verdict: DriftVerdict, language: str) -> list[list[Cell]]:
    replay = sentence("drift.replay", language)
    rows: list[list[Cell]] = [
        [one.monday, _known(one.value), sentence(f"drift.level.{one.level.name}", language), one.signal]
        for one in verdict.weeks
    ]
    replays = enumerate(verdict.replays, start=1)
    return rows + [[f"{replay} {number}", _known(value), "", ""] for number, value in replays]


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
