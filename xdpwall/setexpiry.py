"""Entries whose time is over are taken out while a service runs.

Packets do not see them any more by then; this gives their memory back.
"""

from __future__ import annotations

import time
from contextlib import suppress

from .background import Background
from .errors import XdpwallError

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
            with self._instance.writing():
                loaded = self._instance.dataplane() is not None
            return _AFTER if loaded else _LOOK
        return _LOOK
