"""One picture with its words and figures: the same on a screen, on paper and in a file."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sereno.report.charts import STYLE
from sereno.report.exports import Cell
from sereno.report.heat import HEAT_STYLE
from sereno.report.lanes import LANES_STYLE

__all__ = ["PLOT_STYLE", "Plot", "stand_alone_plot"]

PLOT_STYLE = STYLE + HEAT_STYLE + LANES_STYLE


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture.

    Attributes:
        name: Of the picture, for addresses and files.
        about: How it is read.
        svg: One SVG element whose styles are in `PLOT_STYLE`; empty where there is nothing to draw.
        columns, rows: The figures behind it.
        missing: Why there is nothing to draw.
        keys: Swatch and words of each kind of mark in it.
        is_wide: It takes the whole width of a page.
    """

    name: str
    title: str
    about: str
    svg: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    missing: str = ""
    keys: Sequence[tuple[str, str]] = field(default=())
    is_wide: bool = False


def stand_alone_plot(plot: Plot) -> str:
    """The picture as an SVG file of its own."""
    cut = plot.svg.index(">") + 1
    return f"{plot.svg[:cut]}<style>svg{{background:#fff}}{PLOT_STYLE}</style>{plot.svg[cut:]}\n"
