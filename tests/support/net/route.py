"""A path for real packets through one attachment of the real service.

        near            firewall (with the service)                      far
        eth0 ---------- eth0 [xdp, tc-ingress] -- br0 -- out ---------- eth0
        eth0 ---------- in ---------------------- br0 -- eth0 [tc-egress] -- eth0
        eth0 ---------- in -- eth0, a bridge [xdp-generic], where arrivals are seen too

The interface with the attachment is always called eth0, so that one table of rules serves all four.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from tests.support.net.netns import Lab, Namespace, wait_for
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire
from tests.support.service.service import Service
from xdpwall.values.terms import Place
from xdpwall.views.attachments import Totals
from xdpwall.views.status import Stats

Way = Literal["xdp-native", "xdp-generic", "tc-ingress", "tc-egress"]
WAYS: tuple[Way, ...] = ("xdp-native", "xdp-generic", "tc-ingress", "tc-egress")
PLACES: dict[Way, Place] = {
    "xdp-native": "xdp",
    "xdp-generic": "xdp",
    "tc-ingress": "tc-ingress",
    "tc-egress": "tc-egress",
}
MODES: dict[Way, str | None] = {"xdp-native": "native", "xdp-generic": "generic"}
MARK = b"\x02TST"
"""The first bytes of the source address of what `send` sends; two of a number follow."""
END_TYPE = 0x88B5
LET_END_PASS = f"accept ethertype {END_TYPE:#x}"
"""Stands first in each ruleset: the frame that ends a batch always passes."""


class Route:
    """Namespaces joined by veths, the service, one attachment, and a packet socket at either end."""

    def __init__(self, lab: Lab, way: Way, folder: Path, stack: ExitStack) -> None:
        self.way = way
        self.place = PLACES[way]
        self.near, self.firewall = near, firewall = lab.namespace("near"), lab.namespace("firewall")
        if way == "xdp-generic":
            lab.bridge(firewall, "eth0")
            firewall.ip(f"link set eth0 address {f.MAC_B.hex(':')}")
            lab.veth(firewall, "in", near, "eth0", master="eth0")
            end: tuple[Namespace, str] = (firewall, "eth0")
        else:
            far = lab.namespace("far")
            entry, leave = ("in", "eth0") if way == "tc-egress" else ("eth0", "out")
            lab.bridge(firewall, "br0")
            lab.veth(firewall, entry, near, "eth0", master="br0")
            lab.veth(firewall, leave, far, "eth0", master="br0")
            end = (far, "eth0")
        self.service = stack.enter_context(Service(firewall, folder, lab.bpffs))
        self.attach(self.place)
        self.entry = stack.enter_context(Wire(near, "eth0"))
        self.end = stack.enter_context(Wire(*end))
        self._batch = 0
        # A carrier that has just come up may still be on its way through the bridge's state.
        self.rules([])
        wait_for(self._is_open, "the way is open")

    def attach(self, place: Place) -> list[str]:
        """Attach eth0 at the hook; returns the warnings."""
        mode = MODES.get(self.way) if place == "xdp" else None
        made = self.service.call(
            "PUT", f"/interfaces/eth0/attachments/{place}", {"mode": mode} if mode else {}
        )
        assert made.status in (200, 201), made.content
        assert made.json["attachment"].get("mode") == mode
        warnings: list[str] = made.json["warnings"]
        return warnings

    def rules(self, rules: Sequence[str | dict[str, Any]], **policy: str) -> dict[str, Any]:
        """Apply these rules behind the one that passes the last frame of a batch."""
        body = {"version": 1, "policy": policy, "rules": [LET_END_PASS, *rules]}
        done = self.service.call("PUT", "/ruleset", body)
        assert done.status == 200, done.content
        answer: dict[str, Any] = done.json
        return answer

    def listed(self) -> list[dict[str, Any]]:
        """The rules as read back, without the first one."""
        rules: list[dict[str, Any]] = self.service.call("GET", "/rules").json["rules"]
        return rules[1:]

    def stats(self) -> Stats:
        """GET /stats."""
        return Stats.model_validate(self.service.call("GET", "/stats").json)

    def totals(self, place: Place | None = None) -> Totals:
        """The totals of the attachment."""
        wanted = place or self.place
        return next(one.totals for one in self.stats().attachments if one.place == wanted)

    def send(self, batch: Sequence[bytes], *, entry: Wire | None = None) -> list[int]:
        """Send these; the places in `batch` of those that arrived, in order of arrival.

        Each frame gets a source address of its own, by which it is known again whatever happened
        to its tags. The way is a queue (everything is handled on the CPU that sends), so when the
        last frame has arrived, what has not will not.
        """
        with one_cpu():
            return self._send(batch, entry or self.entry)

    def _is_open(self) -> bool:
        last = self._last()
        self.entry.send(last)
        return self.end.receive(lambda came: came[12:16] == last[12:16], timeout=1) is not None

    def _last(self) -> bytes:
        """A frame that ends a batch, each with a number of its own."""
        self._batch += 1
        return f.ether(f.Layer(END_TYPE, struct.pack("!H", self._batch & 0xFFFF)), pad=60)

    def _send(self, batch: Sequence[bytes], entry: Wire) -> list[int]:
        last = self._last()
        self.end.drain()
        for number, frame in enumerate(batch):
            entry.send(frame[:6] + MARK + struct.pack("!H", number) + frame[12:])
        self.entry.send(last)
        arrived: list[int] = []
        while (came := self.end.receive()) is not None:
            if came[12:16] == last[12:16]:
                return arrived
            if came[6:10] == MARK:
                arrived.append(int.from_bytes(came[10:12], "big"))
        raise AssertionError("the frame that ends the batch did not arrive")


@contextlib.contextmanager
def one_cpu() -> Iterator[None]:
    """Pin this process to one CPU, so that its frames are handled there and keep their order."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


@contextlib.contextmanager
def route(lab: Lab, way: Way, folder: Path) -> Iterator[Route]:
    """A route, with its service running."""
    with ExitStack() as stack:
        yield Route(lab, way, folder, stack)
