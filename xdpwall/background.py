"""A thread of the service that waits for work."""

from __future__ import annotations

import threading
from abc import abstractmethod

from .closing import Closing
from .instance import Instance


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
