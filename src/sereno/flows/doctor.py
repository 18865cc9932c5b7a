"""The state of an installation and a workspace, for pasting into a report; never a secret."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from sereno.domain.errors import ExtraMissing, SerenoError, SourceUnreachable
from sereno.domain.redaction import redacted
from sereno.domain.time import isoformat
from sereno.domain.version import VERSION
from sereno.flows.build import Setup, has_store, open_workspace_store
from sereno.flows.learning import ModelShelf
from sereno.flows.receivers import ReceiverView, find_receivers
from sereno.flows.room import LOW_DISK_BYTES, free_bytes
from sereno.flows.source_views import SourceView, find_sources, reach_source
from sereno.store import Store
from sereno.store.outbox import DEAD

__all__ = ["Finding", "diagnose"]

_PARTS = ("numpy", "polars", "scikit-learn", "sqlalchemy", "alembic", "pydantic", "typer", "watchfiles")
_EXTRAS = {"postgres": "psycopg", "solar": "pvlib"}

Finding = dict[str, object]


def diagnose(setup: Setup) -> list[Finding]:
    """What was looked at, what was found, and whether it is well."""
    return [*_installation(), *_workspace(setup)]


def _installation() -> list[Finding]:
    findings = [
        _finding("sereno", VERSION),
        _finding("python", sys.version.split()[0], is_well=(3, 11) <= sys.version_info[:2] < (3, 14)),
        _finding("platform", platform.platform()),
    ]
    findings += [_finding(name, _version(name)) for name in _PARTS]
    findings += [_finding(f"extra {extra}", _version(name)) for extra, name in _EXTRAS.items()]
    return findings


def _workspace(setup: Setup) -> list[Finding]:
    free = free_bytes(setup.folder)
    findings = [
        _finding(
            "workspace",
            str(setup.folder.resolve()),
            is_well=setup.folder.is_dir() or not setup.folder.exists(),
        ),
        _finding("free disk", f"{free / 2**30:.1f} GiB", is_well=free >= LOW_DISK_BYTES),
        _finding("timezone", setup.settings.timezone or "not declared: the machine's"),
        _finding("language", setup.language),
    ]
    if not has_store(setup):
        return [*findings, _finding("store", "none yet: it is created by the first `sereno ingest`")]
    try:
        store = open_workspace_store(setup)
    except SerenoError as error:
        return [*findings, _finding("store", str(error), is_well=False)]
    try:
        with store.read() as tx:
            findings.append(_finding("store", store.url))
            findings.append(_finding("assets", len(tx.assets())))
            findings.append(_finding("readings", tx.n_values()))
            findings.append(_finding("incidents", len(tx.incidents())))
            findings += [_yielded(name) for name in tx.foreign_views()]
        findings += _models(setup, ModelShelf(setup, store))
        findings += [_receiver(view) for view in find_receivers(setup, store)]
        findings += _sources(setup, store)
    finally:
        store.close()
    return findings


def _models(setup: Setup, shelf: ModelShelf) -> list[Finding]:
    findings = []
    for profile in setup.profiles:
        try:
            model = shelf.get(profile)
        except SerenoError as error:
            findings.append(_finding(f"model {profile}", str(error), is_well=False))
            continue
        if model is not None:
            findings.append(_finding(f"model {profile}", model.card.id))
    return findings


def _yielded(name: str) -> Finding:
    ours = name if name.startswith("v_") else f"v_{name}"
    text = "the database has a table of that name, which was left alone"
    return _finding(f"view {name}", text if ours == name else f"{text}; ours is {ours}")


def _receiver(view: ReceiverView) -> Finding:
    dead = view.counts.get(DEAD, 0)
    reason = view.state.broken_reason if view.state is not None else ""
    told = f"{view.condition}; {dead} given up" if dead else view.condition
    is_well = view.condition not in ("broken", "disabled") and not dead
    return _finding(f"receiver {view.lane.name}", f"{told} ({reason})" if reason else told, is_well=is_well)


def _sources(setup: Setup, store: Store) -> list[Finding]:
    """How each source is doing, and whether it answers now; nothing of where it is or how it is entered."""
    try:
        views = find_sources(setup, store)
    except SerenoError as error:
        return [_finding("sources", redacted(str(error)), is_well=False)]
    return [_source(view) for view in views]


def _source(view: SourceView) -> Finding:
    said = [f"{view.feed.kind}, {view.condition}"]
    is_reached = True
    try:
        reach_source(view.feed)
    except (SourceUnreachable, ExtraMissing) as error:
        is_reached = False
        # What drivers say may hold addresses and more.
        said.append("not installed" if isinstance(error, ExtraMissing) else "does not answer now")
    said.append(f"last heard of {isoformat(view.heard_at) or 'never'}")
    said.append(f"inbox: {view.counts.get('new', 0)} waiting, {view.counts.get('quarantined', 0)} set aside")
    if view.n_failing:
        said.append(f"{view.n_failing} failing, up to {view.n_tries} times")
    is_well = is_reached and not view.is_silent and not view.n_failing
    return _finding(f"source {view.feed.name}", "; ".join(said), is_well=is_well)


def _finding(name: str, value: object, *, is_well: bool = True) -> Finding:
    return {"name": name, "value": value, "ok": is_well}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
