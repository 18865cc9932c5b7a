"""What a request has at hand: the service, who asks, and the workspace of their organization."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sereno.api.security import Requirement, require
from sereno.domain.access import Principal, Role
from sereno.domain.audit import Bringer, Door
from sereno.flows.service import Service
from sereno.flows.workspace import Workspace

__all__ = [
    "AdminCall",
    "Call",
    "EngineerCall",
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


def _call(requirement: Requirement) -> object:
    async def build(request: Request, principal: Annotated[Principal, Depends(requirement)]) -> Call:
        return Call(request.app.state.service, principal)

    return Depends(build)


WriterCall = Annotated[Call, _call(require(Role.SOURCE))]
ViewerCall = Annotated[Call, _call(require(Role.VIEWER))]
OperatorCall = Annotated[Call, _call(require(Role.OPERATOR))]
EngineerCall = Annotated[Call, _call(require(Role.ENGINEER))]
AdminCall = Annotated[Call, _call(require(Role.ADMIN))]
LoopbackCall = Annotated[Call, _call(Requirement(Role.SOURCE, is_open_locally=True))]
"""Who may write readings; from this machine also without a key."""

LocalViewerCall = Annotated[Call, _call(Requirement(Role.VIEWER, is_open_locally=True))]
"""Who may see; from this machine also without a key, as whoever watches the process."""
