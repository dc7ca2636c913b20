"""Attacks by fragments."""

from __future__ import annotations

from tests.judge.attacks import Attack, part, piece6, pieces4, pieces6, ping6, tcp, udp, v4, v6
from tests.judge.victim import REACHES
from tests.support.packets import frames as f

UDP53, SYN = "drop udp/53", "drop tcp flags syn/syn,ack"
ECHO, ECHO6 = "drop icmp/echo-request", "drop icmpv6/echo-request"
REASSEMBLY, REASSEMBLY6 = "IpReasmFails", "Ip6ReasmFails"

FRAGMENTS = (
    Attack(
        "fragments, in order",
        UDP53,
        lambda n: pieces4(udp(size=64), n, 24, 48),
        REACHES,
        "the later ones are judged by what the first said",
    ),
    Attack(
        "fragments, the last first",
        UDP53,
        lambda n: pieces4(udp(size=64), n, 24, 48)[::-1],
        REACHES,
        "a later fragment whose first was not seen hides its ports, and what hides matches drop",
    ),
    Attack(
        "tiny first fragment: ports, no flags (RFC 1858)",
        SYN,
        lambda n: pieces4(tcp(n), n, 8),
        REACHES,
        "flags behind the fragment's end are hidden; TCP at 8 bytes is hidden whatever came first",
    ),
    Attack(
        "tiny first fragment, the second first",
        SYN,
        lambda n: pieces4(tcp(n), n, 8)[::-1],
        REACHES,
        "as above; the order changes nothing",
    ),
    Attack(
        "flags overwritten by a second fragment at 8 bytes (RFC 1858)",
        SYN,
        lambda n: [
            v4(part(tcp(n, "ack"), 0, 16), n, more=True),
            v4(part(tcp(n), 8), n, offset=1),
        ],
        REASSEMBLY,
        "the first says ACK and passes; TCP at 8 bytes is hidden, and dropped; alone the first is no segment",
        dropped=1,
    ),
    Attack(
        "a second first fragment overwrites the port (RFC 3128)",
        UDP53,
        lambda n: [
            v4(part(udp(9999, 64), 0, 24), n, more=True),
            v4(part(udp(size=64), 0, 8), n, more=True),
            v4(part(udp(size=64), 24), n, offset=3),
        ],
        "UdpNoPorts",
        "each first fragment is judged by its own port and takes the other's place in the memory",
        dropped=2,
    ),
    Attack(
        "the dropped first fragment replaced by one that passes",
        UDP53,
        lambda n: [
            v4(part(udp(size=64), 0, 24), n, more=True),
            v4(part(udp(9999, 64), 0, 24), n, more=True),
            v4(part(udp(size=64), 24), n, offset=3),
        ],
        REACHES,
        "what arrives is a datagram to port 9999: the one to 53 lost its head",
        dropped=1,
    ),
    Attack(
        "TCP: a shorter first fragment over a harmless one (RFC 3128)",
        "drop tcp/53",
        lambda n: [
            v4(part(f.tcp(dport=9999), 0, 16), n, more=True),
            v4(part(tcp(n), 0, 8), n, more=True),
            v4(part(tcp(n), 16), n, offset=2),
        ],
        "TcpInCsumErrors",
        "the second first fragment shows port 53 and is dropped, and so is what follows it",
        dropped=2,
    ),
    Attack(
        "fragments without a first",
        UDP53,
        lambda n: [v4(f.raw(17, bytes(24)), n, offset=k, more=k < 7) for k in (1, 4, 7)],
        "IpReasmReqds",
        "their ports are hidden; Linux waits for the first in vain",
    ),
    Attack(
        "a first fragment without one byte of UDP",
        UDP53,
        lambda n: [v4(f.raw(17), n, more=True), *pieces4(udp(size=64), n, 24)[::-1]],
        REACHES,
        "no ports, so they are hidden, in it and in what follows",
    ),
    Attack(
        "a fragmented ping, the last first",
        ECHO,
        lambda n: pieces4(f.icmp(payload=b"x" * 64), n, 24)[::-1],
        REACHES,
        "the type is hidden where the first was not seen",
    ),
    Attack(
        "a fragment that would end behind 65535 bytes",
        UDP53,
        lambda n: [
            v4(part(udp(size=64), 0, 24), n, more=True),
            v4(f.raw(17, bytes(64)), n, offset=8191),
        ],
        "IpReasmReqds",
        "judged by what the first said, like any later fragment",
    ),
    Attack(
        "IPv6 fragments, in order",
        UDP53,
        lambda n: pieces6(udp(size=64), n, 24, 48),
        REACHES,
        "as IPv4",
    ),
    Attack(
        "IPv6 fragments, the last first",
        UDP53,
        lambda n: pieces6(udp(size=64), n, 24, 48)[::-1],
        REACHES,
        "as IPv4; the protocol named by a fragment header is read, the ports are not",
    ),
    Attack(
        "an atomic fragment (RFC 6946)",
        UDP53,
        lambda n: [v6(f.fragment6(udp(), ident=n))],
        REACHES,
        "it is no fragment: the headers behind it are read",
    ),
    Attack(
        "the header chain goes on in the second fragment (RFC 7112)",
        UDP53,
        lambda n: pieces6(f.option(60, udp(size=32), units=2), n, 8, 24),
        "Ip6InHdrErrors",
        "a chain cut by the fragment's end hides protocol and ports, in all of the datagram",
    ),
    Attack(
        "the same, the first fragment last",
        UDP53,
        lambda n: pieces6(f.option(60, udp(size=32), units=2), n, 8, 24)[::-1],
        "Ip6InHdrErrors",
        "the fragment header names an extension header: the protocol is hidden",
    ),
    Attack(
        "the port behind an extension header overwritten (RFC 5722)",
        UDP53,
        lambda n: [
            piece6(f.option(60, udp(9999, 32)), n, 0, 24, more=True),
            piece6(f.option(60, udp(53, 32)), n, 8, 48, more=False),
        ],
        REASSEMBLY6,
        "judged as port 9999; RFC 5722 forbids overlaps, and Linux throws the whole datagram away",
        dropped=0,
    ),
    Attack(
        "TCP flags behind an extension header overwritten (RFC 5722)",
        SYN,
        lambda n: [
            piece6(f.option(60, tcp(n, "ack", family=6, payload=bytes(12))), n, 0, 32, more=True),
            piece6(f.option(60, tcp(n, family=6, payload=bytes(12))), n, 16, 40, more=False),
        ],
        REASSEMBLY6,
        "judged as ACK, since only 8 bytes behind the fragment header count as tiny; Linux throws"
        " the overlap away (RFC 5722)",
        dropped=0,
    ),
    Attack(
        "IPv6: a tiny first fragment of TCP",
        SYN,
        lambda n: pieces6(tcp(n, family=6), n, 8),
        "Ip6InHdrErrors",
        "as IPv4",
    ),
    Attack(
        "the memory poisoned by a fragment that Linux refuses",
        SYN,
        lambda n: [
            v6(f.fragment6(f.raw(17, udp(9999).data[:12]), more=True, ident=n)),
            piece6(tcp(n, family=6), n, 8, 20, more=False),
            piece6(tcp(n, family=6), n, 0, 8, more=True),
        ],
        "Ip6InHdrErrors",
        "the second passes as UDP of a datagram that never was; the first of TCP hides its flags"
        " and is dropped",
        dropped=1,
    ),
    Attack(
        "a fragmented IPv6 ping, the last first",
        ECHO6,
        lambda n: pieces6(ping6(b"x" * 64), n, 24)[::-1],
        REACHES,
        "as IPv4",
    ),
    Attack(
        "a fragment inside a fragment",
        UDP53,
        lambda n: [v6(f.fragment6(f.fragment6(udp(), ident=n), ident=n + 1))],
        "Ip6InHdrErrors",
        "behind a second fragment header protocol and ports are hidden",
    ),
    Attack(
        "a first fragment inside an atomic one, and its rest",
        UDP53,
        lambda n: [
            v6(f.fragment6(f.fragment6(part(udp(size=64), 0, 24), more=True, ident=n))),
            v6(f.fragment6(f.fragment6(part(udp(size=64), 24), offset=3, ident=n))),
        ],
        "Ip6InHdrErrors",
        "as above",
    ),
    Attack(
        "fragments inside one and two atomic ones",
        "drop ipv6 fragment",
        lambda n: [
            v6(f.fragment6(f.fragment6(part(udp(size=64), 0, 24), more=True, ident=n))),
            v6(f.fragment6(f.fragment6(part(udp(size=64), 24), offset=3, ident=n))),
            v6(f.fragment6(f.fragment6(f.fragment6(part(udp(), 0, 8), more=True, ident=n)))),
        ],
        "Ip6InHdrErrors",
        "the real fragment header makes the packet a fragment",
    ),
    Attack(
        "an accept earned by a fragment that Linux refuses",
        "accept udp/9999",
        lambda n: [
            broken_checksum(v4(part(udp(9999, 64), 0, 24), n, more=True)),
            *pieces4(udp(size=64), n, 24)[::-1],
        ],
        REACHES,
        "the rest passes as port 9999, but the first fragment is judged by its own port",
        dropped=1,
    ),
    Attack(
        "an accept earned by hidden ports",
        "accept udp/9999",
        lambda n: [*pieces4(udp(size=64), n, 24)[::-1], v4(udp(), total=20)],
        REACHES,
        "what can't be read does not match accept",
    ),
)


def broken_checksum(frame: bytes) -> bytes:
    """Its IPv4 header's is wrong."""
    return frame[:24] + bytes([frame[24] ^ 1]) + frame[25:]
