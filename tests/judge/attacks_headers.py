"""Attacks by headers: extension headers, tags, lengths, options, and frames that end early."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.judge.attacks import Attack, ping6, udp, v4, v6
from tests.judge.victim import NOT_IP, REACHES, UNDELIVERED
from tests.support.packets import frames as f
from tests.support.packets.listener import ALERT, PADN, hop_by_hop

UDP53 = "drop udp/53"
NO_PROTOCOL6 = "Ip6InUnknownProtos"
BAD_HEADER, BAD_HEADER6 = "IpInHdrErrors", "Ip6InHdrErrors"
CUT_OFF = "IpExtInTruncatedPkts"


def stack(numbers: tuple[int, ...], inner: f.Layer) -> f.Layer:
    for number in reversed(numbers):
        inner = f.option(number, inner)
    return inner


def _stacked(many: int) -> Attack:
    seen = "stepped over" if many <= 8 else "past the eighth nothing is read: hidden"
    return Attack(
        f"{many} extension header{'s' * (many > 1)}",
        UDP53,
        lambda n: [v6(stack((60,) * many, udp()))],
        REACHES,
        seen,
    )


def routing(kind: int, left: int, inner: f.Layer, address: str = "") -> f.Layer:
    """A routing header: one address, or none."""
    data = bytes.fromhex(address)
    return f.Layer(
        43, struct.pack("!BBBBI", inner.number, len(data) // 8, kind, left, 0) + data + inner.data
    )


def jumbo(inner: f.Layer) -> f.Layer:
    """Hop-by-hop with a jumbo payload option (RFC 2675)."""
    size = 8 + len(inner.data)
    return f.Layer(0, struct.pack("!BBBBI", inner.number, 0, 0xC2, 4, size) + inner.data)


def tags(*numbers: int, kind: int = 0x8100) -> Callable[[int], list[bytes]]:
    def made(n: int) -> list[bytes]:
        inner = f.ipv4(udp())
        for number in reversed(numbers):
            inner = f.tag(inner, number, ethertype=kind)
        return [f.ether(inner)]

    return made


def long_udp(length: int) -> f.Layer:
    """A UDP datagram whose own length lies."""
    data = udp().data
    return f.Layer(17, data[:4] + struct.pack("!H", length) + data[6:])


HEADERS = (
    *(_stacked(many) for many in range(1, 13)),
    Attack(
        "hop-by-hop not first",
        UDP53,
        lambda n: [v6(stack((60, 0), udp()))],
        NO_PROTOCOL6,
        "stepped over wherever it stands",
    ),
    Attack(
        "mobility, HIP, shim6 headers",
        UDP53,
        lambda n: [v6(stack((k,), udp())) for k in (135, 139, 140)],
        NO_PROTOCOL6,
        "stepped over",
    ),
    Attack(
        "an authentication header",
        UDP53,
        lambda n: [v6(f.ah(udp()))],
        NO_PROTOCOL6,
        "stepped over: what AH protects is not encrypted",
    ),
    Attack(
        "an authentication header of 8 bytes",
        UDP53,
        lambda n: [v6(f.ah(udp(), words=0))],
        NO_PROTOCOL6,
        "shorter than an AH can be, so what follows is hidden",
    ),
    Attack(
        "an extension header that claims more than there is",
        UDP53,
        lambda n: [v6(f.option(60, udp(), claimed=200))],
        BAD_HEADER6,
        "cut off: what follows is hidden",
    ),
    Attack(
        "an unknown next header",
        UDP53,
        lambda n: [v6(f.Layer(253, struct.pack("!BB", 17, 0) + bytes(6) + udp().data))],
        NO_PROTOCOL6,
        "it is protocol 253, nobody steps over it",
        dropped=0,
    ),
    Attack(
        "no next header, UDP behind it",
        UDP53,
        lambda n: [v6(f.raw(59, udp().data))],
        "Ip6InDelivers",
        "it is protocol 59, and what follows is nobody's",
        dropped=0,
    ),
    Attack(
        "ESP, null-encrypted UDP inside",
        UDP53,
        lambda n: [
            v4(f.raw(50, struct.pack("!II", 1, n) + udp().data + b"\1\2\2\x11")),
            v6(f.raw(50, struct.pack("!II", 1, n) + udp().data + b"\1\2\2\x11")),
        ],
        NO_PROTOCOL6,
        "it is protocol 50; without a security association Linux throws it away. `drop esp` drops it",
        dropped=0,
    ),
    Attack(
        "ESP",
        "drop esp",
        lambda n: [v4(f.raw(50, bytes(32))), v6(f.option(60, f.raw(50, bytes(32))))],
        NO_PROTOCOL6,
        "50 is the protocol, behind extension headers too",
    ),
    Attack(
        "routing header type 0, no segment left (RFC 5095)",
        UDP53,
        lambda n: [v6(routing(0, 0, udp()))],
        REACHES,
        "stepped over",
    ),
    Attack(
        "routing header: our address now, the guarded one next",
        "drop to 2001:db8::53",
        lambda n: [
            v6(routing(kind, 1, udp(), "20010db8000000000000000000000053")) for kind in (0, 2, 3, 4)
        ],
        BAD_HEADER6,
        "Linux takes none on: type 0 is dead (RFC 5095), segment routing is off unless asked for",
        dropped=0,
    ),
    Attack(
        "jumbogram (RFC 2675)",
        UDP53,
        lambda n: [v6(jumbo(udp()), payload=0)],
        BAD_HEADER6,
        "its length is hidden, its ports are read up to the frame's end",
    ),
    Attack(
        "payload length 0 behind a hop-by-hop header, but no jumbo option",
        UDP53,
        lambda n: [v6(f.option(0, udp()), payload=0)],
        REACHES,
        "as a jumbogram: Linux takes the frame's length, and so do we",
    ),
    Attack(
        "payload length 0",
        UDP53,
        lambda n: [v6(udp(), payload=0)],
        "Udp6InErrors",
        "nothing of UDP is inside the packet: hidden",
    ),
    Attack(
        "IPv6 payload length shorter than UDP's header",
        UDP53,
        lambda n: [v6(udp(), payload=k) for k in range(4)],
        "Udp6InErrors",
        "ports outside the packet are hidden",
    ),
    Attack(
        "IPv6 payload length longer than the frame",
        UDP53,
        lambda n: [v6(udp(), payload=2000)],
        "Ip6InTruncatedPkts",
        "the ports are inside the frame and are read",
    ),
    Attack(
        "IPv4 options",
        UDP53,
        lambda n: [v4(udp(), options=bytes([1] * k)) for k in (4, 20, 40)],
        REACHES,
        "stepped over by the header's length",
    ),
    Attack(
        "source routing: a guarded address next",
        "drop to 10.0.0.53",
        lambda n: [v4(udp(), options=bytes([kind, 7, 4, 10, 0, 0, 53, 0])) for kind in (131, 137)],
        UNDELIVERED,
        "Linux drops packets with a source route (accept_source_route is 0)",
        dropped=0,
    ),
    Attack(
        "IPv4 header of fewer than 5 words",
        UDP53,
        lambda n: [v4(udp(), words=k) for k in range(5)],
        BAD_HEADER,
        "everything behind the ethertype is hidden",
    ),
    Attack(
        "IPv4 header that claims the ports",
        UDP53,
        lambda n: [v4(udp(), words=k) for k in (7, 8, 12, 15)],
        BAD_HEADER,
        "the ports are where the header's length says, for Linux too; past the frame's end all is hidden",
        dropped=2,
    ),
    Attack(
        "IPv4 total length shorter than the headers",
        UDP53,
        lambda n: [v4(udp(), total=k) for k in (0, 8, 19, 20, 23)],
        BAD_HEADER,
        "below 20 all is hidden, below 24 the ports are",
    ),
    Attack(
        "IPv4 total length longer than the frame",
        UDP53,
        lambda n: [v4(udp(), total=k) for k in (37, 1500, 65535)],
        CUT_OFF,
        "the ports are inside the frame and are read",
    ),
    Attack(
        "padding as payload: UDP behind the packet's end",
        UDP53,
        lambda n: [v4(udp(), total=20) + bytes(20), v6(udp(), payload=0) + bytes(20)],
        "UdpInErrors",
        "padding is not packet; a UDP packet without ports has hidden ones",
    ),
    Attack(
        "UDP length too long",
        UDP53,
        lambda n: [v4(long_udp(2000)), v6(long_udp(2000))],
        "UdpInErrors",
        "UDP's own length is not looked at; ports are ports",
    ),
    Attack(
        "UDP length too short",
        UDP53,
        lambda n: [v4(long_udp(8)), v6(long_udp(8))],
        REACHES,
        "as above",
    ),
    Attack(
        "a VLAN tag of number 0",
        UDP53,
        tags(0),
        REACHES,
        "a priority tag, which Linux takes off; stepped over",
    ),
    Attack("two tags of number 0", UDP53, tags(0, 0), REACHES, "stepped over"),
    Attack(
        "three tags of number 0",
        UDP53,
        tags(0, 0, 0),
        REACHES,
        "behind a third tag everything is hidden, even whether it is IP",
    ),
    Attack("four tags of number 0", UDP53, tags(0, 0, 0, 0), REACHES, "as above"),
    Attack(
        "three 802.1ad tags of number 0", UDP53, tags(0, 0, 0, kind=0x88A8), REACHES, "as above"
    ),
    Attack("double tags", UDP53, tags(100, 7), NOT_IP, "both are stepped over"),
    Attack("triple tags", UDP53, tags(1, 2, 3), NOT_IP, "behind a third tag everything is hidden"),
    Attack("tags of type 0x9100", UDP53, tags(0, 0, kind=0x9100), NOT_IP, "stepped over"),
    Attack(
        "IP in LLC/SNAP",
        UDP53,
        lambda n: [
            f.ether(f.llc(b"\xaa\xaa\x03\0\0\0\x08\0" + f.ipv4(udp()).data)),
            f.ether(f.llc(b"\x06\x06\x03" + f.ipv4(udp()).data)),
        ],
        NOT_IP,
        "not IP for Linux, nor for us; `drop ethertype any` drops it",
        dropped=0,
    ),
    Attack(
        "IPv4 under IPv6's ethertype and the other way round",
        UDP53,
        lambda n: [
            f.ether(f.Layer(0x86DD, f.ipv4(udp(size=64)).data)),
            f.ether(f.Layer(0x0800, f.ipv6(udp(size=64)).data)),
        ],
        BAD_HEADER6,
        "the wrong version hides everything",
    ),
    Attack(
        "IPv4 under the ethertypes of ARP, MPLS, PPPoE and a number of nobody's",
        UDP53,
        lambda n: [
            f.ether(f.Layer(kind, f.ipv4(udp()).data)) for kind in (0x0806, 0x8847, 0x8864, 0x1234)
        ],
        NOT_IP,
        "not IP; what is inside tunnels is not looked at",
        dropped=0,
    ),
    Attack(
        "a frame cut at every byte",
        UDP53,
        lambda n: [v4(udp())[:k] for k in range(14, 50)] + [v6(udp())[:k] for k in range(14, 70)],
        CUT_OFF,
        "a header that is cut off hides its fields; once the ports are there they are read",
    ),
    Attack(
        "a VLAN tag that is cut off",
        UDP53,
        lambda n: [tags(0)(n)[0][:k] for k in range(14, 18)],
        NOT_IP,
        "everything is hidden. Linux drops such a frame ahead of tc",
        unseen_at_tc=4,
    ),
    Attack(
        "a tagged frame cut at every byte",
        UDP53,
        lambda n: [tags(0)(n)[0][:k] for k in range(20, 54)],
        CUT_OFF,
        "as without a tag",
    ),
    Attack(
        "a ping behind a destination option",
        "drop icmpv6/echo-request",
        lambda n: [v6(f.option(60, ping6()))],
        REACHES,
        "the type is read behind extension headers",
    ),
    Attack(
        "a ping in the form of multicast listener discovery",
        "accept udp/9999",
        lambda n: [v6(hop_by_hop(ALERT + PADN, ping6()), hops=1)],
        REACHES,
        "only the types 130 to 132 and 143 pass a drop policy",
    ),
)
