"""The figures behind the charts: for the script as JSON, for people as table, CSV, XLSX and SVG."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from sereno.api.context import Call, ViewerCall
from sereno.console.downloads import Download, file_answer, table_answer
from sereno.console.page import ConsoleRoute, Page
from sereno.domain.errors import NotFound
from sereno.domain.judgement import Severity
from sereno.domain.readings import FloatArray
from sereno.domain.signals import AssetKey
from sereno.domain.time import EPOCH, isoformat
from sereno.flows.courses import Courses, Lane, bands_of, courses_of, draw_lane, incident_course, shifted
from sereno.flows.site import shift_of

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

MAX_POINTS = 4_000
TABLE_ROWS = 2_000
_KEPT_BANDS = 64
_DIGITS = 6
_LAST_S = 4e9
_bands: "OrderedDict[tuple[object, ...], Courses]" = OrderedDict()


@dataclass(frozen=True, slots=True)
class Asked:
    """Of what a chart wants the figures.

    Attributes:
        points: At most so many of each signal.
        start, end: A part of the stretch of time of the page [seconds since 1970].
        compare: Beside what was before, `previous` or `weekdays`.
    """

    site: str
    asset: str
    profile: str
    points: int = 1200
    start: float | None = None
    end: float | None = None
    compare: str = ""

    @property
    def key(self) -> AssetKey:
        """The asset."""
        return AssetKey(self.site, self.asset)

    @property
    def n_points(self) -> int:
        """As many as may be."""
        return min(max(self.points, 2), MAX_POINTS)

    def part(self, page: Page) -> tuple[datetime, datetime]:
        """From when to when."""
        first, last = page.range.start, page.range.end
        if self.start is None or self.end is None or not self.start < self.end:
            return first, last
        begin, end = (
            EPOCH + timedelta(seconds=min(max(one, 0.0), _LAST_S)) for one in (self.start, self.end)
        )
        return max(begin, first), min(end, last)


AskedChart = Annotated[Asked, Depends()]


@router.get("/series")
def series(request: Request, call: ViewerCall, asked: AskedChart) -> Response:
    """Every signal of an asset in the stretch of time, with what was abnormal, and what was before."""
    page = Page.of(request, call)
    start, end = asked.part(page)
    found = _course(page, asked, start, end)
    document = _document(page, found)
    if asked.compare in ("previous", "weekdays"):
        with_weekdays = asked.compare == "weekdays"
        shift = shift_of(page.range.start, page.range.end, with_weekdays=with_weekdays)
        earlier = shifted(found, _course(page, asked, start - shift, end - shift), shift)
        document["before"] = {name: _plain(values) for name, values in earlier.items()}
    return _json(document)


@router.get("/bands")
def bands(request: Request, call: ViewerCall, asked: AskedChart) -> Response:
    """What was expected of each signal, at the same points."""
    page = Page.of(request, call)
    return _json(_document(page, _known_bands(page, asked)))


@router.get("/series/table")
def series_table(request: Request, call: ViewerCall, site: str, asset: str, profile: str) -> Response:
    """The same as a table."""
    page = Page.of(request, call)
    found = _all(page, AssetKey(site, asset), profile)
    return _table(page, found, str(AssetKey(site, asset)))


@router.get("/series.{kind}")
def download_series(
    request: Request, call: ViewerCall, kind: str, site: str, asset: str, profile: str, signal: str = ""
) -> Response:
    """The same as a file: every step, not thinned; the picture of one signal as SVG."""
    page = Page.of(request, call)
    key = AssetKey(site, asset)
    if kind == "svg":
        found = courses_of(
            call.workspace, key, profile, start=page.range.start, end=page.range.end, points=MAX_POINTS
        )
        return _picture(page, found, signal)
    return table_answer(page, "series", Download.named(kind), _rows(_all(page, key, profile)))


@router.get("/incidents/{incident_id}/series")
def incident_series(request: Request, call: ViewerCall, incident_id: str) -> Response:
    """The leading signal of an incident with its band, and the same hours of earlier weeks."""
    page = Page.of(request, call)
    return _json(_document(page, _of_incident(call, incident_id)))


@router.get("/incidents/{incident_id}/table")
def incident_table(request: Request, call: ViewerCall, incident_id: str) -> Response:
    """The same as a table."""
    page = Page.of(request, call)
    found = _of_incident(call, incident_id)
    return _table(page, found, str(found.asset.key))


@router.get("/incidents/{incident_id}/series.{kind}")
def download_incident(request: Request, call: ViewerCall, incident_id: str, kind: str) -> Response:
    """The same as a file, or as a picture."""
    page = Page.of(request, call)
    found = _of_incident(call, incident_id)
    if kind == "svg":
        return _picture(page, found, found.lanes[0].signal)
    return table_answer(page, f"incident-{incident_id[:8]}", Download.named(kind), _rows(found))


def _of_incident(call: Call, incident_id: str) -> Courses:
    found = incident_course(call.workspace, call.workspace.incident(incident_id))
    if found is None:
        raise NotFound(what="series", id=incident_id, hint="")
    return found


def _all(page: Page, key: AssetKey, profile: str) -> Courses:
    """Every step."""
    start, end = page.range.start, page.range.end
    points = int((end - start) / timedelta(seconds=1)) + 1
    return courses_of(page.workspace, key, profile, start=start, end=end, points=points)


def _course(page: Page, asked: Asked, start: datetime, end: datetime) -> Courses:
    return courses_of(page.workspace, asked.key, asked.profile, start=start, end=end, points=asked.n_points)


def _known_bands(page: Page, asked: Asked) -> Courses:
    """As worked out before, while neither the model nor the data are newer."""
    workspace, (start, end) = page.workspace, asked.part(page)
    model = workspace.usable_model(asked.profile)
    told = (asked.key, asked.profile, start, end, asked.n_points)
    about = (workspace.folder, model and model.card.id, page.facts.until, told)
    if about not in _bands:
        _bands[about] = bands_of(
            workspace, asked.key, asked.profile, start=start, end=end, points=asked.n_points
        )
        while len(_bands) > _KEPT_BANDS:
            _bands.popitem(last=False)
    return _bands[about]


def _document(page: Page, found: Courses) -> dict[str, object]:
    return {
        "zone": found.asset.zone,
        "thinned": found.is_thinned,
        "start": found.start.timestamp(),
        "end": found.end.timestamp(),
        "time": found.time.tolist(),
        "lanes": [_lane(page, one) for one in found.lanes],
        "marks": [
            {
                "from": mark.started_at.timestamp(),
                "to": None if mark.ended_at is None else mark.ended_at.timestamp(),
                "severity": mark.severity.name.lower(),
                "signals": list(mark.signals),
                "title": _mark_title(page, mark.severity, mark.started_at, mark.ended_at, found.asset.zone),
                "href": page.url(f"/console/incidents/{mark.incident}") if mark.incident else "",
            }
            for mark in found.marks
        ],
        "notes": [note[page.language] for note in found.notes],
    }


def _mark_title(page: Page, severity: Severity, begin: datetime, end: datetime | None, zone: str) -> str:
    words = page.words
    until = words.t("goes_on") if end is None else words.moment(end, zone)
    return f"{words.word(f'severity.{severity.name.lower()}')}: {words.moment(begin, zone)} – {until}"


def _lane(page: Page, lane: Lane) -> dict[str, object]:
    said: dict[str, object] = {
        "signal": lane.signal,
        "label": _label(page, lane),
        "unit": lane.unit,
        "values": _plain(lane.values),
        "doubtful": list(lane.doubtful),
    }
    if lane.band is not None:
        band = {"expected": lane.band.expected, "low": lane.band.low, "high": lane.band.high}
        said |= {name: _plain(values) for name, values in band.items()}
    return said


def _label(page: Page, lane: Lane) -> str:
    if not lane.label:
        return page.words.t("signal.gas_amount")
    return lane.label[page.language]


def _plain(values: FloatArray) -> list[float | None]:
    """Six significant digits; null where nothing was read."""
    known = np.isfinite(values)
    scale = np.power(
        10.0, _DIGITS - 1 - np.floor(np.log10(np.where(known & (values != 0), np.abs(values), 1.0)))
    )
    rounded = np.where(known, np.round(np.where(known, values, 0.0) * scale) / scale, 0.0)
    return [one if is_known else None for one, is_known in zip(rounded.tolist(), known.tolist(), strict=True)]


def _json(document: Mapping[str, object]) -> Response:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})


def _rows(found: Courses) -> list[dict[str, object]]:
    columns: dict[str, FloatArray] = {}
    for lane in found.lanes:
        columns[f"{lane.signal} [{lane.unit}]" if lane.unit else lane.signal] = lane.values
        if lane.band is not None:
            shown = {"expected": lane.band.expected, "low": lane.band.low, "high": lane.band.high}
            columns |= {f"{lane.signal} {name}": values for name, values in shown.items()}
    values = {name: _plain(one) for name, one in columns.items()}
    return [
        {
            "time": isoformat(EPOCH + timedelta(seconds=int(at))),
            **{name: one[row] for name, one in values.items()},
        }
        for row, at in enumerate(found.time.tolist())
    ]


def _table(page: Page, found: Courses, title: str) -> Response:
    columns = [(_label(page, one), one.unit) for one in found.lanes]
    instants = [EPOCH + timedelta(seconds=int(at)) for at in found.time[:TABLE_ROWS].tolist()]
    cells = zip(*(one.values[:TABLE_ROWS].tolist() for one in found.lanes), strict=True)
    return page.answer(
        "series_table.html",
        title=title,
        columns=columns,
        rows=list(zip(instants, cells, strict=False)),
        zone=found.asset.zone,
        cut=len(found.time) - len(instants),
    )


def _picture(page: Page, found: Courses, signal: str) -> Response:
    lane = next((one for one in found.lanes if one.signal == signal), None)
    if lane is None:
        raise NotFound(what="signal", id=signal, hint="")
    return file_answer(
        draw_lane(found, lane, page.language).encode(), "image/svg+xml", f"sereno-{signal}.svg"
    )
