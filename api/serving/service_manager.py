"""What systemd is told of the service: that it is ready, alive, ending (sd_notify(3))."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, MutableMapping
from contextlib import suppress

_MICROSECONDS = 1_000_000


class ServiceManager:
    """The socket of NOTIFY_SOCKET. Without one, nothing is said and nothing fails."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Takes its variables out of the environment: children have nothing to tell systemd."""
        self._address = environ.pop("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        self.watchdog_seconds = _watchdog(environ)
        """Within which the service has to say that it is alive; None where nobody waits for it."""
        for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
            environ.pop(name, None)
        self._alive: asyncio.Task[None] | None = None

    def ready(self, status: str) -> None:
        """Both sockets answer. Call it in the event loop, which says from now on that it turns."""
        self._say(f"READY=1\nSTATUS={status}")
        if self.watchdog_seconds is not None:
            self._alive = asyncio.create_task(self._say_alive(self.watchdog_seconds / 3))

    def stopping(self) -> None:
        """The end has begun; running requests still have their time."""
        self._say("STOPPING=1\nSTATUS=stopping; what is attached judges on")

    def close(self) -> None:
        """Say no longer that it is alive."""
        if self._alive is not None:
            self._alive.cancel()

    async def _say_alive(self, every: float) -> None:
        while True:
            self._say("WATCHDOG=1")
            await asyncio.sleep(every)

    def _say(self, text: str) -> None:
        if not self._address:
            return
        # Who does not listen, or has gone, is not worth the service.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as teller:
            teller.setblocking(False)
            teller.sendto(text.encode(), self._address)


def _watchdog(environ: Mapping[str, str]) -> float | None:
    wanted, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID")
    if not wanted.isdigit() or not int(wanted) or pid not in (None, str(os.getpid())):
        return None
    return int(wanted) / _MICROSECONDS
