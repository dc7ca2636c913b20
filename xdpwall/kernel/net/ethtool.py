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
_GSTRINGS = 0x1B
_GSSET_INFO = 0x37
_GFEATURES = 0x3A
_SET_FEATURES = 4
"""The set of strings with the features' names, each of _NAME bytes."""
_NAME = 32
_MOST_NAMES = 1024
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


@dataclass(frozen=True, slots=True)
class Offload:
    """An offload by the kernel's own name."""

    on: bool
    changeable: bool
    """Not "[fixed]"."""


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

    def features(self, iface: str) -> dict[str, Offload]:
        """Every offload by the kernel's name ("rx-gro-hw", "rx-lro"); {} when it is unknown."""
        head = struct.pack("=IIQI", _GSSET_INFO, 0, 1 << _SET_FEATURES, 0)
        answer = self._ask(iface, head)
        if answer is None or not struct.unpack_from("=Q", answer, 8)[0]:
            return {}
        count = min(int(struct.unpack_from("=I", answer, 16)[0]), _MOST_NAMES)
        names = self._ask(
            iface,
            struct.pack("=III", _GSTRINGS, _SET_FEATURES, count).ljust(12 + _NAME * count, b"\0"),
        )
        blocks = (count + 31) // 32
        bits = self._ask(
            iface, struct.pack("=II", _GFEATURES, blocks).ljust(8 + 16 * blocks, b"\0")
        )
        if names is None or bits is None:
            return {}
        found = {}
        for number in range(count):
            name = names[12 + _NAME * number :][:_NAME].split(b"\0")[0].decode("ascii", "replace")
            # struct ethtool_get_features_block: available, requested, active, never_changed
            block = struct.unpack_from("=IIII", bits, 8 + 16 * (number // 32))
            available, _, active, never = (bool(word >> number % 32 & 1) for word in block)
            found[name] = Offload(active, available and not never)
        return found

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
