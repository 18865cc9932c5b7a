"""Pictures of the server as pages, tables and files."""

from fastapi.responses import Response

from sereno.console.downloads import Download, file_answer, table_answer
from sereno.console.page import Page
from sereno.flows.plots import Plot, stand_alone_plot

__all__ = ["plot_file", "plot_table"]


def plot_table(page: Page, plot: Plot) -> Response:
    """The figures of a picture as a page with a table."""
    return page.answer("figures_table.html", title=plot.title, columns=plot.columns, rows=plot.rows)


def plot_file(page: Page, plot: Plot, kind: str) -> Response:
    """A picture as SVG, or its figures as any other file.

    Raises:
        UsageError: There is no such kind of file.
    """
    if kind == "svg":
        return file_answer(stand_alone_plot(plot).encode(), "image/svg+xml", f"sereno-{plot.name}.svg")
    rows = [dict(zip(plot.columns, row, strict=True)) for row in plot.rows]
    return table_answer(page, plot.name, Download.named(kind), rows)
