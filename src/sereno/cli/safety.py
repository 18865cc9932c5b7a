"""`sereno backup`, `sereno restore` and `sereno upgrade`."""

from collections.abc import Mapping
from pathlib import Path

from sereno.cli.output import Request, say, show_json, tell_progress
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import machine_language, sentence
from sereno.i18n.numbers import number

__all__ = ["run_backup", "run_restore", "run_upgrade"]

_BYTES_PER_MB = 1_000_000


def run_backup(request: Request, file: Path) -> None:
    """Write an archive and say what is in it."""
    with Workspace.open(request.workspace, language=request.language) as workspace:
        report = workspace.backup(file)
        language = workspace.language
    if request.as_json:
        show_json(report.to_json())
        return
    models = sum(not name.startswith("store/") for name in report.manifest.files)
    size = number(report.size / _BYTES_PER_MB, language)
    facts = {**_sizes(report.snapshot.counts), "models": models, "size": size}
    say(sentence("cli.backed_up", language, file=report.file, **facts))


def run_restore(request: Request, file: Path, *, replace: bool, hold_notifications: bool) -> None:
    """Restore and say what is there now."""
    report = Workspace.restore(
        request.workspace, file, replace=replace, hold_notifications=hold_notifications
    )
    if request.as_json:
        show_json(report.to_json())
        return
    language = request.language or machine_language()
    at = f"{report.manifest.at:%Y-%m-%d %H:%M} UTC"
    sizes = _sizes(report.snapshot.counts)
    say(sentence("cli.restored", language, workspace=report.workspace.resolve(), at=at, **sizes))
    if report.kept is not None:
        say(sentence("cli.restored_kept", language, kept=report.kept))


def run_upgrade(request: Request, *, is_dry: bool) -> None:
    """Upgrade, or say what is due."""
    language = request.language or machine_language()

    def tell(revision: str) -> None:
        tell_progress(request, sentence("cli.upgrading", language, revision=revision))

    report = Workspace.upgrade(request.workspace, is_dry=is_dry, told=tell)
    document = report.to_json()
    if request.as_json:
        show_json(document)
        return
    if not report.due:
        say(sentence("cli.upgrade_none", language, known=document["known"]))
    for revision, about in report.due if is_dry else ():
        say(sentence("cli.upgrade_due", language, revision=revision, about=about))
    if report.backup is not None:
        facts = {name: document[name] for name in ("found", "known", "backup")}
        say(sentence("cli.upgraded", language, **facts))


def _sizes(counts: Mapping[str, int]) -> dict[str, object]:
    return {"rows": sum(counts.values()), "tables": len(counts)}
