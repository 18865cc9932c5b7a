"""Reports as one file: HTML without a script or a link to anything, and a workbook with the same figures.

What is on paper is what is on the screen: the figures come from the same flows, and are written by the same
functions, and the workbook holds the numbers themselves.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from math import isfinite
from pathlib import Path
from zoneinfo import ZoneInfo

from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import moment, money, number, quantity
from sereno.report.plots import PLOT_STYLE, Plot
from sereno.report.process_report import PAGE_STYLE

__all__ = [
    "PAPER_POLICY",
    "Fact",
    "Paper",
    "PaperColumn",
    "PaperTable",
    "Section",
    "Value",
    "paper_html",
    "write_workbook",
]

Value = str | float | int | datetime | None
"""What is written by the kind of its column."""
_STYLE = """
.when{white-space:nowrap}
.facts dd{font-size:1.1rem}.num{text-align:right;white-space:nowrap}td:first-child{white-space:normal}
.plots{display:grid;gap:16px;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr))}
figure.full{grid-column:1/-1}figcaption{color:#5b6470;font-size:.88rem;margin-top:4px}
.lead{font-size:1.1rem;background:#fff;border-left:4px solid #a4262c;padding:.6rem .9rem;margin:1rem 0}
@page{size:A4;margin:14mm}
@media print{main{max-width:none;padding:0}h2{break-after:avoid}tr{break-inside:avoid}.wide{overflow:visible}}
"""
_CSS = PAGE_STYLE + PLOT_STYLE + _STYLE
_DIGEST = b64encode(sha256(_CSS.encode()).digest()).decode()
PAPER_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; frame-ancestors 'none'"
"""Content security policy for a report that a server shows: its own style, and nothing else."""
_CLASSES = {"text": "", "moment": ' class="when"'}
_PER_CENT = 100
_SHEET_NAME = 31
"""Excel's limit."""
_FORBIDDEN = re.compile(r"[\[\]:*?/\\]")
_COLUMN_WIDTH = 18
_LONG_WIDTH = 70


@dataclass(frozen=True, slots=True)
class PaperColumn:
    """A column.

    Attributes:
        kind: `text`, `number`, `count`, `percent` (of 1), `money` or `moment`.
        unit: Of a number; the currency of money.
    """

    label: str
    kind: str = "text"
    unit: str = ""


@dataclass(frozen=True, slots=True)
class PaperTable:
    """Rows of values that are not written yet."""

    columns: Sequence[PaperColumn]
    rows: Sequence[Sequence[Value]]


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure with its name."""

    label: str
    value: Value
    kind: str = "text"
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report; empty parts are left out, or say why with `text`."""

    title: str
    text: str = ""
    facts: Sequence[Fact] = ()
    plots: Sequence[Plot] = ()
    table: PaperTable | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """A report.

    Attributes:
        lead: What matters most, in sentences; none where nothing does.
        zone: Of its instants.
    """

    title: str
    about: str
    language: str
    zone: str
    sections: Sequence[Section]
    lead: Sequence[str] = field(default=())


def paper_html(paper: Paper) -> str:
    """The whole file."""
    title = escape(paper.title)
    lead = "".join(f"<p>{escape(one)}</p>" for one in paper.lead)
    body = "".join(
        [
            f'<h1>{title}</h1><p class="quiet">{escape(paper.about)}</p>',
            f'<div class="lead">{lead}</div>' if lead else "",
            *(_section(one, paper) for one in paper.sections),
        ]
    )
    return (
        f'<!doctype html><html lang="{paper.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_CSS}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def write_workbook(paper: Paper, path: Path) -> None:
    """The figures of a report as a workbook: a sheet per table, with real numbers and dates.

    Raises:
        OSError: The system refuses the file; what stood there before is still there.
    """
    import xlsxwriter

    partial = path.with_name(path.name + ".part")
    partial.touch()
    try:
        with xlsxwriter.Workbook(
            str(partial), {"strings_to_formulas": False, "strings_to_urls": False}
        ) as book:
            sheets = _Sheets(book, paper)
            sheets.add_facts()
            for section in paper.sections:
                if section.table is not None:
                    sheets.add(section.title, section.table)
                for plot in section.plots:
                    sheets.add(plot.title, _of_plot(plot))
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def written(value: Value, kind: str, unit: str, paper: Paper) -> str:
    """A value as people read it; a dash for what is not known."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return "–"
    if isinstance(value, datetime):
        return moment(value, paper.zone, paper.language)
    return value if isinstance(value, str) else _figure_text(value, kind, unit, paper)


def _figure_text(value: float, kind: str, unit: str, paper: Paper) -> str:
    match kind:
        case "percent":
            return f"{number(round(value * _PER_CENT, 1), paper.language)} %"
        case "money":
            return money(value, unit, paper.language) if unit else "–"
        case "count":
            return f"{value:,.0f}".replace(",", "." if paper.language == "es" else ",")
        case _:
            return quantity(value, unit, paper.language)


def _section(section: Section, paper: Paper) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"]
    if section.text:
        parts.append(f'<p class="quiet">{escape(section.text)}</p>')
    if section.facts:
        each = (
            f"<div><dt>{escape(one.label)}</dt>"
            f"<dd>{escape(written(one.value, one.kind, one.unit, paper))}</dd></div>"
            for one in section.facts
        )
        parts.append(f'<dl class="facts">{"".join(each)}</dl>')
    if section.plots:
        parts.append(f'<div class="plots">{"".join(map(_figure, section.plots))}</div>')
    if section.table is not None:
        parts.append(_table(section.table, paper))
    return "".join(parts)


def _figure(plot: Plot) -> str:
    said = escape(plot.missing or plot.about)
    kind = ' class="full"' if plot.is_wide else ""
    title = escape(plot.title)
    return f"<figure{kind}><h3>{title}</h3>{plot.svg}<figcaption>{said}</figcaption></figure>"


def _table(table: PaperTable, paper: Paper) -> str:
    if not table.rows:
        return f'<p class="quiet">{escape(sentence("paper.nothing", paper.language))}</p>'
    kinds = [_CLASSES.get(one.kind, ' class="num"') for one in table.columns]
    head = "".join(
        f"<th{kind}>{escape(one.label)}</th>" for one, kind in zip(table.columns, kinds, strict=True)
    )
    rows = []
    for row in table.rows:
        cells = zip(row, table.columns, kinds, strict=True)
        said = (
            f"<td{kind}>{escape(written(value, one.kind, one.unit, paper))}</td>"
            for value, one, kind in cells
        )
        rows.append(f"<tr>{''.join(said)}</tr>")
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _of_plot(plot: Plot) -> PaperTable:
    columns = [PaperColumn(name, "number" if place else "text") for place, name in enumerate(plot.columns)]
    return PaperTable(columns, [list(row) for row in plot.rows])


class _Sheets:
    """The sheets of a workbook, with names that are different and that Excel takes."""

    def __init__(self, book: object, paper: Paper) -> None:
        self._book, self._paper = book, paper
        self._names: set[str] = set()
        add = book.add_format  # type: ignore[attr-defined]
        self._formats = {
            "moment": add({"num_format": "yyyy-mm-dd hh:mm"}),
            "percent": add({"num_format": "0.0 %"}),
            "money": add({"num_format": "#,##0.00"}),
            "count": add({"num_format": "#,##0"}),
            "head": add({"bold": True, "bottom": 1}),
        }

    def add_facts(self) -> None:
        """Title, and every figure of the report with its name."""
        sheet = self._sheet(sentence("paper.summary", self._paper.language))
        sheet.write_string(0, 0, self._paper.title, self._formats["head"])  # type: ignore[attr-defined]
        sheet.write_string(1, 0, self._paper.about)  # type: ignore[attr-defined]
        row = 3
        for one in self._paper.lead:
            sheet.write_string(row, 0, one)  # type: ignore[attr-defined]
            row += 1
        for section in self._paper.sections:
            for fact in section.facts:
                sheet.write_string(row, 0, fact.label)  # type: ignore[attr-defined]
                self._write(sheet, row, 1, fact.value, fact.kind)
                if fact.unit:
                    sheet.write_string(row, 2, fact.unit)  # type: ignore[attr-defined]
                row += 1

    def add(self, title: str, table: PaperTable) -> None:
        """A table under its head; units stand in the head."""
        sheet = self._sheet(title)
        for place, column in enumerate(table.columns):
            label = f"{column.label} [{column.unit}]" if column.unit else column.label
            sheet.write_string(0, place, label, self._formats["head"])  # type: ignore[attr-defined]
        for down, row in enumerate(table.rows, 1):
            for place, (value, column) in enumerate(zip(row, table.columns, strict=True)):
                self._write(sheet, down, place, value, column.kind)
        sheet.freeze_panes(1, 0)  # type: ignore[attr-defined]

    def _sheet(self, title: str) -> object:
        plain = _FORBIDDEN.sub(" ", title).strip("' ")[:_SHEET_NAME] or "sereno"
        name, n = plain, 2
        while name.casefold() in self._names:
            ending = f" {n}"
            name, n = plain[: _SHEET_NAME - len(ending)] + ending, n + 1
        self._names.add(name.casefold())
        sheet = self._book.add_worksheet(name)  # type: ignore[attr-defined]
        sheet.set_column(0, 0, _LONG_WIDTH if len(self._names) == 1 else 2 * _COLUMN_WIDTH)
        sheet.set_column(1, 30, _COLUMN_WIDTH)
        return sheet

    def _write(self, sheet: object, row: int, column: int, value: Value, kind: str) -> None:
        if value is None or (isinstance(value, float) and not isfinite(value)):
            return
        form = self._formats.get(kind)
        if isinstance(value, datetime):
            local = (
                value.astimezone(ZoneInfo(self._paper.zone)) if value.tzinfo else value.replace(tzinfo=UTC)
            )
            plain = local.replace(tzinfo=None)
            sheet.write_datetime(row, column, plain, self._formats["moment"])  # type: ignore[attr-defined]
        elif isinstance(value, int | float):
            sheet.write_number(row, column, value, form)  # type: ignore[attr-defined]
        else:
            sheet.write_string(row, column, value)  # type: ignore[attr-defined]
