"""Tell the programs which of them may answer SYNs (bpf/syn_cookie.h)."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane

_AGAIN = 10.0
"""Seconds between two looks when nothing is heard: a veth's peer in another namespace tells nobody here."""


def refresh_answering(instance: Instance, dataplane: Dataplane | None) -> None:
    """Write what holds now, where it is another: a program whose answers would be lost lets SYNs pass."""
    if dataplane is None:
        return
    from xdpwall.abi import Feature  # NumPy
    from xdpwall.attach.answering import answering_bits

    if Feature.COOKIES in dataplane.programs.features:
        bits = answering_bits(instance.attachments)
        if dataplane.map_set.rates.answering != bits:
            dataplane.map_set.rates.answering = bits


class AnsweringLook:
    """The look of a watching thread at which attachments may answer."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._again = 0.0

    def look(self, *, heard: bool) -> None:
        """Look if an interface was `heard` of, or some time has gone by. Never raises XdpwallError."""
        now = time.monotonic()
        if heard or now >= self._again:
            self._again = now + _AGAIN
            with suppress(XdpwallError), self._instance.lock.threads:
                refresh_answering(self._instance, self._instance.dataplane())
