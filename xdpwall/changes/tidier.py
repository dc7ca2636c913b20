"""A thread of the service that does after a change what need not delay its answer."""

from __future__ import annotations

import time
from contextlib import suppress

from xdpwall.errors import XdpwallError

from .background import Background
from .programs import tidy_instance
from .transactions import writing

_ANSWER = 0.003
"""Seconds to leave the GIL to the thread that sends the answer, which this one delays by 0.5 ms."""

_QUIET = 0.2
"""Seconds without a change before the housekeeping, which holds the lock for tens of ms."""


class Tidier(Background):
    """Waits for the grace period after a change, then does the housekeeping of generations; wake()
    it after each change."""

    name = "xdpwall-tidy"

    def _run(self) -> None:
        with suppress(XdpwallError), self._instance.lock.hold():
            self._instance.store.stretch()
        while True:
            self._work.wait()
            self._work.clear()
            if self._ending:
                return
            time.sleep(_ANSWER)
            # The next change meets a failure here again, and reports it.
            to_do = False
            with suppress(XdpwallError), self._instance.lock.threads:
                dataplane = self._instance.dataplane()
                if dataplane is not None:
                    dataplane.generations.wait_grace_period()
                    to_do = dataplane.generations.has_housekeeping
            if to_do and not self._work.wait(_QUIET):
                with suppress(XdpwallError), writing(self._instance):
                    tidy_instance(self._instance)
