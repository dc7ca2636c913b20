"""Every match field x hook x {hit, miss, counter}, by test-run of the real programs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.kernel.dataplane import PLACES, Judgement, KernelBench
from tests.support.packets import frames as f
from xdpwall.values.terms import Place

HIT4 = f.ether(f.ipv4(f.udp()))
HIT6 = f.ether(f.ipv6(f.udp()))


@dataclass(frozen=True)
class Case:
    """A rule without its action, frames that satisfy it and frames that do not."""

    rule: str
    hits: list[bytes]
    misses: list[bytes]
    places: tuple[Place, ...] = PLACES


def v4(inner: f.Layer, **kw: object) -> bytes:
    return f.ether(f.ipv4(inner, **kw))  # type: ignore[arg-type]


def v6(inner: f.Layer, **kw: object) -> bytes:
    return f.ether(f.ipv6(inner, **kw))  # type: ignore[arg-type]


ARP = f.ether(f.arp(), pad=60)
LLC = f.ether(f.llc(), pad=60)
TAGGED = f.ether(f.tag(f.ipv4(f.udp()), 100))
FIRST6 = v6(f.fragment6(f.udp(), more=True))
LATER6 = v6(f.fragment6(f.udp(), offset=2))


def atomic(inner: f.Layer) -> bytes:
    """Behind an atomic fragment header."""
    return v6(f.fragment6(inner))


FIRST_NESTED = atomic(f.fragment6(f.udp(), more=True, ident=3))
LATER_NESTED = atomic(f.option(60, f.fragment6(f.udp(), offset=2, ident=3)))
THREE_NESTED = atomic(f.fragment6(f.fragment6(f.udp(), more=True, ident=3)))
TWO_ATOMIC = atomic(f.fragment6(f.udp()))

CASES = {
    "any ip": Case("", [HIT4, HIT6, TAGGED], [ARP, LLC]),
    "iface": Case("on eth0", [HIT4, HIT6], [ARP]),
    "iface other": Case("on eth1", [], [HIT4, HIT6]),
    "iface not": Case("on not eth1", [HIT4, HIT6], []),
    "iface not here": Case("on not eth0", [], [HIT4, HIT6]),
    "in": Case("in", [HIT4], [], ("xdp", "tc-ingress")),
    "in at egress": Case("in", [], [HIT4], ("tc-egress",)),
    "out": Case("out", [HIT4], [], ("tc-egress",)),
    "out at ingress": Case("out", [], [HIT4], ("xdp", "tc-ingress")),
    "family 4": Case("ipv4", [HIT4, TAGGED], [HIT6, ARP]),
    "family 6": Case("ipv6", [HIT6], [HIT4, ARP]),
    "proto icmp": Case(
        "icmp", [v4(f.icmp())], [v6(f.icmpv6()), v4(f.udp()), v6(f.raw(1, b"x" * 8))]
    ),
    "proto icmpv6": Case("icmpv6", [v6(f.icmpv6())], [v4(f.icmp()), v4(f.raw(58, b"x" * 8))]),
    "proto tcp": Case("tcp", [v4(f.tcp()), v6(f.tcp())], [HIT4, HIT6]),
    "proto udp": Case("udp", [HIT4, HIT6], [v4(f.tcp()), v6(f.tcp())]),
    "proto sctp": Case("sctp", [v4(f.sctp()), v6(f.sctp())], [HIT4, HIT6]),
    "proto gre": Case("gre", [v4(f.raw(47, b"x" * 8)), v6(f.raw(47, b"x" * 8))], [HIT4, HIT6]),
    "proto esp": Case("esp", [v4(f.raw(50, b"x" * 8)), v6(f.raw(50, b"x" * 8))], [HIT4, HIT6]),
    "proto ah": Case("ah", [v4(f.raw(51, b"x" * 12))], [HIT4, v6(f.ah(f.udp()))]),
    "proto number": Case("proto 99", [v4(f.raw(99)), v6(f.raw(99))], [HIT4, HIT6]),
    "src address 4": Case("from 10.0.0.1", [HIT4], [v4(f.udp(), src="10.0.0.2"), HIT6, ARP]),
    "src prefix 4": Case(
        "from 10.0.0.0/23",
        [HIT4, v4(f.udp(), src="10.0.1.255")],
        [v4(f.udp(), src="10.0.2.0"), v4(f.udp(), src="9.255.255.255")],
    ),
    "src short prefix 4": Case(
        "from 10.0.0.0/9",
        [HIT4, v4(f.udp(), src="10.127.255.255")],
        [v4(f.udp(), src="10.128.0.0"), v4(f.udp(), src="11.0.0.1")],
    ),
    "src everything 4": Case("from 0.0.0.0/0", [HIT4], [HIT6]),
    "src not 4": Case("from not 10.0.0.0/24", [v4(f.udp(), src="10.0.1.1")], [HIT4, HIT6]),
    "dst address 4": Case("to 10.0.1.1", [HIT4], [v4(f.udp(), dst="10.0.1.2"), HIT6]),
    "dst prefix 4": Case("to 10.0.1.0/30", [HIT4], [v4(f.udp(), dst="10.0.1.4")]),
    "dst not 4": Case("to not 10.0.1.1", [v4(f.udp(), dst="10.0.1.2")], [HIT4, HIT6]),
    "src address 6": Case("from 2001:db8::1", [HIT6], [v6(f.udp(), src="2001:db8::2"), HIT4]),
    "src prefix 6": Case(
        "from 2001:db8::/33",
        [HIT6, v6(f.udp(), src="2001:db8:7fff::")],
        [v6(f.udp(), src="2001:db8:8000::"), v6(f.udp(), src="2001:db7::1")],
    ),
    "src everything 6": Case("from ::/0", [HIT6], [HIT4]),
    "src not 6": Case("from not 2001:db8::/64", [v6(f.udp(), src="fd00::1")], [HIT6, HIT4]),
    "dst address 6": Case("to 2001:db8:1::1", [HIT6], [v6(f.udp(), dst="2001:db8:1::2"), HIT4]),
    "dst not 6": Case("to not 2001:db8:1::1", [v6(f.udp(), dst="fd00::1")], [HIT6, HIT4]),
    "sport": Case(
        "udp sport 1024",
        [HIT4, HIT6],
        [v4(f.udp(sport=1025)), v6(f.udp(sport=1025)), v4(f.tcp(sport=1024))],
    ),
    "sport list": Case(
        "tcp sport 1,1000-1030,65535",
        [v4(f.tcp()), v6(f.tcp(sport=65535)), v4(f.tcp(sport=1))],
        [v4(f.tcp(sport=999)), v4(f.tcp(sport=1031)), v4(f.tcp(sport=2)), v4(f.tcp(sport=0))],
    ),
    "sport not": Case("udp sport not 1024", [v4(f.udp(sport=1))], [HIT4, HIT6, v4(f.icmp())]),
    "dport": Case("udp/53", [HIT4, HIT6], [v4(f.udp(dport=54)), v6(f.udp(dport=52))]),
    "dport range": Case(
        "tcp/80-90", [v4(f.tcp()), v6(f.tcp(dport=90))], [v4(f.tcp(dport=79)), v6(f.tcp(dport=91))]
    ),
    "dport sctp": Case(
        "sctp/80", [v4(f.sctp()), v6(f.sctp())], [v4(f.sctp(dport=81)), v4(f.tcp())]
    ),
    "icmp type": Case(
        "icmp/echo-request", [v4(f.icmp()), v4(f.icmp(8, 7))], [v4(f.icmp(0)), v6(f.icmpv6(8))]
    ),
    "icmp code": Case("icmp/3/4", [v4(f.icmp(3, 4))], [v4(f.icmp(3, 3)), v4(f.icmp(4, 4))]),
    "icmpv6 type": Case("icmpv6/128", [v6(f.icmpv6())], [v6(f.icmpv6(129)), v4(f.icmp(128))]),
    "icmpv6 code": Case("icmpv6/1/4", [v6(f.icmpv6(1, 4))], [v6(f.icmpv6(1, 3))]),
    "tcp flags": Case(
        "tcp flags syn",
        [v4(f.tcp()), v6(f.tcp(flags="syn,ack"))],
        [v4(f.tcp(flags="ack")), v6(f.tcp(flags="")), HIT4],
    ),
    "tcp flags mask": Case(
        "tcp flags syn/syn,ack",
        [v4(f.tcp()), v6(f.tcp(flags="syn,urg"))],
        [v4(f.tcp(flags="syn,ack")), v6(f.tcp(flags="fin"))],
    ),
    "tcp flags none": Case(
        "tcp flags none/fin,syn,rst",
        [v4(f.tcp(flags="ack")), v6(f.tcp(flags=""))],
        [v4(f.tcp()), v6(f.tcp(flags="rst,ack"))],
    ),
    "vlan": Case(
        "vlan 100",
        [TAGGED, f.ether(f.tag(f.tag(f.ipv6(f.udp()), 7), 100, ethertype=0x88A8))],
        [
            HIT4,
            f.ether(f.tag(f.ipv4(f.udp()), 101)),
            f.ether(f.tag(f.tag(f.ipv4(f.udp()), 100), 7)),
        ],
    ),
    "vlan none": Case("vlan none", [HIT4, HIT6], [TAGGED]),
    "vlan not": Case("vlan not 100", [HIT4, f.ether(f.tag(f.ipv6(f.udp()), 0))], [TAGGED]),
    "length": Case("length 36", [HIT4], [v4(f.udp(b"")), v6(f.udp(b"")), f.ether(f.ipv6(f.udp()))]),
    "length range": Case(
        "length 36-56", [HIT4, HIT6], [v4(f.udp(b"x" * 29)), v4(f.udp(b"")), v6(f.udp(b"x" * 9))]
    ),
    "ttl": Case("ttl 64", [HIT4, HIT6], [v4(f.udp(), ttl=63), v6(f.udp(), hops=65)]),
    "ttl range": Case("ttl 1-5", [v4(f.udp(), ttl=1), v6(f.udp(), hops=5)], [HIT4, HIT6]),
    "fragment": Case(
        "fragment",
        [
            *(v4(f.udp(), more=True), v4(f.udp(), offset=2), FIRST6, LATER6),
            *(FIRST_NESTED, LATER_NESTED, THREE_NESTED),
        ],
        [HIT4, HIT6, atomic(f.udp()), TWO_ATOMIC],
    ),
    "fragment first": Case(
        "fragment first",
        [v4(f.udp(), more=True), FIRST6, FIRST_NESTED, THREE_NESTED],
        [HIT4, v4(f.udp(), offset=2), LATER6, LATER_NESTED, TWO_ATOMIC],
    ),
    "fragment later": Case(
        "fragment later",
        [v4(f.udp(), offset=2, more=True), LATER6, LATER_NESTED],
        [HIT4, v4(f.udp(), more=True), FIRST6, FIRST_NESTED, THREE_NESTED],
    ),
    "unfragmented": Case(
        "unfragmented",
        [HIT4, HIT6, atomic(f.udp()), TWO_ATOMIC],
        [v4(f.udp(), more=True), LATER6, FIRST_NESTED, LATER_NESTED, THREE_NESTED],
    ),
    "ethertype arp": Case("ethertype arp", [ARP, f.ether(f.tag(f.arp(), 5))], [HIT4, HIT6, LLC]),
    "ethertype number": Case(
        "ethertype 0x88cc", [f.ether(f.Layer(0x88CC, bytes(50)))], [ARP, HIT4, LLC]
    ),
    "ethertype any": Case("ethertype any", [ARP, LLC, HIT4, HIT6, TAGGED], []),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", CASES)
def test_field(bench: KernelBench, name: str, place: Place) -> None:
    case = CASES[name]
    if place not in case.places:
        case = Case(case.rule, [], case.hits)
    for action in ("drop", "accept", "count"):
        bench.load([f"{action} {case.rule}"])
        for frame in case.hits:
            assert bench.judge(place, frame) == Judgement(action == "drop", (0,)), frame.hex()
        for frame in case.misses:
            assert bench.judge(place, frame) == Judgement(False, ()), frame.hex()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("frame", [FIRST_NESTED, LATER_NESTED, THREE_NESTED, TWO_ATOMIC])
def test_an_atomic_fragment_header_hides_what_a_second_one_has_behind_it(
    bench: KernelBench, place: Place, frame: bytes
) -> None:
    """Also where a first fragment of the same datagram was seen."""
    bench.load(["count udp", "accept udp/53", "drop tcp/80"])
    assert not bench.run(place, v6(f.fragment6(f.udp(), more=True, ident=3)))
    assert bench.judge(place, frame) == Judgement(True, (2,))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("clause", ["fragment", "fragment later", "unfragmented"])
def test_whether_a_fragment_header_follows_a_broken_chain_is_not_known(
    bench: KernelBench, place: Place, clause: str
) -> None:
    inner = f.fragment6(f.udp(), more=True)
    for _ in range(8):
        inner = f.option(60, inner)
    bench.load([f"accept ipv6 {clause}", f"drop ipv6 {clause}"])
    for frame in (atomic(inner), FIRST_NESTED[: 14 + 40 + 15]):
        assert bench.judge(place, frame) == Judgement(True, (1,))


@pytest.mark.parametrize("place", PLACES)
def test_totals(bench: KernelBench, place: Place) -> None:
    bench.load(["drop udp/53"])
    before = bench.totals(place)
    for _ in range(3):
        assert bench.run(place, HIT4)
    assert not bench.run(place, ARP)
    after = bench.totals(place)
    assert after.dropped.packets - before.dropped.packets == 3
    assert after.dropped.bytes - before.dropped.bytes == 3 * len(HIT4)
    assert after.passed.packets - before.passed.packets == 1
    assert after.passed.bytes - before.passed.bytes == len(ARP)
    assert after.seen.packets - before.seen.packets == 4
    assert after.policy_dropped == before.policy_dropped
    assert after.errors.packets == 0
