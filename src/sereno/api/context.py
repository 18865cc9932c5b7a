"""What a request has at hand: the service, who asks, and the workspace of their organization."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security.base import SecurityBase

from sereno.api.security import WAYS_IN, Requirement
from sereno.domain.access import Principal, Role
from sereno.domain.audit import Bringer, Door
from sereno.flows.service import Service
from sereno.flows.workspace import Workspace

__all__ = [
    "AdminCall",
    "Call",
    "EngineerCall",
    "Entrance",
    "LocalViewerCall",
    "LoopbackCall",
    "OperatorCall",
    "ViewerCall",
    "WriterCall",
]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in."""

    service: Service
    principal: Principal

    @property
    def workspace(self) -> Workspace:
        """Of the organization of who asks: nothing of another one can be reached from here."""
        return self.service.workspace(self.principal.organization)

    def bringer(self, route: str) -> Bringer:
        """Who brings the readings of this request."""
        return Bringer(self.principal.name, Door.API, route, self.principal.address)


@dataclass(frozen=True)
class Entrance(SecurityBase):
    """The one dependency of a route that asks who calls it.

    FastAPI resolves each dependency anew for every request: one for each way to give a key, and those for
    what comes of them, would be five. It describes the first way; `sereno.api.description` adds the others.
    """

    requirement: Requirement

    model = WAYS_IN[0].model
    scheme_name = WAYS_IN[0].scheme_name

    async def __call__(self, request: Request) -> Call:
        """The request, let in; errors as `Requirement.principal_of`."""
        return Call(request.app.state.service, await self.requirement.principal_of(request))


def _call(requirement: Requirement) -> object:
    return Depends(Entrance(requirement))


WriterCall = Annotated[Call, _call(Requirement(Role.SOURCE))]
ViewerCall = Annotated[Call, _call(Requirement(Role.VIEWER))]
OperatorCall = Annotated[Call, _call(Requirement(Role.OPERATOR))]
EngineerCall = Annotated[Call, _call(Requirement(Role.ENGINEER))]
AdminCall = Annotated[Call, _call(Requirement(Role.ADMIN))]
LoopbackCall = Annotated[Call, _call(Requirement(Role.SOURCE, is_open_locally=True))]
"""Who may write readings; from this machine also without a key."""

LocalViewerCall = Annotated[Call, _call(Requirement(Role.VIEWER, is_open_locally=True))]
"""Who may see; from this machine also without a key, as whoever watches the process."""
