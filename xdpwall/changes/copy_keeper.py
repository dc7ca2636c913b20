"""A thread of the service that writes the second copy of the state, and sees whether its files are there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from xdpwall.instance.instance import Instance

from .background import Background

LOOK = 0.5
"""Seconds between looks, and without a change before a copy is written: no change waits for this thread,
not for the interpreter's lock either."""
_LATEST = 5.0
"""Seconds after which a copy is written although changes go on."""
_QUIET_FOR_LARGE = 10.0
"""Seconds without a change before the large sets are written."""
_SHARE = 20
"""Of the time, at most one part in so many is spent on writing copies."""

log = logging.getLogger("xdpwall.state")


class CopyKeeper(Background):
    """Writes a copy after changes; logs what is wrong with the state folder, and that it is right again."""

    name = "xdpwall-copy"

    def __init__(self, instance: Instance, update: Callable[[bool], bool]) -> None:
        """`update` writes what has changed, large sets too if so told, and says whether some are left."""
        self._update = update
        self._said: str | None = None
        super().__init__(instance)

    def _run(self) -> None:
        store = self._instance.store
        left, copied, resume = False, time.monotonic(), 0.0
        while not self._work.wait(LOOK):
            self._look()
            now = time.monotonic()
            quiet = now - store.last_write
            due = store.has_news and (quiet >= LOOK or now - copied >= _LATEST)
            large = left and quiet >= _QUIET_FOR_LARGE
            if (due or large) and now >= resume:
                left = self._update(large)
                copied = time.monotonic()
                resume = copied + _SHARE * (copied - now)
        self._update(True)

    def _look(self) -> None:
        with self._instance.lock.threads:
            self._instance.store.examine()
            fault = self._instance.fault()
        said = None if fault is None else f"{fault.message} ({fault.hint})"
        if said != self._said:
            if said:
                log.error("%s", said)
            else:
                log.warning("the state folder is right again")
            self._said = said
