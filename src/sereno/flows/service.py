"""What one serving process holds: the workspace of every organization, and what goes on beside requests."""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.errors import NotFound, RoleNeedsServer, SerenoError
from sereno.domain.time import Clock, system_clock
from sereno.flows.asking import Asking
from sereno.flows.delivering import Notifier
from sereno.flows.engine_apart import AskedApart, EngineProcess, JudgedApart
from sereno.flows.group_commit import GroupCommit
from sereno.flows.mailing import keep_mailed
from sereno.flows.organizations import find_organizations, is_organization, organization_folder
from sereno.flows.room import RoomLook
from sereno.flows.sources import run_sources
from sereno.flows.supervision import Part, PartStatus
from sereno.flows.watching import keep_calibrated, keep_learning, keep_retained, keep_rolled_up
from sereno.flows.workspace import Workspace

__all__ = ["DEFAULT_ORGANIZATION", "Service", "ServiceRole"]

log = logging.getLogger(__name__)

_CALIBRATION_S = 60.0
_HOUSE_S = 300.0
_ANSWERS_KEPT = timedelta(hours=48)
"""How long the same request with the same key gets the same answer."""
_PATIENCE_S = 15.0
"""How long an ending service waits for each part [s]."""

_Lane = TypeVar("_Lane", GroupCommit, Asking)


class ServiceRole(StrEnum):
    """Which part of the work a process does."""

    ALL = "all"
    API = "api"
    ENGINE = "engine"
    NOTIFIER = "notifier"

    @property
    def answers(self) -> bool:
        """Whether it answers requests of others than those who look how it is doing."""
        return self in {ServiceRole.ALL, ServiceRole.API}

    @property
    def judges(self) -> bool:
        """Whether it is an engine: sources, timers, recalibration."""
        return self in {ServiceRole.ALL, ServiceRole.ENGINE}

    @property
    def tells(self) -> bool:
        """Whether it delivers notifications."""
        return self in {ServiceRole.ALL, ServiceRole.NOTIFIER}


class Service:
    """The organizations that a process serves; safe to share between threads.

    Nothing goes on before `start`: until then it only gives workspaces, and the lanes of each.

    Args:
        folder: The workspace; its own settings and store are those of the organization `default`.
        judges_apart: On an embedded store, what requests bring is stored and judged in a process of its own,
            and what is judged and not stored in another. On a server, others can serve beside this one.

    Raises:
        RoleNeedsServer: The store is embedded, and the role is a part of the work only.
    """

    def __init__(
        self,
        folder: Path,
        *,
        role: ServiceRole = ServiceRole.ALL,
        clock: Clock = system_clock,
        language: str | None = None,
        judges_apart: bool = False,
    ) -> None:
        self.role = role
        self.stop = threading.Event()
        self._folder, self._clock, self._language = folder, clock, language
        self._held = ExitStack()
        self._lock = threading.RLock()
        self._has_started = False
        self._intakes: dict[str, GroupCommit] = {}
        self._askings: dict[str, Asking] = {}
        self._parts: list[Part] = []
        self._workspaces: dict[str, Workspace] = {
            DEFAULT_ORGANIZATION: Workspace.open(folder, clock=clock, language=language)
        }
        if role is not ServiceRole.ALL and not self._root.store.is_shared:
            self._root.close()
            raise RoleNeedsServer(role=role.value, workspace=str(folder))
        is_apart = judges_apart and not self._root.store.is_shared
        self._engine = EngineProcess() if is_apart else None
        self._judge = EngineProcess("judging process") if is_apart else None
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def workspaces(self) -> Mapping[str, Workspace]:
        """By name of their organization."""
        return dict(self._workspaces)

    @property
    def intakes(self) -> Mapping[str, GroupCommit]:
        """Those that have been asked for, by name of their organization."""
        return dict(self._intakes)

    @property
    def askings(self) -> Mapping[str, Asking]:
        """Those in which something was asked, by name of their organization."""
        return dict(self._askings)

    @property
    def processes(self) -> list[int]:
        """Numbers of the processes that it consists of, this one first."""
        numbers = [one.number for one in self._apart]
        return [os.getpid(), *(number for number in numbers if number is not None)]

    @property
    def parts(self) -> list[PartStatus]:
        """How what goes on beside requests is doing."""
        return [*(part.status for part in self._parts), *(one.status for one in self._apart)]

    def workspace(self, organization: str) -> Workspace:
        """The workspace of an organization.

        Raises:
            NotFound: There is none of that name.
        """
        if organization not in self._workspaces and is_organization(self._folder, organization):
            with self._lock:
                if organization not in self._workspaces:
                    self._open(organization)
        try:
            return self._workspaces[organization]
        except KeyError:
            raise NotFound(what="organization", id=organization, hint="") from None

    def intake(self, organization: str) -> GroupCommit:
        """The lane by which what an organization sends reaches its store.

        Raises:
            NotFound: There is none of that name.
        """

        def begun(workspace: Workspace) -> GroupCommit:
            engine = workspace if self._engine is None else JudgedApart(workspace, self._engine)
            return GroupCommit(engine, is_asked=self._is_asked)

        return self._kept(self._intakes, organization, begun)

    def _is_asked(self) -> bool:
        return any(one.is_in_use for one in self.askings.values())

    def asking(self, organization: str) -> Asking:
        """The lane of those who ask what is thought of records, and store nothing.

        Raises:
            NotFound: There is none of that name.
        """

        def begun(workspace: Workspace) -> Asking:
            return Asking(workspace if self._judge is None else AskedApart(workspace, self._judge))

        return self._kept(self._askings, organization, begun)

    def start(self) -> None:
        """Be the engine and the notifier as the role says, beside the requests.

        Raises:
            EngineRunning: The store is embedded, and another process works on it.
        """
        if self.role.judges:
            self._held.enter_context(self._root.engine_lease(f"serve --role {self.role.value}"))
        with self._lock:
            self._has_started = True
            for name, workspace in self._workspaces.items():
                self._begin(name, workspace)

    def refresh(self) -> list[str]:
        """Open the organizations that were added since; returns their names."""
        with self._lock:
            new = [name for name in find_organizations(self._folder) if name not in self._workspaces]
            return [name for name in new if self._open(name)]

    def close(self) -> None:
        """End every part, finish what was taken, and give back the stores."""
        self.stop.set()
        for part in self._parts:
            if not part.join(_PATIENCE_S):
                log.warning("part does not end, and is left", extra={"part": part.name})
        for intake in self.intakes.values():
            intake.close()
        for asking in self.askings.values():
            asking.close()
        for process in self._apart:
            process.close()
        self._held.close()
        for workspace in self.workspaces.values():
            workspace.close()

    def _kept(self, lanes: dict[str, _Lane], organization: str, begun: Callable[[Workspace], _Lane]) -> _Lane:
        """The lane of an organization, begun by the first who asks for it."""
        known = lanes.get(organization)
        if known is not None:
            return known
        workspace = self.workspace(organization)
        with self._lock:
            if organization not in lanes:
                lanes[organization] = begun(workspace)
            return lanes[organization]

    def _open(self, name: str) -> bool:
        """Open an organization; one that cannot be opened does not keep the others from being served."""
        try:
            folder = organization_folder(self._folder, name)
            workspace = Workspace.open(folder, clock=self._clock, language=self._language)
        except SerenoError as error:
            log.error("organization not opened", extra={"organization": name, "error": str(error)})
            return False
        self._workspaces[name] = workspace
        if self._has_started:
            self._begin(name, workspace)
        return True

    def _begin(self, organization: str, workspace: Workspace) -> None:
        prefix = "" if organization == DEFAULT_ORGANIZATION else f"{organization}/"
        for title, work in self._work_of(organization, workspace).items():
            part = Part(f"{prefix}{title}", work, self.stop)
            self._parts.append(part)
            part.start()

    @property
    def _apart(self) -> list[EngineProcess]:
        """Other processes that work for this one."""
        return [one for one in (self._engine, self._judge) if one is not None]

    @property
    def _root(self) -> Workspace:
        return self._workspaces[DEFAULT_ORGANIZATION]

    def _work_of(
        self, organization: str, workspace: Workspace
    ) -> dict[str, Callable[[threading.Event], None]]:
        work: dict[str, Callable[[threading.Event], None]] = {}
        notifier = workspace.notifier() if self.role.tells else None
        if self.role.judges:
            self.intake(organization)  # judges again what peers told late, whoever stored it
            work["timers"] = partial(_tend, workspace)
            work["calibration"] = partial(_calibrate, workspace)
            work["housekeeping"] = partial(_keep_house, workspace)
            if workspace.settings.sources:
                work["sources"] = partial(_run_sources, workspace, notifier)
        if notifier is not None:
            work["notifier"] = notifier.run
            if workspace.settings.reports:
                work["reports"] = partial(keep_mailed, workspace)
        return work


def _tend(workspace: Workspace, stop: threading.Event) -> None:
    with workspace.tending():
        stop.wait()


def _run_sources(workspace: Workspace, notifier: Notifier | None, stop: threading.Event) -> None:
    run_sources(workspace, stop, notifier=notifier)


def _calibrate(workspace: Workspace, stop: threading.Event) -> None:
    while not stop.is_set():
        keep_calibrated(workspace)
        keep_learning(workspace)
        stop.wait(_CALIBRATION_S)


def _keep_house(workspace: Workspace, stop: threading.Event) -> None:
    room = RoomLook(workspace.folder)
    while not stop.is_set():
        room.look()
        keep_rolled_up(workspace, stop)
        keep_retained(workspace, stop)
        workspace.drop_answers(older_than=_ANSWERS_KEPT)
        stop.wait(_HOUSE_S)
