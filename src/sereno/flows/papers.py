"""Reports of the fleet, a site or an incident over a stretch of time, from the same flows as the screens."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from pathlib import Path

from sereno.domain.errors import UsageError
from sereno.domain.judgement import Severity
from sereno.domain.time import isoformat
from sereno.flows.courses import Courses, asset_named, courses_of, incident_course, lane_chart
from sereno.flows.fleet_list import IncidentFilter, listed_incidents
from sereno.flows.incidents import IncidentView, cost_of
from sereno.flows.overview import fleet_of
from sereno.flows.patterns import patterns_of
from sereno.flows.plant import plant_of
from sereno.flows.quality import qualities_of
from sereno.flows.site import comparison_of
from sereno.flows.timeline import problem_name, timeline_plot
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import moment
from sereno.report.charts import draw
from sereno.report.papers import (
    PAPER_POLICY,
    Fact,
    Paper,
    PaperColumn,
    PaperTable,
    Section,
    Value,
    paper_html,
    write_workbook,
)
from sereno.report.pdf import find_browser, print_pdf
from sereno.report.plots import Plot

__all__ = ["PAPER_KINDS", "PAPER_POLICY", "Subject", "can_print", "paper_html", "paper_of", "write_paper"]

PAPER_KINDS = (".html", ".pdf", ".xlsx")
_POINTS = 900
_MOST_INCIDENTS = 200
_MOST_SERIES = 12
_PATTERNS = ("carpet", "week", "hour", "weekday")
_USUAL = timedelta(days=7)
_TICK = timedelta(microseconds=1)


class Subject(StrEnum):
    """What a report is about."""

    FLEET = "fleet"
    SITE = "site"
    INCIDENT = "incident"


def can_print() -> bool:
    """Whether reports can be had as PDF on this machine."""
    return find_browser() is not None


def paper_of(
    workspace: Workspace,
    about: Subject,
    name: str = "",
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    language: str,
) -> Paper:
    """A report.

    Args:
        name: Of the site, or the id of the incident.
        start, end: Of the stretch of time; without them the last week of the data.

    Raises:
        NotFound, UnknownAsset: There is no such incident, or site.
        UsageError: The stretch of time is none.
    """
    until = end or (workspace.last_reading_at() or workspace.now()) + _TICK
    since = start or until - _USUAL
    if since >= until:
        raise UsageError(
            detail=f"'{isoformat(since)}' to '{isoformat(until)}' is no stretch of time", command="report"
        )
    writer = _Writer(workspace, since, until, language)
    if about is Subject.INCIDENT:
        return writer.incident(name)
    return writer.site(name) if about is Subject.SITE else writer.fleet()


def write_paper(paper: Paper, path: Path) -> None:
    """Write a report as what its name ends in, whole or not at all.

    Raises:
        PdfUnavailable: There is nothing that prints.
        UsageError: Its name ends in nothing known.
        OSError: The system refuses it.
    """
    match path.suffix.lower():
        case ".xlsx":
            write_workbook(paper, path)
        case ".pdf":
            print_pdf(paper_html(paper), path)
        case ".html" | ".htm":
            partial = path.with_name(path.name + ".part")
            partial.write_text(paper_html(paper), "utf-8")
            partial.replace(path)
        case other:
            detail = f"'{other}' is none of {', '.join(PAPER_KINDS)}"
            raise UsageError(detail=detail, command="report")


class _Writer:
    """Writes the reports of a workspace over one stretch of time in one language."""

    def __init__(self, workspace: Workspace, since: datetime, until: datetime, language: str) -> None:
        self._workspace, self._since, self._until = workspace, since, until
        self._language = language
        tariff = workspace.settings.tariff
        self._currency = tariff.currency if tariff else ""

    def fleet(self) -> Paper:
        """How all sites are, what happened, and what is wrong with the data."""
        fleet, views = fleet_of(self._workspace), self._incidents("")
        plant = plant_of(self._workspace)
        facts = [
            Fact(self._say("sites"), len(fleet.rows), "count"),
            Fact(self._say("abnormal"), fleet.n_abnormal, "count"),
            Fact(self._say("severe"), fleet.n_severe, "count"),
            Fact(self._say("active"), fleet.n_active, "count"),
            Fact(self._say("cost_per_day"), fleet.cost_per_day, "money", fleet.currency),
            *self._totals(views),
        ]
        if plant.last is not None:
            facts.append(Fact(self._say("analysis"), plant.last.percent / 100, "percent"))
        columns = [self._column("site"), self._column("status"), self._column("active", "count")]
        columns += [self._column("last", "moment"), self._column("cost_per_day", "money", fleet.currency)]
        columns.append(self._column("what"))
        rows: list[list[Value]] = [
            [
                row.site,
                sentence(f"console.status.{row.status.name.lower()}", self._language),
                row.n_active,
                row.last_at,
                row.cost_per_day,
                row.worst.sentence(self._language) if row.worst else None,
            ]
            for row in fleet.rows
        ]
        zone = self._workspace.zone
        lanes = timeline_plot(views, start=self._since, end=self._until, zone=zone, language=self._language)
        return self._paper(
            self._say("fleet_title"),
            zone,
            [
                Section(self._say("summary"), facts=facts),
                Section(self._say("sites_title"), table=PaperTable(columns, rows)),
                Section(self._say("timeline"), plots=[lanes]),
                self._incident_section(views),
                self._quality(""),
            ],
            self._lead(views),
        )

    def site(self, name: str) -> Paper:
        """One site: totals, every signal, what is usual, what happened."""
        with self._workspace.store.read() as tx:
            assets = asset_named(tx, name)
        views = self._incidents(name)
        sections = [Section(self._say("summary"), facts=self._totals(views)), self._incident_section(views)]
        for asset in assets:
            found = comparison_of(self._workspace, asset, start=self._since, end=self._until)
            courses = courses_of(
                self._workspace, asset.key, asset.profile, start=self._since, end=self._until, points=_POINTS
            )
            heading = f"{asset.key.asset}: " if len(assets) > 1 else ""
            if found.totals:
                columns = [self._column("signal"), self._column("unit"), self._column("total", "number")]
                columns += [self._column("before", "number"), self._column("change", "percent")]
                rows = [[t.label[self._language], t.unit, t.value, t.before, t.change] for t in found.totals]
                sections.append(Section(heading + self._say("totals"), table=PaperTable(columns, rows)))
            sections.append(Section(heading + self._say("series"), plots=self._series(courses)))
            usual = patterns_of(
                self._workspace,
                name,
                asset=asset.key.asset,
                profile=asset.profile,
                start=self._since,
                end=self._until,
                language=self._language,
            )
            plots = [one for one in usual.plots if one.name in _PATTERNS and one.svg]
            if plots:
                label = usual.signal.label(self._language)
                sections.append(Section(f"{heading}{self._say('patterns')}: {label}", plots=plots))
        sections.append(self._quality(name))
        return self._paper(self._say("site_title", name=name), assets[0].zone, sections, self._lead(views))

    def incident(self, name: str) -> Paper:
        """One incident: what happened, why we think so, who was told, and what people did."""
        view = self._workspace.incident(name)
        incident, worst, zone = view.incident, view.incident.worst, view.place.zone
        courses = incident_course(self._workspace, view)
        plots = self._series(courses, only_first=True) if courses else []
        shares: list[list[Value]] = [
            [view.place.profile.signal(s).label(self._language), x] for s, x in worst.contributions.items()
        ]
        why = PaperTable([self._column("signal"), self._column("share", "percent")], shares)
        sections = [
            Section(self._say("summary"), facts=self._facts_of(view)),
            Section(self._say("course"), "" if plots else self._say("no_course"), plots=plots),
            Section(self._say("contributions"), table=why),
            Section(self._say("similar"), table=self._similar(view)),
            Section(self._say("told"), table=self._told(view)),
            Section(self._say("history"), table=self._history(view)),
        ]
        lead = [view.sentence(self._language), view.recommendation(self._language)]
        heading = view.heading(self._language)
        title = self._say("incident_title", name=str(incident.asset))
        ended = incident.ended_at or max(one.last_at for one in incident.leading)
        about = self._about(incident.started_at, ended, zone)
        return Paper(title, about, self._language, zone, sections, [*lead, *([heading] if heading else [])])

    def _facts_of(self, view: IncidentView) -> list[Fact]:
        """What is to be known of an incident at a glance."""
        incident, worst = view.incident, view.incident.worst
        cost = cost_of(incident, view.tariff)
        return [
            Fact(self._say("asset"), str(incident.asset)),
            Fact(self._say("severity"), self._severity(incident.severity)),
            Fact(self._say("began"), incident.started_at),
            Fact(self._say("ended"), incident.ended_at or sentence("console.goes_on", self._language)),
            Fact(
                sentence("console.incident.observed", self._language),
                _known(worst.observed),
                "number",
                worst.unit,
            ),
            Fact(
                sentence("console.incident.expected", self._language),
                _known(worst.expected),
                "number",
                worst.unit,
            ),
            Fact(
                sentence("console.incident.impact", self._language),
                _known(incident.impact),
                "number",
                worst.impact_unit,
            ),
            Fact(self._say("cost"), cost[0] if cost else None, "money", cost[1] if cost else ""),
            Fact(sentence("console.incident.score", self._language), _known(worst.score), "number"),
            Fact(self._say("threshold"), _known(worst.threshold), "number"),
            Fact(self._say("model"), worst.model or None),
        ]

    def _paper(self, title: str, zone: str, sections: Sequence[Section], lead: Sequence[str]) -> Paper:
        return Paper(title, self._about(self._since, self._until, zone), self._language, zone, sections, lead)

    def _about(self, since: datetime, until: datetime, zone: str) -> str:
        """Which stretch of time a report is about, and when it was made."""
        first, last, made = (
            moment(one, zone, self._language) for one in (since, until, self._workspace.now())
        )
        return self._say("about", first=first, last=last, made=made, zone=zone)

    def _incidents(self, site: str) -> list[IncidentView]:
        wanted = IncidentFilter(site=site)
        return listed_incidents(
            self._workspace, wanted, since=self._since, until=self._until, language=self._language
        )

    def _lead(self, views: Sequence[IncidentView]) -> list[str]:
        active = [view for view in views if view.incident.ended_at is None]
        if not active:
            return []
        return [active[0].sentence(self._language), active[0].recommendation(self._language)]

    def _totals(self, views: Sequence[IncidentView]) -> list[Fact]:
        costs = [cost[0] for view in views if (cost := cost_of(view.incident, view.tariff))]
        facts = [Fact(self._say("incidents"), len(views), "count")]
        for level in reversed(Severity):
            count = sum(view.incident.severity is level for view in views)
            facts.append(Fact(f"{self._say('incidents')}: {self._severity(level)}", count, "count"))
        total = sum(costs) if self._currency else None
        return [*facts, Fact(self._say("cost"), total, "money", self._currency)]

    def _incident_section(self, views: Sequence[IncidentView]) -> Section:
        columns = [self._column("severity"), self._column("asset"), self._column("problem")]
        columns += [self._column("began", "moment"), self._column("ended", "moment")]
        columns += [
            self._column("cost", "money", self._currency),
            self._column("what"),
            self._column("advice"),
        ]
        rows: list[list[Value]] = []
        for view in views[:_MOST_INCIDENTS]:
            incident, cost = view.incident, cost_of(view.incident, view.tariff)
            rows.append(
                [
                    self._severity(incident.severity),
                    str(incident.asset),
                    problem_name(view, self._language),
                    incident.started_at,
                    incident.ended_at,
                    cost[0] if cost else None,
                    view.sentence(self._language),
                    view.recommendation(self._language),
                ]
            )
        rest = len(views) - len(rows)
        text = self._say("more", count=rest) if rest else ""
        return Section(self._say("incidents"), text, table=PaperTable(columns, rows))

    def _quality(self, site: str) -> Section:
        days = max(round((self._until - self._since) / timedelta(days=1)), 1)
        found = qualities_of(self._workspace, days=days, language=self._language, text=site)
        shown = [one for one in found if one.is_bad and site in ("", one.key.site)]
        columns = [self._column("asset"), self._column("signal"), self._column("there", "percent")]
        columns += [self._column("missing", "count"), self._column("flagged", "percent")]
        rows: list[list[Value]] = [
            [str(q.key), q.label, q.percent / 100, q.due - q.values, q.flagged_percent / 100] for q in shown
        ]
        text = "" if shown else sentence("console.quality.fine", self._language)
        return Section(self._say("quality"), text, table=PaperTable(columns, rows) if rows else None)

    def _series(self, courses: Courses, *, only_first: bool = False) -> list[Plot]:
        plots = []
        lanes = courses.lanes[:1] if only_first else courses.lanes[:_MOST_SERIES]
        for lane in lanes:
            chart = lane_chart(courses, lane, self._language)
            label = (
                lane.label[self._language]
                if lane.label
                else sentence("console.signal.gas_amount", self._language)
            )
            columns = [self._say("column.time"), f"{label} [{lane.unit}]"]
            values = [float(one) if isfinite(one) else None for one in lane.values.tolist()]
            times = [
                isoformat(datetime.fromtimestamp(at, tz=self._until.tzinfo)) for at in courses.time.tolist()
            ]
            rows = list(zip(times, values, strict=True))
            plots.append(
                Plot(
                    lane.signal,
                    label,
                    self._say("series_about"),
                    draw(chart),
                    columns,
                    rows,
                    is_wide=only_first,
                )
            )
        return plots

    def _similar(self, view: IncidentView) -> PaperTable:
        columns = [self._column("began", "moment"), self._column("ended", "moment")]
        columns += [self._column("severity"), self._column("verdict")]
        rows: list[list[Value]] = [
            [
                one.started_at,
                one.ended_at,
                self._severity(one.severity),
                sentence(f"console.verdict.{one.verdict.value if one.verdict else 'none'}", self._language),
            ]
            for one in view.similar
        ]
        return PaperTable(columns, rows)

    def _told(self, view: IncidentView) -> PaperTable:
        columns = [self._column("receiver"), self._column("event"), self._column("delivery")]
        columns.append(self._column("sent", "moment"))
        told: list[Mapping[str, object]] = list(self._workspace.told_of(view.incident.id))
        rows: list[list[Value]] = [
            [
                str(one["receiver"]),
                sentence(f"console.event.{one['event']}", self._language),
                sentence(f"console.delivery.{one['status']}", self._language),
                datetime.fromisoformat(str(one["sent_at"])) if one.get("sent_at") else None,
            ]
            for one in told
        ]
        return PaperTable(columns, rows)

    def _history(self, view: IncidentView) -> PaperTable:
        columns = [self._column("when", "moment"), self._column("who"), self._column("event")]
        columns.append(self._column("comment"))
        events = self._workspace.events(view.incident.id)
        rows: list[list[Value]] = [
            [
                e.at,
                e.actor,
                sentence(f"console.event.{e.kind}", self._language),
                str(e.facts.get("text", "")) or None,
            ]
            for e in events
        ]
        return PaperTable(columns, rows)

    def _severity(self, level: Severity) -> str:
        return sentence(f"severity.{level.name.lower()}", self._language)

    def _column(self, name: str, kind: str = "text", unit: str = "") -> PaperColumn:
        return PaperColumn(self._say(f"column.{name}"), kind, unit)

    def _say(self, key: str, **facts: object) -> str:
        return sentence(f"paper.{key}", self._language, **facts)


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
