"""One client's stream: a snapshot or what it missed, then each event as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from starlette.responses import Response

from xdpwall.api.stream.ring import frame
from xdpwall.views.stream import StreamEnd

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from xdpwall.api.stream.hub import Hub

T = TypeVar("T")

ABORT = "xdpwall.abort"
"""The scope's key under which server.py leaves the way to cut a connection."""
PATIENCE = 20.0
"""Seconds in which a client must have taken one event."""
LAST_WORD = 2.0
"""Seconds in which it may take the last one."""
HEARTBEAT = 10.0
"""Seconds without an event after which a comment is sent."""
RETRY = 1000
"""Milliseconds that a browser's EventSource waits before it comes back."""
CHUNK = 32 << 10
"""Bytes written at a time: no more than this, and the transport's own 64 KiB, wait for a client."""

SLOW = StreamEnd(
    reason="slow",
    detail="you read more slowly than things happen; come back for a fresh snapshot",
)
STOPPING = StreamEnd(reason="stopping", detail="the service stops; filtering goes on")


class _Behind(Exception):
    """The client does not keep up; `whole` when it has got nothing but whole events."""

    def __init__(self, whole: bool) -> None:
        self.whole = whole


class EventStream(Response):
    """The answer to GET /events."""

    media_type = "text/event-stream"

    def __init__(
        self, hub: Hub, last_id: str | None, *, packets_only: bool = False, status_code: int = 200
    ) -> None:
        super().__init__(None, status_code, {"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._last_id = last_id
        self._packets_only = packets_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Until the client goes, or is too slow, or the service stops."""
        with self._hub.listening():
            pump = asyncio.ensure_future(self._pump(send))
            gone = asyncio.ensure_future(_gone(receive))
            stopping = asyncio.ensure_future(self._hub.closed.wait())
            either = {pump, gone}
            try:
                await asyncio.wait({*either, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    # Who does not read holds nobody up.
                    await asyncio.wait(
                        either, timeout=LAST_WORD, return_when=asyncio.FIRST_COMPLETED
                    )
            finally:
                stopping.cancel()
                pump.cancel()
                (ended,) = await asyncio.gather(pump, return_exceptions=True)
                if ended is not True and ABORT in scope and not gone.done():
                    scope[ABORT]()
                    await gone
                gone.cancel()
                await asyncio.gather(gone, stopping, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended

    async def _pump(self, send: Send) -> bool:
        """False when the connection must be cut."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            last = await self._follow(send)
        except _Behind as behind:
            if not behind.whole:
                return False
            last = SLOW
        try:
            async with asyncio.timeout(LAST_WORD):
                await _write(send, frame("end", last.model_dump_json().encode()))
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return False
        return True

    async def _follow(self, send: Send) -> StreamEnd:
        hub, ring, packets = self._hub, self._hub.ring, self._hub.packets
        await _put(send, f": events of xdpwall\nretry: {RETRY}\n\n".encode())
        batch = packets.ring.newest
        if self._packets_only:
            number = ring.newest
        elif (known := ring.number_of(self._last_id)) is not None:
            number = known
            await _put(send, packets.recent())
        else:
            number, event = await _beating(send, hub.snapshot())
            await _put(send, event)
            batch = packets.ring.newest
            await _put(send, packets.recent())
        while True:
            try:
                event = b"" if self._packets_only else ring.after(number)
                seen = packets.ring.after(batch)
            except KeyError:
                return SLOW
            number += bool(event)
            batch += bool(seen)
            if event or seen:
                await _put(send, event + seen)
            elif hub.closed.is_set():
                return STOPPING
            else:
                await _beating(send, hub.news())


async def _beating(send: Send, wait: Awaitable[T]) -> T:
    """Wait, with a comment now and then, so that the client and what lies between see life."""
    task = asyncio.ensure_future(wait)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=HEARTBEAT)
            if done:
                return task.result()
            await _put(send, b": still here\n\n")
    finally:
        task.cancel()


async def _put(send: Send, event: bytes) -> None:
    """One event, whole; _Behind when the client does not take it in time."""
    sent = 0
    try:
        async with asyncio.timeout(PATIENCE):
            while sent < len(event):
                await _write(send, event[sent : sent + CHUNK])
                sent += CHUNK
    except TimeoutError:
        raise _Behind(whole=sent == 0) from None


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
