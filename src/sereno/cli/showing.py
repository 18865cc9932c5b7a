"""`sereno demo` and `sereno doctor`."""

import os
import socket
import sys
import tempfile
import time
import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from sereno.cli.output import Request, say, show_json, show_table, tell_progress
from sereno.domain.errors import SettingsError
from sereno.domain.time import system_clock
from sereno.flows.build import open_setup
from sereno.flows.demo import DemoResult
from sereno.flows.demo import run_demo as demonstrate
from sereno.flows.doctor import diagnose, diagnose_installation
from sereno.flows.installation import Finding
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import has, machine_language, sentence
from sereno.i18n.numbers import percent

__all__ = ["run_demo", "run_doctor"]

_SHOWN = 5
_NO_LOGIN = "SERENO__SERVICE__AUTH"
"""Said to this process alone: the workspace keeps its login."""


def run_demo(request: Request, *, seed: int, serve: bool | None = None, port: int = 8420) -> None:
    """Show the product on bundled data, in a folder of its own.

    Args:
        serve: Whether the console is opened on the worst incident afterwards; when not said, on a terminal.
    """
    started = time.monotonic()
    folder = request.workspace
    if folder == Path():
        folder = Path(tempfile.mkdtemp(prefix="sereno-demo-"))
    with Workspace.open(folder, language=request.language) as workspace:
        language = workspace.language

        def tell(key: str, facts: dict[str, object]) -> None:
            tell_progress(request, sentence(key, language, **facts))

        result = demonstrate(workspace, seed=seed, now=system_clock(), tell=tell)
    seconds = time.monotonic() - started
    if request.as_json:
        show_json(
            {
                "assets": result.n_assets,
                "readings": result.n_readings,
                "incidents": len(result.views),
                "first_incident": result.recent[0].to_json(system_clock()) if result.recent else None,
                "seconds": round(seconds, 1),
                "workspace": str(folder),
            }
        )
        return
    _say_demo(result, folder, seconds, language)
    if sys.stdout.isatty() if serve is None else serve:
        incident = result.recent[0].incident.id
        _serve_demo(replace(request, workspace=folder, root=folder), port, incident, language)


def run_doctor(request: Request, *, port: int) -> None:
    """Print what was looked at; exit 5 when something is not well, 4 when it is the settings.

    The document is in English in every language, so that reports can be compared.
    """
    try:
        setup = open_setup(request.workspace, language=request.language)
    except SettingsError as error:
        language = request.language or machine_language()
        _say_findings(request, diagnose_installation(error, "en" if request.as_json else language), language)
        raise typer.Exit(error.exit_code) from error
    found = diagnose(setup, port=port, language="en" if request.as_json else None)
    _say_findings(request, found, setup.language)
    if not all(one.is_well for one in found):
        raise typer.Exit(5)


def _say_findings(request: Request, found: Sequence[Finding], language: str) -> None:
    ill = [one for one in found if not one.is_well]
    if request.as_json:
        show_json({"ok": not ill, "findings": [one.to_json() for one in found]})
        return
    shown = [
        {"": "✓" if one.is_well else "✗", "name": _named(one.name, language), "value": one.value}
        for one in found
    ]
    show_table(shown, ["", "name", "value"], ["", "", ""])
    names = ", ".join(_named(one.name, language) for one in ill)
    say(sentence("doctor.ill", language, names=names) if ill else sentence("doctor.well", language))


def _named(name: str, language: str) -> str:
    """What was looked at, in words; packages have their own."""
    kind, _, of = name.partition(" ")
    return sentence(f"doctor.name.{kind}", language, of=of) if has(f"doctor.name.{kind}") else name


def _serve_demo(request: Request, port: int, incident: str, language: str) -> None:
    """The console of the demonstration, for this machine alone and without a login."""
    from sereno.cli.serving import run_service

    def show(address: str) -> None:
        url = f"{address}/console/incidents/{incident}"
        say(sentence("demo.open", language, url=url))
        if sys.stdout.isatty() and _has_screen():
            webbrowser.open(url)

    os.environ[_NO_LOGIN] = "false"
    try:
        run_service(request, host="127.0.0.1", port=_free(port), role="all", on_ready=show)
    finally:
        del os.environ[_NO_LOGIN]


def _free(port: int) -> int:
    """The port, or any where somebody has it already."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def _has_screen() -> bool:
    """Whether a browser would have a window, rather than take the terminal."""
    is_drawn = sys.platform in {"darwin", "win32"} or "DISPLAY" in os.environ
    return is_drawn or "WAYLAND_DISPLAY" in os.environ


def _say_demo(result: DemoResult, folder: Path, seconds: float, language: str) -> None:
    worst, *others = result.recent
    say("")
    say(sentence("demo.worst", language, count=len(result.recent)))
    severity = sentence(f"severity.{worst.incident.severity.name.lower()}", language)
    say(f"  [{severity}] {worst.sentence(language)}")
    shares = worst.incident.worst.contributions
    evidence = ", ".join(
        f"{worst.place.profile.signal(n).label(language)} {percent(s, language)}" for n, s in shares.items()
    )
    say("  " + sentence("demo.evidence", language, evidence=evidence))
    say("  " + sentence("demo.next", language, text=worst.recommendation(language)))
    say("")
    for view in others[:_SHOWN]:
        severity = sentence(f"severity.{view.incident.severity.name.lower()}", language)
        say(f"  [{severity}] {view.sentence(language)}")
    say("")
    say(sentence("demo.look", language, folder=folder, id=worst.incident.id[:8], seconds=f"{seconds:.0f}"))
    say(result.attribution)
