"""Worker threads of the firewall: the event loop never waits for the kernel or the disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from xdpwall.api.serving.writer_thread import WriterThread
from xdpwall.firewall.facade import ServiceFacade
from xdpwall.views.status import Health

T = TypeVar("T")

MAX_READERS = 16
HEALTH_TIMEOUT = 1.0
"""Seconds that /healthz waits for the firewall before it answers without it."""


class Workers:
    """Thread pools of one firewall: one thread for changes, some for reading, one for its health.

    The firewall has one writer lock; changes queue here and not in threads, so that a slow one
    leaves every thread but its own to those who read.
    """

    def __init__(
        self, firewall: ServiceFacade, *, changed: Callable[[], None] = lambda: None
    ) -> None:
        """`changed` is called in the event loop after each change, also one that failed."""
        self.firewall = firewall
        self._changed = changed
        self._writer = WriterThread()
        self._readers = CapacityLimiter(MAX_READERS)
        self._health: asyncio.Future[Health] | None = None
        self._known = firewall.health()
        self._writing_since: float | None = None

    async def read(self, work: Callable[[ServiceFacade], T]) -> T:
        """Run `work` beside other readers."""
        return await to_thread.run_sync(work, self.firewall, limiter=self._readers)

    async def write(self, work: Callable[[ServiceFacade], T]) -> T:
        """Run `work` alone among the changes of this service.

        A client that goes away does not stop it: the change is done whole.
        """

        def timed() -> T:
            self._writing_since = time.monotonic()
            try:
                return work(self.firewall)
            finally:
                self._writing_since = None

        try:
            return await self._writer.run(timed)
        finally:
            self._changed()

    async def health(self) -> Health:
        """The firewall's health; while a change keeps it busy, the last known one, degraded."""
        if self._health is None or self._health.done():
            limiter = CapacityLimiter(1)
            task = to_thread.run_sync(self.firewall.health, limiter=limiter)
            self._health = asyncio.ensure_future(task)
        asked = self._health
        done, _ = await asyncio.wait({asked}, timeout=HEALTH_TIMEOUT)
        if done:
            self._known = asked.result()
            return self._known
        since = self._writing_since
        busy = f"for {time.monotonic() - since:.0f} s" if since else "in another process"
        return self._known.model_copy(
            update={"status": "degraded", "problems": [f"a change is being made {busy}"]}
        )
