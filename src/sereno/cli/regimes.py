"""`sereno regimes`: when which line came to run otherwise."""

from sereno.cli.given import instant
from sereno.cli.output import Request, say, show_json
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence

__all__ = ["run_regimes"]


def run_regimes(request: Request, *, asset: str | None, since: str | None) -> None:
    """Show the changes, newest first."""
    with Workspace.open(request.workspace, language=request.language) as workspace:
        views = workspace.regimes(asset=asset, since=instant(workspace.settings.timezone, since, "--since"))
        language = workspace.language
    if request.as_json:
        show_json([view.to_json() for view in views])
        return
    for view in views:
        say(view.sentence(language))
    if not views:
        say(sentence("cli.no_regimes", language))
