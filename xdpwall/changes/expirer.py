"""A thread of the service that takes expired entries out of sets."""

from __future__ import annotations

import time
from contextlib import suppress

from xdpwall.errors import XdpwallError

from .background import Background
from .transactions import writing

_LOOK = 60.0
"""Seconds between looks when no expiry is due earlier: other processes add entries too."""

_AFTER = 0.1
"""Seconds from an expiry until its entry is taken out, with others that end about then."""


class Expirer(Background):
    """Wakes up for the next expiry; wake() it when an entry with an earlier one may have come."""

    name = "xdpwall-expire"

    def _run(self) -> None:
        while not self._ending:
            self._work.wait(self._seconds_left())
            self._work.clear()

    def _seconds_left(self) -> float:
        """Take out what is due and return the seconds until the next look. The work itself is done
        by recovery, with which every writer begins."""
        with suppress(XdpwallError):
            with self._instance.lock.threads:
                ends = self._instance.store.sets.next_expiry()
            if ends is None or ends + _AFTER > time.time():
                return _LOOK if ends is None else min(_LOOK, ends + _AFTER - time.time())
            with writing(self._instance):
                has_maps = self._instance.dataplane() is not None
            return _AFTER if has_maps else _LOOK
        return _LOOK
