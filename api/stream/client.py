"""One client's event stream: a snapshot or the events that it missed, then each new event."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from starlette.responses import Response

from xdpwall.api.stream.ring import sse_frame
from xdpwall.views.stream import StreamEnd

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from xdpwall.api.stream.hub import EventHub

T = TypeVar("T")

ABORT = "xdpwall.abort"
"""The scope's key under which server.py puts the function that aborts the connection."""
EVENT_TIMEOUT = 20.0
"""Seconds within which a client must take one event."""
END_TIMEOUT = 2.0
"""Seconds within which a client may take the `end` event."""
HEARTBEAT = 10.0
"""Seconds without an event after which a comment is sent."""
RETRY_MS = 1000
"""Milliseconds that a browser's EventSource waits before it comes back."""
_DATA = re.compile(rb',"data":"[0-9a-f]*"')
"""PacketEvent.data as it is serialized; within a text its quotes would have a backslash in front."""
CHUNK_BYTES = 32 << 10
"""Bytes written at a time: no more than this, and the transport's own 64 KiB, wait for a client."""

END_SLOW = StreamEnd(
    reason="slow",
    detail="you read more slowly than things happen; come back for a fresh snapshot",
)
END_REFUSED = StreamEnd(reason="refused", detail="your token is not valid any more")
END_STOPPING = StreamEnd(reason="stopping", detail="the service stops; filtering goes on")


class _TooSlow(Exception):
    """The client does not keep up. `whole`: it has received whole events only."""

    def __init__(self, whole: bool) -> None:
        self.whole = whole


class EventStream(Response):
    """The answer to GET /events."""

    media_type = "text/event-stream"

    def __init__(
        self,
        hub: EventHub,
        last_id: str | None,
        *,
        packets_only: bool = False,
        kept: bool = False,
        with_bytes: bool = True,
        is_welcome: Callable[[], bool] = lambda: True,
        status_code: int = 200,
    ) -> None:
        """`with_bytes` False: packets without their bytes. `is_welcome`: whether the client may still
        listen; asked at each event."""
        super().__init__(None, status_code, {"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._hub = hub
        self._last_id = last_id
        self._packets_only = packets_only
        self._kept = kept
        self._with_bytes = with_bytes
        self._is_welcome = is_welcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client goes, is too slow, or the service stops."""
        with self._hub.listening():
            pump = asyncio.ensure_future(self._pump(send))
            gone = asyncio.ensure_future(_disconnected(receive))
            stopping = asyncio.ensure_future(self._hub.closed.wait())
            either = {pump, gone}
            try:
                await asyncio.wait({*either, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    # A client that does not read must not delay the end.
                    await asyncio.wait(
                        either, timeout=END_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
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
        """Send events until the end. False when the connection must be aborted."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            last = await self._follow(send)
        except _TooSlow as behind:
            if not behind.whole:
                return False
            last = END_SLOW
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await _send_bytes(send, sse_frame("end", last.model_dump_json().encode()))
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return False
        return True

    async def _follow(self, send: Send) -> StreamEnd:
        hub, ring, packets = self._hub, self._hub.ring, self._hub.packets
        await _send_event(send, f": events of xdpwall\nretry: {RETRY_MS}\n\n".encode())
        batch = packets.ring.newest
        if self._packets_only:
            number = ring.newest
            if self._kept:
                await _send_event(send, self._shown(packets.recent(always=True)))
        elif (known := ring.number_of(self._last_id)) is not None:
            number = known
            await _send_event(send, self._shown(packets.recent()))
        else:
            number, event = await _with_heartbeat(send, hub.snapshot())
            await _send_event(send, event)
            batch = packets.ring.newest
            await _send_event(send, self._shown(packets.recent()))
        while True:
            if not self._is_welcome():
                return END_REFUSED
            try:
                event = b"" if self._packets_only else ring.after(number)
                seen = packets.ring.after(batch)
            except KeyError:
                return END_SLOW
            number += bool(event)
            batch += bool(seen)
            if event or seen:
                await _send_event(send, event + self._shown(seen))
            elif hub.closed.is_set():
                return END_STOPPING
            else:
                await _with_heartbeat(send, hub.wait_for_news())

    def _shown(self, packets: bytes) -> bytes:
        """An event of packets as this client may see it."""
        return packets if self._with_bytes else _DATA.sub(b"", packets)


async def _with_heartbeat(send: Send, wait: Awaitable[T]) -> T:
    """Await `wait`, with a comment every HEARTBEAT seconds: proxies close silent connections."""
    task = asyncio.ensure_future(wait)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=HEARTBEAT)
            if done:
                return task.result()
            await _send_event(send, b": still here\n\n")
    finally:
        task.cancel()


async def _send_event(send: Send, event: bytes) -> None:
    """Send one whole event; _TooSlow when the client does not take it in time."""
    sent = 0
    try:
        async with asyncio.timeout(EVENT_TIMEOUT):
            while sent < len(event):
                await _send_bytes(send, event[sent : sent + CHUNK_BYTES])
                sent += CHUNK_BYTES
    except TimeoutError:
        raise _TooSlow(whole=sent == 0) from None


async def _send_bytes(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
