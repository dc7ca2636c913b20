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

from xdpwall.api.stream.ring import EventRing, sse_frame
from xdpwall.errors import XdpwallError
from xdpwall.firewall.facade import EventSource, ServiceFacade
from xdpwall.views.events import PacketEvent

BATCH_INTERVAL = 0.1
"""Least seconds between two batches."""
MAX_BATCH = 500
"""Events in a batch, and events kept for new clients: the latest ones."""
MAX_BYTES = 8 << 20
"""Bytes of batches kept for clients that read slowly."""
READ_TIMEOUT = 0.25
"""Seconds that one read waits for records."""
RETRY_DELAY = 1.0
"""Seconds until the next attempt while another process reads, or after an error."""

log = logging.getLogger("xdpwall.api")


class PacketFeed:
    """Publishes packets in batches; `notify` is called in the event loop after each."""

    def __init__(self, firewall: ServiceFacade, notify: Callable[[], None]) -> None:
        self._firewall = firewall
        self._notify = notify
        self.ring = EventRing(most_bytes=MAX_BYTES, ids=False)
        self._recent: deque[bytes] = deque(maxlen=MAX_BATCH)
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported: str | None = None

    def start(self) -> None:
        """Start the reader thread; call it within a running event loop."""
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(
                target=self._run, args=(loop,), name="xdpwall-events", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """End the reader thread, which then releases the ring buffer."""
        self._ending.set()

    def recent(self, *, always: bool = False) -> bytes:
        """The latest packets as one event, for a new client; b"" when there are none, unless the
        client waits for it: `always`."""
        if not self._recent and not always:
            return b""
        return sse_frame("packets", _batch(list(self._recent), 0))

    # -- the thread ------------------------------------------------------------------------------
    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ending.is_set():
            try:
                with closing(self._firewall.event_reader("the service")) as source:
                    self._reported = None
                    self._pass_on(source, loop)
            except XdpwallError as error:
                self._report(error.message)
            except RuntimeError:
                return  # the loop is closed
            except Exception as error:  # the thread must outlive a defect
                log.exception("events: unexpected error")
                self._report(f"unexpected {type(error).__name__}")
            self._ending.wait(RETRY_DELAY)

    def _pass_on(self, source: EventSource, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ending.is_set():
            records = source.read(READ_TIMEOUT)
            if not records:
                continue
            latest, count = deque(records, maxlen=MAX_BATCH), len(records)
            end = time.monotonic() + BATCH_INTERVAL
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
        self._notify()

    def _report(self, message: str) -> None:
        if message != self._reported:
            log.warning("events of packets: %s", message)
            self._reported = message


def _batch(events: list[bytes], missed: int) -> bytes:
    return b'{"events":[' + b",".join(events) + b'],"missed":%d}' % missed


def _json(event: PacketEvent) -> bytes:
    return event.model_dump_json(exclude_none=True).encode()
