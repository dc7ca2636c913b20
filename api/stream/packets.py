"""Single packets for those who follow GET /events: read in one thread, sent in batches.

The service is the ring buffer's reader for as long as it runs. What comes faster than anybody
could look at is counted instead of sent.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing

from xdpwall.api.stream.ring import Ring, frame
from xdpwall.errors import XdpwallError
from xdpwall.firewall.facade import EventSource, ServiceFacade
from xdpwall.views.events import PacketEvent

BATCH = 0.1
"""Seconds between two batches at the least."""
MOST = 500
"""Events in a batch, and those kept for who comes later; of more, the latest."""
MOST_BYTES = 8 << 20
"""Of batches kept for clients that read slowly."""
PATIENCE = 0.25
"""Seconds that one wait for records lasts."""
AGAIN = 1.0
"""Seconds until the next try while somebody else reads, or something is wrong."""

log = logging.getLogger("xdpwall.api")


class PacketFeed:
    """Batches as events of the stream; `tell` is called, in the loop, after each."""

    def __init__(self, firewall: ServiceFacade, tell: Callable[[], None]) -> None:
        self._firewall = firewall
        self._tell = tell
        self.ring = Ring(most_bytes=MOST_BYTES, ids=False)
        self._recent: deque[bytes] = deque(maxlen=MOST)
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: str | None = None

    def start(self) -> None:
        """Begin to read; within a running event loop."""
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(
                target=self._run, args=(loop,), name="xdpwall-events", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Let go of the ring buffer within a moment."""
        self._ending.set()

    def recent(self) -> bytes:
        """The latest events, for a client that joins; b"" when there are none."""
        return frame("packets", _batch(list(self._recent), 0)) if self._recent else b""

    # -- the thread ------------------------------------------------------------------------------
    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ending.is_set():
            try:
                with closing(self._firewall.event_reader("the service")) as source:
                    self._told = None
                    self._pass_on(source, loop)
            except XdpwallError as error:
                self._complain(error.message)
            except RuntimeError:
                return  # the loop is closed
            except Exception as error:  # the thread must outlive a defect
                log.exception("events: unexpected error")
                self._complain(f"unexpected {type(error).__name__}")
            self._ending.wait(AGAIN)

    def _pass_on(self, source: EventSource, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ending.is_set():
            records = source.read(PATIENCE)
            if not records:
                continue
            latest, count = deque(records, maxlen=MOST), len(records)
            end = time.monotonic() + BATCH
            # The ring must not fill up meanwhile: a record that is left out is cheap.
            while (left := end - time.monotonic()) > 0 and not self._ending.is_set():
                more = source.read(left)
                latest.extend(more)
                count += len(more)
            events = [_json(event) for event in source.decode(list(latest))]
            loop.call_soon_threadsafe(self._publish, events, count - len(latest))

    def _publish(self, events: list[bytes], missed: int) -> None:
        self._recent.extend(events)
        self.ring.append("packets", _batch(events, missed))
        self._tell()

    def _complain(self, message: str) -> None:
        if message != self._told:
            log.warning("events of packets: %s", message)
            self._told = message


def _batch(events: list[bytes], missed: int) -> bytes:
    return b'{"events":[' + b",".join(events) + b'],"missed":%d}' % missed


def _json(event: PacketEvent) -> bytes:
    return event.model_dump_json(exclude_none=True).encode()
