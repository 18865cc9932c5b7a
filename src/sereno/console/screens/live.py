"""Tells open pages that something changed: one look at the store serves all that listen."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from sereno.api.context import ViewerCall
from sereno.console.page import ConsoleRoute
from sereno.domain.errors import SerenoError
from sereno.flows.pulse import pulse_of
from sereno.flows.workspace import Workspace

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

LOOK_EVERY_S = 2.0
LISTEN_EVERY_S = 1.0
HEARTBEAT_S = 20.0


@dataclass(slots=True)
class _Heart:
    """The one look at a workspace that all its listeners share.

    Attributes:
        pulse: As it was last seen; empty before the first look.
    """

    workspace: Workspace
    pulse: str = ""
    n_listeners: int = 0
    task: "asyncio.Task[None] | None" = None

    def begin(self) -> None:
        self.n_listeners += 1
        if self.task is None or self.task.done():
            self.pulse = ""
            self.task = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while self.n_listeners:
            # A store that does not answer now may answer later; who listens goes on listening.
            with suppress(SerenoError):
                self.pulse = await asyncio.to_thread(pulse_of, self.workspace)
            await asyncio.sleep(LOOK_EVERY_S)


@router.get("/live")
async def live(request: Request, call: ViewerCall, since: str = "") -> StreamingResponse:
    """Server-sent events: `changed` whenever readings or incidents did.

    Args:
        since: The pulse when the page was made, so that nothing is missed between it and the stream.
    """
    hearts: dict[int, _Heart] = request.app.state.__dict__.setdefault("console_hearts", {})
    heart = hearts.setdefault(id(call.workspace), _Heart(call.workspace))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    events = _events(heart, call.service.stop, since)
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _events(heart: _Heart, stop: threading.Event, seen: str) -> AsyncIterator[str]:
    """Until the browser goes, or the service ends."""
    heart.begin()
    quiet_s = 0.0
    try:
        yield "retry: 3000\n\n"
        while not stop.is_set():
            if heart.pulse and heart.pulse != seen:
                seen, quiet_s = heart.pulse, 0.0
                yield "event: changed\ndata: {}\n\n"
            await asyncio.sleep(LISTEN_EVERY_S)
            quiet_s += LISTEN_EVERY_S
            if quiet_s >= HEARTBEAT_S:
                quiet_s = 0.0
                yield ": still here\n\n"
    finally:
        heart.n_listeners -= 1
