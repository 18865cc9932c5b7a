"""What a request has at hand: the service, who asks, and the workspace of their organization."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sereno.api.security import require
from sereno.domain.access import Principal, Role
from sereno.flows.service import Service
from sereno.flows.workspace import Workspace

__all__ = [
    "AdminCall",
    "Call",
    "EngineerCall",
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


def _call(role: Role) -> object:
    def build(request: Request, principal: Annotated[Principal, Depends(require(role))]) -> Call:
        return Call(request.app.state.service, principal)

    return Depends(build)


WriterCall = Annotated[Call, _call(Role.SOURCE)]
ViewerCall = Annotated[Call, _call(Role.VIEWER)]
OperatorCall = Annotated[Call, _call(Role.OPERATOR)]
EngineerCall = Annotated[Call, _call(Role.ENGINEER)]
AdminCall = Annotated[Call, _call(Role.ADMIN)]
LoopbackCall = WriterCall
"""The doors of the first systems, which need no key from the machine itself."""
