"""Small rulesets over a small world, and every packet of that world, judged by the reference."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from random import Random
from typing import Any

from tests.support.oracle.flows.packets import TCP, UDP, FlowPacket
from tests.support.oracle.reference.judge import Attachment, by_policy, matches
from tests.support.oracle.reference.members import SetMembers
from tests.support.oracle.reference.packet import Packet
from xdpwall.check.witness import Witness
from xdpwall.rule.match import VLAN_NONE
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

WHERE = tuple(
    Attachment(iface, direction)
    for iface in ("eth0", "eth9")
    for direction in ("ingress", "egress")
)
SETS: Mapping[str, tuple[str, ...]] = {"bad": ("10.0.0.1", "10.0.1.0/24"), "none": ()}
MEMBERS = {name: SetMembers(entries) for name, entries in SETS.items()}

_ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "10.128.0.1", "192.0.2.1")
_PREFIXES = ("10.0.0.1", "10.0.0.0/24", "10.0.0.0/9", "10.0.0.0/8", "10.128.0.0/9", "0.0.0.0/0")
_PORTS = (22, 80, 443, 9999)
_FIELDS: Mapping[str, Sequence[Any]] = {
    "iface": ("eth0", "!eth0", "eth*", "!e*0", "*9"),
    "direction": ("ingress", "egress"),
    "src": (*_PREFIXES, "!10.0.0.0/8", "@bad", "!@bad", "@none", "!@none"),
    "dst": ("10.0.0.1", "10.0.0.0/24"),
    "fragment": (True, False, "first", "later"),
    "vlan": (5, "none", "!5"),
    "ttl": ("0-63", "64-255", 64),
}
_TCP: Mapping[str, Sequence[Any]] = {
    "dport": ("22", "80,443", "22-443", "!80", "0-65535"),
    "tcp_flags": ("syn/syn,ack", "ack/ack", "none/syn"),
}


def draw_rule(random: Random) -> Rule:
    """One rule of the small world."""
    fields: dict[str, Any] = {
        "action": random.choice(["drop", "drop", "accept", "accept", "count"])
    }
    proto = random.choice([None, None, "tcp", "tcp", "udp", "icmp"])
    if proto is not None:
        fields["proto"] = proto
    for name, values in _FIELDS.items():
        if random.random() < 0.18:
            fields[name] = random.choice(values)
    if proto == "tcp":
        for name, values in _TCP.items():
            if random.random() < 0.4:
                fields[name] = random.choice(values)
    return Rule.parse(fields)


def draw_rules(random: Random) -> list[Rule]:
    """Up to eight."""
    return [draw_rule(random) for _ in range(random.randint(2, 8))]


def packets() -> Iterator[Packet]:
    """A packet of each class of values that the small world's rules tell apart, IPv4 and IPv6."""
    addresses = [
        (4, int(ip_address(a)), int(ip_address(b))) for a in _ADDRESSES for b in _ADDRESSES[::4]
    ]
    addresses += [(4, int(ip_address(a)), int(ip_address("10.0.0.9"))) for a in _ADDRESSES]
    addresses.append((6, int(ip_address("2001:db8::1")), int(ip_address("2001:db8::2"))))
    upper: list[dict[str, Any]] = [
        {"proto": 6, "sport": 1, "dport": port, "tcp_flags": flags}
        for port in _PORTS
        for flags in (2, 16, 18, 0)
    ]
    upper += [{"proto": 17, "sport": 1, "dport": 53}, {"proto": 47}]
    for (family, src, dst), l4, fragment, vlan, ttl in itertools.product(
        addresses, upper, ("none", "first", "later"), (VLAN_NONE, 5, 6), (1, 64, 200)
    ):
        yield Packet(
            100,
            vlan=vlan,
            family=family,
            src=src,
            dst=dst,
            length=80,
            ttl=ttl,
            fragment=fragment,
            **l4,
        )
    for kind, ttl, vlan in itertools.product((130, 133, 143), (1, 255), (VLAN_NONE, 5, 6)):
        yield Packet(
            100,
            vlan=vlan,
            family=6,
            src=int(ip_address("fe80::1")),
            dst=int(ip_address("ff02::1")),
            length=80,
            ttl=ttl,
            fragment="none",
            proto=58,
            icmp_type=kind,
            icmp_code=0,
            neighbor_discovery=(ttl == 255) == (kind == 133),
        )
    for src, fragment, vlan, ttl in itertools.product(
        _ADDRESSES, ("none", "first", "later"), (VLAN_NONE, 5, 6), (1, 64, 200)
    ):
        for dst in ("10.0.0.1", "10.0.0.9", "192.0.2.1"):
            yield Packet(
                100,
                vlan=vlan,
                family=4,
                src=int(ip_address(src)),
                dst=int(ip_address(dst)),
                length=80,
                ttl=ttl,
                fragment=fragment,
                proto=1,
                icmp_type=8,
                icmp_code=0,
            )


def decider(
    rules: Sequence[Rule], packet: Packet, where: Attachment, *, without: int | None = None
) -> int | None:
    """The index of the rule that decides, None for the policy."""
    for index, rule in enumerate(rules):
        if index != without and rule.action != "count" and matches(rule, packet, where, MEMBERS):
            return index
    return None


def verdict(
    rules: Sequence[Rule], policy: Policy, packet: Packet, where: Attachment, decides: int | None
) -> bool:
    """Whether it is dropped."""
    if decides is not None:
        return rules[decides].action == "drop"
    return by_policy(packet, policy, where)[0]


def packet_of(witness: Witness) -> tuple[Packet, Attachment]:
    """The reference's packet for a witness, and where it is judged."""
    where = Attachment(witness.iface or "other", witness.direction)
    vlan = VLAN_NONE if witness.vlan is None else witness.vlan
    if witness.kind == "other":
        ethertype = (
            witness.ethertype
            if witness.ethertype is not None and witness.ethertype >= 0x600
            else None
        )
        return Packet(100, vlan=vlan, ethertype=ethertype), where
    assert witness.src is not None
    assert witness.dst is not None
    return (
        Packet(
            (witness.length or 80) + 14,
            vlan=vlan,
            ethertype=0x0800 if witness.kind == "ipv4" else 0x86DD,
            family=4 if witness.kind == "ipv4" else 6,
            src=int(ip_address(witness.src)),
            dst=int(ip_address(witness.dst)),
            length=witness.length or 80,
            ttl=64 if witness.ttl is None else witness.ttl,
            fragment=witness.fragment,
            proto=witness.proto,
            sport=witness.sport,
            dport=witness.dport,
            tcp_flags=witness.tcp_flags,
            icmp_type=witness.icmp_type,
            icmp_code=witness.icmp_code,
        ),
        where,
    )


def as_read(packet: FlowPacket) -> Packet:
    """What the reference judge reads of a packet of the reference tracker."""
    layer4: dict[str, Any] = {}
    if packet.is_icmp:
        layer4 = {"icmp_type": packet.icmp_type, "icmp_code": 0}
    elif packet.proto in (TCP, UDP):
        layer4 = {"sport": packet.sport, "dport": packet.dport}
    if packet.proto == TCP:
        layer4["tcp_flags"] = packet.flags
    return Packet(
        100,
        family=packet.family,
        src=int(ip_address(packet.src)),
        dst=int(ip_address(packet.dst)),
        length=80,
        ttl=64,
        fragment="none",
        proto=packet.proto,
        **layer4,
    )
