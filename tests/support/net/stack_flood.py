"""A bridge with ports and a macvlan on top, and packets that flood it all along.

        box                     host                                      far
        e1 -------------------- p1 --+                     +-- p2 ------- e2
                                     +-- br0 (10.9.0.1) ---+
                                          +-- top, a macvlan (10.9.0.9)

A process sends to each of three ends, without a pause, a datagram to the port BAD and one to GOOD.
Behind all hooks stand ordinary sockets, so that what a hook of any kind drops is not counted.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import socket
import struct
import time
from typing import Self

from tests.support.net.flood import kill
from tests.support.net.netns import Lab, wait_for

BAD, GOOD = 1001, 1002
ENDS = ("br0", "top", "e2")
"""Where packets go: the host, the macvlan above the bridge, and through it to the far box."""
SEEN_BY = {"br0": ("p1", "br0"), "top": ("p1", "br0", "top"), "e2": ("p1",)}
"""The interfaces on whose ingress the packets to each end are seen."""
_PAUSE = 1e-4
"""Seconds from one round to the next: enough to leave the processors to others."""
_MACS = {"br0": "02:00:00:00:00:01", "top": "02:00:00:00:00:09", "e2": "02:00:00:00:00:02"}
_ADDRESSES = {"br0": "10.9.0.1", "top": "10.9.0.9", "e2": "10.9.0.2"}

Doors = dict[str, tuple[socket.socket, socket.socket]]


class _Shared(ctypes.Structure):
    _fields_ = [
        ("sent", ctypes.c_uint64),
        ("bad", ctypes.c_uint64 * len(ENDS)),
        ("good", ctypes.c_uint64 * len(ENDS)),
    ]


class Stack:
    """The interfaces of the picture."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.host, self.box, self.far = (lab.namespace(name) for name in ("host", "box", "far"))
        lab.bridge(self.host, "br0", "10.9.0.1/24")
        self.host.ip(f"link set br0 address {_MACS['br0']}")
        lab.veth(self.host, "p1", self.box, "e1", master="br0", peer_address="10.9.0.3/24")
        lab.veth(self.host, "p2", self.far, "e2", master="br0")
        self.host.ip(f"link add link br0 name top address {_MACS['top']} type macvlan mode private")
        self.host.ip("addr add 10.9.0.9/32 dev top")
        self.host.ip("link set top up")
        self.indexes = {link: self.host.index(link) for link in ("p1", "p2", "br0", "top")}
        self.far.ip(f"link set e2 address {_MACS['e2']}")
        self.far.ip("addr add 10.9.0.2/24 dev e2")
        self.host.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
        self.host.run("sysctl", "-qw", "net.ipv4.conf.top.rp_filter=0")


class StackFlood:
    """The sending process, while `with` lasts."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._shared = _Shared.from_buffer(self._memory)
        self._child = 0

    def __enter__(self) -> Self:
        stack = self._stack
        with stack.host.inside():
            doors: Doors = {end: _receivers(end) for end in ("br0", "top")}
        with stack.far.inside():
            doors["e2"] = _receivers("e2")
        with stack.box.inside():
            out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            out.bind(("e1", 0))
        self._child = os.fork()
        if self._child == 0:
            try:
                self._run(out, doors)
            finally:
                os._exit(0)
        for one in (out, *(door for both in doors.values() for door in both)):
            one.close()
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            kill(self._child)
            self._child = 0

    def bad(self) -> dict[str, int]:
        """How many packets to BAD have arrived at each end."""
        return dict(zip(ENDS, self._shared.bad, strict=True))

    def good(self) -> dict[str, int]:
        """How many packets to GOOD have arrived at each end."""
        return dict(zip(ENDS, self._shared.good, strict=True))

    def pass_rounds(self, count: int = 3) -> None:
        """Wait until so many packets more have been sent to each end, and what arrived is counted."""
        wanted = self._shared.sent + count
        wait_for(lambda: self._shared.sent >= wanted, "packets are sent", every=1e-4)

    def _run(self, out: socket.socket, doors: Doors) -> None:
        frames = [_frame(end, port) for end in ENDS for port in (BAD, GOOD)]
        shared = self._shared
        while os.getppid() != 1:
            for frame in frames:
                with contextlib.suppress(OSError):
                    out.send(frame)
            for n, end in enumerate(ENDS):
                shared.bad[n] += _drain(doors[end][0])
                shared.good[n] += _drain(doors[end][1])
            shared.sent += 1
            time.sleep(_PAUSE)


def _receivers(end: str) -> tuple[socket.socket, socket.socket]:
    found = []
    for port in (BAD, GOOD):
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door.bind((_ADDRESSES[end], port))
        door.setblocking(False)
        found.append(door)
    return found[0], found[1]


def _drain(door: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while door.recv(64):
            count += 1
    return count


def _frame(end: str, port: int) -> bytes:
    from tests.support.packets import frames as f

    datagram = f.ipv4(f.udp(b"flood".ljust(18), dport=port), src="10.9.0.3", dst=_ADDRESSES[end])
    mac = bytes.fromhex(_MACS[end].replace(":", ""))
    return mac + f.MAC_A + struct.pack("!H", 0x0800) + datagram.data
