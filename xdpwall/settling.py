"""Grace periods waited for in the background, so that the next change need not."""

from __future__ import annotations

import threading
from contextlib import suppress

from .errors import XdpwallError
from .instance import Instance


class Settler:
    """A thread of the service; a wake during a wait is not lost."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._work = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="xdpwall-settle", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """A change has left a copy behind."""
        self._work.set()

    def close(self) -> None:
        """End the thread and wait for it."""
        self._ending = True
        self._work.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            if self._ending:
                return
            # A failure here is met again, and told, by the next change.
            with suppress(XdpwallError), self._instance.lock.threads:
                dataplane = self._instance.dataplane()
                if dataplane is not None:
                    dataplane.settle()
