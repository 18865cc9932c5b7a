"""What one serving process holds: the workspace of every organization, opened once."""

import threading
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from sereno.domain.errors import NotFound
from sereno.domain.time import Clock, system_clock
from sereno.flows.workspace import Workspace

__all__ = ["DEFAULT_ORGANIZATION", "Service", "ServiceRole"]

DEFAULT_ORGANIZATION = "default"


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
        self._workspaces: dict[str, Workspace] = {
            DEFAULT_ORGANIZATION: Workspace.open(folder, clock=clock, language=language)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def workspaces(self) -> Mapping[str, Workspace]:
        """By name of their organization."""
        return self._workspaces

    def workspace(self, organization: str) -> Workspace:
        """The workspace of an organization.

        Raises:
            NotFound: There is none of that name.
        """
        try:
            return self._workspaces[organization]
        except KeyError:
            raise NotFound(what="organization", id=organization, hint="") from None

    def close(self) -> None:
        """Ask every part to end and give back the stores."""
        self.stop.set()
        for workspace in self._workspaces.values():
            workspace.close()
