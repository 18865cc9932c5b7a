"""One picture with its words and figures: the same on a screen, on paper and in a file."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from sereno.report.charts import STYLE
from sereno.report.exports import Cell
from sereno.report.heat import HEAT_STYLE
from sereno.report.lanes import LANES_STYLE
from sereno.report.scatter import SCATTER_STYLE

__all__ = ["PLOT_STYLE", "Plot", "stand_alone_plot"]

_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_SCALE = 2.0
"""Pixels for a unit of a picture: sharp on paper and on dense screens."""
PLOT_STYLE = STYLE + HEAT_STYLE + LANES_STYLE + SCATTER_STYLE


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

    def _repr_html_(self) -> str:
        """The picture with its words, for notebooks: an image, so that its styles are not the page's."""
        content = b64encode(stand_alone_plot(self).encode()).decode() if self.svg else ""
        source = f"data:image/svg+xml;base64,{content}"
        image = f'<img alt="" src="{source}" style="display:block;width:100%">' if content else ""
        return (
            f'<figure style="margin:0 0 1em;max-width:720px"><strong>{escape(self.title)}</strong>{image}'
            f"<figcaption>{escape(self.missing or self.about)}</figcaption></figure>"
        )


def stand_alone_plot(plot: Plot) -> str:
    """The picture as an SVG file of its own, with a size, for programs that need one."""
    cut = plot.svg.index(">")
    box = _BOX.search(plot.svg[:cut])
    size = f' width="{_SCALE * float(box[1]):.0f}" height="{_SCALE * float(box[2]):.0f}"' if box else ""
    style = f"<style>svg{{background:#fff}}{PLOT_STYLE}</style>"
    return f"{plot.svg[:cut]}{size}>{style}{plot.svg[cut + 1 :]}\n"
