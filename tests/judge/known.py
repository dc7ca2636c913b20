"""Known differences of nftables and xdpwall: the reason, who is wrong, and frames that prove it.

The proof is the verdict of Linux itself: how it treats the frames without any firewall.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tests.judge.attacks import part, pieces4, tcp, udp, v4, v6
from tests.judge.attacks_headers import stack, tags
from tests.judge.victim import REACHES
from tests.support.oracle.reference.packet import Hidden, Packet
from tests.support.packets import frames as f

TAG_TYPES = (0x8100, 0x88A8, 0x9100)
Applies = Callable[[bytes, Packet, Packet], bool]
"""(frame, as we see it, as nftables sees it)"""


@dataclass(frozen=True)
class Known:
    """One reason. The witness: rule and frames, how many each drops, what Linux does alone."""

    name: str
    whose: str
    """"nftables", or "xdpwall" where a limit of ours is the reason."""
    why: str
    applies: Applies
    rule: str
    frames: Callable[[int], list[bytes]]
    nftables: int
    xdpwall: int
    alone: str


def _hidden(packet: Packet, *words: str) -> bool:
    return any(word in why for why in packet.hidden.values() for word in words)


def _more_tags(frame: bytes, ours: Packet, theirs: Packet) -> bool:
    kinds = [int.from_bytes(frame[at : at + 2], "big") for at in (12, 16)]
    return kinds[0] == 0x9100 or (kinds[0] in TAG_TYPES and kinds[1] in TAG_TYPES)


def _reads_more(frame: bytes, ours: Packet, theirs: Packet) -> bool:
    return any(getattr(theirs, name) is not None for name in ours.hidden)


def ports_at(offset: int, port: int, size: int = 64) -> f.Layer:
    """A datagram to port 53 whose payload reads like one to `port` from byte `offset` on."""
    data = udp(size=size).data
    return f.Layer(17, data[:offset] + struct.pack("!HH", 1024, port) + data[offset + 4 :])


def flow_label(frame: bytes, label: int) -> bytes:
    return frame[:15] + label.to_bytes(3, "big") + frame[18:]


KNOWN = (
    Known(
        "behind a second tag",
        "nftables",
        "it reads no IP behind a second VLAN tag, though Linux takes off priority tags, however"
        " many, and hands the packet to the socket",
        _more_tags,
        "drop udp/53",
        lambda n: [*tags(0, 0)(n), *tags(0, 0, 0)(n)],
        0,
        2,
        REACHES,
    ),
    Known(
        "a broken IP header",
        "nftables",
        "`ip saddr` reads its bytes in a header of another version or of fewer than 5 words, which"
        " is no header; to us all of it is hidden, and a drop rule matches",
        lambda frame, ours, theirs: isinstance(ours.src, Hidden),
        "drop from 10.0.0.9",
        lambda n: [v4(udp(), words=3), v4(udp(), version=6), v4(udp(), total=19)],
        0,
        3,
        "IpInHdrErrors",
    ),
    Known(
        "later IPv4 fragments",
        "nftables",
        "it takes payload bytes of a later fragment for ports. The datagram here is to port 53, as"
        " the socket says; its payload reads 9999 where a fragment begins. We know the port from"
        " the first fragment",
        lambda frame, ours, theirs: ours.family == 4 and ours.fragment == "later",
        "drop udp/9999",
        lambda n: pieces4(ports_at(24, 9999), n, 24),
        1,
        0,
        REACHES,
    ),
    Known(
        "later IPv6 fragments",
        "nftables",
        "it takes the first bytes of the IPv6 header for ports: the flow label is the destination"
        " port. The datagram here is to port 53, with flow label 9999",
        lambda frame, ours, theirs: ours.family == 6 and ours.fragment == "later",
        "drop udp/9999",
        lambda n: [
            flow_label(
                v6(f.fragment6(part(udp(size=64), a, b), offset=a // 8, more=b < 72, ident=n)), 9999
            )
            for a, b in ((0, 24), (24, 72))
        ],
        1,
        0,
        REACHES,
    ),
    Known(
        "authentication headers",
        "nftables",
        "AH is the protocol to it and hides the port, though what follows is in the clear"
        " (RFC 4302)",
        lambda frame, ours, theirs: ours.family == 6 and theirs.proto == 51,
        "drop udp/53",
        lambda n: [v6(f.ah(udp()))],
        0,
        1,
        "Ip6InUnknownProtos",
    ),
    Known(
        "mobility, HIP and shim6 headers",
        "nftables",
        "it does not step over them, though they are extension headers (RFC 7045)",
        lambda frame, ours, theirs: ours.family == 6 and theirs.proto in (135, 139, 140),
        "drop udp/53",
        lambda n: [v6(stack((kind,), udp())) for kind in (135, 139, 140)],
        0,
        3,
        "Ip6InUnknownProtos",
    ),
    Known(
        "lengths that claim more than the frame",
        "nftables",
        "it reads nothing behind such an IP header, though the ports are there; Linux drops the"
        " packet",
        lambda frame, ours, theirs: theirs.proto is None and isinstance(ours.proto, int),
        "drop udp/53",
        lambda n: [v4(udp(), total=1500)],
        0,
        1,
        "IpExtInTruncatedPkts",
    ),
    Known(
        "the length of a jumbogram",
        "nftables",
        "its length is in an option, and not 40",
        lambda frame, ours, theirs: isinstance(ours.length, Hidden),
        "drop length 1000-65000",
        lambda n: [v6(f.option(0, udp()), payload=0)],
        0,
        1,
        REACHES,
    ),
    Known(
        "more than 8 extension headers",
        "xdpwall",
        "it reads on; we stop after 8, and a drop rule then matches whatever the port is. The"
        " datagram here is to port 53",
        lambda frame, ours, theirs: _hidden(ours, "more than"),
        "drop udp/9999",
        lambda n: [v6(stack((60,) * 9, udp()))],
        0,
        1,
        REACHES,
    ),
    Known(
        "a second fragment header",
        "xdpwall",
        "it reads on; to us what follows is hidden. Linux drops it",
        lambda frame, ours, theirs: _hidden(ours, "second fragment header"),
        "drop udp/9999",
        lambda n: [v6(f.fragment6(f.fragment6(udp(), ident=n), ident=n))],
        0,
        1,
        "Ip6InHdrErrors",
    ),
    Known(
        "bytes behind the packet's end",
        "nftables",
        "it takes Ethernet padding for ports, and accepts a packet that has none",
        _reads_more,
        "accept udp/53",
        lambda n: [v4(udp(), total=20)],
        0,
        1,
        "UdpInErrors",
    ),
    Known(
        "what can't be read",
        "nftables",
        "no rule of it matches what it can't read, so a SYN in tiny fragments passes and is"
        " answered; our drop rules match it",
        lambda frame, ours, theirs: bool(ours.hidden),
        "drop tcp flags syn/syn,ack",
        lambda n: pieces4(tcp(n), n, 8),
        0,
        2,
        REACHES,
    ),
)


def reason(frame: bytes, ours: Packet, theirs: Packet) -> str | None:
    """The first known reason that applies."""
    return next((k.name for k in KNOWN if k.applies(frame, ours, theirs)), None)
