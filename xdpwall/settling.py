"""What the next change need not wait for, done in the background after the last one."""

from __future__ import annotations

import threading
from contextlib import suppress

from .changes import tidy
from .errors import XdpwallError
from .instance import Instance

_QUIET = 0.2
"""Seconds without a change before what can wait is done: it takes the lock for tens of ms."""


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
            untidy = False
            with suppress(XdpwallError), self._instance.lock.threads:
                dataplane = self._instance.dataplane()
                if dataplane is not None:
                    dataplane.settle()
                    untidy = dataplane.untidy
            if untidy and not self._work.wait(_QUIET):
                with suppress(XdpwallError), self._instance.writing():
                    tidy(self._instance)
