"""Send and receive raw frames on a namespace's interface by AF_PACKET."""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections.abc import Callable

from tests.support.net.netns import PATIENCE, Namespace
from xdpwall.closing import Closing

ETH_P_ALL = 3
BROADCAST = b"\xff" * 6
TEST_ETHERTYPE = 0x88B5  # IEEE 802: local experiments; nothing answers it


def ethernet(
    payload: bytes = b"",
    *,
    ethertype: int = TEST_ETHERTYPE,
    dst: bytes = BROADCAST,
    src: bytes = b"\x02\0\0\0\0\x01",
) -> bytes:
    """An Ethernet frame, padded to 60 bytes."""
    return (dst + src + struct.pack("!H", ethertype) + payload).ljust(60, b"\0")


class Wire(Closing):
    """A packet socket on one interface. It stays in the namespace where it was opened."""

    def __init__(self, space: Namespace, iface: str, *, buffer: int = 16 << 20) -> None:
        with space.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        # FORCE: a flood of a test must not overflow the default 208 KiB.
        self.socket.setsockopt(socket.SOL_SOCKET, 33, buffer)
        # Sending waits before more is under way than the 256 frames that a veth queues, however
        # long its receiver stands still.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 << 10)
        self.socket.bind((iface, ETH_P_ALL))
        self.socket.setblocking(False)

    def send(self, frame: bytes) -> bool:
        """Put one frame on the interface, waiting for room in the socket's buffer.

        False when the kernel dropped it on its way out, as tc egress does.
        """
        while True:
            try:
                self.socket.send(frame)
                return True
            except BlockingIOError:
                select.select([], [self.socket], [], 1)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                return False

    def receive(
        self, wanted: Callable[[bytes], bool] = lambda frame: True, *, timeout: float = PATIENCE
    ) -> bytes | None:
        """The next incoming frame that is wanted; None when none came within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return None
            frame, address = self.socket.recvfrom(70000)
            if address[2] != socket.PACKET_OUTGOING and wanted(frame):
                return frame
        return None

    def drain(self, wanted: Callable[[bytes], bool] = lambda frame: True) -> list[bytes]:
        """Every wanted frame that has come in until now."""
        frames: list[bytes] = []
        while True:
            try:
                frame, address = self.socket.recvfrom(70000)
            except BlockingIOError:
                return frames
            if address[2] != socket.PACKET_OUTGOING and wanted(frame):
                frames.append(frame)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


def is_test_frame(frame: bytes) -> bool:
    """Whether `ethernet()` made it, with its usual ethertype."""
    return frame[12:14] == TEST_ETHERTYPE.to_bytes(2, "big")


def arrives(sender: Wire, receiver: Wire, *, timeout: float = PATIENCE) -> bool:
    """Whether a frame gets through within `timeout` seconds."""
    receiver.drain()
    sender.send(ethernet(b"probe"))
    return receiver.receive(is_test_frame, timeout=timeout) is not None


def is_lost(sender: Wire, receiver: Wire) -> bool:
    """Whether a frame does not get through in a moment that is long enough for any other."""
    return not arrives(sender, receiver, timeout=0.3)
