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

SWEEP = 3600.0
"""Seconds between sweeps of the flow table: flows that are over do not keep their places from others for
longer, and the 16 bits of their deadlines wrap after nine hours."""


class Tidier(Background):
    """Waits for the grace period after a change, then does the housekeeping of generations; wake()
    it after each change."""

    name = "xdpwall-tidy"

    def _run(self) -> None:
        with suppress(XdpwallError), self._instance.lock.hold():
            self._instance.store.stretch()
        swept = time.monotonic()
        while True:
            woken = self._work.wait(max(0.0, swept + SWEEP - time.monotonic()))
            self._work.clear()
            if self._ending:
                return
            if time.monotonic() >= swept + SWEEP:
                self._sweep_flows()
                swept = time.monotonic()
            if not woken:
                continue
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

    def _sweep_flows(self) -> None:
        with suppress(XdpwallError), self._instance.lock.threads:
            dataplane = self._instance.dataplane()
            if dataplane is not None:
                from xdpwall.dataplane.flow_table import FlowTable

                FlowTable(dataplane.map_set.maps).sweep(dataplane.control.jiffies())
