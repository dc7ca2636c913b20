"""Events as a capture file that Wireshark opens: pcapng, draft-ietf-opsawg-pcapng. Pure.

One section; an interface block for each interface at its first packet; the verdict and the rule in
each packet's comment, and the verdict also in the format's option for XDP and tc programs.
"""

from __future__ import annotations

import struct
from datetime import datetime

from xdpwall.version import __version__
from xdpwall.views.events import PacketEvent

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_END, _COMMENT = 0, 1
_IF_NAME, _USER_APPLICATION = 2, 4
_FLAGS, _VERDICT = 2, 7
_ETHERNET = 1
_SNAPLEN = 256 + 4
_TC, _XDP = 1, 2
_VERDICTS = {("drop", _XDP): 1, ("pass", _XDP): 2, ("drop", _TC): 2, ("pass", _TC): -1}
"""XDP_DROP, XDP_PASS, TC_ACT_SHOT, TC_ACT_UNSPEC."""
_XDP_TX = 3


class PcapWriter:
    """Encodes packets block by block; times are in microseconds, the format's default."""

    def __init__(self) -> None:
        self._interfaces: dict[str, int] = {}

    def head(self) -> bytes:
        """The section header block, which begins the file."""
        application = _option(_USER_APPLICATION, f"xdpwall {__version__}".encode())
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        return _block(_SECTION, body + application + _option(_END, b""))

    def packet(self, event: PacketEvent) -> bytes:
        """One packet, after its interface when that is new."""
        before = b""
        if event.iface not in self._interfaces:
            self._interfaces[event.iface] = len(self._interfaces)
            name = _option(_IF_NAME, event.iface.encode()) + _option(_END, b"")
            before = _block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, _SNAPLEN) + name)
        data, size = _frame(event)
        when = datetime.fromisoformat(event.time)
        stamp = int(when.timestamp()) * 1_000_000 + when.microsecond
        body = struct.pack(
            "<IIIII",
            *(self._interfaces[event.iface], stamp >> 32, stamp & 0xFFFFFFFF, len(data), size),
        )
        hook = _XDP if event.place == "xdp" else _TC
        options = _option(_COMMENT, packet_comment(event).encode())
        if event.direction is not None:
            options += _option(_FLAGS, struct.pack("<I", 1 if event.direction == "ingress" else 2))
            code = _XDP_TX if event.answered else _VERDICTS[event.verdict, hook]
            options += _option(_VERDICT, struct.pack("<Bq", hook, code))
        return before + _block(_PACKET, body + _padded(data) + options + _option(_END, b""))


def packet_comment(event: PacketEvent) -> str:
    """`drop by rule noping at docker0 xdp, logged by rule watch, state invalid, revision 7`"""
    by = f"rule {event.rule}" if event.rule else "the policy"
    where = f"{event.iface} {event.place}" if event.place else event.iface
    logged = f", logged by rule {event.log}" if event.log and event.log != event.rule else ""
    more = [f"state {event.state}"] if event.state else []
    more += ["answered"] if event.answered else []
    more += [f"revision {event.revision}"]
    return ", ".join([f"{event.verdict} by {by} at {where}{logged}", *more])


def _frame(event: PacketEvent) -> tuple[bytes, int]:
    """The bytes captured and the frame's length; a stripped VLAN tag is put back."""
    data = bytes.fromhex(event.data or "")
    if not event.stripped or event.vlan is None or len(data) < 14:
        return data, event.bytes
    tag = struct.pack(">HH", 0x8100, event.vlan)
    return data[:12] + tag + data[12:], event.bytes + 4


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
