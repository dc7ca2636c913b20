"""Ask an interface's driver for its name and its offloads, by the SIOCETHTOOL ioctl."""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from dataclasses import dataclass

from xdpwall.closing import Closing

_SIOCETHTOOL = 0x8946
_GDRVINFO = 0x03
_GFLAGS = 0x25
_GGRO = 0x2B
_FLAG_RXVLAN = 1 << 8
_FLAG_LRO = 1 << 15


@dataclass(frozen=True, slots=True)
class Offloads:
    """Changes that the card or the stack makes to packets before a program; None is unknown."""

    rxvlan: bool | None
    """The VLAN tag is taken out of the frame: XDP cannot see it."""
    gro: bool | None
    """Segments are merged before tc."""
    lro: bool | None
    """Segments are merged by the card."""


class Ethtool(Closing):
    """A socket for ethtool requests, in the namespace where it was opened."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def driver(self, iface: str) -> str | None:
        """The driver's name ("veth", "virtio_net", ...), or None when it is unknown."""
        return self._driver_words(iface, slice(4, 36))

    def bus_address(self, iface: str) -> str | None:
        """The card's address on its bus ("0000:00:03.0"), or None when the driver does not tell."""
        return self._driver_words(iface, slice(100, 132))

    def offloads(self, iface: str) -> Offloads:
        """The offloads that matter to a packet filter."""
        flags = self._number(iface, _GFLAGS)
        gro = self._number(iface, _GGRO)
        return Offloads(
            rxvlan=None if flags is None else bool(flags & _FLAG_RXVLAN),
            gro=None if gro is None else bool(gro),
            lro=None if flags is None else bool(flags & _FLAG_LRO),
        )

    def _driver_words(self, iface: str, where: slice) -> str | None:
        # struct ethtool_drvinfo: command, then driver, version, fw_version, bus_info, 32 bytes each.
        answer = self._ask(iface, struct.pack("=I", _GDRVINFO).ljust(196, b"\0"))
        return (
            None
            if answer is None
            else answer[where].split(b"\0")[0].decode("ascii", "replace") or None
        )

    def _number(self, iface: str, question: int) -> int | None:
        answer = self._ask(iface, struct.pack("=II", question, 0))
        return None if answer is None else int(struct.unpack_from("=I", answer, 4)[0])

    def _ask(self, iface: str, request: bytes) -> bytes | None:
        # The ioctl takes a pointer to the request, and the driver writes the answer over it.
        buffer = array.array("B", request)
        ifreq = struct.pack("16sP16x", iface.encode()[:15], buffer.buffer_info()[0])
        try:
            fcntl.ioctl(self._socket, _SIOCETHTOOL, ifreq)
        except OSError:
            return None
        return buffer.tobytes()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
