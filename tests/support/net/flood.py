"""Send several flows at once through a route, without a pause and without loss by the sender.

A process sends bursts, one frame of each flow in turn, and takes what arrives. It sends the next
burst when every frame of the accepted flow has arrived, so that no queue on the way (256 frames in
a veth, 1,000 in a CPU's backlog) can ever be full: a frame of that flow that does not arrive has
been dropped by a filter. Counters stand in shared memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from tests.support.net.netns import wait_for
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire

DROPPED, ACCEPTED, CHANGING = 0, 1, 2
PORTS = (1001, 1002, 1003)
BURST = 16
"""Frames of each flow in a burst."""
PATIENCE = 20.0
"""Seconds after which a frame of the accepted flow is lost."""


class _Shared(ctypes.Structure):
    _fields_ = [
        ("sent", ctypes.c_uint64 * 3),
        ("received", ctypes.c_uint64 * 3),
        ("bursts", ctypes.c_uint64),
        ("stop", ctypes.c_uint32),
        ("lost", ctypes.c_uint32),
    ]


@dataclass(frozen=True)
class Seen:
    """Frames of each flow (DROPPED, ACCEPTED, CHANGING) between two moments."""

    sent: tuple[int, ...]
    received: tuple[int, ...]


class Road(Protocol):
    """Where frames go in, and where those that pass come out."""

    entry: Wire
    end: Wire


class Flood:
    """The sending process, from `with` to finish()."""

    def __init__(self, route: Road, *, patience: float = PATIENCE) -> None:
        self._route = route
        self._patience = patience
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._shared = _Shared.from_buffer(self._memory)
        self._child = 0

    @property
    def frame_size(self) -> int:
        """Bytes of each frame of every flow."""
        return len(_frame(PORTS[0]))

    def __enter__(self) -> Self:
        self._child = os.fork()
        if self._child == 0:
            try:
                os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
                # Not nicer than the service: a gap of a few ms must meet a frame also on a busy CPU.
                self._run()
            finally:
                os._exit(0)
        self.pass_bursts()
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            kill(self._child)
            self._child = 0

    def seen(self) -> Seen:
        """The frames seen until now."""
        return Seen(tuple(self._shared.sent), tuple(self._shared.received))

    def pass_bursts(self, count: int = 2) -> Seen:
        """Wait until `count` more bursts have passed, begun and ended; what was seen meanwhile.

        AssertionError when the accepted flow lost a frame or the dropped one got through.
        """
        start = self._shared.bursts
        before = self.seen()
        self._wait(lambda: self._shared.bursts >= start + count)
        self.check()
        after = self.seen()
        return Seen(
            tuple(b - a for a, b in zip(before.sent, after.sent, strict=True)),
            tuple(b - a for a, b in zip(before.received, after.received, strict=True)),
        )

    def settle_on(self, accepted: bool) -> None:
        """Wait for a burst of which the changing flow arrives whole, or not at all."""
        wanted = range(BURST, 1 << 60) if accepted else range(1)
        wait_for(
            lambda: self.pass_bursts().received[CHANGING] in wanted,
            f"the changing flow is {'accepted' if accepted else 'dropped'}",
        )

    def verdict(self) -> bool:
        """Whether the changing flow is accepted, while nothing changes."""
        self.pass_bursts()  # what was on its way when something changed
        seen = self.pass_bursts(3)
        sent, arrived = seen.sent[CHANGING], seen.received[CHANGING]
        # The first and the last burst may be seen in part.
        assert arrived == 0 or arrived >= sent - 2 * BURST, f"{arrived} of {sent}"
        return arrived > 0

    def check(self) -> None:
        """Assert that the two flows which no change concerns had the same verdict throughout."""
        seen = self.seen()
        assert not self._shared.lost, f"a frame of the accepted flow was dropped: {seen}"
        assert seen.received[DROPPED] == 0, f"a frame of the dropped flow got through: {seen}"

    def finish(self) -> Seen:
        """Stop and return everything seen. AssertionError as in pass_bursts()."""
        self._shared.stop = 1
        os.waitpid(self._child, 0)
        self._child = 0
        self.check()
        seen = self.seen()
        assert seen.received[ACCEPTED] == seen.sent[ACCEPTED]
        assert seen.sent[DROPPED] == seen.sent[CHANGING] == seen.sent[ACCEPTED] > 0
        return seen

    def _wait(self, condition: Callable[[], bool]) -> None:
        wait_for(
            lambda: condition() or self._shared.lost,
            "bursts pass",
            timeout=10 * PATIENCE,
            every=1e-4,
        )

    def _run(self) -> None:
        frames = [_frame(port) for port in PORTS]
        entry, end, shared = self._route.entry, self._route.end, self._shared
        flows = {port.to_bytes(2, "big"): flow for flow, port in enumerate(PORTS)}
        wanted = slice(36, 38)
        end.drain()
        while not shared.stop:
            for _ in range(BURST):
                for flow, frame in enumerate(frames):
                    entry.send(frame)
                    shared.sent[flow] += 1
            deadline = time.monotonic() + self._patience
            while True:
                for frame in end.drain():
                    flow = flows.get(frame[wanted], -1)
                    if flow >= 0:
                        shared.received[flow] += 1
                if shared.received[ACCEPTED] >= shared.sent[ACCEPTED]:
                    break
                if time.monotonic() > deadline:
                    shared.lost = 1
                    return
            shared.bursts += 1


def kill(child: int) -> None:
    """Kill a forked process and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _frame(port: int) -> bytes:
    return f.ether(f.ipv4(f.udp(b"flood".ljust(64), dport=port)))
