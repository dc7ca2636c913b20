"""A stream of different packets over a veth, sender and filter on one CPU.

BPF_PROG_TEST_RUN with live frames (Linux 5.18) runs driver.bpf.c, which redirects each frame into
the veth; the other end's NAPI poll, and so the filter, runs on the same CPU in between. The kernel's
ns per frame are therefore sender, veth and filter together, and a bare drop of the same stream is
subtracted. Setting up a test-run of live frames costs milliseconds, which the kernel leaves out.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.packets.rounds import Timer
from tests.support.net.netns import Namespace, command
from tests.support.packets.frames import MAC_B
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import MapSize, load_object
from xdpwall.kernel.bpf.programs import Program

LIVE_FRAMES = 1 << 1
ROOM = 80
BATCH = 64
_TRIAL = 4_000
_SECONDS = 0.12
"""Seconds that one measurement should take."""
_RECEIVED = 0.99
"""Share of the frames that must reach the filter: a veth drops them when its other end does not get
the CPU, and then the time is not the filter's."""
_ATTEMPTS = 3


class StreamFailed(Exception):
    """Frames were lost on the way to the filter, or never sent."""


@dataclass(frozen=True)
class Sender:
    """A loaded driver program with the frames of one stream."""

    program: Program
    state: Map
    frame: bytes

    def run(self, space: Namespace, ifindex: int, count: int) -> int:
        """Send `count` frames; ns per frame."""
        self.state.update(0, struct.pack("II", 0, ifindex))
        with space.inside():
            done = self.program.test_run(
                self.frame, repeat=count, flags=LIVE_FRAMES, batch_size=BATCH, out_size=0
            )
        return done.ns


@contextmanager
def sender(built: Path, frames: Sequence[bytes]) -> Iterator[Sender]:
    """Load the driver with frames that all have 60 or all 78 bytes; their number is a power of two."""
    sizes = {len(frame) for frame in frames}
    name = {60: "drive4", 78: "drive6"}[sizes.pop()]
    assert not sizes and len(frames).bit_count() == 1
    with load_object(
        built,
        programs={name},
        rodata={"mask": len(frames) - 1},
        sizes={"frames": MapSize(max_entries=len(frames))},
    ) as loaded:
        memory = loaded.maps["frames"].mmap()
        data = b"".join(frame.ljust(ROOM, b"\0") for frame in frames)
        memory[: len(data)] = data
        yield Sender(loaded.programs[name], loaded.maps["state"], frames[0])


@dataclass(frozen=True)
class Veth:
    """A veth of one queue: index `near` in `sends`, where frames are sent, name `far` in `space`."""

    sends: Namespace
    near: int
    space: Namespace
    far: str

    def received(self) -> int:
        """Frames that reached the far end, dropped or not."""
        text = command("ip", "-n", self.space.name, "-j", "-s", "link", "show", self.far)
        found: int = json.loads(text)[0]["stats64"]["rx"]["packets"]
        return found

    def timer(self, by: Sender) -> Timer:
        """A timer of the stream. A trial run finds how many frames to send, so the filter must be there."""
        trial = max(1, self._ns(by, _TRIAL))
        count = max(1_000, min(1_000_000, int(_SECONDS * 1e9 / trial)))
        return lambda: self._ns(by, count)

    def _ns(self, by: Sender, count: int) -> int:
        came = 0
        for _ in range(_ATTEMPTS):
            before = self.received()
            ns = by.run(self.sends, self.near, count)
            came = self.received() - before
            if came >= count * _RECEIVED:
                return ns
        raise StreamFailed(f"{came} of {count} frames came to {self.far} in {self.space.name}")


def add_veth(sends: Namespace, space: Namespace, name: str) -> Veth:
    """Add a veth. GRO is on at the far end: without it or native XDP, veth drops redirected frames."""
    queues = "numtxqueues 1 numrxqueues 1"
    sends.ip(f"link add {name}s {queues} type veth peer name {name} {queues} netns {space.name}")
    space.run("ethtool", "-K", name, "gro", "on")
    space.ip(f"link set {name} address {MAC_B.hex(':')} up")
    sends.ip(f"link set {name}s up")
    return Veth(sends, sends.index(f"{name}s"), space, name)
