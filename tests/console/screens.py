"""Every screen that tests and pictures look at, and every way in which they do."""

from urllib.parse import quote

from sereno.flows.workspace import Workspace
from tests.console.browsing import Look
from tests.console.world import FAILED, LEAKING, LONG

__all__ = ["LOOKS", "QUICK_LOOKS", "SCREENS", "address_of"]

SCREENS = {
    "fleet": "/console/",
    "tiles": "/console/?view=tiles",
    "incidents": "/console/incidents?range=90d",
    "incident": "/console/incidents/{failed}",
    "incident-gas": "/console/incidents/{leaking}",
    "assets": "/console/assets",
    "site": f"/console/sites/{quote(FAILED.site)}?range=30d",
    "site-gas": f"/console/sites/{quote(LEAKING.site)}",
    "site-long": f"/console/sites/{quote(LONG.site)}",
    "patterns": f"/console/patterns?site={quote(LEAKING.site)}&range=30d",
    "models": "/console/models",
    "model": "/console/models/version/{model}",
    "jobs": "/console/jobs",
    "timeline": "/console/timeline?range=30d",
    "quality": "/console/quality?range=30d",
    "health": "/console/health?range=30d",
    "cost": "/console/cost?range=30d",
    "reports": f"/console/reports?range=30d&about=site&subject={quote(LEAKING.site)}",
    "wizard": "/console/wizard",
    "settings": "/console/settings",
    "nothing": "/console/?text=nowhere",
    "error": "/console/incidents/unknown",
}
"""Address by name."""
LOOKS = (
    Look(1440, "es", "light"),
    Look(390, "en", "dark"),
    Look(390, "es", "light"),
    Look(1440, "en", "dark"),
)
QUICK_LOOKS = LOOKS[:2]
"""Each width, language and theme once."""


def address_of(name: str, workspace: Workspace) -> str:
    """Where a screen is in a workspace."""
    ids = {view.incident.asset: view.incident.id for view in reversed(workspace.incidents())}
    model = workspace.models()[0].id
    return SCREENS[name].format(failed=ids[FAILED], leaking=ids[LEAKING], model=model)
