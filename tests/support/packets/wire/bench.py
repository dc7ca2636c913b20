"""A data plane whose programs are attached to veths.

    box              host
    peer0 ---------- eth0   tc ingress and egress, MTU 9000
    peer1 ---------- eth1   native XDP; MTU 3000, or 9000 with `frags`

What passes ingress or XDP meets the witness behind it and goes no further.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.kernel.dataplane import NUMBERS, PLACES, KernelBench
from tests.support.net.netns import Lab, Namespace
from tests.support.packets.packets import Wire
from tests.support.packets.wire.ring import Ring
from tests.support.packets.wire.taps import AFTER, BEFORE, OURS, PUSH, Taps, attach_tc
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.tc import Direction
from xdpwall.kernel.net.xdp import xdp_attach
from xdpwall.values.terms import Place


class WireBench(KernelBench):
    """KernelBench with attached programs, which get their frames from a veth instead of a test-run."""

    def __init__(self, lab: Lab, folder: Path, *, frags: bool = False) -> None:
        super().__init__(folder)
        self.frags = frags
        # One CPU and one queue a cable, so that frames are judged in the order they were sent.
        self._cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(self._cpus)})
        self.host, self.box = lab.namespace("host"), lab.namespace("box")
        for space in (self.host, self.box):
            space.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        for number, mtu in ((0, 9000), (1, 9000 if frags else 3000)):
            one = f"mtu {mtu} numtxqueues 1 numrxqueues 1"
            self.host.ip(
                f"link add eth{number} {one} type veth peer name peer{number} {one}"
                f" netns {self.box.name}"
            )
            self.box.ip(f"link set peer{number} up")
            self.host.ip(f"link set eth{number} up")
        self.taps = Taps()
        witnesses: tuple[tuple[Namespace, str, Direction, str, int], ...] = (
            (self.box, "peer0", "egress", "push", PUSH),
            (self.host, "eth0", "ingress", "before", BEFORE),
            (self.host, "eth0", "ingress", "after", AFTER),
            (self.host, "eth0", "egress", "push", PUSH),
            (self.host, "eth0", "egress", "before", BEFORE),
            (self.host, "eth0", "egress", "after", AFTER),
            (self.box, "peer1", "egress", "push", PUSH),
            (self.host, "eth1", "ingress", "after", AFTER),
        )
        for space, iface, direction, name, prio in witnesses:
            self.taps.attach(space, iface, direction, name, prio)
        ends: dict[Place, tuple[Namespace, str]] = {
            "xdp": (self.box, "peer1"),
            "tc-ingress": (self.box, "peer0"),
            "tc-egress": (self.host, "eth0"),
        }
        self.wires = {place: Wire(*end) for place, end in ends.items()}
        self.rings = {place: Ring(*end) for place, end in ends.items()}
        self._attach()

    def send(self, place: Place, frames: Sequence[bytes], *, paged: bool = False) -> None:
        """Send frames to the program at a place; `paged`: with 14 bytes in the linear part."""
        if paged:
            self.rings[place].send(frames)
        else:
            _send_each(self.wires[place], frames)

    def program(self, place: Place) -> Program:
        """The place's program; XDP's takes frames in fragments when the bench does."""
        if place == "xdp" and self.frags and place not in self._programs:
            number = NUMBERS[place]
            self._programs[place] = self.dataplane.programs.load(place, number, frags=True)
        return super().program(place)

    def _attach(self) -> None:
        index = self.host.index("eth1")
        with self.host.inside():
            fd = self.program("xdp").fileno()
            xdp_attach(index, fd, "native", if_noexist=False)
        attach_tc(self.host, "eth0", "ingress", self.program("tc-ingress").fileno(), OURS)
        attach_tc(self.host, "eth0", "egress", self.program("tc-egress").fileno(), OURS)

    def _forget_programs(self) -> None:
        # The maps grew: the programs on the cables have to be loaded on the new ones.
        super()._forget_programs()
        self._attach()

    def close(self) -> None:
        """Close sockets, programs and maps; the lab removes the namespaces."""
        os.sched_setaffinity(0, self._cpus)
        for place in PLACES:
            self.wires[place].close()
            self.rings[place].close()
        self.taps.close()
        super()._forget_programs()
        self.dataplane.close()


def _send_each(wire: Wire, frames: Iterable[bytes]) -> None:
    for frame in frames:
        wire.send(frame)
