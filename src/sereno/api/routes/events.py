"""What changes, as it changes (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse

from sereno.api.context import Call, ViewerCall
from sereno.api.problems import problems
from sereno.domain.changes import ChangeKind
from sereno.flows.changes import Listener

__all__ = ["router"]

router = APIRouter(tags=["events"])

HEARTBEAT_S = 15.0
LOOK_AROUND_S = 1.0
RETRY_MS = 2_000
EVENT_STREAM = "text/event-stream"
_EXAMPLE = 'id: 42\nevent: incident\ndata: {"id":42,"kind":"incident","event":"opened","severity":"high"}\n\n'


@router.get(
    "/events",
    responses={
        200: {"description": "Until one of both ends it.", "content": {EVENT_STREAM: {"example": _EXAMPLE}}},
        **problems(),
    },
    response_class=Response,
)
async def listen(
    call: ViewerCall,
    kind: Annotated[
        list[ChangeKind] | None, Query(max_length=20, description="Only these; may be repeated.")
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", max_length=40, description="The last one heard: goes on after it."),
    ] = None,
) -> StreamingResponse:
    """Incidents, readings, notifications, jobs, models as they change.

    The ids are those of the store: who was away goes on after `Last-Event-ID` without a loss, also on another
    process. An event `reset` says that too much has happened meanwhile: look at everything again.
    """
    after, is_reset = await anyio.to_thread.run_sync(_place, call, last_event_id)
    frames = _frames(call, frozenset(kind or ()), after, is_reset=is_reset)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(frames, media_type=EVENT_STREAM, headers=headers)


def _place(call: Call, last_event_id: str | None) -> tuple[int, bool]:
    """After which change to go on, and whether some are lost."""
    feed = call.workspace.changes
    if last_event_id is None:
        return feed.last(), False
    number = int(last_event_id) if last_event_id.isascii() and last_event_id.isdecimal() else -1
    if 0 <= number < 2**62 and feed.can_go_on_after(number):
        return number, False
    return feed.last(), True


async def _frames(
    call: Call, kinds: frozenset[ChangeKind], after: int, *, is_reset: bool
) -> AsyncIterator[bytes]:
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the server is gone
            loop.call_soon_threadsafe(woken.set)

    listening = call.workspace.changes.listening(wake, after=after, kinds=kinds)
    listener: Listener = await anyio.to_thread.run_sync(listening.__enter__)
    try:
        yield f"retry: {RETRY_MS}\n\n".encode()
        if is_reset:
            yield f"id: {after}\nevent: reset\ndata: {{}}\n\n".encode()
        quiet_s = 0.0
        while not (call.service.stop.is_set() or (listener.is_lost and not listener.batches)):
            told = b"".join(one.frame for one in listener.take())
            if told:
                quiet_s = 0.0
                yield told
            elif quiet_s >= HEARTBEAT_S:
                quiet_s = 0.0
                yield b": still here\n\n"
            woken.clear()
            if listener.batches:
                continue
            try:
                await asyncio.wait_for(woken.wait(), LOOK_AROUND_S)
            except TimeoutError:
                quiet_s += LOOK_AROUND_S
    finally:
        listening.__exit__(None, None, None)
