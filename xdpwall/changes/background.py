"""A thread of the service that waits for work."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from contextlib import suppress

from xdpwall.closing import Closing
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance

from .programs import tidy
from .transactions import writing


class Background(Closing):
    """Runs from when it is made until close(); a wake while it works is not lost."""

    name: str

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._work = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._work.set()

    def close(self) -> None:
        """End the thread and wait for it."""
        self._ending = True
        self._work.set()
        self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """What the thread does, until `_ending`."""


_LOOK = 60.0
"""Seconds between looks when nothing is known to expire: other processes add entries too."""


_AFTER = 0.1


class Expirer(Background):
    """Woken when an entry with an earlier end may have come."""

    name = "xdpwall-expire"

    def _run(self) -> None:
        while not self._ending:
            self._work.wait(self._left())
            self._work.clear()

    def _left(self) -> float:
        """Seconds until there is something to do; what is due now is done (by recovery, which every
        writer begins with)."""
        with suppress(XdpwallError):
            with self._instance.lock.threads:
                ends = self._instance.store.sets.next_expiry()
            if ends is None or ends + _AFTER > time.time():
                return _LOOK if ends is None else min(_LOOK, ends + _AFTER - time.time())
            with writing(self._instance):
                loaded = self._instance.dataplane() is not None
            return _AFTER if loaded else _LOOK
        return _LOOK


_ANSWER = 0.003
"""Seconds for which the change's answer has the interpreter for itself: this thread would take turns
with those that write it, half a millisecond's worth."""


_QUIET = 0.2
"""Seconds without a change before what can wait is done: it takes the lock for tens of ms."""


class Settler(Background):
    """Woken when a change has left a copy behind."""

    name = "xdpwall-settle"

    def _run(self) -> None:
        with suppress(XdpwallError), self._instance.lock.hold():
            self._instance.store.stretch()
        while True:
            self._work.wait()
            self._work.clear()
            if self._ending:
                return
            time.sleep(_ANSWER)
            # A failure here is met again, and told, by the next change.
            untidy = False
            with suppress(XdpwallError), self._instance.lock.threads:
                dataplane = self._instance.dataplane()
                if dataplane is not None:
                    dataplane.generations.wait_grace_period()
                    untidy = dataplane.generations.has_housekeeping
            if untidy and not self._work.wait(_QUIET):
                with suppress(XdpwallError), writing(self._instance):
                    tidy(self._instance)
