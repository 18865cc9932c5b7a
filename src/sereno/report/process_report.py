"""The report of one asset as one HTML file that can be mailed: pictures are in it, nothing is linked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import escape

import numpy as np

from sereno.domain.readings import BoolArray, FloatArray, TimeArray
from sereno.domain.time import from_numpy
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import moment, number
from sereno.report.charts import STYLE, Chart, Line, draw

__all__ = ["PAGE_STYLE", "AssetReport", "SignalCourse", "Told", "loss_chart", "report_html"]

_ZOOM_ROWS = 20
_N_TOLD = 20
_HIGHEST_SHOWN = 20
"""Thresholds above which the score is cut in the picture."""
PAGE_STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;background:#f4f5f7;color:#1d232a;font:16px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:16px}
h1{font-size:1.5rem;margin:.5rem 0 0}h2{font-size:1.15rem;margin:1.6rem 0 .5rem}
h3{font-size:1rem;margin:0 0 .3rem}
p{margin:.3rem 0}
.quiet{color:#5b6470;font-size:.9rem}
.advice{background:#fff;border-left:4px solid #a4262c;padding:.6rem .9rem;margin:1rem 0}
.advice.calm{border-color:#4b7a3f}
.grid{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr))}
figure{margin:0;background:#fff;padding:12px;border-radius:6px;min-width:0}
figure svg{display:block;width:100%;height:auto}
.facts{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));margin:0}
.facts div{background:#fff;padding:8px 12px;border-radius:6px}
.facts dt{color:#5b6470;font-size:.85rem}.facts dd{margin:0;font-size:1.2rem;overflow-wrap:anywhere}
.wide{overflow-x:auto;background:#fff;border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:6px 10px;border-bottom:1px solid #e6e9ed;vertical-align:top}
td:first-child{white-space:nowrap}
@media(max-width:640px){thead{display:none}tr,td{display:block}td{border:0;padding:2px 10px}
tr{border-bottom:1px solid #e6e9ed;padding:8px 0}td:nth-child(2){font-weight:600}}
@media print{body{background:#fff}figure,.facts div,.wide{break-inside:avoid}}
"""


@dataclass(frozen=True, slots=True)
class SignalCourse:
    """One variable.

    Attributes:
        label: With its unit.
        trained: Values of the training rows, shape (training rows,).
        values, expected: Of the current rows, shape (current rows,).
        n_guilty: Abnormal rows in which it has the largest error.
        share: Of the squared error of the abnormal rows; NaN where there are none.
    """

    label: str
    trained: FloatArray
    values: FloatArray
    expected: FloatArray
    n_guilty: int
    share: float


@dataclass(frozen=True, slots=True)
class Told:
    """An incident in words."""

    started_at: datetime
    severity: str
    sentence: str
    recommendation: str


@dataclass(frozen=True, slots=True)
class AssetReport:
    """All that the report says.

    Attributes:
        trained_time, time: Of the training rows and of the current ones.
        score, threshold: Of the current rows, in units of the calm 99 % quantile.
        losses: Training and validation loss of each epoch by segment; empty for detectors without.
        incidents: Of the current rows, worst first.
    """

    asset: str
    model: str
    detector: str
    trained_at: datetime
    zone: str
    step: timedelta | None
    trained_time: TimeArray
    time: TimeArray
    signals: Sequence[SignalCourse]
    score: FloatArray
    threshold: float
    losses: Mapping[str, FloatArray]
    incidents: Sequence[Told]

    @property
    def is_abnormal(self) -> BoolArray:
        """Current rows whose score reaches the threshold, shape (rows,)."""
        return np.asarray(self.score >= self.threshold)


def report_html(report: AssetReport, language: str) -> str:
    """The whole file, in one language."""
    say = _Words(language)
    title = escape(say("title", asset=report.asset))
    body = "".join(
        [
            f"<h1>{title}</h1>",
            f'<p class="quiet">{_about(report, say)}</p>',
            _advice(report, say),
            _facts(report, say),
            _section(say("current"), [_current(report, one, say) for one in report.signals]),
            _section(say("score"), [_score(report, say)], say("score_about", times=_HIGHEST_SHOWN)),
            _incidents(report, say),
            _section(say("training"), [_trained(report, one, say) for one in report.signals]),
            _section(say("zoom", rows=_ZOOM_ROWS), [_zoom(report, one, say) for one in report.signals]),
            _losses(report, say),
        ]
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{PAGE_STYLE}{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def loss_chart(name: str, losses: FloatArray, language: str) -> Chart:
    """Training (line) and validation loss (dashes) over the epochs of one training."""
    say = _Words(language)
    epochs = np.arange(1, len(losses) + 1, dtype=float)
    ticks = [(float(epoch), f"{epoch:.0f}") for epoch in np.unique(np.linspace(1, len(losses), 5).round())]
    lines = [Line(epochs, losses[:, 0]), Line(epochs, losses[:, 1], "second")]
    return Chart(say("loss_of", name=name), lines, ticks, language=language)


class _Words:
    """Sentences of the report in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **facts: object) -> str:
        return sentence(f"report.{key}", self.language, **facts)


def _about(report: AssetReport, say: _Words) -> str:
    trained_at = moment(report.trained_at, report.zone, say.language)
    text = say("about", model=report.model, detector=report.detector, trained=trained_at)
    if len(report.time):
        first, last = (moment(from_numpy(report.time[at]), report.zone, say.language) for at in (0, -1))
        text += " " + say("span", first=first, last=last)
    return escape(text)


def _advice(report: AssetReport, say: _Words) -> str:
    guilty = max(report.signals, key=lambda one: one.n_guilty, default=None)
    n_abnormal = int(report.is_abnormal.sum())
    if guilty is None or not n_abnormal:
        return f'<div class="advice calm"><p>{escape(say("calm"))}</p></div>'
    share = number(100 * guilty.share, say.language)
    lines = [say("look_at", signal=guilty.label, share=share, rows=guilty.n_guilty, of=n_abnormal)]
    if report.incidents:
        worst = report.incidents[0]
        lines += [worst.sentence, worst.recommendation]
    return '<div class="advice">' + "".join(f"<p>{escape(line)}</p>" for line in lines) + "</div>"


def _facts(report: AssetReport, say: _Words) -> str:
    judged = int((~np.isnan(report.score)).sum())
    facts = {
        "threshold": number(report.threshold, say.language),
        "abnormal": f"{int(report.is_abnormal.sum())}",
        "incidents": f"{len(report.incidents)}",
        "judged": f"{judged}",
        "unjudged": f"{len(report.score) - judged}",
        "learnt": f"{len(report.trained_time)}",
    }
    each = (
        f"<div><dt>{escape(say(f'fact.{name}'))}</dt><dd>{text}</dd></div>" for name, text in facts.items()
    )
    return f'<dl class="facts">{"".join(each)}</dl>'


def _section(title: str, figures: Sequence[str], about: str = "") -> str:
    told = f'<p class="quiet">{escape(about)}</p>' if about else ""
    return f'<h2>{escape(title)}</h2>{told}<div class="grid">{"".join(figures)}</div>'


def _figure(title: str, chart: Chart) -> str:
    return f"<figure><h3>{escape(title)}</h3>{draw(chart)}</figure>"


def _current(report: AssetReport, signal: SignalCourse, say: _Words) -> str:
    x = _seconds(report.time)
    lines = [Line(x, signal.expected, "second"), Line(x, signal.values)]
    chart = _chart(report, report.time, lines, say("current_of", signal=signal.label), say)
    return _figure(signal.label, chart)


def _score(report: AssetReport, say: _Words) -> str:
    shown = np.minimum(report.score, _HIGHEST_SHOWN * report.threshold)
    chart = _chart(report, report.time, [Line(_seconds(report.time), shown)], say("score"), say)
    chart = replace(chart, limit=report.threshold)
    return _figure(say("score_of", threshold=number(report.threshold, say.language)), chart)


def _trained(report: AssetReport, signal: SignalCourse, say: _Words) -> str:
    time = report.trained_time
    line = Line(_seconds(time), signal.trained)
    chart = _chart(report, time, [line], say("training_of", signal=signal.label), say)
    return _figure(signal.label, replace(chart, shades=()))


def _zoom(report: AssetReport, signal: SignalCourse, say: _Words) -> str:
    time = report.trained_time[-_ZOOM_ROWS:]
    line = Line(_seconds(time), signal.trained[-_ZOOM_ROWS:], has_marks=True)
    chart = _chart(report, time, [line], say("zoom_of", signal=signal.label), say)
    return _figure(signal.label, replace(chart, shades=()))


def _chart(report: AssetReport, time: TimeArray, lines: Sequence[Line], title: str, say: _Words) -> Chart:
    return Chart(title, lines, _ticks(report, time, say), _shades(report), language=say.language)


def _losses(report: AssetReport, say: _Words) -> str:
    if not report.losses:
        return ""
    figures = []
    for name, losses in report.losses.items():
        chart = loss_chart(name, losses, say.language)
        figures.append(_figure(chart.title, chart))
    return _section(say("losses"), figures, say("losses_about"))


def _incidents(report: AssetReport, say: _Words) -> str:
    if not report.incidents:
        return ""
    head = "".join(
        f"<th>{escape(say(f'column.{name}'))}</th>" for name in ("start", "severity", "what", "advice")
    )
    rows = []
    for one in report.incidents[:_N_TOLD]:
        started = moment(one.started_at, report.zone, say.language)
        cells = (started, one.severity, one.sentence, one.recommendation)
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    rest = len(report.incidents) - _N_TOLD
    more = f'<p class="quiet">{escape(say("more", count=rest))}</p>' if rest > 0 else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<h2>{escape(say("incidents"))}</h2><div class="wide">{table}</div>{more}'


def _shades(report: AssetReport) -> list[tuple[float, float]]:
    """Stretches of abnormal rows [s]."""
    rows = np.flatnonzero(report.is_abnormal)
    if not len(rows):
        return []
    x = _seconds(report.time)
    length = 0.0 if report.step is None else report.step.total_seconds()
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return [(float(x[run[0]]), float(x[run[-1]]) + length) for run in runs]


def _seconds(time: TimeArray) -> FloatArray:
    return np.asarray(time.astype("datetime64[us]").astype(np.int64) / 1e6)


def _ticks(report: AssetReport, time: TimeArray, say: _Words) -> list[tuple[float, str]]:
    if not len(time):
        return []
    chosen = np.unique(np.linspace(0, len(time) - 1, 3).astype(int))
    seconds = _seconds(time)
    return [
        (float(seconds[at]), moment(from_numpy(time[at]), report.zone, say.language))
        for at in chosen.tolist()
    ]
