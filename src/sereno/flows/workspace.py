"""A workspace: a folder with settings, a store and models, and the whole journey as methods."""

from sereno.flows.desks.exports import ExportDesk
from sereno.flows.desks.forecasts import ForecastDesk
from sereno.flows.desks.judging import JudgingDesk
from sereno.flows.desks.notifications import NotificationDesk
from sereno.flows.desks.readings import ReadingDesk
from sereno.flows.desks.upkeep import UpkeepDesk
from sereno.flows.desks.versions import VersionDesk

__all__ = ["Workspace"]


class Workspace(
    ReadingDesk, JudgingDesk, VersionDesk, ForecastDesk, ExportDesk, NotificationDesk, UpkeepDesk
):
    """An opened workspace; close it, or use it as a context.

    Example:
        >>> import tempfile
        >>> with Workspace.open(tempfile.mkdtemp()) as workspace:
        ...     workspace.summary(days=7)["total"]
        0
    """
