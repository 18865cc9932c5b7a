"""`sereno report`."""

from pathlib import Path

from sereno.cli.given import instant
from sereno.cli.output import Request, say, show_json
from sereno.domain.errors import NotFound, UnknownAsset, UsageError
from sereno.flows.named import named_places
from sereno.flows.papers import PAPER_KINDS, Subject, paper_of, write_paper
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import sentence

__all__ = ["run_report"]

_ASSET = "asset"


def run_report(
    request: Request, name: str, about: str, output: Path, *, since: str | None, until: str | None
) -> None:
    """Write a report and say what is in it."""
    if about not in ("", Subject.FLEET) and not name:
        raise UsageError(detail="this report needs the name of what it is about", command="report")
    with Workspace.open(request.workspace, language=request.language) as workspace:
        subject = about or _kind_of(workspace, name)
        if subject == _ASSET:
            _report_asset(request, workspace, name, output, since, until)
        else:
            _report(request, workspace, Subject(subject), name, output, since, until)


def _kind_of(workspace: Workspace, name: str) -> str:
    """What a name stands for: an asset rather than an incident; nothing for the fleet.

    Raises:
        UnknownAsset: It stands for neither.
    """
    if not name:
        return Subject.FLEET.value
    try:
        named_places(workspace.asset_keys(), name)
    except UnknownAsset as unknown:
        try:
            workspace.incident(name)
        except NotFound:
            raise unknown from None
        return Subject.INCIDENT.value
    return _ASSET


def _report_asset(
    request: Request, workspace: Workspace, name: str, output: Path, since: str | None, until: str | None
) -> None:
    if until is not None or output.suffix.lower() not in (".html", ".htm"):
        detail = "the report of an asset is HTML up to the last reading: use --about site for anything else"
        raise UsageError(detail=detail, command="report")
    found = workspace.report(name, output, since=instant(workspace.settings.timezone, since, "--since"))
    n_abnormal, n_incidents = int(found.is_abnormal.sum()), len(found.incidents)
    if request.as_json:
        document = {"file": str(output), "asset": found.asset, "model": found.model}
        show_json({**document, "rows": len(found.time), "abnormal": n_abnormal, "incidents": n_incidents})
        return
    facts = {"asset": found.asset, "abnormal": n_abnormal, "incidents": n_incidents}
    say(sentence("cli.reported", workspace.language, file=output, **facts))


def _report(
    request: Request,
    workspace: Workspace,
    subject: Subject,
    name: str,
    output: Path,
    since: str | None,
    until: str | None,
) -> None:
    if output.suffix.lower() not in PAPER_KINDS:
        detail = f"'{output.suffix}' is none of {', '.join(PAPER_KINDS)}"
        raise UsageError(detail=detail, command="report")
    paper = paper_of(
        workspace,
        subject,
        name,
        start=instant(workspace.settings.timezone, since, "--since"),
        end=instant(workspace.settings.timezone, until, "--until"),
        language=workspace.language,
    )
    write_paper(paper, output)
    if request.as_json:
        show_json(
            {
                "file": str(output),
                "about": subject.value,
                "title": paper.title,
                "bytes": output.stat().st_size,
            }
        )
        return
    say(sentence("cli.report_written", workspace.language, title=paper.title, file=output))
