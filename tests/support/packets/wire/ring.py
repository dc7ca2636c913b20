"""A packet socket whose frames are sent from its ring: pages that only the packet refers to.

The kernel copies the Ethernet header into the packet's linear part and leaves the rest where it
is, so that every header behind it is beyond the linear part, however short the frame.
"""

from __future__ import annotations

import errno
import functools
import mmap
import socket
import struct
from collections.abc import Iterable

from tests.support.net.netns import Namespace, wait_for
from xdpwall.closing import Closing

SOL_PACKET, PACKET_VERSION, PACKET_TX_RING = 263, 10, 13
TPACKET_V2 = 1
AVAILABLE, SEND_REQUEST, WRONG_FORMAT = 0, 1, 4
SLOT = 16384
SLOTS = 32
BLOCK = 1 << 16
HEAD = 32  # struct tpacket2_hdr; the frame lies behind it


class Ring(Closing):
    """The sender on one interface. It stays in the namespace where it was opened."""

    def __init__(self, space: Namespace, iface: str) -> None:
        with space.inside():
            # Protocol 0: it sends, and receives nothing.
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
        request = struct.pack("IIII", BLOCK, SLOT * SLOTS // BLOCK, SLOT, SLOTS)
        self.socket.setsockopt(SOL_PACKET, PACKET_TX_RING, request)
        self.socket.bind((iface, 0))
        self._ring = mmap.mmap(self.socket.fileno(), SLOT * SLOTS)
        self._next = 0

    def send(self, frames: Iterable[bytes]) -> None:
        """Send frames in order; each was received or dropped when this returns."""
        for frame in frames:
            at = self._next * SLOT
            self._ring[at + HEAD : at + HEAD + len(frame)] = frame
            struct.pack_into("II", self._ring, at, SEND_REQUEST, len(frame))
            if self._kick():
                self._next = (self._next + 1) % SLOTS
                wait_for(functools.partial(self._available, at), "a page given back")
            else:
                # The kernel would send what egress dropped again; the next frame takes its slot.
                struct.pack_into("I", self._ring, at, AVAILABLE)

    def _kick(self) -> bool:
        """Send the slot. False when it was dropped on its way out and the kernel stays at the slot."""
        while True:
            try:
                self.socket.send(b"", socket.MSG_DONTWAIT)
                return True
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    return False
                if error.errno != errno.EAGAIN:
                    raise

    def _available(self, at: int) -> bool:
        (status,) = struct.unpack_from("I", self._ring, at)
        assert status != WRONG_FORMAT, "the kernel does not take such a frame"
        return bool(status == AVAILABLE)

    def close(self) -> None:
        """Close the socket and give back its pages."""
        self._ring.close()
        self.socket.close()
