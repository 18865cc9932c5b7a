"""Pictures with their figures, for doors."""

from sereno.report.plots import PLOT_STYLE, Plot, stand_alone_plot

__all__ = ["PLOT_STYLE", "Plot", "stand_alone_plot"]
