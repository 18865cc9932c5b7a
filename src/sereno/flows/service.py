"""What one serving process holds: the workspace of every organization, opened once."""

import logging
import threading
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.errors import NotFound, SerenoError
from sereno.domain.time import Clock, system_clock
from sereno.flows.organizations import find_organizations, is_organization, organization_folder
from sereno.flows.workspace import Workspace

__all__ = ["DEFAULT_ORGANIZATION", "Service", "ServiceRole"]


log = logging.getLogger(__name__)


class ServiceRole(StrEnum):
    """Which part of the work a process does."""

    ALL = "all"
    API = "api"
    ENGINE = "engine"
    NOTIFIER = "notifier"


class Service:
    """The organizations that a process serves; safe to share between threads.

    Args:
        folder: The workspace; its own settings and store are those of the organization `default`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        role: ServiceRole = ServiceRole.ALL,
        clock: Clock = system_clock,
        language: str | None = None,
    ) -> None:
        self.role = role
        self.stop = threading.Event()
        self._folder, self._clock, self._language = folder, clock, language
        self._opening = threading.Lock()
        self._workspaces: dict[str, Workspace] = {
            DEFAULT_ORGANIZATION: Workspace.open(folder, clock=clock, language=language)
        }
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

    def workspace(self, organization: str) -> Workspace:
        """The workspace of an organization.

        Raises:
            NotFound: There is none of that name.
        """
        if organization not in self._workspaces and is_organization(self._folder, organization):
            with self._opening:
                if organization not in self._workspaces:
                    self._open(organization)
        try:
            return self._workspaces[organization]
        except KeyError:
            raise NotFound(what="organization", id=organization, hint="") from None

    def refresh(self) -> list[str]:
        """Open the organizations that were added since; returns their names."""
        with self._opening:
            new = [name for name in find_organizations(self._folder) if name not in self._workspaces]
            return [name for name in new if self._open(name)]

    def _open(self, name: str) -> bool:
        """Open an organization; one that cannot be opened does not keep the others from being served."""
        try:
            folder = organization_folder(self._folder, name)
            self._workspaces[name] = Workspace.open(folder, clock=self._clock, language=self._language)
        except SerenoError as error:
            log.error("organization not opened", extra={"organization": name, "error": str(error)})
            return False
        return True

    def close(self) -> None:
        """Ask every part to end and give back the stores."""
        self.stop.set()
        for workspace in self.workspaces.values():
            workspace.close()
