"""Tells open pages that something changed: one look at the store serves all that listen."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from sereno.api.context import ViewerCall
from sereno.console.page import ConsoleRoute
from sereno.flows.pulse import pulse_of
from sereno.flows.workspace import Workspace

__all__ = ["router"]

router = APIRouter(route_class=ConsoleRoute)

LOOK_EVERY_S = 2.0
HEARTBEAT_S = 20.0
_LISTEN_S = 1.0


@dataclass(slots=True)
class _Heart:
    """The one look at a workspace that all its listeners share."""

    workspace: Workspace
    pulse: str = ""
    listeners: set[asyncio.Event] = field(default_factory=set)
    task: "asyncio.Task[None] | None" = None

    async def beat(self) -> None:
        while self.listeners:
            found = await asyncio.to_thread(pulse_of, self.workspace)
            if self.pulse not in ("", found):
                for listener in self.listeners:
                    listener.set()
            self.pulse = found
            await asyncio.sleep(LOOK_EVERY_S)
        self.task, self.pulse = None, ""


@router.get("/live")
async def live(request: Request, call: ViewerCall) -> StreamingResponse:
    """Server-sent events: `changed` whenever readings or incidents did."""
    hearts: dict[int, _Heart] = request.app.state.__dict__.setdefault("console_hearts", {})
    workspace = call.workspace
    heart = hearts.setdefault(id(workspace), _Heart(workspace))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _events(heart, call.service.stop), media_type="text/event-stream", headers=headers
    )


async def _events(heart: _Heart, stop: threading.Event) -> AsyncIterator[str]:
    """Until the browser goes, or the service ends."""
    listener = asyncio.Event()
    heart.listeners.add(listener)
    if heart.task is None:
        heart.task = asyncio.create_task(heart.beat())
    try:
        yield "retry: 3000\n\n"
        quiet_s = 0.0
        while not stop.is_set():
            try:
                await asyncio.wait_for(listener.wait(), _LISTEN_S)
            except TimeoutError:
                quiet_s += _LISTEN_S
                if quiet_s >= HEARTBEAT_S:
                    quiet_s = 0.0
                    yield ": still here\n\n"
                continue
            quiet_s = 0.0
            listener.clear()
            yield "event: changed\ndata: {}\n\n"
    finally:
        heart.listeners.discard(listener)
