"""The reference's judge, by hand: what a rule means, sentence by sentence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.oracle.reference.judge import Attachment, Ruling, judge
from tests.support.oracle.reference.memory import FragmentMemory
from tests.support.packets import frames as f
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Direction

DROP = Policy(ingress="drop", egress="drop", non_ip="drop")


def v4(inner: f.Layer, **kw: Any) -> bytes:
    return f.ether(f.ipv4(inner, **kw))


def v6(inner: f.Layer, **kw: Any) -> bytes:
    return f.ether(f.ipv6(inner, **kw))


def ruled(
    frame: bytes,
    *rules: str,
    policy: Policy | None = None,
    direction: Direction = "ingress",
    memory: FragmentMemory | None = None,
    now: float = 0.0,
) -> Ruling:
    return judge(
        frame,
        [Rule.parse(rule) for rule in rules],
        policy or Policy(),
        Attachment("eth0", direction),
        memory or FragmentMemory(),
        now=now,
    )


def matched(rule: str, frame: bytes, **kw: Any) -> bool:
    """Does an ordinary rule match, whatever its action?"""
    answers = {bool(ruled(frame, f"{action} {rule}", **kw).counted) for action in ACTIONS}
    assert len(answers) == 1, "the actions differ: something could not be read"
    return answers.pop()


ACTIONS = ("drop", "accept", "count")
UDP4, UDP6, ARP = v4(f.udp()), v6(f.udp()), f.ether(f.arp())
TAGGED = f.ether(f.tag(f.ipv4(f.udp()), 100))
THREE_TAGS = f.ether(f.tag(f.tag(f.tag(f.arp(), 3), 2), 1))

MATCHES: dict[str, tuple[list[bytes], list[bytes]]] = {
    "": ([UDP4, UDP6], [ARP, f.ether(f.llc())]),
    "ethertype any": ([UDP4, UDP6, ARP, f.ether(f.llc()), THREE_TAGS], []),
    "ethertype arp": ([ARP, f.ether(f.tag(f.arp(), 1))], [UDP4, f.ether(f.llc())]),
    "ipv4": ([UDP4], [UDP6, ARP]),
    "in": ([UDP4], []),
    "out": ([], [UDP4]),
    "on eth0": ([UDP4], []),
    "on eth1": ([], [UDP4]),
    "on not eth1": ([UDP4], []),
    "on not eth0": ([], [UDP4]),
    "from 10.0.0.0/8": ([UDP4], [UDP6, v4(f.udp(), src="11.0.0.1")]),
    "from not 10.0.0.0/8": ([v4(f.udp(), src="11.0.0.1")], [UDP4, UDP6]),
    "to 2001:db8:1::/48": ([UDP6], [UDP4, v6(f.udp(), dst="2001:db8:2::")]),
    "from not 2001:db8::/32": ([v6(f.udp(), src="fe80::1")], [UDP4, UDP6]),
    "to 0.0.0.0/0": ([UDP4], [UDP6]),
    "to not 0.0.0.0/0": ([], [UDP4, UDP6]),
    "vlan 100": ([TAGGED], [UDP4]),
    "vlan not 100": ([UDP4, f.ether(f.tag(f.ipv4(f.udp()), 99))], [TAGGED]),
    "vlan none": ([UDP4], [TAGGED, f.ether(f.tag(f.ipv4(f.udp()), 0))]),
    "vlan not none": ([TAGGED], [UDP4]),
    "vlan 2 ethertype any": ([], [THREE_TAGS]),
    "vlan 1 ethertype any": ([THREE_TAGS], []),
    "udp": ([UDP4, UDP6], [v4(f.tcp())]),
    "udp/50-53,99": ([UDP4, UDP6], [v4(f.udp(dport=54)), v4(f.tcp(dport=53))]),
    "udp dport not 53": ([v4(f.udp(dport=54))], [UDP4, v4(f.tcp(dport=54))]),
    "udp sport 1024": ([UDP4], [v4(f.udp(sport=53, dport=1024))]),
    "icmp": ([v4(f.icmp())], [v6(f.raw(1, bytes(8))), v6(f.icmpv6())]),
    "icmpv6": ([v6(f.icmpv6())], [v4(f.raw(58, bytes(8)))]),
    "proto 50": ([v4(f.raw(50)), v6(f.raw(50))], [UDP4]),
    "icmp/3/4": ([v4(f.icmp(3, 4))], [v4(f.icmp(3, 3)), v4(f.icmp(4, 4))]),
    "tcp flags syn": ([v4(f.tcp(flags="syn,ack"))], [v4(f.tcp(flags="ack")), UDP4]),
    "tcp flags syn/syn,ack": ([v4(f.tcp(flags="syn"))], [v4(f.tcp(flags="syn,ack"))]),
    "tcp flags none/syn,ack": ([v4(f.tcp(flags="fin"))], [v4(f.tcp(flags="syn"))]),
    "length 36-55": ([UDP4], [UDP6, v4(f.udp(b""))]),
    "ttl 64": ([UDP4, UDP6], [v4(f.udp(), ttl=63)]),
    "fragment": ([v4(f.udp(), more=True)], [UDP4, v6(f.fragment6(f.udp()))]),
    "fragment first": ([v4(f.udp(), more=True)], [UDP4]),
    "unfragmented": ([UDP4, v6(f.fragment6(f.udp()))], [v4(f.udp(), more=True)]),
    "until 2100-01-01T00:00:00Z": ([UDP4], []),
    "until 2020-01-01T00:00:00Z": ([], [UDP4]),
    "disabled": ([], [UDP4]),
}


@pytest.mark.parametrize("rule", MATCHES)
def test_matches(rule: str) -> None:
    hits, misses = MATCHES[rule]
    for frame in hits:
        assert matched(rule, frame), frame.hex()
    for frame in misses:
        assert not matched(rule, frame), frame.hex()


UNREADABLE: dict[str, tuple[bytes, list[str], list[str]]] = {
    "ports": (
        v4(f.udp(), total=23),
        ["udp/53", "udp/54", "udp dport not 53", "udp sport 1 from 10.0.0.0/8"],
        ["tcp/53", "udp/53 from 11.0.0.0/8", "udp/53 out", "icmp/8", "udp/53 ttl 1"],
    ),
    "flags": (
        v4(f.tcp(), total=33),
        ["tcp flags syn", "tcp flags rst", "tcp/80 flags none/syn"],
        ["tcp/81 flags syn", "udp/80"],
    ),
    "the ipv4 header": (
        v4(f.udp(), version=5),
        ["from 1.1.1.1", "from not 1.1.1.1", "icmp/8", "length 1", "ttl 1", "fragment"]
        + ["unfragmented", "udp vlan none", "tcp/1 flags syn"],
        ["ipv6", "from ::/0", "from not ::1", "icmpv6", "vlan 1", "ethertype arp"],
    ),
    "whether it is IP": (
        THREE_TAGS,
        [
            "",
            "ipv4",
            "ipv6",
            "from 1.1.1.1",
            "vlan 1",
            "ethertype arp",
            "ethertype 0x88cc",
            "tcp/1",
        ],
        ["vlan 2", "vlan none", "ethertype arp vlan 3"],
    ),
    "anything": (
        TAGGED[:17],
        ["", "ipv4", "vlan 100", "vlan none", "ethertype arp", "fragment", "icmpv6/1/1"],
        ["out", "on eth1"],
    ),
    "the protocol": (
        v6(f.option(60, f.udp(), claimed=9)),
        ["icmpv6/1", "tcp/1", "proto 60", "fragment", "unfragmented", "sctp/1 to 2001:db8:1::1"],
        ["icmp/1", "sctp/1 to ::1", "length 1", "ttl 1"],
    ),
    "a jumbogram's length": (
        v6(f.option(0, f.udp()), payload=0),
        ["length 1", "length 40-65535"],
        ["udp/1 length 1", "length 1 ipv4"],
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_matches_drop_alone(name: str) -> None:
    frame, dropped, passed = UNREADABLE[name]
    for rule in dropped:
        assert ruled(frame, f"drop {rule}").counted == (0,), rule
    for rule in passed:
        assert ruled(frame, f"drop {rule}").counted == (), rule
    assert ruled(frame).malformed
    for rule in (*dropped, *passed):
        assert ruled(frame, f"accept {rule}", f"count {rule}").counted == (), rule


def test_what_can_be_read_of_a_broken_frame_counts() -> None:
    broken = v4(f.udp(), version=5)
    assert matched("ipv4", broken)
    assert matched("", broken)
    assert matched("vlan none", broken)
    assert matched("udp from 10.0.0.1", v4(f.udp(), total=20))
    assert ruled(THREE_TAGS, "accept vlan 1 ethertype any").counted == (0,)
    assert ruled(THREE_TAGS, "accept vlan 1").counted == ()


def test_the_first_rule_that_decides_decides() -> None:
    ruling = ruled(UDP4, "count", "drop tcp", "count udp", "accept udp", "drop udp", "count")
    assert (ruling.dropped, ruling.rule, ruling.counted) == (False, 3, (0, 2, 3))
    ruling = ruled(UDP4, "count", "accept tcp", "drop udp", "accept")
    assert (ruling.dropped, ruling.rule, ruling.counted) == (True, 2, (0, 2))
    assert not ruling.policy_dropped
    assert "rule 3 (drop udp)" in ruling.why


def test_policies() -> None:
    ingress = Policy(ingress="drop")
    assert ruled(UDP4, policy=ingress).policy_dropped
    assert ruled(UDP4, "count", policy=ingress).counted == (0,)
    assert not ruled(UDP4, policy=ingress, direction="egress").dropped
    assert ruled(UDP4, policy=Policy(egress="drop"), direction="egress").dropped
    assert not ruled(ARP, policy=ingress).dropped
    assert not ruled(f.ether(f.llc()), policy=ingress).dropped
    assert ruled(ARP, policy=Policy(non_ip="drop")).policy_dropped
    assert not ruled(UDP4, policy=Policy(non_ip="drop")).dropped
    assert not ruled(UDP4, "accept udp", policy=DROP).dropped


def test_the_direction_s_policy_when_it_is_open_whether_a_frame_is_ip() -> None:
    for frame in (THREE_TAGS, TAGGED[:17]):
        assert ruled(frame, policy=Policy(ingress="drop")).dropped
        assert not ruled(frame, policy=Policy(non_ip="drop")).dropped


def test_neighbour_discovery() -> None:
    ask = v6(f.icmpv6(135), hops=255)
    assert not ruled(ask, policy=DROP).dropped
    assert ruled(ask, policy=Policy(ingress="drop", neighbor_discovery="judge")).policy_dropped
    assert ruled(ask, "drop icmpv6", policy=DROP).counted == (0,)
    assert ruled(v6(f.icmpv6(135)), policy=DROP).dropped
    assert ruled(v6(f.icmpv6(128), hops=255), policy=DROP).dropped


def test_later_fragments_are_judged_by_the_first() -> None:
    memory = FragmentMemory()
    first, later = v4(f.udp(), more=True), v4(f.raw(17, bytes(16)), offset=2)
    assert ruled(later, "accept udp/53", memory=memory).counted == ()
    assert ruled(later, "drop udp/54", memory=memory).dropped
    assert ruled(later, memory=memory).malformed
    ruled(first, "drop", memory=memory)
    assert ruled(later, "accept udp/53", memory=memory).counted == (0,)
    assert not ruled(later, "drop udp/54", memory=memory).dropped
    assert not ruled(later, memory=memory).malformed
    ruled(v4(f.udp(dport=54), more=True), memory=memory)
    assert ruled(later, "drop udp/54", memory=memory).dropped


@pytest.mark.parametrize(
    "change", [{"ident": 2}, {"src": "10.0.0.2"}, {"dst": "10.0.1.2"}, {"proto": 132}]
)
def test_a_datagram_is_known_by_its_key(change: dict[str, Any]) -> None:
    memory = FragmentMemory()
    ruled(v4(f.udp(), more=True), memory=memory)
    number = change.pop("proto", 17)
    assert ruled(v4(f.raw(number, bytes(16)), offset=2, **change), memory=memory).malformed


def test_the_memory_lasts_sixty_seconds() -> None:
    memory = FragmentMemory()
    first, later = v4(f.udp(), more=True), v4(f.raw(17, bytes(16)), offset=2)
    ruled(first, memory=memory, now=100.0)
    assert not ruled(later, memory=memory, now=159.9).malformed
    assert ruled(later, memory=memory, now=160.1).malformed


def test_what_the_first_fragment_hides_stays_hidden() -> None:
    memory = FragmentMemory()
    ruled(v4(f.tcp(), more=True, total=33), memory=memory)
    later = v4(f.raw(6, bytes(16)), offset=2)
    ruling = ruled(later, "drop tcp/81 flags syn", "drop tcp/80 flags rst", memory=memory)
    assert (ruling.counted, ruling.malformed) == ((1,), True)


def test_a_tcp_fragment_at_eight_bytes_hides_l4_even_when_the_first_is_known() -> None:
    def v6_fragment(inner: f.Layer, **kw: Any) -> bytes:
        return v6(f.fragment6(inner, **kw))

    for wrap in (v4, v6_fragment):
        memory = FragmentMemory()
        ruled(wrap(f.tcp(), more=True), memory=memory)
        tiny = wrap(f.raw(6, bytes(16)), offset=1)
        assert ruled(tiny, "accept tcp/80", "drop tcp/81", memory=memory).counted == (1,)
        assert ruled(tiny, "accept tcp", memory=memory).counted == (0,)
        second = wrap(f.raw(6, bytes(16)), offset=2)
        assert ruled(second, "accept tcp/80", memory=memory).counted == (0,)


def test_ipv6_later_fragments() -> None:
    memory = FragmentMemory()
    first = v6(f.fragment6(f.option(60, f.udp()), more=True))
    later = v6(f.fragment6(f.raw(60, bytes(16)), offset=3))
    assert ruled(later, "accept udp", "drop tcp/80", memory=memory).counted == (1,)
    ruled(first, memory=memory)
    assert ruled(later, "accept udp/53", memory=memory).counted == (0,)
    lying = v6(f.fragment6(f.raw(6, bytes(16)), offset=1))
    assert ruled(lying, "drop tcp", "accept udp/53", memory=memory).counted == (1,)
    hides = v6(f.fragment6(f.fragment6(f.udp()), more=True))
    ruled(hides, memory=memory)
    assert ruled(later, "accept udp", "drop sctp/1", memory=memory).counted == (1,)


def test_atomic_fragments_are_not_remembered() -> None:
    memory = FragmentMemory()
    ruled(v6(f.fragment6(f.udp())), memory=memory)
    assert ruled(v6(f.fragment6(f.raw(17, bytes(16)), offset=2)), memory=memory).malformed


def test_what_an_atomic_fragment_header_stands_in_front_of() -> None:
    """A later fragment is not judged by the first, and a first one has nothing to say."""
    memory = FragmentMemory()
    ruled(v6(f.fragment6(f.udp(), more=True)), memory=memory)
    plain = v6(f.fragment6(f.raw(17, bytes(16)), offset=2))
    later = v6(f.fragment6(f.fragment6(f.raw(17, bytes(16)), offset=2)))
    for rules in (("drop ipv6 fragment later",), ("accept udp", "drop sctp/1")):
        ruling = ruled(later, *rules, memory=memory)
        assert ruling.dropped and ruling.malformed
    assert not ruled(plain, memory=memory).malformed
    ruled(v6(f.fragment6(f.fragment6(f.udp(), more=True))), memory=memory)
    assert ruled(plain, "accept udp", "drop sctp/1", memory=memory).dropped
