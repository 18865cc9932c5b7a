"""What a signal of an asset usually does: pictures drawn on the server, each with its figures."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from sereno.api.context import ViewerCall
from sereno.console.page import ConsoleRoute, Page
from sereno.console.plots import plot_file, plot_table
from sereno.domain.errors import NotFound
from sereno.flows.patterns import Patterns, patterns_of
from sereno.flows.plots import Plot

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """Of what somebody wants the patterns; the first asset of a site where none is named."""

    site: str
    asset: str = ""
    profile: str = ""
    signal: str = ""

    def found(self, page: Page) -> Patterns:
        """The patterns in the stretch of time of the page."""
        return patterns_of(
            page.workspace,
            self.site,
            asset=self.asset,
            profile=self.profile,
            start=page.range.start,
            end=page.range.end,
            language=page.language,
            signal=self.signal,
        )


AskedPatterns = Annotated[Asked, Depends()]


@router.get("/patterns")
def show_patterns(request: Request, call: ViewerCall, asked: AskedPatterns) -> Response:
    """All pictures of a signal."""
    page = Page.of(request, call)
    found = asked.found(page)
    return page.answer("patterns.html", chosen=found.asset, found=found, day=_DAY)


@router.get("/patterns/table")
def show_figures(request: Request, call: ViewerCall, asked: AskedPatterns, figure: str) -> Response:
    """The figures of one of them as a table."""
    page = Page.of(request, call)
    return plot_table(page, _plot(asked.found(page), figure))


@router.get("/patterns.{kind}")
def download(request: Request, call: ViewerCall, asked: AskedPatterns, kind: str, figure: str) -> Response:
    """One of them as a picture, or its figures as a file."""
    page = Page.of(request, call)
    return plot_file(page, _plot(asked.found(page), figure), kind)


def _plot(found: Patterns, name: str) -> Plot:
    plot = found.plot(name)
    if plot is None or plot.missing:
        raise NotFound(what="figure", id=name, hint="")
    return plot
