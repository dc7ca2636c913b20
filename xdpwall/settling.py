"""What the next change need not wait for, done in the background after the last one."""

from __future__ import annotations

import time
from contextlib import suppress

from .background import Background
from .changes import tidy
from .errors import XdpwallError

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
                    dataplane.settle()
                    untidy = dataplane.untidy
            if untidy and not self._work.wait(_QUIET):
                with suppress(XdpwallError), self._instance.writing():
                    tidy(self._instance)
