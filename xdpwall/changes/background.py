"""A daemon thread of the service that waits for work."""

from __future__ import annotations

import threading
from abc import abstractmethod

from xdpwall.closing import Closing
from xdpwall.instance.instance import Instance


class Background(Closing):
    """A thread that runs from construction to close(). A wake() while it works is not lost."""

    name: str

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._work = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let the thread look for work."""
        self._work.set()

    def close(self) -> None:
        """End the thread and wait for it."""
        self._ending = True
        self._work.set()
        self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """Body of the thread; returns once `_ending` is set and `_work` wakes it."""
