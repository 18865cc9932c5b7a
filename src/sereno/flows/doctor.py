"""The state of an installation and a workspace, for pasting into a report; never a secret."""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
from tzlocal import get_localzone_name

from sereno.domain.errors import ExtraMissing, SerenoError, SourceUnreachable
from sereno.domain.redaction import redacted
from sereno.domain.time import isoformat
from sereno.flows.build import Setup, has_store, open_workspace_store, store_url
from sereno.flows.engines import working_engines
from sereno.flows.forecasters import ForecasterShelf
from sereno.flows.installation import Finding, look_at_installation
from sereno.flows.known_secrets import known_secrets
from sereno.flows.learning import ModelShelf
from sereno.flows.receivers import ReceiverView, build_notifier, find_receivers
from sereno.flows.room import LOW_DISK_BYTES, free_bytes
from sereno.flows.source_views import SourceView, find_sources, reach_source
from sereno.i18n.catalogue import error_sentence, sentence
from sereno.store import Store
from sereno.store.migrate import SCHEMA
from sereno.store.outbox import DEAD
from sereno.store.soundness import damage_of

__all__ = ["PORT", "diagnose", "diagnose_installation"]

PORT = 8420
"""Where `sereno serve` listens unless it is told otherwise."""
_RELEASED = 2025
"""No clock that is right shows an earlier year."""
_WITHIN_S = 2.0
_HERE = "127.0.0.1"


def diagnose(setup: Setup, *, port: int = PORT, language: str | None = None) -> list[Finding]:
    """What was looked at, what was found, and whether it is well.

    Args:
        port: That the service is to listen on.
        language: Of what is told; that of the workspace without one.
    """
    look = _Look(setup, language or setup.language)
    found = [
        *look_at_installation(setup.settings, look.language),
        Finding("settings", look.t("settings.valid")),
        *look.surroundings(),
        look.port(port),
        *look.workspace(),
    ]
    secrets = known_secrets(setup.settings, setup.folder)
    return [replace(one, value=redacted(str(one.value), secrets)) for one in found]


def diagnose_installation(problem: SerenoError, language: str) -> list[Finding]:
    """The same where the settings cannot be read: what is installed, and what is wrong with them."""
    told = redacted(error_sentence(problem, language))
    return [*look_at_installation(None, language), Finding("settings", told, is_well=False)]


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks at one workspace and tells in one language."""

    setup: Setup
    language: str

    def t(self, key: str, **facts: object) -> str:
        return sentence(f"doctor.{key}", self.language, **facts)

    def problem(self, name: str, error: SerenoError) -> Finding:
        return Finding(name, error_sentence(error, self.language), is_well=False)

    def surroundings(self) -> Iterator[Finding]:
        folder = self.setup.folder
        free = free_bytes(folder)
        yield Finding("workspace", str(folder.resolve()), folder.is_dir() or not folder.exists())
        yield Finding("free disk", f"{free / 2**30:.1f} GiB", free >= LOW_DISK_BYTES)
        yield self.zone(self.setup.settings.timezone)
        yield Finding("language", self.setup.language)

    def zone(self, said: str | None) -> Finding:
        name = said or get_localzone_name() or "UTC"
        told = name if said else self.t("timezone.machine", name=name)
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            return Finding("timezone", self.t("timezone.unknown", name=name), is_well=False)
        return Finding("timezone", told)

    def port(self, port: int) -> Finding:
        """Whether `serve` could listen there, or does already."""
        name = f"port {port}"
        with socket.socket() as trial:
            trial.settimeout(_WITHIN_S)
            if trial.connect_ex((_HERE, port)):
                return Finding(name, self.t("port.free"))
        try:
            answer = httpx.get(f"http://{_HERE}:{port}/healthz", timeout=_WITHIN_S)
            is_ours = "status" in answer.json()
        except (httpx.HTTPError, ValueError):
            is_ours = False
        return Finding(name, self.t("port.ours" if is_ours else "port.taken"), is_ours)

    def workspace(self) -> Iterator[Finding]:
        if not has_store(self.setup):
            yield self.clock(None)
            yield Finding("store", self.t("store.none"))
            return
        try:
            store = open_workspace_store(self.setup)
        except SerenoError as error:
            yield self.problem("store", error)
            return
        try:
            yield from self.store(store)
        finally:
            store.close()

    def store(self, store: Store) -> Iterator[Finding]:
        yield Finding("store", store.url)
        yield Finding("schema", SCHEMA)
        integrity = self.integrity()
        yield integrity
        if not integrity.is_well:
            return
        with store.read() as tx:
            newest = [one.at for one in tx.registry()[-1:]] + [one.created_at for one in tx.jobs()[:1]]
            counts = {"assets": len(tx.assets()), "readings": tx.n_values(), "incidents": len(tx.incidents())}
            foreign = tx.foreign_views()
        yield self.clock(max(newest, default=None))
        yield from (Finding(name, count) for name, count in counts.items())
        yield from map(self.yielded, foreign)
        holders = working_engines(store, store_url(self.setup), self.setup.folder)
        yield Finding("engine", "; ".join(holders) or self.t("engine.none"))
        yield from self.models(store)
        yield from self.receivers(store)
        yield from self.sources(store)

    def integrity(self) -> Finding:
        try:
            damage = damage_of(store_url(self.setup))
        except SerenoError as error:
            return self.problem("integrity", error)
        if damage is None:
            return Finding("integrity", self.t("integrity.unread"))
        return Finding("integrity", damage or self.t("integrity.whole"), not damage)

    def clock(self, newest: datetime | None) -> Finding:
        now = self.setup.clock()
        told = isoformat(now) or ""
        if now.year < _RELEASED:
            return Finding("clock", self.t("clock.wrong", now=told), is_well=False)
        if newest is not None and now < newest:
            return Finding("clock", self.t("clock.back", now=told, newest=isoformat(newest)), is_well=False)
        return Finding("clock", told)

    def models(self, store: Store) -> Iterator[Finding]:
        detectors, forecasters = ModelShelf(self.setup, store), ForecasterShelf(self.setup, store)
        with store.read() as tx:
            champions = [one for one in tx.forecasters() if one.is_active]
        for profile in self.setup.profiles:
            try:
                model = detectors.get(profile)
            except SerenoError as error:
                yield self.problem(f"model {profile}", error)
                continue
            if model is not None:
                yield Finding(f"model {profile}", model.card.id)
        for one in champions:
            name = f"forecaster {one.card.profile}"
            try:
                forecasters.as_learnt(one)
            except SerenoError as error:
                yield self.problem(name, error)
            else:
                yield Finding(name, one.card.id)

    def yielded(self, name: str) -> Finding:
        ours = name if name.startswith("v_") else f"v_{name}"
        return Finding(f"view {name}", self.t("view.foreign" if ours == name else "view.renamed", ours=ours))

    def receivers(self, store: Store) -> Iterator[Finding]:
        try:
            build_notifier(self.setup, store)
        except SerenoError as error:
            yield self.problem("receivers", error)
        yield from map(self.receiver, find_receivers(self.setup, store))

    def receiver(self, view: ReceiverView) -> Finding:
        dead = view.counts.get(DEAD, 0)
        reason = view.state.broken_reason if view.state is not None else ""
        told = [
            self.t(f"receiver.{view.condition}"),
            *([self.t("receiver.dead", count=dead)] if dead else []),
        ]
        is_well = view.condition not in ("broken", "disabled") and not dead
        return Finding(
            f"receiver {view.lane.name}", "; ".join(told) + (f" ({reason})" if reason else ""), is_well
        )

    def sources(self, store: Store) -> Sequence[Finding]:
        """How each source is doing, and whether it answers now; nothing of how it is entered."""
        try:
            views = find_sources(self.setup, store)
        except SerenoError as error:
            return [self.problem("sources", error)]
        return [self.source(view) for view in views]

    def source(self, view: SourceView) -> Finding:
        said = [f"{view.feed.kind}, {view.condition}"]
        is_reached = True
        try:
            reach_source(view.feed)
        except (SourceUnreachable, ExtraMissing) as error:
            is_reached = False
            # What drivers say may hold addresses and more.
            said.append(self.t("source.extra" if isinstance(error, ExtraMissing) else "source.silent"))
        said.append(self.t("source.heard", at=isoformat(view.heard_at) or "–"))
        counts = {name: view.counts.get(name, 0) for name in ("new", "quarantined")}
        said.append(self.t("source.inbox", **counts))
        if view.n_failing:
            said.append(self.t("source.failing", count=view.n_failing, tries=view.n_tries))
        is_well = is_reached and not view.is_silent and not view.n_failing
        return Finding(f"source {view.feed.name}", "; ".join(said), is_well)
