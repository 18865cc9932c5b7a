"""`sereno privacy`: what is stored of a site, taken along or erased; what is too old deleted."""

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sereno.cli.output import Request, say, show_json, show_table
from sereno.domain.errors import UsageError

if TYPE_CHECKING:
    from sereno.flows.privacy import Erasure

__all__ = ["privacy_app"]

privacy_app = typer.Typer(
    help="Personal data: export, erase, retain.", no_args_is_help=True, rich_markup_mode=None
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would go, counted.")]
Author = Annotated[str | None, typer.Option("--by", help="Who; otherwise the user of the machine.")]
SiteName = Annotated[str, typer.Argument(help="Name of the site, as `sereno privacy sites` shows it.")]


@privacy_app.command("sites")
def list_sites(context: typer.Context) -> None:
    """Names of all sites, and what stands for the personal ones outside."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        names = workspace.pseudonyms()
        rows = [{"site": site, "shown_as": names.name(site)} for site in workspace.sites()]
    if request.as_json:
        show_json(rows, tells_names=True)
    else:
        show_table(rows, ["shown_as", "site"])


@privacy_app.command("export")
def export(
    context: typer.Context,
    site: SiteName,
    file: Annotated[Path, typer.Argument(help="Archive to write (tar.gz).", readable=False)],
) -> None:
    """Write everything that is stored of a site into one archive."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        report = workspace.export_site(site, file)
        language = workspace.language
    if request.as_json:
        show_json(report.to_json())
        return
    rows = sum(report.counts.values())
    say(sentence("cli.site_exported", language, site=report.site, rows=rows, file=report.file))


@privacy_app.command("erase")
def erase(
    context: typer.Context,
    site: SiteName,
    reason: Annotated[str, typer.Option(help="Why; it stays in the record.")],
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before erasing.")] = False,
    author: Author = None,
) -> None:
    """Erase everything that is stored of a site; a record without its name stays."""
    from sereno.flows.workspace import Workspace
    from sereno.i18n.catalogue import sentence

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        language = workspace.language
        if not (dry_run or yes):
            if not sys.stdin.isatty():
                detail = "erasing cannot be undone: look with --dry-run and confirm with --yes"
                raise UsageError(detail=detail, command="privacy erase")
            if not typer.confirm(sentence("cli.confirm_erase", language, site=site)):
                raise typer.Exit(1)
        by = author or getpass.getuser()
        report = workspace.erase_site(site, actor=by, reason=reason, is_dry=dry_run)
    _show(request, report, language)


@privacy_app.command("retain")
def retain(context: typer.Context, dry_run: DryRun = False, author: Author = None) -> None:
    """Delete what is older than `retention:` in sereno.yaml allows."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        report = workspace.retain(actor=author or getpass.getuser(), is_dry=dry_run)
        language = workspace.language
    _show(request, report, language)


@privacy_app.command("scrub")
def scrub(context: typer.Context) -> None:
    """Write the database anew without the space of what was erased, where that could not be done before."""
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        workspace.scrub()
    if request.as_json:
        show_json({"scrubbed": True})


@privacy_app.command("records")
def list_records(context: typer.Context) -> None:
    """Show what was erased so far: who, when, why, how much."""
    from sereno.domain.time import isoformat
    from sereno.flows.workspace import Workspace

    request: Request = context.obj
    with Workspace.open(request.workspace, language=request.language) as workspace:
        found = workspace.erasures()
    rows = [
        {
            "id": one.id,
            "kind": one.kind,
            "subject": one.subject,
            "at": isoformat(one.at),
            "actor": one.actor,
            "reason": one.reason,
            "rows": dict(one.counts),
        }
        for one in found
    ]
    if request.as_json:
        show_json(rows)
    else:
        shown = [{**row, "rows": sum(one.counts.values())} for row, one in zip(rows, found, strict=True)]
        show_table(shown, ["id", "kind", "subject", "at", "actor", "rows", "reason"])


def _show(request: Request, report: "Erasure", language: str) -> None:
    from sereno.i18n.catalogue import error_sentence, sentence

    if request.as_json:
        show_json(report.to_json())
        return
    rows = sum(count for name, count in report.counts.items() if "(" not in name)
    say(sentence("cli.would_erase" if report.is_dry else "cli.erased", language, rows=rows))
    for name, count in sorted(report.counts.items()):
        say(f"  {name}: {count}")
    if report.problem is not None:
        say(sentence("cli.not_scrubbed", language, problem=error_sentence(report.problem, language)))
    if report.left:
        say(sentence("cli.erase_left", language, files=", ".join(report.left)))
